package report

import (
	"slices"
	"strings"

	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/postmortem"
	"github.com/slowburn-sre/slowburn/slo"
)

// Topic is what a decision is about.
type Topic string

// The topics, most pressing first.
const (
	Repeated   Topic = "repetition" // incidents that are alike
	Freeze     Topic = "freeze"     // the budget is gone: stop changing things?
	Postmortem Topic = "postmortem" // one is required, and nobody has begun it or written in the draft
	Lost       Topic = "lost"       // much of the budget went in the period
	Caution    Topic = "caution"    // little budget is left
	TooTight   Topic = "too_tight"  // spent many times over: is the objective realistic?
	TooLoose   Topic = "too_loose"  // never burned: is the objective worth anything?
	Repair     Topic = "data"       // much is unknown
	FewEvents  Topic = "low_traffic"
	Calm       Topic = "load"         // more pages than a shift can take
	Overdue    Topic = "action_items" // what was promised and not done in time
	Unanswered Topic = "unanswered"   // pages that nobody took on
	Capacity   Topic = "capacity"     // something will be full soon
	Nights     Topic = "nights"       // somebody was called out of hours again and again
	Recurring  Topic = "class"        // a class of outage took much of a quarter's budget
)

// Decision is something to talk about, as a proposal.
type Decision struct {
	Topic Topic
	ID    slo.ID
	Text  string // a sentence without markup
}

const (
	tooTightTimes = 5    // a budget spent five times over
	tooLooseParts = 100  // less than a hundredth of it spent
	repairPercent = 90   // less than this known
	lostBasis     = 2500 // basis points of a budget that went in one period
)

// decide proposes what to talk about. Per SLO only the most pressing thing about its budget is
// said.
func (b *builder) decide() {
	all := b.aboutRepetitions()
	told := map[string]bool{} // incidents whose postmortem is asked for with their budget
	for _, r := range b.Rows {
		all = append(all, b.aboutBudget(r, told)...)
		// Minutes from before the SLO was written are no fault of its data.
		if s := r.InPeriod; s.Known*100 < (s.Minutes-s.Unread)*repairPercent {
			all = append(all, Decision{Repair, r.ID, "only " + figures.Known(float64(s.Known)/float64(s.Minutes-s.Unread)) +
				" of the minutes that were read are known: repair its data before believing its figures"})
		}
	}
	all = append(all, b.aboutPostmortems(told)...)
	if b.Load.Heavy > 0 {
		all = append(all, Decision{Calm, "", figures.Plural(b.Load.Heavy, "shift") + " had more than two pages: what can be taken off them?"})
	}
	all = append(all, b.aboutPeople()...)
	all = append(all, b.aboutCapacity()...)
	for _, topic := range []Topic{Repeated, Freeze, Lost, Postmortem, Overdue, Recurring, Caution, Capacity, TooTight, TooLoose, Repair, FewEvents, Calm, Nights, Unanswered} {
		for _, d := range all {
			if d.Topic == topic {
				b.Decisions = append(b.Decisions, d)
			}
		}
	}
}

// aboutPostmortems asks for the postmortems of the period that are required and say nothing, and
// for those of the time before it.
func (b *builder) aboutPostmortems(told map[string]bool) []Decision {
	var all []Decision
	here := map[string]bool{}
	for _, i := range b.Incidents {
		here[i.ID] = true
		if i.Unwritten() && !told[i.ID] {
			all = append(all, Decision{Postmortem, i.SLO, "the incident of " + figures.In(i.Onset, b.zone) + " took " +
				i.Verdict.CostText() + " of a four-week budget" + b.unwritten(i)})
		}
	}
	var left []postmortem.Review
	for _, r := range b.in.Reviews {
		if r.Required && r.Blank && !here[r.Incident] && b.concerns(r.Owner) && !r.Resolved.IsZero() && r.Resolved.Before(b.From) {
			left = append(left, r)
		}
	}
	if len(left) == 0 {
		return all
	}
	oldest := slices.MinFunc(left, func(x, y postmortem.Review) int { return x.Resolved.Compare(y.Resolved) })
	text := "the draft of the incident that ended " + figures.In(oldest.Resolved, b.zone) + " is still empty"
	if len(left) > 1 {
		text = figures.Plural(len(left), "required postmortem") + " of earlier incidents are empty drafts, the oldest since " + figures.In(oldest.Resolved, b.zone)
	}
	return append(all, Decision{Postmortem, oldest.SLO, text + ": who finishes it?"})
}

// unwritten goes on about an incident, and asks who writes its postmortem.
func (b *builder) unwritten(i Incident) string {
	if i.Missing() {
		return ": who writes its postmortem, and what is its P0 item?"
	}
	s := ", and its postmortem is an empty draft: who finishes it"
	if !i.Resolved.IsZero() {
		s += " by " + figures.Day(postmortem.NextReview(i.Resolved, b.zone))
	}
	return s + ", and what is its P0 item?"
}

// lost says where most of what a budget lost in the period went, and asks about it.
func (b *builder) lost(r Row, told map[string]bool) string {
	s := "lost " + r.lostText() + " of its budget, " + r.Left() + " left"
	var most Incident
	for _, i := range b.Incidents {
		if i.SLO == r.ID && i.InPeriod > most.InPeriod {
			most = i
		}
	}
	if 2*most.InPeriod < r.InPeriod.Bad || most.InPeriod == 0 {
		return s + ": where did it go, and what keeps that from going on?"
	}
	s += "; the incident of " + figures.In(most.Onset, b.zone) + " took " + most.CostText()
	if !most.Unwritten() {
		return s + ": what keeps it from happening again?"
	}
	told[most.ID] = true
	return s + b.unwritten(most)
}

// aboutBudget returns what a budget's standing suggests.
func (b *builder) aboutBudget(r Row, told map[string]bool) []Decision {
	went := ""
	if r.lostMuch() {
		went = " (it lost " + r.lostText() + " in the period)"
	}
	one := func(t Topic, parts ...string) []Decision { return []Decision{{t, r.ID, strings.Join(parts, "")}} }
	policy := b.in.Policy.Of(r.ID.Service())
	switch {
	case r.Verdict == LowTraffic:
		return one(FewEvents, "its window allows only ", r.Budget.AllowedText(), " bad events: a longer window, a probe, or one SLO with its siblings?")
	case !r.Verdict.Judged():
		return nil
	case compareShares(r.Budget.Sum.Bad, r.Budget.Allowed, tooTightTimes, 1) >= 0:
		return one(TooTight, "its budget is spent ", r.Budget.CostOf(r.Budget.Sum.Bad), ": promised ", figures.Objective(r.Spec.Objective), ", delivered ", r.SLI(), went,
			". Freeze and repair, or promise what users need and the service can keep?")
	case r.Budget.LeftBelow(policy.FreezeBelow):
		return one(Freeze, "over budget, ", r.Left(), " left", went, ". Release nothing but repairs until it is back?")
	case r.Budget.LeftBelow(policy.CautionBelow):
		return one(Caution, r.Left(), " of the budget left", went, ". Hold back risky changes?")
	case r.lostMuch():
		return one(Lost, b.lost(r, told))
	case compareShares(r.Budget.Sum.Bad, r.Budget.Allowed, 1, tooLooseParts) < 0 && r.InWindow.Known*100 >= r.InWindow.Minutes*repairPercent:
		return one(TooLoose, "promised ", figures.Objective(r.Spec.Objective), ", delivered ", r.SLI(), ", so hardly anything of its budget was spent in ", figures.Window(r.Budget.Window),
			". Promise more if users need it, or spend it on faster change?")
	}
	return nil
}
