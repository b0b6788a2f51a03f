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
	e.mu.RLock()
	defer e.mu.RUnlock()
	now = e.Corrected(now)
	var all []alerting.Verdict
	seen := map[slo.ID]bool{}
	wanted := func(s *slo.Spec) bool {
		return (service == "" || s.Service == service) && (name == "" || s.Name == name)
	}
	for _, a := range e.accounts {
		if wanted(a.spec) {
			seen[a.id.Base()] = true
			all = append(all, alerting.Judge(e.input(a), a.state, e.wide, now))
		}
	}
	for _, s := range e.set.Specs {
		if wanted(s) && !seen[s.ID()] {
			in := alerting.Input{ID: s.ID(), Spec: s, Ledger: &budget.Ledger{}, Policy: e.Policy}
			all = append(all, alerting.Judge(in, alerting.State{}, e.wide, now))
		}
	}
	slices.SortFunc(all, func(a, b alerting.Verdict) int { return cmp.Compare(a.SLO, b.SLO) })
	return all
}

// input is what a decision about an account may look at.
func (e *Engine) input(a *account) alerting.Input {
	return alerting.Input{ID: a.id, Spec: a.spec, Ledger: a.ledger, Policy: e.Policy, Acts: e.actsOn(a.id)}
}

// judgeAt is the verdict right after a gate has turned.
func (e *Engine) judgeAt(in alerting.Input, event alerting.Event) alerting.Verdict {
	st := alerting.State{Through: event.At + 1, Gate: alerting.GateCaution}
	if event.Reason == alerting.PolicyFrozen {
		st.Gate = alerting.GateFrozen
	}
	return alerting.Judge(in, st, e.wide, event.Time())
}
