// Package sentences puts an incident into words: what burns, since when, what it cost, what people
// did. Each sentence is made here, once, and without markup. Slack dresses them, the other
// receivers, the pages and the drafts of postmortems take them as they are; so an event reads the
// same wherever it is read. What was found out about it (label values, changes, traces) is worded
// by package ranking, beside the values.
//
// So it is with what is said of a budget ([Exhaustion]), of the error-budget policy ([GateReason],
// [Clearing]) and of an experiment ([Stops]): the core decides, and hands over values such as
// alerting.Ground. A new reason is a value there and a line here.
//
// They are read at three in the morning by somebody who was asleep a minute ago: the state comes
// first, then one thought per sentence, then the figures.
package sentences

import (
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/ranking"
	"github.com/slowburn-sre/slowburn/slo"
)

// Facts are what can be said of an event.
type Facts struct {
	Event    alerting.Event
	Incident alerting.Incident // after the event; the zero value for a notice outside of one
	Over     bool              // the incident began and ended before anybody could be told
	Spec     *slo.Spec
	Status   budget.Status // of the first window
	Outlook  budget.Outlook
	Upstream []alerting.Upstream // what it depends on and burns, nearest first
	Worst    *alerting.Step      // of a journey: its worst step at the time of the event; nil if none is bad
	Wait     Wait                // what its minutes wait for
	Failing  Failing
	Since    []alerting.Act    // changes of the service that began after the onset, oldest first
	Found    *ranking.Evidence // what was found out about it; nil as long as that is nothing
	Now      time.Time         // when this is said; later than the event after a gap
}

// liveFor is how old an event may be and still be told as something that goes on.
const liveFor = 15 * time.Minute

// Missed reports whether the incident was over long before it could be seen.
func (f Facts) Missed() bool { return f.Over && f.Now.Sub(f.Incident.Detected) > liveFor }

// The states that a message begins with.
const (
	MissedLive  = "Missed live"
	DataAreBack = "Data are back"
	Resolved    = "Resolved"
	Unwatched   = "No longer watched"  // the files do not have the SLO any more
	Unalerted   = "No longer an alert" // the files say something else of the SLO, or of its alerts
	NoData      = "No data"
	Page        = "Page"
	// ErrorsStopped is of what is open still: its short window is quiet.
	ErrorsStopped = "Errors have stopped"
	Ticket        = "Ticket"
)

// State returns the words that say how the incident stands.
func (f Facts) State() string {
	switch {
	case f.Missed():
		return MissedLive
	case !f.Incident.Open:
		return Ended(f.Incident)
	case f.Event.Rule == alerting.RuleNoData:
		return NoData
	case f.Stopped():
		return ErrorsStopped
	case f.Incident.Loud() == alerting.Page:
		return Page
	}
	return Ticket
}

// Ended returns the words that say how an incident is over: what the files took away, or promise
// otherwise, has not recovered.
func Ended(i alerting.Incident) string {
	switch {
	case i.Last.Reason == alerting.SLORemoved:
		return Unwatched
	case !i.Last.Reason.Recovered():
		return Unalerted
	case i.Rule == alerting.RuleNoData:
		return DataAreBack
	}
	return Resolved
}

// Summary returns one sentence without its full stop: which budget, and what is the matter with it.
//
// Of what burns it is [Headline.Within].
func (f Facts) Summary() string { return f.Headline().Within(0) }

