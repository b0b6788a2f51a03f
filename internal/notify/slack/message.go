package slack

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/slo"
)

// What the messages say. They are read at three in the morning by somebody who was asleep a minute ago: the state
// comes first, then one thought per sentence, then the figures.

const maxSentence = 149

func unix(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }

// name is the budget's name as plain text.
func (f Facts) name(limit int) string { return plain(string(f.Event.SLO), limit) }

func (f Facts) kind() slo.Kind { return f.Spec.SLI.Kind }

func (f Facts) tier() string {
	switch {
	case f.Event.Rule == alerting.RuleNoData:
		return "gap in the data"
	case f.loud() == alerting.Page:
		return "page"
	}
	return "ticket"
}

// loud is how loud the incident is, or was at most if it is over.
func (f Facts) loud() alerting.Severity {
	if f.Incident.Open {
		return f.Incident.Loud()
	}
	return f.Incident.Severity
}

// state is the icon and the word that every message begins with.
func (f Facts) state(now time.Time) (icon, word string) {
	switch {
	case f.missed(now):
		return "🕓", "Missed live"
	case !f.Incident.Open && f.Event.Rule == alerting.RuleNoData:
		return "✅", "Data are back"
	case !f.Incident.Open:
		return "✅", "Resolved"
	case f.Event.Rule == alerting.RuleNoData:
		return "❔", "No data"
	case f.loud() == alerting.Page:
		return "🔥", "Page"
	}
	return "🎫", "Ticket"
}

// sentence puts a state, the name and a predicate together within the limit of a notification; the name gives way.
func (f Facts) sentence(state, predicate string) string {
	room := maxSentence - len([]rune(state+": "+predicate)) - 1
	return clip(escape(state)+": "+f.shortName(max(room, 24))+" "+predicate, maxSentence)
}

// shortName is the escaped name, cut so that its escaped form has at most so many characters.
func (f Facts) shortName(room int) string {
	size := 0
	name := []rune(f.name(room))
	for i, r := range name {
		if size += utf8.RuneCountInString(entities.Replace(string(r))); size > room {
			name = append(name[:max(i-1, 0):i], '…')
			break
		}
	}
	return escape(string(name))
}

// root is the root message in its newest state.
func (f Facts) root(now time.Time) Body {
	if f.Face != nil {
		return f.Face.root(now)
	}
	icon, word := f.state(now)
	state := icon + " " + word
	b := Body{Text: f.sentence(state, f.predicate(now)), Name: state + " · " + f.name(80)}
	b.Blocks = append(b.Blocks, header(state+" · "+f.name(100)), section(f.lead(now), f.fields(now)...))
	if s := f.elsewhere(); s != "" {
		b.Blocks = append(b.Blocks, section(s))
	}
	b.Blocks = append(b.Blocks, f.evidence()...)
	if f.Chart != nil {
		if c, ok := chart(*f.Chart); ok {
			b.Blocks = append(b.Blocks, c)
		}
	}
	if f.Incident.Open && f.loud() == alerting.Page {
		if b.Mention = f.mentions(); len(b.Mention) > 0 {
			b.Blocks = append(b.Blocks, section("For "+strings.Join(b.Mention, " ")))
		}
	}
	if also := f.also(); also != "" {
		b.Blocks = append(b.Blocks, section(also))
	}
	if l := f.links(); l != "" {
		b.Blocks = append(b.Blocks, section(l))
	}
	b.Blocks = append(b.Blocks, f.controls()...)
	b.Blocks = append(b.Blocks, contextBlock(mrkdwn(f.footer())))
	return b
}

// maxAlso bounds how many incidents a root message names beside its own.
const maxAlso = 15

// also names what else is open in the thread.
func (f Facts) also() string {
	if len(f.Others) == 0 {
		return ""
	}
	lines := []string{"*Also burning:*"}
	for n, i := range f.Others {
		if n == maxAlso {
			lines = append(lines, fmt.Sprintf("and %s more", figures.Count(len(f.Others)-n)))
			break
		}
		lines = append(lines, fmt.Sprintf("• %s · %s since %s", escape(plain(string(i.SLO), 100)), i.Loud(), at(i.Onset)))
	}
	return strings.Join(lines, "\n")
}

