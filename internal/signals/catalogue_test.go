package signals_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/slowburn-sre/slowburn/internal/signals"
	"github.com/slowburn-sre/slowburn/slo"
)

// hostile are label values that must stay values.
var hostile = []string{`a"} or vector(1) #`, "a\nservice: evil", `a'b`, `\`, "{{.window}}", "$window", "[7m]", "日本", `job="b"`, "# comment"}

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

func TestCatalogueKnowsEverySource(t *testing.T) {
	names := signals.Default().Names()
	for _, want := range []string{
		"go-http", "otel-http", "grpc", "otel-rpc", "ingress-nginx", "nginx", "envoy", "istio", "traefik", "spring",
		"blackbox", "node", "kubernetes", "postgresql", "redis", "kafka", "jvm", "go-runtime",
		"prometheus", "alertmanager", "grafana", "kube-apiserver", "coredns", "haproxy", "flask", "django", "starlette",
		"mysql", "memcached", "mongodb", "elasticsearch",
	} {
		if !slices.Contains(names, want) {
			t.Errorf("the catalogue lacks %s", want)
		}
	}
}
