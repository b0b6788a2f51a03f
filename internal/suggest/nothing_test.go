package suggest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/internal/suggest"
)

// Whoever gets no proposal learns why.
func TestNothingIsExplained(t *testing.T) {
	for _, tc := range []struct {
		name     string
		counters map[string]float64
		want     []string
	}{
		{"an empty server", nil, []string{"has no metrics of the last hour"}},
		{"names of a house", map[string]float64{
			`acme_orders_total{job="shop"}`: 5, `acme_temperature{job="shop"}`: 1, `promhttp_metric_handler_requests_total{job="shop",code="200"}`: 1,
		}, []string{"3 metrics, and none that the catalogue knows", "look like counters of events: acme_orders_total. ", "signals:"}},
		{"known, and nothing happens", map[string]float64{`http_requests_total{job="idle",code="200"}`: 0}, []string{"has metrics of Go client, conventional names", "nothing happened"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			db := newDB()
			plant(t, db, time.Minute, 3*time.Hour, tc.counters)
			got, err := suggest.WhyNothing(t.Context(), serve(t, db), suggest.Options{At: live})
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range tc.want {
				if !strings.Contains(got, want) {
					t.Errorf("it does not say %q: %s", want, got)
				}
			}
		})
	}
}

// Half an hour of history is too little, and that is what is said.
func TestAYoungServerIsToldItsAge(t *testing.T) {
	db := newDB()
	plant(t, db, time.Minute, 30*time.Minute, map[string]float64{
		`prometheus_http_requests_total{job="prometheus",handler="/api/v1/query",code="200"}`:                 10,
		`prometheus_http_request_duration_seconds_bucket{job="prometheus",handler="/api/v1/query",le="0.1"}`:  9.9,
		`prometheus_http_request_duration_seconds_bucket{job="prometheus",handler="/api/v1/query",le="+Inf"}`: 10,
		`prometheus_http_request_duration_seconds_count{job="prometheus",handler="/api/v1/query"}`:            10,
	})
	got := text(propose(t, db, suggest.Options{}))
	if !strings.Contains(got, "No SLO availability: there is less than 2 h of history, and a day is needed") || strings.Contains(got, "Yesterday") || strings.Contains(got, "nothing was counted") {
		t.Errorf("\n%s", got)
	}
}