// predicate is the rest of the notification's sentence.
func (f Facts) predicate(now time.Time) string {
	i := f.Incident
	switch {
	case f.Event.Rule == alerting.RuleNoData && i.Open:
		return "has had no data for " + figures.Duration(f.Event.Time().Sub(i.Onset)) + "; nothing can be said about it."
	case f.Event.Rule == alerting.RuleNoData:
		return "has data again after " + figures.Duration(i.Last.Time().Sub(i.Onset)) + "."
	case f.Event.Rule == alerting.RuleDeclared:
		return f.declaredPredicate()
	case f.missed(now):
		return "burned for " + figures.Duration(i.Duration()) + " while slowburn could not see it; it is over."
	case !i.Open:
		return "burned for " + figures.Duration(i.Duration()) + " and took " + figures.Cost(i.Bad(), i.Last.Budget.Allowed) + " of its error budget."
	}
	return "burns its error budget " + f.fast() + "; " + f.outlook() + "."
}

// fast says how fast the budget burns over the long window of the pair that fired.
func (f Facts) fast() string {
	long := f.Incident.Last.Long
	if long == nil || long.Total == 0 {
		return "too fast"
	}
	return figures.Burn(long.Bad, long.Total, f.Spec.Objective) + " too fast"
}

func (f Facts) outlook() string {
	switch o := f.Outlook; {
	case o.Gone || f.Status.Spent >= 1:
		return "the budget is spent"
	case o.Lasts || !o.Known:
		return remaining(f.Status) + " of it is left"
	default:
		return "it is gone in " + figures.Duration(o.In)
	}
}

// lead says what happened, in sentences.
func (f Facts) lead(now time.Time) string {
	var lines []string
	add := func(s string) {
		if s != "" {
			lines = append(lines, s)
		}
	}
	if f.Spec.Name != "" {
		add(f.promise())
	}
	switch {
	case f.Event.Rule == alerting.RuleNoData:
		add(f.noData())
	case f.Event.Rule == alerting.RuleDeclared:
		add(f.declared())
		add(f.late(now))
	case !f.Incident.Open:
		add(f.ending(now))
		add(f.story())
	default:
		add(f.burnsNow())
		add(f.tested())
		add(f.affected())
		add(f.forecast())
		add(f.late(now))
	}
	return strings.Join(lines, "\n")
}

func (f Facts) promise() string {
	promise := f.Spec.Objective.Percent() + " % of " + unit(f.kind(), true) + " good, over " + f.period()
	if f.Spec.Description == "" {
		return "_Promised:_ " + promise + "."
	}
	return "_Promised:_ " + escape(f.Spec.Description) + " (" + promise + ")"
}

// period is the SLO's window in words.
func (f Facts) period() string {
	if w := f.Spec.Window(); w.Calendar == "" {
		return figures.Duration(w.Rolling)
	}
	return "the " + escape(f.Spec.Window().String())
}

// burnsNow puts the pair of windows that fired into words.
func (f Facts) burnsNow() string {
	last := f.Incident.Last
	if last.Pair == nil || last.Long == nil || last.Short == nil {
		return ""
	}
	short, ok := budget.Burn(*last.Short, f.Spec.Objective)
	limit := last.Pair.Burn(f.Spec.Window().Length())
	s := fmt.Sprintf("Over the last %s the error budget burned *%s*", figures.Duration(last.Pair.Long), f.fast())
	switch {
	case !ok:
		s += fmt.Sprintf("; in the last %s there was no traffic.", figures.Duration(last.Pair.Short))
	case short > limit:
		s += fmt.Sprintf(", and still so in the last %s.", figures.Duration(last.Pair.Short))
	default:
		s += fmt.Sprintf("; in the last %s it is down to %s.", figures.Duration(last.Pair.Short), figures.Times(short))
	}
	return s
}

// lowTraffic is below how many events in the long window people want to know that chance was ruled out.
const lowTraffic = 1000

