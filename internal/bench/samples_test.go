package bench

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/common/model"

	"github.com/slowburn-sre/slowburn/internal/engine/enginetest"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake/truth"
)

// BenchmarkSamplesRead compares how many raw samples Prometheus reads for one SLO in an hour, by
// its own statistics: for us in the steady state, and for recording rules that are evaluated once a
// minute. The physical limit is every sample once.
//
// The rules are of the form that Sloth and Pyrra generate; the 30-day record that Sloth makes of
// its own records is left out.
func BenchmarkSamplesRead(b *testing.B) {
	db := promfake.New(promfake.Options{})
	o := truth.Standard(1, t0, month, 30*time.Second)
	o.Services = o.Services[:1]
	if _, err := truth.Generate(db, o); err != nil {
		b.Fatal(err)
	}
	url := serve(b, db)
	for range b.N {
		limit := scrapedInTheLastHour(b, url)
		ours := steadyHour(b, db, url)
		n := newNaive(b, url)
		burns := func(windows ...string) (total float64) {
			for _, w := range windows {
				total += n.read(db, fmt.Sprintf(`sum(rate(http_requests_total{job="high",code="500"}[%[1]s])) / sum(rate(http_requests_total{job="high"}[%[1]s]))`, w))
			}
			return total
		}
		sloth := 60 * burns("5m", "30m", "1h", "2h", "6h", "1d", "3d")
		pyrra := 60*burns("5m", "30m", "1h", "2h", "6h", "1d", "4d") + 24*n.read(db, `sum by (code) (increase(http_requests_total{job="high"}[4w]))`)
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(limit, "limit")
		b.ReportMetric(ours/limit, "slowburn/limit")
		b.ReportMetric(sloth/limit, "sloth-rules/limit")
		b.ReportMetric(pyrra/limit, "pyrra-rules/limit")
		if ours > 1.5*limit {
			b.Errorf("%.0f samples read in an hour, of %.0f that were scraped; the goal is 1.5 times", ours, limit)
		}
	}
}

// lastHour begins the hour that is looked at.
var lastHour = t0.Add(month - time.Hour)

func scrapedInTheLastHour(b *testing.B, url string) float64 {
	b.Helper()
	value, _, _, err := newNaive(b, url).api.Query(background, `sum(count_over_time(http_requests_total{job="high"}[1h]))`, lastHour.Add(time.Hour))
	if err != nil {
		b.Fatal(err)
	}
	return float64(value.(model.Vector)[0].Value)
}

// steadyHour is what the server reads while we turn once a minute for an hour.
func steadyHour(b *testing.B, db *promfake.DB, url string) float64 {
	b.Helper()
	c := newChain(b, url, enginetest.Load(b, fmt.Sprintf(monthSLO, "high")), noHistory)
	for at := lastHour.Add(-5 * time.Minute); !at.After(lastHour); at = at.Add(time.Minute) {
		c.tick(b, at)
	}
	before := db.Stats()
	for at := lastHour.Add(time.Minute); !at.After(lastHour.Add(time.Hour)); at = at.Add(time.Minute) {
		c.tick(b, at)
	}
	return float64(db.Stats().Sub(before).SamplesRead)
}

// read is how many samples one evaluation of a query reads.
func (n naive) read(db *promfake.DB, query string) float64 {
	before := db.Stats()
	if _, _, _, err := n.api.Query(background, query, t0.Add(month)); err != nil {
		n.b.Fatal(err)
	}
	return float64(db.Stats().Sub(before).SamplesRead)
}
