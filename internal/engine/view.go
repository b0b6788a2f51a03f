package engine

import (
	"cmp"
	"slices"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/incidents"
	"github.com/slowburn-sre/slowburn/slo"
)

// Budget is one error budget as it stands: everything a page, the API or the metrics may show.
type Budget struct {
	ID        slo.ID
	Spec      *slo.Spec
	AsOf      time.Time       // the end of the newest minute that was evaluated
	Windows   []budget.Status // one per window, in the spec's order
	Outlook   budget.Outlook
	Burns     []WindowBurn // of the alert windows, shortest first
	Standings []alerting.Standing
	Open      []alerting.Incident
	Data      string    // state of the newest minute: ok, zero_traffic, absent, partial, error, or unseen
	Since     time.Time // where the ledger begins
	Filling   float64   // share of the history that is read, 1 when it is complete
	Problems  []string  // what was wrong with the data, in words
	Upstream  []slo.ID  // the SLOs that it depends on, nearest first
	Journey   *Journey  // of a journey, how its steps stand
	// Corrections are all corrections that are about the budget, past and future ones too. What they leave out of a window
	// is said by its status.
	Corrections []*slo.Correction
}

// WindowBurn is the burn rate over one window; Known is false without traffic.
type WindowBurn struct {
	Window time.Duration
	Rate   float64
	Known  bool
}

// Budgets is every budget, by ID.
func (e *Engine) Budgets() []Budget {
	e.mu.RLock()
	defer e.mu.RUnlock()
	all := make([]Budget, 0, len(e.budgets.byID))
	for _, a := range e.budgets.byID {
		all = append(all, e.view(a))
	}
	slices.SortFunc(all, func(a, b Budget) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

// Budget is one budget.
func (e *Engine) Budget(id slo.ID) (Budget, bool) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	a, ok := e.budgets.byID[id]
	if !ok {
		return Budget{}, false
	}
	return e.view(a), true
}

func (e *Engine) view(a *account) Budget {
	at := a.state.Through
	in := e.input(a)
	b := Budget{
		ID: a.id, Spec: a.spec, AsOf: at.Time(), Since: a.ledger.Begin().Time(),
		Outlook: alerting.Outlook(in, at), Standings: alerting.Standings(in, a.state, at),
		Burns: burns(in, at), Data: a.ledger.Gross().At(at - 1).State.String(),
		Filling: 1, Problems: a.problems, Corrections: e.budgets.set.CorrectionsOf(a.id),
		Upstream: e.budgets.set.Upstream(a.id), Journey: e.journey(a),
	}
	if share, ok := e.filled[a.id.Base()]; ok {
		b.Filling = share
	}
	for _, w := range a.spec.Windows {
		b.Windows = append(b.Windows, budget.StatusAt(a.ledger, a.spec.Objective, w, at))
	}
	if a.failed != nil {
		b.Data, b.Problems = budget.Failed.String(), append([]string{a.failed.Error()}, a.problems...)
	}
	b.Open = e.book.OnBudget(a.id)
	return b
}

// burns reads every window that an alert of the SLO looks at.
func burns(in alerting.Input, at budget.Minute) []WindowBurn {
	var lengths []time.Duration
	for _, p := range append(slices.Clone(in.Spec.Alerts.Page), in.Spec.Alerts.Ticket...) {
		lengths = append(lengths, p.Long, p.Short)
	}
	slices.Sort(lengths)
	var all []WindowBurn
	for _, d := range slices.Compact(lengths) {
		rate, ok := budget.Burn(in.Ledger.Sum(at-budget.Minutes(d), at), in.Spec.Objective)
		all = append(all, WindowBurn{Window: d, Rate: rate, Known: ok})
	}
	return all
}

// History sums up a budget in steps, from (inclusive) to (exclusive). Steps are at least a minute; where
// minutes have been thinned out, at least an hour is sensible.
func (e *Engine) History(id slo.ID, from, to time.Time, step time.Duration) ([]incidents.Point, bool) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	a, ok := e.budgets.byID[id]
	if !ok {
		return nil, false
	}
	n := max(budget.Minutes(step), 1)
	var points []incidents.Point
	gross := a.ledger.Gross()
	for m := budget.MinuteOf(from); m < budget.MinuteOf(to); m += n {
		end := min(m+n, budget.MinuteOf(to))
		p := incidents.Point{At: m.Time(), Sum: a.ledger.Sum(m, end)}
		p.Gross = p.Sum
		if p.Sum.Excused > 0 {
			p.Gross = gross.Sum(m, end)
		}
		points = append(points, p)
	}
	return points, true
}

// BurnDown is the share of the budget that was left at the end of each step, over the first window.
func (e *Engine) BurnDown(id slo.ID, from, to time.Time, step time.Duration) ([]budget.Status, bool) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	a, ok := e.budgets.byID[id]
	if !ok {
		return nil, false
	}
	n := max(budget.Minutes(step), 1)
	var all []budget.Status
	for m := budget.MinuteOf(from); m <= min(budget.MinuteOf(to), a.state.Through); m += n {
		if m > a.ledger.First() {
			all = append(all, budget.StatusAt(a.ledger, a.spec.Objective, a.spec.Window(), m))
		}
	}
	return all, true
}

// OpenIncidents is every incident that has not ended, by ID.
func (e *Engine) OpenIncidents() []alerting.Incident {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.book.All()
}

// Open is every open incident with what may be said about it at a time, by ID.
func (e *Engine) Open(now time.Time) []incidents.Told {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.book.Open(e.budgets, now)
}

// Last is what the newest tick came to.
func (e *Engine) Last() Summary {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.last
}

// WithLedger lets f read a budget's ledger while nobody writes it. f must not keep it. The ledger of a service as a whole,
// for which somebody declared an incident, is empty.
func (e *Engine) WithLedger(id slo.ID, f func(*slo.Spec, *budget.Ledger)) bool {
	return e.WithSteps(id, func(in alerting.Input, _ []alerting.Input) { f(in.Spec, in.Ledger) })
}

// WithSteps lets f read a budget, and the steps of a journey in their order, while nobody writes them. f must not keep
// their ledgers.
func (e *Engine) WithSteps(id slo.ID, f func(in alerting.Input, steps []alerting.Input)) bool {
	e.mu.RLock()
	defer e.mu.RUnlock()
	in, ok := e.budgets.Budget(id)
	if !ok || e.budgets.byID[id] == nil && e.budgets.wholeService(id) == nil {
		return false
	}
	var steps []alerting.Input
	if in.Spec.SLI.Kind == slo.Composed {
		for _, step := range in.Spec.SLI.Journey.Steps {
			if s := e.budgets.byID[step.SLO]; s != nil {
				steps = append(steps, e.input(s))
			}
		}
	}
	in.Acts = e.book.ActsOn(id)
	f(in.Input, steps)
	return true
}
