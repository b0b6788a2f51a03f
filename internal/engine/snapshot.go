package engine

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/incidents"
	"github.com/slowburn-sre/slowburn/internal/report"
	"github.com/slowburn-sre/slowburn/slo"
)

// Snapshot is what is known after a tick, an act or a reload, as it stood then. It never changes,
// and whoever reads it waits for nobody. What it holds is shared between its readers, so none of
// them may sort or cut it in place.
//
// Ledgers are too large to be copied with every tick. A method that reads one finds in it what was
// written after the snapshot was taken, too, and waits while the minutes of a reading are put into
// it, but not for a tick or its commit.
type Snapshot struct {
	Set     *slo.Set
	Budgets []Budget         // by ID
	Open    incidents.Book   // and the acts on SLOs and services
	Last    Summary          // of the newest tick
	Policy  *alerting.Policy // nil without one
	// Standby says that another process decides: all of this is as old as the newest tick.
	Standby bool

	// Number counts the snapshots of this process, from 1.
	Number uint64

	replaced chan struct{}

	reports []report.Schedule
	unread  []Budget       // of SLOs of which nothing was read yet
	permits []alerting.Act // of the book, what a verdict depends on
	skew    time.Duration  // what is added to our clock
}

// Snapshot returns the newest one, without waiting. It is never nil.
func (m *memory) Snapshot() *Snapshot { return m.seen.Load() }

// Replaced returns what is closed when there is a newer snapshot.
func (s *Snapshot) Replaced() <-chan struct{} { return s.replaced }

// show makes a snapshot the newest one, and tells those who wait for it.
func (m *memory) show(s *Snapshot) {
	s.Number, s.replaced = m.shown.Add(1), make(chan struct{})
	if before := m.seen.Swap(s); before != nil {
		close(before.replaced)
	}
}

// publish lets everybody see what stands now. Whoever decides calls it, without the lock: what each
// ledger comes to takes long with thousands of them, and is computed one by one.
func (m *memory) publish() {
	all := m.budgets.all()
	for _, a := range all {
		m.hold(func() { m.budgets.reckon(a) })
	}
	var unread []Budget
	for _, spec := range m.budgets.set.Specs {
		if id := spec.ID(); len(m.budgets.bySLO[id]) == 0 {
			m.hold(func() {
				b := Budget{Figures: m.budgets.figuresOf(&account{id: id, spec: spec, ledger: &budget.Ledger{}})}
				if waits := m.budgets.waitOf(spec, id).Problem(); waits != "" {
					b.Problems = []string{waits}
				}
				unread = append(unread, b)
			})
		}
	}
	m.hold(func() {
		s := m.withoutBudgets()
		s.Budgets, s.unread = make([]Budget, 0, len(all)), unread
		for _, a := range all {
			s.Budgets = append(s.Budgets, m.view(a))
		}
		m.show(s)
	})
}

// publishOnly publishes where nothing has changed but some budgets, and the journeys above them.
func (m *memory) publishOnly(ids ...slo.ID) {
	s, before := m.withoutBudgets(), m.Snapshot()
	s.Budgets, s.unread = slices.Clone(before.Budgets), before.unread
	for _, id := range m.budgets.upTo(ids) {
		if n, ok := s.find(id); ok {
			s.Budgets[n] = m.view(m.budgets.byID[id])
		}
	}
	m.show(s)
}

// publishBook publishes where nothing has changed but the book, by an act on some budgets or none.
// What is being decided meanwhile is not shown yet.
func (m *memory) publishBook(ids ...slo.ID) {
	s, now := *m.Snapshot(), m.withoutBudgets()
	s.Open, s.permits, s.skew = now.Open, now.permits, now.skew
	s.Budgets = slices.Clone(s.Budgets)
	for _, id := range m.budgets.upTo(ids) {
		if n, ok := s.find(id); ok {
			b := &s.Budgets[n]
			b.Open, b.Journey = s.Open.OnBudget(id), openSteps(s.Open, b.Journey)
		}
	}
	m.show(&s)
}

// upTo adds the journeys above some budgets to them.
func (b *budgets) upTo(ids []slo.ID) (all []slo.ID) {
	for _, id := range ids {
		all = append(append(all, id), b.above[id]...)
	}
	return all
}

// withoutBudgets returns a snapshot without its budgets.
func (m *memory) withoutBudgets() *Snapshot {
	s := &Snapshot{
		Set: m.budgets.set, Open: m.book, Last: m.last, Policy: m.budgets.policy, Standby: m.standby,
		reports: m.Reports, skew: time.Duration(m.clock.skew.Load()),
	}
	for _, a := range m.book.Acts() {
		if a.Kind == alerting.Override || a.Kind == alerting.Exempt || a.Kind == alerting.Undo {
			s.permits = append(s.permits, a)
		}
	}
	return s
}

