package slo

import (
	"fmt"
	"time"
)

// Day is 24 hours. Rolling windows are made of such days; calendar windows are not.
const Day = 24 * time.Hour

// Calendar is the length of a calendar window.
type Calendar string

// The calendar windows.
const (
	Week    Calendar = "week" // from Monday
	Month   Calendar = "month"
	Quarter Calendar = "quarter"
	Year    Calendar = "year"
)

// Window is the time over which an objective is promised: either the last days (Rolling) or the
// current calendar period in a time zone. Exactly one of Rolling and Calendar is set.
type Window struct {
	Rolling  time.Duration
	Calendar Calendar
	Zone     *time.Location // of a calendar window; UTC if it was not given
}

// Length returns the window's nominal length: of a calendar window 7, 30, 91 or 365 days. It turns
// shares of a budget into burn rates, so that a threshold does not wander with the month.
func (w Window) Length() time.Duration {
	switch w.Calendar {
	case Week:
		return 7 * Day
	case Month:
		return 30 * Day
	case Quarter:
		return 91 * Day
	case Year:
		return 365 * Day
	}
	return w.Rolling
}

// Start returns the first instant that belongs to the window at time t, rounded down to a whole
// hour in UTC: the ledger thins minutes to hours with age, and no figure may depend on whether it
// already has. (Calendar periods begin on a whole hour anyway, but for the few zones that are half
// an hour off.)
func (w Window) Start(t time.Time) time.Time {
	if w.Calendar == "" {
		return t.Add(-w.Rolling).Truncate(time.Hour)
	}
	return w.periodStart(t).Truncate(time.Hour)
}

// Reset returns when the budget of a calendar window starts anew, strictly after t. For a rolling
// window it is the zero time: a rolling budget never resets, errors age out of it.
func (w Window) Reset(t time.Time) time.Time {
	if w.Calendar == "" {
		return time.Time{}
	}
	start := w.periodStart(t)
	y, m, d := start.Date()
	switch w.Calendar {
	case Week:
		d += 7
	case Month:
		m++
	case Quarter:
		m += 3
	case Year:
		y++
	}
	return midnight(y, m, d, w.Location())
}

func (w Window) periodStart(t time.Time) time.Time {
	y, m, d := t.In(w.Location()).Date()
	switch w.Calendar {
	case Week:
		d -= (int(time.Date(y, m, d, 12, 0, 0, 0, time.UTC).Weekday()) + 6) % 7
	case Month:
		d = 1
	case Quarter:
		m, d = m-(m-1)%3, 1
	case Year:
		m, d = 1, 1
	}
	return midnight(y, m, d, w.Location())
}

// midnight returns the first instant of a day. Where a clock change falls on midnight, that is not
// always 00:00: the hour may be missing, or come twice.
func midnight(y int, m time.Month, d int, zone *time.Location) time.Time {
	day := time.Date(y, m, d, 12, 0, 0, 0, zone).Day()
	t := time.Date(y, m, d, 0, 0, 0, 0, zone)
	if t.Day() != day { // there is no 00:00; the day begins when the clock jumps
		_, t = t.ZoneBounds()
		return t
	}
	for _, back := range []time.Duration{30 * time.Minute, time.Hour} {
		if earlier := t.Add(-back); earlier.Day() == day {
			return earlier // 00:00 comes twice; this is the first one
		}
	}
	return t
}

// Location returns the time zone of the window, UTC if it was not given.
func (w Window) Location() *time.Location {
	if w.Zone == nil {
		return time.UTC
	}
	return w.Zone
}

// String names the window as people say it: "28d", "month (Europe/Berlin)".
func (w Window) String() string {
	switch {
	case w.Calendar != "" && w.Location() != time.UTC:
		return fmt.Sprintf("%s (%s)", w.Calendar, w.Location())
	case w.Calendar != "":
		return string(w.Calendar)
	}
	return ShortDuration(w.Rolling)
}

// ShortDuration writes a duration the way Prometheus users do: 90d, 6h, 1h30m, 5m, 30s.
func ShortDuration(d time.Duration) string {
	if d == 0 {
		return "0s"
	}
	s := ""
	for _, u := range []struct {
		name string
		size time.Duration
	}{{"d", Day}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}, {"ms", time.Millisecond}} {
		if n := d / u.size; n > 0 {
			s += fmt.Sprintf("%d%s", n, u.name)
			d -= n * u.size
		}
	}
	return s
}
