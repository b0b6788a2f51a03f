package alerting

import (
	"math"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/slo"
)

// Significance is the low-traffic test of a page or a ticket. With a handful of requests an hour a
// single failure is a burn rate in the hundreds, and yet says little; and failures come in clumps,
// because a user tries again. So an alert is believed when its long window has more failures that
// are independent of each other than the objective explains:
//
//   - Failures within five minutes count as one. A clump is not larger than a dozen, though, so
//     that each dozen failures counts as one, too, however close they are.
//   - The number of events shrinks with them: where three failures count as one, three events do. A
//     binomial test then says how likely so many are at a burn that is harmless: at that of the
//     budget for a page, at half of it for a ticket, and at no more than half of what fires.
//   - It must be less likely than a level that pays for looking again and again: as if a false call
//     in a hundred months were allowed, shared out among the pairs of a tier and the long windows
//     of a month. Windows overlap, so more come about: docs/benchmarks.md has what was measured.
//   - There must be three of them at least.
//
// With eight or more allowed bad events an hour the test changes nothing.
type Significance struct {
	Bad     int64 `json:"bad"`     // whole bad events in the long window
	Total   int64 `json:"total"`   // whole events in it
	Minutes int   `json:"minutes"` // different minutes with a bad event
	// Independent is how many of the bad events count, being independent of each other.
	Independent int64   `json:"independent,omitempty"`
	Harmless    float64 `json:"harmless,omitempty"` // the burn that needs no alert
	Chance      float64 `json:"chance"`             // P(at least Independent), if it burns like that
	Level       float64 `json:"level,omitempty"`    // below which the chance is believed to be none
}

// The limits of the test, chosen by simulation: TestQuietServices in internal/bench.
const (
	falseCalls       = 0.01             // a month, of a tier
	clumpLasts       = budget.Minute(5) // from its first failure
	usualClump       = 3.0              // failures; the mean of clumps is not taken to be larger
	largestClump     = 12               // failures
	leastIndependent = 3
	oneLook          = 0.001 // the level of a test that is made once
)

// significanceOf tests a pair of a tier that was read at m.
func significanceOf(in Input, sev Severity, r reading, m budget.Minute) Significance {
	long := budget.Minutes(r.pair.Long)
	pairs, harmless := in.Spec.Alerts.Page, 1.0
	if sev == Ticket {
		pairs, harmless = in.Spec.Alerts.Ticket, 0.5
	}
	harmless = min(harmless, r.pair.Burn(in.Spec.Window().Length())/2)
	x := test(sample{r.long, apartIn(in, m+1-long, m+1), byMinutes(in.Spec)}, harmless, in.Spec.Objective)
	x.Level = falseCalls * float64(long) / float64(budget.Minutes(30*slo.Day)) / float64(max(len(pairs), 1))
	return x
}

// Significant tests a sum against an objective, once.
func Significant(s budget.Sum, o slo.Objective) Significance {
	x := test(sample{Sum: s, apart: int64(s.BadSlots)}, 1, o)
	x.Level = oneLook
	return x
}

// Believed reports whether the failures are more than chance.
func (s Significance) Believed() bool {
	return s.Independent >= leastIndependent && s.Chance < s.Level
}

// sample is what is tested.
type sample struct {
	budget.Sum
	apart     int64 // bad minutes that are apart: clumps at most
	byMinutes bool  // only minutes count, not how much went bad in them
}

// byMinutes reports whether a minute is what goes bad as a whole: where it is the event, and in a
// journey, whose events were counted at one step and its failures at another, so that one failure
// among few requests stands for many.
func byMinutes(spec *slo.Spec) bool {
	return spec.SLI.Minutes() != nil || spec.SLI.Kind == slo.Composed
}

func (s sample) bad() int64   { return s.Bad / budget.Unit }
func (s sample) total() int64 { return (s.Total + budget.Unit - 1) / budget.Unit }

