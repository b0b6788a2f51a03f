package report

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/slowburn-sre/slowburn/slo"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func period(t testing.TB, s string) Period {
	t.Helper()
	p, err := ParsePeriod(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPeriodsAreReadAndWritten(t *testing.T) {
	for _, c := range []struct {
		what, text string
		good       bool
	}{
		{"a week", "2026-W47", true},
		{"the 53rd week of a long year", "2026-W53", true},
		{"no 53rd week in a short year", "2025-W53", false},
		{"a month", "2026-11", true},
		{"no thirteenth month", "2026-13", false},
		{"a quarter", "2026-Q4", true},
		{"no fifth quarter", "2026-Q5", false},
		{"a week needs two digits", "2026-W7", false},
		{"no week zero", "2026-W00", false},
		{"a year alone", "2026", false},
		{"signs are not digits", "2026-+1", false},
		{"nothing", "", false},
		{"a date", "2026-11-16", false},
	} {
		p, err := ParsePeriod(c.text)
		if (err == nil) != c.good || c.good && p.String() != c.text {
			t.Errorf("%s: %q is %v, %v", c.what, c.text, p, err)
		}
	}
}

func TestBoundsOfPeriods(t *testing.T) {
	for _, c := range []struct{ what, period, zone, from, to string }{
		{"a plain week", "2026-W47", "UTC", "2026-11-16T00:00:00Z", "2026-11-23T00:00:00Z"},
		{"a week with the spring change is an hour short", "2026-W13", "Europe/Berlin", "2026-03-22T23:00:00Z", "2026-03-29T22:00:00Z"},
		{"a week with the autumn change is an hour long", "2026-W43", "Europe/Berlin", "2026-10-18T22:00:00Z", "2026-10-25T23:00:00Z"},
		{"a half-hour change", "2026-W40", "Australia/Lord_Howe", "2026-09-27T13:30:00Z", "2026-10-04T13:00:00Z"},
		{"a southern year boundary, week 53", "2026-W53", "Australia/Lord_Howe", "2026-12-27T13:00:00Z", "2027-01-03T13:00:00Z"},
		{"the first week begins in the old year", "2025-W01", "UTC", "2024-12-30T00:00:00Z", "2025-01-06T00:00:00Z"},
		{"a month", "2026-02", "America/New_York", "2026-02-01T05:00:00Z", "2026-03-01T05:00:00Z"},
		{"a quarter over the change", "2026-Q1", "Europe/Berlin", "2025-12-31T23:00:00Z", "2026-03-31T22:00:00Z"},
		{"a day whose midnight the clock jumps over", "2018-11", "America/Sao_Paulo", "2018-11-01T03:00:00Z", "2018-12-01T02:00:00Z"},
		{"a quarter that begins in a gap", "2026-Q2", "Africa/Cairo", "2026-03-31T22:00:00Z", "2026-06-30T21:00:00Z"},
	} {
		from, to := period(t, c.period).Bounds(zone(t, c.zone))
		if got := [2]string{from.UTC().Format(time.RFC3339), to.UTC().Format(time.RFC3339)}; got != [2]string{c.from, c.to} {
			t.Errorf("%s: %v, want %s %s", c.what, got, c.from, c.to)
		}
	}
}

// Periods tile time: each instant is in exactly one, the one that PeriodOf names, and neighbours
// touch.
func TestPeriodsTileTime(t *testing.T) {
	zones := []string{"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo", "Pacific/Apia", "Asia/Kolkata", "Africa/Cairo"}
	rapid.Check(t, func(rt *rapid.T) {
		z := zone(t, rapid.SampledFrom(zones).Draw(rt, "zone"))
		kind := rapid.SampledFrom([]slo.Calendar{slo.Week, slo.Month, slo.Quarter}).Draw(rt, "kind")
		at := time.Unix(rapid.Int64Range(0, 4e9).Draw(rt, "at"), 0).In(z)
		p := PeriodOf(kind, at)
		if !p.Contains(at, z) || p.Next().Contains(at, z) || p.Prev().Contains(at, z) {
			rt.Fatalf("%v is not in %v alone", at, p)
		}
		_, end := p.Bounds(z)
		if begin, _ := p.Next().Bounds(z); !begin.Equal(end) || p.Next().Prev() != p || p.Prev().Next() != p {
			rt.Fatalf("%v and %v do not touch", p, p.Next())
		}
		if q, err := ParsePeriod(p.String()); err != nil || q != p {
			rt.Fatalf("%v reads as %v, %v", p, q, err)
		}
	})
}
