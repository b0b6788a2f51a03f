package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/report"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/slo"
)

// Reload swaps the set of SLOs. State is kept by SLO ID: an SLO whose objective or alerts changed goes
// on with its ledger and its open incident, under the new terms from the next minute on. What is open for
// an SLO that is gone is closed, with that as the reason; its ledger stays in the store and is
// picked up again if the SLO comes back.
//
// An SLO whose indicator changed counts different events from now on. Its history is not rewritten.
func (e *Engine) Reload(ctx context.Context, set *slo.Set, reports []report.Schedule, channels map[string]string, now time.Time) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	tick := store.Tick{At: now, Facts: map[string]string{}}
	for id, a := range e.accounts {
		spec := set.Lookup(id.Base())
		if spec != nil {
			continue
		}
		if turn := e.remove(a, now); len(turn.Incidents) > 0 {
			tick.Turns = append(tick.Turns, turn)
		}
	}
	if len(tick.Turns) > 0 {
		e.unsaved = append(e.unsaved, tick)
		if err := e.save(ctx); err != nil {
			e.unsaved = e.unsaved[:len(e.unsaved)-1]
			return fmt.Errorf("reload: %w", err)
		}
	}
	for id, a := range e.accounts {
		if spec := set.Lookup(id.Base()); spec != nil {
			a.spec = spec
		} else {
			delete(e.accounts, id)
		}
	}
	e.set, e.Reports, e.ReportChannels = set, reports, channels
	return nil
}

// remove closes what is open for an SLO that is gone.
func (e *Engine) remove(a *account, now time.Time) store.Turn {
	in := alerting.Input{ID: a.id, Spec: a.spec, Ledger: a.ledger}
	turn := store.Turn{SLO: a.id, State: alerting.State{Through: a.state.Through}}
	e.tell(in, a.state, alerting.Remove(in, a.state, a.state.Through-1), now, &turn)
	a.state = turn.State
	return turn
}