// Predicate returns what follows the budget's name in [Facts.Summary].
func (f Facts) Predicate() string {
	i := f.Incident
	switch {
	case f.Event.Rule == alerting.RulePolicy:
		return f.gatePredicate()
	case f.Event.Rule == alerting.RuleExperiment:
		return "bears an experiment that " + f.experiment()
	case f.Event.Rule == alerting.RuleTraffic:
		return "has had no traffic for " + figures.Duration(f.Event.Time().Sub(f.Event.Since.Time())) + ", which is not usual at this hour"
	case f.Event.Kind == alerting.Noticed:
		return f.Headline().used()
	case f.Event.Rule == alerting.RuleNoData && i.Open:
		return "has had no data for " + figures.Duration(f.Event.Time().Sub(i.Onset)) + "; nothing can be said about it"
	case f.Event.Reason == alerting.SLORemoved:
		return "is no longer watched: its SLO was removed or renamed while it " + f.did()
	case f.Event.Reason == alerting.RuleRemoved:
		return "has no such alert any more; it " + f.did() + " until then"
	case f.Event.Reason == alerting.PromiseChanged:
		return "keeps what its SLO promises now; it still burns by what was promised when this began"
	case f.Event.Reason == alerting.TimeWentBack:
		return f.did() + " by a clock that was ahead; its minutes are decided again"
	case f.Event.Rule == alerting.RuleNoData:
		return "has data again after " + figures.Duration(i.Last.Time().Sub(i.Onset))
	case f.Event.Rule == alerting.RuleDeclared && i.Open:
		return "has an incident: " + i.Title()
	case f.Event.Rule == alerting.RuleDeclared:
		return "is over after " + figures.Duration(i.Duration()) + ": " + i.Title()
	case f.Missed():
		return "burned for " + figures.Duration(i.Duration()) + " while slowburn could not see it; it is over"
	case !i.Open:
		return "burned for " + figures.Duration(i.Duration()) + " and took " + i.CostText() + " of its error budget"
	}
	return f.Headline().withExhaustion("burns its error budget " + f.fast())
}

// did says what went on until the files ended it.
func (f Facts) did() string {
	if f.Event.Rule == alerting.RuleNoData {
		return "had no data"
	}
	return "burned for " + figures.Duration(f.Incident.Duration())
}

func (f Facts) gatePredicate() string {
	switch f.Event.Reason {
	case alerting.PolicyFrozen:
		return "has spent its error budget; " + onlyFixes
	case alerting.PolicyThawed:
		left := f.Status.LeftText()
		if f.Status.Left() < 0 {
			left = "none"
		}
		return "may be released again; " + left + " of its error budget is left"
	}
	return f.Headline().used()
}

// experiment returns why an experiment has to end, as the rest of a sentence about it.
func (f Facts) experiment() string {
	if f.Event.Reason == alerting.ExperimentBurns {
		return "is still running while an alert has fired"
	}
	return "has used up the budget it was given"
}

// Lead returns what happened, a text a line: what was promised, how it stands, and what is to be
// expected.
func (f Facts) Lead() []Text {
	var all []Text
	if f.Spec.Name != "" {
		all = append(all, f.Promise())
	}
	switch {
	case f.Event.Rule == alerting.RuleTraffic:
		all = append(all, f.silence())
	case f.Event.Kind == alerting.Noticed:
		all = append(all, f.Spending(), f.forecast(), f.Late())
	case f.Event.Rule == alerting.RuleNoData:
		all = append(all, f.Data())
	case f.Event.Rule == alerting.RuleDeclared:
		all = append(all, f.Declared()...)
		all = append(all, f.Late())
	case !f.Incident.Open:
		all = append(all, f.Ending()...)
	default:
		all = append(all, f.Burning()...)
		all = append(all, f.Late())
	}
	return said(append(all, f.Waiting()))
}

// said leaves out what there was nothing to say about.
func said(all []Text) []Text {
	var out []Text
	for _, t := range all {
		if len(t) > 0 {
			out = append(out, t)
		}
	}
	return out
}

// Promise says what the SLO promises.
func (f Facts) Promise() Text {
	promise := figures.Objective(f.Spec.Objective) + " of " + unit(f.Spec.SLI.Kind, true) + " good, over "
	if f.Spec.Description == "" {
		return say("Promised: ", promise, foreign(f.Period()), ".")
	}
	return say("Promised: ", foreign(f.Spec.Description), " (", promise, foreign(f.Period()), ")")
}

