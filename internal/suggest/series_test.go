package suggest_test

import (
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
)

// plant writes counters that grow by so much a second, with samples up to live.
func plant(t testing.TB, db *promfake.DB, every, length time.Duration, series map[string]float64) {
	t.Helper()
	for text, perSecond := range series {
		s := db.Series(labelsOf(t, text))
		value := 0.0
		for at := live.Add(-length); !at.After(live); at = at.Add(every) {
			if err := s.Append(at.UnixMilli(), value); err != nil {
				t.Fatal(err)
			}
			value += perSecond * every.Seconds()
		}
	}
}

// stand writes gauges that keep their value.
func stand(t testing.TB, db *promfake.DB, every, length time.Duration, gauges map[string]float64) {
	t.Helper()
	for text, value := range gauges {
		s := db.Series(labelsOf(t, text))
		for at := live.Add(-length); !at.After(live); at = at.Add(every) {
			if err := s.Append(at.UnixMilli(), value); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func newDB() *promfake.DB {
	return promfake.New(promfake.Options{Now: func() time.Time { return live }})
}

// labelsOf reads the labels of a series as PromQL writes them.
func labelsOf(t testing.TB, text string) labels.Labels {
	t.Helper()
	lset, err := parser.NewParser(parser.Options{}).ParseMetric(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return lset
}
