package engine_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/slo"
)

// quick is an SLO over a histogram: 99 % of the requests take a second at most.
func quick() *slo.Spec {
	s := promise("api")
	s.Name = "latency"
	s.SLI = slo.Indicator{Kind: slo.Latency, Histogram: query(`request_seconds{job="api"}`), Below: 1, LimitText: "1s"}
	return s
}

// buckets lets minutes pass over a histogram whose requests are all quick. le writes the bound of
// the bucket; "" is no bucket. It returns the snapshots of the minutes.
func buckets(t *testing.T, w *world, minutes int, le func(minute int) string) (all []*engine.Snapshot) {
	t.Helper()
	n, last := 5e6, ""
	is := func(name string, pairs ...string) labels.Labels {
		return labels.FromStrings(append([]string{"__name__", name, "job", "api", "instance", "1"}, pairs...)...)
	}
	scrape := func(at time.Time) {
		n += 300
		text := le(int(at.Sub(t0).Minutes()))
		if last != "" && text != last {
			if err := w.db.MarkStale(is("request_seconds_bucket", "le", last), at.UnixMilli()); err != nil {
				t.Fatal(err)
			}
		}
		if last = text; text != "" {
			if err := w.db.Append(is("request_seconds_bucket", "le", text), at.UnixMilli(), n); err != nil {
				t.Fatal(err)
			}
		}
		for name, pairs := range map[string][]string{"request_seconds_bucket": {"le", "+Inf"}, "request_seconds_count": nil} {
			if err := w.db.Append(is(name, pairs...), at.UnixMilli(), n); err != nil {
				t.Fatal(err)
			}
		}
	}
	filled := w.now().Add(-time.Hour)
	for range minutes {
		w.pass(time.Minute)
		for ; filled.Before(w.now()); filled = filled.Add(30 * time.Second) {
			scrape(filled.Add(11 * time.Second))
		}
		w.engine.Tick(t.Context(), w.daemonNow())
		w.deliver()
		all = append(all, w.engine.Snapshot())
	}
	return all
}

// sum is what the ledger holds of an SLO since t0.
func (w *world) sum(id slo.ID) (sum budget.Sum) {
	w.engine.Snapshot().WithLedger(id, func(_ *slo.Spec, l *budget.Ledger) { sum = l.Sum(budget.MinuteOf(t0)+2, l.End()) })
	return sum
}

// TestPrometheusIsUpgraded: le="1" becomes le="1.0" while slowburn runs. Nothing is slow.
func TestPrometheusIsUpgraded(t *testing.T) {
	w := newWorld(t, []*slo.Spec{quick()})
	buckets(t, w, 90, func(minute int) string {
		if minute < 30 {
			return "1"
		}
		return "1.0"
	})
	if sum := w.sum("api/latency"); sum.Bad != 0 || sum.Unknown > 0 || sum.Partial > 0 || sum.Known < 80 {
		t.Errorf("%+v", sum)
	}
	if open := w.incidents(); len(open) > 0 {
		t.Errorf("%+v", open)
	}
}

// TestTheBucketIsGone for half an hour while the count goes on: nobody is told of an outage, the
// SLO is said to be unknown and why, and when the bucket is back its events are counted.
func TestTheBucketIsGone(t *testing.T) {
	w := newWorld(t, []*slo.Spec{quick()})
	all := buckets(t, w, 90, func(minute int) string {
		if minute >= 30 && minute < 60 {
			return ""
		}
		return "1"
	})
	b, _ := all[50].Budget("api/latency")
	if b.Data != budget.Failed.String() || !slices.ContainsFunc(b.Problems, func(p string) bool { return strings.Contains(p, "request_seconds_bucket") }) {
		t.Errorf("in the midst: %s, %q", b.Data, b.Problems)
	}
	for _, i := range w.incidents() {
		if i.Rule != "no_data" {
			t.Errorf("%+v", i)
		}
	}
	if sum := w.sum("api/latency"); sum.Bad != 0 || sum.Unknown > 0 || sum.Total < int64(sum.Known+sum.Partial-1)*600*budget.Unit {
		t.Errorf("%+v", sum)
	}
	if b, _ := all[89].Budget("api/latency"); b.Data != budget.OK.String() {
		t.Errorf("at last: %s", b.Data)
	}
}
