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
	*Figures
	Open     []alerting.Incident
	Data     string   // state of the newest minute: ok, zero_traffic, absent, partial, error, or unseen
	Filling  float64  // share of the history that is read, 1 when it is complete
	Problems []string // what was wrong with the data, in words
	Journey  *Journey // of a journey, how its steps stand
}

// Figures are what a ledger and the decisions over it come to. They are made anew when the ledger
// is written and never change, so snapshots share them.
type Figures struct {
	ID        slo.ID
	Spec      *slo.Spec
	AsOf      time.Time       // the end of the newest minute that was evaluated
	Windows   []budget.Status // one per window, in the spec's order
	Outlook   budget.Outlook
	Burns     []WindowBurn // of the alert windows, shortest first
	Standings []alerting.Standing
	Since     time.Time // where the ledger begins
	Upstream  []slo.ID  // the SLOs that it depends on, nearest first
	// Corrections are all corrections that are about the budget, past and future ones too. What
	// they leave out of a window is said by its status.
	Corrections []*slo.Correction
	// Counted is what the ledger held when this process opened it, and every minute since. Minutes
	// that become known late are not added, and what is forgotten is not taken off, so it never
	// falls.
	Counted budget.Sum

	account *account
	state   alerting.State
	verdict alerting.Verdict // as of the newest minute
	data    string           // as far as the ledger tells it
	journey *Journey         // without what is open
}

// WindowBurn is the burn rate over one window; Known is false without traffic.
type WindowBurn struct {
	Window time.Duration
	Rate   float64
	Known  bool
}

// reckon computes what a ledger comes to, if it was written since the last time.
func (b *budgets) reckon(a *account) *Figures {
	if a.figures == nil {
		a.figures = b.figuresOf(a)
	}
	return a.figures
}

// view returns a budget as it stands.
func (m *memory) view(a *account) Budget {
	f := m.budgets.reckon(a)
	b := Budget{
		Figures: f, Open: m.book.OnBudget(a.id), Data: f.data, Filling: 1,
		Problems: slices.Concat(a.problems, a.shared, a.past), Journey: openSteps(m.book, f.journey),
	}
	if share, ok := m.backfills.shares[a.id.Base()]; ok {
		b.Filling = share
	}
	if a.failed != nil {
		b.Data, b.Problems = budget.Failed.String(), append([]string{a.failed.Error()}, b.Problems...)
	}
	return b
}

// figures returns what a ledger and the state over it come to.
func (b *budgets) figures(a *account) *Figures {
	in, at := b.input(a), a.state.Through
	of := a.told
	if of == nil || of.At != at {
		of = incidents.FiguresAt(in, a.state, at)
	}
	f := &Figures{
		ID: a.id, Spec: a.spec, AsOf: at.Time(), Outlook: of.Outlook, Standings: of.Standings,
		Burns: burns(a.spec, of.Standings), data: a.ledger.Gross().At(at - 1).State.String(),
		Corrections: b.set.CorrectionsOf(a.id), Upstream: b.set.Upstream(a.id), journey: b.journey(a),
		Counted: a.counted, account: a, state: a.state, verdict: alerting.Assess(in, a.state, of.Status),
	}
	if begun := a.ledger.Begin(); begun < a.ledger.End() {
		f.Since = begun.Time()
	}
	f.Windows = append(f.Windows, of.Status)
	for _, w := range a.spec.Windows[1:] {
		f.Windows = append(f.Windows, budget.StatusAt(a.ledger, a.spec.Objective, w, at))
	}
	return f
}

// burns returns the burn of every window that an alert of the SLO looks at.
func burns(spec *slo.Spec, standings []alerting.Standing) []WindowBurn {
	all := slices.Grow([]WindowBurn(nil), 2*len(standings))
	add := func(d time.Duration, sum budget.Sum) {
		rate, ok := budget.Burn(sum, spec.Objective)
		all = append(all, WindowBurn{Window: d, Rate: rate, Known: ok})
	}
	for _, s := range standings {
		add(s.Pair.Long, s.Long)
		add(s.Pair.Short, s.Short)
	}
	slices.SortFunc(all, func(a, b WindowBurn) int { return cmp.Compare(a.Window, b.Window) })
	return slices.CompactFunc(all, func(a, b WindowBurn) bool { return a.Window == b.Window })
}

// atATime is how many incidents are told of while the lock is held.
const atATime = 50

// Open returns every open incident with what may be said about it at a time, by ID. A tick or an
// act may come in between; an incident is told of as it stands when its turn comes.
func (m *memory) Open(now time.Time) []incidents.Notification {
	var all []incidents.Notification
	for ids := range slices.Chunk(m.Snapshot().Open.IDs(), atATime) {
		all = append(all, m.describe(ids, now)...)
	}
	return all
}

// describe tells of those incidents that are open.
func (m *memory) describe(ids []string, now time.Time) []incidents.Notification {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.book.Open(m.budgets, ids, now)
}
