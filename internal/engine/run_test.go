package engine_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/internal/incidents"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/internal/report"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/slo"
)

// idle is a source and a store in which nothing ever happens, slowly.
type idle struct{ slow time.Duration }

func (s idle) Read(ctx context.Context, _ []*slo.Spec, _ time.Time) *prom.Batch {
	select {
	case <-ctx.Done():
	case <-time.After(s.slow):
	}
	return &prom.Batch{}
}
func (idle) Commit(*prom.Batch)                                        {}
func (idle) Backfill([]*slo.Spec, prom.Plan) *prom.Backfill            { return nil }
func (idle) Restart() map[string][]byte                                { return nil }
func (idle) Backfills(map[string][]byte, []*slo.Spec) []*prom.Backfill { return nil }

type nowhere struct{}

func (nowhere) Commit(context.Context, store.Tick) error              { return nil }
func (nowhere) Fold(context.Context, map[slo.ID]*budget.Ledger) error { return nil }
func (nowhere) DropDays(context.Context, time.Time) error             { return nil }
func (nowhere) Prune(context.Context, time.Time) error                { return nil }
func (nowhere) Incident(context.Context, string) (alerting.Incident, bool, error) {
	return alerting.Incident{}, false, nil
}

func (nowhere) Act(context.Context, string) (alerting.Act, bool, error) {
	return alerting.Act{}, false, nil
}

func (nowhere) Owes(context.Context, string) (bool, error) { return false, nil }

func (nowhere) Outbox(context.Context, store.OutboxFilter) ([]outbox.Owed, error) { return nil, nil }

func (nowhere) Acts(context.Context, store.ActFilter) ([]alerting.Act, error) { return nil, nil }

func (nowhere) Evidence(context.Context, string) ([]store.Evidence, error) { return nil, nil }

func (nowhere) Incidents(context.Context, store.IncidentFilter) ([]alerting.Incident, error) {
	return nil, nil
}

// TestRun: a tick at once and then one for every minute that has become readable; a tick that takes
// too long leaves some out, which the next one catches up on; the end of the context ends a tick
// that waits for Prometheus.
func TestRun(t *testing.T) {
	for name, tc := range map[string]struct {
		slow time.Duration
		want int // ticks in ten minutes and a third
	}{"quick": {time.Second, 11}, "slow": {90 * time.Second, 5}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ticks := 0
				var e *engine.Engine
				e = engine.New(engine.Options{
					Source: idle{tc.slow}, Store: nowhere{}, Composer: voice{}, Log: slog.New(slog.DiscardHandler),
					Observe: func(s engine.Summary) {
						ticks++
						if took := e.Snapshot().Last.Took; took != s.Took {
							t.Errorf("others see that it took %s", took)
						}
						if s.Took != tc.slow {
							t.Errorf("the tick says that it took %s", s.Took)
						}
					},
				}, slo.NewSet(nil, nil, nil), store.Snapshot{})
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute+20*time.Second)
				defer cancel()
				var wg sync.WaitGroup
				wg.Go(func() { _ = e.FillHistory(ctx, time.Now) })
				if err := e.Run(ctx, time.Now, time.Minute); err != nil {
					t.Error(err)
				}
				wg.Wait()
				if ticks != tc.want {
					t.Errorf("%d ticks, want %d", ticks, tc.want)
				}
			})
		})
	}
}

// TestEverybodyAtOnce: ticks, reloads, the reading of history and everything that looks, side by
// side. The race detector is the judge.
func TestEverybodyAtOnce(t *testing.T) {
	w := oneService(t, outage(50, [2]int{3, 12}))
	const turns = 8 // of each side, in each step
	var wg sync.WaitGroup
	var sides []chan struct{}
	side := func(f func()) {
		mayGo := make(chan struct{}, turns)
		sides = append(sides, mayGo)
		wg.Go(func() {
			for range mayGo {
				f()
			}
		})
	}
	e, ctx := w.engine, t.Context()
	side(func() {
		for _, b := range e.Snapshot().Budgets {
			e.Snapshot().History(b.ID, t0, t0.Add(time.Hour), time.Minute)
			e.Snapshot().BurnDown(b.ID, t0, t0.Add(time.Hour), time.Minute)
			e.Snapshot().WithSteps(b.ID, func(in alerting.Input, _ []alerting.Input) { in.Ledger.Sum(0, in.Ledger.End()) })
		}
		e.Snapshot().Open.All()
		e.Snapshot().Verdicts("", "", t0)
		e.Snapshot().MayRun("shop", "", 100, t0)
		e.Snapshot().Changes("", time.Time{}, time.Time{}, t0.Add(time.Hour))
		e.Corrected(t0)
	})
	week, _ := report.ParsePeriod("2026-W45")
	side(func() { _, _, _ = e.MakeReport(ctx, "weekly", week, t0.Add(time.Hour)) })
	side(func() { _ = e.Reload(ctx, engine.Terms{Set: slo.NewSet(specsOf(promise("shop")), nil, nil)}, t0) })
	side(func() { _ = e.FillAll(ctx, t0) })
	deploys := 0
	side(func() {
		if deploys++; deploys <= 200 {
			act := alerting.Act{Key: fmt.Sprint(deploys), Kind: alerting.Changed, By: "ci", Service: "shop", Change: &alerting.Change{Kind: "deploy", Title: "shop", Start: t0}}
			if err := e.Do(ctx, act, w.daemonNow()); err != nil {
				t.Error(err)
			}
		}
	})
	side(func() { e.Open(w.daemonNow()) })
	side(func() {
		_ = e.OweBeside(ctx, w.daemonNow(), e.Snapshot().Open.IDs(), func(incidents.Notification) []outbox.Entry { return nil })
	})
	for range 25 {
		for range turns {
			for _, mayGo := range sides {
				mayGo <- struct{}{}
			}
		}
		w.step()
	}
	for _, mayGo := range sides {
		close(mayGo)
	}
	wg.Wait()
	w.steps(5)
	if is := w.incidents(); len(is) != 1 || is[0].Open {
		t.Errorf("incidents: %+v", is)
	}
	w.checkTold()
}

// TestStopWhileCommitting (fault 3): the daemon is told to stop while it writes. The tick is
// finished, and nothing is sent past the store.
func TestStopWhileCommitting(t *testing.T) {
	w := oneService(t, outage(50, [2]int{10, 16}))
	w.steps(12)
	for range 2 { // one of them decides the page
		ctx, cancel := context.WithCancel(t.Context())
		w.point = func(string) error { cancel(); return nil }
		w.pass(time.Minute)
		if sum := w.engine.Tick(ctx, w.now()); sum.StoreErr != nil {
			t.Error(sum.StoreErr)
		}
		w.point = nil
		cancel()
	}
	if roots := w.roots(); len(roots) != 0 {
		t.Errorf("sent past the store: %q", roots)
	}
	w.restart()
	w.steps(20)
	w.checkTold()
	w.checkBudgets()
}
