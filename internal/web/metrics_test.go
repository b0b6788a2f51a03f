package web

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/internal/incidents"
	"github.com/slowburn-sre/slowburn/slo"
)

// contract are the names that others rely on.
var contract = []string{
	"slowburn_slo_objective_ratio", "slowburn_slo_events_total", "slowburn_slo_bad_events_total", "slowburn_slo_error_budget_remaining_ratio",
	"slowburn_slo_burn_rate", "slowburn_slo_alert_firing", "slowburn_evaluation_last_timestamp_seconds", "slowburn_evaluation_duration_seconds",
	"slowburn_evaluation_failures_total", "slowburn_prometheus_queries_total", "slowburn_prometheus_samples_total", "slowburn_outbox_entries",
	"slowburn_config_last_reload_successful", "slowburn_build_info",
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
	problems, err := testutil.GatherAndLint(s.options.Registry)
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

// turning is a source whose ledger changes between two scrapes.
type turning struct {
	Source
	spec   *slo.Spec
	ledger *budget.Ledger
	end    budget.Minute
}

func (m *turning) Budgets() []engine.Budget {
	st := budget.StatusAt(m.ledger, m.spec.Objective, m.spec.Window(), m.end)
	return []engine.Budget{{ID: m.spec.ID(), Spec: m.spec, AsOf: m.end.Time(), Since: m.ledger.First().Time(), Windows: []budget.Status{st}}}
}

func (m *turning) History(_ slo.ID, from, to time.Time, _ time.Duration) ([]incidents.Point, bool) {
	return []incidents.Point{{At: from, Sum: m.ledger.Sum(budget.MinuteOf(from), budget.MinuteOf(to))}}, true
}

func (m *turning) Last() engine.Summary { return engine.Summary{At: m.end.Time()} }

// A counter may not fall, and may rise only by what happened: a ledger does neither.
func TestCountersOnlyCountWhatIsNew(t *testing.T) {
	s := newShopOf(t, nil)
	start := budget.MinuteOf(now)
	m := &turning{s.source, shopSet(t, shopYAML).Specs[0], &budget.Ledger{}, start}
	s.options.Source = m
	h := s.handler()
	events := func() string {
		for _, line := range strings.Split(get(h, "/metrics").Body.String(), "\n") {
			if name, value, ok := strings.Cut(line, "} "); ok && strings.HasPrefix(name, "slowburn_slo_events_total{") {
				return value
			}
		}
		return "absent"
	}
	put := func(at budget.Minute, n int64) { m.ledger.Put(at, budget.Count(0, n*budget.Unit)) }
	for n, step := range []struct {
		what string
		do   func()
		want string
	}{
		{"the first look counts the whole ledger", func() { put(start-1, 5) }, "5"},
		{"looking again changes nothing", func() {}, "5"},
		{"a new minute is added", func() { put(start, 3); m.end++ }, "8"},
		{"history that is filled in is not", func() { put(start-120, 100); m.end++ }, "8"},
		{"another minute", func() { put(start+2, 1); m.end++ }, "9"},
		{"what is forgotten stays counted", func() { m.ledger.Forget(start); m.end++ }, "9"},
	} {
		step.do()
		if got := events(); got != step.want {
			t.Errorf("step %d, %s: %s, want %s", n, step.what, got, step.want)
		}
	}
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
