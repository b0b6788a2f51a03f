package sentences

import (
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/ranking"
	"github.com/slowburn-sre/slowburn/slo"
)

// Failing is how much of what people ask for fails, measured on the ledger.
type Failing struct {
	// Now is the newest minutes that are full and began after the onset: one, or as many as it
	// takes to have seen some events. Zero where nothing is known.
	Now budget.Sum
	// SoFar says that there is no such minute yet: Now is the one in which it began, of which a
	// part was good.
	SoFar bool
	Usual budget.Sum // the hour before the onset; zero where too little is known of it
}

// Headline tells the event in users' terms: what burns, or has burned until it recovered
// ([Facts.Headlined]).
type Headline struct{ Facts }

// Headline returns the telling of the event in users' terms.
func (f Facts) Headline() Headline { return Headline{f} }

// Within says what is the matter in one sentence without its full stop, in the order in which it
// matters: what fails for users and how much of it, since when, what usually fails; what changed
// before; when the budget is gone, at which burn rate. It leaves out what does not fit into so many
// characters, the suspected change first; 0 is any number of them.
func (f Headline) Within(room int) string {
	switch {
	case !f.Headlined():
		return string(f.Event.SLO) + " " + f.Predicate()
	case !f.Incident.Open:
		return was(f.Incident, f.Spec)
	case f.Stopped():
		return ErrorsStopped + " " + f.stops() + ": " + f.Spec.SLI.Noun() + " on " + place(f.Event.SLO)
	}
	full := f.Symptom() + f.sinceWhen()
	rest := []string{f.suspicion(), f.exhaustion()}
	for drop := 0; ; drop++ {
		text := full
		for _, r := range rest[min(drop, len(rest)):] {
			if r != "" {
				text += "; " + r
			}
		}
		if room == 0 || drop == len(rest) || len([]rune(text)) <= room {
			return text
		}
	}
}

// Headlined reports whether a headline tells the event: the budget burns, or has burned until it
// recovered.
func (f Facts) Headlined() bool {
	i := f.Incident
	return i.Rule.Burns() && f.Event.Rule.Burns() && f.Event.Kind != alerting.Noticed && i.Last.Burn != nil && !f.Missed() &&
		(i.Open || i.Last.Reason.Recovered())
}

// Stopped reports whether the incident is open still while nothing more fails than usual.
func (f Facts) Stopped() bool {
	return f.Incident.Open && f.Headlined() && f.Incident.Last.Burn.Stopped > 0
}

// stops says since when the errors have stopped, and about when the incident closes if it stays so.
func (f Headline) stops() string {
	b := f.Incident.Last.Burn
	s := f.clock(b.Stopped.Time())
	if b.Closes > 0 {
		s += ", closes about " + f.clock(b.Closes.Time())
	}
	return s
}

// Title returns what stands above everything else: the symptom, or that it has stopped.
func (f Headline) Title() string {
	if f.Stopped() {
		return ErrorsStopped + ": " + f.Spec.SLI.Noun() + " on " + place(f.Event.SLO)
	}
	return f.Symptom()
}

// Symptom says what users feel, and how many of them: "99 % of card payments on checkout /pay
// fail". Without a figure it is what they felt, or feel.
func (f Headline) Symptom() string {
	what := f.of() + " on " + place(f.Event.SLO)
	now, _, soFar := f.failing()
	if now.Bad == 0 { // unknown, or none at the moment, which proves nothing yet
		return what + " " + f.Spec.SLI.Fails(false)
	}
	share := figures.Share(now.Bad, now.Total)
	if soFar {
		share = "So far " + share
	}
	return share + " of " + what + f.mostly() + " " + f.Spec.SLI.Fails(false)
}

// of returns what fails, many of it: "card payments" if nearly all of it is in one value.
func (f Headline) of() string {
	c, ok := f.contributor()
	if !ok {
		return f.Spec.SLI.Noun()
	}
	return c.Of(f.Spec.SLI.Noun())
}

// mostly names the value that most of it is in, where its own share is not known of this time.
func (f Headline) mostly() string {
	if _, measured := f.contributor(); measured || f.Found == nil {
		return ""
	}
	if c, ok := f.Found.Burns.Main(); ok && f.Incident.Open {
		return ", mostly " + c.Of("") + ","
	}
	return ""
}

// contributor returns the value that most of it is in, if its share is known at the event.
func (f Headline) contributor() (ranking.Contributor, bool) {
	if f.Found == nil || f.Found.At.Before(f.Event.Time()) || !f.Incident.Open {
		return ranking.Contributor{}, false
	}
	c, ok := f.Found.Burns.Main()
	return c, ok && c.Fails.Total > 0
}

// failing returns what fails now, and what usually does: of the value that most of it is in, or of
// all.
func (f Headline) failing() (now, usual ranking.Count, soFar bool) {
	if c, ok := f.contributor(); ok {
		return c.Fails, c.Before, c.SoFar
	}
	count := func(s budget.Sum) ranking.Count { return ranking.Count{Bad: s.Bad, Total: s.Total} }
	return count(f.Failing.Now), count(f.Failing.Usual), f.Failing.SoFar
}

