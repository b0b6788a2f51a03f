package engine

import (
	"cmp"
	"slices"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/incidents"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/slo"
)

// Verdicts is what the error-budget policy says of every budget of a service at a time, by ID; a name narrows it to
// one SLO, and an empty service takes in all. It looks at the memory alone, so it answers also while Prometheus, or
// the disk, does not. An SLO of which nothing was read yet has a verdict, too: unknown.
func (e *Engine) Verdicts(service, name string, now time.Time) []alerting.Verdict {
	return e.judge(service, name, func(in alerting.Input, st alerting.State) alerting.Verdict {
		return alerting.Judge(in, st, e.wide, e.Corrected(now))
	})
}

// MayRun is Verdicts for an experiment that would spend so much of each budget, in basis points.
func (e *Engine) MayRun(service, name string, spend int64, now time.Time) []alerting.Verdict {
	return e.judge(service, name, func(in alerting.Input, st alerting.State) alerting.Verdict {
		return alerting.Ask(in, st, e.wide, spend, e.Corrected(now))
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
			all = append(all, f(e.input(e.book, a), a.state))
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
func (e *Engine) input(b incidents.Book, a *account) alerting.Input {
	in := e.budgets.input(a)
	in.Acts = e.actsOn(b, a.id)
	return in
}

// judgeAt is the verdict right after a gate has turned.
func (e *Engine) judgeAt(in alerting.Input, event alerting.Event) alerting.Verdict {
	st := alerting.State{Through: event.At + 1, Gate: alerting.GateCaution}
	if event.Reason == alerting.PolicyFrozen {
		st.Gate = alerting.GateFrozen
	}
	return alerting.Judge(in, st, e.wide, event.Time())
}

// Permit is an exemption from the policy or an override of the gate, told to those who are told of freezes.
type Permit struct {
	alerting.Act
	Spec   *slo.Spec // an SLO of the service
	Notify slo.SlackRoute
	Now    time.Time
}

// permitted is what a permit owes to those who watch.
func (d *deed) permitted() []outbox.Entry {
	if d.act.Kind != alerting.Override && d.act.Kind != alerting.Exempt || d.budgets.policy == nil {
		return nil
	}
	for _, s := range d.budgets.set.Specs {
		if d.act.Concerns(s.ID()) || d.act.SLO.Base() == s.ID() {
			return d.Composer.Permit(Permit{Act: d.act, Spec: s, Notify: d.budgets.policy.Notify, Now: d.now})
		}
	}
	return nil
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
	for _, a := range alerting.InForce(e.wide, now) {
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
	budgets, states := e.inputs(service)
	for n, in := range budgets {
		for _, cost := range alerting.Attribute(in, e.wide, states[n].Through) {
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

// inputs are the budgets of a service, or of all, by ID, with their states.
func (e *Engine) inputs(service string) (budgets []alerting.Input, states []alerting.State) {
	for _, a := range e.budgets.all() {
		if service == "" || a.id.Service() == service {
			budgets, states = append(budgets, e.input(e.book, a)), append(states, a.state)
		}
	}
	return budgets, states
}

// checkPolicy is what can be said about an act that the policy looks at.
func (d *deed) checkPolicy() error {
	a := d.act
	switch a.Kind {
	case alerting.Override, alerting.Exempt:
		return d.checkPermit()
	case alerting.Changed, alerting.Experiment:
		if err := checkChange(a); err != nil {
			return err
		}
	}
	if a.Kind == alerting.Experiment && a.Change.End.After(d.now) { // what is over was not asked for
		return d.mayRun()
	}
	return nil
}

// longestOverride is how long a gate may be passed by an override: for a release, not for a policy.
const longestOverride = slo.Day

func (d *deed) checkPermit() error {
	a := d.act
	switch {
	case a.Service == "" && a.SLO == "":
		return invalid("Say which service or SLO may be released.")
	case a.Text == "":
		return invalid("Say why: the reason is shown to everybody who asks.")
	case a.Kind == alerting.Override && (!a.Until.After(d.now) || a.Until.Sub(d.now) > longestOverride):
		return invalid("An override needs an end within a day; an exemption may last longer.")
	case !a.Until.IsZero() && !a.Until.After(d.now):
		return invalid("It would have ended already, at %s.", a.Until.UTC().Format(time.RFC3339))
	}
	return nil
}

func checkChange(a alerting.Act) error {
	c := a.Change
	switch {
	case c == nil || a.Service == "" && a.SLO == "":
		return invalid("A change needs a service and what was changed.")
	case c.Title == "" && c.Version == "":
		return invalid("A change needs a title or a version.")
	case len(c.Title) > maxActName || len(c.Version) > maxActName || len(c.Kind) > maxActName || len(c.Link) > maxActText:
		return invalid("A title, a version or a link is too long.")
	case c.Start.IsZero():
		return invalid("A change needs a start.")
	case !c.End.IsZero() && c.End.Before(c.Start):
		return invalid("The change ends before it starts.")
	case a.Kind == alerting.Experiment && (!c.End.After(c.Start) || c.Spend < 1 || c.Spend > 10000):
		return invalid("An experiment needs an end, and the share of the budget that it may spend: above 0, at most 100 percent.")
	}
	return nil
}

// mayRun refuses an experiment that the policy does not let run.
func (d *deed) mayRun() error {
	budgets, states := d.inputs(d.act.About())
	var all []alerting.Verdict
	for n, in := range budgets {
		if d.act.Concerns(in.ID) {
			all = append(all, alerting.Ask(in, states[n], d.wide, d.act.Change.Spend, d.now))
		}
	}
	if v := alerting.Worst(all); !v.Go {
		return conflict("The experiment may not run: %s: %s", v.SLO, v.Reason)
	}
	return nil
}
