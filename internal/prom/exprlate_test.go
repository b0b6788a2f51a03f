package prom

import (
	"fmt"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/slo"
)

// TestExpressionsWaitForWhatIsLate: the samples of all targets, or of one of four that alone fails,
// come some minutes late. After a while a minute of an expression over them is evaluated when they
// are there, and what was evaluated before is put right; an SLO that must not wait so long does not.
func TestExpressionsWaitForWhatIsLate(t *testing.T) {
	for _, tc := range []struct {
		late   time.Duration
		failed int // targets that are late
		most   time.Duration
	}{{0, 4, 0}, {3 * time.Minute, 4, 0}, {3 * time.Minute, 1, 0}, {10 * time.Minute, 4, 0}, {10 * time.Minute, 1, 0}, {10 * time.Minute, 1, 2 * time.Minute}} {
		t.Run(fmt.Sprintf("%d of four %v late, at most %v", tc.failed, tc.late, tc.most), func(t *testing.T) {
			t.Parallel()
			var now time.Time
			db := promfake.New(promfake.Options{Now: func() time.Time { return now }})
			spec := events(t, "x", `sum(rate(a_total[$window]))`, `sum(rate(a_total{code="500"}[$window]))`)
			spec.MaxLateness = tc.most
			filled := [4]time.Time{t0.Add(-time.Hour), t0.Add(-time.Hour), t0.Add(-time.Hour), t0.Add(-time.Hour)}
			arrive := func() {
				for i := range filled {
					late := time.Duration(0)
					if i < tc.failed {
						late = tc.late
					}
					for ; !filled[i].Add(late).After(now); filled[i] = filled[i].Add(15 * time.Second) {
						for _, code := range []string{"200", "500"} {
							ls := lset("a_total", "instance", fmt.Sprint(i), "job", "x", "code", code)
							if err := db.Append(ls, filled[i].UnixMilli(), filled[i].Sub(t0).Seconds()+1e6); err != nil {
								t.Fatal(err)
							}
						}
					}
				}
			}
			now = t0
			arrive()
			r, got, first := New(serve(t, db), Options{}), map[budget.Minute]budget.Slot{}, map[budget.Minute]time.Time{}
			for now.Before(t0.Add(70 * time.Minute)) {
				arrive()
				b := r.Read(t.Context(), []*slo.Spec{spec}, now)
				for _, f := range b.Failures {
					t.Fatal(f.Err)
				}
				for _, s := range b.Readings[spec.ID()].Slots {
					if got[s.At] = s.Slot; first[s.At].IsZero() {
						first[s.At] = now
					}
				}
				r.Commit(b)
				if wait := b.Waits[spec.ID()].Late; now.Sub(t0) > 40*time.Minute && tc.most == 0 && tc.late > time.Minute && (wait < tc.late-time.Minute || wait > tc.late+3*time.Minute) {
					t.Fatalf("%s: said to be %v late", now.Format("15:04:05"), wait)
				}
				now = later(b.Next, now.Add(5*time.Second))
			}
			most := tc.late + 3*time.Minute
			if tc.most > 0 {
				most = tc.most + time.Minute
			}
			for m := m0 + 3; m.End().Before(t0.Add(54 * time.Minute)); m++ {
				if s := got[m]; s.Total < 479*budget.Unit || s.Total > 481*budget.Unit || s.Bad < 239*budget.Unit || s.Bad > 241*budget.Unit {
					t.Errorf("minute %d is %+v in the end", m-m0, s)
				}
				if after := first[m].Sub(m.End()); m > m0+30 && after > most {
					t.Errorf("minute %d is evaluated %v after its end", m-m0, after)
				}
			}
		})
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
