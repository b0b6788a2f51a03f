package prom

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"slices"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/counting"
	"github.com/slowburn-sre/slowburn/slo"
)

// A mark is a reading position as it is kept in the store: a version byte, a CRC-32 of the rest,
// and varints. Series and targets are kept by the hash of their labels (8 bytes), times relative to
// the newest sample, values as integers where they are: about 17 bytes a series. What is counted
// and not decided yet is kept as well, so that nothing is read twice.

const (
	markVersion = 1 // of all marks but those of bundles
	// bundleVersion is the one of bundles.
	bundleVersion = 2
)

var errMark = errors.New("the reading position is damaged or of another version")

// saved is a mark, decoded.
type saved struct {
	read, asked, last int64
	lag               int64
	primed            bool
	promises          []savedPromise
	targets           []savedTarget
	series            []savedSeries
	accounts          []savedAccount
	groups            []counting.Group  // targets and series by their place in the mark
	orphans           []counting.Orphan // targets and accounts by their place in the mark
}

type savedPromise struct {
	id   slo.ID
	hash uint64
	counting.Promise
}

type savedTarget struct {
	hash uint64
	counting.Target
}

type savedSeries struct {
	hash   uint64
	target int // its place in the mark, -1 if it is not known
	counting.Cursor
}

type savedAccount struct {
	id slo.ID
	counting.Account
	open []counting.Minute
}

// save encodes what a state remembers, without what it has forgotten.
func (b *bundle) save(s *state) []byte {
	e := &encoder{base: s.Last}
	e.time(s.Read)
	e.time(s.Asked)
	e.int(s.Last)
	e.int(s.lag)
	e.bool(s.Primed)
	e.uint(uint64(len(b.specs)))
	for i, spec := range b.specs {
		p := &s.Promises[i]
		e.string(string(spec.ID()))
		e.hash(b.hashes[i])
		e.int(int64(p.Since))
		e.time(p.Begun)
		e.time(p.Sight)
	}
	alive := func(ms int64) bool { return ms > 0 && ms >= s.Last-counting.Forget }
	targets := e.list(len(s.Targets), func(i int) bool { return alive(s.Targets[i].Last) }, func(i int) {
		e.hash(b.reg.targetHash[i])
		e.target(&s.Targets[i])
	})
	series := e.list(len(s.Cursors), func(i int) bool { return alive(s.Cursors[i].MS) }, func(i int) {
		e.hash(b.reg.seriesHash[i])
		e.uint(uint64(targets(b.reg.Series[i].Target) + 1))
		e.cursor(&s.Cursors[i])
	})
	accounts := e.list(len(s.Accounts), func(i int) bool {
		return alive(s.Accounts[i].Last) || s.Accounts[i].Told > 0 || s.Accounts[i].HasOpen()
	}, func(i int) {
		e.uint(uint64(b.reg.Accounts[i].Promise))
		e.string(b.reg.ids[i].Group())
		e.account(&s.Accounts[i])
		var open []counting.Minute
		s.OpenMinutes(int32(i), func(m counting.Minute) { open = append(open, m) })
		e.uint(uint64(len(open)))
		for j := range open {
			e.minute(&open[j])
		}
	})
	e.uint(uint64(len(s.Groups)))
	for i := range s.Groups {
		e.group(&s.Groups[i], targets, series)
	}
	orphans := slices.DeleteFunc(slices.Clone(s.Orphans), func(o counting.Orphan) bool { return accounts(o.Account) < 0 || targets(o.Target) < 0 })
	e.uint(uint64(len(orphans)))
	for i := range orphans {
		e.uint(uint64(accounts(orphans[i].Account)))
		e.uint(uint64(targets(orphans[i].Target)))
		e.orphan(&orphans[i])
	}
	e.list(len(s.Targets), func(i int) bool { return targets(int32(i)) >= 0 && s.Targets[i].Start > 0 }, func(i int) {
		e.uint(uint64(targets(int32(i))))
		e.time(s.Targets[i].Start)
	})
	e.list(len(s.Groups), func(i int) bool { return s.Groups[i].Tells() }, func(i int) {
		e.uint(uint64(i))
		e.beginning(&s.Groups[i])
	})
	from := func(i int) int {
		if f := s.Targets[i].From - 1; f >= 0 {
			return targets(f)
		}
		return -1
	}
	e.list(len(s.Targets), func(i int) bool { return targets(int32(i)) >= 0 && from(i) >= 0 }, func(i int) {
		e.uint(uint64(targets(int32(i))))
		e.uint(uint64(from(i)))
	})
	e.list(len(orphans), func(i int) bool { return orphans[i].Counted || orphans[i].Good > 0 }, func(i int) {
		e.uint(uint64(i))
		e.float(orphans[i].Good)
		e.bool(orphans[i].Counted)
		e.bool(orphans[i].Early)
	})
	return e.seal(bundleVersion)
}

