package alerting

import (
	"slices"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/slo"
)

// ChangeWindow is how long after a change what goes wrong is laid at its door.
const ChangeWindow = 2 * time.Hour

// Cost is what went wrong after a change beyond what went wrong before it. It is correlated and not
// proven: what else happened at the time is in it, too.
type Cost struct {
	Change Act
	SLO    slo.ID
	// From and To are the time after the change: ChangeWindow beyond its end, or until the next
	// change, or until now.
	From, To time.Time
	Before   budget.Sum // of as long a time as ChangeWindow before it
	After    budget.Sum // of [From, To)
	// Excess is how many events went bad beyond the share that did before, in thousandths; never
	// negative.
	Excess int64
	Budget Account // of the first window, as it was at To; estimated also where Before is
	// Known is false where no traffic before or after says what the change did.
	Known bool
	// Shared are the keys of other changes so near that nobody can tell which of them it was. A
	// roll-back and what it took back are told apart.
	Shared []string
}

// Spent returns the share of the budget that went.
func (c Cost) Spent() float64 { return Account{Bad: c.Excess, Allowed: c.Budget.Allowed}.Spent() }

// CostText writes the share of the budget that went.
func (c Cost) CostText() string { return c.Budget.CostOf(c.Excess) }

// Attribute finds what each change cost a budget, in the order in which the changes began, over the
// minutes before to. Acts that are no changes, or of other services, or taken back, are passed
// over. An experiment is a change whose cost is all that went bad while it ran: it was meant to.
//
// It needs the minutes of some hours; [Cuts] are those to keep. Where they have been thinned out
// all the same, as a change was recorded days later, the hour in which it began counts as after it.
func Attribute(in Input, acts []Act, to budget.Minute) []Cost {
	changes := changesOn(in.ID, acts, to)
	all := make([]Cost, 0, len(changes))
	for n, a := range changes {
		from, end := a.Change.span()
		c := Cost{Change: a, SLO: in.ID}
		for _, o := range changes[n+1:] {
			if at := o.Change.Start; at.After(a.Change.Start) && at.Before(end) {
				end = at
				break
			}
		}
		for m, o := range changes {
			near := m != n && o.Change.Start.Before(a.Change.naturalEnd()) && from.Before(o.Change.naturalEnd())
			if near && !o.rollsBack(a) && !a.rollsBack(o) {
				c.Shared = append(c.Shared, o.Key)
			}
		}
		c.measure(in, from, end, to)
		all = append(all, c)
	}
	return all
}

// rollsBack reports whether a change may have taken another one back. That ends what the other one
// did, and makes it no less certain.
func (a Act) rollsBack(o Act) bool {
	return a.Change.Kind == "rollback" && o.Change.Kind != "rollback" && a.About() == o.About() && !o.Change.Start.After(a.Change.Start)
}

// changesOn returns the changes that concern a budget and began before a minute, oldest first.
func changesOn(id slo.ID, acts []Act, to budget.Minute) []Act {
	var changes []Act
	for _, a := range InForce(acts, to.Time()) {
		if a.Change != nil && (a.Kind == Changed || a.Kind == Experiment) && a.Concerns(id) && a.Change.Start.Before(to.Time()) {
			changes = append(changes, a)
		}
	}
	slices.SortStableFunc(changes, func(a, b Act) int { return a.Change.Start.Compare(b.Change.Start) })
	return changes
}

// span returns the time in which the change shows, as far as no other comes between.
func (c *Change) span() (from, to time.Time) { return c.Start, c.naturalEnd() }

func (c *Change) naturalEnd() time.Time {
	if c.End.After(c.Start) {
		return c.End.Add(ChangeWindow)
	}
	return c.Start.Add(ChangeWindow)
}

// measure compares [from, end) with the time before.
func (c *Cost) measure(in Input, from, end time.Time, to budget.Minute) {
	if c.Change.Kind == Experiment && !c.Change.Change.End.IsZero() {
		end = c.Change.Change.End
	}
	first, last := budget.MinuteOf(from), min(budget.MinuteOf(end), to)
	if !in.Ledger.Minutes(first) {
		first = budget.Minute(first.Hour() * 60)
	}
	c.From, c.To = first.Time(), last.Time()
	c.Before = in.Ledger.Sum(first-budget.Minutes(ChangeWindow), first)
	c.After = in.Ledger.Sum(first, last)
	c.Budget = AccountOf(in.StatusAt(last))
	c.Budget.Estimated = c.Budget.Estimated || c.Before.Estimated > 0 // which may lie before a calendar window
	if c.Change.Kind == Experiment {
		c.Excess, c.Known = c.After.Bad, c.After.Total > 0
		return
	}
	if c.Known = c.Before.Total > 0 && c.After.Total > 0; c.Known {
		usual := budget.Scale(c.After.Total, c.Before.Bad, c.Before.Total)
		c.Excess = max(c.After.Bad-usual, 0)
	}
}

