package report

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/slowburn-sre/slowburn/internal/crontime"
	"github.com/slowburn-sre/slowburn/slo"
)

func schedule(t testing.TB, name, cron, zone string) Schedule {
	t.Helper()
	when, err := crontime.Parse(cron, zone)
	if err != nil {
		t.Fatal(err)
	}
	return NewSchedule(name, when)
}

func TestPeriodIsGuessed(t *testing.T) {
	for _, c := range []struct {
		what, name, cron string
		want             slo.Calendar
	}{
		{"by the name", "quarterly", "0 9 * * MON", slo.Quarter},
		{"a weekly run", "leads", "0 9 * * MON", slo.Week},
		{"a daily run covers weeks", "leads", "0 9 * * *", slo.Week},
		{"a monthly run", "leads", "0 9 1 * *", slo.Month},
		{"a run in each quarter", "leads", "0 9 1 1,4,7,10 *", slo.Quarter},
		{"a word", "leads", "@monthly", slo.Month},
	} {
		if got := schedule(t, c.name, c.cron, "").Kind; got != c.want {
			t.Errorf("%s: %s, want %s", c.what, got, c.want)
		}
	}
}

// When the report of a period comes, around every kind of clock change.
func TestReportsAroundClockChanges(t *testing.T) {
	for _, c := range []struct{ what, cron, zone, period, want string }{
		{"a plain Monday", "0 9 * * MON", "Europe/Berlin", "2026-W47", "2026-11-23T09:00:00+01:00"},
		{"Berlin spring: the hour does not exist, so the first instant after it", "30 2 * * SUN", "Europe/Berlin", "2026-W12", "2026-03-29T03:00:00+02:00"},
		{"Berlin autumn: the hour comes twice, so the first of them", "30 2 * * SUN", "Europe/Berlin", "2026-W42", "2026-10-25T02:30:00+02:00"},
		{"New York spring", "30 2 * * SUN", "America/New_York", "2026-W09", "2026-03-08T03:00:00-04:00"},
		{"New York autumn", "30 1 * * SUN", "America/New_York", "2026-W43", "2026-11-01T01:30:00-04:00"},
		{"Lord Howe spring: half an hour is missing", "15 2 * * SUN", "Australia/Lord_Howe", "2026-W39", "2026-10-04T02:30:00+11:00"},
		{"Lord Howe autumn: half an hour comes twice", "45 1 * * SUN", "Australia/Lord_Howe", "2026-W13", "2026-04-05T01:45:00+11:00"},
		{"week 53 at a southern New Year", "0 9 * * MON", "Australia/Lord_Howe", "2026-W53", "2027-01-04T09:00:00+11:00"},
		{"the week after it is the first of its year", "0 9 * * MON", "Australia/Lord_Howe", "2027-W01", "2027-01-11T09:00:00+11:00"},
		{"midnight at the very end of the period", "0 0 * * MON", "Europe/Berlin", "2026-W12", "2026-03-23T00:00:00+01:00"},
		{"a month by a weekly schedule: the first Monday", "0 9 * * MON", "UTC", "2026-10", "2026-11-02T09:00:00Z"},
		{"a quarter", "0 9 1 * *", "UTC", "2026-Q3", "2026-10-01T09:00:00Z"},
	} {
		s, p := schedule(t, "x", c.cron, c.zone), period(t, c.period)
		s.Kind = p.Kind
		at, ok := s.At(p)
		if got := at.Format(time.RFC3339); !ok || got != c.want {
			t.Errorf("%s: %s, want %s", c.what, got, c.want)
		}
	}
}

