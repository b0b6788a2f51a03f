package engine_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/internal/crontime"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/report"
)

func schedule(t *testing.T, name, cron, zone string) []report.Schedule {
	t.Helper()
	when, err := crontime.Parse(cron, zone)
	if err != nil {
		t.Fatal(err)
	}
	return []report.Schedule{report.NewSchedule(name, when)}
}

// reported is the periods for which a report was sent, in order of their names.
func (w *world) reported() []string {
	w.t.Helper()
	var out []string
	for key, op := range w.told().Keys {
		if name, ok := strings.CutPrefix(key, "report/"); ok && op == outbox.Post {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

func (w *world) wantReports(want ...string) {
	w.t.Helper()
	for range 4 { // a report has a dozen replies, and a channel takes one a second
		w.deliver()
	}
	got := w.reported()
	for i := range got { // the key goes on after the period
		parts := strings.SplitN(got[i], "/", 3)
		got[i] = parts[0] + "/" + parts[1]
	}
	if !slices.Equal(got, want) {
		w.t.Errorf("reports %q, want %q", got, want)
	}
	w.checkOncePerKey()
}

// TestOneReportPerPeriod: three weeks with restarts, one of them in the very minute of the report;
// one report a week.
func TestOneReportPerPeriod(t *testing.T) {
	w := newWorldAt(t, t0.Add(-time.Hour), schedule(t, "weekly", "0 9 * * MON", "Europe/Berlin"), specsOf(promise("shop")), &service{name: "shop", load: steady(50)})
	w.pass(12 * time.Hour) // a schedule that is seen for the first time owes nothing of the past
	w.step()
	w.wantReports()
	for range 22 {
		w.pass(24 * time.Hour)
		w.step()
		w.restart()
		w.step()
	}
	w.wantReports("weekly/2026-W45", "weekly/2026-W46", "weekly/2026-W47")
}

// TestReportOverKills: killed at every step of the tick that owes the report, it still comes once.
func TestReportOverKills(t *testing.T) {
	for n := 0; n < 24; n += 2 {
		if sampled(n, 8) {
			continue
		}
		w := newWorldAt(t, t0.Add(-3*time.Minute), schedule(t, "weekly", "0 9 * * MON", "Europe/Berlin"), specsOf(promise("shop")), &service{name: "shop", load: steady(50)})
		w.step()
		reached := 0
		w.point = func(string) error {
			if reached++; reached-1 == n {
				w.kill()
				return errDead
			}
			return nil
		}
		for range 6 {
			if w.step(); w.dead {
				w.revive()
			}
		}
		w.wantReports("weekly/2026-W44")
	}
}

// TestReportAfterDowntime: slowburn is away when a report is due, for a day, or for three weeks. It
// sends the newest one, late, once.
func TestReportAfterDowntime(t *testing.T) {
	for name, tc := range map[string]struct {
		away time.Duration
		want []string
	}{
		"for a day":     {7 * 24 * time.Hour, []string{"weekly/2026-W45"}},
		"for two weeks": {15 * 24 * time.Hour, []string{"weekly/2026-W46"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorldAt(t, t0.Add(2*time.Hour), schedule(t, "weekly", "0 9 * * MON", "Europe/Berlin"), specsOf(promise("shop")), &service{name: "shop", load: steady(50)})
			w.steps(3)
			w.close()
			w.pass(tc.away)
			w.open()
			w.steps(3)
			w.wantReports(tc.want...)
		})
	}
}

// TestReportOnClockChanges: a schedule at half past two in the night, over the nights in which that
// time does not exist or comes twice.
func TestReportOnClockChanges(t *testing.T) {
	n := 0
	for name, tc := range map[string]struct {
		start time.Time
		want  []string
	}{
		"the hour is missing":     {time.Date(2026, 3, 27, 12, 0, 0, 0, time.UTC), []string{"weekly/2026-W12"}},
		"the hour comes twice":    {time.Date(2026, 10, 23, 12, 0, 0, 0, time.UTC), []string{"weekly/2026-W42"}},
		"an ordinary night":       {time.Date(2026, 11, 6, 12, 0, 0, 0, time.UTC), []string{"weekly/2026-W44"}},
		"the turn of a long year": {time.Date(2027, 1, 1, 12, 0, 0, 0, time.UTC), []string{"weekly/2026-W52"}},
	} {
		if n++; sampled(n, 4) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorldAt(t, tc.start, schedule(t, "weekly", "30 2 * * SUN", "Europe/Berlin"), specsOf(promise("shop")), &service{name: "shop", load: steady(50)})
			for n := range 140 {
				w.pass(30 * time.Minute)
				w.step()
				if n%30 == 0 {
					w.restart()
				}
			}
			w.wantReports(tc.want...)
		})
	}
}

// TestReportWaitsForItsData: Prometheus is out when the report is due, wholly or for one of the
// SLOs. It comes when the week is read, or after six hours, if it cannot be.
func TestReportWaitsForItsData(t *testing.T) {
	for name, fault := range map[string]promfake.Fault{
		"Prometheus is out":         {Do: promfake.Status(503)},
		"one SLO cannot be read":    {When: promfake.OnQuery("requests_total"), Do: promfake.Status(503)},
		"the time is not to be had": {When: promfake.OnQuery("time()"), Do: promfake.Status(503)},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorldAt(t, t0.Add(-10*time.Hour), schedule(t, "weekly", "0 9 * * MON", "Europe/Berlin"), specsOf(promise("shop")), &service{name: "shop", load: steady(50)})
			w.steps(3)
			w.db.Faults.Add(fault)
			w.pass(12 * time.Hour)
			w.steps(2)
			w.wantReports()
			w.db.Faults.Clear()
			w.steps(2)
			w.wantReports("weekly/2026-W44")
			kept, ok, err := w.store.Report(t.Context(), "weekly", "2026-W44")
			if err != nil || !ok || kept.Markdown == "" {
				t.Errorf("the store keeps %+v, %t, %v", kept, ok, err)
			}
		})
	}
	w := newWorldAt(t, t0.Add(-10*time.Hour), schedule(t, "weekly", "0 9 * * MON", "Europe/Berlin"), specsOf(promise("shop")), &service{name: "shop", load: steady(50)})
	w.steps(3)
	w.db.Faults.Add(promfake.Fault{When: promfake.OnQuery("requests_total"), Do: promfake.Status(422)})
	w.pass(17 * time.Hour)
	w.steps(2)
	w.wantReports("weekly/2026-W44")
}

// TestReportWithAWrongClock: a clock that is a week ahead sends no report of a week that is not
// over, not even while nobody can be asked for the right time.
func TestReportWithAWrongClock(t *testing.T) {
	for _, first := range []bool{true, false} {
		w := newWorldAt(t, t0.Add(2*time.Hour), schedule(t, "weekly", "0 9 * * MON", "Europe/Berlin"), specsOf(promise("shop")), &service{name: "shop", load: steady(50)})
		w.steps(3)
		if first {
			w.db.Faults.Fail(promfake.Reset())
		}
		w.wrong = 7 * 24 * time.Hour
		w.steps(3)
		w.db.Faults.Fail(promfake.Reset())
		w.steps(3)
		w.wantReports()
	}
}
