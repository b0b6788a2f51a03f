// Package foreigntest is what the tests of the foreign formats have in common: it prints what
// [file.Load] makes of files, compares that with archives, and throws anything at a reader.
package foreigntest

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/slo"
	"github.com/slowburn-sre/slowburn/slo/file"
)

// Golden loads each folder of each archive in testdata and compares the outcome with the folder's
// file `specs`. With UPDATE in the environment it writes that file instead.
func Golden(t *testing.T, readers ...file.Reader) {
	names, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatal("no archives", err)
	}
	for _, name := range names {
		a, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for i, f := range a.Files {
			if path.Base(f.Name) != "specs" {
				continue
			}
			folder := path.Dir(f.Name)
			t.Run(folder, func(t *testing.T) {
				got := Print(file.Load(files(a, folder), readers...))
				if os.Getenv("UPDATE") != "" {
					a.Files[i].Data = []byte(got)
				} else if diff := cmp.Diff(string(f.Data), got); diff != "" {
					t.Errorf("%s, -want +got\n%s", name, diff)
				}
			})
		}
		if os.Getenv("UPDATE") != "" {
			if err := os.WriteFile(name, txtar.Format(a), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func files(a *txtar.Archive, folder string) (out []file.File) {
	for _, f := range a.Files {
		if path.Dir(f.Name) == folder && strings.HasSuffix(f.Name, ".yaml") {
			out = append(out, file.File{Name: path.Base(f.Name), Data: f.Data})
		}
	}
	return out
}

// Print writes everything that Load answers, for people.
func Print(set *slo.Set, err error) string {
	if err != nil {
		return "refused\n" + err.Error() + "\n"
	}
	var b strings.Builder
	for _, s := range set.Specs {
		printSpec(&b, s)
	}
	if len(set.Warnings) > 0 {
		fmt.Fprintf(&b, "\n%s\n", set.Warnings.Error())
	}
	return b.String()
}

func printSpec(b *strings.Builder, s *slo.Spec) {
	fmt.Fprintf(b, "%s %s over %s (%s:%d)\n", s.ID(), figures.Objective(s.Objective), s.Window(), s.File, s.Line)
	line := func(name, value string) {
		if value != "" && value != "[]" {
			fmt.Fprintf(b, "  %-12s %s\n", name, value)
		}
	}
	line("description", s.Description)
	line("owner", s.Owner)
	line("runbook", s.Links.Runbook)
	line("dashboard", s.Links.Dashboard)
	for _, q := range []struct {
		name  string
		query *slo.Query
	}{{"total", s.SLI.Total}, {"bad", s.SLI.Bad}, {"good", s.SLI.Good}, {"histogram", s.SLI.Histogram}, {"up", s.SLI.Up}, {"slice", s.SLI.Slice}} {
		if q.query != nil {
			kind := "expression"
			if q.query.Bare() {
				kind = "selector"
			}
			line(q.name, fmt.Sprintf("%s  (%s at %d:%d)", q.query.Text, kind, q.query.Line, q.query.Column))
		}
	}
	switch s.SLI.Kind {
	case slo.Latency:
		line("below", fmt.Sprintf("%v (%s)", s.SLI.Below, s.SLI.LimitText))
	case slo.Slices:
		line("good when", fmt.Sprintf("%s %v, missing: %s", s.SLI.GoodWhen.Op, s.SLI.GoodWhen.Value, s.SLI.Missing))
	case slo.Ratio:
		line("kind", "ratio")
	}
	line("by", fmt.Sprint(s.By))
	line("page", pairs(s.Alerts.Page))
	line("ticket", pairs(s.Alerts.Ticket))
	line("told", fmt.Sprintf("spent %v, no data %s, significance %v", s.Alerts.Spent, slo.ShortDuration(s.Alerts.NoData), s.Alerts.Significance))
}

func pairs(list []slo.Pair) string {
	var out []string
	for _, p := range list {
		out = append(out, fmt.Sprintf("%v%% %s/%s", float64(p.Budget)/100, slo.ShortDuration(p.Long), slo.ShortDuration(p.Short)))
	}
	return strings.Join(out, ", ")
}

// Fuzz feeds a reader anything: it never panics, is deterministic, explains what it refuses, and
// what it accepts keeps the promises of a Spec.
func Fuzz(f *testing.F, conformance string, readers ...file.Reader) {
	names, _ := filepath.Glob(conformance)
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	archives, _ := filepath.Glob("testdata/*.txtar")
	for _, name := range archives {
		a, err := txtar.ParseFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range a.Files {
			f.Add(file.Data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		set, err := file.Load([]file.File{{Name: "f.yaml", Data: data}}, readers...)
		if again := Print(file.Load([]file.File{{Name: "f.yaml", Data: data}}, readers...)); again != Print(set, err) {
			t.Fatalf("said once\n%s\nand then\n%s", Print(set, err), again)
		}
		if err != nil {
			if problems, ok := err.(slo.Problems); !ok || !problems.Fatal() {
				t.Fatalf("refused without a reason: %v", err)
			}
			return
		}
		for _, s := range set.Specs {
			keepsPromises(t, s)
		}
	})
}

// keepsPromises checks what everybody further down relies on.
func keepsPromises(t *testing.T, s *slo.Spec) {
	if s.ID().Service() != s.Service || s.ID().Name() != s.Name || s.Service == "" || s.Name == "" {
		t.Errorf("the name of %s cannot be taken apart", s.ID())
	}
	if a := s.Objective.Allowed(); a < 1 || a >= slo.Billion || len(s.Windows) == 0 || s.Window().Length() < slo.Day || s.Line < 1 {
		t.Errorf("%+v", s)
	}
	for _, p := range append(append([]slo.Pair(nil), s.Alerts.Page...), s.Alerts.Ticket...) {
		if p.Dead(s.Window(), s.Objective) || p.Short < time.Minute || p.Short >= p.Long || p.Budget < 1 || p.Long > s.Window().Length() {
			t.Errorf("%s has the pair %+v", s.ID(), p)
		}
	}
	if n := len(s.Queries()); n == 0 || (s.SLI.Counters() != nil) != (n == 2) {
		t.Errorf("%s has %d queries", s.ID(), n)
	}
	for _, q := range s.Queries() {
		if _, err := slo.ParseQuery(q.Render(5 * time.Minute)); err != nil {
			t.Errorf("%s: %v", s.ID(), err)
		}
	}
}
