package budget

import (
	"cmp"
	"math/bits"
	"time"

	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/slo"
)

// Status is the state of one error budget at one moment: the figures that the API, the pages and
// the reports show. Ratios are for showing; decisions compare the integers.
type Status struct {
	At       time.Time // the end of the last minute that is counted
	From     time.Time // where the window begins
	Window   slo.Window
	Sum      Sum
	Allowed  int64    // bad events the window allows, in thousandths; an estimate while the ledger is younger than it, see StatusAt
	SLI      *float64 // share of good events, nil without traffic
	Spent    float64  // share of the budget that is gone; above 1 when it is overspent
	Coverage float64  // share of the window's minutes whose events are known; those that corrections leave out are none of them

	// Sized tells whether a share of the budget may be told and acted upon: at least a tenth of the
	// minutes that its size rests on are known. Else Allowed and Spent are what the window would
	// come to if the traffic that was seen were that of all of it, and nobody knows that.
	Sized bool

	// Gross is the same before corrections, and LeftOut is what each of them left out; both are
	// empty where none concerns the window.
	Gross   *Status
	LeftOut []LeftOut
}

// Estimated returns the share of the minutes that tell something whose counts are estimates.
func (s Status) Estimated() float64 {
	return float64(s.Sum.Estimated) / float64(max(s.Sum.Seen(), 1))
}

// KnownText writes which share of the window is known, and how much of that is an estimate.
func (s Status) KnownText() string { return figures.Coverage(s.Coverage, s.Estimated()) }

// Remaining returns the share of the budget that is left; negative when it is overspent.
func (s Status) Remaining() float64 { return 1 - s.Spent }

// Left returns how many more events may go bad in this window, in thousandths; negative when
// overspent.
func (s Status) Left() int64 { return Add(s.Allowed, -s.Sum.Bad) }

// LeftText writes the share of the budget that is left: "62.1 %", "about 62.1 %" where some of the
// counts are estimates, or that this is unknown: without traffic, and while too little is known of
// the window ([Status.Sized]).
func (s Status) LeftText() string { return s.account().Left() }

// CostOf writes the share of the budget that something took, in thousandths of events: "24.9 %", or
// "about 24.9 %" while too little is known of the window ([Status.Sized]) or some of it is
// estimated.
func (s Status) CostOf(bad int64) string { return s.account().Cost(bad) }

// AllowedText writes how many events may go bad in the window: "1,234", or "about 1,234" where
// [Status.CostOf] does.
func (s Status) AllowedText() string { return s.account().Allows() }

func (s Status) account() figures.Account {
	return figures.Account{Bad: s.Sum.Bad, Total: s.Sum.Total, Allowed: s.Allowed, Projected: !s.Sized, Estimated: s.Sum.Estimated > 0}
}

// StatusAt sums up the budget of a window over the minutes before at.
//
// The budget is a share of the events of the whole window. Two windows have not seen that many yet:
// a calendar window that has just begun, and any window while the ledger is younger than it. A
// share of their first few events would make the first error of the month look like the end of the
// budget. Such a window is taken to hold as many events as its length holds at the traffic there
// has been since [Ledger.Begin], in the minutes that are known.
func StatusAt(l *Ledger, o slo.Objective, w slo.Window, at Minute) Status {
	from := MinuteOf(w.Start(at.Time()))
	s := Status{At: at.Time(), From: from.Time(), Window: w, Sum: l.Sum(from, at)}
	basis := basisOf(l, w, from, at, s.Sum)
	s.Allowed, s.Sized = Share(basis.total, o.Allowed()), basis.known*leastKnown >= basis.minutes
	if ratio, ok := s.Sum.BadRatio(); ok {
		good := 1 - ratio
		s.SLI = &good
	}
	s.Spent = spent(s.Sum.Bad, s.Allowed)
	s.Coverage = s.Sum.Coverage(at - from)
	if s.LeftOut = (corrected{l}).leftOut(from, at); len(s.LeftOut) > 0 {
		gross := StatusAt(l.Gross(), o, w, at)
		s.Gross = &gross
	}
	return s
}

