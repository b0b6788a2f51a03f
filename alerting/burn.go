package alerting

import (
	"math"
	"math/big"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/slo"
)

// reading is one pair of windows, read at one minute.
type reading struct {
	pair        slo.Pair
	long, short budget.Sum
	// over reports whether the burn was above the threshold in each window; fires takes the minutes
	// of the long window that were not seen for not bad.
	longOver, shortOver, fires bool
}

// read sums up a pair's windows over the minutes up to and including m.
func read(in Input, p slo.Pair, m budget.Minute) reading {
	to := m + 1
	r := reading{
		pair:  p,
		long:  in.Ledger.Sum(to-budget.Minutes(p.Long), to),
		short: in.Ledger.Sum(to-budget.Minutes(p.Short), to),
	}
	if r.long.Bad == 0 {
		return r
	}
	t := thresholdOf(p, in.Spec)
	r.longOver = t.exceeded(r.long, 1, 1)
	r.shortOver = t.exceeded(r.short, 1, 1)
	whole := int(budget.Minutes(p.Long))
	r.fires = r.shortOver && t.exceeded(r.long, int64(min(r.long.Seen(), whole)), int64(whole))
	return r
}

// over reports whether both windows burn, taking what was seen for the whole.
func (r reading) over() bool { return r.longOver && r.shortOver }

// recovered reports whether the pair is below its threshold on known data: the short window is
// wholly known, or the long one is below its threshold and nearly wholly known.
func (r reading) recovered() bool {
	long, short := int(budget.Minutes(r.pair.Long)), int(budget.Minutes(r.pair.Short))
	return !r.over() && (r.short.Known == short || !r.longOver && r.long.Known*20 >= long*19)
}

// threshold is the share of bad events above which a pair fires, as a fraction: share × length ÷
// long × allowed, over their denominators.
type threshold struct{ num, den [3]int64 }

func thresholdOf(p slo.Pair, spec *slo.Spec) threshold { return promiseOf(spec).threshold(p) }

// Promise is what an SLO promised when an alert fired.
type Promise struct {
	Allowed int64         `json:"allowed"` // bad events in a billion
	Window  budget.Minute `json:"window"`  // minutes
}

func promiseOf(spec *slo.Spec) Promise {
	return Promise{spec.Objective.Allowed(), budget.Minutes(spec.Window().Length())}
}

func (p Promise) threshold(pair slo.Pair) threshold {
	return threshold{
		num: [3]int64{pair.Budget, int64(p.Window), p.Allowed},
		den: [3]int64{10000, int64(pair.Long / time.Minute), slo.Billion},
	}
}

// Burns reports exactly whether a sum burns faster than a pair allows, taking what was seen for the
// whole.
func Burns(p slo.Pair, spec *slo.Spec, s budget.Sum) bool {
	return thresholdOf(p, spec).exceeded(s, 1, 1)
}

// rounding is far above what the products of exceeded can be off by as floats: 2⁻⁵³ for each
// factor.
const rounding = 1e-12

// exceeded reports whether bad/total × share/of > threshold, strictly and exactly. Floats tell
// nearly every case apart in a hundredth of the time; what is too close for them is decided by
// integers.
func (t threshold) exceeded(s budget.Sum, share, of int64) bool {
	if s.Bad == 0 {
		return false
	}
	left, right := [5]int64{s.Bad, share, t.den[0], t.den[1], t.den[2]}, [5]int64{s.Total, of, t.num[0], t.num[1], t.num[2]}
	l, r := 1.0, 1.0
	for i := range left {
		l, r = l*float64(left[i]), r*float64(right[i])
	}
	if math.Abs(l-r) > rounding*(l+r) {
		return l > r
	}
	return product(left[:]...).Cmp(product(right[:]...)) > 0
}

func product(factors ...int64) *big.Int {
	p := big.NewInt(1)
	for _, f := range factors {
		p.Mul(p, big.NewInt(f))
	}
	return p
}

// readAll reads the pairs of one tier.
func readAll(in Input, pairs []slo.Pair, m budget.Minute) []reading {
	rs := make([]reading, len(pairs))
	for i, p := range pairs {
		rs[i] = read(in, p, m)
	}
	return rs
}

// firing returns the first pair that fires and passes the test, nil if none does. Most minutes are
// told by the short window alone, so the long one is read only if that is above the threshold.
func firing(in Input, pairs []slo.Pair, m budget.Minute, pass func(reading) bool) *reading {
	for _, p := range pairs {
		if !Burns(p, in.Spec, in.Ledger.Sum(m+1-budget.Minutes(p.Short), m+1)) {
			continue
		}
		if r := read(in, p, m); r.fires && pass(r) {
			return &r
		}
	}
	return nil
}

func allRecovered(rs []reading) bool {
	for _, r := range rs {
		if !r.recovered() {
			return false
		}
	}
	return true
}

// onset returns the first bad minute of the burn that fired at m: going back through the long
// window, the earliest minute that belongs to the burn, with nothing between it and the next that
// keeps them apart, and with the time from it to the next burning, too: a stray error hours before
// is not where it began. A hole that the window begins in counts whole.
func onset(in Input, r *reading, m budget.Minute) budget.Minute {
	from := m + 1 - budget.Minutes(r.pair.Long)
	first, g, hole := m, gap{}, false
	for i := m; i >= from || hole && i >= from-60; i-- {
		slot := in.Ledger.At(i)
		if hole = slot.State == budget.Partial; i < from && !hole {
			break
		}
		if belongs(slot, in.Spec, r.pair) && halfway(in.Ledger.Sum(i, max(first, i+1)), in.Spec, r.pair) {
			first, g = i, gap{}
			continue
		}
		if g.add(slot); g.parts(r.pair, in.Ledger.Sum(first, m+1)) {
			break
		}
	}
	return first
}

// gap is what lies between two bad minutes.
type gap struct {
	known budget.Minute
	total int64 // events, in thousandths
}

func (g *gap) add(s budget.Slot) {
	if s.State.Known() {
		g.known++
		g.total = budget.Add(g.total, s.Total)
	}
}

// gapEvidence is how unlikely a gap must be, had the burn gone on in it, to prove that it had not:
// the power of e.
const gapEvidence = 5

// parts reports whether a gap keeps the bad minutes around it apart: it is longer than a short
// window, and so many requests were answered in it that at the rate of the burn some would have
// failed. At ten requests an hour no short window proves that something works.
func (g gap) parts(p slo.Pair, burn budget.Sum) bool {
	return g.known > budget.Minutes(p.Short) && g.tells(burn)
}

// tells reports whether so many requests were answered in a gap that at the rate of a burn some
// would have failed.
func (g gap) tells(burn budget.Sum) bool {
	rate := float64(burn.Bad) / (float64(burn.Total) + budget.Unit)
	return -math.Log1p(-rate)*float64(g.total)/budget.Unit > gapEvidence
}

// belongs reports whether a minute is part of a burn: it burned above the budget, and at no less
// than half of the rate that the pair fires at, which keeps the errors of every day apart from it.
// A minute of which only a part of a sum is known is as bad as that sum.
func belongs(s budget.Slot, spec *slo.Spec, p slo.Pair) bool {
	if s.Bad <= budget.Share(s.Total, spec.Objective.Allowed()) {
		return false
	}
	return halfway(budget.Sum{Bad: s.Bad, Total: s.Total}, spec, p)
}

// halfway reports whether a sum burned at no less than half of the rate that a pair fires at.
func halfway(s budget.Sum, spec *slo.Spec, p slo.Pair) bool {
	return thresholdOf(p, spec).exceeded(s, 2, 1)
}
