package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake/promtest"
	"github.com/slowburn-sre/slowburn/internal/fake/shop"
)

// suggestStage is a shop to make suggestions about, and a folder without a configuration.
type suggestStage struct {
	url, dir string
	out      bytes.Buffer
	env      *env
}

// newSuggestStage fills the shop with so much history.
func newSuggestStage(t *testing.T, history time.Duration) *suggestStage {
	t.Helper()
	live := time.Date(2026, 11, 18, 14, 0, 0, 0, time.UTC)
	db := promfake.New(promfake.Options{Now: func() time.Time { return live }})
	if history > 0 {
		shop.NewWithHistory(1, db, live, history).Fill(live)
	}
	s := &suggestStage{url: promtest.Serve(t, db.Handler()), dir: t.TempDir()}
	around := surroundings{out: &s.out, err: &s.out, getenv: unset, now: func() time.Time { return live }}
	s.env = &env{surroundings: around, ctx: context.Background(), cli: &cli{ConfigFile: filepath.Join(s.dir, "slowburn.yaml")}}
	return s
}

func (s *suggestStage) run(c suggestCmd) (code int, printed string) {
	s.out.Reset()
	if c.Prometheus == "" {
		c.Prometheus = s.url
	}
	code = exitCode(c.Run(s.env), &s.out)
	return code, s.out.String()
}

// Two days are enough for every kind of SLO, and quickly made.
const suggestHistory = 2*24*time.Hour + 2*time.Hour

func TestSuggestionsPassTheStrictCheck(t *testing.T) {
	s := newSuggestStage(t, suggestHistory)
	slos := filepath.Join(s.dir, "slos")
	if code, printed := s.run(suggestCmd{OutputDir: slos}); code != exitGood || !strings.Contains(printed, "checkout.yaml written") {
		t.Fatalf("exit code %d:\n%s", code, printed)
	}
	files, err := filepath.Glob(filepath.Join(slos, "*.yaml"))
	if err != nil || len(files) != 5 {
		t.Fatalf("%d files, want one for each of the five services: %v", len(files), files)
	}
	s.out.Reset()
	check := &checkCmd{Paths: []string{slos}, Strict: true, Prometheus: s.url}
	if code := exitCode(check.Run(s.env), &s.out); code != exitGood {
		t.Errorf("check --strict --prometheus.url says:\n%s", s.out.String())
	}

	mine := filepath.Join(slos, "checkout.yaml")
	if err := os.WriteFile(mine, []byte("# mine\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, printed := s.run(suggestCmd{OutputDir: slos})
	if data, err := os.ReadFile(mine); err != nil || string(data) != "# mine\n" || !strings.Contains(printed, "exists and is left alone") {
		t.Errorf("a file that was there has changed: %q, %v\n%s", data, err, printed)
	}
}

func TestSuggestionsCanBePrinted(t *testing.T) {
	s := newSuggestStage(t, suggestHistory)
	code, printed := s.run(suggestCmd{Service: "web|partners"})
	if code != exitGood || strings.Count(printed, "\nservice: ") != 2 {
		t.Fatalf("exit code %d:\n%s", code, printed)
	}
	file := filepath.Join(s.dir, "all.yaml")
	if err := os.WriteFile(file, []byte(printed), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := (&checkCmd{Paths: []string{file}, Strict: true}).Run(s.env); err != nil {
		t.Errorf("what was printed is no SLO file: %v\n%s", err, printed)
	}
}

func TestSuggestLeavesTheConfiguredSLOsAlone(t *testing.T) {
	s := newSuggestStage(t, suggestHistory)
	for name, text := range map[string]string{
		"slowburn.yaml":      "slos: [slos/]\n",
		"slos/partners.yaml": shop.SLOFiles()["partners.yaml"],
	} {
		if err := os.MkdirAll(filepath.Join(s.dir, "slos"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, printed := s.run(suggestCmd{Service: "partners"})
	if strings.Contains(printed, "name: availability") || !strings.Contains(printed, "partners/availability exists already") {
		t.Errorf("\n%s", printed)
	}
}

func TestSuggestAnswersByItsExitCode(t *testing.T) {
	empty := newSuggestStage(t, 0)
	gone := newSuggestStage(t, 0)
	gone.url = "http://127.0.0.1:1"
	for _, tc := range []struct {
		name  string
		stage *suggestStage
		cmd   suggestCmd
		want  int
	}{
		{"nothing found is no", empty, suggestCmd{}, exitNo},
		{"no server is unknown", gone, suggestCmd{}, exitUnknown},
		{"a malformed expression is wrong usage", empty, suggestCmd{Service: "("}, exitUsage},
		{"no address and no configuration is unknown", empty, suggestCmd{Prometheus: "ftp://x"}, exitUnknown},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if code, printed := tc.stage.run(tc.cmd); code != tc.want {
				t.Errorf("exit code %d, want %d: %s", code, tc.want, printed)
			}
		})
	}
	err := (&suggestCmd{}).Run(empty.env)
	var exit exitError
	if !errors.As(err, &exit) || exit.code != exitUnknown || !strings.Contains(err.Error(), "slowburn.yaml") {
		t.Errorf("without a configuration and an address: %v", err)
	}
}
