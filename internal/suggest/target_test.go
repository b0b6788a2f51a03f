package suggest

import (
	"math"
	"strings"
	"testing"
	"time"
)

// history is a record of whole days: events per day, and how many of them were bad on which day.
func history(days int, perDay float64, bad map[int]float64) record {
	r := record{step: 24 * time.Hour, window: lookBack, unit: "events"}
	for d := range days {
		r.buckets = append(r.buckets, bucket{at: int64(d+1) * 86_400_000, total: perDay, bad: bad[d]})
	}
	return r
}

// daily is the same number of bad events on every day.
func daily(days int, bad float64) map[int]float64 {
	m := map[int]float64{}
	for d := range days {
		m[d] = bad
	}
	return m
}

func TestAim(t *testing.T) {
	for _, tc := range []struct {
		name    string
		r       record
		most    string
		want    string
		refused string
		why     string
	}{
		{"a perfect service of much traffic gets the strictest step", history(28, 1e6, nil), "", "99.99", "", "100 % were good"},
		{"the worst week decides, not the average", history(28, 1e6, map[int]float64{3: 20_000}), "", "99.5", "", "99.714 % were good"},
		{"a step that is met exactly is met", history(28, 1e6, daily(28, 1000)), "", "99.9", "", "99.900 % were good"},
		{"a step that is missed by one event is missed", history(28, 1e6, map[int]float64{0: 7001, 20: 1}), "", "99.5", "", ""},
		{"a step is not proposed when its budget is chance", history(28, 100, nil), "", "99.5", "", "99.9 % was met, but about 2,800 events in 28 d allow only 2.8 bad ones"},
		{"no step when even 90 % is chance", history(28, 3, nil), "", "", "too few for any objective", ""},
		{"below 90 % nothing is worth promising", history(28, 1e6, daily(28, 2e5)), "", "", "in the worst week 80.0 % were good", ""},
		{"no stricter than asked for", history(28, 1e6, nil), "99.9", "99.9", "", ""},
		{"less than a week is said", history(3, 1e6, nil), "", "99.99", "", "less than a week"},
		{"less than four weeks is said", history(14, 1e6, nil), "", "99.99", "", "In the worst week of the 14 d that are known"},
		{"less than a day is too little", record{step: time.Hour, window: lookBack, buckets: []bucket{{at: 1, total: 9e9}}}, "", "", "a day is needed", ""},
		{"no events, no objective", history(28, 0, nil), "", "", "nothing was counted", ""},
		{"no history, no objective", record{window: lookBack}, "", "", "there is less than 2 h of history, and a day is needed", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := tc.r.aim(tc.most)
			if tc.refused != "" {
				if !strings.Contains(got.refused, tc.refused) {
					t.Errorf("refused: %q, want %q", got.refused, tc.refused)
				}
				return
			}
			if got.refused != "" || got.objective.Percent() != tc.want {
				t.Errorf("%s (refused: %s), want %s", got.objective.Percent(), got.refused, tc.want)
			}
			if why := strings.Join(got.why, " "); !strings.Contains(why, tc.why) {
				t.Errorf("because %q, want %q", why, tc.why)
			}
		})
	}
}

// naive is worst, done slowly: every week of whole days by itself.
func naive(r record) (worst float64) {
	for i := range len(r.buckets) - 6 {
		var total, bad float64
		for _, b := range r.buckets[i : i+7] {
			total, bad = total+b.total, bad+b.bad
		}
		if total > 0 {
			worst = max(worst, bad/total)
		}
	}
	return worst
}

func TestWorstWeekEqualsItsNaiveTwin(t *testing.T) {
	for seed := range 200 {
		bad := map[int]float64{}
		for d := range 28 {
			bad[d] = float64((seed*7919 + d*d*104729) % 997)
		}
		r := history(28, 1000+float64(seed), bad)
		got, _, _ := r.worst()
		if want := naive(r); math.Abs(got-want) > 1e-12 {
			t.Fatalf("seed %d: %v, the naive twin says %v", seed, got, want)
		}
	}
}

func TestLadder(t *testing.T) {
	cells := func(counts map[string]float64) (out []cell) {
		for le, n := range counts {
			out = append(out, cell{le: le, n: n})
		}
		return out
	}
	for _, tc := range []struct {
		name  string
		cells []cell
		unit  float64
		class string
		first float64 // bound that is tried first, in seconds
	}{
		{"fast", cells(map[string]float64{"0.1": 95, "0.2": 99.5, "1.0": 99.9, "+Inf": 100}), 1, "high_fast", 0.2},
		{"slow", cells(map[string]float64{"0.1": 5, "1": 95, "5": 99.5, "+Inf": 100}), 1, "high_slow", 5},
		{"neither", cells(map[string]float64{"1": 50, "10": 98, "+Inf": 100}), 1, "low", 10},
		{"milliseconds", cells(map[string]float64{"100": 95, "200": 99.5, "+Inf": 100}), 1e-3, "high_fast", 0.2},
		{"between two bounds the lower one speaks", cells(map[string]float64{"0.05": 80, "0.25": 99.9, "+Inf": 100}), 1, "high_slow", 0.25},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := ladderOf(tc.cells, tc.unit)
			if got := l.classOf(); got != tc.class {
				t.Errorf("class %s, want %s", got, tc.class)
			}
			if got := l.candidates()[0].bound; math.Abs(got-tc.first) > 1e-9 {
				t.Errorf("tries %v first, want %v", got, tc.first)
			}
		})
	}
	l := ladderOf([]cell{{le: "1", n: 4}, {le: "1.0", n: 5}, {le: "+Inf", n: 10}}, 1)
	if len(l) != 1 || l[0].share != 0.9 || strings.Join(l[0].texts, " ") != "1 1.0" {
		t.Errorf("two spellings of one bound: %+v", l)
	}
}