func (e *encoder) target(t *counting.Target) {
	e.time(t.Last)
	e.time(t.Born)
	e.pace(t.Pace)
	e.uint(uint64(t.StandIn))
	for _, at := range t.Restarts {
		e.time(at)
	}
	e.small(t.Late)
	e.time(t.LateAt)
	e.small(t.Rate)
	e.bool(t.Old)
}

func (d *reader) target() counting.Target {
	t := counting.Target{Last: d.time(), Born: d.time(), Pace: d.pace(), StandIn: int32(d.uint())}
	for i := range t.Restarts {
		t.Restarts[i] = d.time()
	}
	t.Late, t.LateAt, t.Rate, t.Old = d.small(), d.time(), d.small(), d.bool()
	return t
}

func (e *encoder) cursor(c *counting.Cursor) {
	e.time(c.MS)
	e.float(c.Value)
	e.uint(uint64(c.Flags)<<1 | min(uint64(c.Dips), 1))
	if c.Dips > 0 {
		e.uint(uint64(c.Dips))
		e.float(c.Low)
	}
}

func (d *reader) cursor() counting.Cursor {
	c := counting.Cursor{MS: d.time(), Value: d.float()}
	flags := d.uint()
	if c.Flags = counting.Flags(flags >> 1); flags&1 > 0 {
		c.Dips, c.Low = uint8(d.uint()), d.float()
	}
	return c
}

func (e *encoder) orphan(o *counting.Orphan) {
	e.int(int64(o.At))
	e.time(o.MS)
	e.float(o.Total)
	e.uint(uint64(o.Scrapes))
	e.bool(o.Asked)
	e.bool(o.Failed)
	e.tally(o.Rest)
}

func (d *reader) orphan() counting.Orphan {
	o := counting.Orphan{Account: int32(d.uint()), Target: int32(d.uint()), At: budget.Minute(d.int()), MS: d.time(), Total: d.float()}
	o.Scrapes, o.Asked, o.Failed, o.Rest = int32(d.uint()), d.bool(), d.bool(), d.tally()
	return o
}

func (e *encoder) account(a *counting.Account) {
	e.time(a.Last)
	e.pace(a.Pace)
	e.int(int64(a.Told))
	e.int(int64(a.Done))
	e.tally(a.Carry)
	e.bool(a.Hole.Open)
	if a.Hole.Open {
		e.int(int64(a.Hole.From))
		e.int(int64(a.Hole.Until))
		e.tally(a.Hole.Sum)
	}
}

func (d *reader) account() counting.Account {
	a := counting.Account{Last: d.time(), Pace: d.pace(), Told: budget.Minute(d.int()), Done: budget.Minute(d.int()), Carry: d.tally()}
	if h := &a.Hole; d.bool() {
		*h = counting.Hole{From: budget.Minute(d.int()), Until: budget.Minute(d.int()), Sum: d.tally(), Open: true}
		if h.Until < h.From || h.Until-h.From > 1<<24 {
			d.err = errMark
		}
	}
	return a
}

