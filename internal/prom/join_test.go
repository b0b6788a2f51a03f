package prom

import (
	"fmt"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/slo"
)

// TestNewAmongOthers: an SLO that is added to a metric which is read already, and one whose query is
// changed, begin with a whole minute, however far apart and late the scrapes are and at whatever
// second the reload comes. No minute after it is missing.
func TestNewAmongOthers(t *testing.T) {
	for _, interval := range []int{15, 30, 60, 120} {
		for _, late := range []int{0, 180} {
			for _, second := range []int{1, 20, 40, 59} {
				t.Run(fmt.Sprintf("every %d s, %d s late, at second %d", interval, late, second), func(t *testing.T) {
					t.Parallel()
					newAmongOthers(t, time.Duration(interval)*time.Second, time.Duration(late)*time.Second, time.Duration(second)*time.Second)
				})
			}
		}
	}
}

func newAmongOthers(t *testing.T, interval, late, second time.Duration) {
	var now time.Time
	db := promfake.New(promfake.Options{Now: func() time.Time { return now }})
	filled := t0.Add(-30*time.Minute + 7*time.Second)
	arrive := func() {
		for ; !filled.Add(late).After(now); filled = filled.Add(interval) {
			for _, job := range []string{"old", "new", "changed"} {
				for _, code := range []string{"200", "500"} {
					ls := lset("a_total", "instance", job+":1", "job", job, "code", code)
					if err := db.Append(ls, filled.UnixMilli(), float64(filled.Unix()-t0.Unix()+1e6)); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
	}
	of := func(name, job string) *slo.Spec {
		return events(t, name, `a_total{job="`+job+`"}`, `a_total{job="`+job+`",code="500"}`)
	}
	now = t0
	arrive()
	r, got, reload := New(serve(t, db), Options{}), book{}, t0.Add(20*time.Minute+second)
	specs := []*slo.Spec{of("old", "old"), of("changed", "old")}
	for ; now.Before(t0.Add(45 * time.Minute)); now = now.Add(5 * time.Second) {
		if !now.Before(reload) && len(specs) == 2 {
			now = reload
			specs = []*slo.Spec{of("old", "old"), of("changed", "changed"), of("new", "new")}
			delete(got, "svc/changed")
		}
		arrive()
		b := r.Read(t.Context(), specs, now)
		for _, f := range b.Failures {
			t.Fatal(f.Err)
		}
		got.take(b)
		r.Commit(b)
	}
	for id, soon := range map[slo.ID]budget.Minute{"svc/old": 1, "svc/changed": 24, "svc/new": 24} {
		first, through := m0+45, m0+40-budget.Minute(late/time.Minute)
		for m := range got[id] {
			first = min(first, m)
		}
		if first > m0+soon {
			t.Errorf("%s begins %d minutes after the beginning", id, first-m0)
		}
		for m := first; m <= through; m++ {
			if s := got[id][m]; s.State != budget.OK || s.Total != 120*budget.Unit || s.Bad != 60*budget.Unit {
				t.Errorf("%s: minute %d is %+v", id, m-m0, s)
			}
		}
	}
}