// find returns the index of a budget.
func (s *Snapshot) find(id slo.ID) (int, bool) {
	return slices.BinarySearchFunc(s.Budgets, id, func(b Budget, id slo.ID) int { return cmp.Compare(b.ID, id) })
}

// Budget returns one budget. It is false for one that nobody knows.
func (s *Snapshot) Budget(id slo.ID) (Budget, bool) {
	n, ok := s.find(id)
	if !ok {
		return Budget{}, false
	}
	return s.Budgets[n], true
}

// Unread returns what is known of an SLO of which no minute is decided yet: what that waits for. It
// is false for any other.
func (s *Snapshot) Unread(id slo.ID) (Budget, bool) {
	for _, b := range s.unread {
		if b.ID == id {
			return b, true
		}
	}
	return Budget{}, false
}

// startingWith returns the budgets whose IDs begin alike.
func (s *Snapshot) startingWith(prefix slo.ID) []Budget {
	from, _ := s.find(prefix)
	to := from
	for to < len(s.Budgets) && strings.HasPrefix(string(s.Budgets[to].ID), string(prefix)) {
		to++
	}
	return s.Budgets[from:to:to]
}

// BudgetsOf returns the budgets of an SLO: one, or one per combination of its label values.
func (s *Snapshot) BudgetsOf(id slo.ID) []Budget {
	if n, ok := s.find(id); ok {
		return s.Budgets[n : n+1 : n+1]
	}
	return s.startingWith(id + "{")
}

// InService returns the budgets of a service, or all of them if it is empty.
func (s *Snapshot) InService(service string) []Budget {
	if service == "" {
		return s.Budgets
	}
	return s.startingWith(slo.ID(service + "/"))
}

// PostmortemAt returns the share of a four-week budget, in basis points, above which an incident
// needs a postmortem; 0 without a policy.
func (s *Snapshot) PostmortemAt() int64 {
	if s.Policy == nil {
		return 0
	}
	return s.Policy.PostmortemAt
}

// Verdict returns what the error-budget policy says of a budget at a time.
func (s *Snapshot) Verdict(b *Budget, now time.Time) alerting.Verdict {
	return b.verdict.At(now.Add(s.skew), s.Policy, s.permits)
}

// Verdicts returns what the error-budget policy says of every budget of a service at a time, by ID;
// a name narrows it to one SLO, and an empty service takes in all. It looks at the memory alone, so
// it answers also while Prometheus, or the disk, does not. An SLO of which nothing was read yet has
// a verdict, too: unknown.
func (s *Snapshot) Verdicts(service, name string, now time.Time) []alerting.Verdict {
	return s.judge(service, name, func(b Budget) alerting.Verdict { return s.Verdict(&b, now) })
}

// MayRun returns the verdicts on an experiment that would spend so much of each budget, in basis
// points.
func (s *Snapshot) MayRun(service, name string, spend int64, now time.Time) []alerting.Verdict {
	return s.judge(service, name, func(b Budget) (v alerting.Verdict) {
		s.read(func(in []alerting.Input) {
			v = alerting.Ask(in[0], b.state, s.Open.Acts(), spend, now.Add(s.skew))
		}, b)
		return v
	})
}

// Waiting lists what was asked for that waits for the approval of a second person, oldest first.
func (s *Snapshot) Waiting(now time.Time) []alerting.Act {
	return alerting.Waiting(s.Open.Acts(), now.Add(s.skew))
}

func (s *Snapshot) judge(service, name string, f func(Budget) alerting.Verdict) []alerting.Verdict {
	var all []alerting.Verdict
	for _, b := range slices.Concat(s.InService(service), s.unread) {
		if (service == "" || b.Spec.Service == service) && (name == "" || b.Spec.Name == name) {
			all = append(all, f(b))
		}
	}
	slices.SortFunc(all, func(a, b alerting.Verdict) int { return cmp.Compare(a.SLO, b.SLO) })
	return all
}

// read lets f read the ledgers of budgets while nobody writes them. f must not keep them, and must
// not ask for another one. The locks are taken one by one: since only one goroutine writes, one
// ledger at a time, nobody waits in a circle.
func (s *Snapshot) read(f func([]alerting.Input), budgets ...Budget) {
	var all []alerting.Input
	for _, b := range budgets {
		b.account.mu.RLock()
		defer b.account.mu.RUnlock()
		all = append(all, alerting.Input{ID: b.ID, Spec: b.Spec, Ledger: b.account.ledger, Policy: s.Policy})
	}
	f(all)
}

// readOne does what read does, for a single ledger.
func (s *Snapshot) readOne(b Budget, f func(*budget.Ledger)) {
	s.read(func(all []alerting.Input) { f(all[0].Ledger) }, b)
}

// WithLedger lets f read a budget's ledger while nobody writes it. f must not keep it, nor ask for
// another. The ledger of a service as a whole, for which somebody declared an incident, is empty.
// It is false for a budget that nobody knows.
func (s *Snapshot) WithLedger(id slo.ID, f func(*slo.Spec, *budget.Ledger)) bool {
	return s.WithSteps(id, func(in alerting.Input, _ []alerting.Input) { f(in.Spec, in.Ledger) })
}

