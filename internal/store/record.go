package store

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/slo"
)

// Every record that is not plain SQL is sealed: its CRC-32C follows it. SQLite notices a damaged
// page only if its structure is broken.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// seal appends the checksum of b to b.
func seal(b []byte) []byte { return binary.LittleEndian.AppendUint32(b, checksum(b)) }

// budgetSum and factSum are the checksums of rows that are kept as plain columns.
func budgetSum(num int64, id slo.ID, through budget.Minute) int64 {
	return int64(checksum(fmt.Appendf(nil, "%d %s %d", num, id, through)))
}

func factSum(name, value string) int64 {
	return int64(checksum(fmt.Appendf(nil, "%q %q", plain(name), plain(value))))
}

// text is JSON as it is kept, and its checksum.
type text struct {
	json  string
	sum   int64
	body  int  // where the body of an entry is still missing, if it is; the checksum is not known then
	tried bool // of an entry, which may change until it is written down
}

// Encoded returns a tick whose incidents, acts and messages are encoded, as those of a turn are by
// [Turn.Encoded]. None of them may be added to afterwards.
func (t Tick) Encoded() Tick {
	own := t.own().Encoded()
	t.texts, t.actTexts = own.texts, make([]text, 0, len(t.Acts))
	for n := range t.Acts {
		of, err := t.textOfAct(n)
		if err != nil {
			return t // the commit says so
		}
		t.actTexts = append(t.actTexts, of)
	}
	return t
}

// own returns what of a tick belongs to no budget's turn.
func (t Tick) own() Turn { return Turn{Incidents: t.Incidents, Entries: t.Owed, texts: t.texts} }

// textOfAct returns an act in the one encoding that is stored and sealed.
func (t Tick) textOfAct(n int) (of text, err error) {
	if n < len(t.actTexts) {
		return t.actTexts[n], nil
	}
	of.json, of.sum, err = jsonText(t.Acts[n])
	return of, err
}

// Encoded returns the turn with all that it says of incidents and messages as it is kept, so that a
// commit, for which others wait, takes less long. None of it may be changed afterwards, but for
// whether a message was tried. The bodies of messages are checked, and not copied.
func (t Turn) Encoded() Turn {
	texts := make([]text, 0, len(t.Incidents)+len(t.Entries))
	for _, i := range t.Incidents {
		data, sum, err := jsonText(i)
		if err != nil {
			return t // the commit says so
		}
		texts = append(texts, text{json: data, sum: sum})
	}
	for _, e := range t.Entries {
		data, _, err := jsonText(withoutBody(e))
		before, _, ok := strings.Cut(data, noBody)
		if err != nil || !ok || !json.Valid(e.Body) {
			return t
		}
		body := len(before) + len(noBody) - len("null,")
		texts = append(texts, text{json: data[:body] + data[body+len("null"):], body: body, tried: e.Tried})
	}
	t.texts = texts
	return t
}

// noBody is how an entry is kept that has no body. It stands in no text: a quote has a backslash
// before it there.
const noBody = `,"body":null,`

func withoutBody(e outbox.Entry) outbox.Entry {
	e.Body = nil
	return e
}

// textOfIncident returns what is kept of an incident, textOfEntry of an entry.
func (t *Turn) textOfIncident(n int) (data string, sum int64, err error) {
	if n < len(t.texts) {
		return t.texts[n].json, t.texts[n].sum, nil
	}
	return jsonText(t.Incidents[n])
}

func (t *Turn) textOfEntry(n int) (data string, sum int64, err error) {
	e := &t.Entries[n]
	if at := len(t.Incidents) + n; at < len(t.texts) && t.texts[at].tried == e.Tried {
		of := t.texts[at]
		data = of.json[:of.body] + plain(string(e.Body)) + of.json[of.body:]
		return data, textSum(data), nil
	}
	return jsonText(*e)
}

// jsonText returns JSON as it is kept, and its checksum.
func jsonText(v any) (text string, sum int64, err error) {
	data, err := json.Marshal(v)
	text = plain(string(data))
	return text, textSum(text), err
}

func textSum(text string) int64 { return int64(checksum([]byte(text))) }

