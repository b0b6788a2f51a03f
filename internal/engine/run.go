package engine

import (
	"context"
	"time"

	"github.com/slowburn-sre/slowburn/internal/prom"
)

// Run calls Tick until ctx ends: at once, and then each time another minute can be complete, as the
// source says, on the next of every five seconds. minute is how long one lasts in wall time: less
// than a minute in the demo, whose clock runs faster. A tick that takes longer than its turn is
// followed by one that catches up on all the minutes missed.
func (e *Engine) Run(ctx context.Context, now func() time.Time, minute time.Duration) error {
	for {
		began := time.Now()
		sum := e.Tick(ctx, now())
		if ctx.Err() != nil {
			return nil
		}
		if !sum.Quiet {
			e.report(sum, time.Since(began))
		}
		at := now()
		timer := time.NewTimer(wait(sum, e.Lag, at, e.Corrected(at), minute))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

const (
	// grid is how exactly the time of a tick is kept: what is ready within it is decided together.
	grid = 5 * time.Second
	// complete is how long after its end a minute is looked at if nobody knows when it is complete.
	complete = 30 * time.Second
	// stragglers is how soon a tick is followed by another while some SLOs lag behind the rest,
	// because their queries are slow. It reads nothing anew of the others.
	stragglers = 5 * time.Second
)

// next returns when the next tick is worth it, by our clock: on a multiple of five seconds, and
// within a minute, for something goes by time alone.
func next(batch *prom.Batch, lag time.Duration, ours, now time.Time) time.Time {
	if batch.Next.IsZero() {
		return time.Time{}
	}
	at := batch.Next.Add(lag + ours.Sub(now)).Add(grid - 1).Truncate(grid)
	soonest, latest := ours.Truncate(grid).Add(grid), ours.Add(time.Minute)
	switch {
	case at.Before(soonest):
		return soonest
	case at.After(latest):
		return latest
	}
	return at
}

// wait returns how long to wait, in wall time, until the next tick, by our clock and the time that
// it really is.
func wait(sum Summary, lag time.Duration, ours, now time.Time, minute time.Duration) time.Duration {
	next := sum.Next
	switch {
	case next.IsZero():
		lag = max(lag, complete)
		next = ours.Add(now.Add(-lag).Truncate(time.Minute).Add(time.Minute + lag).Sub(now))
	case !next.After(ours):
		next = ours.Truncate(grid).Add(grid)
	}
	wall := time.Duration(float64(next.Sub(ours)) * minute.Minutes())
	if sum.Stats.Waiting > 0 {
		wall = min(wall, stragglers)
	}
	return wall
}

// report logs a tick and keeps how long it took.
func (e *Engine) report(sum Summary, took time.Duration) {
	e.hold(func() {
		e.last.Took = took
		seen := *e.Snapshot()
		seen.Last = e.last
		e.show(&seen)
	})
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