func (f Facts) tested() string {
	sure := f.Incident.First.Sure
	if sure == nil || sure.Total >= lowTraffic {
		return ""
	}
	if f.kind() == slo.Slices {
		return fmt.Sprintf("%s of %s failed. If the SLO were kept, that would have a probability of %s.",
			figures.Count(int(sure.Bad)), counted(sure.Total*budget.Unit, f.kind()), sure.Probability())
	}
	return fmt.Sprintf("Traffic is low, so chance was ruled out: %s of %s failed, in %s. If the SLO were kept, that would have a probability of %s.",
		figures.Count(int(sure.Bad)), counted(sure.Total*budget.Unit, f.kind()), figures.Plural(sure.Minutes, "different minute"), sure.Probability())
}

func (f Facts) affected() string {
	burn := f.Incident.Last.Burn
	if burn == nil {
		return ""
	}
	return fmt.Sprintf("Since it began, *%s of %s* went bad: %s of the whole budget.",
		figures.Events(burn.Bad), counted(burn.Total, f.kind()), figures.Cost(burn.Bad, f.Incident.Last.Budget.Allowed))
}

// elsewhere says where else to look: whoever is woken may be looking at somebody else's outage.
func (f Facts) elsewhere() string {
	if !f.Incident.Open || f.Event.Rule == alerting.RuleNoData {
		return ""
	}
	return strings.TrimSpace(f.worst() + "\n" + f.upstream())
}

// nearby is the name of another SLO, short enough for several of them to fit into a section.
func nearby(id slo.ID) string { return escape(plain(string(id), 80)) }

// worst names the step of a journey that fails most.
func (f Facts) worst() string {
	if f.Worst == nil {
		return ""
	}
	return fmt.Sprintf("Its worst step is *%s*: in the last %s *%s* went bad there.", nearby(f.Worst.SLO), figures.Duration(f.Worst.Over), figures.Share(f.Worst.Sum.Bad, f.Worst.Sum.Total))
}

// namedUpstream is how many burns upstream one message names.
const namedUpstream = 3

// upstream names what this depends on and burns.
func (f Facts) upstream() string {
	var lines []string
	for _, u := range f.Upstream[:min(len(f.Upstream), namedUpstream)] {
		name := nearby(u.SLO)
		if page, ok := safeURL(f.page("incidents", u.Incident)); ok && len(page) <= 250 {
			name = link(page, plain(string(u.SLO), 80))
		}
		lines = append(lines, fmt.Sprintf("It depends on *%s*, which has been burning since %s (%s).", name, at(u.Onset), escape(plain(string(u.Severity), 10))))
	}
	if n := len(f.Upstream) - namedUpstream; n > 0 {
		lines = append(lines, "Burning upstream as well: "+figures.Plural(n, "more SLO")+".")
	}
	return strings.Join(lines, "\n")
}

func (f Facts) forecast() string {
	switch o := f.Outlook; {
	case o.Gone && f.Event.Rule == alerting.RuleSpent:
		return "" // the message says nothing else
	case o.Gone:
		return "The error budget is spent."
	case o.Lasts:
		return "At this rate the budget still lasts its window."
	case !o.Known:
		return ""
	default:
		s := "At this rate the budget is gone in *" + figures.Duration(o.In) + "*, " + at(f.Event.Time().Add(o.In))
		if o.Early > 0 && o.Late-o.Early > o.In/5 { // a narrow band says nothing more
			s += ", give or take: between " + figures.Duration(o.Early) + " and " + figures.Duration(o.Late)
		}
		return s + "."
	}
}

// late explains a message that comes long after what it tells.
func (f Facts) late(now time.Time) string {
	if d := now.Sub(f.Event.Time()); d > liveFor {
		return "This message comes " + figures.Duration(d) + " late: slowburn or its data were not available."
	}
	return ""
}