func TestCatchUp(t *testing.T) {
	weekly := schedule(t, "weekly", "0 9 * * MON", "Europe/Berlin")
	monday := time.Date(2026, 11, 23, 9, 0, 0, 0, weekly.Zone)
	for _, c := range []struct {
		what   string
		last   string // "" is never
		now    time.Time
		want   string // "" is nothing due
		late   bool
		missed string
	}{
		{"a second before its time nothing is due", "2026-W46", monday.Add(-time.Second), "", false, ""},
		{"at its time it is due", "2026-W46", monday, "2026-W47", false, ""},
		{"once it was sent it is not due again", "2026-W47", monday.Add(time.Minute), "", false, ""},
		{"an hour later it is not late yet", "2026-W46", monday.Add(time.Hour), "2026-W47", false, ""},
		{"after a day of downtime it comes late", "2026-W46", monday.Add(24 * time.Hour), "2026-W47", true, ""},
		{"after a month the newest comes and the others are listed", "2026-W43", monday.Add(48 * time.Hour), "2026-W47", true, "2026-W44 2026-W45 2026-W46"},
		{"a new report owes nothing of the past", "", monday.Add(2 * time.Hour), "", false, ""},
		{"a new report whose time is now is due", "", monday.Add(time.Minute), "2026-W47", false, ""},
		{"a clock set back sends nothing again", "2026-W47", monday.AddDate(0, 0, -10), "", false, ""},
		{"a record of a month is honoured by a weekly report", "2026-11", monday, "", false, ""},
	} {
		last := map[string]Period{}
		if c.last != "" {
			last["weekly"] = period(t, c.last)
		}
		got, late, missed := "", false, ""
		for _, r := range Due([]Schedule{weekly}, last, c.now) {
			got, late = r.Period.String(), r.Late
			for _, p := range r.Missed {
				missed += " " + p.String()
			}
			if want := "report/weekly/" + got; r.Key() != want || !r.Scheduled.Equal(monday) {
				t.Errorf("%s: %s at %v", c.what, r.Key(), r.Scheduled)
			}
		}
		if diff := cmp.Diff([]any{c.want, c.late, c.missed}, []any{got, late, strings.TrimSpace(missed)}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.what, diff)
		}
	}
	if p, _, ok := weekly.Newest(monday.Add(-time.Second)); !ok || p != period(t, "2026-W46") {
		t.Errorf("the newest is %v", p)
	}
}

// Whatever the schedule, the zone, the ticks and the downtimes: no period comes twice or out of
// order, each due period is sent or listed as missed, and while the program runs each comes at the
// first tick after its time.
func TestEachPeriodComesOnce(t *testing.T) {
	crons := []string{"30 2 * * SUN", "0 9 * * MON", "*/10 * * * *", "30 1 * * *", "0 0 * * MON", "15 2 1 * *", "0 3 29 2,3 *"}
	zones := []string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe"}
	rapid.Check(t, func(rt *rapid.T) {
		s := schedule(t, "x", rapid.SampledFrom(crons).Draw(rt, "cron"), rapid.SampledFrom(zones).Draw(rt, "zone"))
		s.Kind = rapid.SampledFrom([]slo.Calendar{slo.Week, slo.Month}).Draw(rt, "kind")
		now := time.Unix(rapid.Int64Range(1.7e9, 1.9e9).Draw(rt, "start"), 0)
		first, _, ok := s.Newest(now)
		if !ok {
			first = PeriodOf(s.Kind, now.In(s.Zone)).Prev()
		}
		last, seen := map[string]Period{"x": first}, map[Period]bool{}
		for range 60 {
			pause := rapid.SampledFrom([]time.Duration{time.Minute, time.Hour, 20 * time.Hour, 400 * time.Hour}).Draw(rt, "pause")
			before := now
			now = now.Add(pause)
			for _, r := range Due([]Schedule{s}, last, now) {
				if seen[r.Period] || r.Scheduled.After(now) || !r.Scheduled.After(before) {
					rt.Fatalf("%v at %v, scheduled %v", r.Period, now, r.Scheduled)
				}
				_, end := r.Period.Bounds(s.Zone)
				if r.Scheduled.Before(end) {
					rt.Fatalf("%v is due at %v, before it ends", r.Period, r.Scheduled)
				}
				for _, p := range append(r.Missed, r.Period) {
					seen[p], last["x"] = true, p
				}
			}
		}
		for p := first.Next(); ; p = p.Next() {
			at, ok := s.At(p)
			if _, end := p.Bounds(s.Zone); end.After(now) {
				break
			}
			if ok && !at.After(now) != seen[p] {
				rt.Fatalf("%v, due %v, was sent: %v", p, at, seen[p])
			}
		}
	})
}

func TestWarnings(t *testing.T) {
	now := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	for _, c := range []struct{ what, cron, zone, want string }{
		{"a time the clock jumps over", "30 2 * * SUN", "Europe/Berlin", "on 2027-03-28 the clock in Europe/Berlin jumps over 02:30; that run comes at 03:00 instead"},
		{"a run at the end of the week is a week late", "0 18 * * SUN", "UTC", "6 days after its week has ended"},
		{"a time the clock shows twice needs no warning", "30 1 * * MON", "America/New_York", ""},
		{"a Monday morning is fine", "0 9 * * MON", "Europe/Berlin", ""},
		{"a Monday night is not touched by a change on Sunday", "30 2 * * MON", "Europe/Berlin", ""},
		{"the first moment after the gap is not in it", "0 3 * * TUE,SUN", "Europe/Berlin", ""},
		{"half an hour is jumped over", "15 2 * * *", "Australia/Lord_Howe", "jumps over 02:15; that run comes at 02:30"},
	} {
		got := strings.Join(schedule(t, "weekly", c.cron, c.zone).Warnings(now), "; ")
		if c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", c.what, got, c.want)
		}
	}
}
