package report

import (
	"strings"

	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/slo"
)

// Topic is what a decision is about.
type Topic string

// The topics, most pressing first.
const (
	Freeze     Topic = "freeze"     // the budget is gone: stop changing things?
	Postmortem Topic = "postmortem" // one is required and was not begun
	Caution    Topic = "caution"    // little budget is left
	TooTight   Topic = "too_tight"  // spent many times over: is the objective realistic?
	TooLoose   Topic = "too_loose"  // never burned: is the objective worth anything?
	Repair     Topic = "data"       // much is unknown
	FewEvents  Topic = "low_traffic"
	Calm       Topic = "load"         // more pages than a shift can take
	Overdue    Topic = "action_items" // what was promised and not done in time
	Unanswered Topic = "unanswered"   // pages that nobody took on
	Capacity   Topic = "capacity"     // something will be full soon
	Recurring  Topic = "class"        // a class of outage took much of a quarter's budget
)

// Decision is something to talk about, as a proposal.
type Decision struct {
	Topic Topic
	ID    slo.ID
	Text  string // a sentence without markup
}

const (
	tooTightTimes = 5   // a budget spent five times over
	tooLooseParts = 100 // less than a hundredth of it spent
	repairPercent = 90  // less than this known
)

// decide proposes what to talk about. Per SLO only the most pressing thing about its budget is
// said.
func (b *builder) decide() {
	var all []Decision
	for _, r := range b.Rows {
		all = append(all, b.aboutBudget(r)...)
		// Minutes from before the SLO was written are no fault of its data.
		if s := r.InPeriod; s.Known*100 < (s.Minutes-s.Unread)*repairPercent {
			all = append(all, Decision{Repair, r.ID, "only " + figures.Known(float64(s.Known)/float64(s.Minutes-s.Unread)) +
				" of the minutes that were read are known: repair its data before believing its figures"})
		}
	}
	for _, i := range b.Incidents {
		if i.Missing() {
			all = append(all, Decision{Postmortem, i.SLO, "the incident of " + figures.In(i.Onset, b.zone) + " took " +
				i.Verdict.CostText() + " of a four-week budget: who writes its postmortem, and what is its P0 item?"})
		}
	}
	if b.Load.Heavy > 0 {
		all = append(all, Decision{Calm, "", figures.Plural(b.Load.Heavy, "shift") + " had more than two pages: what can be taken off them?"})
	}
	all = append(all, b.aboutPeople()...)
	all = append(all, b.aboutCapacity()...)
	for _, topic := range []Topic{Freeze, Postmortem, Overdue, Recurring, Caution, Capacity, TooTight, TooLoose, Repair, FewEvents, Calm, Unanswered} {
		for _, d := range all {
			if d.Topic == topic {
				b.Decisions = append(b.Decisions, d)
			}
		}
	}
}

// aboutBudget returns what a budget's standing suggests.
func (b *builder) aboutBudget(r Row) []Decision {
	one := func(t Topic, parts ...string) []Decision { return []Decision{{t, r.ID, strings.Join(parts, "")}} }
	policy := b.in.Policy.Of(r.ID.Service())
	switch {
	case r.Verdict == LowTraffic:
		return one(FewEvents, "its window allows only ", r.Budget.AllowedText(), " bad events: a longer window, a probe, or one SLO with its siblings?")
	case !r.Verdict.Judged():
		return nil
	case compareShares(r.Budget.Sum.Bad, r.Budget.Allowed, tooTightTimes, 1) >= 0:
		return one(TooTight, "its budget is spent ", r.Budget.CostOf(r.Budget.Sum.Bad), ": promised ", figures.Objective(r.Spec.Objective), ", delivered ", r.SLI(),
			". Freeze and repair, or promise what users need and the service can keep?")
	case r.Budget.LeftBelow(policy.FreezeBelow):
		return one(Freeze, "over budget, ", r.Left(), " left. Release nothing but repairs until it is back?")
	case r.Budget.LeftBelow(policy.CautionBelow):
		return one(Caution, r.Left(), " of the budget left. Hold back risky changes?")
	case compareShares(r.Budget.Sum.Bad, r.Budget.Allowed, 1, tooLooseParts) < 0 && r.InWindow.Known*100 >= r.InWindow.Minutes*repairPercent:
		return one(TooLoose, "promised ", figures.Objective(r.Spec.Objective), ", delivered ", r.SLI(), ", so hardly anything of its budget was spent in ", figures.Window(r.Budget.Window),
			". Promise more if users need it, or spend it on faster change?")
	}
	return nil
}
