package suggest_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/internal/suggest"
)

// bigServer has that many series, of which the recognised ones, 16 for each of the services, have
// four weeks of samples, one every 30 seconds; the others have a few samples each, since nobody
// should read them.
func bigServer(tb testing.TB, series, services int) *promfake.DB {
	const scrape = 30 * time.Second
	const length = 28*24*time.Hour + time.Hour
	db := newDB()
	for i := range series - 16*services {
		s := db.Series(labels.FromStrings("__name__", fmt.Sprintf("other_metric_%d_total", i%4000), "job", fmt.Sprintf("job-%d", i%97), "instance", fmt.Sprint(i)))
		for n := range 3 {
			if err := s.Append(live.Add(time.Duration(n-2)*scrape).UnixMilli(), float64(n)); err != nil {
				tb.Fatal(err)
			}
		}
	}
	for i := range services {
		one := map[string]float64{}
		job := fmt.Sprintf("service-%d", i)
		for pod := range 2 {
			for code, rate := range map[string]float64{"200": 10, "404": 1, "500": 0.002} {
				one[fmt.Sprintf(`http_requests_total{job="%s",instance="%d",code="%s"}`, job, pod, code)] = rate
			}
			for le, rate := range map[string]float64{"0.05": 5, "0.1": 8, "0.3": 10.95, "1.0": 11, "+Inf": 11.002} {
				one[fmt.Sprintf(`http_request_duration_seconds_bucket{job="%s",instance="%d",le="%s"}`, job, pod, le)] = rate
			}
		}
		plant(tb, db, scrape, length, one)
	}
	return db
}

// measure suggests once and tells what it cost.
func measure(tb testing.TB, db *promfake.DB, services int) (promfake.Stats, time.Duration) {
	c := serve(tb, db)
	before, start := db.Stats(), time.Now()
	list, err := suggest.Propose(context.Background(), c, suggest.Options{At: live})
	if err != nil || len(list) != services {
		tb.Fatalf("%d proposals, %v", len(list), err)
	}
	return db.Stats().Sub(before), time.Since(start)
}

// BenchmarkSuggest looks at a server of 200,000 series. It reports the samples that were read as a
// share of what such a server holds: every series, every 30 seconds, for four weeks.
func BenchmarkSuggest(b *testing.B) {
	const series, services = 200_000, 40
	db := bigServer(b, series, services)
	for b.Loop() {
		stats, took := measure(b, db, services)
		b.ReportMetric(took.Seconds(), "s/suggest")
		b.ReportMetric(float64(stats.SamplesRead)/1e6, "Msamples")
		b.ReportMetric(100*float64(stats.SamplesRead)/(series*28*24*120), "%samples")
		b.ReportMetric(float64(stats.Requests), "requests")
		b.ReportMetric(float64(stats.Bytes)/1e6, "MB")
	}
}

func TestSuggestReadsLittleOfABigServer(t *testing.T) {
	if raceDetector {
		t.Skip("writes millions of samples")
	}
	const series, services = 10_000, 2
	stats, _ := measure(t, bigServer(t, series, services), services)
	if share := float64(stats.SamplesRead) / (series * 28 * 24 * 120); share > 0.01 {
		t.Errorf("read %.2f %% of the samples", 100*share)
	}
	if stats.Requests > 60+10*services {
		t.Errorf("sent %d requests", stats.Requests)
	}
}
