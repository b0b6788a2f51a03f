package incidents

import (
	"cmp"
	"slices"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/sentences"
	"github.com/slowburn-sre/slowburn/slo"
)

// Bounds of what people may say.
const (
	maxActKey  = 300
	maxActText = 2000
	maxActName = 200
)

// longestBack is how far an act may be dated back that people could answer for with it afterwards:
// what was silent, released or exempt must have been so at the time.
const longestBack = time.Hour

// binding are these acts.
var binding = []alerting.ActKind{alerting.Override, alerting.Exempt, alerting.Silence}

// wide are acts that are never about an incident.
var wide = []alerting.ActKind{alerting.Override, alerting.Exempt, alerting.Changed, alerting.Experiment}

// actKinds says of every kind of act whether it needs an incident.
var actKinds = map[alerting.ActKind]bool{
	alerting.Acknowledge: true, alerting.Escalate: true, alerting.Remark: true, alerting.Mitigated: true, alerting.Classify: true,
	alerting.Close: true, alerting.Merge: true, alerting.Split: true, alerting.Declare: false,
	alerting.Silence: false, alerting.Undo: false, alerting.Worked: false,
	alerting.Override: false, alerting.Exempt: false, alerting.Changed: false, alerting.Experiment: false, alerting.Configured: false,
	alerting.Approve: false, alerting.Reject: false,
}

// NotAnAct refuses a kind of act, as a format.
const NotAnAct = "%q is no act that can be done here."

// checkAct checks what can be said about an act by itself.
func checkAct(a alerting.Act, now time.Time) error {
	needsIncident, known := actKinds[a.Kind]
	switch {
	case a.Key == "" || a.Kind == "" || a.By == "":
		return invalid("An act needs a key, a kind and somebody who does it.")
	case !known:
		return invalid(NotAnAct, string(a.Kind))
	case len(a.Key) > maxActKey || len(a.Text) > maxActText || len(a.By) > maxActName || len(a.Who) > maxActName:
		return invalid("A key, a name or a text is too long.")
	case a.Received.Sub(a.At) > longestBack && slices.Contains(binding, a.Kind):
		return invalid("It may be dated back an hour at most; it was told at %s.", a.Received.Format(time.RFC3339))
	case needsIncident && a.Incident == "":
		return invalid("Say which incident.")
	case a.Incident != "" && slices.Contains(wide, a.Kind):
		return invalid("This is about a service or an SLO, not about an incident.")
	case (a.Kind == alerting.Approve || a.Kind == alerting.Reject) && a.Other == "":
		return invalid("Say by its key what is approved or rejected.")
	case a.Kind == alerting.Remark && a.Text == "":
		return invalid("A note needs some words.")
	case a.Kind == alerting.Silence && !a.Until.IsZero() && !a.Until.After(now):
		return invalid("The silence would have ended already, at %s.", a.Until.UTC().Format(time.RFC3339))
	case a.Kind == alerting.Silence && a.Until.IsZero() && a.Incident == "":
		return invalid("A silence of more than one incident needs an end.")
	case (a.Kind == alerting.Escalate || a.Kind == alerting.Declare) && a.Level != alerting.Page && a.Level != alerting.Ticket:
		return invalid("An incident is a page or a ticket; say which.")
	case a.Kind == alerting.Declare && (a.Text == "" || a.SLO == "" && a.Service == "" || a.Incident != ""):
		return invalid("Say which SLO or service has an incident, and in a few words what is wrong.")
	case a.Kind == alerting.Declare && a.Since.After(now):
		return invalid("The incident would begin in the future, at %s.", a.Since.UTC().Format(time.RFC3339))
	case a.Kind == alerting.Merge && (a.Other == "" || a.Other == a.Incident):
		return invalid("Say which other incident goes on.")
	case a.Kind == alerting.Undo && a.Other == "":
		return invalid("Say by its key which act to take back.")
	case a.Kind == alerting.Classify && a.Text != alerting.Major && a.Text != alerting.NotMajor:
		return invalid("The class is %q or %q.", alerting.Major, alerting.NotMajor)
	case a.Kind == alerting.Worked && !a.Work().Known():
		return invalid("Work is toil or project, in whole minutes of at most a week.")
	}
	return nil
}

