package prom

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/slo"
)

func TestQueriesFollowTheScrapeInterval(t *testing.T) {
	sum := `sum(increase(n{code="500"}[$window])) / sum(increase(n[$window]))`
	bucket := func(le string) string { return `sum(rate(d_bucket{job="a",` + le + `}[$window])) + d_count` }
	for _, tc := range []struct {
		text   string
		scrape time.Duration
		want   string
		scale  float64
	}{
		{sum, 15 * time.Second, `sum(increase(n{code="500"}[1m15s])) / sum(increase(n[1m15s]))`, 60.0 / 75},
		{sum, time.Minute, `sum(increase(n{code="500"}[2m6s])) / sum(increase(n[2m6s]))`, 60.0 / 126},
		{sum, 10 * time.Minute, `sum(increase(n{code="500"}[21m])) / sum(increase(n[21m]))`, 1 / 21.0},
		{`sum(rate(n[$window]))`, 5 * time.Minute, `sum(rate(n[10m30s]))`, 60},
		{`n{code="500"}`, 5 * time.Minute, `sum(increase(n{code="500"}[10m30s]))`, 1 / 10.5},
		{`sum(n)`, time.Minute, `sum(n)`, 1},
		{`sum(n) by (job)`, 5 * time.Minute, `sum(last_over_time(n[5m30s])) by (job)`, 1},
		{`sum(max_over_time(n[$window]))`, 30 * time.Second, `sum(max_over_time(n[1m]))`, 1},
		{`sum(max_over_time(n[$window]))`, 2 * time.Minute, `sum(max_over_time(n[2m12s]))`, 1},
		{bucket(`le="1"`), 30 * time.Second, `sum(rate(d_bucket{job="a",le=~"X"}[1m30s])) + d_count`, 60},
		{bucket(`le="1"`), 10 * time.Minute, `sum(rate(d_bucket{job="a",le=~"X"}[21m])) + last_over_time(d_count[11m])`, 60},
		{bucket(`le=~"1|2"`), 30 * time.Second, `sum(rate(d_bucket{job="a",le=~"1|2"}[1m30s])) + d_count`, 60},
	} {
		got, scale := count(query(t, tc.text), nil, tc.scrape)
		plain := strings.ReplaceAll(got, strconv.Quote(spellings(1)), `"X"`)
		if plain != tc.want || scale < 0.999*tc.scale || scale > 1.001*tc.scale {
			t.Errorf("%s every %s:\n got %s × %v\nwant %s × %v", tc.text, tc.scrape, got, scale, tc.want, tc.scale)
		}
		if _, err := slo.ParseQuery(got); err != nil {
			t.Errorf("%s: %v", got, err)
		}
	}
}

func TestLabelsOfBudgetsAreQuotedWhereTheyMustBe(t *testing.T) {
	want := `sum by (job, "http.route") (increase(n[1m15s]))`
	if got, _ := count(query(t, "n"), []string{"job", "http.route"}, 15*time.Second); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
