package shop_test

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/slowburn-sre/slowburn/internal/promfake"
	"github.com/slowburn-sre/slowburn/internal/shop"
)

var live = time.Date(2026, 11, 18, 14, 0, 0, 0, time.UTC)

// client opens the DB over HTTP.
func client(t testing.TB, db *promfake.DB) v1.API {
	t.Helper()
	srv, err := promfake.Start(db.Handler())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { srv.Close() })
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	c, err := api.NewClient(api.Config{Address: srv.URL, RoundTripper: transport})
	if err != nil {
		t.Fatal(err)
	}
	return v1.NewAPI(c)
}

// number evaluates a query that has one value.
func number(t testing.TB, c v1.API, query string, at time.Time) float64 {
	t.Helper()
	v, _, _, err := c.Query(context.Background(), query, at)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	vec, ok := v.(model.Vector)
	if !ok || len(vec) != 1 {
		t.Fatalf("%s: want one value, got %v", query, v)
	}
	return float64(vec[0].Value)
}

func BenchmarkHistory(b *testing.B) {
	var sz promfake.Size
	for b.Loop() {
		db := promfake.New(promfake.Options{})
		shop.New(1, db, live).Fill(live)
		sz = db.Size()
	}
	b.ReportMetric(float64(sz.Series), "series")
	b.ReportMetric(float64(sz.Samples)/1e6, "Msamples")
	b.ReportMetric(float64(sz.ChunkBytes)/(1<<20), "MiB")
}

func TestPeek(t *testing.T) {
	db := promfake.New(promfake.Options{})
	s := shop.New(1, db, live)
	s.Fill(live)
	c := client(t, db)
	for _, o := range s.Outages() {
		t.Log(o.Service, o.Start, o.Length)
	}
	for _, q := range []string{
		`sum(increase(http_requests_total{job="checkout",code="500"}[28d])) / sum(increase(http_requests_total{job="checkout"}[28d])) / 0.001`,
		`sum(rate(http_requests_total{job="checkout"}[7d]))`,
		`sum(increase(http_requests_total{job="partners"}[7d]))/7/24`,
		`sum(increase(http_requests_total{job="partners",code="500"}[28d]))/sum(increase(http_requests_total{job="partners"}[28d]))/0.01`,
		`sum(increase(grpc_server_handled_total{grpc_code="Unavailable"}[28d])) / sum(increase(grpc_server_handled_total[28d])) / 0.0005`,
		`1-histogram_fraction(0,0.5,rate(http_server_request_duration_seconds[28d]))`,
		`1-sum(increase(http_request_duration_seconds_bucket{job="checkout",le="0.3"}[28d])) / sum(increase(http_request_duration_seconds_count{job="checkout"}[28d]))`,
		`(1-avg_over_time(probe_success[28d]))/0.001`,
		`avg_over_time((queue_oldest_seconds > bool 120)[28d:1m])/0.005`,
		`max_over_time(queue_oldest_seconds[28d])`,
		`count({__name__!=""})`,
	} {
		start := time.Now()
		v, _, _, err := c.Query(context.Background(), q, live)
		t.Log(q, "=>", v, err, time.Since(start))
	}
}

var _ = fmt.Sprint
var _ = math.Abs
var _ = strings.Cut
var _ = cmp.Diff
