package integration_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/integration/servers"
	"github.com/slowburn-sre/slowburn/internal/engine/enginetest"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake/promtest"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake/truth"
	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/slo"
)

const worldLength = 6 * time.Hour

// newWorld is six hours of four services with everything that makes counting hard, in the embedded
// Prometheus. It returns its address and the samples.
func newWorld(t *testing.T, start time.Time) (string, model.Matrix) {
	t.Helper()
	o := truth.Standard(11, start, worldLength, 30*time.Second)
	for i := range o.Services {
		o.Services[i].Restarts, o.Services[i].Churn, o.Services[i].Missed = 2*time.Hour, 3*time.Hour, 0.02
	}
	db := promfake.New(promfake.Options{})
	if _, err := truth.Generate(db, o); err != nil {
		t.Fatal(err)
	}
	url := promtest.Serve(t, db.Handler())
	value, _, _, err := promtest.Client(t, url).Query(t.Context(), fmt.Sprintf("http_requests_total[%ds]", int(worldLength.Seconds())), start.Add(worldLength))
	if err != nil {
		t.Fatal(err)
	}
	return url, value.(model.Matrix)
}

// write writes the samples, with timestamps in the given form.
func write(samples model.Matrix, timestamp func(model.Time) string) string {
	var b strings.Builder
	for _, s := range samples {
		series := strings.ReplaceAll(s.Metric.String(), ", ", ",") // OpenMetrics wants no spaces
		for _, v := range s.Values {
			fmt.Fprintf(&b, "%s %v %s\n", series, v.Value, timestamp(v.Timestamp))
		}
	}
	return b.String()
}

func openMetrics(samples model.Matrix) string {
	return "# TYPE http_requests counter\n" + write(samples, func(at model.Time) string {
		return fmt.Sprintf("%d.%03d", at/1000, at%1000)
	}) + "# EOF\n"
}

func prometheusText(samples model.Matrix) string {
	return write(samples, func(at model.Time) string { return fmt.Sprint(int64(at)) })
}

var tiers = []string{"high", "medium", "low", "verylow"}

// worldSLOs asks for every kind of label matching, and for one budget per instance.
func worldSLOs(t *testing.T) []*slo.Spec {
	t.Helper()
	var b strings.Builder
	for _, tier := range tiers {
		fmt.Fprintf(&b, `---
version: slowburn/v1
service: %[1]s
slos:
  - name: availability
    objective: 99.9
    sli: {events: {total: 'http_requests_total{job="%[1]s"}', bad: 'http_requests_total{job="%[1]s",code=~"5.."}'}}
  - name: per-instance
    objective: 99.9
    by: [instance]
    sli: {events: {total: 'http_requests_total{job="%[1]s"}', good: 'http_requests_total{job="%[1]s",code!~"5.*"}'}}
`, tier)
	}
	return enginetest.Load(t, b.String()).Specs
}

// readWorld reads the world in turns of some minutes and returns every slot of every budget.
//
// Samples that were copied bring no stale markers: an instance that ends shortly before the end is
// waited for by who reads the copy. The last minutes are left out.
func readWorld(t *testing.T, url string, specs []*slo.Spec, start time.Time, turn budget.Minute) map[slo.ID]map[budget.Minute]budget.Slot {
	t.Helper()
	const waited = 6 // minutes: the look-back of an instant query, and one
	client, err := prom.NewClient(prom.ClientOptions{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer client.CloseIdle()
	r := prom.New(client, prom.Options{})
	book := map[slo.ID]map[budget.Minute]budget.Slot{}
	last := budget.MinuteOf(start.Add(worldLength)) - 2 // a minute before the samples end, which says that it is complete
	for to, more := budget.MinuteOf(start)+10, true; more; to = min(to+turn, last) {
		more = to < last
		batch := r.Read(context.Background(), specs, to.End().Add(31*time.Second))
		if len(batch.Failures) > 0 {
			t.Fatalf("reading up to %s: %v", to.End(), batch.Failures[0].Err)
		}
		for id, reading := range batch.Readings {
			if book[id] == nil {
				book[id] = map[budget.Minute]budget.Slot{}
			}
			for _, s := range reading.Slots {
				if s.At <= last-waited {
					book[id][s.At] = s.Slot
				}
			}
		}
		r.Commit(batch)
	}
	return book
}

// TestEveryEngineTellsTheSameSlots: the same samples give the same ledger, to the thousandth of an
// event, whoever serves them.
func TestEveryEngineTellsTheSameSlots(t *testing.T) {
	t.Parallel()
	start := time.Now().Add(-48 * time.Hour).Truncate(time.Hour)
	url, samples := newWorld(t, start)
	specs := worldSLOs(t)
	want := readWorld(t, url, specs, start, 7)
	if len(want) < 2*len(tiers) || len(want["high/availability"]) < 300 {
		t.Fatalf("the embedded Prometheus told only %d budgets", len(want))
	}
	t.Logf("%d budgets", len(want))
	for _, engine := range []struct {
		name  string
		start func(*testing.T) string
	}{
		{"Prometheus", func(t *testing.T) string {
			return servers.Prometheus(t, servers.PrometheusOptions{OpenMetrics: openMetrics(samples)}).URL
		}},
		{"VictoriaMetrics", func(t *testing.T) string {
			server := servers.VictoriaMetrics(t)
			server.Import(t, prometheusText(samples))
			return server.URL
		}},
	} {
		t.Run(engine.name, func(t *testing.T) {
			url := engine.start(t)
			for _, turn := range []budget.Minute{1, 7} {
				if diff := cmp.Diff(want, readWorld(t, url, specs, start, turn)); diff != "" {
					t.Errorf("in turns of %d minutes (-embedded +%s):\n%s", turn, engine.name, diff)
				}
			}
		})
	}
}