// checkScope checks an act that is about no single incident.
func (r *request) checkScope() error {
	a := r.act
	switch {
	case a.SLO != "" && r.world.Set().Lookup(a.SLO) == nil:
		return unknownAct("There is no SLO %q.", string(a.SLO))
	case a.Service != "" && r.world.Set().Service(a.Service) == nil && !hasService(r.world.Set(), a.Service):
		return unknownAct("There is no service %q.", a.Service)
	case a.Kind == alerting.Silence && a.SLO == "" && a.Service == "":
		return invalid("Say which incident, SLO or service is to be silent.")
	case a.Kind == alerting.Undo && !slices.ContainsFunc(r.acts, func(w alerting.Act) bool { return w.Key == a.Other && !isAsking(w) }):
		return unknownAct("There is no act %q in force.", a.Other)
	}
	return r.checkPolicy()
}

// hasService reports whether one of the SLOs is of a service.
func hasService(set *slo.Set, name string) bool {
	return slices.ContainsFunc(set.Specs, func(s *slo.Spec) bool { return s.Service == name })
}

// checkOn checks whether an act can be done to an incident in the state in which it is.
func checkOn(i alerting.Incident, a alerting.Act) error {
	after := a.Kind == alerting.Remark || a.Kind == alerting.Mitigated || a.Kind == alerting.Undo || a.Kind == alerting.Classify ||
		a.Kind == alerting.Merge || a.Kind == alerting.Split
	switch {
	case !i.Open && !after:
		return conflict("The incident is over since %s.", figures.UTC(i.Resolved))
	case a.Kind == alerting.Close && i.Rule != alerting.RuleDeclared:
		return conflict("It ends when the data say so; only what a person has declared is closed by a person.")
	case a.Kind == alerting.Split && i.Group == "":
		return conflict("It is told in a thread of its own.")
	case a.Kind == alerting.Escalate && i.Rule == alerting.RuleNoData:
		return conflict("Missing data are looked at as a ticket; declare an incident if users are hurt.")
	case a.Kind == alerting.Escalate && i.Loud() == a.Level:
		return conflict("The incident is a %s already.", a.Level)
	case a.Kind == alerting.Undo && !slices.ContainsFunc(slices.Concat(alerting.InForce(i.Acts, a.At), alerting.Ahead(i.Acts, a.At)), func(b alerting.Act) bool { return b.Key == a.Other }):
		return unknownAct("There is no act %q in force on this incident.", a.Other)
	case a.Kind == alerting.Undo:
		return checkUndo(i, a)
	}
	return nil
}

// checkUndo refuses to undo an act that has an act of its own to reverse it, as a merge has the
// split.
func checkUndo(i alerting.Incident, a alerting.Act) error {
	n := slices.IndexFunc(i.Acts, func(b alerting.Act) bool { return b.Key == a.Other })
	switch kind := i.Acts[n].Kind; {
	case isAsking(i.Acts[n]):
		return conflict("What waits for approval is rejected, and what was approved is taken back by its own key.")
	case kind == alerting.Declare, kind == alerting.Close:
		return conflict("What was declared is closed, and what was closed is declared anew.")
	case kind == alerting.Merge, kind == alerting.Split:
		return conflict("What was merged is split, and what was split is merged.")
	case kind == alerting.Escalate && i.Rule == alerting.RuleDeclared:
		return conflict("There is no rule to say how loud it is; say it yourself, by escalate.")
	}
	return nil
}

// checkPolicy checks an act that the policy looks at.
func (r *request) checkPolicy() error {
	a := r.act
	switch a.Kind {
	case alerting.Override, alerting.Exempt:
		return r.checkPermit()
	case alerting.Changed, alerting.Experiment:
		if err := checkChange(a, r.now); err != nil {
			return err
		}
	}
	if a.Kind == alerting.Experiment && a.Change.End.After(r.now) { // what is over was not asked for
		return r.mayRun()
	}
	return nil
}

