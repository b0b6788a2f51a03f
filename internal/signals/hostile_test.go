package signals_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/slowburn-sre/slowburn/internal/signals"
	"github.com/slowburn-sre/slowburn/slo"
	"github.com/slowburn-sre/slowburn/slo/file"
)

// hostile are label values that must stay values.
var hostile = []string{
	`a"} or vector(1) #`, "a\nservice: evil", `a'b`, `\`, "a: &x [*x]", "{{.window}}", "$window", "[7m]", "\u2028", "日本", "\x00", `job="b"`, "# comment",
}

func TestLabelValuesStayValues(t *testing.T) {
	db := newDB()
	const days = 8
	for i, v := range hostile {
		for _, code := range []string{"200", "500"} {
			s := db.Series(labels.FromStrings("__name__", "http_requests_total", "job", v, "code", code))
			for h := range days * 24 * 4 {
				at := live.Add(-days*24*time.Hour + time.Duration(h+1)*15*time.Minute)
				if err := s.Append(at.UnixMilli(), float64(h*900*(i+1))); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	list := suggest(t, db, signals.Options{})
	for _, p := range list {
		if _, err := file.Load([]file.File{{Name: "x.yaml", Data: p.YAML()}}); err != nil && !p.Empty() {
			t.Errorf("%s: %v\n%s", p.Service.Name, err, p.YAML())
		}
		if strings.Contains(string(p.YAML()), "\nservice: evil") {
			t.Errorf("a label value wrote a line of its own:\n%s", p.YAML())
		}
	}
}

func TestEveryQueryOfTheCatalogueParses(t *testing.T) {
	for _, e := range signals.Default() {
		live := map[string][]string{}
		for _, name := range e.Metrics() {
			live[name] = []string{"job", "code", "status", "grpc_code", "http_response_status_code", "error_type", "outcome", "uri", "result", "reporter"}
		}
		for _, value := range append(hostile, "plain") {
			if strings.Contains(value, "$") || strings.Contains(value, "{{") {
				continue // refused in any query, see package slo
			}
			match, err := signals.ParseMatch(fmt.Sprintf("{job=%q}", value))
			if err != nil {
				t.Fatal(err)
			}
			f := e.Fill(match, signals.NewLive(live))
			for _, p := range append([]signals.Part{f.Traffic, f.Errors, f.Latency}, f.Saturation...) {
				if p.Query == "" && p.Reason == "" {
					t.Errorf("%s: %s has neither a query nor a reason", e.Name, p.Name)
				}
				if p.Query == "" {
					continue
				}
				if _, err := slo.ParseQuery(p.Query); err != nil {
					t.Errorf("%s with %q: %v", e.Name, value, err)
					continue
				}
				everySelectorHas(t, p.Query, value)
			}
		}
	}
}

// everySelectorHas insists that every selector of a query is narrowed to the job.
func everySelectorHas(t *testing.T, query, job string) {
	t.Helper()
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(strings.ReplaceAll(query, "[$window]", "[5m]"))
	if err != nil {
		t.Fatal(err)
	}
	for _, set := range parser.ExtractSelectors(expr) {
		if !slices.ContainsFunc(set, func(m *labels.Matcher) bool {
			return m.Name == "job" && m.Type == labels.MatchEqual && m.Value == job
		}) {
			t.Errorf("%s has a selector without job=%q: %v", query, job, set)
		}
	}
}

func TestNothingIsInvented(t *testing.T) {
	for _, e := range signals.Default() {
		f := e.Fill(nil, signals.NewLive(nil))
		for _, p := range []signals.Part{f.Traffic, f.Errors, f.Latency} {
			if p.Query != "" || p.Reason == "" {
				t.Errorf("%s: nothing exists, and yet there is %q", e.Name, p.Query)
			}
		}
		if len(f.Saturation) > 0 {
			t.Errorf("%s: nothing exists, and yet %v", e.Name, f.Saturation)
		}
	}
}

func TestAHouseAddsItsOwn(t *testing.T) {
	house, err := signals.Parse("house.yaml", []byte(`
- name: house
  title: our own framework
  group: [job]
  traffic: [acme_calls_total]
  errors: [['ok="false"']]
- name: redis
  title: our redis
  role: exporter
  group: [job]
`))
	if err != nil {
		t.Fatal(err)
	}
	all := signals.Default().With(house)
	if e := all.Lookup("redis"); e.Title != "our redis" || len(all) != len(signals.Default())+1 {
		t.Errorf("%d entries, redis is %q", len(all), e.Title)
	}
	db := newDB()
	plant(t, db, 5*time.Minute, 29*24*time.Hour, map[string]float64{`acme_calls_total{job="a",ok="true"}`: 10, `acme_calls_total{job="a",ok="false"}`: 0.001})
	list := suggest(t, db, signals.Options{Catalogue: all})
	if got := text(list); !strings.Contains(got, `bad: 'acme_calls_total{job="a",ok="false"}'`) || !strings.Contains(got, "from: house") {
		t.Errorf("\n%s", got)
	}
}

func TestAWrongCatalogueIsExplained(t *testing.T) {
	for _, tc := range []struct{ name, yaml, want string }{
		{"no name", "- group: [job]", "name"},
		{"an unknown role", "- {name: a, group: [job], role: servis}", "did you mean"},
		{"a misspelt key", "- {name: a, group: [job], trafic: [x]}", `did you mean "traffic"`},
		{"PromQL that does not parse", "- {name: a, group: [job], saturation: [{name: x, query: 'sum(', limit: 1}]}", "PromQL"},
		{"a query of every metric", `- {name: a, group: [job], saturation: [{name: x, query: '{job="a"}', limit: 1}]}`, "names no metric"},
		{"a limit of zero", "- {name: a, group: [job], saturation: [{name: x, query: up, limit: 0}]}", "above zero"},
		{"no matcher", "- {name: a, group: [job], errors: [[code]]}", "not one matcher"},
		{"twice", "- {name: a, group: [job]}\n- {name: a, group: [job]}", "written twice"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := signals.Parse("house.yaml", []byte(tc.yaml)); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want %q", err, tc.want)
			}
		})
	}
}
