package alerting

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/slo"
)

// TestAnIncidentHasWhatItCost: an incident begins where its bad events began and has all of them,
// also those of a hole of which only the sum is known, and at traffic of which a short window says
// nothing.
func TestAnIncidentHasWhatItCost(t *testing.T) {
	type minutes struct {
		n          int
		bad, total int64
		state      budget.State
	}
	healthy := minutes{300, 0, 1200, budget.OK}
	for _, c := range []struct {
		name         string
		life         []minutes
		onset, ended budget.Minute // after the healthy minutes it begins with
		detected     time.Duration
		bad          int64
		minutes      int
	}{
		{"an outage wholly inside a hole", []minutes{{22, 273, 1200, budget.Partial}, healthy}, 0, 22, 23 * time.Minute, 6006, 0},
		{"a hole at the start", []minutes{{9, 320, 1200, budget.Partial}, {22, 360, 1200, budget.OK}, healthy}, 0, 31, 10 * time.Minute, 10800, 22},
		{"a hole in the middle", []minutes{{10, 360, 1200, budget.OK}, {10, 360, 1200, budget.Partial}, {10, 360, 1200, budget.OK}, healthy}, 0, 30, 3 * time.Minute, 10800, 20},
		{"a hole at the end", []minutes{{10, 360, 1200, budget.OK}, {9, 320, 1200, budget.Partial}, healthy}, 0, 19, 3 * time.Minute, 6480, 10},
		{"a hole that is longer than the window", []minutes{{90, 273, 1200, budget.Partial}, healthy}, 0, 90, 91 * time.Minute, 90 * 273, 0},
		{"an hour without data after it", []minutes{{10, 1200, 1200, budget.OK}, {60, 0, 0, budget.Absent}, healthy}, 0, 10, time.Minute, 12000, 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			spec := workbookSpec(t, "99.9", []slo.Pair{fast}, nil)
			l, at := &budget.Ledger{}, start
			for _, r := range append([]minutes{healthy}, c.life...) {
				for range r.n {
					slot := budget.Count(r.bad*budget.Unit, r.total*budget.Unit)
					if slot.State = r.state; r.total == 0 {
						slot = budget.Slot{State: r.state}
					}
					l.Put(at, slot)
					at++
				}
			}
			_, events := Advance(Input{ID: spec.ID(), Spec: spec, Ledger: l}, State{Through: start}, at)
			incidents := Fold(nil, events)
			if len(incidents) != 1 {
				t.Fatalf("%d incidents", len(incidents))
			}
			i, begin := incidents[0], (start + 300).Time()
			onset, ended := i.Onset.Sub(begin), i.Ended.Sub(begin)
			if onset != time.Duration(c.onset)*time.Minute || ended != time.Duration(c.ended)*time.Minute {
				t.Errorf("it burned from %v to %v, want %d to %d minutes", onset, ended, c.onset, c.ended)
			}
			if i.TimeToDetect() != c.detected || i.Bad() != c.bad*budget.Unit || i.Last.Burn.Minute != c.minutes {
				t.Errorf("detected after %v with %d bad in %d minutes, want %v, %d and %d", i.TimeToDetect(), i.Bad()/budget.Unit, i.Last.Burn.Minute, c.detected, c.bad, c.minutes)
			}
		})
	}
}

// TestOnsetAtLittleTraffic: the incident has nearly all of the failures of its outage, whose gaps
// are longer than the short window, and none from long before. At little traffic that is before the
// long window, since a failure in it is a part of what proved the outage.
func TestOnsetAtLittleTraffic(t *testing.T) {
	spec := workbookSpec(t, "99.9", []slo.Pair{fast}, nil)
	spec.Alerts.Significance = true
	for _, c := range []struct {
		name          string
		perHour, fail float64
		stray         budget.Minute // how long before the outage a failure had nothing to do with it
		within        budget.Minute // of the first failure, for 16 of 20 lives
	}{
		{"everything fails at ten an hour", 10, 1, 80, 0},
		{"everything fails at a hundred an hour", 100, 1, 70, 0},
		{"a fifth fails at a hundred an hour", 100, 0.2, 70, 3},
		{"a fifth fails at a thousand an hour", 1000, 0.2, 40, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			right := 0
			for seed := range uint64(20) {
				rng := rand.New(rand.NewPCG(seed, 3))
				l, first := &budget.Ledger{}, budget.Minute(0)
				for m := start; m < start+900; m++ {
					total, bad := poisson(rng, c.perHour/60), int64(0)
					for range total {
						if m >= start+600 && rng.Float64() < c.fail {
							bad++
						}
					}
					if bad > 0 && first == 0 {
						first = m
					}
					l.Put(m, budget.Count(bad*budget.Unit, total*budget.Unit))
				}
				l.Put(start+600-c.stray, budget.Count(budget.Unit, 2*budget.Unit)) // a stray one
				_, events := Advance(Input{ID: spec.ID(), Spec: spec, Ledger: l}, State{Through: start}, start+900)
				if all := Fold(nil, events); len(all) > 0 {
					if off := budget.MinuteOf(all[0].Onset) - first; off >= 0 && off <= c.within {
						right++
					} else {
						t.Logf("seed %d: onset %d minutes after the first failure", seed, off)
					}
				}
			}
			if right < 16 {
				t.Errorf("the onset is right in %d of 20 lives", right)
			}
		})
	}
}
