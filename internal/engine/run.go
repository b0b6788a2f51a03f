package engine

import (
	"context"
	"time"
)

// Run calls Tick now and then every so often (in wall time), with the time that now tells, until ctx
// ends. The two differ in the demo, whose clock runs faster than the wall's. A tick that takes longer than
// its turn is followed at once by the next, which catches up on all the minutes that were missed.
func (e *Engine) Run(ctx context.Context, now func() time.Time, every time.Duration) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		began := time.Now()
		sum := e.Tick(ctx, now())
		if ctx.Err() != nil {
			return nil
		}
		e.report(sum, time.Since(began))
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// report logs a tick and keeps how long it took.
func (e *Engine) report(sum Summary, took time.Duration) {
	e.mu.Lock()
	e.last.Took = took
	e.mu.Unlock()
	sum.Took = took
	if e.Observe != nil {
		e.Observe(sum)
	}
	if !sum.Good() {
		first := ""
		if len(sum.Failures) > 0 {
			first = sum.Failures[0]
		}
		e.Log.Warn("tick with failures", "through", sum.Through, "failures", len(sum.Failures), "first", first, "took", took)
		return
	}
	e.Log.Debug("tick", "through", sum.Through, "budgets", sum.SLOs, "slots", sum.Slots, "events", sum.Events,
		"queries", sum.Stats.Queries, "samples", sum.Stats.Samples, "took", took)
}
