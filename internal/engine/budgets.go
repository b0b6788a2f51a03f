package engine

import (
	"cmp"
	"maps"
	"slices"
	"sync"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/incidents"
	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/internal/sentences"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/slo"
)

// account is one budget in memory. The engine's lock guards all of it but the ledger: that is
// written under the engine's lock and under its own, so it may be read under either.
type account struct {
	id       slo.ID
	spec     *slo.Spec
	state    alerting.State
	since    budget.Minute      // where live reading began
	problems []string           // of the newest reading: clamped counts, dropped samples
	shared   []string           // of the SLO as a whole, which has several budgets
	past     []string           // of its history, as far as this process has read it
	failed   error              // of the newest reading; nil if it worked
	counted  budget.Sum         // what the ledger held when it was opened, and every minute since
	figures  *Figures           // what the ledger comes to; nil if it was written since
	told     *incidents.Figures // the same, as far as messages tell it; nil if it was written since its turn

	mu     sync.RWMutex // never held while the store, or anybody else, is waited for
	ledger *budget.Ledger
}

// open reports whether the budget has an incident.
func (a *account) open() bool { return a.state.Burn != nil || a.state.NoData != nil }

// budgets are the accounts in memory, and the SLOs in force.
type budgets struct {
	set     *slo.Set
	policy  *alerting.Policy // nil is none
	byID    map[slo.ID]*account
	bySLO   map[slo.ID][]*account      // the same: one of an SLO, or one per combination of its label values, by ID
	removed map[slo.ID]*account        // of SLOs that were taken out; they go on if a reload brings them back
	orphans []slo.ID                   // of these, what a restart found open
	excuses map[string]*budget.Excuses // of the set, see excuse
	above   map[slo.ID][]slo.ID        // of the set, see journeysAbove
	waits   map[slo.ID]sentences.Wait  // of the newest batch, see waitOf
	stops   *stops
	memo    budget.Memo // of the account whose turn it is
}

func newBudgets(set *slo.Set, policy *alerting.Policy, stops *stops) *budgets {
	return &budgets{
		set: set, policy: policy, byID: map[slo.ID]*account{}, bySLO: map[slo.ID][]*account{},
		removed: map[slo.ID]*account{}, excuses: map[string]*budget.Excuses{}, above: journeysAbove(set), stops: stops,
	}
}

// all lists the accounts by ID.
func (b *budgets) all() []*account {
	return slices.SortedFunc(maps.Values(b.byID), func(x, y *account) int { return cmp.Compare(x.id, y.id) })
}

// known returns the account of a budget that is in force, or was until its SLO was taken out; nil
// if there is none.
func (b *budgets) known(id slo.ID) *account {
	if a := b.byID[id]; a != nil {
		return a
	}
	return b.removed[id]
}

