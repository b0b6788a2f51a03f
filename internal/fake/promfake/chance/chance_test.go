package chance_test

import (
	"math"
	"testing"

	"github.com/slowburn-sre/slowburn/internal/fake/promfake/chance"
)

func TestDrawsHaveTheRightMean(t *testing.T) {
	const n = 20000
	for _, tc := range []struct {
		name string
		draw func() float64
		mean float64
	}{
		{"few events", poisson(0.2), 0.2},
		{"some events", poisson(12), 12},
		{"many events", poisson(5000), 5000},
		{"rare outcomes", binomial(100, 0.01), 1},
		{"frequent outcomes", binomial(1000, 0.3), 300},
		{"nearly certain outcomes", binomial(1000, 0.99), 990},
	} {
		t.Run(tc.name, func(t *testing.T) {
			sum := 0.0
			for range n {
				sum += tc.draw()
			}
			if got, tolerance := sum/n, 6*math.Sqrt(tc.mean/n); math.Abs(got-tc.mean) > tolerance {
				t.Errorf("mean of %d draws is %v, want %v ± %v", n, got, tc.mean, tolerance)
			}
		})
	}
}

func poisson(mean float64) func() float64 {
	r := chance.New(1, "poisson")
	return func() float64 { return chance.Poisson(r, mean) }
}

func binomial(n, p float64) func() float64 {
	r := chance.New(1, "binomial")
	return func() float64 { return chance.Binomial(r, n, p) }
}

func TestImpossibleAndCertain(t *testing.T) {
	r := chance.New(1, "x")
	for _, tc := range []struct {
		name string
		got  float64
		want float64
	}{
		{"nothing expected, nothing happens", chance.Poisson(r, 0), 0},
		{"a negative mean is nothing", chance.Poisson(r, -1), 0},
		{"none of none", chance.Binomial(r, 0, 0.5), 0},
		{"probability zero", chance.Binomial(r, 10, 0), 0},
		{"certainty", chance.Binomial(r, 10, 1.2), 10},
	} {
		if tc.got != tc.want {
			t.Errorf("%s: got %v, want %v", tc.name, tc.got, tc.want)
		}
	}
}
