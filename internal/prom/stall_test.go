package prom

import (
	"fmt"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/slo"
)

// TestAfterALongStallEveryMinuteHasItsEvents: the remote write of all targets, or of one of two, is
// stuck for longer than anybody waits, and then brings everything at once. Whenever that is, every
// minute has the events that happened in it, though the newest samples are seen before those of the
// stall are asked for.
func TestAfterALongStallEveryMinuteHasItsEvents(t *testing.T) {
	for _, stuck := range []int{1, 2} {
		for n, length := range []time.Duration{10, 21, 30, 31, 32, 33, 34, 100} {
			if sampled(n+4*(3-stuck), 8) { // both targets are stuck for 32 min, one for ten
				continue
			}
			t.Run(fmt.Sprintf("%d of 2 for %d min", stuck, length), func(t *testing.T) {
				t.Parallel()
				stall(t, stuck, length*time.Minute)
			})
		}
	}
}

func stall(t *testing.T, stuck int, length time.Duration) {
	now := t0
	db := promfake.New(promfake.Options{Now: func() time.Time { return now }})
	begin := t0.Add(10*time.Minute + 20*time.Second)
	filled := [2]time.Time{t0.Add(-time.Hour), t0.Add(-time.Hour)}
	sums, truth := [2][2]float64{}, map[budget.Minute][2]int64{}
	write := func() {
		for i := range filled {
			for ; filled[i].Before(now); filled[i] = filled[i].Add(15 * time.Second) {
				at := filled[i].Add(time.Duration(3+4*i) * time.Second)
				if at.After(now) || i < stuck && !at.Before(begin) && now.Before(begin.Add(length)) {
					break
				}
				m := budget.MinuteOf(at)
				for k, n := range [2]int64{100, int64(m % 7)} {
					sums[i][k] += float64(n)
					of := truth[m]
					of[k] += n * budget.Unit
					truth[m] = of
					must(t, db.Append(lset("r_total", "instance", fmt.Sprint(i), "code", []string{"200", "500"}[k]), at.UnixMilli(), sums[i][k]))
				}
			}
		}
	}
	spec := events(t, "x", `r_total`, `r_total{code="500"}`)
	r, ledger := New(serve(t, db), Options{}), book{}
	for ; now.Before(begin.Add(length + 20*time.Minute)); now = now.Add(15 * time.Second) {
		write()
		b := r.Read(t.Context(), []*slo.Spec{spec}, now)
		for _, f := range b.Failures {
			t.Fatal(f.Err)
		}
		ledger.take(b)
		r.Commit(b)
	}
	wrong := 0
	for m := m0 + 2; m < budget.MinuteOf(now)-5; m++ {
		got, want := ledger[spec.ID()][m], truth[m]
		if got.Bad != want[1] || got.Total != want[0]+want[1] || !got.State.Known() {
			if wrong++; wrong < 4 {
				t.Errorf("%s is %+v, want %d bad of %d", m.Time().Format("15:04"), got, want[1], want[0]+want[1])
			}
		}
	}
	if wrong > 0 {
		t.Errorf("%d minutes are wrong", wrong)
	}
}
