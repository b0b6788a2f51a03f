package budget

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
)

// Ledger is the account of one error budget: a [Slot] for each minute.
//
// The hour is its unit. Minutes matter for a few days, while alert windows end among them; then
// [Ledger.Thin] keeps only the sums of their hours, which is all that budget windows need (see
// slo.Window.Start). Young hours are kept packed, a few bytes a minute, so that ten thousand
// budgets fit into a gigabyte.
//
// Reads may run side by side; a write needs the ledger alone.
type Ledger struct {
	hours hours // their sums

	fineFirst int64    // hour of fine[0]; no minutes are kept before it
	fine      [][]byte // packed minutes of an hour, nil where nothing was written

	kept map[int64][]byte // packed minutes of older hours that keep them, see Thin

	fives []five // of hours whose minutes were thinned out, oldest first

	end Minute // one past the newest slot written

	excuses *Excuses // laid over; every sum is net of them

	memo *Memo // of what is only read, see Memo
}

type hourSlots [60]Slot

// Put writes the slot of a minute, replacing what was there. Minutes whose hour has been thinned
// out, or lies before everything that was kept, are refused with false; some hours still have their
// minutes, see [Ledger.Thin]. A slot that no minute can hold is written as a failed one.
func (l *Ledger) Put(m Minute, s Slot) bool {
	s = s.held()
	h := m.Hour()
	switch {
	case l.kept[h] != nil:
		slots := unpack(l.kept[h])
		slots[m-Minute(h*60)] = s
		l.kept[h] = pack(&slots)
		l.hours.set(h, slots.sum())
		if s != (Slot{}) {
			l.end = max(l.end, m+1)
		}
		return true
	case !l.Empty() && (h < l.hours.first || h < l.fineFirst):
		return l.prepend(h) && l.Put(m, s)
	}
	l.grow(h)
	if l.follow(m, s) {
		return true
	}
	slots := unpack(l.fine[h-l.fineFirst])
	slots[m-Minute(h*60)] = s
	l.setHour(h, &slots)
	return true
}

// Amend adds events, in thousandths, that were found of a minute after it was written, or takes
// some away where the numbers are negative; see [Slot]. It returns what the minute is now. It
// refuses with false a minute that was never written, or whose hour has been thinned out: see
// [Ledger.AmendHour].
func (l *Ledger) Amend(m Minute, bad, total int64) (Slot, bool) {
	s := l.Gross().At(m)
	if s.State == Unseen {
		return s, false
	}
	s = s.amended(bad, total)
	return s, l.Put(m, s)
}

// AmendShown amends minutes by what a sample in the minute m shows, where scrapes are further apart
// than a minute: what it shows is spread over the minutes up to m that no other sample tells of. Of
// those that were shown by a later sample, that one keeps only the minutes after m. Of those of
// which nothing is known, minutes since a given one are told of; if it is 0, m is amended alone. It
// depends on the samples and not on their order. It returns what has changed, nothing if it is
// refused; see [Ledger.Amend].
func (l *Ledger) AmendShown(since, m Minute, bad, total int64) []SlotAt {
	gross := l.Gross()
	at := gross.At(m)
	if since == 0 || at.State == Failed || at.State == Partial {
		if s, ok := l.Amend(m, bad, total); ok {
			return []SlotAt{{m, s}}
		}
		return nil
	}
	if at.State == Unseen {
		return nil
	}
	var before Slot // all that was shown of the minutes up to last
	first, last := m, m
	for before.take(at); gross.At(last).Shared && last < m+60; last++ {
		before.take(gross.At(last + 1))
	}
	for ; first > m-60; first-- {
		s := gross.At(first - 1)
		if !s.Shared && (s.State != Absent || first <= since) {
			break
		}
		before.take(s)
	}
	shown := before
	if at.Shared { // by the sample in last, which keeps it
		shown = Slot{}
	}
	changed := l.share(nil, first, m, shown.amended(bad, total))
	if at.Shared {
		changed = l.share(changed, m+1, last, before)
	}
	return changed
}

// take adds the events of another minute.
func (s *Slot) take(o Slot) { s.Bad, s.Total = Add(s.Bad, o.Bad), Add(s.Total, o.Total) }

