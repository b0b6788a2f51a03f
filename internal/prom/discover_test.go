package prom

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
)

// discoverable is a server with three jobs and a metric whose name has points.
func discoverable(t *testing.T) *promfake.DB {
	db := promfake.New(promfake.Options{})
	for i, job := range []string{"a", "b", "c"} {
		for n := range 3 {
			for _, name := range []string{"requests_total", "http.requests"} {
				lset := labels.FromStrings("__name__", name, "job", job, "http.route", "/"+job)
				if err := db.Append(lset, t0.Add(time.Duration(n)*time.Minute).UnixMilli(), float64(10*i+n)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	return db
}

func TestDiscover(t *testing.T) {
	c := serve(t, discoverable(t))
	ctx, end := context.Background(), t0.Add(2*time.Minute)

	names, err := c.LabelValues(ctx, "__name__", []string{"requests_total", `{__name__="http.requests"}`, "nothing"}, t0, end, 10)
	if diff := cmp.Diff([]string{"http.requests", "requests_total"}, names); diff != "" || err != nil {
		t.Errorf("names (-want +got):\n%s%v", diff, err)
	}
	routes, err := c.LabelValues(ctx, "http.route", []string{"requests_total"}, t0, end, 10)
	if diff := cmp.Diff([]string{"/a", "/b", "/c"}, routes); diff != "" || err != nil {
		t.Errorf("a label with a point (-want +got):\n%s%v", diff, err)
	}
	cut, err := c.LabelValues(ctx, "job", []string{"requests_total"}, t0, end, 2)
	if len(cut) != 2 || err != nil {
		t.Errorf("a list cut at the limit is no failure: %v, %v", cut, err)
	}
	series, err := c.SeriesLabels(ctx, `requests_total{job="b"}`, t0, end, 5)
	if diff := cmp.Diff([]map[string]string{{"__name__": "requests_total", "job": "b", "http.route": "/b"}}, series); diff != "" || err != nil {
		t.Errorf("series (-want +got):\n%s%v", diff, err)
	}
	vector, err := c.Vector(ctx, `sum by (job) (requests_total{job=~"a|b"})`, end)
	if diff := cmp.Diff([]Element{{map[string]string{"job": "a"}, 2}, {map[string]string{"job": "b"}, 12}}, vector); diff != "" || err != nil {
		t.Errorf("vector (-want +got):\n%s%v", diff, err)
	}
	scalar, err := c.Vector(ctx, "1 + 1", end)
	if len(scalar) != 1 || scalar[0].Value != 2 || err != nil {
		t.Errorf("a scalar is %v, %v", scalar, err)
	}
	curves, err := c.Range(ctx, `sum(requests_total{job="a"})`, t0, end, time.Minute)
	want := []Curve{{map[string]string{}, []Point{{t0.UnixMilli(), 0}, {t0.Add(time.Minute).UnixMilli(), 1}, {end.UnixMilli(), 2}}}}
	if diff := cmp.Diff(want, curves); diff != "" || err != nil {
		t.Errorf("range (-want +got):\n%s%v", diff, err)
	}
}

func TestDiscoverTellsFailures(t *testing.T) {
	for _, tc := range []struct {
		name  string
		fault promfake.Failure
		query string
		want  Kind
	}{
		{"the server refuses", nil, "sum(", Refused},
		{"the server fails", promfake.Status(503), "up", Overloaded},
	} {
		t.Run(tc.name, func(t *testing.T) {
			db := discoverable(t)
			if tc.fault != nil {
				db.Faults.Fail(tc.fault)
			}
			c := serve(t, db)
			_, err := c.SeriesLabels(context.Background(), tc.query, t0, t0, 1)
			_, err2 := c.Vector(context.Background(), tc.query, t0)
			if err == nil || err.Kind != tc.want || err2 == nil || err2.Kind != tc.want {
				t.Errorf("%v and %v, want %s", err, err2, tc.want)
			}
		})
	}
}