// longestOverride is how long a gate may be passed by an override: for a release, not for a policy.
const longestOverride = slo.Day

// checkPermit checks an override or an exemption.
func (r *request) checkPermit() error {
	a := r.act
	switch {
	case a.Service == "" && a.SLO == "":
		return invalid("Say which service or SLO may be released.")
	case a.Text == "":
		return invalid("Say why: the reason is shown to everybody who asks.")
	case a.Kind == alerting.Override && (!a.Until.After(r.now) || a.Until.Sub(r.now) > longestOverride):
		return invalid("An override needs an end within a day; an exemption may last longer.")
	case !a.Until.IsZero() && !a.Until.After(r.now):
		return invalid("It would have ended already, at %s.", a.Until.UTC().Format(time.RFC3339))
	case a.Until.IsZero() || a.Until.Sub(r.now) > r.exemptAtMost():
		return invalid("An exemption needs an end within %s.", figures.Duration(r.exemptAtMost()))
	}
	return nil
}

// exemptAtMost returns how long an exemption may last by the policy.
func (r *request) exemptAtMost() time.Duration {
	if p := r.policy(); p != nil && p.ExemptAtMost > 0 {
		return p.ExemptAtMost
	}
	return alerting.LongestExemption
}

// policy returns the error-budget policy, which is the same for every SLO; nil without one.
func (r *request) policy() *alerting.Policy {
	for _, s := range r.world.Set().Specs {
		if on, ok := r.world.Budget(s.ID()); ok {
			return on.Policy
		}
	}
	return nil
}

// checkChange checks a change or an experiment by itself.
func checkChange(a alerting.Act, now time.Time) error {
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
	case !plausible(c.Start, now) || !c.End.IsZero() && !plausible(c.End, now):
		return invalid("A change starts and ends within ten years of now.")
	case !c.End.IsZero() && c.End.Before(c.Start):
		return invalid("The change ends before it starts.")
	case a.Kind == alerting.Experiment && (!c.End.After(c.Start) || c.Spend < 1 || c.Spend > 10000):
		return invalid("An experiment needs an end, and the share of the budget that it may spend: above 0, at most 100 percent.")
	}
	return nil
}

// plausible reports whether a time lies within ten years of now.
func plausible(at, now time.Time) bool {
	return now.AddDate(-10, 0, 0).Before(at) && at.Before(now.AddDate(10, 0, 0))
}

// mayRun refuses an experiment that the policy does not let run.
func (r *request) mayRun() error {
	var all []alerting.Verdict
	for _, on := range r.world.InService(r.act.About()) {
		if r.act.Concerns(on.ID) {
			on.Acts = r.ActsOn(on.ID)
			all = append(all, alerting.Ask(on.Input, on.State, r.acts, r.act.Change.Spend, r.now))
		}
	}
	if v := alerting.Worst(all); !v.Go {
		return conflict("The experiment may not run: %s: %s", v.SLO, sentences.GateReason(v))
	}
	return nil
}

// Permit is an exemption from the policy or an override of the gate, told to those who are told of
// freezes.
//
// It may be one that is only asked for, or the rejection of what Asked was.
type Permit struct {
	alerting.Act
	Asked  alerting.Act // of a rejection and of what was approved: what was asked for
	Spec   *slo.Spec    // an SLO of the service
	Notify slo.SlackRoute
	Now    time.Time
}

// permit returns what those who watch are told of a permit; nil if the act is none or there is no
// policy.
func (r *request) permit() *Permit {
	if kind := cmp.Or(r.act.Asks, r.act.Kind); kind != alerting.Override && kind != alerting.Exempt {
		return nil
	}
	for _, s := range r.world.Set().Specs {
		if !r.act.Concerns(s.ID()) && r.act.SLO.Base() != s.ID() {
			continue
		}
		if on, _ := r.world.Budget(s.ID()); on.Policy != nil {
			return &Permit{Act: r.act, Asked: r.asked, Spec: s, Notify: on.Policy.Notify, Now: r.now}
		}
		return nil
	}
	return nil
}