func (e *encoder) minute(m *counting.Minute) {
	e.int(int64(m.At))
	e.tally(m.Sum)
	e.time(m.First)
	e.time(m.Last)
	e.uint(uint64(m.Gap))
	e.time(m.Since)
	e.bool(m.Down)
	e.float(m.Guess)
}

func (d *reader) minute() counting.Minute {
	return counting.Minute{At: budget.Minute(d.int()), Sum: d.tally(), First: d.time(), Last: d.time(), Gap: int64(d.uint()), Since: d.time(), Down: d.bool(), Guess: d.float()}
}

func (e *encoder) group(g *counting.Group, target, series func(int32) int) {
	e.uint(uint64(target(g.Target) + 1))
	for _, at := range []int64{g.MS, g.From, g.Since, g.Next, g.Next} { // twice, for readers of old
		e.time(at)
	}
	e.float(g.Bound)
	e.bool(g.Fresh)
	e.bool(g.Old)
	e.uint(uint64(len(g.Series)))
	for i, s := range g.Series {
		e.uint(uint64(series(s) + 1))
		e.float(g.Values[i])
	}
}

func (d *reader) group() counting.Group {
	g := counting.Group{Target: int32(d.uint()) - 1, MS: d.time(), From: d.time(), Since: d.time(), Next: d.time()}
	d.time() // by when the verdict fell in any case, once
	g.Bound, g.Fresh, g.Old = d.float(), d.bool(), d.bool()
	for range d.count() {
		g.Series, g.Values = append(g.Series, int32(d.uint())-1), append(g.Values, d.float())
	}
	g.Created = make([]int64, len(g.Series))
	return g
}

// beginning writes what is known of when a group began. Few know it.
func (e *encoder) beginning(g *counting.Group) {
	e.time(g.Start)
	e.bool(g.Alone)
	for _, at := range g.Created {
		e.time(at)
	}
}

func (d *reader) beginning(g *counting.Group) {
	g.Start, g.Alone = d.time(), d.bool()
	for i := range g.Created {
		g.Created[i] = d.time()
	}
}

// more reads what is known beside of targets, groups and orphans. Marks of old end before it, or in
// between.
func (s *saved) more(d *reader) {
	each := func(of int, read func(i uint64)) {
		if d.err != nil || len(d.b) == 0 {
			return
		}
		for range d.count() {
			if i := d.uint(); i < uint64(of) {
				read(i)
			} else {
				d.err = errMark
			}
		}
	}
	each(len(s.targets), func(i uint64) { s.targets[i].Start = d.time() })
	each(len(s.groups), func(i uint64) { d.beginning(&s.groups[i]) })
	each(len(s.targets), func(i uint64) {
		from := d.uint()
		if from >= uint64(len(s.targets)) {
			d.err = errMark
			return
		}
		s.targets[i].From = int32(from) + 1
	})
	each(len(s.orphans), func(i uint64) {
		o := &s.orphans[i]
		o.Good, o.Counted, o.Early = d.float(), d.bool(), d.bool()
	})
}