func (f Facts) noData() string {
	i := f.Incident
	if i.Open {
		return "The last known data are from " + at(i.Onset) + ", " + figures.Duration(f.Event.Time().Sub(i.Onset)) +
			" before this message. Until there are new ones this SLO can neither alert nor recover. Often a job was renamed, a target is not scraped, or Prometheus itself is in trouble."
	}
	if f.Event.Reason == alerting.SLORemoved {
		return "The SLO was removed, so its missing data matter no more."
	}
	return "Data arrive again. They were missing for " + figures.Duration(i.Last.Time().Sub(i.Onset)) + ", from " + at(i.Onset) + "; what happened meanwhile is filled in if Prometheus has it."
}

func (f Facts) ending(now time.Time) string {
	switch {
	case f.missed(now):
		return "This began and ended while slowburn or its data were not available. It is told now so that nobody is surprised by the spent budget; there is nothing to do at once."
	case f.Event.Reason == alerting.AgedOut:
		return "It is over: the last bad " + unit(f.kind(), false) + " has left the alert's windows. There is no traffic at the moment, so this is not proof that it works."
	case f.Event.Reason == alerting.SLORemoved:
		return "Closed because the SLO was removed, not because it recovered."
	case f.Event.Reason == alerting.RuleRemoved:
		return "Closed because the SLO has no such alert any more, not because it recovered."
	}
	return "It is over: the budget no longer burns fast enough for a " + f.tier() + "."
}

// story is what stays to be said when it is over: the onset and the peak do not vanish with the end.
func (f Facts) story() string {
	i := f.Incident
	s := fmt.Sprintf("It burned for *%s*, from %s to %s", figures.Duration(i.Duration()), at(i.Onset), at(i.Ended))
	if i.Last.Burn != nil {
		s += fmt.Sprintf(", and *%s of %s* went bad: %s of the whole budget", figures.Events(i.Last.Burn.Bad), counted(i.Last.Burn.Total, f.kind()), figures.Cost(i.Bad(), i.Last.Budget.Allowed))
	}
	return s + "."
}

// fields are the figures, two in a row.
func (f Facts) fields(now time.Time) []*Text {
	var out []*Text
	add := func(name, value string) {
		if value != "" {
			out = append(out, mrkdwn("*"+name+"*\n"+value))
		}
	}
	i := f.Incident
	if f.Spec.Name != "" {
		add("SLI over "+f.period(), f.sli())
		add("Budget left", f.left())
	}
	add("Began", at(i.Onset))
	noticed := "Noticed"
	if i.Rule == alerting.RuleDeclared {
		noticed = "Declared"
	}
	add(noticed, at(i.Detected)+" ("+figures.Duration(i.TimeToDetect())+" later)")
	if !i.Escalated.IsZero() {
		add("Became a page", at(i.Escalated))
	}
	if peak, ok := i.PeakBurn(f.Spec.Objective); ok {
		add("Peak", figures.Times(peak)+" too fast, "+at(i.Last.Burn.PeakAt.End()))
	}
	if !i.Open {
		add("Resolved", at(i.Resolved))
	}
	add("Owner", escape(f.Spec.Owner))
	if a, ok := i.Acknowledged(); ok {
		add("Acknowledged", person(a)+", "+at(a.At))
	}
	if a, ok := i.Silenced(now); ok && i.Open {
		add("Silenced", "by "+person(a)+" "+until(a))
	}
	return out
}

func (f Facts) sli() string {
	if f.Status.Sum.Total == 0 {
		return "no traffic"
	}
	return figures.SLI(f.Status.Sum.Bad, f.Status.Sum.Total, f.Spec.Objective) + " (objective " + f.Spec.Objective.Percent() + " %)"
}

func (f Facts) left() string {
	left := f.Status.Left()
	switch {
	case f.Status.Sum.Total == 0:
		return ""
	case left < 0:
		return remaining(f.Status) + ": overspent by " + counted(-left, f.kind())
	case left == 0:
		return "0 %: no " + unit(f.kind(), false) + " may go bad"
	}
	return remaining(f.Status) + ": " + f.mayFail(left)
}

