package engine_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/slo"
)

// lateWorld is targets of one service whose samples reach Prometheus some time after their stamps.
type lateWorld struct {
	*world
	series [][2]*promfake.Series
	sums   [][2]float64
	filled []time.Time
	late   func(target int) time.Duration
	fails  func(target int, at time.Time) bool
	truth  budget.Sum // since t0
	paged  time.Time  // when there first was an incident about errors
}

func newLateWorld(t *testing.T, targets int, late func(int) time.Duration, fails func(int, time.Time) bool) *lateWorld {
	w := &lateWorld{world: newWorld(t, specsOf(promise("shop"))), late: late, fails: fails}
	for i := range targets {
		series := func(code string) *promfake.Series {
			return w.db.Series(labels.FromStrings("__name__", "requests_total", "job", "shop", "instance", fmt.Sprint(i), "code", code))
		}
		w.series = append(w.series, [2]*promfake.Series{series("200"), series("500")})
		w.sums = append(w.sums, [2]float64{1000, 10})
		w.filled = append(w.filled, w.now().Add(-time.Hour))
	}
	w.arrive()
	return w
}

// arrive lets Prometheus have what is due by now.
func (w *lateWorld) arrive() {
	for i := range w.series {
		for ; w.filled[i].Add(w.late(i) + 11*time.Second).Before(w.now()); w.filled[i] = w.filled[i].Add(30 * time.Second) {
			at := w.filled[i].Add(11 * time.Second)
			bad := 0
			if w.fails(i, at) {
				bad = 1
			}
			w.sums[i][bad] += 50
			if at.After(t0) {
				w.truth.Total += 50 * budget.Unit
				w.truth.Bad += int64(bad) * 50 * budget.Unit
			}
			for k, s := range w.series[i] {
				if err := s.Append(at.UnixMilli(), w.sums[i][k]); err != nil {
					w.t.Fatal(err)
				}
			}
		}
	}
}

func (w *lateWorld) live(minutes int) {
	for range minutes {
		w.at.Store(w.now().Truncate(time.Minute).Add(time.Minute + 42*time.Second).UnixNano())
		w.arrive()
		w.engine.Tick(w.t.Context(), w.daemonNow())
		if w.paged.IsZero() && len(w.burns()) > 0 {
			w.paged = w.now()
		}
		w.deliver()
	}
}

// check compares the ledger with what happened.
func (w *lateWorld) check() {
	w.t.Helper()
	w.engine.Snapshot().WithLedger("shop/availability", func(_ *slo.Spec, l *budget.Ledger) {
		got := l.Sum(budget.MinuteOf(t0)+1, l.End())
		var want budget.Sum
		if want = w.truth; got.Bad != want.Bad {
			w.t.Errorf("%d bad events, truth %d", got.Bad/budget.Unit, want.Bad/budget.Unit)
		}
	})
}

// TestLateSamplesPage: whatever is late by up to ten minutes, the page comes by as much later than
// without lateness, without any flag, and a total outage pages three minutes after its samples; no
// event is lost.
func TestLateSamplesPage(t *testing.T) {
	begin, end := t0.Add(60*time.Minute), t0.Add(80*time.Minute)
	outage := func(_ int, at time.Time) bool { return !at.Before(begin) && at.Before(end) }
	third := func(i int, at time.Time) bool { return i == 3 && outage(i, at) }
	for _, minutes := range []int{0, 1, 2, 3, 4, 6, 10} {
		late := time.Duration(minutes) * time.Minute
		for _, tc := range []struct {
			name   string
			within time.Duration // without lateness, to the tick at 42 s; a quarter of all needs eight minutes to be a fifth of ten
			world  func(*testing.T) *lateWorld
		}{
			{"all", 3*time.Minute + 42*time.Second, func(t *testing.T) *lateWorld {
				return newLateWorld(t, 1, func(int) time.Duration { return late }, outage)
			}},
			{"one of four, and only it fails", 10 * time.Minute, func(t *testing.T) *lateWorld {
				return newLateWorld(t, 4, func(i int) time.Duration {
					if i == 3 {
						return late
					}
					return 0
				}, third)
			}},
		} {
			t.Run(fmt.Sprintf("%s, %d min", tc.name, minutes), func(t *testing.T) {
				t.Parallel()
				w := tc.world(t)
				w.live(130)
				burns := w.burns()
				if len(burns) != 1 {
					t.Fatalf("%d incidents about errors, want one", len(burns))
				}
				if after := w.paged.Sub(begin); after > late+tc.within {
					t.Errorf("paged %s after the outage began", after)
				}
				w.check()
			})
		}
	}
}
