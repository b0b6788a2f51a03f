package integration_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/integration/servers"
	"github.com/slowburn-sre/slowburn/internal/engine/enginetest"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake/promtest"
	"github.com/slowburn-sre/slowburn/internal/report"
	"github.com/slowburn-sre/slowburn/slo"
)

const reportedSLOs = `
version: slowburn/v1
service: shop
slos:
  - {name: by-bad, window: 7d, objective: 99, sli: {events: {total: 'http_requests_total{job="shop"}', bad: 'http_requests_total{job="shop",code=~"5.."}'}}}
  - {name: by-good, window: 7d, objective: 99, sli: {events: {total: 'http_requests_total{job="shop"}', good: 'http_requests_total{job="shop",code!~"5.."}'}}}
  - {name: expression, window: 7d, objective: 99, sli: {events: {total: 'sum(increase(http_requests_total[$window]))', bad: 'sum(increase(http_requests_total{code="500"}[$window]))'}}}
  - {name: classic-histogram, window: 7d, objective: 95, sli: {latency: {histogram: 'http_request_duration_seconds{job="shop"}', below: 300ms}}}
  - {name: uptime, window: 7d, objective: 99, sli: {uptime: 'probe_success{job="shop"}'}}
  - {name: slices, window: 7d, objective: 99, sli: {slices: {query: 'max(queue_age_seconds{job="shop"})', good: '< 120'}}}
`

// The queries of a report's appendix return the figures that it shows, from a real Prometheus.
func TestTheQueriesOfAReportReturnItsFigures(t *testing.T) {
	period := report.PeriodOf(slo.Week, time.Now()).Prev()
	from, to := period.Bounds(time.UTC)
	prometheus := servers.Prometheus(t, servers.PrometheusOptions{OpenMetrics: reportedWeek(from, to)})
	in := report.Input{Name: "weekly", Period: period}
	for _, spec := range enginetest.Load(t, reportedSLOs).Specs {
		l := new(budget.Ledger)
		for m := budget.MinuteOf(from); m < budget.MinuteOf(to); m++ {
			l.Put(m, reportedMinute(spec.Name, m.Time().Sub(from)))
		}
		in.Subjects = append(in.Subjects, report.Subject{ID: spec.ID(), Spec: spec, Ledger: l})
	}
	client := promtest.Client(t, prometheus.URL)
	r := report.Build(in)
	for _, row := range r.Rows {
		if !strings.Contains(r.Markdown(), row.Query) {
			t.Errorf("%s: the appendix does not show its query", row.ID)
		}
		value, _, _, err := client.Query(t.Context(), row.Query, time.Now())
		if err != nil {
			t.Errorf("%s: %s: %v", row.ID, row.Query, err)
			continue
		}
		got, want := value.(model.Vector), float64(row.Budget.Sum.Bad)/float64(row.Budget.Sum.Total)
		if len(got) != 1 || math.Abs(float64(got[0].Value)-want) > want/200 {
			t.Errorf("%s: %s returns %v; the report has %g", row.ID, row.Query, got, want)
		}
	}
}

// failing holds in the hour of the week in which everything fails.
func failing(at time.Duration) bool { return at >= 50*time.Hour && at < 51*time.Hour }

// reportedMinute is what the ledger holds of a minute.
func reportedMinute(name string, at time.Duration) budget.Slot {
	bad, total := int64(3), int64(1000)
	switch name {
	case "classic-histogram":
		bad = 20
	case "uptime", "slices":
		bad, total = 0, 1
	}
	if failing(at) {
		bad = total / 2
		if total == 1 {
			bad = 1
		}
	}
	return budget.Count(bad*budget.Unit, total*budget.Unit)
}

// reportedWeek is the same week as samples, one a minute: of counters at the end of each, of gauges
// in its middle.
func reportedWeek(from, to time.Time) string {
	var requests, buckets, count, up, queue strings.Builder
	good, bad, slow, all := 0, 0, 0, 0
	for at := from; !at.After(to); at = at.Add(time.Minute) {
		fmt.Fprintf(&requests, "http_requests_total{job=\"shop\",code=\"200\"} %d %d\nhttp_requests_total{job=\"shop\",code=\"500\"} %d %d\n", good, at.Unix(), bad, at.Unix())
		fmt.Fprintf(&buckets, "http_request_duration_seconds_bucket{job=\"shop\",le=\"0.3\"} %d %d\nhttp_request_duration_seconds_bucket{job=\"shop\",le=\"+Inf\"} %d %d\n", all-slow, at.Unix(), all, at.Unix())
		fmt.Fprintf(&count, "http_request_duration_seconds_count{job=\"shop\"} %d %d\n", all, at.Unix())
		since := at.Sub(from)
		ok, age := 1, 5
		if failing(since) {
			ok, age = 0, 600
		}
		fmt.Fprintf(&up, "probe_success{job=\"shop\"} %d %d\n", ok, at.Unix()+30)
		fmt.Fprintf(&queue, "queue_age_seconds{job=\"shop\"} %d %d\n", age, at.Unix())
		bad += int(reportedMinute("by-bad", since).Bad / budget.Unit)
		slow += int(reportedMinute("classic-histogram", since).Bad / budget.Unit)
		all += 1000
		good = all - bad
	}
	return "# TYPE http_requests counter\n" + requests.String() + "# TYPE http_request_duration_seconds_bucket unknown\n" + buckets.String() +
		"# TYPE http_request_duration_seconds_count unknown\n" + count.String() +
		"# TYPE probe_success gauge\n" + up.String() + "# TYPE queue_age_seconds gauge\n" + queue.String() + "# EOF\n"
}
