package rules

import (
	"context"
	"maps"
	"math"
	"slices"
	"testing"
	"time"

	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake/promtest"
	"github.com/slowburn-sre/slowburn/slo"
)

// t0 is when the worlds begin: a whole hour.
var t0 = time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)

// world is a Prometheus that has scraped, and can play rules over what it has.
type world struct {
	t   *testing.T
	db  *promfake.DB
	api promv1.API
}

func newWorld(t *testing.T) *world {
	t.Helper()
	db := promfake.New(promfake.Options{})
	return &world{t, db, promtest.API(t, db)}
}

// counter scrapes a counter every minute; perMinute is how much it grows in each.
func (w *world) counter(length time.Duration, perMinute func(m int) float64, name string, pairs ...string) {
	series := w.db.Series(labels.FromStrings(append([]string{"__name__", name}, pairs...)...))
	v := 0.0
	for m := range int(length / time.Minute) {
		if err := series.Append(t0.Add(time.Duration(m)*time.Minute+7*time.Second).UnixMilli(), v); err != nil {
			w.t.Fatal(err)
		}
		v += perMinute(m)
	}
}

// play evaluates rules over [from, to]. Rules only look back and at those above them, so one rule
// after the other over the whole time gives what a server gives by and by.
func (w *world) play(g Group, from, to time.Time, step time.Duration) {
	w.t.Helper()
	for _, r := range g.Rules {
		if r.Record == "" {
			continue
		}
		for _, s := range w.queryRange(r.Expr, from, to, step) {
			lset := map[string]string{}
			for n, v := range s.Metric {
				lset[string(n)] = string(v)
			}
			maps.Copy(lset, r.Labels)
			lset["__name__"] = r.Record
			series := w.db.Series(labels.FromMap(lset))
			for _, p := range s.Values {
				if err := series.Append(int64(p.Timestamp), float64(p.Value)); err != nil {
					w.t.Fatalf("%s: two results for one series, or out of order: %v", r.Record, err)
				}
			}
		}
	}
}

func (w *world) queryRange(query string, from, to time.Time, step time.Duration) model.Matrix {
	w.t.Helper()
	got, warnings, _, err := w.api.QueryRange(context.Background(), query, promv1.Range{Start: from, End: to, Step: step})
	if err != nil || len(warnings) > 0 {
		w.t.Fatalf("%s\n%v %v", query, err, warnings)
	}
	return got.(model.Matrix)
}

// value is an instant query with one result, NaN with none.
func (w *world) value(query string, at time.Time) float64 {
	w.t.Helper()
	got, _, _, err := w.api.Query(context.Background(), query, at)
	if err != nil {
		w.t.Fatalf("%s\n%v", query, err)
	}
	vector := got.(model.Vector)
	if len(vector) > 1 {
		w.t.Fatalf("%s: %d results", query, len(vector))
	}
	if len(vector) == 0 {
		return math.NaN()
	}
	return float64(vector[0].Value)
}

// same compares two queries at every step, and wants at least some steps to compare.
func (w *world) same(a, b string, from, to time.Time, step time.Duration, tolerance float64) {
	w.t.Helper()
	left, right := w.points(a, from, to, step), w.points(b, from, to, step)
	if len(right) == 0 {
		w.t.Fatalf("nothing to compare: %s", b)
	}
	worst := 0.0
	for _, at := range slices.Sorted(maps.Keys(right)) {
		l, ok := left[at]
		if !ok {
			w.t.Fatalf("%s has no value at %s, where\n%s has %g", a, at.Time().UTC(), b, right[at])
		}
		worst = max(worst, math.Abs(l-right[at]))
	}
	if worst > tolerance || math.IsNaN(worst) {
		w.t.Errorf("%s\nand %s\ndiffer by up to %g, want at most %g", a, b, worst, tolerance)
	}
}

// points are the numbers of a query with one series; NaN is left out.
func (w *world) points(query string, from, to time.Time, step time.Duration) map[model.Time]float64 {
	w.t.Helper()
	m := w.queryRange(query, from, to, step)
	if len(m) > 1 {
		w.t.Fatalf("%s: %d series", query, len(m))
	}
	out := map[model.Time]float64{}
	for _, s := range m {
		for _, p := range s.Values {
			if v := float64(p.Value); !math.IsNaN(v) {
				out[p.Timestamp] = v
			}
		}
	}
	return out
}

func query(t testing.TB, text string) *slo.Query {
	t.Helper()
	q, err := slo.ParseQuery(text)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func objectiveOf(t testing.TB, text string) slo.Objective {
	t.Helper()
	o, err := slo.ParseObjective(text)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// shop is an SLO over some days with the workbook's alerts.
func shop(t testing.TB, sli slo.Indicator, days int, by ...string) *slo.Spec {
	t.Helper()
	s := &slo.Spec{
		Service: "checkout", Name: "availability", Owner: "team-pay", Description: "Paying works {{ always }}.",
		Objective: objectiveOf(t, "99.9"), Windows: []slo.Window{{Rolling: time.Duration(days) * slo.Day}}, SLI: sli, By: by,
		Links: slo.Links{Runbook: "https://example.org/runbook"},
	}
	s.Alerts, _ = slo.DefaultAlerts(s.Window(), s.Objective)
	return s
}

func counters(t testing.TB) slo.Indicator {
	return slo.Indicator{Kind: slo.Events, Total: query(t, `http_requests_total{job="checkout"}`), Bad: query(t, `http_requests_total{job="checkout",code=~"5.."}`)}
}

func build(t testing.TB, s *slo.Spec, o Options) Group {
	t.Helper()
	g, err := Build(s, o)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// day is traffic that sleeps at night: 1,000 a minute at noon, 20 at midnight.
func day(m int) float64 {
	return math.Round(510 - 490*math.Cos(2*math.Pi*float64(m)/1440))
}
