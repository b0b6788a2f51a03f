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

// What people declare is no business of the state machine: no rule opens or ends it. Do folds the acts into events at
// once, and the ticks bring the account up to date.

// place is where an incident is told, as the book has it: the budget that it is about, or the service as a whole, whose ledger
// is empty. It is false for what is in the files no more.
func (e *Engine) place(b incidents.Book, id slo.ID) (alerting.Input, alerting.State, bool) {
	in, st, ok := e.budgets.find(id)
	if ok {
		in.Acts = e.actsOn(b, id)
	}
	return in, st, ok
}

// declare opens an incident that no rule saw.
func (d *deed) declare(ctx context.Context) (known bool, err error) {
	if _, known, err = d.findIncident(ctx, d.book, alerting.DeclaredID(d.act)); known || err != nil {
		return known, err
	}
	if err := d.checkScope(); err != nil {
		return false, err
	}
	id := d.act.SLO
	if id == "" {
		id = slo.ID(d.act.Service)
	}
	in, st, ok := d.place(d.book, id)
	if !ok {
		return false, unknownAct("There is no service %q.", string(id))
	}
	d.act.Incident = alerting.DeclaredID(d.act)
	i := alerting.Declared(d.act, in, st.Through)
	if a, silent := alerting.Silent(d.wideOn(id), i.Detected); silent {
		i = i.Take(a)
	}
	d.become(in, st, i)
	return false, nil
}

// become is what a declared incident has become by the act: a new event is told as such, and the act in its thread.
func (d *deed) become(in alerting.Input, st alerting.State, i alerting.Incident) {
	d.incident = i
	d.tick.Incidents = []alerting.Incident{i}
	// Told with the incident in place, so that the thread shows it.
	d.tick.Owed = d.Composer.Event(d.told(d.book.With(i), in, st, i.Last, i, false, d.now))
}

// onDeclared is what an act makes of a declared incident beyond being part of its story; false if nothing.
func (d *deed) onDeclared(i alerting.Incident) bool {
	a := d.act
	var kind alerting.Kind
	switch {
	case i.Rule != alerting.RuleDeclared:
		return false
	case a.Kind == alerting.Close:
		kind, a.Level = alerting.Resolved, i.Loud()
	case a.Kind == alerting.Escalate && a.Level == alerting.Page:
		kind = alerting.Escalated
	case a.Kind == alerting.Escalate:
		kind = alerting.Updated
	default:
		return false
	}
	in, st, ok := d.place(d.book, i.SLO)
	if !ok {
		in.Ledger = &budget.Ledger{}
	}
	after := i.Take(d.act).Apply(i.ByPerson(kind, a.Level, d.act.At, in, st.Through))
	if !ok {
		d.incident = after
		d.tick.Incidents = []alerting.Incident{after}
		return true
	}
	d.become(in, st, after)
	return true
}

// tendDeclared says of declared incidents what is due, and settles the account of those that were closed before the ledger
// had come so far.
func (e *Engine) tendDeclared(ctx context.Context, now time.Time, tick *store.Tick, sum *Summary) {
	draft := e.book.Edit()
	for _, i := range e.book.Declared() {
		in, st, ok := e.place(draft.Book, i.SLO)
		if !ok {
			continue
		}
		event, due := i.Tend(in, st.Through, now)
		if !due {
			continue
		}
		i = i.Apply(event)
		draft.Put(i)
		tick.Incidents = append(tick.Incidents, i)
		if event.Reason == alerting.Unacknowledged && draft.Acknowledged(i.Thread()) {
			continue
		}
		owed := e.Composer.Event(e.told(draft.Book, in, st, event, i, false, now))
		tick.Owed = append(tick.Owed, owed...)
		sum.Owed, sum.Events = sum.Owed+len(owed), sum.Events+1
	}
	e.book = draft.Book
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
		in, st, placed := e.place(e.book, i.SLO)
		switch end := budget.MinuteOf(i.Resolved); {
		case !ok || !placed || i.SLO.Name() == "" || now.Sub(i.Resolved) > settleFor:
		case st.Through < end:
			continue
		default:
			tick.Incidents = append(tick.Incidents, i.Settle(in, end))
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
