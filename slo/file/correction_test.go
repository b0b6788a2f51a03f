package file

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/slowburn-sre/slowburn/slo"
	"github.com/slowburn-sre/slowburn/slo/lint"
)

// corrected loads one correction of everything with these keys.
func corrected(t *testing.T, keys string) *slo.Correction {
	t.Helper()
	set, err := Load([]File{{Name: "c.yaml", Data: []byte("version: slowburn/v1\ncorrections:\n- {name: a, kind: maintenance, author: x, reason: y, slos: ['*'], " + keys + "}\n")}})
	if err != nil {
		t.Fatal(err)
	}
	return set.Corrections[0]
}

func TestWhenACorrectionHolds(t *testing.T) {
	for _, c := range []struct{ name, keys, want string }{
		{"a time without a zone is in UTC", "from: 2026-11-20 22:00, to: 2026-11-21", "2026-11-20T22:00/2026-11-21T00:00"},
		{"a time is read in the correction's zone", "from: 2026-11-20 22:00, to: 2026-11-21T00:30, timezone: Europe/Berlin", "2026-11-20T21:00/2026-11-20T23:30"},
		{"an offset is kept", "from: 2026-11-20T22:00+05:30, to: 2026-11-20T22:00:00Z, timezone: Europe/Berlin", "2026-11-20T16:30/2026-11-20T22:00"},
		{"every Sunday", "schedule: 0 2 * * SUN, duration: 2h, from: 2026-11-01, expires: 2026-11-15", "2026-11-01T02:00/2026-11-01T04:00 2026-11-08T02:00/2026-11-08T04:00"},
		{"local time over a change of the clock", "schedule: 30 2 * * SUN, duration: 1h, from: 2026-10-18, expires: 2026-11-02, timezone: Europe/Berlin", "2026-10-18T00:30/2026-10-18T01:30 2026-10-25T00:30/2026-10-25T01:30 2026-11-01T01:30/2026-11-01T02:30"},
		{"runs that touch are one", "schedule: 0 * * * *, duration: 60m, from: 2026-11-01, expires: 2026-11-01 03:00", "2026-11-01T00:00/2026-11-01T03:00"},
		{"runs that overlap are one", "schedule: '0 0,1 * * *', duration: 3h, from: 2026-11-01, expires: 2026-11-01 03:30", "2026-11-01T00:00/2026-11-01T03:30"},
		{"the last run ends when it expires", "schedule: 0 2 * * *, duration: 2h, from: 2026-11-01 12:00, expires: 2026-11-02 03:00", "2026-11-02T02:00/2026-11-02T03:00"},
	} {
		var got []string
		for _, s := range corrected(t, c.keys).Spans {
			got = append(got, s.From.Format("2006-01-02T15:04")+"/"+s.To.Format("2006-01-02T15:04"))
		}
		if diff := cmp.Diff(c.want, strings.Join(got, " ")); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

func TestTheDocumentedCorrectionsAreGood(t *testing.T) {
	text, err := os.ReadFile("../../docs/corrections.md")
	if err != nil {
		t.Fatal(err)
	}
	_, example, _ := strings.Cut(string(text), "```yaml\n")
	example, _, _ = strings.Cut(example, "```")
	set, err := Load([]File{{Name: "docs", Data: []byte(example)}})
	if err != nil || len(set.Corrections) != 2 || len(set.Warnings) > 0 {
		t.Fatal(err, set)
	}
}

func TestWhatACorrectionIsAbout(t *testing.T) {
	for _, c := range []struct {
		pattern string
		id      slo.ID
		want    bool
	}{
		{"*", "a/b", true},
		{"a/*", "a/b", true},
		{"a/*", `a/b{route="/"}`, true},
		{"a/*", "ab/b", false},
		{"a/b", "a/b", true},
		{"a/b", `a/b{route="/"}`, true},
		{"a/b", "a/bc", false},
		{`a/b{route="/"}`, `a/b{route="/"}`, true},
		{`a/b{route="/"}`, `a/b{route="/x"}`, false},
		{`a/b{route="/"}`, "a/b", false},
	} {
		if got := (&slo.Correction{SLOs: []string{c.pattern}}).Covers(c.id); got != c.want {
			t.Errorf("%s covers %s: %v", c.pattern, c.id, got)
		}
	}
}

func TestARecurringCorrectionSaysWhenItHasExpired(t *testing.T) {
	c := corrected(t, "schedule: 0 2 * * SUN, duration: 2h, from: 2026-11-01, expires: 2026-12-01")
	once := corrected(t, "from: 2026-11-01, to: 2026-11-02")
	set := &slo.Set{Corrections: []*slo.Correction{c, once}}
	if ps := set.Expired(c.Expires.Add(-time.Minute)); len(ps) > 0 {
		t.Error(ps)
	}
	if ps := set.Expired(c.Expires); len(ps) != 1 || ps[0].ID != "correction-expired" || lint.Named(ps[0].ID) == nil {
		t.Error(ps)
	}
	if until, ok := c.Runs(time.Date(2026, 11, 8, 3, 0, 0, 0, time.UTC)); !ok || until.Hour() != 4 {
		t.Error(until, ok)
	}
	if _, ok := c.Runs(time.Date(2026, 11, 8, 4, 0, 0, 0, time.UTC)); ok {
		t.Error("it runs at its end")
	}
}

func TestTheDensestWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var spans []slo.Span
		at, text := time.Unix(0, 0), ""
		for range rapid.IntRange(1, 8).Draw(t, "spans") {
			at = at.Add(time.Duration(rapid.IntRange(1, 30).Draw(t, "pause")) * time.Minute)
			s := slo.Span{From: at, To: at.Add(time.Duration(rapid.IntRange(1, 30).Draw(t, "length")) * time.Minute)}
			spans, at, text = append(spans, s), s.To, text+fmt.Sprint(s.From.Unix()/60, "-", s.To.Unix()/60, " ")
		}
		window := time.Duration(rapid.IntRange(1, 200).Draw(t, "window")) * time.Minute
		most := time.Duration(0)
		for start := time.Unix(0, 0).Add(-window); start.Before(at); start = start.Add(time.Minute) {
			sum := time.Duration(0)
			for m := start; m.Before(start.Add(window)); m = m.Add(time.Minute) {
				for _, s := range spans {
					if !m.Before(s.From) && m.Before(s.To) {
						sum += time.Minute
					}
				}
			}
			most = max(most, sum)
		}
		if got := densest(spans, window); got != most {
			t.Fatalf("%s: the most in %s is %s, want %s", text, window, got, most)
		}
	})
}
