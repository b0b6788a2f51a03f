package alerting

import (
	"cmp"
	"hash/fnv"
	"slices"
	"strconv"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/slo"
)

// A declared incident is one that no rule saw. It is made of acts alone: Declare opens it, Escalate
// makes it louder or quieter, Close ends it. If it is about an SLO, what it took of the budget is
// what the ledger holds between its onset and its end; if it is about a service as a whole, that is
// not known.

// DeclaredID names the incident that an act declares. It follows from the act's key, so an act that
// is told twice declares one incident.
func DeclaredID(a Act) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(a.Key))
	return string(a.scope()) + "/" + string(RuleDeclared) + "/" + strconv.FormatUint(h.Sum64(), 36)
}

// scope returns the SLO that an act is about, or the service in the place of one.
func (a Act) scope() slo.ID { return cmp.Or(a.SLO, slo.ID(a.Service)) }

// Declared returns the incident that an act declares. through is how far the ledger goes.
func Declared(a Act, in Input, through budget.Minute) Incident {
	i := Incident{ID: DeclaredID(a), SLO: a.scope(), Rule: RuleDeclared, Onset: a.At}
	if !a.Since.IsZero() && a.Since.Before(a.At) {
		i.Onset = a.Since
	}
	e := i.ByPerson(Opened, a.Level, a.At, in, through)
	e.Since = budget.MinuteOf(i.Onset)
	return Incident{}.Apply(e).Take(a)
}

// ByPerson returns an event of a declared incident, with what the incident has taken so far. It is
// dated at the end of the last whole minute, so it never lies ahead.
func (i Incident) ByPerson(kind Kind, level Severity, at time.Time, in Input, through budget.Minute) Event {
	e := Event{
		At: max(budget.MinuteOf(at)-1, i.Last.At), SLO: i.SLO, Incident: i.ID, Kind: kind, Severity: level, Rule: RuleDeclared, Reason: ByPerson,
		Burn: i.Last.Burn, Budget: i.Last.Budget,
	}
	return e.reckoned(budget.MinuteOf(i.Onset), in, through)
}

// reckoned returns an event of a declared incident with what the ledger holds from its onset to the
// event, or as far as it goes. Where it holds nothing, nothing is said.
func (e Event) reckoned(onset budget.Minute, in Input, through budget.Minute) Event {
	to := min(through, e.At+1)
	sum := in.Ledger.Sum(onset, max(to, onset))
	if sum.Seen() == 0 {
		return e
	}
	status := in.StatusAt(to)
	e.Burn = &Burning{Onset: onset, Last: e.At, Bad: sum.Bad, Total: sum.Total, Minute: sum.BadSlots}
	e.Budget = AccountOf(status)
	return e
}

// Settle brings the account of a declared incident that was closed up to date with a ledger that
// has come further.
func (i Incident) Settle(in Input, through budget.Minute) Incident {
	i.Last = i.Last.reckoned(budget.MinuteOf(i.Onset), in, through)
	if i.Last.Burn != nil {
		i.Ended = i.Resolved
	}
	i.Log = slices.Clone(i.Log)
	for n := range i.Log {
		if i.Log[n].Key() == i.Last.Key() {
			i.Log[n] = i.Last
		}
	}
	return i
}

// Title returns what a declared incident is about, in the words of who declared it; "" if a rule
// opened it.
func (i Incident) Title() string {
	if i.Rule == RuleDeclared {
		for _, a := range i.Acts {
			if a.Kind == Declare {
				return a.Text
			}
		}
	}
	return ""
}

// Tend returns what has to be said of a declared incident that is open, at a time: that a silence
// has ended, that nobody has it for as long as the SLO says, or once in a while how it stands. It
// is false if nothing is due.
func (i Incident) Tend(in Input, through budget.Minute, at time.Time) (Event, bool) {
	acts := InForce(in.Acts, at)
	if _, silent := silentOn(in.Acts, at, i.Escalated); silent || !i.Open {
		return Event{}, false
	}
	e := i.ByPerson(Updated, i.Loud(), at, in, through)
	e.Reason = i.tends(in.Spec.Slack.Escalate, acts, e)
	return e, e.Reason != "" && e.Time().After(i.Last.Time())
}

func (i Incident) tends(escalate slo.Escalation, acts []Act, e Event) Reason {
	for _, a := range acts {
		if a.Kind == Silence && a.Until.After(i.Last.Time()) && !a.Until.After(e.Time()) {
			return SilenceOver
		}
	}
	waits, told := i.Detected, 0
	for _, old := range i.Log {
		switch {
		case old.Kind == Escalated, old.Reason == SilenceOver:
			waits, told = old.Time(), 0
		case old.Reason == Unacknowledged:
			told++
		}
	}
	if after := escalate.After; after > 0 && e.Severity == Page && told < maxReminders && !acknowledged(acts, i.ID) &&
		e.Time().Sub(waits) >= after*time.Duration(told+1) {
		return Unacknowledged
	}
	for _, age := range []time.Duration{5 * time.Minute, 15 * time.Minute} {
		if !i.Last.Time().After(i.Detected.Add(age-time.Minute)) && !e.Time().Before(i.Detected.Add(age)) {
			return StillOpen
		}
	}
	if e.Time().Sub(i.Last.Time()) >= 30*time.Minute {
		return StillOpen
	}
	return ""
}