// sinceWhen says since when it fails, and what usually does.
func (f Headline) sinceWhen() string {
	s := " since " + f.clock(f.Incident.Onset)
	if u := f.Usually(); u != "" {
		s += " (" + u + ")"
	}
	return s
}

// clock writes a time of the day of the event, else with its day.
func (f Headline) clock(t time.Time) string {
	if t, at := t.UTC(), f.Event.Time().UTC(); figures.Day(t) == figures.Day(at) {
		return figures.Clock(t) + " UTC"
	}
	return figures.UTC(t)
}

// at returns a time as part of a text, with its day where that is not the day of the event.
func (f Headline) at(t time.Time) Part { return Part{Words: f.clock(t), At: t} }

// atStrong returns what at does, set off from the rest.
func (f Headline) atStrong(t time.Time) Part {
	p := f.at(t)
	p.Strong = true
	return p
}

// Usually says which share usually fails; "" where that is not known.
func (f Headline) Usually() string {
	if _, usual, _ := f.failing(); usual.Total > 0 {
		return "usually " + figures.Share(usual.Bad, usual.Total)
	}
	return ""
}

// suspicion names the change that came shortly before the onset; "" if none is known.
func (f Headline) suspicion() string {
	if f.Found == nil {
		return ""
	}
	c, ok := f.Found.Suspected()
	if !ok {
		return ""
	}
	return c.Done() + " " + c.Before(f.Found.Onset)
}

// Unedited tells those whose message is not brought up to date where to look.
const Unedited = "This text stays as it is; what is found out later is on the incident's page."

// place returns what users know a budget by: its service, and the values of its labels: "checkout
// /pay".
func place(id slo.ID) string {
	name := id.Service()
	for _, l := range id.Labels() {
		name += " " + l.Value
	}
	return name
}

// was says in one sentence without its full stop what an incident that is over was: "payments on
// checkout /pay failed for 20 min, 13,893 of them (34.8 % of the budget)".
func was(i alerting.Incident, spec *slo.Spec) string {
	s := spec.SLI.Noun() + " on " + place(i.SLO) + " " + spec.SLI.Fails(true) + " for " + figures.Duration(i.Duration())
	if i.Last.Burn == nil {
		return s
	}
	return s + ", " + figures.Events(i.Bad()) + " of them (" + i.CostText() + " of the budget)"
}

// Screen returns what whoever is woken reads first, a text a line, below [Headline.Symptom]: since
// when and until when, what changed, who has it, what to try first. It says nothing that the
// symptom has said.
func (f Headline) Screen() []Text {
	if f.Stopped() {
		return append(f.stopped(), f.Afterwards()...)
	}
	since := say("Since ", f.atStrong(f.Incident.Onset), " (", figures.Duration(f.Event.Time().Sub(f.Incident.Onset)), ")")
	if u := f.Usually(); u != "" {
		since = say(since, ", ", u)
	}
	since = say(since, ".")
	if e := f.exhaustion(); e != "" {
		since = say(since, " ", strong(Sentence(e)), ".")
	}
	all := []Text{since}
	if s := f.suspicion(); s != "" {
		all = append(all, say(Part{Words: s, Strong: true, Foreign: true}, ". Near in time, not proven."))
	}
	return append(all, f.Afterwards()...)
}

// stopped says since when nothing more fails than usual, when it closes, and what it was.
func (f Headline) stopped() []Text {
	b, onset := f.Incident.Last.Burn, f.Incident.Onset
	t := say("Since ", f.atStrong(b.Stopped.Time()), " nothing more fails than usual")
	if b.Closes > 0 {
		t = say(t, "; closes about ", f.atStrong(b.Closes.Time()), " if it stays so")
	}
	was := say(Sentence(f.Spec.SLI.Noun()), " "+f.Spec.SLI.Fails(true)+" for ", strong(figures.Duration(b.Stopped.Time().Sub(onset))), ", from ", f.at(onset), " on.")
	return []Text{say(t, "."), was}
}

// Afterwards tells the changes that came after the onset, a text each.
func (f Headline) Afterwards() (all []Text) {
	for _, a := range f.Since {
		c := ranking.Of(a)
		all = append(all, say(f.at(c.At), " ", Part{Words: c.Done(), Strong: true, Foreign: true}, " by ", foreign(a.By), "."))
	}
	return all
}

// Has says who has the incident, or that nobody has.
func (f Headline) Has() Text {
	t := say(strong("Nobody has it yet."))
	if a, ok := f.Incident.Acknowledged(); ok {
		t = say(Part{Words: a.By, Strong: true, Foreign: true}, " has it since ", f.at(a.At), ".")
	}
	if a, ok := f.Incident.Silenced(f.Now); ok && f.Incident.Open {
		t = say(t, " Silenced by ", Part{Words: a.By, Strong: true, Foreign: true}, " ", Until(a.Until), ".")
	}
	return t
}

// Try returns the first thing to try, as a guess: "roll back to v2.3.4". It is "" without one, and
// once something was rolled back.
func (f Headline) Try() string {
	if f.Found == nil {
		return ""
	}
	for _, a := range f.Since {
		if a.Change.Kind == "rollback" {
			return ""
		}
	}
	if c, ok := f.Found.Suspected(); ok {
		return c.GoBack()
	}
	return ""
}