// links are where to go next.
func (f Facts) links() string {
	const between = "  ·  "
	var out []string
	room := limitOf("section.text")
	add := func(address, words string) {
		l := link(address, words)
		n := utf8.RuneCountInString(l + between)
		if _, ok := safeURL(address); ok && n <= room {
			out, room = append(out, l), room-n
		}
	}
	add(f.Spec.Links.Runbook, "📖 Runbook")
	add(f.Spec.Links.Dashboard, "📊 Dashboard")
	add(f.QueryURL, "🔎 Query")
	if f.Incident.ID != "" {
		add(f.page("incidents", f.Incident.ID), "🕯️ Incident")
	}
	if f.Incident.ID != "" && !f.Incident.Open && f.Event.Rule != alerting.RuleNoData {
		add(f.page("incidents", f.Incident.ID, "postmortem"), "📝 Postmortem draft")
	}
	return strings.Join(out, between)
}

// footer says where the message comes from, for those who doubt it.
func (f Facts) footer() string {
	var parts []string
	if p := f.Incident.Last.Pair; p != nil && f.Event.Rule != alerting.RuleNoData {
		parts = append(parts, fmt.Sprintf("Rule: %s when %s of the %s budget burns in %s, confirmed over %s (above %s)",
			f.tier(), figures.Basis(p.Budget), escape(f.Spec.Window().String()), figures.Duration(p.Long), figures.Duration(p.Short), figures.Times(p.Burn(f.Spec.Window().Length()))))
	}
	switch {
	case f.Event.Rule == alerting.RuleNoData:
		parts = append(parts, "Looked at "+at(f.Event.Time()))
	case f.Spec.Name == "":
	default:
		parts = append(parts, "Data up to "+at(f.Event.Time()))
	}
	if f.Status.Coverage > 0 && f.Status.Coverage < 0.995 {
		parts = append(parts, figures.Known(f.Status.Coverage)+" of the window is known")
	}
	for _, o := range f.Status.LeftOut[:min(len(f.Status.LeftOut), 3)] {
		if n := o.Minutes(); n > 0 {
			parts = append(parts, fmt.Sprintf("%s of %s are left out (%s: %s)", figures.Plural(n, "minute"), o.Correction.Kind.Text(),
				escape(o.Correction.Author), escape(o.Correction.Reason)))
		}
	}
	if s := f.others(); s != "" {
		parts = append(parts, s)
	}
	return strings.Join(append(parts, f.signature()), " · ")
}

// others names further pairs of windows that are above their threshold.
func (f Facts) others() string {
	var over []string
	for _, s := range f.Standings {
		fired := f.Incident.Last.Pair != nil && s.Pair == *f.Incident.Last.Pair
		if s.Over && !fired && len(over) < 4 {
			over = append(over, slo.ShortDuration(s.Pair.Long)+"/"+slo.ShortDuration(s.Pair.Short))
		}
	}
	if len(over) == 0 || !f.Incident.Open {
		return ""
	}
	return "Also above: " + strings.Join(over, ", ")
}

// escalation is the reply that wakes somebody when a ticket becomes a page.
func (f Facts) escalation() Body {
	b := Body{Text: f.sentence("🔥 Now a page", f.predicate(f.Event.Time())), Broadcast: !f.Silenced}
	if !f.Silenced {
		b.Mention = f.mentions()
	}
	text := "🔥 *Now a page.* " + f.burnsNow()
	for _, s := range []string{f.tested(), f.forecast()} {
		if s != "" {
			text += "\n" + s
		}
	}
	if a, ok := alerting.Silent(f.Incident.Acts, f.Event.Time()); ok && !f.Silenced {
		text += "\nThat ends the silence by " + person(a) + ", which was given to a ticket."
	}
	if len(b.Mention) > 0 {
		text += "\nFor " + strings.Join(b.Mention, " ")
	}
	b.Blocks = []Block{section("*" + escape(f.name(100)) + "*\n" + text)}
	return b
}

// declaredPredicate is the rest of the notification's sentence about what a person has declared.
func (f Facts) declaredPredicate() string {
	title := escape(plain(f.Incident.Title(), 90))
	if !f.Incident.Open {
		return "is over after " + figures.Duration(f.Incident.Duration()) + ": " + title
	}
	return "has an incident: " + title
}

