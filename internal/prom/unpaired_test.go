package prom

import (
	"testing"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/slo"
)

// TestExpressionsOfGoodEventsThatAreGone: 20 events a minute, all good, in scrapes every 30 s; from
// minute 12 on something is different.
func TestExpressionsOfGoodEventsThatAreGone(t *testing.T) {
	const change = 24 // scrape
	grows := func(i int) (float64, bool) { return 10 * float64(i), true }
	until := func(last int) func(int) (float64, bool) {
		return func(i int) (float64, bool) { return 10 * float64(i), i < last }
	}
	for _, tc := range []struct {
		what      string
		good, all func(i int) (float64, bool)
		want      string // minutes 11 to 16
	}{
		{"nothing", grows, grows, "11:0/20 12:0/20 13:0/20 14:0/20 15:0/20 16:0/20"},
		{"the good series is gone, the total goes on: a question", until(change), grows, "11:0/20 12:- 13:- 14:- 15:- 16:-"},
		{"the good series is gone, and the process began anew: an outage", until(change), func(i int) (float64, bool) {
			if i >= change {
				i -= change - 1
			}
			return 10 * float64(i), true
		}, "11:0/20 12:20/20 13:20/20 14:20/20 15:20/20 16:20/20"},
		{"the good series stands still for two minutes, and is then forgotten: an outage", func(i int) (float64, bool) {
			return 10 * float64(min(i, change)), i < change+4
		}, grows, "11:0/20 12:10/20 13:20/20 14:20/20 15:20/20 16:20/20"},
		{"there never was a good series: an outage", until(0), grows, "11:20/20 12:20/20 13:20/20 14:20/20 15:20/20 16:20/20"},
	} {
		t.Run(tc.what, func(t *testing.T) {
			db := promfake.New(promfake.Options{})
			gauge(t, db, "n", tc.all, "instance", "1")
			gauge(t, db, "fine", tc.good, "instance", "1")
			specs := []*slo.Spec{{Service: "svc", Name: "x", SLI: slo.Indicator{
				Kind: slo.Events, Total: query(t, `sum(increase(n[$window]))`), Good: query(t, `sum(increase(fine[$window]))`),
			}}}
			c := serve(t, db)
			r, live, past := New(c, Options{}), book{}, book{}
			for to := m0 + 5; to <= m0+16; to++ {
				tick(t, r, specs, to, live)
				r = restart(r, c)
			}
			work := New(c, Options{}).Backfill(specs, Plan{From: m0, Fine: m0, To: m0 + 17})
			for !work.Done() {
				past.take(work.Next(t.Context()))
			}
			for what, got := range map[string]book{"live": live, "history": past} {
				for m, s := range got["svc/x"] {
					switch {
					case m < m0+11:
						delete(got["svc/x"], m)
					case s.State == budget.Failed: // shown as a dash
						got["svc/x"][m] = budget.Slot{State: budget.Absent}
					case s.State == budget.Absent:
						t.Errorf("minute %d is absent", m-m0)
					}
				}
				if g := slots(got["svc/x"]); g != tc.want {
					t.Errorf("%s:\n got %s\nwant %s", what, g, tc.want)
				}
			}
		})
	}
}