// Period returns the SLO's window in words: "28 d", "the month (Europe/Berlin)".
func (f Facts) Period() string {
	if w := f.Spec.Window(); w.Calendar != "" {
		return "the " + figures.Window(w)
	}
	return figures.Window(f.Spec.Window())
}

// Burning says what an incident that is open does, in the pair of windows that fired and since it
// began.
func (f Facts) Burning() []Text {
	return said([]Text{f.Windows(), f.tested(), f.affected(), f.forecast()})
}

// Account says what the burn has taken so far and why it is told: what stands below what is read
// first.
func (f Facts) Account() []Text {
	left := Text(nil)
	if o := f.Outlook; o.Known && !o.Lasts && !o.Gone && f.Left() != "" {
		left = say(strong(f.Status.LeftText()), " of the budget is left.")
	}
	i := f.Incident
	noticed := say("Noticed ", moment(i.Alerted()), " (", figures.Duration(i.TimeToDetect()), " later).")
	return said([]Text{f.affected(), left, noticed, f.Windows(), f.tested()})
}

// Windows puts the pair of windows that fired into words. It is empty without one.
func (f Facts) Windows() Text {
	last := f.Incident.Last
	if last.Pair == nil || last.Long == nil || last.Short == nil {
		return nil
	}
	t := say("Over the last ", figures.Duration(last.Pair.Long), " the error budget burned ", strong(f.fast()))
	limit := last.Pair.Burn(f.Spec.Window().Length())
	over := " in the last " + figures.Duration(last.Pair.Short)
	switch rate, ok := budget.Burn(*last.Short, f.Spec.Objective); {
	case !ok:
		return say(t, ";", over, " there was no traffic.")
	case rate > limit:
		return say(t, ", and still so", over, ".")
	default:
		return say(t, ";", over, " it is down to ", figures.Times(rate), ".")
	}
}

// lowTraffic is below how many events in the long window people want to know that chance was ruled
// out.
const lowTraffic = 1000

// tested says how the test for low traffic came out. It is empty where there is traffic enough.
func (f Facts) tested() Text {
	s, kind := f.Incident.First.Sure, f.Spec.SLI.Kind
	if s == nil || s.Total >= lowTraffic {
		return nil
	}
	failed := figures.Count(int(s.Bad)) + " of " + Counted(s.Total*budget.Unit, kind) + " failed"
	harmless := "If the SLO were kept"
	if s.Harmless > 0 && s.Harmless < 1 {
		harmless = "At a burn of " + figures.Times(s.Harmless)
	}
	chance := ". " + harmless + ", that would have a probability of " + s.Probability() + "."
	if kind == slo.Slices {
		return say(failed, chance)
	}
	return say("Traffic is low, so chance was ruled out: ", failed, ", in ", figures.Different(s.Minutes, "minute"), independent(*s), chance)
}

// independent says how many failures counted at low traffic, if not each of them.
func independent(s alerting.Significance) string {
	if s.Total >= lowTraffic || s.Independent == 0 || s.Independent == s.Bad {
		return ""
	}
	return ", of which " + figures.Count(int(s.Independent)) + " count as independent of each other"
}

// affected says what went bad since the onset.
func (f Facts) affected() Text {
	burn := f.Incident.Last.Burn
	if burn == nil {
		return nil
	}
	return say("Since it began, ", cost(f.bad(*burn), f.Incident.CostText()), ".")
}

func (f Facts) bad(b alerting.Burning) string {
	return figures.Events(b.Bad) + " of " + Counted(b.Total, f.Spec.SLI.Kind)
}

// Late explains a message that comes long after what it tells. It is empty for one that does not.
func (f Facts) Late() Text {
	if d := f.Now.Sub(f.Event.Time()); d > liveFor {
		return say("This message comes ", figures.Duration(d), " late: slowburn or its data were not available.")
	}
	return nil
}