// share writes events evenly over [first, last], as a sample in the last of them shows them. What
// does not divide goes to the first minutes.
func (l *Ledger) share(changed []SlotAt, first, last Minute, sum Slot) []SlotAt {
	n := int64(last - first + 1)
	for m := first; m <= last; m++ {
		was, i := l.Gross().At(m), int64(m-first)
		s := Count(Part(sum.Bad, i, n), Part(sum.Total, i, n))
		s.Backfilled, s.Estimated, s.Shared = was.Backfilled, was.Estimated, m < last
		if s != was && l.Put(m, s) {
			changed = append(changed, SlotAt{m, s})
		}
	}
	return changed
}

// Part returns the i-th of n parts of a sum, as equal as integers can be: what does not divide goes
// to the first.
func Part(sum, i, n int64) int64 {
	if i < sum%n {
		return sum/n + 1
	}
	return sum / n
}

// AmendHour amends an hour of which only the sum is kept, counted from the Unix epoch. How
// many of its minutes are known does not change. It refuses an hour of which nothing was written.
func (l *Ledger) AmendHour(h, bad, total int64) (Sum, bool) {
	was := l.hours.at(h)
	if l.fineAt(h) || was == (hourSum{}) {
		return Sum{}, false
	}
	sum := was.sum()
	sum.Total = max(Add(sum.Total, total), 0)
	sum.Bad = min(max(Add(sum.Bad, bad), 0), sum.Total)
	sum = sum.held()
	return sum, l.PutHour(h, sum)
}

// follow writes a minute behind those that its hour has, as every tick does, without unpacking
// them. It refuses a minute that is to replace another, or to say nothing.
func (l *Ledger) follow(m Minute, s Slot) bool {
	h := m.Hour()
	packed, empty := l.fine[h-l.fineFirst], int(m-Minute(h*60))
	for i := 0; i < len(packed); i = skipSlot(packed, i) {
		empty--
	}
	if empty < 0 || s == (Slot{}) {
		return false
	}
	var unseen [60]byte
	l.fine[h-l.fineFirst] = slices.Concat(packed, unseen[:empty], appendSlot(nil, s))
	was := l.hours.at(h)
	sum := was.sum()
	sum.add(s)
	l.hours.set(h, sum.hour())
	l.end = max(l.end, m+1)
	return true
}

// setHour writes the minutes of an hour.
func (l *Ledger) setHour(h int64, s *hourSlots) {
	l.grow(h)
	l.fine[h-l.fineFirst] = pack(s)
	l.hours.set(h, s.sum())
	for i := Minute(59); i >= 0; i-- {
		if s[i] != (Slot{}) {
			l.end = max(l.end, Minute(h*60)+i+1)
			break
		}
	}
}

// PutHour writes the sum of a whole hour (counted from the Unix epoch) whose minutes are not known
// or no longer matter, as a coarse backfill does. It refuses with false an hour whose minutes are
// kept.
func (l *Ledger) PutHour(h int64, s Sum) bool {
	if l.Empty() {
		l.fineFirst, l.end = h+1, Minute(h*60)
	}
	for len(l.fine) > 0 && l.fine[0] == nil { // hours in which no minute was written are not kept
		l.fine, l.fineFirst = l.fine[1:], l.fineFirst+1
	}
	switch {
	case l.kept[h] != nil, h >= l.fineFirst && len(l.fine) > 0:
		return false
	case h >= l.fineFirst:
		l.fineFirst = h + 1
	}
	l.hours.set(h, s.held().hour())
	l.end = max(l.end, Minute((h+1)*60))
	return true
}

// grow makes room up to hour h.
func (l *Ledger) grow(h int64) {
	if l.Empty() {
		l.fineFirst, l.end = h, Minute(h*60)
	}
	l.hours.reach(h)
	if n := int(h + 1 - l.fineFirst); n > len(l.fine) {
		if n > cap(l.fine) { // a tenth more is enough: hours come and go
			l.fine = append(make([][]byte, 0, n+n/10+1), l.fine...)
		}
		l.fine = l.fine[:n]
	}
}

// prepend makes room for an hour before the first, as a backfill that runs towards the past needs
// it. It refuses hours that have been thinned out.
func (l *Ledger) prepend(h int64) bool {
	first := l.hours.first
	if h >= first || l.fineFirst > first {
		return false
	}
	l.hours.reach(h)
	l.fine = append(make([][]byte, first-h), l.fine...)
	l.fineFirst = h
	return true
}

// Minutes reports whether the minutes of the hour of m are kept, not their sum alone.
func (l *Ledger) Minutes(m Minute) bool { return l.fineAt(m.Hour()) }

