// Package chance draws counts of events. Its generators depend on a seed and a name only, so that
// what one of them draws does not shift when another is added or asked more often.
package chance

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
)

// New returns the generator of this name under this seed.
func New(seed uint64, name string) *rand.Rand {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name)) // never fails
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// Poisson draws how many independent events happen when mean are expected. The result is a whole
// number. Above a mean of 30 it is a rounded normal draw.
func Poisson(r *rand.Rand, mean float64) float64 {
	if mean <= 0 {
		return 0
	}
	if mean > 30 {
		return math.Max(0, math.Round(mean+math.Sqrt(mean)*r.NormFloat64()))
	}
	limit, p, n := math.Exp(-mean), r.Float64(), 0.0
	for p > limit {
		p *= r.Float64()
		n++
	}
	return n
}

// Binomial draws how many of n events come out with probability p each. The result is a whole
// number from 0 to n. For small n·p it is a Poisson draw, for large a rounded normal one.
func Binomial(r *rand.Rand, n, p float64) float64 {
	switch {
	case n <= 0 || p <= 0:
		return 0
	case p >= 1:
		return n
	case p > 0.5:
		return n - Binomial(r, n, 1-p)
	case n*p <= 30:
		return math.Min(n, Poisson(r, n*p))
	}
	return math.Min(n, math.Max(0, math.Round(n*p+math.Sqrt(n*p*(1-p))*r.NormFloat64())))
}
