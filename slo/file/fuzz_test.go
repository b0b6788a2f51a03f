package file

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

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
