package signals_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake/promtest"
	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/internal/ranking"
	"github.com/slowburn-sre/slowburn/internal/signals"
	"github.com/slowburn-sre/slowburn/slo"
)

var live = time.Date(2026, 11, 18, 14, 0, 0, 0, time.UTC)

// one is a server with an hour of one counter.
func one(t *testing.T) (*promfake.DB, *prom.Client) {
	t.Helper()
	db := promfake.New(promfake.Options{Now: func() time.Time { return live }})
	s := db.Series(labels.FromStrings("__name__", "http_requests_total", "job", "a", "code", "200"))
	for m := range 61 {
		if err := s.Append(live.Add(time.Duration(m-60)*time.Minute).UnixMilli(), float64(60*m)); err != nil {
			t.Fatal(err)
		}
	}
	c, err := prom.NewClient(prom.ClientOptions{URL: promtest.Serve(t, db.Handler()), Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdle)
	return db, c
}

func TestUnknownIsNullInJSON(t *testing.T) {
	data, err := json.Marshal([]ranking.Reading{{Value: 0, Known: true}, {Reason: "no data"}})
	if want := `[{"value":0},{"value":null,"reason":"no data"}]`; err != nil || string(data) != want {
		t.Errorf("%s, %v; want %s", data, err, want)
	}
}

func TestASnapshotDoesNotWaitForAServerThatHangs(t *testing.T) {
	db, c := one(t)
	db.Faults.Fail(promfake.Hang())
	service := &slo.Service{Name: "a", Signals: &slo.Signals{From: "go-http", Match: `{job="a"}`}}
	s := signals.Take(context.Background(), c, service, live, signals.SnapshotOptions{Timeout: 50 * time.Millisecond})
	if s.Traffic.Now.Known || !strings.Contains(s.Traffic.Now.Reason, "timeout") {
		t.Errorf("%+v", s.Traffic)
	}
}

func TestWithoutAnswersEverythingIsUnknown(t *testing.T) {
	for _, tc := range []struct {
		name, reason string
		signals      *slo.Signals
		fault        promfake.Failure
	}{
		{"no signals", "says nothing about its signals", nil, nil},
		{"an unknown source", `there is no source "otel"`, &slo.Signals{From: "otel", Match: `{job="a"}`}, nil},
		{"no match", "those of every service", &slo.Signals{From: "go-http"}, nil},
		{"nothing of it exists", "none of http_requests_total", &slo.Signals{From: "go-http", Match: `{job="b"}`}, nil},
		{"the server fails", "overloaded", &slo.Signals{From: "go-http", Match: `{job="a"}`}, promfake.Status(503)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			db, c := one(t)
			if tc.fault != nil {
				db.Faults.Fail(tc.fault)
			}
			s := signals.Take(context.Background(), c, &slo.Service{Name: "a", Signals: tc.signals}, live, signals.SnapshotOptions{})
			for _, one := range []ranking.Signal{s.Traffic} {
				if one.Now.Known || one.Baseline.Known || !strings.Contains(one.Now.Reason, tc.reason) {
					t.Errorf("%s: %+v, want the reason %q", one.Name, one, tc.reason)
				}
			}
		})
	}
}
