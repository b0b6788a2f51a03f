package engine

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/incidents"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/slo"
)

// What people declare is no business of the state machine: no rule opens or ends it. The book folds
// the acts into events at once, and the ticks bring the account up to date.

// tendDeclared says of declared incidents what is due, and settles the account of those that were
// closed before the ledger had come so far.
func (m *memory) tendDeclared(ctx context.Context, now time.Time, tick *store.Tick, sum *Summary) {
	book, out := m.book.Tend(m.budgets, now)
	entries, faults := m.teller().compose(out)
	m.budgets.stopAll(faults)
	owed := slices.Concat(entries...)
	tick.Incidents, tick.Owed = append(tick.Incidents, out.Incidents...), append(tick.Owed, owed...)
	sum.Owed, sum.Events = sum.Owed+len(owed), sum.Events+len(out.Notifications)
	m.adopt(book)
	tick.Incidents = append(tick.Incidents, m.settling.settle(ctx, m.Store, m.budgets, now)...)
}

// settleFor is how long after its end a declared incident may still wait for data of its time.
const settleFor = slo.Day

// settling are the declared incidents that were closed and wait for the ledger, by ID; nil before
// it was read from the store.
type settling map[string]bool

// add waits for the ledger of an incident that was closed just now.
func (s settling) add(id string) {
	if s != nil {
		s[id] = true
	}
}

// settle reckons closed declared incidents until the ledger has passed their end, and returns those
// that it has.
func (s *settling) settle(ctx context.Context, from Store, w incidents.World, now time.Time) (settled []alerting.Incident) {
	s.find(ctx, from, now)
	for _, id := range slices.Sorted(maps.Keys(*s)) {
		i, ok, err := from.Incident(ctx, id)
		if err != nil {
			return settled // the disk is in trouble; it waits
		}
		on, placed := w.Budget(i.SLO)
		switch end := budget.MinuteOf(i.Resolved); {
		case !ok || !placed || i.SLO.Name() == "" || now.Sub(i.Resolved) > settleFor:
		case on.State.Through < end:
			continue
		default:
			settled = append(settled, i.Settle(on.Input, end))
		}
		delete(*s, id)
	}
	return settled
}

// find looks, after a start, for what was closed a moment before.
func (s *settling) find(ctx context.Context, from Store, now time.Time) {
	if *s != nil {
		return
	}
	recent, err := from.Incidents(ctx, store.IncidentFilter{From: now.Add(-settleFor), Limit: 10_000})
	if err != nil {
		return // the next tick tries again
	}
	*s = settling{}
	for _, i := range recent {
		if i.Rule == alerting.RuleDeclared && !i.Open {
			(*s)[i.ID] = true
		}
	}
}
