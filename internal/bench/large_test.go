package bench

import (
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/engine/enginetest"
	"github.com/slowburn-sre/slowburn/internal/prom"
)

// BenchmarkLargeMetric is one SLO on a metric of 200,000 series, over HTTP: in parts by the values
// of a label and, where an answer may hold so little that no label divides it enough, added up by
// Prometheus. It reports, per turn of a minute, wall time, the CPU time of both sides, and how many
// samples the server read for each that was scraped; and the memory of our process. Every minute
// must hold every event.
func BenchmarkLargeMetric(b *testing.B) {
	const services, minutes = 33_334, 16
	srv := startFleet(b, services, minutes+2)
	set := enginetest.Load(b, `
version: slowburn/v1
service: everything
slos:
  - name: availability
    objective: 99.9
    sli: {events: {total: http_requests_total, bad: 'http_requests_total{code=~"5.."}'}}
`)
	perMinute := int64(0)
	for k := range seriesPerService {
		perMinute += int64(services*perScrape(k)) * int64(time.Minute/scrapeEvery) * budget.Unit
	}
	for name, maxBytes := range map[string]int64{"in parts": prom.DefaultMaxBytes, "added up": prom.DefaultMaxBytes / 8} {
		b.Run(name, func(b *testing.B) {
			client, err := prom.NewClient(prom.ClientOptions{URL: srv.url, MaxBytes: maxBytes, Timeout: 2 * time.Minute})
			if err != nil {
				b.Fatal(err)
			}
			defer client.CloseIdle()
			r := prom.New(client, prom.Options{Patience: 2 * time.Minute})
			defer r.Close()
			first, decided := t0.Add(4*time.Minute), 0
			var walls []time.Duration
			var before, after cost
			var ours time.Duration
			for n := range minutes - 4 {
				if n == 4 {
					before, ours, walls = srv.cost(b), ownCPU(), nil
				}
				start := time.Now()
				batch := r.Read(background, set.Specs, first.Add(time.Duration(n)*time.Minute+31*time.Second))
				r.Commit(batch)
				walls = append(walls, time.Since(start))
				for _, f := range batch.Failures {
					if n > 1 {
						b.Fatal(f.Err)
					}
				}
				for _, reading := range batch.Readings {
					for _, s := range reading.Slots {
						decided++
						if off := max(s.Slot.Total-perMinute, perMinute-s.Slot.Total); off > perMinute/1000 || !s.Slot.Estimated && off > 0 {
							b.Errorf("%s: %+v, want %d", s.At.Time(), s.Slot, perMinute)
						}
					}
					if n == minutes-5 {
						b.Log(strings.Join(reading.Problems, "; "))
					}
				}
			}
			after, ours = srv.cost(b), ownCPU()-ours
			if decided < minutes-6 {
				b.Errorf("%d minutes were decided", decided)
			}
			n := float64(len(walls))
			slices.Sort(walls)
			runtime.GC()
			var mem runtime.MemStats
			runtime.ReadMemStats(&mem)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(walls[len(walls)/2].Seconds(), "s/turn")
			b.ReportMetric(ours.Seconds()/n, "cpu-s/turn")
			b.ReportMetric((after.CPU-before.CPU).Seconds()/n, "server-cpu-s/turn")
			b.ReportMetric(float64(after.Samples-before.Samples)/n/float64(services*seriesPerService*2), "samples-read/scraped")
			b.ReportMetric(float64(after.Queries-before.Queries)/n, "queries/turn")
			b.ReportMetric(float64(mem.HeapAlloc)/(1<<20), "heap-MB")
			b.ReportMetric(float64(mem.Sys)/(1<<20), "sys-MB")
			runtime.KeepAlive(r)
		})
	}
}
