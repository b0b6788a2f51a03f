package integration_test

import (
	"bufio"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/integration/servers"
	"github.com/slowburn-sre/slowburn/internal/engine"
)

// The fleet of the cost benchmark: five thousand services of six series.
const (
	fleetServices = 5_000
	fleetSeries   = 6
	fleetMinutes  = 14
	fleetScrape   = 30 * time.Second
	fleetWarmUp   = 4 // minutes before measuring
)

// BenchmarkCostOnARealPrometheus is the steady state of five thousand SLOs over thirty thousand
// series. What the server spends is what its own metrics say, and what it reads is what its query
// statistics say.
func BenchmarkCostOnARealPrometheus(b *testing.B) {
	start := time.Now().Add(-48 * time.Hour).Truncate(time.Hour)
	server := servers.Prometheus(b, servers.PrometheusOptions{OpenMetrics: fleetMetrics(start)})
	d := newDaemon(b, server.URL, start.Add(fleetWarmUp*time.Minute), fleetSLOs()...)
	for range 2 {
		d.turn()
	}
	turns, slots, samples, queries := 0, 0, int64(0), int64(0)
	ours, before := ownCPU(), metricsOf(b, server.URL)
	for b.Loop() && turns < fleetMinutes-fleetWarmUp-3 {
		sum := d.turn()
		slots, samples, queries, turns = slots+sum.Slots, samples+sum.Stats.Samples, queries+sum.Stats.Queries, turns+1
	}
	ours = ownCPU() - ours
	after := metricsOf(b, server.URL)
	if slots != turns*fleetServices {
		b.Errorf("%d slots in %d turns of %d SLOs", slots, turns, fleetServices)
	}
	n := float64(turns)
	scraped := n * fleetServices * fleetSeries * float64(time.Minute/fleetScrape)
	const cpu = "process_cpu_seconds_total"
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(n, "turns")
	b.ReportMetric(float64(queries)/n, "queries")
	b.ReportMetric(ours.Seconds()*1000/n, "our-cpu-ms")
	b.ReportMetric((after[cpu]-before[cpu])*1000/n, "server-cpu-ms")
	b.ReportMetric(float64(samples)/scraped, "samples/limit")
}

// turn is a tick, a minute after the last, that must succeed.
func (d *daemon) turn() engine.Summary {
	d.now = d.now.Add(time.Minute)
	sum := d.Tick(d.t.Context(), d.now)
	if !sum.Good() {
		d.t.Fatal(sum.Failures, sum.StoreErr)
	}
	return sum
}

func ownCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// metricsOf reads the metrics without labels that a server has about itself.
func metricsOf(tb testing.TB, url string) map[string]float64 {
	tb.Helper()
	resp, err := http.Get(url + "/metrics")
	if err != nil {
		tb.Fatal(err)
	}
	defer resp.Body.Close()
	all := map[string]float64{}
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		var name string
		var value float64
		if n, _ := fmt.Sscan(lines.Text(), &name, &value); n == 2 {
			all[name] = value
		}
	}
	return all
}

func fleetMetrics(start time.Time) string {
	var b strings.Builder
	b.WriteString("# TYPE http_requests counter\n")
	for i := range fleetServices {
		for k := range fleetSeries {
			offset := time.Duration(i%29)*time.Second + time.Second/2
			for n := range fleetMinutes * int(time.Minute/fleetScrape) {
				at := start.Add(offset + time.Duration(n)*fleetScrape).UnixMilli()
				value := n * 3000
				if k%3 == 2 {
					value = n
				}
				fmt.Fprintf(&b, "http_requests_total{job=\"service-%04d\",instance=\"10.0.%d.%d:8080\",code=\"%s\"} %d %d.%03d\n",
					i, i, k/3, []string{"200", "404", "500"}[k%3], value, at/1000, at%1000)
			}
		}
	}
	return b.String() + "# EOF\n"
}

func fleetSLOs() (texts []string) {
	for i := range fleetServices {
		texts = append(texts, fmt.Sprintf(`
version: slowburn/v1
service: service-%04[1]d
slos:
  - name: availability
    objective: 99.9
    sli: {events: {total: 'http_requests_total{job="service-%04[1]d"}', bad: 'http_requests_total{job="service-%04[1]d",code=~"5.."}'}}
`, i))
	}
	return texts
}