var (
	errChecksum = fmt.Errorf("%w: a record's checksum is wrong", ErrCorrupt)
	errRecord   = fmt.Errorf("%w: a record cannot be read", ErrCorrupt)
)

// unseal gives back what was sealed; it shares b's memory.
func unseal(b []byte) ([]byte, error) {
	n := len(b) - 4
	if n < 0 || binary.LittleEndian.Uint32(b[n:]) != checksum(b[:n]) {
		return nil, errChecksum
	}
	return b[:n], nil
}

// packed is a turn as the journal holds it: what changed in the ledger, and the state.
type packed struct {
	num     int64
	through budget.Minute
	state   []byte // JSON without Through; nil if only Through has changed
	slots   []budget.SlotAt
	hours   []budget.HourAt
}

// The journal record of a tick is a version byte and its turns, ordered by number:
//
//	number    uvarint, difference to the turn before
//	head      uvarint: flags, and the count of slots above them
//	through   varint, difference to the turn before; left out with sameThrough
//	slots     as budget.AppendSlot writes them, each preceded by its distance unless lined up
//	hours     count, then hour and sum each
//	state     length, JSON
//
// So the usual turn, one slot and nothing else, takes two bytes beside the slot.
const tickVersion = 1

const (
	sameThrough = 1 << iota // as the turn before
	linedUp                 // the slots are the minutes up to through, without a gap
	hasHours
	hasState
	headBits = iota
)

// packTick sorts the turns and writes them as one sealed record.
func packTick(turns []packed) []byte {
	slices.SortStableFunc(turns, func(a, b packed) int { return cmp.Compare(a.num, b.num) })
	b := make([]byte, 0, 64+10*len(turns))
	b = append(b, tickVersion)
	last := packed{}
	for _, t := range turns {
		b = appendTurn(b, &t, &last)
		last = t
	}
	return seal(b)
}

func appendTurn(b []byte, t, last *packed) []byte {
	head := t.flags(last)
	b = binary.AppendUvarint(b, uint64(t.num-last.num))
	b = binary.AppendUvarint(b, head|uint64(len(t.slots))<<headBits)
	if head&sameThrough == 0 {
		b = binary.AppendVarint(b, int64(t.through-last.through))
	}
	at := t.through
	for _, s := range t.slots {
		if head&linedUp == 0 {
			b = binary.AppendVarint(b, int64(s.At-at))
			at = s.At
		}
		b = budget.AppendSlot(b, s.Slot)
	}
	if head&hasHours != 0 {
		b = appendHours(b, t.hours, t.through.Hour())
	}
	if head&hasState != 0 {
		b = binary.AppendUvarint(b, uint64(len(t.state)))
		b = append(b, t.state...)
	}
	return b
}

func (t *packed) flags(last *packed) uint64 {
	head := uint64(0)
	if t.through == last.through {
		head |= sameThrough
	}
	if t.linedUp() {
		head |= linedUp
	}
	if len(t.hours) > 0 {
		head |= hasHours
	}
	if t.state != nil {
		head |= hasState
	}
	return head
}

func (t *packed) linedUp() bool {
	from := t.through - budget.Minute(len(t.slots))
	for i, s := range t.slots {
		if s.At != from+budget.Minute(i) {
			return false
		}
	}
	return true
}

// estimatedAt is where the count of estimated slots stands above that of bad slots: neither exceeds
// 60, and a record without the former reads as none.
const estimatedAt = 8

func appendHours(b []byte, hours []budget.HourAt, at int64) []byte {
	b = binary.AppendUvarint(b, uint64(len(hours)))
	for _, h := range hours {
		b = binary.AppendVarint(b, h.Hour-at)
		at = h.Hour
		for _, v := range [...]int64{
			h.Sum.Bad, h.Sum.Total, int64(h.Sum.Known), int64(h.Sum.Partial), int64(h.Sum.Unknown), int64(h.Sum.BadSlots | h.Sum.Estimated<<estimatedAt),
		} {
			b = binary.AppendUvarint(b, uint64(v))
		}
	}
	return b
}