// WithSteps lets f read a budget, and the steps of a journey in their order, while nobody writes
// them. f must not keep their ledgers, nor ask for others.
func (s *Snapshot) WithSteps(id slo.ID, f func(in alerting.Input, steps []alerting.Input)) bool {
	b, ok := s.Budget(id)
	if !ok {
		spec := wholeService(s.Set, id)
		if id == id.Base() && spec == nil {
			spec = s.Set.Lookup(id) // which has a budget per combination of label values, or none yet
		}
		if spec != nil {
			f(alerting.Input{ID: id, Spec: spec, Ledger: &budget.Ledger{}}, nil)
		}
		return spec != nil
	}
	all := []Budget{b}
	if b.Spec.SLI.Kind == slo.Composed {
		for _, step := range b.Spec.SLI.Journey.Steps {
			if of, ok := s.Budget(step.SLO); ok {
				all = append(all, of)
			}
		}
	}
	s.read(func(in []alerting.Input) { f(in[0], in[1:]) }, all...)
	return true
}

// History sums up a budget in steps, from (inclusive) to (exclusive). Steps are at least a minute;
// where minutes have been thinned out, at least an hour is sensible.
func (s *Snapshot) History(id slo.ID, from, to time.Time, step time.Duration) ([]incidents.Point, bool) {
	b, ok := s.Budget(id)
	if !ok {
		return nil, false
	}
	n := max(budget.Minutes(step), 1)
	var points []incidents.Point
	s.readOne(b, func(l *budget.Ledger) {
		gross := l.Gross()
		for m := budget.MinuteOf(from); m < budget.MinuteOf(to); m += n {
			end := min(m+n, budget.MinuteOf(to))
			p := incidents.Point{At: m.Time(), Sum: l.Sum(m, end)}
			p.Gross = p.Sum
			if p.Sum.Excused > 0 {
				p.Gross = gross.Sum(m, end)
			}
			points = append(points, p)
		}
	})
	return points, true
}

// BurnDown returns the share of the budget that was left at the end of each step, over the first
// window.
func (s *Snapshot) BurnDown(id slo.ID, from, to time.Time, step time.Duration) ([]budget.Status, bool) {
	b, ok := s.Budget(id)
	if !ok {
		return nil, false
	}
	n := max(budget.Minutes(step), 1)
	var all []budget.Status
	s.readOne(b, func(l *budget.Ledger) {
		begin := l.Begin()
		for m := budget.MinuteOf(from); m <= min(budget.MinuteOf(to), b.state.Through); m += n {
			if m > begin {
				all = append(all, budget.StatusAt(l, b.Spec.Objective, b.Spec.Window(), m))
			}
		}
	})
	return all, true
}

// MeasuredChange is something that was done to a service, with what it cost.
type MeasuredChange struct {
	alerting.Act
	Costs []alerting.Cost // by budget
	Trial *alerting.Trial // of an experiment
}

// Changes lists the changes and experiments of the last hundred days that began in [from, to), of a
// service or of all, newest first. Zero times do not narrow.
func (s *Snapshot) Changes(service string, from, to, now time.Time) []MeasuredChange {
	now = now.Add(s.skew)
	var all []MeasuredChange
	touched := map[string]bool{} // services
	for _, a := range alerting.InForce(s.Open.Acts(), now) {
		c := a.Change
		if c != nil && (service == "" || a.About() == service) && !c.Start.Before(from) && (to.IsZero() || c.Start.Before(to)) {
			all = append(all, MeasuredChange{Act: a})
			touched[a.About()] = true
		}
	}
	slices.SortStableFunc(all, func(a, b MeasuredChange) int { return b.Change.Start.Compare(a.Change.Start) })
	at := map[string]*MeasuredChange{}
	for n := range all {
		at[all[n].Key] = &all[n]
	}
	for _, name := range slices.Sorted(maps.Keys(touched)) {
		for _, b := range s.InService(name) {
			s.read(func(in []alerting.Input) {
				for _, cost := range alerting.Attribute(in[0], s.Open.Acts(), b.state.Through) {
					if c := at[cost.Change.Key]; c != nil {
						c.Costs = append(c.Costs, cost)
					}
				}
			}, b)
		}
	}
	for n := range all {
		if all[n].Kind == alerting.Experiment {
			all[n].Trial = s.trial(all[n].Act, now)
		}
	}
	return all
}

// trial returns how an experiment stands.
func (s *Snapshot) trial(experiment alerting.Act, now time.Time) (t *alerting.Trial) {
	var budgets []Budget
	var states []alerting.State
	for _, b := range s.InService(experiment.About()) {
		budgets, states = append(budgets, b), append(states, b.state)
	}
	s.read(func(in []alerting.Input) {
		found := alerting.Look(experiment, in, states, now)
		t = &found
	}, budgets...)
	return t
}