// Data says that the data are missing, or are back.
func (f Facts) Data() Text {
	i := f.Incident
	switch {
	case i.Open:
		return say("The last known data are from ", moment(i.Onset), ", ", figures.Duration(f.Event.Time().Sub(i.Onset)),
			" before this message. Until there are new ones this SLO can neither alert nor recover. Often a job was renamed, a target is not scraped, or Prometheus itself is in trouble.")
	case f.Event.Reason == alerting.SLORemoved:
		return say("The SLO was removed or renamed, so its missing data matter no more.")
	case f.Event.Reason == alerting.TimeWentBack:
		return say("Closed because the source's clock was ahead, and has gone back: minutes that had not happened were taken for missing data. They are dropped, and read as they come.")
	}
	return say("Data arrive again. They were missing for ", figures.Duration(i.Last.Time().Sub(i.Onset)), ", from ", moment(i.Onset),
		"; what happened meanwhile is filled in if Prometheus has it.")
}

// Ending says why an incident is over, and what stays of it: the onset and the cost do not vanish
// with the end.
func (f Facts) Ending() []Text {
	i := f.Incident
	story := say("It burned for ", strong(figures.Duration(i.Duration())), ",", during(i))
	if i.Last.Burn != nil {
		story = say(story, ", and ", cost(f.bad(*i.Last.Burn), i.CostText()))
	}
	return []Text{say(f.why()), say(story, ".")}
}

func (f Facts) why() string {
	switch {
	case f.Missed():
		return "This began and ended while slowburn or its data were not available. It is told now so that nobody is surprised by the spent budget; there is nothing to do at once."
	case f.Incident.Last.Reason == alerting.AgedOut:
		return "It is over: the last bad " + unit(f.Spec.SLI.Kind, false) + " has left the alert's windows. There is no traffic at the moment, so this is not proof that it works."
	case f.Incident.Last.Reason == alerting.SLORemoved:
		return "Closed because the SLO was removed or renamed, not because it recovered. Nobody watches it under this name any more."
	case f.Incident.Last.Reason == alerting.RuleRemoved:
		return "Closed because the SLO has no such alert any more, not because it recovered."
	case f.Incident.Last.Reason == alerting.PromiseChanged:
		return "Closed because the SLO promises something else now, not because it recovered: by what it promised when this began, the budget still burns fast enough for a " + f.Tier() + "."
	case f.Incident.Last.Reason == alerting.TimeWentBack:
		return "Closed because the source's clock was ahead, and has gone back, not because it recovered. The minutes that had not happened are dropped; if it still burns, it opens anew."
	}
	return "It is over: the budget no longer burns fast enough for a " + f.Tier() + "."
}

// Tier returns what kind of alert it is: a page, a ticket or a gap in the data.
func (f Facts) Tier() string {
	if f.Event.Rule == alerting.RuleNoData {
		return gap
	}
	return word(f.Incident.Loud())
}

// Declared says what a person has declared, and what it has taken of the budget as far as that is
// known.
func (f Facts) Declared() []Text {
	i := f.Incident
	all := []Text{{{Words: i.Title(), Quote: true}}}
	var who Text
	if len(i.Acts) > 0 {
		who = say("Declared by ", strong(i.Acts[0].By), "; "+unseen+".")
	}
	if !i.Open {
		who = say(who, " It lasted ", strong(figures.Duration(i.Duration())), ", from ", moment(i.Onset), " to ", moment(i.Resolved))
		if n := len(i.Acts); n > 0 && i.Acts[n-1].Kind == alerting.Close {
			who = say(who, ", and ", strong(i.Acts[n-1].By), " has closed it")
			if words := i.Acts[n-1].Text; words != "" {
				who = say(who, ": ", foreign(words))
			}
		}
		who = say(who, ".")
	}
	taken := f.affected()
	switch {
	case len(taken) > 0:
	case f.Spec.Name == "":
		taken = say("What it costs is not known: it is about the service as a whole, not about one of its SLOs.")
	default:
		taken = say("What it costs is not known yet.")
	}
	return said(append(all, who, taken))
}