// fineAt reports whether the minutes of an hour are known, if anything is.
func (l *Ledger) fineAt(h int64) bool { return h >= l.fineFirst || l.kept[h] != nil }

// packed returns the minutes of an hour, nil if nothing was written or only their sum is kept.
func (l *Ledger) packed(h int64) []byte {
	if i := h - l.fineFirst; i < 0 || i >= int64(len(l.fine)) {
		return l.kept[h]
	}
	return l.fine[h-l.fineFirst]
}

// At returns the slot of a minute; Unseen if it was never written or has been thinned out, Excused
// if a correction leaves it out.
func (l *Ledger) At(m Minute) Slot {
	if l.excused(m) {
		return Slot{State: Excused}
	}
	h := m.Hour()
	b, i := l.packed(h), 0
	for n := m - Minute(h*60); n > 0 && i < len(b); n-- {
		i = skipSlot(b, i)
	}
	if i >= len(b) {
		return Slot{}
	}
	s, _ := nextSlot(b[i:])
	return s
}

// First returns the oldest minute that is still accounted for, rounded down to its hour, and End is
// one past the newest. Both are zero for an empty ledger.
func (l *Ledger) First() Minute { return Minute(l.hours.first * 60) }

// Fine returns the minute from which on minutes are kept; before it there are only sums of hours.
func (l *Ledger) Fine() Minute { return Minute(l.fineFirst * 60) }

// Begin returns the first minute with data: what is known, though it may be that there were no
// events, or counted in part. Minutes that were read and hold nothing, as before the service
// existed, are none. It is [Ledger.End] if there are no data. Thinning does not change it (see
// [Ledger.Thin]); of an hour of which only the sum was ever known, it is the beginning.
func (l *Ledger) Begin() Minute {
	h, ok := l.hours.firstData()
	if !ok {
		return l.end
	}
	begin, b := Minute(h*60), l.packed(h)
	for m, s := begin, (Slot{}); len(b) > 0; m++ {
		if s, b = nextSlot(b); s.State.Counts() {
			return m
		}
	}
	return begin
}

// End returns one past the newest slot that was written.
func (l *Ledger) End() Minute { return l.end }

// Empty reports whether nothing was ever written.
func (l *Ledger) Empty() bool { return l.hours.empty() }

// Sum adds up the slots in [from, to), without those that corrections leave out. Where minutes have
// been thinned out, an hour that is touched counts whole.
func (l *Ledger) Sum(from, to Minute) Sum {
	if l.memo != nil && to == l.end {
		return l.memo.sum(from)
	}
	return l.net(from, to)
}

func (l *Ledger) net(from, to Minute) Sum { return corrected{l}.without(l.gross(from, to), from, to) }

// gross returns the sum before corrections.
func (l *Ledger) gross(from, to Minute) Sum {
	from, to = max(from, l.First()), min(to, l.end)
	if from >= to || l.Empty() {
		return Sum{}
	}
	fh, th := from.Hour(), to.Hour()
	if fh == th {
		return l.part(fh, from, to)
	}
	// Of the first day the minutes before are taken off, which is exact: a day is never too large
	// to be added up.
	next := min(24*(dayOf(fh)+1), th)
	sum := l.hours.sum(fh, next)
	if before := Minute(fh * 60); from > before && l.fineAt(fh) {
		sum = sum.minus(l.part(fh, before, from))
	}
	sum = sum.Plus(l.hours.sum(next, th))
	if end := Minute(th * 60); to > end {
		sum = sum.Plus(l.part(th, end, to))
	}
	return sum
}

// part adds up the minutes [from, to) of hour h. Most windows end with the ledger, so the minutes
// that the newest hour has not seen yet count as asked for.
func (l *Ledger) part(h int64, from, to Minute) Sum {
	begin, end := Minute(h*60), min(Minute((h+1)*60), l.end)
	switch {
	case from == begin && to >= end, !l.fineAt(h):
		hour := l.hours.at(h)
		return hour.sum()
	case to >= end: // what comes before is, on the average, less to read than half an hour to its end
		hour := l.hours.at(h)
		return hour.sum().minus(l.part(h, begin, from))
	}
	b, i := l.packed(h), 0
	for m := begin; m < from && i < len(b); m++ {
		i = skipSlot(b, i)
	}
	return sumPacked(b[i:], int(to-from))
}

