package compare

import (
	"context"
	"maps"
	"math"
	"testing"
	"time"

	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake/promtest"
	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/slo"
)

// t0 is when the worlds begin, and end is a day and an hour later: the time of comparison.
var (
	t0  = time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)
	end = t0.Add(25 * time.Hour)
)

// world is a Prometheus with a service and with what another tool has recorded about it.
type world struct {
	t   *testing.T
	db  *promfake.DB
	api promv1.API
	url string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	db := promfake.New(promfake.Options{})
	url := promtest.Serve(t, db.Handler())
	return &world{t, db, promtest.Client(t, url), url}
}

// counter scrapes a counter every minute from a time on; the first sample is what has happened in
// the minute before, as of a series that is born with its first event.
func (w *world) counter(born time.Time, perMinute func(m int) float64, code string, more ...string) {
	series := w.db.Series(labels.FromStrings(append([]string{"__name__", "http_requests_total", "job", "checkout", "code", code}, more...)...))
	v := 0.0
	for at := born; !at.After(end); at = at.Add(time.Minute) {
		v += perMinute(int(at.Sub(t0) / time.Minute))
		if err := series.Append(at.UnixMilli(), v); err != nil {
			w.t.Fatal(err)
		}
	}
}

// record evaluates a rule of theirs every step, as their Prometheus did.
func (w *world) record(name, expr string, from time.Time, step time.Duration, more map[string]string) {
	w.t.Helper()
	got, _, _, err := w.api.QueryRange(context.Background(), expr, promv1.Range{Start: from, End: end, Step: step})
	if err != nil {
		w.t.Fatalf("%s\n%v", expr, err)
	}
	for _, s := range got.(model.Matrix) {
		lset := map[string]string{"__name__": name}
		for n, v := range s.Metric {
			if n != "__name__" {
				lset[string(n)] = string(v)
			}
		}
		maps.Copy(lset, more)
		for _, p := range s.Values {
			if err := w.db.Append(labels.FromMap(lset), int64(p.Timestamp), float64(p.Value)); err != nil {
				w.t.Fatal(err)
			}
		}
	}
}

const f = `{sloth_id="checkout-availability", sloth_service="checkout", sloth_slo="availability"}`

// sloth records what Sloth does, by its own formulas, from a time on.
func (w *world) sloth(objective, days string, from time.Time) {
	w.t.Helper()
	own := map[string]string{"sloth_id": "checkout-availability", "sloth_service": "checkout", "sloth_slo": "availability"}
	windowed := maps.Clone(own)
	windowed["sloth_window"] = "5m"
	w.record("slo:sli_error:ratio_rate5m", `sum(rate(http_requests_total{job="checkout",code=~"5.."}[5m])) / sum(rate(http_requests_total{job="checkout"}[5m]))`, from, Step, windowed)
	w.record("slo:objective:ratio", "vector("+objective+")", from, Step, own)
	w.record("slo:time_period:days", "vector("+days+")", from, Step, own)
	w.record("slo:period_error_budget_remaining:ratio", "1 - (sum_over_time(slo:sli_error:ratio_rate5m"+f+"["+days+"d]) / ignoring (sloth_window) count_over_time(slo:sli_error:ratio_rate5m"+f+"["+days+"d])) / on () group_left () (1 - vector("+objective+"))", end, Step, own)
}

// pyrra records what Pyrra does.
func (w *world) pyrra(objective, window string) {
	own := map[string]string{"slo": "availability"}
	w.record("http_requests:increase"+window, `sum by (code) (increase(http_requests_total{job="checkout"}[`+window+`]))`, end, Step, map[string]string{"slo": "availability", "job": "checkout"})
	w.record("pyrra_objective", "vector("+objective+")", end, Step, own)
	w.record("pyrra_window", "vector(86400)", end, Step, own)
	w.record("pyrra_availability", `1 - sum(http_requests:increase`+window+`{slo="availability",code=~"5.."} or vector(0)) / sum(http_requests:increase`+window+`{slo="availability"})`, end, Step, own)
}

// spec is an SLO over some days.
func spec(t testing.TB, days int, by ...string) *slo.Spec {
	t.Helper()
	query := func(text string) *slo.Query {
		q, err := slo.ParseQuery(text)
		if err != nil {
			t.Fatal(err)
		}
		return q
	}
	o, err := slo.ParseObjective("99")
	if err != nil {
		t.Fatal(err)
	}
	s := &slo.Spec{
		Service: "checkout", Name: "availability", Objective: o, By: by, Windows: []slo.Window{{Rolling: time.Duration(days) * slo.Day}},
		SLI: slo.Indicator{Kind: slo.Events, Total: query(`http_requests_total{job="checkout"}`), Bad: query(`http_requests_total{job="checkout",code=~"5.."}`)},
	}
	s.Alerts, _ = slo.DefaultAlerts(slo.Window{Rolling: 30 * slo.Day}, o)
	return s
}

// ours reads the ledger and replays the alerts, as the command does.
func (w *world) ours(s *slo.Spec) Ours {
	w.t.Helper()
	client, err := prom.NewClient(prom.ClientOptions{URL: w.url})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(client.CloseIdle)
	o := Ours{Spec: s, Ledger: &budget.Ledger{}, At: budget.MinuteOf(end)}
	work := prom.New(client, prom.Options{}).Backfill([]*slo.Spec{s}, prom.Plan{From: budget.MinuteOf(t0), Fine: budget.MinuteOf(t0), To: o.At})
	for !work.Done() {
		batch := work.Next(context.Background())
		if len(batch.Failures) > 0 {
			w.t.Fatal(batch.Failures[0].Err)
		}
		for _, slot := range batch.Readings[s.ID()].Slots {
			o.Ledger.Put(slot.At, slot.Slot)
		}
	}
	_, events := alerting.Advance(alerting.Input{ID: s.ID(), Spec: s, Ledger: o.Ledger}, alerting.State{Through: budget.MinuteOf(t0)}, o.At)
	o.Incidents = alerting.Fold(nil, events)
	return o
}

func (w *world) theirs(tool Tool, s *slo.Spec) Theirs {
	w.t.Helper()
	t, err := Read(context.Background(), w.api, tool, s, s.ID(), end)
	if err != nil {
		w.t.Fatal(err)
	}
	return t
}

func always(v float64) func(int) float64 { return func(int) float64 { return v } }

// between is a for the minutes [from, to) of the world, and b otherwise.
func between(from, to int, a, b float64) func(int) float64 {
	return func(m int) float64 {
		if m >= from && m < to {
			return a
		}
		return b
	}
}

// day is traffic that sleeps at night.
func day(m int) float64 {
	return math.Round(510 - 490*math.Cos(2*math.Pi*float64(m)/1440))
}
