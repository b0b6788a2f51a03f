package web

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/internal/prom"
)

// contract are the names that others rely on.
var contract = []string{
	"slowburn_slo_objective_ratio", "slowburn_slo_events_total", "slowburn_slo_bad_events_total", "slowburn_slo_error_budget_remaining_ratio",
	"slowburn_slo_burn_rate", "slowburn_slo_alert_firing", "slowburn_evaluation_last_timestamp_seconds", "slowburn_evaluation_duration_seconds",
	"slowburn_evaluation_failures_total", "slowburn_prometheus_queries_total", "slowburn_prometheus_samples_total", "slowburn_outbox_entries",
	"slowburn_config_last_reload_successful", "slowburn_build_info",
}

// TestMetricsSayWhatIsWaitedFor: how many budgets wait for samples that come late, how far the
// farthest is decided behind, and of how many they come too late; none once they are in time.
func TestMetricsSayWhatIsWaitedFor(t *testing.T) {
	s := newShop(t)
	observe, h := EvaluationMetrics(s.options.Registry), s.handler()
	for _, tc := range []struct {
		late    int
		behind  time.Duration
		tooLate int
		want    [3]string
	}{
		{3, 9*time.Minute + 30*time.Second, 2, [3]string{
			"\nslowburn_prometheus_late_budgets 3\n", "\nslowburn_prometheus_late_seconds 570\n", "\nslowburn_prometheus_too_late_budgets 2\n",
		}},
		{0, 0, 0, [3]string{
			"\nslowburn_prometheus_late_budgets 0\n", "\nslowburn_prometheus_late_seconds 0\n", "\nslowburn_prometheus_too_late_budgets 0\n",
		}},
	} {
		last := s.source.last
		last.Stats.Late, last.Stats.Behind, last.Stats.TooLate = tc.late, tc.behind, tc.tooLate
		observe(last)
		body := get(h, "/metrics").Body.String()
		for _, want := range tc.want {
			if !strings.Contains(body, want) {
				t.Errorf("%q is missing", want)
			}
		}
	}
}

func TestMetricsKeepTheContractAndTheConventions(t *testing.T) {
	s := newShop(t)
	observe := EvaluationMetrics(s.options.Registry)
	observe(s.source.last)
	h := s.handler()
	body := get(h, "/metrics").Body.String()
	for _, name := range contract {
		if !strings.Contains(body, "\n# TYPE "+name+" ") {
			t.Errorf("%s is missing", name)
		}
	}
	problems, err := promlint.New(strings.NewReader(body)).Lint()
	must(t, err)
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	for _, want := range []string{
		`slowburn_slo_objective_ratio{group="",service="checkout",slo="availability"} 0.999`,
		`slowburn_slo_alert_firing{group="",service="checkout",severity="page",slo="availability"} 1`,
		`slowburn_slo_alert_firing{group="",service="checkout",severity="ticket",slo="availability"} 0`,
		`slowburn_slo_alert_firing{group="",service="search",severity="ticket",slo="availability"} 1`,
		`slowburn_slo_objective_ratio{group="{route=\"/pay\"}",service="checkout",slo="routes"} 0.995`,
		`slowburn_outbox_entries{state="dead"} 0`,
		"slowburn_evaluation_duration_seconds_count 1",
		"slowburn_prometheus_samples_total 1200",
	} {
		if !strings.Contains(body, want+"\n") {
			t.Errorf("missing: %s", want)
		}
	}
	for _, unknown := range []string{`remaining_ratio{group="",service="search",slo="new"}`, `burn_rate{group="",service="search",slo="new"`} {
		if strings.Contains(body, unknown) {
			t.Errorf("%s tells what is not known", unknown)
		}
	}
}

