package crontime

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func zoneOf(t *testing.T, name string) *time.Location {
	t.Helper()
	z, err := Zone(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// Every wall time is one instant, in the same order, and it shows that time unless the clock skips
// it.
func TestInstantsKeepTheOrderOfTheWallClock(t *testing.T) {
	zones := []string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "America/Sao_Paulo"}
	rapid.Check(t, func(rt *rapid.T) {
		z := zoneOf(t, rapid.SampledFrom(zones).Draw(rt, "zone"))
		around := time.Date(rapid.IntRange(2005, 2030).Draw(rt, "year"), time.Month(rapid.IntRange(1, 12).Draw(rt, "month")), 1, 0, 0, 0, 0, z)
		if _, change := around.ZoneBounds(); !change.IsZero() {
			around = change
		}
		wall := Wall(around).Add(time.Duration(rapid.IntRange(-200, 200).Draw(rt, "minutes")) * time.Minute)
		a, b := Instant(wall, z), Instant(wall.Add(time.Minute), z)
		if a.After(b) {
			rt.Fatalf("%v comes before %v", b, a)
		}
		if shown := Wall(a); shown.Before(wall) {
			rt.Fatalf("%v is shown as %v", wall, shown)
		}
		if Wall(a.Add(-time.Hour)).Equal(wall) || Wall(a.Add(-30*time.Minute)).Equal(wall) {
			rt.Fatalf("%v was shown before %v", wall, a)
		}
	})
}

func TestRunsComeOnceOverBothChangesOfTheClock(t *testing.T) {
	for _, c := range []struct{ name, cron, zone, from, to, want string }{
		{"a plain day", "0 2 * * *", "UTC", "2026-11-01T00:00:00Z", "2026-11-03T00:00:00Z", "2026-11-01T02:00:00Z 2026-11-02T02:00:00Z"},
		{"from counts and to does not", "0 2 * * *", "UTC", "2026-11-01T02:00:00Z", "2026-11-02T02:00:00Z", "2026-11-01T02:00:00Z"},
		{"an hour that is skipped comes after the gap", "30 2 * * *", "Europe/Berlin", "2027-03-27T12:00:00Z", "2027-03-28T12:00:00Z", "2027-03-28T01:00:00Z"},
		{"an hour that is shown twice comes once", "30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T12:00:00Z", "2026-10-25T00:30:00Z"},
		{"weekdays and Sundays, one of which has no such hour", "0 2 * * 0-5", "America/New_York", "2022-03-12T17:00:00Z", "2022-03-15T17:00:00Z", "2022-03-13T07:00:00Z 2022-03-14T06:00:00Z 2022-03-15T06:00:00Z"},
		{"an hour that is shown twice, in the days around it", "30 1 * * *", "America/New_York", "2022-11-05T16:00:00Z", "2022-11-08T16:00:00Z", "2022-11-06T05:30:00Z 2022-11-07T06:30:00Z 2022-11-08T06:30:00Z"},
		{"a day that begins at one", "0 0 * * *", "America/Santiago", "2022-09-10T16:00:00Z", "2022-09-13T16:00:00Z", "2022-09-11T04:00:00Z 2022-09-12T03:00:00Z 2022-09-13T03:00:00Z"},
		{"a day that never was", "0 9 * * *", "Pacific/Apia", "2011-12-30T10:00:00Z", "2011-12-31T00:00:00Z", "2011-12-30T10:00:00Z 2011-12-30T19:00:00Z"},
		{"nothing falls between", "0 2 1 1 *", "UTC", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z", ""},
	} {
		s, err := Parse(c.cron, c.zone)
		if err != nil {
			t.Fatal(err)
		}
		from, _ := time.Parse(time.RFC3339, c.from)
		to, _ := time.Parse(time.RFC3339, c.to)
		var got []string
		for _, at := range s.Between(from, to, 100) {
			got = append(got, at.UTC().Format(time.RFC3339))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %v, want %s", c.name, got, c.want)
		}
	}
}

func TestSchedulesThatAreRefused(t *testing.T) {
	for _, c := range []struct{ what, cron, zone, want string }{
		{"a day that never comes", "0 9 31 2 *", "", "never runs"},
		{"a list with nothing in it", "0 9 , * *", "", "never runs"},
		{"Sunday as seven", "0 9 * * 7", "", "Sunday is 0 or SUN"},
		{"six fields", "0 0 9 * * MON", "", "no seconds here, write: 0 9 * * MON"},
		{"four fields", "0 9 * *", "", "4 fields instead of five"},
		{"nothing", " ", "", "is empty"},
		{"an interval without an anchor", "@every 1h", "", "no fixed time of day"},
		{"a zone in the expression", "TZ=Europe/Berlin 0 9 * * MON", "", "under timezone:"},
		{"a zone and nothing else", "CRON_TZ=UTC", "", "under timezone:"},
		{"a word that does not exist", "@fortnightly", "", "@weekly"},
		{"an hour that does not exist", "0 25 * * *", "", "above maximum"},
		{"a zone that does not exist", "0 9 * * MON", "Europe/Berlinn", "write for example Europe/Berlin"},
		{"the machine's zone", "0 9 * * MON", "Local", "depends on the machine"},
	} {
		_, err := Parse(c.cron, c.zone)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q in it", c.what, err, c.want)
		}
	}
}
