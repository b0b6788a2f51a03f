package prom

import (
	"fmt"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/slo"
)

// TestNewAmongOthers: an SLO that is added to a metric which is read already, and one whose query
// is changed, begin with a whole minute, however far apart and late the scrapes are and at whatever
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

// TestNewAndScrapedMoreRarely: what is new is scraped more rarely than all that is known. It begins
// with a whole minute, too: the one after its first scrape.
func TestNewAndScrapedMoreRarely(t *testing.T) {
	n := -1
	for _, interval := range []int{30, 60, 120, 300, 600} {
		for _, phase := range []int{7, 53, 118} {
			for _, second := range []int{1, 40, 59} {
				if n++; sampled(n, 4) {
					continue
				}
				t.Run(fmt.Sprintf("every %d s at second %d, at second %d", interval, phase, second), func(t *testing.T) {
					t.Parallel()
					newAndRarer(t, time.Duration(interval)*time.Second, time.Duration(phase)*time.Second, time.Duration(second)*time.Second)
				})
			}
		}
	}
}

func newAndRarer(t *testing.T, interval, phase, second time.Duration) {
	var now time.Time
	db := promfake.New(promfake.Options{Now: func() time.Time { return now }})
	filled := t0.Add(-time.Hour)
	arrive := func() {
		for ; !filled.After(now); filled = filled.Add(time.Second) {
			for job, every := range map[string]time.Duration{"old": 15 * time.Second, "new": interval} {
				if (filled.Sub(t0)-phase)%every != 0 {
					continue
				}
				for _, code := range []string{"200", "500"} {
					if err := db.Append(lset("a_total", "instance", job+":1", "job", job, "code", code), filled.UnixMilli(), float64(filled.Unix()-t0.Unix()+1e6)); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
	}
	of := func(job string) *slo.Spec {
		return events(t, job, `a_total{job="`+job+`"}`, `a_total{job="`+job+`",code="500"}`)
	}
	now = t0
	arrive()
	r, got, reload := New(serve(t, db), Options{}), book{}, t0.Add(20*time.Minute+second)
	specs := []*slo.Spec{of("old")}
	for ; now.Before(t0.Add(60 * time.Minute)); now = now.Add(5 * time.Second) {
		if !now.Before(reload) && len(specs) == 1 {
			now = reload
			specs = []*slo.Spec{of("old"), of("new")}
		}
		arrive()
		got.must(t, r, specs, now)
	}
	first, through := m0+60, m0+59-budget.Minute(2*interval/time.Minute)
	for m := range got["svc/new"] {
		first = min(first, m)
	}
	if soonest := m0 + 22 + budget.Minute(interval/time.Minute); first > soonest+1 {
		t.Errorf("it begins %d minutes after the beginning", first-m0)
	}
	for m := first; m <= through; m++ {
		// What a scrape shows is spread over the minutes that it alone tells of.
		s := got["svc/new"][m]
		if few := s.Total < 80*budget.Unit || s.Bad < s.Total/2; few && s.State == budget.OK || interval <= 2*time.Minute && s.Total != 120*budget.Unit {
			t.Errorf("minute %d of %d is %+v", m-m0, first-m0, s)
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
		got.must(t, r, specs, now)
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
