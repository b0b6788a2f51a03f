package shop

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
	"time"
)

// newRand returns a generator that depends on the seed and a name only.
func newRand(seed uint64, name string) *rand.Rand {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name)) // never fails
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// poisson draws how many independent events happen when mean are expected.
// Above 30 the normal approximation is good enough for a shop.
func poisson(r *rand.Rand, mean float64) float64 {
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

// binomial draws how many of n events come out with probability p.
func binomial(r *rand.Rand, n, p float64) float64 {
	switch {
	case n <= 0 || p <= 0:
		return 0
	case p >= 1:
		return n
	case p > 0.5:
		return n - binomial(r, n, 1-p)
	case n*p <= 30:
		return math.Min(n, poisson(r, n*p))
	}
	return math.Min(n, math.Max(0, math.Round(n*p+math.Sqrt(n*p*(1-p))*r.NormFloat64())))
}

// load is the relative traffic at t: about 1 on average over a weekday, high
// in the afternoon, low at night, less at the weekend.
func load(t time.Time) float64 {
	t = t.UTC()
	hour := float64(t.Hour()) + float64(t.Minute())/60
	day := 1 + 0.6*math.Sin(2*math.Pi*(hour-8)/24)
	if wd := t.Weekday(); wd == time.Saturday || wd == time.Sunday {
		day *= 0.7
	}
	return day
}