// test says how likely so many independent failures are at a burn: as many as there are clumps, or
// as there are dozens, whichever is less likely.
func test(s sample, burn float64, o slo.Objective) Significance {
	k, n, ratio := s.bad(), s.total(), burn*o.AllowedRatio()
	x := Significance{Bad: k, Total: n, Minutes: s.BadSlots, Independent: min(s.apart, k), Harmless: burn, Chance: 1}
	if x.Independent > 0 {
		clump := float64(k) / float64(x.Independent)
		if !s.byMinutes {
			clump = min(clump, usualClump)
		}
		x.Chance = binomialTail(x.Independent, int64(math.Ceil(float64(n)/clump)), ratio)
	}
	if dozens := k / largestClump; dozens >= leastIndependent && !s.byMinutes {
		chance := binomialTail(dozens, (n+largestClump-1)/largestClump, ratio)
		if chance < x.Chance || x.Independent < leastIndependent {
			x.Independent, x.Chance = dozens, chance
		}
	}
	return x
}

// apartIn counts the bad minutes of [from, to) that are apart: all where minutes go bad as a whole,
// else those that no clump explains which began before them.
func apartIn(in Input, from, to budget.Minute) (n int64) {
	lasts, next := clumpLength(in.Spec), from
	in.Ledger.EachBad(from, to, func(m budget.Minute, s budget.Slot) {
		if m >= next && !s.Shared {
			n, next = n+1, m+lasts
		}
	})
	return n
}

func clumpLength(spec *slo.Spec) budget.Minute {
	if byMinutes(spec) {
		return 1
	}
	return clumpLasts
}

// provedSince reports whether the failures from a minute to m, of which some may lie in a hole and
// so many are apart, are believed by themselves.
func (s Significance) provedSince(in Input, from, m budget.Minute, apart int64) bool {
	since := test(sample{in.Ledger.Sum(from, m+1), apart, byMinutes(in.Spec)}, s.Harmless, in.Spec.Objective)
	since.Level = s.Level
	return since.Believed()
}

// proofBegins returns where the evidence begins with which a pair was believed at m: the newest bad
// minute, not before from, from which on the failures are believed by themselves. A stray one
// before them, which the long window saw, too, is not where it began.
func (s Significance) proofBegins(in Input, from, m budget.Minute) budget.Minute {
	var bad []budget.Minute
	in.Ledger.EachBad(from, m+1, func(at budget.Minute, slot budget.Slot) {
		if !slot.Shared {
			bad = append(bad, at)
		}
	})
	apart, lasts, begins := make([]int64, len(bad)+1), clumpLength(in.Spec), m
	for i, next := len(bad)-1, len(bad); i >= 0; i-- {
		for next > i+1 && bad[next-1] >= bad[i]+lasts {
			next--
		}
		apart[i], begins = apart[next]+1, bad[i]
		if s.provedSince(in, begins, m, apart[i]) {
			break
		}
	}
	return begins
}

// Probability writes the chance for people. However small, it is never nothing.
func (s Significance) Probability() string {
	return figures.Ratio(max(s.Chance, math.SmallestNonzeroFloat64))
}

// binomialTail returns P(X ≥ k) for X ~ Binomial(n, p), to about ten digits. Far above the mean it
// sums the tail itself, so small chances keep their digits.
func binomialTail(k, n int64, p float64) float64 {
	switch {
	case k <= 0:
		return 1
	case k > n:
		return 0
	case float64(k) <= float64(n)*p:
		return 1 - lowerSum(k-1, n, p)
	}
	return upperSum(k, n, p)
}

// upperSum adds P(X = i) for i = k, k+1, …; the terms fall, as k is above the mean.
func upperSum(k, n int64, p float64) float64 {
	term := binomialTerm(k, n, p)
	sum, odds := term, p/(1-p)
	for i := k; i < n && term > sum*1e-17; i++ {
		term *= float64(n-i) / float64(i+1) * odds
		sum += term
	}
	return min(sum, 1)
}

// lowerSum adds P(X = i) for i = k, k−1, …; the terms fall, as k is below the mean.
func lowerSum(k, n int64, p float64) float64 {
	term := binomialTerm(k, n, p)
	sum, odds := term, (1-p)/p
	for i := k; i > 0 && term > sum*1e-17; i-- {
		term *= float64(i) / float64(n-i+1) * odds
		sum += term
	}
	return min(sum, 1)
}

func binomialTerm(k, n int64, p float64) float64 {
	a, _ := math.Lgamma(float64(n) + 1)
	b, _ := math.Lgamma(float64(k) + 1)
	c, _ := math.Lgamma(float64(n-k) + 1)
	return math.Exp(a - b - c + float64(k)*math.Log(p) + float64(n-k)*math.Log1p(-p))
}
