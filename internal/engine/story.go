package engine

import (
	"context"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/incidents"
	"github.com/slowburn-sre/slowburn/internal/store"
)

// story is what one turn of one budget came to, before it is told.
type story struct {
	incidents.Turn
	turn store.Turn
}

// tell adds the turns to the tick, with what became of their incidents and the messages that are
// owed for them. It returns the book as the events leave it.
func (e *Engine) tell(ctx context.Context, all []story, now time.Time, tick *store.Tick, sum *Summary) incidents.Book {
	var turns []incidents.Turn
	var follows []string
	for _, s := range all {
		turns = append(turns, s.Turn)
		for _, event := range s.Events {
			e.Log.Info("event", "slo", event.SLO, "incident", event.Incident, "kind", event.Kind,
				"severity", event.Severity, "reason", event.Reason, "at", event.Time())
			if event.Kind == alerting.Opened && event.Follows != "" {
				follows = append(follows, event.Follows)
			}
		}
	}
	past, err := pastOf(ctx, e.Store, e.book, follows)
	if err != nil {
		e.Log.Warn("cannot look up the incident that another follows; it begins a thread where that one did", "err", err)
	}
	book, outcomes := e.book.Tell(e.budgets, turns, past, now)
	for n, out := range outcomes {
		turn := all[n].turn
		turn.Incidents, turn.Entries = out.Incidents, e.compose(out)
		tick.Turns = append(tick.Turns, turn)
		sum.SLOs++
		sum.Slots += len(turn.Slots)
		sum.Events += len(all[n].Events)
		sum.Owed += len(turn.Entries)
	}
	return book
}
