package engine

import (
	"context"
	"time"
)

// Run calls Tick until ctx ends: at once, and then each time a minute has become readable, which is
// when it is over and its targets have been scraped once more. minute is how long one lasts in wall
// time: less than a minute in the demo, whose clock runs faster. A tick that takes longer than its
// turn is followed by one that catches up on all the minutes missed.
func (e *Engine) Run(ctx context.Context, now func() time.Time, minute time.Duration) error {
	for {
		began := time.Now()
		sum := e.Tick(ctx, now())
		if ctx.Err() != nil {
			return nil
		}
		e.report(sum, time.Since(began))
		next := untilNext(e.Corrected(now()), max(e.Lag, complete), minute)
		if sum.Stats.Waiting > 0 {
			next = min(next, stragglers)
		}
		timer := time.NewTimer(next)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

// stragglers is how soon a tick is followed by another while some SLOs lag behind the rest, because
// their queries are slow. It reads nothing anew of the others.
const stragglers = 5 * time.Second

// complete is how long after its end most minutes are complete: their targets have been scraped once
// more.
const complete = 30 * time.Second

// untilNext returns how long to wait, in wall time, until the next minute is readable.
func untilNext(now time.Time, lag, minute time.Duration) time.Duration {
	next := now.Add(-lag).Truncate(time.Minute).Add(time.Minute + lag)
	return time.Duration(float64(next.Sub(now)) * minute.Minutes())
}

// report logs a tick and keeps how long it took.
func (e *Engine) report(sum Summary, took time.Duration) {
	e.mu.Lock()
	e.last.Took = took
	e.publishOnly()
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
		"queries", sum.Stats.Queries, "samples", sum.Stats.Samples, "waiting", sum.Stats.Waiting, "took", took)
}
