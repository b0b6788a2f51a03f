package engine

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/slo"
)

// What people declare is no business of the state machine: no rule opens or ends it. Do folds the acts into events at
// once, and the ticks bring the account up to date.

// tendDeclared says of declared incidents what is due, and settles the account of those that were closed before the ledger
// had come so far.
func (e *Engine) tendDeclared(ctx context.Context, now time.Time, tick *store.Tick, sum *Summary) {
	book, out := e.book.Tend(e.budgets, now)
	owed := e.compose(out)
	tick.Incidents, tick.Owed = append(tick.Incidents, out.Incidents...), append(tick.Owed, owed...)
	sum.Owed, sum.Events = sum.Owed+len(owed), sum.Events+len(out.Told)
	e.book = book
	e.settle(ctx, now, tick)
}

// settleFor is how long after its end a declared incident may still wait for data of its time.
const settleFor = slo.Day

// settle reckons closed declared incidents until the ledger has passed their end.
func (e *Engine) settle(ctx context.Context, now time.Time, tick *store.Tick) {
	e.findClosing(ctx, now)
	for _, id := range slices.Sorted(maps.Keys(e.closing)) {
		i, ok, err := e.Store.Incident(ctx, id)
		if err != nil {
			return // the disk is in trouble; it waits
		}
		on, placed := e.budgets.Budget(i.SLO)
		switch end := budget.MinuteOf(i.Resolved); {
		case !ok || !placed || i.SLO.Name() == "" || now.Sub(i.Resolved) > settleFor:
		case on.State.Through < end:
			continue
		default:
			tick.Incidents = append(tick.Incidents, i.Settle(on.Input, end))
		}
		delete(e.closing, id)
	}
}

// findClosing looks, after a start, for what was closed a moment before.
func (e *Engine) findClosing(ctx context.Context, now time.Time) {
	if e.closing != nil {
		return
	}
	recent, err := e.Store.Incidents(ctx, store.IncidentFilter{From: now.Add(-settleFor), Limit: 10_000})
	if err != nil {
		return // the next tick tries again
	}
	e.closing = map[string]bool{}
	for _, i := range recent {
		if i.Rule == alerting.RuleDeclared && !i.Open {
			e.closing[i.ID] = true
		}
	}
}
