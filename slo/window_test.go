package slo

import (
	"testing"
	"time"
	_ "time/tzdata"

	"pgregory.net/rapid"
)

func zone(t interface{ Fatal(...any) }, name string) *time.Location {
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestCalendarWindowsAcrossClockChanges(t *testing.T) {
	for _, c := range []struct {
		name             string
		calendar         Calendar
		zone, at         string
		start, reset     string // local, with offset
		hoursInTheWindow float64
	}{
		{"a spring month in Berlin lacks an hour", Month, "Europe/Berlin", "2026-03-15T12:00:00Z", "2026-03-01T00:00:00+01:00", "2026-04-01T00:00:00+02:00", 31*24 - 1},
		{"an autumn month in Berlin has an hour more", Month, "Europe/Berlin", "2026-10-15T12:00:00Z", "2026-10-01T00:00:00+02:00", "2026-11-01T00:00:00+01:00", 31*24 + 1},
		{"a week with the spring change in New York", Week, "America/New_York", "2026-03-08T12:00:00Z", "2026-03-02T00:00:00-05:00", "2026-03-09T00:00:00-04:00", 7*24 - 1},
		{"a week with the autumn change in New York", Week, "America/New_York", "2026-11-01T12:00:00Z", "2026-10-26T00:00:00-04:00", "2026-11-02T00:00:00-05:00", 7*24 + 1},
		{"Lord Howe changes by half an hour in April", Month, "Australia/Lord_Howe", "2026-04-20T00:00:00Z", "2026-04-01T00:00:00+11:00", "2026-05-01T00:00:00+10:30", 30*24 + 0.5},
		{"Lord Howe changes by half an hour in October", Month, "Australia/Lord_Howe", "2026-10-20T00:00:00Z", "2026-10-01T00:00:00+10:30", "2026-11-01T00:00:00+11:00", 31*24 - 0.5},
		{"the first quarter in Berlin", Quarter, "Europe/Berlin", "2026-02-01T00:00:00Z", "2026-01-01T00:00:00+01:00", "2026-04-01T00:00:00+02:00", 90*24 - 1},
		{"the last quarter in New York", Quarter, "America/New_York", "2026-12-31T23:59:59Z", "2026-10-01T00:00:00-04:00", "2027-01-01T00:00:00-05:00", 92*24 + 1},
		{"a year has its two changes", Year, "Europe/Berlin", "2026-07-01T00:00:00Z", "2026-01-01T00:00:00+01:00", "2027-01-01T00:00:00+01:00", 365 * 24},
		{"a leap year", Year, "UTC", "2028-02-29T12:00:00Z", "2028-01-01T00:00:00Z", "2029-01-01T00:00:00Z", 366 * 24},
		{"the instant of a reset belongs to the new month", Month, "Europe/Berlin", "2026-03-31T22:00:00Z", "2026-04-01T00:00:00+02:00", "2026-05-01T00:00:00+02:00", 30 * 24},
		{"a second before it belongs to the old one", Month, "Europe/Berlin", "2026-03-31T21:59:59Z", "2026-03-01T00:00:00+01:00", "2026-04-01T00:00:00+02:00", 31*24 - 1},
		{"a Sunday belongs to the week before", Week, "UTC", "2026-11-22T23:59:59Z", "2026-11-16T00:00:00Z", "2026-11-23T00:00:00Z", 7 * 24},
		{"a Monday starts a week", Week, "UTC", "2026-11-23T00:00:00Z", "2026-11-23T00:00:00Z", "2026-11-30T00:00:00Z", 7 * 24},
		{"a month whose first midnight does not exist", Month, "America/Asuncion", "2017-10-15T00:00:00Z", "2017-10-01T01:00:00-03:00", "2017-11-01T00:00:00-03:00", 31*24 - 1},
		{"the month before it ends at the jump", Month, "America/Asuncion", "2017-09-15T00:00:00Z", "2017-09-01T00:00:00-04:00", "2017-10-01T01:00:00-03:00", 30 * 24},
	} {
		t.Run(c.name, func(t *testing.T) {
			at, _ := time.Parse(time.RFC3339, c.at)
			w := Window{Calendar: c.calendar, Zone: zone(t, c.zone)}
			start, reset := w.periodStart(at), w.Reset(at)
			if got := w.Start(at); !got.Equal(start.Truncate(time.Hour)) {
				t.Errorf("the ledger's window starts at %s, want the whole hour of %s", got, start)
			}
			if got := start.Format(time.RFC3339); got != c.start {
				t.Errorf("starts %s, want %s", got, c.start)
			}
			if got := reset.Format(time.RFC3339); got != c.reset {
				t.Errorf("resets %s, want %s", got, c.reset)
			}
			if got := reset.Sub(start).Hours(); got != c.hoursInTheWindow {
				t.Errorf("has %v hours, want %v", got, c.hoursInTheWindow)
			}
		})
	}
}

// Whatever the zone and the time: a window contains its time, and windows follow each other without
// gap or overlap.
func TestCalendarWindowsTileTime(t *testing.T) {
	zones := []string{
		"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Asuncion", "America/Havana",
		"America/Sao_Paulo", "Africa/Cairo", "Asia/Beirut", "Asia/Kathmandu", "Pacific/Apia", "Atlantic/Azores",
	}
	rapid.Check(t, func(t *rapid.T) {
		w := Window{
			Calendar: rapid.SampledFrom([]Calendar{Week, Month, Quarter, Year}).Draw(t, "calendar"),
			Zone:     zone(t, rapid.SampledFrom(zones).Draw(t, "zone")),
		}
		at := time.Unix(rapid.Int64Range(0, 2_000_000_000).Draw(t, "at"), 0)
		start, reset := w.periodStart(at), w.Reset(at)
		if start.After(at) || !reset.After(at) {
			t.Fatalf("%s: %s is not in [%s, %s)", w, at, start, reset)
		}
		if !w.periodStart(reset).Equal(reset) || !w.periodStart(reset.Add(-time.Second)).Equal(start) {
			t.Fatalf("%s: windows overlap or leave a gap at %s: %s", w, reset, w.periodStart(reset))
		}
	})
}

func TestRollingWindows(t *testing.T) {
	w := Window{Rolling: 28 * Day}
	at := time.Date(2026, 11, 22, 10, 59, 30, 0, time.UTC)
	if got, want := w.Start(at), time.Date(2026, 10, 25, 10, 0, 0, 0, time.UTC); !got.Equal(want) {
		t.Errorf("a rolling window starts at %s, want the whole hour %s", got, want)
	}
	if !w.Reset(at).IsZero() {
		t.Error("a rolling window never resets")
	}
}

func TestDurationsAreWrittenShort(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 5 * time.Minute: "5m", 90 * time.Minute: "1h30m", 28 * Day: "28d", 300 * time.Millisecond: "300ms",
		Day + time.Second: "1d1s",
	} {
		if got := ShortDuration(d); got != want {
			t.Errorf("ShortDuration(%d) = %s, want %s", d, got, want)
		}
	}
}
