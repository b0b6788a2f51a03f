package file

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"golang.org/x/tools/txtar"

	"github.com/slowburn-sre/slowburn/slo"
)

// FuzzLoad feeds Load anything: it never panics, it is deterministic, what it refuses it explains,
// and what it accepts keeps the promises of Spec.
func FuzzLoad(f *testing.F) {
	f.Add([]byte(good))
	archives, _ := filepath.Glob("testdata/*.txtar")
	for _, name := range archives {
		a, err := txtar.ParseFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range a.Files {
			if strings.HasSuffix(file.Name, ".yaml") {
				f.Add(file.Data)
			}
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		set, err := Load([]File{{"f.yaml", data}})
		_, again := Load([]File{{"f.yaml", data}})
		if fmt.Sprint(err) != fmt.Sprint(again) {
			t.Fatalf("said once\n%v\nand then\n%v", err, again)
		}
		if err != nil {
			if ps, ok := err.(slo.Problems); !ok || !ps.Fatal() || set != nil {
				t.Fatalf("refused without a reason: %v", err)
			}
			return
		}
		for _, s := range set.Specs {
			keepsPromises(t, s)
		}
	})
}

// FuzzCorrections feeds Load the keys of one correction: what it accepts has spans in order, apart
// from each other, of whole minutes, each of which is found again.
func FuzzCorrections(f *testing.F) {
	for _, keys := range []string{
		"from: 2026-11-20 22:00, to: 2026-11-21",
		"schedule: 0 2 * * SUN, duration: 2h, from: 2026-11-01, expires: 2026-11-15",
		"schedule: 30 2 * * SUN, duration: 1h, from: 2026-10-18, expires: 2026-11-02, timezone: Europe/Berlin",
		"schedule: '* * * * *', duration: 1m, from: 0001-01-01, expires: 9999-12-31",
		"from: 2026-11-20T22:00+05:30, to: 2026-11-20T22:00:00Z, slos: [a/b, '*/c']",
		"schedule: 0 0 29 2 *, duration: 100000h, from: 2026-11-01, expires: 2290-11-01, timezone: Pacific/Apia",
	} {
		f.Add(keys)
	}
	f.Fuzz(func(t *testing.T, keys string) {
		set, err := Load([]File{{"c.yaml", []byte("version: slowburn/v1\ncorrections:\n- {name: a, kind: maintenance, author: x, reason: y, slos: ['*'], " + keys + "}\n")}})
		if err != nil {
			if ps, ok := err.(slo.Problems); !ok || !ps.Fatal() {
				t.Fatalf("refused without a reason: %v", err)
			}
			return
		}
		for _, c := range set.Corrections {
			before := time.Time{}
			for _, s := range c.Spans {
				if !s.From.Before(s.To) || !before.IsZero() && !before.Before(s.From) {
					t.Fatalf("%q: %v follows %v", keys, s, before)
				}
				if until, on := c.Runs(s.From); !on || !until.Equal(s.To) {
					t.Fatalf("%q: %v runs until %v, %v", keys, s, until, on)
				}
				before = s.To
			}
		}
	})
}

// FuzzExpression feeds InspectQuery any PromQL: it is refused at a place within it, or what is
// asked for is PromQL, with one metric named by each selector and no comment.
func FuzzExpression(f *testing.F) {
	for _, text := range []string{
		`http_requests_total{code=~"5.."}`, `sum(increase(x[$window])) # hidden`, `sum(rate(x[5m])) or vector(1e9)`,
		`max_over_time(sum(x)[1d:1ms])`, `{__name__=~".+"}`, `topk(1e9, x)`, `x * 1e308`, `{"a b", job="x"}`, `x[10y]`, `((((x))))`,
		"x{a=\"\\\"} or vector(1) or x{b=\"\"}", `sum(increase(x[$window] offset -1h))`, `absent(x)`, `"text"`, "x\n#y",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		q, remarks := slo.InspectQuery(text)
		refused := q == nil
		for _, r := range remarks {
			if r.Offset < 0 || r.Offset > len(text) || r.Message == "" {
				t.Fatalf("%q: %+v", text, r)
			}
			refused = refused || r.Lint == ""
		}
		if refused {
			if len(remarks) == 0 {
				t.Fatalf("%q is refused without a reason", text)
			}
			return
		}
		rendered := q.Render(5 * time.Minute)
		e, err := parser.NewParser(parser.Options{}).ParseExpr(rendered)
		if err != nil {
			t.Fatalf("%q becomes %q: %v", text, rendered, err)
		}
		if _, bare := e.(*parser.VectorSelector); bare {
			return // whoever reads it asks for its metric
		}
		parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
			if sel, ok := n.(*parser.VectorSelector); ok && !slices.ContainsFunc(sel.LabelMatchers, func(m *labels.Matcher) bool {
				return m.Name == model.MetricNameLabel && m.Type == labels.MatchEqual && m.Value != ""
			}) {
				t.Fatalf("%q reads %s", text, sel)
			}
			return nil
		})
	})
}

// keepsPromises checks what everybody further down relies on.
func keepsPromises(t *testing.T, s *slo.Spec) {
	if s.Service == "" || s.Name == "" || s.ID().Service() != s.Service || s.ID().Name() != s.Name || s.ID().Group() != "" {
		t.Errorf("the name of %s cannot be taken apart", s.ID())
	}
	if a := s.Objective.Allowed(); a < 1 || a >= slo.Billion || len(s.Windows) == 0 || s.Line < 1 {
		t.Errorf("%+v", s)
	}
	for _, p := range append(append([]slo.Pair(nil), s.Alerts.Page...), s.Alerts.Ticket...) {
		if p.Dead(s.Window(), s.Objective) || p.Short < time.Minute || p.Short >= p.Long || p.Budget < 1 || p.Long > s.Window().Length() {
			t.Errorf("%s has the pair %+v", s.ID(), p)
		}
	}
	qs := s.Queries()
	if len(qs) == 0 || (s.SLI.Kind == slo.Events && len(qs) != 2) {
		t.Errorf("%s has the queries %v", s.ID(), qs)
	}
	for _, q := range qs {
		if _, err := parser.NewParser(parser.Options{}).ParseExpr(q.Render(5 * time.Minute)); err != nil {
			t.Errorf("%s: %v", s.ID(), err)
		}
	}
}

// BenchmarkLoad reads 1,000 files of two SLOs each.
func BenchmarkLoad(b *testing.B) {
	var files []File
	for i := range 1000 {
		text := fmt.Sprintf(`version: slowburn/v1
service: service-%d
owner: team
slos:
  - name: availability
    objective: 99.9
    sli:
      events:
        total: 'http_requests_total{job="service-%d"}'
        bad: 'http_requests_total{job="service-%d",code=~"5.."}'
  - name: latency
    objective: 99
    sli: {latency: {histogram: 'request_duration_seconds{job="service-%d"}', below: 300ms}}
`, i, i, i, i)
		files = append(files, File{fmt.Sprintf("%d.yaml", i), []byte(text)})
	}
	b.ReportAllocs()
	for b.Loop() {
		set, err := Load(files)
		if err != nil || len(set.Specs) != 2000 {
			b.Fatal(err)
		}
	}
}
