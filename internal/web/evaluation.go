package web

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/slowburn-sre/slowburn/internal/engine"
)

// EvaluationMetrics registers the metrics about evaluating, and returns the function that is to be
// told of every tick (engine.Options.Observe).
func EvaluationMetrics(registry prometheus.Registerer) func(engine.Summary) {
	gauge := func(name, help string) prometheus.Gauge {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
		registry.MustRegister(g)
		return g
	}
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
		registry.MustRegister(c)
		return c
	}
	took := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "slowburn_evaluation_duration_seconds", Help: "How long a tick took: reading, deciding and writing down.",
		Buckets: []float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 20, 30, 60},
	})
	registry.MustRegister(took)
	budgets := gauge("slowburn_evaluation_budgets", "Error budgets that the newest tick read.")
	ticks := counter("slowburn_evaluation_ticks_total", "Ticks since the start.")
	failures := counter("slowburn_evaluation_failures_total", "Ticks in which something failed: reading from Prometheus, or writing to the store.")
	storeFailures := counter("slowburn_evaluation_store_failures_total", "Ticks that could not be written to the store.")
	events := counter("slowburn_evaluation_events_total", "Events that the alert rules decided: opened, updated, resolved and so on.")
	queries := counter("slowburn_prometheus_queries_total", "Queries sent to Prometheus by ticks.")
	samples := counter("slowburn_prometheus_samples_total", "Samples in Prometheus' answers, or read by it where it says so.")
	bytes := counter("slowburn_prometheus_received_bytes_total", "Bytes of Prometheus' answers, decompressed.")
	readFailures := counter("slowburn_prometheus_failures_total", "Bundles of SLOs that could not be read.")
	waiting := gauge("slowburn_prometheus_waiting", "Bundles of SLOs that lag behind the others after the newest tick, because their queries are slow.")
	late := gauge("slowburn_prometheus_late_budgets", "Budgets whose minutes wait for samples that come late.")
	behind := gauge("slowburn_prometheus_late_seconds", "How far behind the newest tick the minutes of the farthest such budget are decided.")
	tooLate := gauge("slowburn_prometheus_too_late_budgets", "Budgets of which samples come later than max_lateness.")
	series := gauge("slowburn_prometheus_followed_series", "Series whose counters are being followed.")
	problems := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "slowburn_problems_total", Help: "What went wrong with single SLOs, by kind. panic: a fault of slowburn's, that one budget stands still by; combinations: label values of by: beyond the cap, which are not followed.",
	}, []string{"kind"})
	registry.MustRegister(problems)
	panics, capped := problems.WithLabelValues("panic"), problems.WithLabelValues("combinations")
	before := 0
	return func(s engine.Summary) {
		panics.Add(float64(s.Panics - before))
		before = s.Panics
		capped.Add(float64(s.Stats.Capped))
		ticks.Inc()
		took.Observe(s.Took.Seconds())
		budgets.Set(float64(s.SLOs))
		events.Add(float64(s.Events))
		queries.Add(float64(s.Stats.Queries))
		samples.Add(float64(s.Stats.Samples))
		bytes.Add(float64(s.Stats.Bytes))
		series.Set(float64(s.Stats.Series))
		waiting.Set(float64(s.Stats.Waiting))
		late.Set(float64(s.Stats.Late))
		behind.Set(s.Stats.Behind.Seconds())
		tooLate.Set(float64(s.Stats.TooLate))
		readFailures.Add(float64(len(s.Failures)))
		if !s.Good() {
			failures.Inc()
		}
		if s.StoreErr != nil {
			storeFailures.Inc()
		}
	}
}
