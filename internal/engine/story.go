package engine

import (
	"context"
	"slices"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/incidents"
	"github.com/slowburn-sre/slowburn/internal/store"
)

// story is what one turn of one budget came to, before it is told.
type story struct {
	incidents.Turn
	turn   store.Turn
	before alerting.State // of the budget
}

// tell adds the turns to the tick, with what became of their incidents and the messages that are
// owed for them. It returns the book as the events leave it.
func (e *Engine) tell(ctx context.Context, all []story, now time.Time, tick *store.Tick, sum *Summary) incidents.Book {
	turns := make([]incidents.Turn, 0, len(all))
	var past []string
	for _, s := range all {
		turns = append(turns, s.Turn)
		for _, event := range s.Events {
			e.Log.Info("event", "slo", event.SLO, "incident", event.Incident, "kind", event.Kind,
				"severity", event.Severity, "reason", event.Reason, "at", event.Time())
			switch {
			case event.Kind == alerting.Opened && event.Follows != "":
				past = append(past, event.Follows)
			case event.Kind == alerting.Recounted:
				past = append(past, event.Incident)
			}
		}
	}
	known, err := pastOf(ctx, e.Store, e.book, past)
	e.backlog.overwrite(known, past)
	if err != nil {
		e.Log.Warn("cannot look up incidents that are over: one that follows another begins a thread where that one did, and what was found late of one is not in its record", "err", err)
	}
	book, outcomes := e.tellAll(all, turns, known, now)
	owed := e.compose(outcomes...)
	tick.Turns = slices.Grow(tick.Turns, len(all))
	for n, out := range outcomes {
		turn := all[n].turn
		turn.Incidents, turn.Entries = out.Incidents, owed[n]
		tick.Turns = append(tick.Turns, turn)
		sum.SLOs++
		sum.Slots += len(turn.Slots)
		sum.Events += len(all[n].Events)
		sum.Owed += len(turn.Entries)
	}
	return book
}

// tellAll tells all turns together, since those of one tick may be one story. If one of them cannot
// be told, each is told alone, and the budget of that one stands as before.
func (e *Engine) tellAll(all []story, turns []incidents.Turn, past incidents.Past, now time.Time) (book incidents.Book, outcomes []incidents.Outcome) {
	if p, _ := try(func() { book, outcomes = e.book.Tell(e.budgets, turns, past, now) }); p == nil {
		return book, outcomes
	}
	book, outcomes = e.book, make([]incidents.Outcome, len(turns))
	for n := range turns {
		id := turns[n].Budget.ID
		told := e.budgets.guard(id, func() {
			next, out := book.Tell(e.budgets, turns[n:n+1], past, now)
			book, outcomes[n] = next, out[0]
		})
		if a := e.budgets.byID[id]; !told && a != nil {
			a.state, all[n].turn.State, all[n].Events = all[n].before, all[n].before, nil
			a.told = nil
		}
	}
	return book, outcomes
}
