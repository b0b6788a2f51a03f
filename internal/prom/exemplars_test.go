package prom_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake/promtest"
	"github.com/slowburn-sre/slowburn/internal/prom"
)

func TestExemplarsAreThoseOfTheTimeAndTheSelector(t *testing.T) {
	at := time.Date(2026, 11, 18, 14, 0, 0, 0, time.UTC)
	db := promfake.New(promfake.Options{})
	for _, code := range []string{"200", "500"} {
		l := labels.FromStrings("__name__", "c_total", "code", code)
		for n := range 3 {
			moment := at.Add(time.Duration(n) * time.Minute).UnixMilli()
			if err := db.Append(l, moment, float64(n)); err != nil {
				t.Fatal(err)
			}
			if err := db.AppendExemplar(l, exemplar.Exemplar{Labels: labels.FromStrings("trace_id", string(rune('a'+n))), Value: 1.5, Ts: moment}); err != nil {
				t.Fatal(err)
			}
		}
	}
	c, err := prom.NewClient(prom.ClientOptions{URL: promtest.Serve(t, db.Handler())})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdle)
	got, e := c.Exemplars(context.Background(), `c_total{code="500"}`, at.Add(30*time.Second), at.Add(90*time.Second))
	if e != nil {
		t.Fatal(e)
	}
	want := []prom.Exemplar{{
		Series: map[string]string{"__name__": "c_total", "code": "500"}, Labels: map[string]string{"trace_id": "b"},
		Value: 1.5, At: at.Add(time.Minute),
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("exemplars (-want +got):\n%s", diff)
	}
	if _, e := c.Exemplars(context.Background(), `c_total{`, at, at); e == nil || e.Kind != prom.Refused {
		t.Errorf("a malformed expression: %v", e)
	}
}