// declared says what a person has declared, and what it has taken of the budget as far as that is known.
func (f Facts) declared() string {
	i := f.Incident
	s := "> " + escape(plain(i.Title(), foreignLimit))
	if n := len(i.Acts); n > 0 {
		s += "\nDeclared by *" + person(i.Acts[0]) + "*; no alert has seen it."
	}
	if !i.Open {
		s += " It lasted *" + figures.Duration(i.Duration()) + "*, from " + at(i.Onset) + " to " + at(i.Resolved)
		if a := i.Acts[len(i.Acts)-1]; a.Kind == alerting.Close {
			s += ", and *" + person(a) + "* has closed it"
			if a.Text != "" {
				s += ": " + escape(plain(a.Text, foreignLimit))
			}
		}
		s += "."
	}
	switch taken := f.affected(); {
	case taken != "":
		s += "\n" + taken
	case f.Spec.Name == "":
		s += "\nWhat it costs is not known: it is about the service as a whole, not about one of its SLOs."
	default:
		s += "\nWhat it costs is not known yet."
	}
	return s
}

// reminder is the reply that brings an incident back to mind, and calls somebody.
func (f Facts) reminder(state, text string, mention []string) Body {
	b := Body{Text: f.sentence(state, f.predicate(f.Event.Time())), Broadcast: true, Mention: mention}
	text = state + ". " + text + "\n" + f.burnsNow()
	if len(mention) > 0 {
		text += "\nFor " + strings.Join(mention, " ")
	}
	b.Blocks = []Block{section("*" + escape(f.name(100)) + "*\n" + text)}
	return b
}

// resolution is the reply that ends the thread. It mentions nobody: whoever can sleep may sleep on.
func (f Facts) resolution() Body {
	icon, word := f.state(f.Event.Time())
	b := Body{Text: f.sentence(icon+" "+word, f.predicate(f.Event.Time())), Broadcast: f.Incident.Severity == alerting.Page && !f.Silenced && f.Face == nil}
	text := icon + " *" + word + "* · " + escape(f.name(100))
	switch f.Event.Rule {
	case alerting.RuleNoData:
		text += "\n" + f.noData()
	case alerting.RuleDeclared:
		text += "\n" + f.declared()
	default:
		text += "\n" + f.ending(f.Event.Time()) + "\n" + f.story()
	}
	b.Blocks = []Block{section(text)}
	return b
}

// spentBody tells that a share of the budget is gone.
func (f Facts) spentBody(now time.Time) Body {
	level := figures.Basis(f.Event.Level)
	state := "📉 " + level + " spent"
	b := Body{Text: f.sentence(state, "has used "+figures.Cost(f.Status.Sum.Bad, f.Status.Allowed)+" of its error budget; "+f.outlook()+"."), Name: state + " · " + f.name(80)}
	lines := []string{f.promise(), "*" + figures.Cost(f.Status.Sum.Bad, f.Status.Allowed) + "* of the error budget is spent. " + f.leftSentence()}
	for _, s := range []string{f.forecast(), f.late(now)} {
		if s != "" {
			lines = append(lines, s)
		}
	}
	b.Blocks = append(b.Blocks, header(state+" · "+f.name(100)), section(strings.Join(lines, "\n"), mrkdwn("*SLI over "+f.period()+"*\n"+f.sli())))
	if l := f.links(); l != "" {
		b.Blocks = append(b.Blocks, section(l))
	}
	b.Blocks = append(b.Blocks, contextBlock(mrkdwn(f.footer())))
	return b
}

func (f Facts) leftSentence() string {
	switch left := f.Status.Left(); {
	case left < 0:
		return "It is overspent by " + counted(-left, f.kind()) + "."
	case left == 0:
		return "None is left."
	default:
		return f.mayFail(left) + "."
	}
}

func (f Facts) mayFail(left int64) string {
	return figures.Events(left) + " more " + unit(f.kind(), left != budget.Unit) + " may go bad"
}