// loadMark decodes the mark of a bundle.
func loadMark(b []byte) (*saved, error) {
	d, err := openAs(b, bundleVersion)
	if err != nil {
		return nil, err
	}
	s := &saved{}
	read, asked := d.uint(), d.uint()
	d.base = d.int()
	s.last, s.read, s.asked = d.base, d.timeOf(read), d.timeOf(asked)
	s.lag, s.primed = d.int(), d.bool()
	for range d.count() {
		p := savedPromise{id: slo.ID(d.string()), hash: d.hash()}
		p.Since, p.Begun, p.Sight = budget.Minute(d.int()), d.time(), d.time()
		s.promises = append(s.promises, p)
	}
	for range d.count() {
		s.targets = append(s.targets, savedTarget{d.hash(), d.target()})
	}
	for range d.count() {
		c := savedSeries{hash: d.hash(), target: int(d.uint()) - 1, Cursor: d.cursor()}
		if c.target >= len(s.targets) {
			return nil, errMark
		}
		s.series = append(s.series, c)
	}
	for range d.count() {
		a := savedAccount{id: s.budgetOf(d), Account: d.account()}
		for range d.count() {
			a.open = append(a.open, d.minute())
		}
		s.accounts = append(s.accounts, a)
	}
	for range d.count() {
		g := d.group()
		if int(g.Target) >= len(s.targets) || g.Target < 0 || slices.ContainsFunc(g.Series, func(i int32) bool { return i < 0 || int(i) >= len(s.series) }) || len(g.Series) == 0 {
			return nil, errMark
		}
		s.groups = append(s.groups, g)
	}
	for range d.count() {
		o := d.orphan()
		if o.Target < 0 || int(o.Target) >= len(s.targets) || o.Account < 0 || int(o.Account) >= len(s.accounts) {
			return nil, errMark
		}
		s.orphans = append(s.orphans, o)
	}
	s.more(d)
	return s, d.err
}

