package prom

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/slo"
)

// A mark is a reading position as it is kept in the store: a version byte, a CRC-32 of the rest,
// and varints. Series and targets are kept by the hash of their labels (8 bytes), times relative to
// the newest sample, values as integers where they are: about 15 bytes a series.

const markVersion = 1

var errMark = errors.New("the reading position is damaged or of another version")

// saved is a mark, decoded.
type saved struct {
	pos, read budget.Minute
	last      int64
	primed    bool
	promises  []savedPromise
	targets   []savedTarget
	series    []savedSeries
	accounts  []savedAccount
}

type savedPromise struct {
	id   slo.ID
	hash uint64
	promise
}

type savedTarget struct {
	hash uint64
	target
}

type savedSeries struct {
	hash uint64
	cursor
}

type savedAccount struct {
	id slo.ID
	account
}

// save encodes what a state remembers, without what it has forgotten.
func (b *bundle) save(s *state) []byte {
	e := &encoder{base: s.last}
	e.int(int64(s.pos))
	e.int(int64(s.read))
	e.int(s.last)
	e.bool(s.primed)
	e.uint(uint64(len(b.specs)))
	for i, spec := range b.specs {
		e.string(string(spec.ID()))
		e.hash(b.hashes[i])
		e.int(int64(s.promises[i].since))
		e.time(s.promises[i].sight)
	}
	alive := func(ms int64) bool { return ms > 0 && ms >= s.last-forget }
	e.list(len(s.targets), func(i int) bool { return alive(s.targets[i].last) }, func(i int) {
		e.hash(b.reg.targetHash[i])
		e.time(s.targets[i].last)
		e.pace(s.targets[i].pace)
	})
	e.list(len(s.cursors), func(i int) bool { return alive(s.cursors[i].ms) }, func(i int) {
		e.hash(b.reg.seriesHash[i])
		e.time(s.cursors[i].ms)
		e.float(s.cursors[i].v)
		e.uint(uint64(max(s.cursors[i].seen-s.cursors[i].ms, 0)))
	})
	e.list(len(s.accounts), func(i int) bool { return alive(s.accounts[i].last) || s.accounts[i].told > 0 }, func(i int) {
		e.uint(uint64(b.reg.info[i].promise))
		e.string(b.reg.ids[i].Group())
		e.account(s.accounts[i])
	})
	return e.seal()
}

func (e *encoder) account(a account) {
	e.time(a.last)
	e.pace(a.pace)
	e.int(int64(a.told))
	e.int(int64(a.done))
	e.tally(a.carry)
	e.bool(a.hole.open)
	if a.hole.open {
		e.int(int64(a.hole.from))
		e.int(int64(a.hole.until))
		e.tally(a.hole.sum)
	}
}

// loadMark decodes a mark.
func loadMark(b []byte) (*saved, error) {
	d, err := open(b)
	if err != nil {
		return nil, err
	}
	s := &saved{pos: budget.Minute(d.int()), read: budget.Minute(d.int()), last: d.int(), primed: d.bool()}
	d.base = s.last
	for range d.count() {
		p := savedPromise{id: slo.ID(d.string()), hash: d.hash()}
		p.since, p.sight = budget.Minute(d.int()), d.time()
		s.promises = append(s.promises, p)
	}
	for range d.count() {
		t := savedTarget{hash: d.hash()}
		t.last, t.pace = d.time(), d.pace()
		s.targets = append(s.targets, t)
	}
	for range d.count() {
		c := savedSeries{hash: d.hash()}
		c.ms, c.v = d.time(), d.float()
		c.seen = c.ms + int64(d.uint())
		s.series = append(s.series, c)
	}
	for range d.count() {
		base := d.uint()
		if base >= uint64(len(s.promises)) {
			return nil, errMark
		}
		s.accounts = append(s.accounts, savedAccount{id: s.promises[base].id + slo.ID(d.string()), account: d.account()})
	}
	return s, d.err
}

func (d *reader) account() account {
	a := account{last: d.time(), pace: d.pace(), told: budget.Minute(d.int()), done: budget.Minute(d.int()), carry: d.tally()}
	if a.hole.open = d.bool(); a.hole.open {
		a.hole.from, a.hole.until, a.hole.sum = budget.Minute(d.int()), budget.Minute(d.int()), d.tally()
		if a.hole.until < a.hole.from || a.hole.until-a.hole.from > 1<<24 {
			d.err = errMark
		}
	}
	return a
}

// encoder appends values.
type encoder struct {
	b    []byte
	base int64 // times are kept as their distance from it
}

func (e *encoder) int(v int64)     { e.b = binary.AppendVarint(e.b, v) }
func (e *encoder) uint(v uint64)   { e.b = binary.AppendUvarint(e.b, v) }
func (e *encoder) hash(v uint64)   { e.b = binary.LittleEndian.AppendUint64(e.b, v) }
func (e *encoder) string(s string) { e.uint(uint64(len(s))); e.b = append(e.b, s...) }

func (e *encoder) bool(v bool) {
	if v {
		e.b = append(e.b, 1)
	} else {
		e.b = append(e.b, 0)
	}
}

// time keeps 0 apart: it means never.
func (e *encoder) time(ms int64) {
	if ms == 0 {
		e.uint(0)
		return
	}
	v := e.base - ms // ≥ 0, but for a mark in which the newest sample is not counted yet
	e.uint(1 + uint64(v<<1^v>>63))
}

// float writes whole numbers as such: one more than twice the number; 0 announces eight bytes.
func (e *encoder) float(v float64) {
	if v >= 0 && v < 1<<53 && v == math.Trunc(v) {
		e.uint(1 + uint64(v))
		return
	}
	e.uint(0)
	e.hash(math.Float64bits(v))
}