// TestProblemsAreCountedByKind: panics come as a total since the start, and combinations beyond the
// cap as they are met.
func TestProblemsAreCountedByKind(t *testing.T) {
	registry := prometheus.NewRegistry()
	observe := EvaluationMetrics(registry)
	expect := func(panics, combinations int) {
		t.Helper()
		text := fmt.Sprintf(`# HELP slowburn_problems_total What went wrong with single SLOs, by kind. panic: a fault of slowburn's, that one budget stands still by; combinations: label values of by: beyond the cap, which are not followed.
# TYPE slowburn_problems_total counter
slowburn_problems_total{kind="combinations"} %d
slowburn_problems_total{kind="panic"} %d
`, combinations, panics)
		if err := testutil.GatherAndCompare(registry, strings.NewReader(text), "slowburn_problems_total"); err != nil {
			t.Error(err)
		}
	}
	expect(0, 0) // both are there before anything has gone wrong
	for _, s := range []engine.Summary{{Panics: 2, Stats: prom.Stats{Capped: 1}}, {Panics: 2}, {Panics: 3, Stats: prom.Stats{Capped: 2}}} {
		observe(s)
	}
	expect(3, 3)
}

// Two applications in one process, as in a test or the demo, do not share metrics.
func TestRegistriesAreApart(t *testing.T) {
	s := newShopOf(t, nil)
	s.options.Registry = nil
	one, two := New(s.options), New(s.options)
	if a, b := get(one, "/metrics"), get(two, "/metrics"); a.Code != 200 || b.Code != 200 {
		t.Error(a.Code, b.Code)
	}
}

// TestMetricsAreReadBack: what is written is what Prometheus' own reader finds, whatever label
// values hold, also where the answer is compressed.
func TestMetricsAreReadBack(t *testing.T) {
	s := newShop(t)
	h := s.handler()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", http.NoBody)
	r.Host = "127.0.0.1"
	r.Header.Set("Accept-Encoding", "gzip, deflate")
	packed := httptest.NewRecorder()
	h.ServeHTTP(packed, r)
	z, err := gzip.NewReader(packed.Body)
	must(t, err)
	for name, answer := range map[string]io.Reader{"plain": get(h, "/metrics").Body, "gzip": z} {
		parser := expfmt.NewTextParser(model.UTF8Validation)
		families, err := parser.TextToMetricFamilies(answer)
		must(t, err)
		seen := s.source.Snapshot().Budgets
		all := families["slowburn_slo_objective_ratio"].GetMetric()
		if len(all) != len(seen) || families["slowburn_build_info"] == nil {
			t.Errorf("%s: %d of %d budgets in %d metrics", name, len(all), len(seen), len(families))
		}
		for n, m := range all {
			id := seen[n].ID
			if l := m.GetLabel(); l[0].GetValue() != id.Group() || l[1].GetValue() != id.Service() || l[2].GetValue() != id.Name() {
				t.Errorf("%s: %s is %s", name, id, l)
			}
		}
	}
	var text strings.Builder
	out := bufio.NewWriter(&text)
	writeSLOs(out, []engine.Budget{{Figures: &engine.Figures{
		ID: "a/b{path=\"\\\"\n\"}", Spec: s.source.Snapshot().Budgets[0].Spec, Windows: make([]budget.Status, 1),
	}}})
	must(t, out.Flush())
	if want := `{group="{path=\"\\\"\n\"}",service="a",slo="b"}`; !strings.Contains(text.String(), want) {
		t.Errorf("without %s:\n%s", want, text.String())
	}
}

// TestMetricsCostNothingPerBudget: ten times the budgets are not ten times the garbage. It was 70
// pieces for each budget.
func TestMetricsCostNothingPerBudget(t *testing.T) {
	one := newShop(t).source.Snapshot().Budgets[0]
	write := func(n int) float64 {
		budgets := make([]engine.Budget, n)
		for i := range budgets {
			budgets[i] = one
		}
		out := bufio.NewWriter(io.Discard)
		return testing.AllocsPerRun(3, func() { writeSLOs(out, budgets) })
	}
	if few, many := write(100), write(1000); many > few+50 {
		t.Errorf("%v allocations for 100 budgets, %v for 1,000", few, many)
	}
}
