package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/internal/crontime"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/slo"
)

// DefaultName is the report that is meant where none is named. It need not be scheduled.
const DefaultName = "weekly"

// Schedule says when a report is due and what it is about. It is made by [NewSchedule].
type Schedule struct {
	crontime.Schedule              // when, and in which zone the period is
	Name              string       // of the report, "weekly"
	Kind              slo.Calendar // the period it covers: Week, Month or Quarter
	Team              string       // the owner whose SLOs it is about, "" for all
}

// NewSchedule makes the schedule of a report. Its period is derived from the report's name (a name
// with "week", "month" or "quarter" in it), or else from how far apart the runs are.
func NewSchedule(name string, when crontime.Schedule) Schedule {
	return Schedule{Schedule: when, Name: name, Kind: guess(name, when)}
}

// someYear is where a schedule is looked at to see how far apart its runs are.
var someYear = time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)

// guess derives the period from the name, or else from the longest pause among the next runs.
func guess(name string, c crontime.Schedule) slo.Calendar {
	lower := strings.ToLower(name)
	for _, kind := range []slo.Calendar{slo.Quarter, slo.Month, slo.Week} {
		if strings.Contains(lower, string(kind)) {
			return kind
		}
	}
	longest := time.Duration(0)
	for wall, i := c.NextWall(someYear), 0; i < 8; i++ {
		next := c.NextWall(wall.Add(time.Nanosecond))
		longest = max(longest, next.Sub(wall))
		wall = next
	}
	switch {
	case longest <= 14*slo.Day:
		return slo.Week
	case longest <= 62*slo.Day:
		return slo.Month
	}
	return slo.Quarter
}

// At returns when the report of a period is due: the first run after the period has ended and
// before the next one has. It is false for a period in which no run falls, as with a yearly
// schedule of a monthly report.
func (s Schedule) At(p Period) (time.Time, bool) {
	end := p.wallEnd()
	wall := s.NextWall(end)
	if wall.IsZero() || !wall.Before(p.Next().wallEnd()) {
		return time.Time{}, false
	}
	return crontime.Instant(wall, s.Zone), true
}

// Warnings names what is allowed and yet probably not meant, looking two years ahead of now.
func (s Schedule) Warnings(now time.Time) []string {
	var all []string
	if gap := s.gap(now); gap != "" {
		all = append(all, gap)
	}
	p := PeriodOf(s.Kind, now.In(s.Zone))
	at, ok := s.At(p)
	_, end := p.Bounds(s.Zone)
	limit := map[slo.Calendar]time.Duration{slo.Week: 4 * slo.Day, slo.Month: 15 * slo.Day, slo.Quarter: 46 * slo.Day}[s.Kind]
	if ok && at.Sub(end) > limit {
		all = append(all, fmt.Sprintf("the report comes %s after its %s has ended; did you mean a run near the beginning of the %s?",
			figures.Plural(int(at.Sub(end)/slo.Day), "day"), s.Kind, s.Kind))
	}
	return all
}

// gap describes the first run within two years whose time of day the clock jumps over, "" if there
// is none.
func (s Schedule) gap(now time.Time) string {
	limit := now.AddDate(2, 0, 0)
	for t := now.In(s.Zone); ; {
		_, change := t.ZoneBounds()
		if change.IsZero() || change.After(limit) {
			return ""
		}
		before, after := crontime.Wall(change.Add(-time.Nanosecond).In(s.Zone)), crontime.Wall(change.In(s.Zone))
		if wall := s.NextWall(before); after.After(before.Add(time.Second)) && !wall.IsZero() && wall.Before(after) {
			return fmt.Sprintf("on %s the clock in %s jumps over %s; that run comes at %s instead",
				figures.Day(wall), s.Zone, figures.Clock(wall), figures.Clock(after))
		}
		t = change.In(s.Zone)
	}
}

// Run is one report that is due.
type Run struct {
	Report    string    // the schedule's name
	Period    Period    // what it is about
	Scheduled time.Time // when it was to come
	Late      bool      // more than an hour ago
	Missed    []Period  // older periods that were due and not sent, oldest first; they are listed, not sent
}

// Key returns a name that is unique among all runs: "report/weekly/2026-W48". The message that is
// owed carries it.
func (r Run) Key() string { return "report/" + r.Report + "/" + r.Period.String() }

const (
	// lateAfter is how long after its time a report says that it is late.
	lateAfter = time.Hour
	// lookback is how many missed periods are listed at most: a year of weeks.
	lookback = 52
)

// Due lists the reports that are due at now, in the order of the schedules.
//
// last holds for each report the newest period that was sent; the caller stores it with the message
// that it owes. After a downtime the newest missed report is sent, once, and the older ones are
// listed with it. A report that is not in last is new, and nothing that lies in the past is owed:
// it is due only if its time came within the last hour. For it the caller stores [Schedule.Newest]
// when it first sees the schedule.
//
// A clock that is set back sends nothing again, as only a period that ends after the last one is
// due.
func Due(schedules []Schedule, last map[string]Period, now time.Time) []Run {
	var runs []Run
	for _, s := range schedules {
		newest, at, ok := s.Newest(now)
		if !ok {
			continue
		}
		sent, known := last[s.Name]
		late := now.Sub(at) > lateAfter
		if known && !newest.wallEnd().After(sent.wallEnd()) || !known && late {
			continue
		}
		run := Run{Report: s.Name, Period: newest, Scheduled: at, Late: late}
		if known {
			run.Missed = s.missed(sent, newest)
		}
		runs = append(runs, run)
	}
	return runs
}

// Newest returns the newest period whose report was due at or before now, and when that was.
func (s Schedule) Newest(now time.Time) (Period, time.Time, bool) {
	p := PeriodOf(s.Kind, now.In(s.Zone))
	for range lookback {
		p = p.Prev()
		if at, ok := s.At(p); ok && !at.After(now) {
			return p, at, true
		}
	}
	return Period{}, time.Time{}, false
}

// missed lists the periods between the last one sent and the newest one for which a run was due.
func (s Schedule) missed(sent, newest Period) []Period {
	var all []Period
	for p := newest.Prev(); len(all) < lookback && p.wallEnd().After(sent.wallEnd()); p = p.Prev() {
		if _, ok := s.At(p); ok {
			all = append([]Period{p}, all...)
		}
	}
	return all
}