// budgetOf reads which budget an account is of.
func (s *saved) budgetOf(d *reader) slo.ID {
	base := d.uint()
	group := slo.ID(d.string())
	if base >= uint64(len(s.promises)) {
		d.err = errMark
		return ""
	}
	return s.promises[base].id + group
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

// small writes a number that need not be exact.
func (e *encoder) small(v float64) {
	e.b = binary.LittleEndian.AppendUint32(e.b, math.Float32bits(float32(v)))
}

// tally writes zeroes in one byte.
func (e *encoder) tally(t counting.Tally) {
	e.bool(t != counting.Tally{})
	if t != (counting.Tally{}) {
		e.float(t.Total)
		e.float(t.Bad)
		e.float(t.Good)
	}
}

func (e *encoder) pace(p counting.Pace) {
	e.uint(uint64(p.Interval))
	e.uint(uint64(p.Votes))
	if p.Votes > 0 {
		e.uint(uint64(p.Candidate))
	}
}

// list writes the elements that are to be kept, and returns their places in the mark; -1 for those
// that are not.
func (e *encoder) list(n int, keep func(int) bool, write func(int)) func(int32) int {
	place, kept := make([]int32, n), int32(0)
	for i := range n {
		place[i] = -1
		if keep(i) {
			place[i] = kept
			kept++
		}
	}
	e.uint(uint64(kept))
	for i := range n {
		if place[i] >= 0 {
			write(i)
		}
	}
	return func(i int32) int {
		if i < 0 || int(i) >= n {
			return -1
		}
		return int(place[i])
	}
}

// seal puts the version and the checksum in front.
func (e *encoder) seal(version byte) []byte {
	head := binary.LittleEndian.AppendUint32([]byte{version}, crc32.ChecksumIEEE(e.b))
	return append(head, e.b...)
}

// reader takes values off a mark. After the first error it yields zeroes.
type reader struct {
	b    []byte
	base int64
	err  error
}

// open checks the version and the checksum of a mark that is not a bundle's.
func open(b []byte) (*reader, error) { return openAs(b, markVersion) }

func openAs(b []byte, version byte) (*reader, error) {
	if len(b) < 5 || b[0] != version || binary.LittleEndian.Uint32(b[1:]) != crc32.ChecksumIEEE(b[5:]) {
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

func (d *reader) time() int64 { return d.timeOf(d.uint()) }

func (d *reader) timeOf(v uint64) int64 {
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

func (d *reader) small() float64 {
	return float64(math.Float32frombits(binary.LittleEndian.Uint32(d.take(4))))
}

func (d *reader) tally() counting.Tally {
	if !d.bool() {
		return counting.Tally{}
	}
	return counting.Tally{Total: d.float(), Bad: d.float(), Good: d.float()}
}

func (d *reader) pace() counting.Pace {
	p := counting.Pace{Interval: int32(d.uint()), Votes: uint8(d.uint())}
	if p.Votes > 0 {
		p.Candidate = int32(d.uint())
	}
	return p
}

// adopt builds the state of a bundle out of marks: usually the one that the same bundle saved,
// otherwise, after the set of SLOs has changed, those of all bundles that read the same metrics. An
// SLO that none of them knows begins after minute to.
func (b *bundle) adopt(marks []*saved, to budget.Minute) *state {
	s := &state{State: &counting.State{Promises: make([]counting.Promise, len(b.specs))}}
	for i := range s.Promises {
		s.Promises[i].Since = to + 1
	}
	known := map[slo.ID]bool{}
	for _, m := range marks {
		b.adoptPromises(s, m, known)
	}
	for _, m := range marks {
		targets, series := b.adoptPositions(s, m)
		accounts := make([]int32, len(m.accounts))
		for place, a := range m.accounts {
			accounts[place] = -1
			if spec := b.specOf(a.id); spec >= 0 && known[a.id.Base()] {
				if i := b.reg.account(b, spec, a.id); i >= 0 {
					accounts[place] = i
					s.Grow(0, 0, int(i)+1)
					s.Accounts[i] = a.Account
					for _, open := range a.open {
						open.Account = i
						s.PutMinute(open)
					}
				}
			}
		}
		for _, g := range m.groups {
			g.Target, g.Series = targets[g.Target], slices.Clone(g.Series)
			for i, at := range g.Series {
				g.Series[i] = series[at]
			}
			s.Groups = append(s.Groups, g)
		}
		for _, o := range m.orphans {
			if o.Account = accounts[o.Account]; o.Account >= 0 {
				o.Target = targets[o.Target]
				s.Orphans = append(s.Orphans, o)
			}
		}
	}
	b.join(s, known)
	return s
}

// join lets the SLOs that are new in a state begin with the first minute that is seen whole: no
// lead is read for them, so their counters have a position only a scrape after what the others have
// read. The minutes before are left to history.
func (b *bundle) join(s *state, known map[slo.ID]bool) {
	interval := int64(minuteMs)
	for i := range s.Targets {
		interval = max(interval, int64(s.Targets[i].Pace.Interval))
	}
	// What is scraped more rarely is stale between its scrapes: nobody is kept blind for it.
	first := counting.SlotOf(s.Read+min(interval, vectorReach)+secondMs) + 1
	for i := range s.Promises {
		if s.Primed && !known[b.specs[i].ID()] {
			s.Promises[i].Since = max(s.Promises[i].Since, first)
		}
	}
}

// adoptPositions takes over targets and series, and returns their numbers by their places in the
// mark.
func (b *bundle) adoptPositions(s *state, m *saved) (targets, series []int32) {
	for _, t := range m.targets {
		i := number(b.reg.targets, &b.reg.targetHash, t.hash)
		s.Grow(0, int(i)+1, 0)
		if t.Last > s.Targets[i].Last {
			s.Targets[i] = t.Target
			s.Targets[i].From = 0
		}
		targets = append(targets, i)
	}
	for place, t := range m.targets {
		if at := &s.Targets[targets[place]]; t.From > 0 && at.From == 0 {
			at.From = targets[t.From-1] + 1
		}
	}
	for _, c := range m.series {
		i, target := b.reg.number(c.hash), int32(-1)
		if c.target >= 0 {
			target = targets[c.target]
		}
		b.reg.Meet(i, target, false, nil)
		s.Grow(int(i)+1, 0, 0)
		if c.MS > s.Cursors[i].MS {
			s.Cursors[i] = c.Cursor
		}
		series = append(series, i)
	}
	return targets, series
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
			s.Promises[i] = p.Promise
			known[p.id] = true
		}
	}
	if !mine || !m.primed {
		return
	}
	if !s.Primed || m.read < s.Read {
		s.Read, s.Asked, s.lag = m.read, m.asked, m.lag
	}
	s.Primed, s.Last = true, max(s.Last, m.last)
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
