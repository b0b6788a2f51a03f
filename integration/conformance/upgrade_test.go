package conformance_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
	"github.com/prometheus/prometheus/storage"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/integration/conformance/realprom"
	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/slo"
)

// The process whose Prometheus is upgraded has served for long when it is first scraped. One
// request in a thousand is slow.
const (
	upgradeServed   = 5_000_000
	upgradePerMin   = 2_000
	upgradeInterval = 30 * time.Second
)

// exposed is what the process shows after so many scrapes, in the text format: every client library
// writes this bound as le="1".
func exposed(n int) string {
	count := upgradeServed + n*upgradePerMin/2
	return fmt.Sprintf("# TYPE d histogram\nd_bucket{le=\"1\"} %d\nd_bucket{le=\"+Inf\"} %d\nd_count %d\nd_sum %d\n", count-count/1000, count, count, count/20)
}

// TestPrometheusIsUpgradedOnItsData: two hours of samples are written by the tools of an installed
// Prometheus 2, which keeps le="1". Then the genuine packages of Prometheus 3 open the same
// directory and parse the same page, and le="1.0" begins; two scrapes are missed meanwhile. The SLO
// is read minute by minute over it: nobody is paged, and every event counts.
func TestPrometheusIsUpgradedOnItsData(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	version := ""
	if err == nil {
		out, _ := exec.Command(promtool, "--version").CombinedOutput()
		version = string(out)
	}
	if !strings.Contains(version, "version 2.") {
		if os.Getenv("SLOWBURN_CI") != "" {
			t.Fatalf("no promtool of Prometheus 2 is installed: %q", version)
		}
		t.Skip("no promtool of Prometheus 2 is installed")
	}
	const before, missed, after = 240, 2, 120 // scrapes
	begin := start.Truncate(2 * time.Hour)
	at := func(n int) time.Time { return begin.Add(time.Duration(n)*upgradeInterval + 3*time.Second) }

	dir := t.TempDir()
	var old strings.Builder
	old.WriteString("# TYPE d histogram\n")
	for n := range before {
		for line := range strings.Lines(exposed(n)) {
			if series, v, _ := strings.Cut(strings.TrimSpace(line), " "); series != "#" {
				name, more, bounded := strings.Cut(strings.TrimSuffix(series, "}"), "{")
				if bounded {
					more += ","
				}
				fmt.Fprintf(&old, "%s{%sjob=\"api\",instance=\"1\"} %s %d\n", name, more, v, at(n).Unix())
			}
		}
	}
	old.WriteString("# EOF\n")
	input := filepath.Join(dir, "old.om")
	if err := os.WriteFile(input, []byte(old.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "data")
	if out, err := exec.Command(promtool, "tsdb", "create-blocks-from", "openmetrics", input, data).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}

	server := realprom.Open(t, data)
	spelled := map[string]bool{}
	for n := before + missed; n < before+missed+after; n++ {
		server.Append(t, func(app storage.Appender) error { return scrape(app, exposed(n), at(n), spelled) })
	}
	if !spelled["1.0"] || spelled["1"] {
		t.Fatalf("Prometheus 3 writes the bounds as %v", spelled)
	}

	q, err := slo.ParseQuery(`d{job="api"}`)
	if err != nil {
		t.Fatal(err)
	}
	objective, err := slo.ParseObjective("99.5")
	if err != nil {
		t.Fatal(err)
	}
	window := slo.Window{Rolling: 28 * slo.Day}
	alerts, _ := slo.DefaultAlerts(window, objective)
	spec := &slo.Spec{
		Service: "api", Name: "latency", Objective: objective, Windows: []slo.Window{window}, Alerts: alerts,
		SLI: slo.Indicator{Kind: slo.Latency, Histogram: q, Below: 1, LimitText: "1s"},
	}
	client, err := prom.NewClient(prom.ClientOptions{URL: server.URL, Timeout: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer client.CloseIdle()
	reader := prom.New(client, prom.Options{})
	defer reader.Close()
	l := &budget.Ledger{}
	for now := begin.Add(30*time.Minute + 31*time.Second); now.Before(at(before + missed + after)); now = now.Add(time.Minute) {
		batch := reader.Read(t.Context(), []*slo.Spec{spec}, now)
		if len(batch.Failures) > 0 {
			t.Fatal(batch.Failures[0].Err)
		}
		reader.Commit(batch)
		for _, s := range batch.Readings[spec.ID()].Slots {
			l.Put(s.At, s.Slot)
		}
		for _, a := range batch.Readings[spec.ID()].Late {
			l.AmendShown(a.Since, a.At, a.Bad, a.Total)
		}
	}
	from, to := budget.MinuteOf(begin.Add(35*time.Minute)), budget.MinuteOf(begin.Add(175*time.Minute))
	sum := l.Sum(from, to)
	if want := int64(to-from) * upgradePerMin * budget.Unit; sum.Total != want || sum.Bad != want/1000 || sum.Unknown > 0 {
		t.Errorf("%+v, want %d of %d thousandths, all known", sum, want/1000, want)
	}
	if _, events := alerting.Advance(alerting.Input{ID: spec.ID(), Spec: spec, Ledger: l}, alerting.State{Through: l.Begin()}, l.End()); len(events) > 0 {
		t.Errorf("told: %+v", events)
	}
}

// scrape parses a page as Prometheus 3 does, and notes how bounds are spelled.
func scrape(app storage.Appender, page string, at time.Time, spelled map[string]bool) error {
	p, err := textparse.New([]byte(page), "text/plain; version=0.0.4", labels.NewSymbolTable(), textparse.ParserOptions{})
	if err != nil {
		return err
	}
	for {
		entry, err := p.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if entry != textparse.EntrySeries {
			continue
		}
		var lset labels.Labels
		p.Labels(&lset)
		_, _, v := p.Series()
		if le := lset.Get("le"); le != "" {
			spelled[le] = true
		}
		lset = labels.NewBuilder(lset).Set("job", "api").Set("instance", "1").Labels()
		if _, err := app.Append(0, lset, at.UnixMilli(), v); err != nil {
			return err
		}
	}
}
