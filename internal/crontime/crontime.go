// Package crontime reads cron expressions and walks them on the clock of a time zone.
//
// A clock on the wall skips an hour in spring and shows one twice in autumn. A cron library that is
// asked in such a zone leaves out what the clock skips and repeats what it shows twice. Here it is
// asked in UTC, where no hour is missing and none comes twice, and its answer is read as what the
// clock on the wall shows ([Instant]): every run comes exactly once, and one that is skipped comes
// at the first instant after the gap.
package crontime

import (
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// Schedule is a cron expression in a time zone. It is made by [Parse].
type Schedule struct {
	Cron string // as written
	Zone *time.Location
	cron cron.Schedule
}

// Parse reads five cron fields or a word such as @weekly, and the name of a time zone ("" is UTC).
// Schedules that can never run are refused.
func Parse(expression, zone string) (Schedule, error) {
	s := Schedule{Cron: strings.TrimSpace(expression)}
	if hint := refuse(s.Cron); hint != "" {
		return Schedule{}, fmt.Errorf("schedule %q: %s", s.Cron, hint)
	}
	var err error
	if s.Zone, err = Zone(zone); err != nil {
		return Schedule{}, err
	}
	if s.cron, err = cron.ParseStandard(s.Cron); err != nil {
		return Schedule{}, fmt.Errorf("schedule %q: %s", s.Cron, explain(s.Cron, err))
	}
	if s.NextWall(someLeapYear).IsZero() {
		return Schedule{}, fmt.Errorf("schedule %q never runs: no such day exists", s.Cron)
	}
	return s, nil
}

// someLeapYear is where the walk begins that asks whether a schedule runs at all; the parser looks
// five years ahead, which holds every day and every weekday of February 29th it can name.
var someLeapYear = time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)

// NextWall returns the first wall-clock time of the schedule at or after wall, both written as if
// they were UTC; zero if there is none within five years.
func (s Schedule) NextWall(wall time.Time) time.Time { return s.cron.Next(wall.Add(-time.Nanosecond)) }

// Between returns the runs in [from, to), oldest first, and at most that many of them.
func (s Schedule) Between(from, to time.Time, most int) []time.Time {
	var all []time.Time
	for wall := Wall(from.In(s.Zone)).Add(-widestGap); len(all) < most; wall = wall.Add(time.Nanosecond) {
		if wall = s.NextWall(wall); wall.IsZero() || !Instant(wall, s.Zone).Before(to) {
			break
		}
		if at := Instant(wall, s.Zone); !at.Before(from) {
			all = append(all, at)
		}
	}
	return all
}

// widestGap is the widest gap of any clock: a day, where a country crossed the date line. A run
// that falls into a gap comes after it, so the walk begins before it.
const widestGap = 25 * time.Hour

// refuse names what the parser would take and we do not, or would stumble over.
func refuse(expression string) string {
	switch {
	case expression == "":
		return "is empty; write for example 0 9 * * MON"
	case strings.HasPrefix(expression, "TZ=") || strings.HasPrefix(expression, "CRON_TZ="):
		return "has a time zone; write it under timezone: instead"
	case strings.HasPrefix(expression, "@every"):
		return "@every has no fixed time of day; write for example 0 9 * * MON"
	}
	return ""
}

// Zone returns the time zone of that name; "" is UTC.
func Zone(name string) (*time.Location, error) {
	if name == "" || name == "UTC" {
		return time.UTC, nil
	}
	if name == "Local" {
		return nil, fmt.Errorf("timezone %q depends on the machine; name a zone, for example Europe/Berlin", name)
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("timezone %q is not known; write for example Europe/Berlin or UTC", name)
	}
	return zone, nil
}

const fiveFields = "minute, hour, day of month, month, day of week"

// Form says how a schedule is written.
const Form = "as cron writes it: " + fiveFields

// explain says in plain words what is wrong with an expression the parser refused.
func explain(expression string, err error) string {
	fields := strings.Fields(expression)
	switch {
	case strings.HasPrefix(expression, "@"):
		return "is not known; there are @hourly, @daily, @weekly, @monthly and @yearly"
	case len(fields) == 6:
		return "has six fields; there are no seconds here, write: " + strings.Join(fields[1:], " ")
	case len(fields) != 5:
		return fmt.Sprintf("has %d fields instead of five: %s", len(fields), fiveFields)
	case strings.Contains(fields[4], "7"):
		return "day of week 7 is not known here; Sunday is 0 or SUN"
	}
	return err.Error()
}

// Instant returns when a clock in the zone first shows the wall time, or, if it skips it, the first
// instant after the gap. So every wall time is exactly one instant, and their order is kept.
func Instant(wall time.Time, zone *time.Location) time.Time {
	y, mo, d := wall.Date()
	h, mi, s := wall.Clock()
	t := time.Date(y, mo, d, h, mi, s, 0, zone)
	start, end := t.ZoneBounds()
	switch read := Wall(t); {
	case read.After(wall): // in a gap, and time.Date went forward across it
		return start
	case read.Before(wall): // in a gap, and time.Date stayed before it
		return end
	case start.IsZero():
		return t
	}
	_, before := start.Add(-time.Second).Zone()
	if earlier := wall.Add(-time.Duration(before) * time.Second); earlier.Before(start) {
		return earlier.In(zone)
	}
	return t
}

// Wall returns what a clock in t's zone shows, written as if it were UTC.
func Wall(t time.Time) time.Time {
	_, offset := t.Zone()
	return t.UTC().Add(time.Duration(offset) * time.Second)
}