// sumPacked adds up the first n packed slots as [Sum.add] does, without making slots of them:
// every window of every rule has an edge inside an hour, in every minute.
func sumPacked(b []byte, n int) (s Sum) {
	for i := 0; n > 0 && i < len(b); n-- {
		head, total, bad := b[i], int64(0), int64(0)
		i++
		if head&flagTotal != 0 {
			total, i = nextCount(b, i)
		}
		if head&flagBad != 0 {
			bad, i = nextCount(b, i)
		}
		s.Bad, s.Total = s.Bad+bad, s.Total+total // 60 times MaxCount is far from the end of an int64
		switch state := State(head & (flagEstimated - 1)); {
		case state == Unseen:
			continue
		case state.Known():
			s.Known++
			if bad > 0 {
				s.BadSlots++
			}
		case state == Partial:
			s.Partial++
		default:
			s.Unknown++
			continue
		}
		if head&flagEstimated != 0 {
			s.Estimated++
		}
	}
	return s
}

// Each calls f for the minutes of [from, to) that are kept, oldest first, until f returns false.
func (l *Ledger) Each(from, to Minute, f func(Minute, Slot) bool) {
	from, to = max(from, Minute(l.fineFirst*60)), min(to, l.end)
	for m := from; m < to; {
		h := m.Hour()
		slots := unpack(l.fine[h-l.fineFirst])
		for ; m < to && m.Hour() == h; m++ {
			slot := slots[m-Minute(h*60)]
			if l.excused(m) {
				slot = Slot{State: Excused}
			}
			if !f(m, slot) {
				return
			}
		}
	}
}

// EachBad calls f for the minutes of [from, to) that are kept, known and have a bad event, oldest
// first. Hours without one cost next to nothing.
func (l *Ledger) EachBad(from, to Minute, f func(Minute, Slot)) {
	from, to = max(from, l.First()), min(to, l.end)
	for m := from; m < to; m = Minute((m.Hour() + 1) * 60) {
		h := m.Hour()
		if l.hours.at(h).badSlots == 0 {
			continue
		}
		slots := unpack(l.packed(h))
		for at := m; at < to && at.Hour() == h; at++ {
			if s := slots[at-Minute(h*60)]; s.Bad > 0 && s.State.Known() && !l.excused(at) {
				f(at, s)
			}
		}
	}
}

// Thin forgets the minutes of every hour before the one that contains m, and keeps their sums.
//
// Three kinds of hour keep their minutes. One that is excused in part, as long as it is. Those that
// hold one of the cuts, minutes at which somebody will ask for a sum. And those of the first day
// with data: a ledger that is younger than its window is asked when its data began, and what an
// hour cost while it was a few minutes old, and has to answer the same ever after.
func (l *Ledger) Thin(m Minute, cuts ...Minute) {
	first, _ := l.hours.firstData()
	cut := make(map[int64]bool, len(cuts))
	for _, c := range cuts {
		cut[c.Hour()] = true
	}
	keep := func(h int64) bool { return h >= first && h < first+firstHours || cut[h] || l.excuses.cuts(h) }
	l.thin(min(m.Hour()-l.fineFirst, int64(len(l.fine))), keep)
	maps.DeleteFunc(l.kept, func(h int64, b []byte) bool {
		if h >= m.Hour() || keep(h) {
			return false
		}
		l.remember(h, b)
		return true
	})
}

// firstHours is how many hours from the first one with data on keep their minutes.
const firstHours = 24

// thin forgets the minutes of the first n hours that have some, but for those to keep.
func (l *Ledger) thin(n int64, keep func(hour int64) bool) {
	if n <= 0 {
		return
	}
	for i, b := range l.fine[:n] {
		h := l.fineFirst + int64(i)
		switch {
		case b == nil:
		case keep(h):
			if l.kept == nil {
				l.kept = map[int64][]byte{}
			}
			l.kept[h] = b
		default:
			l.remember(h, b)
		}
	}
	l.fine = append(make([][]byte, 0, int64(len(l.fine))-n+2), l.fine[n:]...)
	l.fineFirst += n
}

// Forget drops the hours before the one that contains m.
func (l *Ledger) Forget(m Minute) {
	l.Thin(m)
	maps.DeleteFunc(l.kept, func(h int64, _ []byte) bool { return h < m.Hour() })
	if m.Hour() <= l.hours.first {
		return
	}
	l.hours.forget(m.Hour())
	l.fives = slices.DeleteFunc(l.fives, func(f five) bool { return f.at < l.First() })
}

func (s *hourSlots) sum() hourSum {
	var sum Sum
	for _, slot := range s {
		sum.add(slot)
	}
	return sum.hour()
}

