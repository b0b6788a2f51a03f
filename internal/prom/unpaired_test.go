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
		raw       string // if counters tell more than expressions
	}{
		{"nothing", grows, grows, "11:0/20 12:0/20 13:0/20 14:0/20 15:0/20 16:0/20", ""},
		{"the good series is gone, the total goes on: a question", until(change), grows, "11:0/20 12:- 13:- 14:- 15:- 16:-", ""},
		{"the good series is gone in the middle of a minute: a question at once", until(change + 1), grows, "11:0/20 12:- 13:- 14:- 15:- 16:-", "11:0/20 12:0/10 13:- 14:- 15:- 16:-"},
		{"the good series is back in the middle of a minute: a question still", func(i int) (float64, bool) {
			return 10 * float64(i), i < change || i > change+4
		}, grows, "11:0/20 12:- 13:- 14:- 15:0/20 16:0/20", "11:0/20 12:0/20p 13:0/20p 14:0/20 15:0/20 16:0/20"},
		{"the good series is gone, and the process began anew: an outage", until(change), func(i int) (float64, bool) {
			if i >= change {
				i -= change - 1
			}
			return 10 * float64(i), true
		}, "11:0/20 12:20/20 13:20/20 14:20/20 15:20/20 16:20/20", ""},
		{"the good series stands still for two minutes, and is then forgotten: an outage", func(i int) (float64, bool) {
			return 10 * float64(min(i, change)), i < change+4
		}, grows, "11:0/20 12:10/20 13:20/20 14:20/20 15:20/20 16:20/20", ""},
		{"there never was a good series: an outage", until(0), grows, "11:20/20 12:20/20 13:20/20 14:20/20 15:20/20 16:20/20", ""},
	} {
		for kind, k := range map[string]struct {
			by           []string
			total, ok    string
			judged, well slo.ID
		}{
			"one budget": {nil, `sum(increase(n{route="b"}[$window]))`, `sum(increase(fine{route="b"}[$window]))`, "svc/x", ""},
			"by route": {
				[]string{"route"},
				`sum by (route) (increase(n[$window]))`, `sum by (route) (increase(fine[$window]))`,
				`svc/x{route="b"}`, `svc/x{route="a"}`,
			},
			"by a label that the counters have not": {
				[]string{"path"},
				`sum by (path) (label_replace(increase(n{route="b"}[$window]), "path", "/$1", "route", "(.*)"))`,
				`sum by (path) (label_replace(increase(fine{route="b"}[$window]), "path", "/$1", "route", "(.*)"))`,
				`svc/x{path="/b"}`, "",
			},
			"raw, by route": {[]string{"route"}, `n`, `fine`, `svc/x{route="b"}`, `svc/x{route="a"}`},
		} {
			t.Run(tc.what+", "+kind, func(t *testing.T) {
				db := promfake.New(promfake.Options{})
				gauge(t, db, "n", tc.all, "instance", "1", "route", "b")
				gauge(t, db, "fine", tc.good, "instance", "1", "route", "b")
				gauge(t, db, "n", grows, "instance", "2", "route", "a")
				gauge(t, db, "fine", grows, "instance", "2", "route", "a")
				specs := []*slo.Spec{{Service: "svc", Name: "x", By: k.by, SLI: slo.Indicator{
					Kind: slo.Events, Total: query(t, k.total), Good: query(t, k.ok),
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
				judged := tc.want
				if kind == "raw, by route" && tc.raw != "" {
					judged = tc.raw
				}
				for what, got := range map[string]book{"live": live, "history": past} {
					for id, want := range map[slo.ID]string{k.judged: judged, k.well: "11:0/20 12:0/20 13:0/20 14:0/20 15:0/20 16:0/20"} {
						if id == "" {
							continue
						}
						for m, s := range got[id] {
							switch {
							case m < m0+11:
								delete(got[id], m)
							case s.State == budget.Failed: // shown as a dash
								got[id][m] = budget.Slot{State: budget.Absent}
							case s.State == budget.Absent:
								t.Errorf("minute %d is absent", m-m0)
							}
						}
						if g := slots(got[id]); g != want {
							t.Errorf("%s of %s:\n got %s\nwant %s", id, what, g, want)
						}
					}
				}
			})
		}
	}
}
