package main

import (
	"strings"
	"testing"
	"time"
)

// One reader reads the times of all commands, as people write them.
func TestTimesAsPeopleWriteThem(t *testing.T) {
	now := time.Date(2026, 11, 23, 8, 30, 20, 0, time.UTC)
	for text, want := range map[string]string{
		"now":                        "2026-11-23T08:30:20Z",
		"20m":                        "2026-11-23T08:10:20Z",
		"20m ago":                    "2026-11-23T08:10:20Z",
		"-20m":                       "2026-11-23T08:10:20Z",
		"+20m":                       "2026-11-23T08:50:20Z",
		"in 2h":                      "2026-11-23T10:30:20Z",
		"1h30m":                      "2026-11-23T07:00:20Z",
		"1.5h":                       "2026-11-23T07:00:20Z",
		"2d":                         "2026-11-21T08:30:20Z",
		"1w":                         "2026-11-16T08:30:20Z",
		"today":                      "2026-11-23T00:00:00Z",
		"yesterday":                  "2026-11-22T00:00:00Z",
		"Yesterday 23:15":            "2026-11-22T23:15:00Z",
		"08:26":                      "2026-11-23T08:26:00Z",
		"2026-11-22":                 "2026-11-22T00:00:00Z",
		"2026-11-22 08:30":           "2026-11-22T08:30:00Z",
		"2026-11-22 08:30 UTC":       "2026-11-22T08:30:00Z",
		"2026-11-22T08:30":           "2026-11-22T08:30:00Z",
		"2026-11-22 08:30:15":        "2026-11-22T08:30:15Z",
		"2026-11-22T08:30:00Z":       "2026-11-22T08:30:00Z",
		"2026-11-22T10:30:00+02:00":  "2026-11-22T08:30:00Z",
		"2026-11-22T08:30:00.500Z":   "2026-11-22T08:30:00.5Z",
		"1795422480":                 "2026-11-23T08:28:00Z",
		"2026-11-22 10:30:00 +02:00": "", "tomorrow": "", "20": "", "": "", "20 minutes": "", "25:00": "", "2026-13-01": "",
	} {
		got, err := readTime(text, now)
		if want == "" {
			if err == nil || !strings.Contains(err.Error(), "is no time") {
				t.Errorf("%q is read as %v, %v", text, got, err)
			}
			continue
		}
		if err != nil || got.UTC().Format(time.RFC3339Nano) != want {
			t.Errorf("%q is read as %v, %v, want %s", text, got, err, want)
		}
	}
}

func TestDurationsAsPeopleWriteThem(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"20m": 20 * time.Minute, "1h30m": 90 * time.Minute, "7d": 7 * 24 * time.Hour, "2w": 14 * 24 * time.Hour, "672h": 28 * 24 * time.Hour, "0s": 0,
		"-5m": -1, "5": -1, "soon": -1, "": -1,
	} {
		if got, err := readDuration(text); (err != nil) != (want < 0) || err == nil && got != want {
			t.Errorf("%q is read as %v, %v, want %v", text, got, err, want)
		}
	}
}