// mostCuts is of how many changes of a service, the newest, the minutes are kept: at three hours
// each about 40 kB a budget, a quarter of a month of minutes.
const mostCuts = 60

// Cuts returns, by service, the minutes at which [Attribute] divides ledgers: where the time before
// a change begins, where the change does, and where it is no longer looked at. Their hours are to
// keep their minutes.
func Cuts(acts []Act, now time.Time) map[string][]budget.Minute {
	cuts, changes := map[string][]budget.Minute{}, map[string]int{}
	for _, a := range slices.Backward(InForce(acts, now)) {
		service := a.About()
		if a.Change == nil || changes[service] == mostCuts {
			continue
		}
		changes[service]++
		from, to := a.Change.span()
		if a.Kind == Experiment && !a.Change.End.IsZero() {
			to = a.Change.End
		}
		cuts[service] = append(cuts[service], budget.MinuteOf(from.Add(-ChangeWindow)), budget.MinuteOf(from), budget.MinuteOf(to))
	}
	return cuts
}

// Delivery is the DORA figures of the changes that were recorded. What the feed does not tell is
// not known.
type Delivery struct {
	From, To time.Time
	Deploys  int // changes of the kind deploy that began in [From, To)
	// Failed are those that say so themselves, that were rolled back within ChangeWindow, or after
	// which an incident began before the next deploy and within ChangeWindow.
	Failed int
	// Recovery is from the start of a failed deploy until its incident, its rollback or the deploy
	// that followed made it good; sorted. Those that are not made good yet are missing.
	Recovery []time.Duration
	// Lead is from the oldest commit of a deploy to its start, where the feed tells both; sorted.
	Lead []time.Duration
}

// PerWeek returns how many deploys there were in a week.
func (d Delivery) PerWeek() (float64, bool) {
	weeks := d.To.Sub(d.From).Hours() / (7 * 24)
	return float64(d.Deploys) / weeks, weeks > 0 && d.Deploys > 0
}

// FailureRate returns the share of deploys that failed, and false without deploys.
func (d Delivery) FailureRate() (float64, bool) { return share(d.Failed, d.Deploys) }

// Deliver works out the figures of the deploys that began in [from, to), from all acts and
// incidents of the services concerned; both may be in any order.
func Deliver(acts []Act, incidents []Incident, from, to time.Time) Delivery {
	d := Delivery{From: from, To: to}
	var changes []Act
	for _, a := range InForce(acts, to) {
		if a.Kind == Changed && a.Change != nil {
			changes = append(changes, a)
		}
	}
	slices.SortStableFunc(changes, func(a, b Act) int { return a.Change.Start.Compare(b.Change.Start) })
	for n, a := range changes {
		if a.Change.Kind != "deploy" || a.Change.Start.Before(from) || !a.Change.Start.Before(to) {
			continue
		}
		d.Deploys++
		if !a.Change.Commit.IsZero() && a.Change.Commit.Before(a.Change.Start) {
			d.Lead = append(d.Lead, a.Change.Start.Sub(a.Change.Commit))
		}
		failed, restored := outcomeOf(a, changes[n+1:], incidents)
		if failed {
			d.Failed++
		}
		if failed && !restored.IsZero() {
			d.Recovery = append(d.Recovery, restored.Sub(a.Change.Start))
		}
	}
	slices.Sort(d.Recovery)
	slices.Sort(d.Lead)
	return d
}

// outcomeOf returns whether a deploy failed, by its own word, by a rollback or by an incident, and
// when service was restored; zero if it is not yet.
func outcomeOf(a Act, later []Act, incidents []Incident) (failed bool, restored time.Time) {
	end, failed := a.Change.naturalEnd(), a.Change.Failed
	for _, o := range later {
		if o.About() != a.About() || o.Change.Kind != "deploy" && o.Change.Kind != "rollback" {
			continue
		}
		restored = o.Change.Start
		failed = failed || o.Change.Kind == "rollback" && restored.Before(end)
		end = minTime(end, restored)
		break
	}
	for _, i := range incidents {
		if i.SLO.Service() == a.About() && i.Rule != RuleNoData && !i.Onset.Before(a.Change.Start) && i.Onset.Before(end) {
			return true, i.Ended
		}
	}
	return failed, restored
}

// About returns the service that an act is about, "" if it is about none.
func (a Act) About() string {
	if a.SLO != "" {
		return a.SLO.Service()
	}
	return a.Service
}

func minTime(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