// Elsewhere says where else to look: whoever is woken may be looking at somebody else's outage.
func (f Facts) Elsewhere() []Text {
	if !f.Incident.Open || f.Event.Rule == alerting.RuleNoData {
		return nil
	}
	var all []Text
	if w := f.Worst; w != nil {
		all = append(all, say("Its worst step is ", strong(string(w.SLO)), ": in the last ", figures.Duration(w.Over), " ", strong(figures.Share(w.Sum.Bad, w.Sum.Total)), " went bad there."))
	}
	const named = 3
	for _, u := range f.Upstream[:min(len(f.Upstream), named)] {
		all = append(all, say("It depends on ", Part{Words: string(u.SLO), Foreign: true, Incident: u.Incident}, ", which has been burning since ", moment(u.Onset), " (", word(u.Severity), ")."))
	}
	if n := len(f.Upstream) - named; n > 0 {
		all = append(all, say("Burning upstream as well: ", figures.Plural(n, "more SLO"), "."))
	}
	return all
}

// word returns a severity in words of ours, whatever it holds.
func word(s alerting.Severity) string {
	if s == alerting.Page {
		return "page"
	}
	return "ticket"
}

// Spending says how much of the budget is spent and what is left.
func (f Facts) Spending() Text {
	t := say(strong(f.Status.CostOf(f.Status.Sum.Bad)), " of the error budget is spent. ")
	switch left := f.Status.Left(); {
	case left < 0:
		return say(t, "It is overspent by ", Counted(-left, f.Spec.SLI.Kind), ".")
	case left == 0:
		return say(t, "None is left.")
	default:
		return say(t, f.mayFail(left), ".")
	}
}

// Left returns the share of the budget that is left, and what that means. It is "" without traffic,
// and unknown while too little of the window is.
func (f Facts) Left() string {
	left := f.Status.Left()
	switch {
	case f.Status.Sum.Total == 0:
		return ""
	case !f.Status.Sized:
		return f.Status.LeftText() + ": only " + Known(f.Status)
	case left < 0:
		return f.Status.LeftText() + ": overspent by " + Counted(-left, f.Spec.SLI.Kind)
	case left == 0:
		return f.Status.LeftText() + ": no " + unit(f.Spec.SLI.Kind, false) + " may go bad"
	}
	return f.Status.LeftText() + ": " + f.mayFail(left)
}

func (f Facts) mayFail(left int64) string {
	return figures.Events(left) + " more " + unit(f.Spec.SLI.Kind, left != budget.Unit) + " may go bad"
}

// fast says how fast the budget burns over the long window of the pair that fired: "13.42× too
// fast".
func (f Facts) fast() string {
	long := f.Incident.Last.Long
	if long == nil || long.Total == 0 {
		return "too fast"
	}
	return figures.Burn(long.Bad, long.Total, f.Spec.Objective) + " too fast"
}

func unit(k slo.Kind, many bool) string {
	if many {
		return k.Unit() + "s"
	}
	return k.Unit()
}

// Counted writes a count in thousandths with its unit: "1 event", "1,234 events".
func Counted(thousandths int64, k slo.Kind) string {
	return figures.Events(thousandths) + " " + unit(k, thousandths != budget.Unit)
}

// silence tells that nobody comes any more, and why that is worth a look.
func (f Facts) silence() Text {
	t := say("There has been no event since ", figures.UTC(f.Event.Since.Time()), ". ")
	if u := f.Event.Usual; u != nil {
		t = say(t, "The same hours of the weeks before had at least ", Counted(u.Total, f.Spec.SLI.Kind), ". ")
	}
	return say(t, "Nothing failed here, so the budget is as it was; but an outage in front of the service looks like this.")
}
