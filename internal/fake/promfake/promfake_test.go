package promfake_test

import (
	"context"
	"testing"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake/promtest"
)

// t0 is the beginning of time in these tests: a round hour.
var t0 = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)

// sec is t0 plus some seconds, in milliseconds.
func sec(n int) int64 { return t0.Add(time.Duration(n) * time.Second).UnixMilli() }

// at is t0 plus some seconds.
func at(n int) time.Time { return t0.Add(time.Duration(n) * time.Second) }

// lset makes labels from a metric name and pairs.
func lset(name string, pairs ...string) labels.Labels {
	return labels.FromStrings(append([]string{"__name__", name}, pairs...)...)
}

// open starts a server over db and returns its URL and a client for it.
func open(t *testing.T, db *promfake.DB) (string, v1.API) {
	t.Helper()
	url := promtest.Serve(t, db.Handler())
	return url, promtest.Client(t, url)
}

// ask evaluates an instant query and returns the answer as text.
func ask(t *testing.T, c v1.API, query string, when time.Time) string {
	t.Helper()
	v, _, _, err := c.Query(context.Background(), query, when)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return v.String()
}

// ramp fills a counter that grows by one per second, a sample each 15 s from 15 s on, for n
// samples.
func ramp(t testing.TB, db *promfake.DB, l labels.Labels, n int) {
	t.Helper()
	s := db.Series(l)
	for i := 1; i <= n; i++ {
		if err := s.Append(sec(15*i), float64(15*i)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestInstantQueries(t *testing.T) {
	db := promfake.New(promfake.Options{})
	ramp(t, db, lset("c_total", "pod", "a"), 1000)
	ramp(t, db, lset("c_total", "pod", "b"), 10)
	if err := db.MarkStale(lset("c_total", "pod", "b"), sec(160)); err != nil {
		t.Fatal(err)
	}
	_, c := open(t, db)
	for _, tc := range []struct {
		name, query string
		when        time.Time
		want        string
	}{
		{"the newest sample within five minutes is current", `c_total{pod="a"}`, at(15010), `c_total{pod="a"} => 15000 @[1793625010]`},
		{"after five minutes nothing is", `c_total{pod="a"}`, at(15301), ``},
		{"a stale marker ends a series at once", `c_total{pod="b"}`, at(161), ``},
		{"before the marker it is there", `c_total{pod="b"}`, at(159), `c_total{pod="b"} => 150 @[1793610159]`},
		{
			"a range selector yields raw samples, its left end open", `c_total{pod="a"}[30s]`, at(60),
			"c_total{pod=\"a\"} =>\n45 @[1793610045]\n60 @[1793610060]",
		},
		{"a stale marker is no sample", `count_over_time(c_total{pod="b"}[1m])`, at(165), `{pod="b"} => 3 @[1793610165]`},
		{"rate works", `round(rate(c_total{pod="a"}[5m]), 0.001)`, at(6000), `{pod="a"} => 1 @[1793616000]`},
		{"@ fixes the time", `c_total{pod="a"} @ 1793616000`, at(60), `c_total{pod="a"} => 6000 @[1793610060]`},
		{"offset goes back", `c_total{pod="a"} offset 1h`, at(3660), `c_total{pod="a"} => 60 @[1793613660]`},
		{"a negative offset goes forward", `c_total{pod="a"} offset -1h`, at(60), `c_total{pod="a"} => 3660 @[1793610060]`},
		{"regular expressions select", `count({__name__=~"c_.+",pod!="b"})`, at(60), `{} => 1 @[1793610060]`},
		{"sub-queries work", `round(max_over_time(rate(c_total{pod="a"}[1m])[10m:1m]), 0.001)`, at(6000), `{pod="a"} => 1 @[1793616000]`},
		{"a scalar is a scalar", `1+1`, at(0), `scalar: 2 @[1793610000]`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := ask(t, c, tc.query, tc.when); got != tc.want {
				t.Errorf("%s\n got %s\nwant %s", tc.query, got, tc.want)
			}
		})
	}
}

func TestRangeQuerySpansChunks(t *testing.T) {
	db := promfake.New(promfake.Options{})
	ramp(t, db, lset("c_total"), 1000)
	_, c := open(t, db)
	v, _, _, err := c.QueryRange(context.Background(), "c_total", v1.Range{Start: at(15), End: at(15000), Step: 15 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	values := v.(model.Matrix)[0].Values
	if len(values) != 1000 {
		t.Fatalf("got %d points, want 1000", len(values))
	}
	for i, p := range values {
		if want := float64(15 * (i + 1)); float64(p.Value) != want {
			t.Fatalf("point %d is %v, want %v", i, p.Value, want)
		}
	}
}
