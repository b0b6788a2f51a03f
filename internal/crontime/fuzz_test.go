package crontime

import (
	"testing"
	"time"
)

// FuzzSchedule feeds Parse anything: what it accepts runs at some time, and its runs are in order
// and within what they were asked for.
func FuzzSchedule(f *testing.F) {
	for _, s := range [][2]string{{"0 2 * * SUN", ""}, {"@weekly", "Europe/Berlin"}, {"30 2 29 2 *", "Pacific/Apia"}, {"*/1 0-23/2 1,15 JAN-DEC 0-6", "Local"}, {"TZ=UTC 0 0 * * *", "../etc/passwd"}, {"@every 1ns", "x"}} {
		f.Add(s[0], s[1])
	}
	from := time.Date(2026, time.October, 24, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, cron, zone string) {
		s, err := Parse(cron, zone)
		if err != nil {
			return
		}
		last, to := from, from.AddDate(0, 1, 0)
		for n, at := range s.Between(from, to, 50) {
			if at.Before(from) || !at.Before(to) || n > 0 && !last.Before(at) {
				t.Fatalf("%q in %q runs at %v after %v", cron, zone, at, last)
			}
			last = at
		}
	})
}