// The packed hour: for each of 60 minutes one byte of state and flags, followed, where there are
// events, by the total and the bad events as varints. A run of equal empty minutes at the end is
// cut off.
const (
	flagEstimated  = 1 << 3 // below it stands the state
	flagBackfilled = 1 << 4
	flagTotal      = 1 << 5 // a total follows
	flagBad        = 1 << 6 // a bad count follows
	flagShared     = 1 << 7
)

func pack(s *hourSlots) []byte {
	last := 59
	for last >= 0 && s[last] == (Slot{}) {
		last--
	}
	b := make([]byte, 0, 4*(last+1))
	for _, slot := range s[:last+1] {
		b = appendSlot(b, slot)
	}
	return append([]byte(nil), b...)
}

func appendSlot(b []byte, s Slot) []byte {
	head := byte(s.State)
	if s.Backfilled {
		head |= flagBackfilled
	}
	if s.Estimated {
		head |= flagEstimated
	}
	if s.Shared {
		head |= flagShared
	}
	if s.Total != 0 {
		head |= flagTotal
	}
	if s.Bad != 0 {
		head |= flagBad
	}
	b = append(b, head)
	if s.Total != 0 {
		b = binary.AppendUvarint(b, uint64(s.Total))
	}
	if s.Bad != 0 {
		b = binary.AppendUvarint(b, uint64(s.Bad))
	}
	return b
}

// unpack undoes pack.
func unpack(b []byte) hourSlots {
	var s hourSlots
	for i := 0; len(b) > 0 && i < 60; i++ {
		s[i], b = nextSlot(b)
	}
	return s
}

// nextSlot returns readSlot without its checks, for bytes that pack wrote in this process: every
// sum over a window begins and ends inside a packed hour.
func nextSlot(b []byte) (Slot, []byte) {
	head, i := b[0], 1
	s := Slot{State: State(head & (flagEstimated - 1)), Backfilled: head&flagBackfilled != 0, Estimated: head&flagEstimated != 0, Shared: head&flagShared != 0}
	if head&flagTotal != 0 {
		s.Total, i = nextCount(b, i)
	}
	if head&flagBad != 0 {
		s.Bad, i = nextCount(b, i)
	}
	return s, b[i:]
}

// skipSlot returns where the slot behind the one at i begins.
func skipSlot(b []byte, i int) int {
	head := b[i]
	i++
	for counts := head&flagTotal/flagTotal + head&flagBad/flagBad; counts > 0; counts-- {
		for b[i] >= 0x80 {
			i++
		}
		i++
	}
	return i
}

func nextCount(b []byte, i int) (int64, int) {
	v := uint64(0)
	for shift := 0; ; shift += 7 {
		c := b[i]
		i++
		v |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return int64(v), i
		}
	}
}

var errDamaged = errors.New("the record is damaged")

func readSlot(b []byte) (Slot, []byte, error) {
	if len(b) == 0 {
		return Slot{}, nil, errDamaged
	}
	head := b[0]
	b = b[1:]
	s := Slot{State: State(head & (flagEstimated - 1)), Backfilled: head&flagBackfilled != 0, Estimated: head&flagEstimated != 0, Shared: head&flagShared != 0}
	var err error
	if head&flagTotal != 0 {
		s.Total, b, err = readCount(b, err)
	}
	if head&flagBad != 0 {
		s.Bad, b, err = readCount(b, err)
	}
	if s.State > Failed {
		err = errDamaged
	}
	return s.held(), b, err
}

func readCount(b []byte, err error) (int64, []byte, error) {
	v, n := binary.Uvarint(b)
	if n <= 0 || err != nil {
		return 0, nil, errDamaged
	}
	return int64(min(v, math.MaxInt64)), b[n:], nil
}

// AppendSlot appends the slot in the form in which it is kept on disk.
func AppendSlot(b []byte, s Slot) []byte { return appendSlot(b, s) }

// ReadSlot reads what AppendSlot wrote and returns the rest.
func ReadSlot(b []byte) (Slot, []byte, error) { return readSlot(b) }

// A day on disk: a version byte, then 24 hours. Each is a kind byte and its content.
const (
	dayVersion    = 1
	hourEmpty     = 0
	hourThinned   = 1 // bad and total as varints, and four counts of slots
	hourFine      = 2 // length and packed minutes
	hourEstimated = 3 // as a thinned hour, and how many of its slots are estimates
	hourWorst     = 4 // the worst five minutes of the thinned hour that follows: which of twelve, bad and total
)

