package budget

import "time"

// Minute is a minute since the Unix epoch. The slot of minute m covers the samples stamped in (m,
// m+1], left open as a range selector of Prometheus is.
type Minute int64

// MinuteOf returns the minute that contains t: the last one that began at or before t.
func MinuteOf(t time.Time) Minute {
	s := t.Unix()
	if s < 0 {
		s -= 59
	}
	return Minute(s / 60)
}

// Time returns when the minute begins, in UTC.
func (m Minute) Time() time.Time { return time.Unix(int64(m)*60, 0).UTC() }

// End returns when the minute is over, in UTC.
func (m Minute) End() time.Time { return (m + 1).Time() }

// Hour returns the hour of the minute, counted from the Unix epoch.
func (m Minute) Hour() int64 { return floorDiv(int64(m), 60) }

// Minutes returns a duration in whole minutes, rounded down.
func Minutes(d time.Duration) Minute { return Minute(d / time.Minute) }

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// Unit is one event. Counts are whole thousandths of an event, because a ratio or an extrapolated
// increase may count a fraction; they are rounded once, where they are read.
const Unit = 1000

// State says what is known about a slot.
type State uint8

// The states of a slot. Only the known ones, OK and ZeroTraffic, may open or close anything.
const (
	Unseen      State = iota // not read yet
	OK                       // read, with events
	ZeroTraffic              // read, and there were no events
	Absent                   // Prometheus answered and had no data
	Partial                  // the sum is known (a counter's difference across a hole), its place in time is not
	Failed                   // the source answered with something that cannot be used, see [MaxCount]
	Excused                  // a correction leaves it out; never on disk, see [Ledger.Excuse]
)

// Known reports whether the slot's events are known, both how many and when.
func (s State) Known() bool { return s == OK || s == ZeroTraffic }

// Counts reports whether the slot's events are counted, be it that only their sum over a stretch of
// time is known.
func (s State) Counts() bool { return s.Known() || s == Partial }

// String returns the state's name as the API shows it.
func (s State) String() string {
	switch s {
	case OK:
		return "ok"
	case ZeroTraffic:
		return "zero_traffic"
	case Absent:
		return "absent"
	case Partial:
		return "partial"
	case Failed:
		return "error"
	case Excused:
		return "excused"
	}
	return "unseen"
}

// Slot is what happened in one minute: so many events, so many of them bad, in thousandths. A
// Partial slot may have counts; an Absent one never does. 0 ≤ Bad ≤ Total holds always.
type Slot struct {
	Bad, Total int64
	State      State
	// Backfilled marks a slot that was read from history, not as it happened.
	Backfilled bool
	// Estimated marks counts that Prometheus has computed and extrapolated, such as those of an
	// expression with increase. They are not sums of what samples show.
	Estimated bool
	// Shared marks a slot whose events were shown by a sample in a later minute, as where scrapes
	// are further apart than a minute and what a counter rose by is spread over the minutes
	// between. The slot counts like any other; but nothing was known of it before that sample, so
	// nothing may be decided in it.
	Shared bool
}

// Count makes a slot of counted events; its state follows from the total. Bad events beyond the
// total are cut off (the caller reports them), negative counts become zero. More than [MaxCount] of
// either cannot have happened, so nothing is known of such a minute: it is Failed.
func Count(bad, total int64) Slot {
	if max(bad, total) > MaxCount {
		return Slot{State: Failed}
	}
	total = max(total, 0)
	s := Slot{Bad: min(max(bad, 0), total), Total: total, State: OK}
	if total == 0 {
		s.State = ZeroTraffic
	}
	return s
}

// amended returns the slot with events added that were found later, or taken away again where the
// numbers are negative. A minute of which nobody knew anything, or not when its events happened, is
// known then; one that the source has spoilt stays as it is.
func (s Slot) amended(bad, total int64) Slot {
	if s.State == Failed {
		return s
	}
	sum := Count(Add(s.Bad, bad), Add(s.Total, total))
	sum.Backfilled, sum.Estimated, sum.Shared = s.Backfilled, s.Estimated, s.Shared
	return sum
}

// SlotAt is a slot and the minute it belongs to.
type SlotAt struct {
	At   Minute
	Slot Slot
}

// HourAt is the sum of an hour whose minutes are not known, as a coarse backfill reads it.
type HourAt struct {
	Hour int64 // since the Unix epoch
	Sum  Sum
}

// Sum adds up slots.
type Sum struct {
	Bad, Total int64 // thousandths of events, of known and of partial slots
	Known      int   // slots whose events are known
	Partial    int   // slots whose sum is known and whose place in time is not
	Unknown    int   // slots that were read and tell nothing: absent, failed
	BadSlots   int   // known slots with at least one bad event
	Excused    int   `json:",omitempty"` // slots that were read and that corrections leave out of all of the above
	Estimated  int   `json:",omitempty"` // known or partial slots whose counts are estimates, see [Slot]
}

// Plus returns the sum of both; counts saturate.
func (s Sum) Plus(o Sum) Sum {
	return Sum{
		Add(s.Bad, o.Bad), Add(s.Total, o.Total),
		s.Known + o.Known, s.Partial + o.Partial, s.Unknown + o.Unknown, s.BadSlots + o.BadSlots, s.Excused + o.Excused, s.Estimated + o.Estimated,
	}
}

func (s *Sum) add(slot Slot) {
	switch slot.State {
	case Unseen:
		return
	case Excused:
		s.Excused++
		return
	}
	s.Bad, s.Total = Add(s.Bad, slot.Bad), Add(s.Total, slot.Total)
	if slot.Estimated && (slot.State.Known() || slot.State == Partial) {
		s.Estimated++
	}
	switch {
	case slot.State == Partial:
		s.Partial++
	case !slot.State.Known():
		s.Unknown++
	default:
		s.Known++
		if slot.Bad > 0 {
			s.BadSlots++
		}
	}
}

// Seen returns how many slots have contributed to the counts: the known and the partial ones.
func (s Sum) Seen() int { return s.Known + s.Partial }

// BadRatio returns the share of bad events, and false if there were no events.
func (s Sum) BadRatio() (float64, bool) {
	if s.Total == 0 {
		return 0, false
	}
	return float64(s.Bad) / float64(s.Total), true
}