// write lets f write into a ledger while nobody reads it. What is shown of the budget, and of the
// journeys above it, is read anew afterwards.
func (b *budgets) write(a *account, f func(*budget.Ledger)) {
	a.figures, a.told = nil, nil
	for _, id := range b.above[a.id] {
		if j := b.byID[id]; j != nil {
			j.figures, j.told = nil, nil
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock() // also if it panics
	f(a.ledger)
}

// put takes an account in.
func (b *budgets) put(a *account) {
	b.byID[a.id] = a
	same := b.bySLO[a.id.Base()]
	n, found := slices.BinarySearchFunc(same, a.id, func(x *account, id slo.ID) int { return cmp.Compare(x.id, id) })
	if found {
		same[n] = a
		return
	}
	b.bySLO[a.id.Base()] = slices.Insert(same, n, a)
}

// remove takes an account out, and keeps it in case a reload brings its SLO back.
func (b *budgets) remove(a *account) {
	b.removed[a.id] = a
	delete(b.byID, a.id)
	rest := slices.DeleteFunc(b.bySLO[a.id.Base()], func(x *account) bool { return x == a })
	if b.bySLO[a.id.Base()] = rest; len(rest) == 0 {
		delete(b.bySLO, a.id.Base())
	}
}

// read returns the account of a reading, which it opens with the first slot. It is nil if there is
// nothing to say yet, or if a reload took the SLO out while it was being read.
func (b *budgets) read(id slo.ID, reading prom.Reading) (a *account, isNew bool) {
	if a := b.byID[id]; a != nil {
		return a, false
	}
	spec := b.set.Lookup(id.Base())
	if spec == nil || len(reading.Slots) == 0 {
		return nil, false
	}
	first := reading.Slots[0].At
	a = &account{id: id, spec: spec, ledger: &budget.Ledger{}, state: alerting.State{Through: first}, since: first}
	b.excuse(a)
	b.put(a)
	return a, true
}

// share notes what is wrong with an SLO that has a budget for each combination of its label values.
func (b *budgets) share(id slo.ID, problems []string) {
	for _, a := range b.bySLO[id] {
		a.shared = problems
	}
}

// record writes a reading into the ledger, and returns up to where it can be decided.
func (b *budgets) record(a *account, reading prom.Reading, turn *store.Turn) budget.Minute {
	for _, s := range reading.Slots {
		if s.At >= a.state.Through {
			// Minutes that nobody has read or will read, as while the SLO was away, are no missing
			// data.
			a.state.Through = s.At
			break
		}
	}
	from, to := a.state.Through, a.state.Through
	b.write(a, func(l *budget.Ledger) {
		for _, s := range reading.Slots {
			to = max(to, s.At+1)
			was := l.Gross().At(s.At)
			if l.Put(s.At, s.Slot) {
				turn.Slots = append(turn.Slots, s)
				if was.State != budget.Unseen && was != s.Slot {
					a.state = a.state.Amend(s)
				}
			}
		}
	})
	a.counted = a.counted.Plus(a.ledger.Sum(from, to))
	b.amend(a, reading.Late, turn)
	a.problems, a.failed = reading.Problems, nil
	return to
}

// amend adds what was found late to the minutes it belongs to, or to the sums of their hours where
// minutes are not kept any more. The turn gets them as they are now, whole, so that writing it down
// twice changes nothing. What the ledger knows nothing of is not amended: it is left to the
// history.
func (b *budgets) amend(a *account, late []prom.Amendment, turn *store.Turn) {
	if len(late) == 0 {
		return
	}
	b.write(a, func(l *budget.Ledger) {
		for _, m := range late {
			if changed := l.AmendShown(m.Since, m.At, m.Bad, m.Total); len(changed) > 0 {
				turn.Slots = append(turn.Slots, changed...)
				for _, s := range changed {
					a.state = a.state.Amend(s)
				}
			} else if sum, ok := l.AmendHour(m.At.Hour(), m.Bad, m.Total); ok {
				turn.Hours = append(turn.Hours, budget.HourAt{Hour: m.At.Hour(), Sum: sum})
			} else {
				continue
			}
			a.counted.Bad = budget.Add(a.counted.Bad, max(m.Bad, 0)) // a counter never falls
			a.counted.Total = budget.Add(a.counted.Total, max(m.Total, 0))
		}
	})
}

// input returns what a decision about an account may look at, without acts.
func (b *budgets) input(a *account) alerting.Input {
	return alerting.Input{ID: a.id, Spec: a.spec, Ledger: a.ledger, Policy: b.policy}
}

// waitOf returns what the minutes of a budget wait for: those of a journey for the step that is the
// farthest behind, those of several budgets of an expression for the same.
func (b *budgets) waitOf(spec *slo.Spec, id slo.ID) sentences.Wait {
	if j := spec.SLI.Journey; j != nil {
		var last sentences.Wait
		for _, step := range j.Steps {
			if w := b.waits[step.SLO]; !w.Through.IsZero() && (last.Through.IsZero() || w.Through.Before(last.Through)) {
				last = w
			}
		}
		return last
	}
	if w, ok := b.waits[id]; ok {
		return w
	}
	return b.waits[id.Base()]
}

// Set implements incidents.World.
func (b *budgets) Set() *slo.Set { return b.set }

// Budget implements incidents.World.
func (b *budgets) Budget(id slo.ID) (incidents.Budget, bool) {
	if a := b.known(id); a != nil {
		return incidents.Budget{Input: b.input(a), State: a.state, Measured: b.byID[id] == a, Wait: b.waitOf(a.spec, id), Figures: a.told}, true
	}
	spec := b.set.Lookup(id)
	if spec == nil {
		spec = wholeService(b.set, id)
	}
	if spec == nil {
		return incidents.Budget{}, false
	}
	return incidents.Budget{Input: alerting.Input{ID: id, Spec: spec, Ledger: &budget.Ledger{}, Policy: b.policy}}, true
}

// InService implements incidents.World.
func (b *budgets) InService(name string) []incidents.Budget {
	var all []incidents.Budget
	for _, spec := range b.set.Specs {
		if spec.Service != name {
			continue
		}
		for _, a := range b.bySLO[spec.ID()] {
			all = append(all, incidents.Budget{Input: b.input(a), State: a.state, Measured: true})
		}
	}
	return all
}

// Together implements incidents.World, as far as the SLO files say; see places.
func (b *budgets) Together(x, y incidents.Budget) bool {
	return x.Spec.Slack.Channel == y.Spec.Slack.Channel
}

// places are budgets of which the composer knows where they are told of.
type places struct {
	*budgets
	composer Composer
}

// Together implements incidents.World.
func (p places) Together(x, y incidents.Budget) bool { return p.composer.Together(x.Input, y.Input) }

// wholeService returns a service in the form of an SLO without a name, which promises nothing of
// its own; nil if the ID is not that of a service. Its terms are those of its first SLO.
func wholeService(set *slo.Set, id slo.ID) *slo.Spec {
	if id.Name() != "" {
		return nil
	}
	for _, spec := range set.Specs {
		if slo.ID(spec.Service) == id {
			whole := *spec
			whole.Name, whole.Description = "", ""
			whole.SLI = slo.Indicator{}
			return &whole
		}
	}
	return nil
}

// exchange gives every account the terms of a new set, puts away those that have none, and takes
// back those that have some again.
func (b *budgets) exchange(set *slo.Set, policy *alerting.Policy) {
	b.set, b.policy, b.excuses, b.above = set, policy, map[string]*budget.Excuses{}, journeysAbove(set)
	for id, a := range b.byID {
		if belongs(id, set) {
			a.spec = set.Lookup(id)
		} else {
			b.remove(a)
		}
	}
	for id, a := range b.removed {
		if belongs(id, set) {
			a.spec = set.Lookup(id)
			b.put(a)
			delete(b.removed, id)
		}
	}
	for _, a := range b.byID {
		b.excuse(a)
	}
}

// belongs reports whether a budget is one of the set's: there is such an SLO, and it has label
// values if and only if the budget has some.
func belongs(id slo.ID, set *slo.Set) bool {
	spec := set.Lookup(id)
	return spec != nil && (id.Group() != "") == (len(spec.By) > 0)
}

// excuse lays the corrections of the set over a ledger. Budgets that share their window and their
// corrections share the work.
func (b *budgets) excuse(a *account) {
	corrections := b.set.CorrectionsOf(a.id)
	if len(corrections) == 0 {
		b.write(a, func(l *budget.Ledger) { l.Excuse(nil) })
		return
	}
	key := a.spec.Window().String()
	for _, c := range corrections {
		key += "/" + c.Name
	}
	x, known := b.excuses[key]
	if !known {
		x = budget.NewExcuses(corrections, a.spec.Window())
		b.excuses[key] = x
	}
	b.write(a, func(l *budget.Ledger) { l.Excuse(x) })
}

// upstreamFirst orders the budgets of a reading so that those that others depend on come before
// them: what is told about an SLO then knows what has just begun to burn upstream of it.
func (b *budgets) upstreamFirst(readings map[slo.ID]prom.Reading) []slo.ID {
	ids := slices.Sorted(maps.Keys(readings))
	slices.SortStableFunc(ids, func(x, y slo.ID) int { // whoever depends on an SLO depends on more than it does
		return cmp.Compare(len(b.set.Upstream(x)), len(b.set.Upstream(y)))
	})
	return ids
}