func (e *encoder) tally(t tally) { e.float(t.total); e.float(t.bad); e.float(t.good) }

func (e *encoder) pace(p pace) {
	e.uint(uint64(p.interval))
	e.uint(uint64(p.votes))
	if p.votes > 0 {
		e.uint(uint64(p.candidate))
	}
}

// list writes the elements that are to be kept.
func (e *encoder) list(n int, keep func(int) bool, write func(int)) {
	kept := 0
	for i := range n {
		if keep(i) {
			kept++
		}
	}
	e.uint(uint64(kept))
	for i := range n {
		if keep(i) {
			write(i)
		}
	}
}

// seal puts the version and the checksum in front.
func (e *encoder) seal() []byte {
	head := binary.LittleEndian.AppendUint32([]byte{markVersion}, crc32.ChecksumIEEE(e.b))
	return append(head, e.b...)
}

// reader takes values off a mark. After the first error it yields zeroes.
type reader struct {
	b    []byte
	base int64
	err  error
}

// open checks the version and the checksum.
func open(b []byte) (*reader, error) {
	if len(b) < 5 || b[0] != markVersion || binary.LittleEndian.Uint32(b[1:]) != crc32.ChecksumIEEE(b[5:]) {
		return nil, errMark
	}
	return &reader{b: b[5:]}, nil
}

func (d *reader) take(n int) []byte {
	if d.err != nil || n < 0 || n > len(d.b) {
		d.err = errMark
		return make([]byte, min(max(n, 0), 8))
	}
	v := d.b[:n]
	d.b = d.b[n:]
	return v
}

func (d *reader) uint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 || d.err != nil {
		d.err = errMark
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *reader) int() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 || d.err != nil {
		d.err = errMark
		return 0
	}
	d.b = d.b[n:]
	return v
}

// count returns the length of a list; no element takes less than a byte.
func (d *reader) count() int {
	n := d.uint()
	if n > uint64(len(d.b)) {
		d.err = errMark
		return 0
	}
	return int(n)
}

func (d *reader) hash() uint64 { return binary.LittleEndian.Uint64(d.take(8)) }
func (d *reader) bool() bool   { return d.take(1)[0] != 0 }

func (d *reader) string() string {
	n := d.count()
	return string(d.take(n))
}

func (d *reader) time() int64 {
	v := d.uint()
	if v == 0 {
		return 0
	}
	v--
	return d.base - (int64(v>>1) ^ -int64(v&1))
}

func (d *reader) float() float64 {
	if v := d.uint(); v > 0 {
		return float64(v - 1)
	}
	return math.Float64frombits(d.hash())
}

func (d *reader) tally() tally { return tally{d.float(), d.float(), d.float()} }

func (d *reader) pace() pace {
	p := pace{interval: int32(d.uint()), votes: uint8(d.uint())}
	if p.votes > 0 {
		p.candidate = int32(d.uint())
	}
	return p
}

// adopt builds the state of a bundle out of marks: usually the one that the same bundle saved,
// otherwise, after the set of SLOs has changed, those of all bundles that read the same metrics. An
// SLO that none of them knows begins after minute to.
func (b *bundle) adopt(marks []*saved, to budget.Minute) *state {
	s := &state{promises: make([]promise, len(b.specs))}
	for i := range s.promises {
		s.promises[i].since = to + 1
	}
	known := map[slo.ID]bool{}
	for _, m := range marks {
		b.adoptPromises(s, m, known)
	}
	for _, m := range marks {
		for _, t := range m.targets {
			i := number(b.reg.targets, &b.reg.targetHash, t.hash)
			s.grow(0, int(i)+1, 0)
			if t.last > s.targets[i].last {
				s.targets[i] = t.target
			}
		}
		for _, c := range m.series {
			i := number(b.reg.series, &b.reg.seriesHash, c.hash)
			s.grow(int(i)+1, 0, 0)
			if c.ms > s.cursors[i].ms {
				s.cursors[i] = c.cursor
			}
		}
		for _, a := range m.accounts {
			if spec := b.specOf(a.id); spec >= 0 && known[a.id.Base()] {
				if i := b.reg.account(b, spec, a.id); i >= 0 {
					s.grow(0, 0, int(i)+1)
					s.accounts[i] = a.account
				}
			}
		}
	}
	return s
}

// adoptPromises takes over the SLOs that have not changed, and the position with them: the oldest,
// if the marks disagree; what is read again is recognised by the cursors.
func (b *bundle) adoptPromises(s *state, m *saved, known map[slo.ID]bool) {
	mine := false
	for _, p := range m.promises {
		i := b.specOf(p.id)
		if i < 0 {
			continue
		}
		mine = true
		if p.hash == b.hashes[i] {
			s.promises[i] = p.promise
			known[p.id] = true
		}
	}
	if !mine || !m.primed {
		return
	}
	if !s.primed || m.pos < s.pos {
		s.pos = m.pos
	}
	s.primed, s.read, s.last = true, max(s.read, m.read), max(s.last, m.last)
}

// specOf returns the index of the SLO of a budget, -1 if it is not in the bundle.
func (b *bundle) specOf(id slo.ID) int {
	base := id.Base()
	for lo, hi := 0, len(b.specs); lo < hi; {
		mid := (lo + hi) / 2
		switch at := b.specs[mid].ID(); {
		case at == base:
			return mid
		case at < base:
			lo = mid + 1
		default:
			hi = mid
		}
	}
	return -1
}