// unpackTick calls f for each turn of a sealed record, in the order of their numbers. What f is
// given shares memory with the record and with the next turn.
func unpackTick(sealed []byte, f func(*packed) error) error {
	b, err := unseal(sealed)
	if err != nil {
		return err
	}
	if len(b) == 0 || b[0] != tickVersion {
		return fmt.Errorf("%w: the journal's records have an unknown version", ErrNewer)
	}
	r, t := reader{b: b[1:]}, packed{}
	for len(r.b) > 0 {
		r.turn(&t)
		if r.err != nil {
			return errRecord
		}
		if err := f(&t); err != nil {
			return err
		}
	}
	return nil
}

// reader takes a record apart. After its first error it reads zeros.
type reader struct {
	b   []byte
	err error
}

var errShort = errors.New("the record is too short")

func (r *reader) turn(t *packed) {
	t.num += int64(r.uvarint())
	head := r.uvarint()
	if head&sameThrough == 0 {
		t.through += budget.Minute(r.varint())
	}
	r.slots(t, r.count(head>>headBits), head&linedUp != 0)
	t.hours, t.state = t.hours[:0], nil
	if head&hasHours != 0 {
		r.hours(t)
	}
	if head&hasState != 0 {
		t.state = r.bytes(r.uvarint())
	}
}

func (r *reader) slots(t *packed, n int, linedUp bool) {
	t.slots = t.slots[:0]
	at := t.through
	if linedUp {
		at -= budget.Minute(n) + 1
	}
	for range n {
		if linedUp {
			at++
		} else {
			at += budget.Minute(r.varint())
		}
		t.slots = append(t.slots, budget.SlotAt{At: at, Slot: r.slot()})
	}
}

func (r *reader) hours(t *packed) {
	at := t.through.Hour()
	for range r.count(r.uvarint()) {
		at += r.varint()
		h := budget.HourAt{Hour: at}
		h.Sum.Bad, h.Sum.Total = int64(r.uvarint()), int64(r.uvarint())
		h.Sum.Known, h.Sum.Partial = int(r.uvarint()), int(r.uvarint())
		h.Sum.Unknown, h.Sum.BadSlots = int(r.uvarint()), int(r.uvarint())
		h.Sum.BadSlots, h.Sum.Estimated = h.Sum.BadSlots&(1<<estimatedAt-1), h.Sum.BadSlots>>estimatedAt
		t.hours = append(t.hours, h)
	}
}

func (r *reader) slot() budget.Slot {
	if r.err != nil {
		return budget.Slot{}
	}
	s, rest, err := budget.ReadSlot(r.b)
	if err != nil {
		r.err = err
		return budget.Slot{}
	}
	r.b = rest
	return s
}

// count returns a number of things that take at least a byte each.
func (r *reader) count(n uint64) int {
	if n > uint64(len(r.b)) {
		r.err = errShort
		return 0
	}
	return int(n)
}

func (r *reader) bytes(n uint64) []byte {
	k := r.count(n)
	if r.err != nil {
		return nil
	}
	v := r.b[:k:k]
	r.b = r.b[k:]
	return v
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	return take(r, v, n)
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	return take(r, v, n)
}

func take[T any](r *reader, v T, n int) T {
	var zero T
	if r.err != nil || n <= 0 {
		r.err = errShort
		return zero
	}
	r.b = r.b[n:]
	return v
}

// check refuses what could not be read back: it would make the whole store unreadable.
func (t Turn) check() error {
	if t.SLO == "" {
		return fmt.Errorf("%w: a turn names no SLO", ErrInvalid)
	}
	for _, s := range t.Slots {
		if s.Slot.Bad < 0 || s.Slot.Bad > s.Slot.Total || s.Slot.State > budget.Failed {
			return fmt.Errorf("%w: %s at %s has %+v", ErrInvalid, t.SLO, s.At.Time().UTC().Format(time.RFC3339), s.Slot)
		}
	}
	for _, h := range t.Hours {
		s := h.Sum
		if s.Bad < 0 || s.Bad > s.Total || min(s.Known, s.Partial, s.Unknown, s.BadSlots, s.Estimated) < 0 ||
			s.Known+s.Partial+s.Unknown > 60 || s.BadSlots > s.Known || s.Estimated > s.Seen() {
			return fmt.Errorf("%w: %s at hour %d has %+v", ErrInvalid, t.SLO, h.Hour, s)
		}
	}
	return nil
}
