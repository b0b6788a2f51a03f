package alerting

import (
	"cmp"
	"slices"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/slo"
)

// Phase is where an experiment stands.
type Phase string

// The phases.
const (
	Planned Phase = "planned"
	Running Phase = "running"
	Abort   Phase = "abort" // it must end now
	Over    Phase = "over"
)

// Trial is how an experiment stands: what it has spent of each budget, and whether it must end.
type Trial struct {
	Act   Act
	Phase Phase
	// Reason is why it must end, ExperimentSpent or ExperimentBurns, "" if it need not; At is the
	// budget that says so, by what it cost or by an incident, "" if that is over.
	Reason   Reason
	At       Cost
	Incident string
	Costs    []Cost // by SLO
}

// Ask returns whether an experiment that would spend so much of the budget, in basis points, may
// run: the gate is open, nothing burns, no other experiment runs, and what it spends leaves the
// budget above the line of caution. An exemption or an override does not count here: they are for
// releases that cannot wait.
func Ask(in Input, st State, acts []Act, spend int64, now time.Time) Verdict {
	v := Judge(in, st, nil, now)
	running := runningOn(in.ID, acts, now)
	limits := Limits{}
	if in.Policy != nil {
		limits = in.Policy.Of(v.Service)
	}
	refuse := func(why Ground) Verdict {
		v.Go, v.Ground, v.ClearsAt = false, why, time.Time{}
		return v
	}
	switch {
	case !v.Go:
		return v
	case st.Burn != nil:
		v.Incident = st.Burn.Incident
		return refuse(AlertOpen)
	case running != nil:
		v.Running = running
		return refuse(OtherRuns)
	case limits.CautionBelow+spend > 10000 || v.Budget.LeftBelow(limits.CautionBelow+spend):
		v.Spend, v.Line = spend, limits.CautionBelow
		return refuse(TooDear)
	}
	v.Ground, v.Spend = MaySpend, spend
	return v
}

// runningOn returns the experiment that runs on a budget, nil if none does.
func runningOn(id slo.ID, acts []Act, now time.Time) *Act {
	for _, a := range InForce(acts, now) {
		if a.Kind == Experiment && a.Change != nil && a.Concerns(id) && !a.Change.Start.After(now) && now.Before(a.Change.End) {
			return &a
		}
	}
	return nil
}

// exceeds reports whether more went bad than the planned share of the budget.
func (c Cost) exceeds() bool {
	return budget.CompareProducts(c.Excess, 10000, c.Budget.Allowed, c.Change.Change.Spend) > 0
}

// stepExperiment tells once when the experiment that runs has to end: it has used up what it was
// given, or an alert has fired since it began. What was told later than the minute is not known in
// it.
func (w *walk) stepExperiment(m budget.Minute) {
	if !slices.ContainsFunc(w.Acts, func(a Act) bool { return a.Kind == Experiment }) {
		return
	}
	a := runningOn(w.ID, w.Acts, m.End())
	if a == nil || w.Aborted == a.Key {
		return
	}
	reason := w.mustEnd(*a, m)
	if reason == "" {
		return
	}
	w.Aborted = a.Key
	e := w.event(m, &Open{Incident: w.incidentID(RuleExperiment, m), Rule: RuleExperiment, Severity: Notice}, Noticed, reason)
	e.Act = a.Key
	w.events = append(w.events, e)
}

func (w *walk) mustEnd(a Act, m budget.Minute) Reason {
	if w.Burn != nil && w.Burn.Opened >= budget.MinuteOf(a.Change.Start) {
		return ExperimentBurns
	}
	c := Cost{Change: a, SLO: w.ID}
	c.measure(w.Input, a.Change.Start, a.Change.End, m+1)
	if c.exceeds() {
		return ExperimentSpent
	}
	return ""
}

// Look returns how an experiment stands at a time, from the budgets that it concerns and their
// states.
func Look(experiment Act, budgets []Input, states []State, now time.Time) Trial {
	c := experiment.Change
	t := Trial{Act: experiment, Phase: Running}
	switch {
	case c.Start.After(now):
		t.Phase = Planned
	case !now.Before(c.End):
		t.Phase = Over
	}
	for n, in := range budgets {
		if experiment.Concerns(in.ID) && t.Phase != Planned {
			t.addBudget(in, states[n])
		}
	}
	slices.SortFunc(t.Costs, func(x, y Cost) int { return cmp.Compare(x.SLO, y.SLO) })
	return t
}

// addBudget adds what the experiment cost one budget, and ends it in the Abort phase if that budget
// has a reason.
func (t *Trial) addBudget(in Input, st State) {
	c := Cost{Change: t.Act, SLO: in.ID}
	c.measure(in, t.Act.Change.Start, t.Act.Change.End, st.Through)
	t.Costs = append(t.Costs, c)
	if t.Reason != "" {
		return
	}
	switch {
	case c.exceeds():
		t.Reason = ExperimentSpent
	case st.Burn != nil && st.Burn.Opened >= budget.MinuteOf(t.Act.Change.Start):
		t.Reason, t.Incident = ExperimentBurns, st.Burn.Incident
	case st.Aborted == t.Act.Key:
		t.Reason = ExperimentBurns
	}
	if t.Reason == "" {
		return
	}
	t.At = c
	if t.Phase == Running {
		t.Phase = Abort
	}
}
