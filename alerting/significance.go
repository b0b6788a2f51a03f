package alerting

import (
	"math"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/slo"
)

// Significance is the low-traffic test of a page. With a handful of requests an hour a single
// failure is a burn rate in the hundreds, and yet says little. A page is believed when
//
//   - an exact binomial test rejects "the service keeps its objective" at one in a thousand:
//     the chance of at least Bad failures among Total requests, each failing with the allowed
//     probability; and
//   - the failures lie in at least three different minutes, or there are at least fifty, because the
//     test takes failures for independent and one user's retries are not. Fifty are not enough for a
//     derived journey.
//
// At a thousand requests an hour and more the test changes nothing.
type Significance struct {
	Bad     int64   `json:"bad"`     // whole bad events in the long window
	Total   int64   `json:"total"`   // whole events in it
	Minutes int     `json:"minutes"` // different minutes with a bad event
	Chance  float64 `json:"chance"`  // P(at least Bad of Total | the objective is kept)
	// Derived is of a journey that is derived from its steps: its events were counted at one step
	// and its failures at another, where one failure among few requests stands for many here. Then
	// a number of failures proves nothing.
	Derived bool `json:"derived,omitempty"`
}

// The limits of the test, chosen by simulation (see the package's simulation test).
const (
	significanceLevel = 0.001
	spreadMinutes     = 3
	manyErrors        = 50
)

// significanceOf tests a sum of an SLO's events.
func significanceOf(s budget.Sum, spec *slo.Spec) Significance {
	sure := Significant(s, spec.Objective)
	sure.Derived = spec.SLI.Kind == slo.Composed
	return sure
}

// Significant tests a sum against an objective.
func Significant(s budget.Sum, o slo.Objective) Significance {
	k, n := s.Bad/budget.Unit, (s.Total+budget.Unit-1)/budget.Unit
	return Significance{Bad: k, Total: n, Minutes: s.BadSlots, Chance: binomialTail(k, n, o.AllowedRatio())}
}

// Believed reports whether the failures are more than chance and more than one hiccup.
func (s Significance) Believed() bool {
	return s.Chance < significanceLevel && (s.Minutes >= spreadMinutes || s.Bad >= manyErrors && !s.Derived)
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
