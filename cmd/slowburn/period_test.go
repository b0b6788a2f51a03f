package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/api"
)

// A report is asked for by its period, or by a day in it.
func TestAReportIsAskedForByADay(t *testing.T) {
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		asked, sent string // the period of the newest report that was sent, "" if none was
		want        string // "" if it is refused
	}{
		{"2026-W40", "2026-W47", "2026-W40"},
		{"2026-11", "2026-W47", "2026-11"},
		{"", "2026-W47", "2026-W47"},
		{"2026-11-22", "2026-W46", "2026-W47"},
		{"yesterday", "2026-W46", "2026-W47"},
		{"8d", "2026-W47", "2026-W46"},
		{"yesterday", "2026-10", "2026-11"},
		{"2026-01-05", "2026-Q3", "2026-Q1"},
		{"yesterday", "", "2026-W47"},
		{"", "", ""},
		{"2026-W99", "2026-W47", ""},
		{"soon", "2026-W47", ""},
	} {
		asked := ""
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var data any = api.Report{Markdown: "report"}
			if strings.HasSuffix(r.URL.Path, "/reports") {
				all := []api.Report{}
				if c.sent != "" {
					all = append(all, api.Report{Period: c.sent})
				}
				data = all
			} else {
				asked = filepath.Base(r.URL.Path)
			}
			_ = json.NewEncoder(w).Encode(map[string]any{"status": "success", "data": data})
		}))
		out, errs := &strings.Builder{}, &strings.Builder{}
		e := &env{surroundings: surroundings{out: out, err: errs, now: func() time.Time { return now }, getenv: unset}, ctx: t.Context(), cli: &cli{}}
		err := (&reportCmd{client: client{URL: srv.URL}, Output: "markdown", Name: "weekly", Period: c.asked}).Run(e)
		srv.Close()
		var exit exitError
		if asked != c.want || (c.want == "") != errors.As(err, &exit) {
			t.Errorf("%q, sent %q: asked for %q, %v; want %q", c.asked, c.sent, asked, err, c.want)
		}
	}
}

// A list of incidents that people know of has times as people type them.
func TestAListOfIncidentsHasTimesAsPeopleTypeThem(t *testing.T) {
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	file := filepath.Join(t.TempDir(), "known.csv")
	if err := os.WriteFile(file, []byte("from,to\n2026-11-16T08:30:00Z,2026-11-16 09:00\nyesterday 08:30,1h\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := readLabels(file, now)
	want := []alerting.Span{
		{From: time.Date(2026, 11, 16, 8, 30, 0, 0, time.UTC), To: time.Date(2026, 11, 16, 9, 0, 0, 0, time.UTC)},
		{From: time.Date(2026, 11, 22, 8, 30, 0, 0, time.UTC), To: now.Add(-time.Hour)},
	}
	if err != nil || len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
}
