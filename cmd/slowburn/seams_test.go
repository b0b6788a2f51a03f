package main

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/slo/file"
)

// historyOf reads the history of a world as backtest does: its last 18 hours and three days before
// them by the minute, a day at a time, and what was before by the hour.
func historyOf(t *testing.T, db *promfake.DB, sli string) *budget.Ledger {
	t.Helper()
	set, err := file.Load([]file.File{{Name: "a.yaml", Data: []byte("version: slowburn/v1\nservice: api\nslos:\n  - name: x\n    objective: 99.9\n    sli: {" + sli + "}\n")}})
	must(t, err)
	ledgers, problems := readWorld(t, clientOf(t, db), set)
	if t.Log(problems); ledgers["api/x"] == nil {
		t.Fatal("there is no history")
	}
	return ledgers["api/x"]
}

// TestNoEventIsLostAtTheSeamsOfHistory: what a sample shows of the minutes before midnight, where
// the next day of history begins, or before the first minute, where hours end, is counted once,
// however far scrapes are apart and whether or not nothing was scraped over the seam.
func TestNoEventIsLostAtTheSeamsOfHistory(t *testing.T) {
	for _, sli := range []string{byCounters, byRates} {
		for _, every := range []time.Duration{30 * time.Second, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute} {
			for _, hole := range []time.Duration{0, 20 * time.Minute} {
				if hole > 0 && sli == byRates { // a rate over a hole is what Prometheus makes of it
					continue
				}
				t.Run(fmt.Sprintf("%.8s, every %s, nothing for %s", sli[15:], every, hole), func(t *testing.T) {
					t.Parallel()
					db := promfake.New(promfake.Options{Now: func() time.Time { return worldEnd }})
					requests{from: worldEnd.Add(-5 * 24 * time.Hour), every: every, lifetime: 12e3, shown: func(_ string, at time.Time) bool {
						since := at.Add(10 * time.Minute) // each hour begins in the middle of a hole
						return since.Sub(since.Truncate(time.Hour)) >= hole
					}}.write(t, db)
					from, to := worldEnd.Add(-114*time.Hour), worldEnd.Add(-30*time.Minute)
					got := float64(historyOf(t, db, sli).Sum(budget.MinuteOf(from), budget.MinuteOf(to)).Total) / budget.Unit
					want := 10.002 * to.Sub(from).Seconds()
					// The first hour has all that its first sample shows, and the last minute none
					// of the next.
					if edges := 10.002 * (every + hole).Seconds(); math.Abs(got-want) > edges {
						t.Errorf("%.0f events, want %.0f: %.0f are missing", got, want, want-got)
					}
				})
			}
		}
	}
}

// TestFirstValuesOnTheHourCount: pods are replaced on the hour, in the very millisecond with which
// a piece of history ends. Each has three errors with its first sample.
func TestFirstValuesOnTheHourCount(t *testing.T) {
	db := promfake.New(promfake.Options{Now: func() time.Time { return worldEnd }})
	const deploys, podsOfOne, perScrape, errors = 16, 5, 60, 3
	life := 6 * time.Hour
	begin := worldEnd.Add(-deploys * life)
	for deploy := range deploys {
		from := begin.Add(time.Duration(deploy) * life)
		for pod := range podsOfOne {
			for code, n := range map[string]float64{"200": perScrape, "500": 0} {
				m := metric{
					every: 30 * time.Second, from: from, start: perScrape - n,
					rate: func(time.Time) float64 { return n / 30 },
					labels: func(at time.Time) []string {
						if !at.Before(from.Add(life)) {
							return nil
						}
						return []string{"__name__", "http_requests_total", "job", "api", "instance", fmt.Sprint(deploy, "-", pod), "code", code}
					},
				}
				if code == "500" {
					m.start = errors
				}
				write(t, db, m)
			}
		}
	}
	got := historyOf(t, db, byCounters).Sum(budget.MinuteOf(begin), budget.MinuteOf(worldEnd))
	const known = deploys - 1 // nobody knows when those began that were there first
	if want := int64(known*podsOfOne*errors) * budget.Unit; got.Bad != want {
		t.Errorf("%d thousandths of bad events, want %d", got.Bad, want)
	}
	if want := int64(deploys*podsOfOne*(720*perScrape)-podsOfOne*perScrape+known*podsOfOne*errors) * budget.Unit; got.Total != want {
		t.Errorf("%d thousandths of events, want %d", got.Total, want)
	}
}
