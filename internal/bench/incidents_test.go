package bench

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/internal/incidents"
	"github.com/slowburn-sre/slowburn/internal/notify"
	"github.com/slowburn-sre/slowburn/internal/notify/slack"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/internal/web"
	"github.com/slowburn-sre/slowburn/slo"
)

// BenchmarkIncidents opens a page for every SLO of a fleet in one tick, and lets them burn on: with a
// SQLite store and messages for Slack, which nobody sends. It reports the CPU time of the tick in
// which they open, and of one in which they burn; the longest that /-/healthy, the metrics and the API
// took to answer meanwhile, asked without a pause; and the memory.
func BenchmarkIncidents(b *testing.B) {
	for _, each := range []int{4, 1 << 30} {
		for _, n := range []int{1_000, 3_000, 10_000} {
			name := fmt.Sprintf("open=%d/threads=%d", n, (n+min(each, n)-1)/min(each, n))
			b.Run(name, func(b *testing.B) { benchmarkIncidents(b, n, min(each, n)) })
		}
	}
}

func benchmarkIncidents(b *testing.B, n, each int) {
	set := slo.NewSet(allBurning(b, n, each), nil, nil)
	db, err := store.Open(filepath.Join(b.TempDir(), "slowburn.db"), store.Options{CheckFor: -1})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	e := engine.New(engine.Options{
		Source: &outage{}, Store: db, Composer: loud{to: slack.Composer{Channel: "#a"}}, Log: slog.New(slog.DiscardHandler),
	}, set, store.Snapshot{})
	now := t0
	e.Tick(b.Context(), now)
	h := web.New(web.Options{Source: e, Archive: db, Now: func() time.Time { return now }})
	runtime.GC()
	asked := ask(b, h)
	began := ownCPU()
	now = now.Add(10 * time.Minute)
	e.Tick(b.Context(), now)
	opening := ownCPU() - began
	if open := e.Snapshot().Open.Len(); open != n {
		b.Fatalf("%d of %d are open", open, n)
	}
	began, turns := ownCPU(), 0
	for b.Loop() {
		now = now.Add(time.Minute)
		e.Tick(b.Context(), now)
		turns++
	}
	burns := ownCPU() - began
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(milliseconds(opening), "opening-cpu-ms")
	b.ReportMetric(milliseconds(burns)/float64(turns), "tick-cpu-ms")
	for path, longest := range asked() {
		b.ReportMetric(milliseconds(longest), path+"-ms")
	}
	b.ReportMetric(residentMB(), "rss-MB")
}

// ask asks a handler for its health and more, again and again, until the function that it returns is
// called. That returns the longest time of each answer.
func ask(b *testing.B, h http.Handler) func() map[string]time.Duration {
	ctx, cancel := context.WithCancel(b.Context())
	longest := map[string]time.Duration{}
	var running sync.WaitGroup
	running.Go(func() {
		for ctx.Err() == nil {
			for name, path := range map[string]string{"healthy": "/-/healthy", "metrics": "/metrics", "status": "/api/v1/status", "incidents": "/api/v1/incidents?limit=100"} {
				r := httptest.NewRequestWithContext(ctx, http.MethodGet, path, http.NoBody)
				r.Host = "127.0.0.1"
				start := time.Now()
				h.ServeHTTP(httptest.NewRecorder(), r)
				longest[name] = max(longest[name], time.Since(start))
				select { // leave the machine to the tick
				case <-ctx.Done():
				case <-time.After(20 * time.Millisecond):
				}
			}
		}
	})
	return func() map[string]time.Duration {
		cancel()
		running.Wait()
		return longest
	}
}

// allBurning are SLOs with so many in each service.
func allBurning(b *testing.B, n, each int) (specs []*slo.Spec) {
	objective, err := slo.ParseObjective("99.9")
	if err != nil {
		b.Fatal(err)
	}
	for i := range n {
		specs = append(specs, &slo.Spec{
			Service: fmt.Sprintf("service-%05d", i/each), Name: fmt.Sprintf("slo-%05d", i%each), Objective: objective,
			Windows: []slo.Window{{Rolling: 28 * slo.Day}},
			SLI:     slo.Indicator{Kind: slo.Events},
			Alerts:  slo.Alerts{Page: []slo.Pair{{Budget: 200, Long: time.Hour, Short: 5 * time.Minute}}},
		})
	}
	return specs
}

// outage is a source in which half of all requests fail.
type outage struct{}

// Read returns bad minutes for every SLO.
func (*outage) Read(_ context.Context, specs []*slo.Spec, now time.Time) *prom.Batch {
	to := budget.MinuteOf(now) - 1
	batch := &prom.Batch{Readings: map[slo.ID]prom.Reading{}}
	for _, spec := range specs {
		var slots []budget.SlotAt
		for m := max(budget.MinuteOf(t0)-1, to-10); m <= to; m++ {
			slots = append(slots, budget.SlotAt{At: m, Slot: budget.Count(50*budget.Unit, 100*budget.Unit)})
		}
		batch.Readings[spec.ID()] = prom.Reading{Slots: slots}
	}
	return batch
}

// Commit forgets the batch.
func (*outage) Commit(*prom.Batch) {}

// Backfill reads no history.
func (*outage) Backfill([]*slo.Spec, prom.Plan) *prom.Backfill { return nil }

// Backfills finds none unfinished.
func (*outage) Restart() map[string][]byte                                { return nil }
func (*outage) Backfills(map[string][]byte, []*slo.Spec) []*prom.Backfill { return nil }

// loud composes for Slack what is told of events, and nothing else.
type loud struct {
	silent
	to slack.Composer
}

// Event implements engine.Composer.
func (l loud) Event(t incidents.Notification, shown outbox.Shown) []outbox.Entry {
	return l.to.Event(notify.Facts{Notification: t, Target: notify.Target{Shown: shown}})
}