// leastKnown is the part of the minutes, one in so many, of which a budget's size must be known
// before a share of it is told: a tenth. With less, one busy or quiet hour decides what the whole
// window is taken to hold.
const leastKnown = 10

// Coverage returns the share of so many minutes, those that the sum is of, whose events are known.
// Minutes that corrections leave out are not counted.
func (s Sum) Coverage(minutes Minute) float64 {
	return float64(s.Known) / float64(max(minutes-Minute(s.Excused), 1))
}

// basis is what the size of a budget rests on.
type basis struct {
	total          int64  // events that the window is taken to hold, in thousandths
	known, minutes Minute // of the stretch that this was learned from
}

// basisOf returns what the size of the budget of a window rests on, given its sum over [from, at).
// A rolling window is measured by itself; a calendar window by the time of its length before at,
// unless it holds more already.
func basisOf(l *Ledger, w slo.Window, from, at Minute, sum Sum) basis {
	own := sum.Total
	if w.Calendar != "" {
		from = MinuteOf(at.Time().Add(-w.Length()).Truncate(time.Hour))
		sum = l.Sum(from, at)
	}
	return basis{
		total: max(own, stretched(l.Begin(), from, at, Minute(sum.Seen()), sum.Total)),
		known: Minute(sum.Known), minutes: max(at-from-Minute(sum.Excused), 1),
	}
}

// stretched returns the total of [from, at) if the traffic of the minutes seen since the first one
// with data, which is begun, had been there from the start. Minutes since then of which nothing is
// known, or that corrections leave out, are no minutes without traffic: they are left out here as
// they are of a window that is known from its start.
func stretched(begun, from, at, seen Minute, total int64) int64 {
	if begun <= from || seen <= 0 {
		return total
	}
	return Scale(total, int64(begun-from+seen), int64(seen))
}

func spent(bad, allowed int64) float64 {
	switch {
	case bad == 0:
		return 0
	case allowed == 0:
		return 1 // the first bad event of a window that allows less than a thousandth of one
	}
	return float64(bad) / float64(allowed)
}

// Share returns total × parts ÷ a billion, rounded down; it saturates as [Scale] does.
func Share(total, parts int64) int64 { return Scale(total, parts, slo.Billion) }

// Burn returns how many times faster than sustainable the budget burned over a sum: the share of
// bad events divided by the share that is allowed. At 1 the budget lasts exactly its window. It is
// false without traffic.
func Burn(s Sum, o slo.Objective) (float64, bool) {
	ratio, ok := s.BadRatio()
	return ratio / o.AllowedRatio(), ok
}

// SpentAtLeast reports exactly whether at least the given share of the budget, in basis points, is
// gone.
func (s Status) SpentAtLeast(basisPoints int64) bool {
	if s.Sum.Bad == 0 {
		return false
	}
	return CompareProducts(s.Sum.Bad, 10000, s.Allowed, basisPoints) >= 0
}

// Gone reports exactly whether the whole budget is gone. It is false while its size is not known.
func (s Status) Gone() bool { return s.Sized && s.SpentAtLeast(10000) }

// LeftBelow reports exactly whether less than the given share of the budget, in basis points from 0
// to 10000, is left.
func (s Status) LeftBelow(basisPoints int64) bool {
	return s.Sum.Bad > 0 && CompareProducts(s.Sum.Bad, 10000, s.Allowed, 10000-basisPoints) > 0
}

// CompareProducts compares a×b with c×d exactly: −1, 0 or 1. Of the four, a negative one counts as
// 0.
func CompareProducts(a, b, c, d int64) int {
	h1, l1 := bits.Mul64(uint64(max(a, 0)), uint64(max(b, 0)))
	h2, l2 := bits.Mul64(uint64(max(c, 0)), uint64(max(d, 0)))
	return cmp.Or(cmp.Compare(h1, h2), cmp.Compare(l1, l2))
}