// Day returns the number of a day since the Unix epoch, in UTC.
func (m Minute) Day() int64 { return floorDiv(int64(m), 24*60) }

// EncodeDay writes the hours of a day for the disk; nil if the ledger has none of them.
func (l *Ledger) EncodeDay(day int64) []byte {
	b, any := []byte{dayVersion}, false
	for h := day * 24; h < day*24+24; h++ {
		sum, packed := l.hours.at(h), l.packed(h)
		switch {
		case sum == hourSum{}:
			b = append(b, hourEmpty)
			continue
		case l.fineAt(h):
			b = append(b, hourFine)
			b = binary.AppendUvarint(b, uint64(len(packed)))
			b = append(b, packed...)
		default:
			b = appendHourSum(l.appendFive(b, h), sum)
		}
		any = true
	}
	if !any {
		return nil
	}
	return b
}

func appendHourSum(b []byte, s hourSum) []byte {
	kind := byte(hourThinned)
	if s.estimated > 0 {
		kind = hourEstimated
	}
	b = binary.AppendUvarint(append(b, kind), uint64(s.bad))
	b = binary.AppendUvarint(b, uint64(s.total))
	b = append(b, s.known, s.partial, s.unknown, s.badSlots)
	if kind == hourEstimated {
		b = append(b, s.estimated)
	}
	return b
}

// LoadDay puts back what EncodeDay wrote. Days are loaded oldest first into an empty ledger. A
// damaged or newer record is an error, and leaves the hours before the damage in place.
func (l *Ledger) LoadDay(day int64, b []byte) error {
	if len(b) == 0 || b[0] != dayVersion {
		return fmt.Errorf("day %d of the ledger: unknown version, written by a newer slowburn?", day)
	}
	b = b[1:]
	for h := day * 24; h < day*24+24; h++ {
		var err error
		if b, err = (decoder{l}).loadHour(h, b); err != nil {
			return fmt.Errorf("day %d of the ledger, hour %d: %w", day, h-day*24, err)
		}
	}
	if len(b) > 0 {
		return fmt.Errorf("day %d of the ledger: %w", day, errDamaged)
	}
	return nil
}

// decoder puts back what EncodeDay wrote, hour by hour.
type decoder struct{ *Ledger }

func (l decoder) loadHour(h int64, b []byte) ([]byte, error) {
	if len(b) == 0 {
		return nil, errDamaged
	}
	kind, b := b[0], b[1:]
	switch kind {
	case hourEmpty:
		return b, nil
	case hourThinned:
		return l.loadThinned(h, b, 4)
	case hourEstimated:
		return l.loadThinned(h, b, 5)
	case hourWorst:
		rest, err := l.loadFive(h, b)
		if err != nil || len(rest) == 0 || rest[0] != hourThinned && rest[0] != hourEstimated {
			return nil, errDamaged
		}
		return l.loadHour(h, rest)
	case hourFine:
		return l.loadFine(h, b)
	}
	return nil, errDamaged
}

// loadThinned reads the sum of an hour with so many counts of slots.
func (l decoder) loadThinned(h int64, b []byte, counts int) ([]byte, error) {
	bad, b, err := readCount(b, nil)
	total, b, err := readCount(b, err)
	if err != nil || len(b) < counts || int(b[0])+int(b[1])+int(b[2]) > 60 || b[3] > b[0] {
		return nil, errDamaged
	}
	l.thin(int64(len(l.fine)), func(int64) bool { return true }) // hours before a thinned one are fine because they were to keep their minutes
	sum := hourSum{bad: bad, total: total, known: b[0], partial: b[1], unknown: b[2], badSlots: b[3]}
	if counts > 4 {
		sum.estimated = min(b[4], sum.known+sum.partial)
	}
	l.PutHour(h, sum.sum())
	return b[counts:], nil
}

func (l decoder) loadFine(h int64, b []byte) ([]byte, error) {
	n, w := binary.Uvarint(b)
	if w <= 0 || n > uint64(len(b)-w) {
		return nil, errDamaged
	}
	packed, rest := b[w:w+int(n)], b[w+int(n):]
	var slots hourSlots
	for i, r := 0, packed; len(r) > 0; i++ {
		if i > 59 {
			return nil, errDamaged
		}
		var err error
		if slots[i], r, err = readSlot(r); err != nil {
			return nil, err
		}
	}
	l.setHour(h, &slots)
	return rest, nil
}
