package engine

import (
	"cmp"
	"slices"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/slo"
)

// Verdicts is what the error-budget policy says of every budget of a service at a time, by ID; a name narrows it to
// one SLO, and an empty service takes in all. It looks at the memory alone, so it answers also while Prometheus, or
// the disk, does not. An SLO of which nothing was read yet has a verdict, too: unknown.
func (e *Engine) Verdicts(service, name string, now time.Time) []alerting.Verdict {
	return e.judge(service, name, func(in alerting.Input, st alerting.State) alerting.Verdict {
		return alerting.Judge(in, st, e.book.Acts(), e.Corrected(now))
	})
}

// MayRun is Verdicts for an experiment that would spend so much of each budget, in basis points.
func (e *Engine) MayRun(service, name string, spend int64, now time.Time) []alerting.Verdict {
	return e.judge(service, name, func(in alerting.Input, st alerting.State) alerting.Verdict {
		return alerting.Ask(in, st, e.book.Acts(), spend, e.Corrected(now))
	})
}

func (e *Engine) judge(service, name string, f func(alerting.Input, alerting.State) alerting.Verdict) []alerting.Verdict {
	e.mu.RLock()
	defer e.mu.RUnlock()
	var all []alerting.Verdict
	seen := map[slo.ID]bool{}
	wanted := func(s *slo.Spec) bool {
		return (service == "" || s.Service == service) && (name == "" || s.Name == name)
	}
	for _, a := range e.budgets.byID {
		if wanted(a.spec) {
			seen[a.id.Base()] = true
			all = append(all, f(e.input(a), a.state))
		}
	}
	for _, s := range e.budgets.set.Specs {
		if wanted(s) && !seen[s.ID()] {
			all = append(all, f(alerting.Input{ID: s.ID(), Spec: s, Ledger: &budget.Ledger{}, Policy: e.budgets.policy}, alerting.State{}))
		}
	}
	slices.SortFunc(all, func(a, b alerting.Verdict) int { return cmp.Compare(a.SLO, b.SLO) })
	return all
}

// PostmortemAt is the share of a four-week budget, in basis points, above which an incident needs a postmortem; 0
// without a policy.
func (e *Engine) PostmortemAt() int64 {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if e.budgets.policy == nil {
		return 0
	}
	return e.budgets.policy.PostmortemAt
}

// input is what a decision about an account may look at.
func (e *Engine) input(a *account) alerting.Input {
	in := e.budgets.input(a)
	in.Acts = e.book.ActsOn(a.id)
	return in
}

// Change is something that was done to a service, with what it cost.
type Change struct {
	alerting.Act
	Costs []alerting.Cost // by budget
	Trial *alerting.Trial // of an experiment
}

// Changes lists the changes and experiments of the last hundred days that began in [from, to), of a service or of all,
// newest first. Zero times do not narrow.
func (e *Engine) Changes(service string, from, to, now time.Time) []Change {
	e.mu.RLock()
	defer e.mu.RUnlock()
	now = e.Corrected(now)
	var all []Change
	for _, a := range alerting.InForce(e.book.Acts(), now) {
		c := a.Change
		if c != nil && (service == "" || a.About() == service) && !c.Start.Before(from) && (to.IsZero() || c.Start.Before(to)) {
			all = append(all, Change{Act: a})
		}
	}
	slices.SortStableFunc(all, func(a, b Change) int { return b.Change.Start.Compare(a.Change.Start) })
	at := map[string]*Change{}
	for n := range all {
		at[all[n].Key] = &all[n]
	}
	var budgets []alerting.Input
	var states []alerting.State
	for _, on := range e.budgets.InService(service) {
		on.Acts = e.book.ActsOn(on.ID)
		budgets, states = append(budgets, on.Input), append(states, on.State)
	}
	for n, in := range budgets {
		for _, cost := range alerting.Attribute(in, e.book.Acts(), states[n].Through) {
			if c := at[cost.Change.Key]; c != nil {
				c.Costs = append(c.Costs, cost)
			}
		}
	}
	for n := range all {
		if all[n].Kind == alerting.Experiment {
			t := alerting.Look(all[n].Act, budgets, states, now)
			all[n].Trial = &t
		}
	}
	return all
}
