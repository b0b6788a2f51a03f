package prom

import (
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/slo"
)

// TestMaxLatenessBoundsTheWait: the samples of a service come six minutes late. A minute waits for
// them as long as the SLO says, or else the source; then it is decided, at once where nothing has
// come for so long; what comes later amends it.
func TestMaxLatenessBoundsTheWait(t *testing.T) {
	const late = 6 * time.Minute
	for name, tc := range map[string]struct {
		source, own time.Duration
		least, most time.Duration // of the decisions after the end of the minute
	}{
		"neither":                    {0, 0, 5 * time.Minute, 8 * time.Minute},
		"the source's":               {2 * time.Minute, 0, 0, 3 * time.Minute},
		"the SLO's":                  {0, 2 * time.Minute, 0, 3 * time.Minute},
		"the SLO's before the other": {2 * time.Minute, 15 * time.Minute, 5 * time.Minute, 8 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := t0
			db := promfake.New(promfake.Options{Now: func() time.Time { return now }})
			spec := events(t, "x", `a_total`, `a_total{code="500"}`)
			spec.MaxLateness = tc.own
			filled := t0.Add(-time.Hour)
			arrive := func() {
				for ; !filled.Add(late).After(now); filled = filled.Add(15 * time.Second) {
					for _, code := range []string{"200", "500"} {
						ls := lset("a_total", "instance", "1", "job", "x", "code", code)
						if err := db.Append(ls, filled.UnixMilli(), filled.Sub(t0).Seconds()+1e6); err != nil {
							t.Fatal(err)
						}
					}
				}
			}
			arrive()
			r, total, first := New(serve(t, db), Options{MaxLateness: tc.source}), map[budget.Minute]int64{}, map[budget.Minute]time.Time{}
			for ; now.Before(t0.Add(50 * time.Minute)); now = now.Add(5 * time.Second) {
				arrive()
				b := r.Read(t.Context(), []*slo.Spec{spec}, now)
				for _, f := range b.Failures {
					t.Fatal(f.Err)
				}
				for _, s := range b.Readings[spec.ID()].Slots {
					if total[s.At] = s.Slot.Total; first[s.At].IsZero() {
						first[s.At] = now
					}
				}
				for _, a := range b.Readings[spec.ID()].Late {
					total[a.At] += a.Total
				}
				r.Commit(b)
			}
			for m := m0 + 20; m.End().Before(t0.Add(40 * time.Minute)); m++ {
				if after := first[m].Sub(m.End()); after < tc.least || after > tc.most {
					t.Errorf("minute %d is decided %v after its end", m-m0, after)
				}
				if total[m] != 120*budget.Unit {
					t.Errorf("minute %d has %d events in the end", m-m0, total[m]/budget.Unit)
				}
			}
		})
	}
}
