package slack

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/incidents"
	"github.com/slowburn-sre/slowburn/internal/sentences"
	"github.com/slowburn-sre/slowburn/slo"
)

// What the messages look like. What they say is made by package sentences; here it is put into
// blocks.

const maxSentence = 149

func (f message) name(limit int) string { return plain(string(f.Event.SLO), limit) }

// at shows a moment in the reader's own time zone, and in UTC where that is not possible.
func at(t time.Time) string {
	return fmt.Sprintf("<!date^%d^{date_short_pretty} {time}|%s>", t.Unix(), figures.UTC(t))
}

// icons stand before the states.
var icons = map[string]string{
	sentences.MissedLive: "🕓", sentences.DataAreBack: "✅", sentences.Resolved: "✅",
	sentences.Unwatched: "⚪", sentences.Unalerted: "⚪",
	sentences.NoData: "❔", sentences.ErrorsStopped: "🟡", sentences.Page: "🔥", sentences.Ticket: "🎫",
}

// state returns the icon and the words that every message begins with.
func (f message) state() string { return icons[f.State()] + " " + f.State() }

// sentence puts a state, the name and the predicate together within the limit of a notification;
// the name gives way.
func (f message) sentence(state, predicate string) string {
	predicate = escapeLong(predicate)
	room := maxSentence - len([]rune(state+": "+predicate)) - 1
	return clip(escape(state)+": "+f.shortName(max(room, 24))+" "+predicate, maxSentence)
}

// predicate returns what the notification says after the name.
func (f message) predicate() string {
	if f.Event.Rule == alerting.RuleDeclared {
		return f.Predicate() // it ends in a person's own words
	}
	return f.Predicate() + "."
}

// shortName returns the escaped name, cut so that its escaped form has at most so many characters.
func (f message) shortName(room int) string {
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

// dress puts a text into mrkdwn.
func dress(t sentences.Text) string { return dressed(t, func(string) string { return "" }) }

// dressed puts a text into mrkdwn, with links to the pages of the incidents that it names.
func dressed(t sentences.Text, page func(incident string) string) string {
	var b strings.Builder
	for _, p := range t {
		switch {
		case !p.At.IsZero() && len(p.Words) < len("2006-01-02"):
			b.WriteString(fmt.Sprintf("<!date^%d^{time}|%s>", p.At.Unix(), p.Words))
		case !p.At.IsZero():
			b.WriteString(at(p.At))
		case p.Quote:
			b.WriteString("> " + escape(p.Words))
		case p.Strong:
			b.WriteString("*" + escape(plain(p.Words, nearby)) + "*")
		case p.Incident != "":
			name := escape(plain(p.Words, nearby))
			if safe, ok := safeURL(page(p.Incident)); ok && len(safe) <= 200 {
				name = link(page(p.Incident), plain(p.Words, nearby))
			}
			b.WriteString("*" + name + "*")
		case p.Foreign:
			b.WriteString(escape(p.Words))
		default:
			b.WriteString(entities.Replace(p.Words))
		}
	}
	return b.String()
}

// nearby is how many characters of the name of another SLO are shown, so that several fit into a
// section.
const nearby = 80

// dressLines puts texts into mrkdwn, one a line.
func (f message) dressLines(all []sentences.Text) string {
	var lines []string
	for _, t := range all {
		if len(t) > 0 {
			lines = append(lines, dressed(t, func(id string) string { return f.composer.Page("incidents", id) }))
		}
	}
	return strings.Join(lines, "\n")
}

// root returns the root message in its newest state.
func (f message) root() Body {
	if f.Root != nil {
		root := message{Notification: *f.Root, composer: f.composer, to: f.to}
		return root.root()
	}
	state := f.state()
	if !f.Headlined() || !f.Incident.Open {
		return told(f, state)
	}
	b := Body{Text: f.line(state), Name: state + " · " + f.name(80)}
	if f.Incident.Loud() == alerting.Page {
		b.Mention = f.mentions()
	}
	b.Blocks = append(b.Blocks, header(icons[f.State()]+" "+plain(f.Headline().Title(), 140)), section(firstScreen(f, b.Mention)))
	b.Blocks = append(b.Blocks, f.controls()...)
	b.Blocks = append(b.Blocks, sectionIf(f.dressLines(f.Elsewhere()))...)
	b.Blocks = append(b.Blocks, sectionIf(also(f.Event.Rule, f.Others, f.More))...)
	if c, ok := chart(shareChart(f.Notification)); ok {
		b.Blocks = append(b.Blocks, c)
	}
	b.Blocks = append(b.Blocks, sectionIf(f.dressLines(append(f.Account(), f.Late(), f.Waiting())))...)
	b.Blocks = append(b.Blocks, sectionIf(f.links())...)
	b.Blocks = append(b.Blocks, contextBlock(mrkdwn(f.footer())))
	return b
}

// line returns a state and what is the matter, within the limit of a notification.
func (f message) line(state string) string {
	if !f.Headlined() {
		return f.sentence(state, f.predicate())
	}
	if f.Stopped() {
		return clip(icons[f.State()]+" "+escapeLong(f.Summary())+".", maxSentence)
	}
	room := maxSentence - len([]rune(state)) - 3
	return clip(escape(state)+": "+escapeLong(f.Headline().Within(room))+".", maxSentence)
}

// firstScreen returns what is read before the controls: since when, what changed, who is paged and
// who has it, and what to try first.
func firstScreen(f message, paged []string) string {
	who := dress(f.Headline().Has())
	if len(paged) > 0 {
		who = "Paged: " + strings.Join(paged, " ") + ". " + who
	}
	lines := []string{f.dressLines(f.Headline().Screen()), who}
	var try []string
	if guess := f.Headline().Try(); guess != "" {
		try = append(try, "*"+escape(plain(guess, nearby))+"* (a guess)")
	}
	if l := shortLink(f.Spec.Links.Runbook, "Runbook"); l != "" {
		try = append(try, l)
	}
	if len(try) > 0 {
		lines = append(lines, "Try first: "+strings.Join(try, " · "))
	}
	return strings.Join(lines, "\n")
}

// told returns the root message of what is over, and of what does not burn.
func told(f message, state string) Body {
	b := Body{Text: f.line(state), Name: state + " · " + f.name(80)}
	b.Blocks = append(b.Blocks, header(state+" · "+f.name(100)+besides(f.Notification)), section(f.dressLines(f.Lead()), f.fields()...))
	b.Blocks = append(b.Blocks, sectionIf(f.dressLines(f.Elsewhere()))...)
	b.Blocks = append(b.Blocks, sectionIf(f.dressLines(f.Headline().Afterwards()))...)
	if c, ok := chart(shareChart(f.Notification)); ok {
		b.Blocks = append(b.Blocks, c)
	}
	if f.Incident.Open && f.Incident.Loud() == alerting.Page {
		b.Mention = f.mentions()
		b.Blocks = append(b.Blocks, sectionIf(forWhom(b.Mention))...)
	}
	b.Blocks = append(b.Blocks, sectionIf(also(f.Incident.Rule, f.Others, f.More))...)
	b.Blocks = append(b.Blocks, sectionIf(f.links())...)
	b.Blocks = append(b.Blocks, f.controls()...)
	b.Blocks = append(b.Blocks, contextBlock(mrkdwn(f.footer())))
	return b
}

// besides says in the heading how many more have no data for the same cause.
func besides(t incidents.Notification) string {
	if n := len(t.Others) + t.More; n > 0 && t.Incident.Rule == alerting.RuleNoData {
		return " and " + figures.Count(n) + " more"
	}
	return ""
}

// maxAlso bounds how many incidents a root message names beside its own.
const maxAlso = 15

// also names what else is open in the thread.
func also(rule alerting.Rule, others []alerting.Incident, more int) string {
	if len(others) == 0 {
		return ""
	}
	lines := []string{"*Also burning:*"}
	if rule == alerting.RuleNoData {
		lines[0] = "*Also without data:*"
	}
	for n, i := range others {
		if n == maxAlso {
			more += len(others) - n
			break
		}
		lines = append(lines, fmt.Sprintf("• %s · %s", escape(plain(string(i.SLO), 100)), dress(sentences.Standing(i))))
	}
	if more > 0 {
		lines = append(lines, fmt.Sprintf("and %s more", figures.Count(more)))
	}
	return strings.Join(lines, "\n")
}

// fields returns the figures, two in a row.
func (f message) fields() []*Text {
	var out []*Text
	add := func(name, value string) {
		if value != "" {
			out = append(out, mrkdwn("*"+name+"*\n"+value))
		}
	}
	i := f.Incident
	if f.Spec.Name != "" {
		add("SLI over "+escape(f.Period()), f.sli())
		add("Budget left", f.Left())
	}
	add("Began", at(i.Onset))
	noticed := "Noticed"
	if i.Rule == alerting.RuleDeclared {
		noticed = "Declared"
	}
	add(noticed, at(i.Alerted())+" ("+figures.Duration(i.TimeToDetect())+" later)")
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
	if a, ok := i.Silenced(f.Now); ok && i.Open {
		add("Silenced", "by "+person(a)+" "+until(a))
	}
	return out
}

func (f message) sli() string {
	if f.Status.Sum.Total == 0 {
		return "no traffic"
	}
	return figures.SLI(f.Status.Sum.Bad, f.Status.Sum.Total, f.Spec.Objective) + " (objective " + figures.Objective(f.Spec.Objective) + ")"
}

func (f message) links() string {
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
	if !f.Headlined() || !f.Incident.Open { // else it is what to try first
		add(f.Spec.Links.Runbook, "📖 Runbook")
	}
	add(f.Spec.Links.Dashboard, "📊 Dashboard")
	add(f.composer.QueryURL(f.Notification), "🔎 Query")
	if f.Incident.ID != "" {
		add(f.composer.Page("incidents", f.Incident.ID), "🕯️ Incident")
	}
	if f.Incident.ID != "" && !f.Incident.Open && f.Event.Rule != alerting.RuleNoData {
		add(f.composer.Page("incidents", f.Incident.ID, "postmortem"), "📝 Postmortem draft")
	}
	return strings.Join(out, between)
}

// footer says where the message comes from, for those who doubt it.
func (f message) footer() string {
	var parts []string
	if p := f.Incident.Last.Pair; p != nil && f.Event.Rule != alerting.RuleNoData {
		parts = append(parts, "Rule: "+f.Tier()+" when "+escape(sentences.Rule(*p, f.Spec.Window())))
	}
	if f.Headlined() && f.Incident.Open {
		parts = append(parts, escape(f.name(100))+" · objective "+figures.Objective(f.Spec.Objective)+" over "+escape(f.Period()))
	}
	switch {
	case f.Event.Rule == alerting.RuleNoData:
		parts = append(parts, "Looked at "+at(f.Event.Time()))
	case f.Spec.Name == "":
	default:
		parts = append(parts, "Data up to "+at(f.Event.Time()))
	}
	if f.Status.Coverage > 0 && (f.Status.Coverage < 0.995 || f.Status.Estimated() > 0) {
		parts = append(parts, sentences.Known(f.Status))
	}
	for _, o := range f.Status.LeftOut[:min(len(f.Status.LeftOut), 3)] {
		if n := o.Minutes(); n > 0 {
			parts = append(parts, dress(sentences.LeftOut(o)))
		}
	}
	if s := f.others(); s != "" {
		parts = append(parts, s)
	}
	return strings.Join(append(parts, f.composer.signature()), " · ")
}

// others names further pairs of windows that are above their threshold.
func (f message) others() string {
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

// escalation returns the reply that wakes somebody when a ticket becomes a page.
func (f message) escalation() Body {
	b := Body{Text: f.sentence("🔥 Now a page", f.predicate()), Broadcast: !f.Silenced}
	if !f.Silenced {
		b.Mention = f.mentions()
	}
	text := "🔥 *Now a page.* " + f.dressLines(append(f.Burning(), f.Waiting()))
	if a, ok := alerting.Silent(f.Incident.Acts, f.Event.Time()); ok && !f.Silenced {
		text += "\n" + dress(sentences.EndsSilence(a))
	}
	if len(b.Mention) > 0 {
		text += "\nFor " + strings.Join(b.Mention, " ")
	}
	b.Blocks = []Block{section("*" + escape(f.name(100)) + "*\n" + text)}
	return b
}

// reminder returns the reply that brings an incident back to mind, and calls somebody.
func (f message) reminder(state string, mention []string) Body {
	b := Body{Text: f.line(state), Broadcast: true, Mention: mention}
	text := state + ". " + f.dressLines([]sentences.Text{f.Reminder(), f.Windows(), f.Waiting()})
	if len(mention) > 0 {
		text += "\nFor " + strings.Join(mention, " ")
	}
	b.Blocks = []Block{section("*" + escape(f.name(100)) + "*\n" + text)}
	return b
}

// resolution returns the reply that ends the thread. It mentions nobody: whoever can sleep may
// sleep on.
func (f message) resolution() Body {
	b := Body{Text: f.line(f.state()), Broadcast: f.Incident.Severity == alerting.Page && !f.Silenced && !f.Led}
	text := icons[f.State()] + " *" + f.State() + "* · " + escape(f.name(100))
	switch f.Event.Rule {
	case alerting.RuleNoData:
		text += "\n" + f.dressLines([]sentences.Text{f.Data(), f.Waiting()})
	case alerting.RuleDeclared:
		text += "\n" + f.dressLines(f.Declared())
	default:
		text += "\n" + f.dressLines(append(f.Ending(), f.Waiting()))
	}
	b.Blocks = []Block{section(text)}
	return b
}

func (f message) spentBody() Body {
	state := "📉 " + figures.Basis(f.Event.Level) + " spent"
	if f.Event.Rule == alerting.RuleTraffic {
		state = "🔇 No traffic"
	}
	b := Body{Text: f.sentence(state, f.predicate()), Name: state + " · " + f.name(80)}
	b.Blocks = append(b.Blocks, header(state+" · "+f.name(100)), section(f.dressLines(f.Lead()), mrkdwn("*SLI over "+escape(f.Period())+"*\n"+f.sli())))
	b.Blocks = append(b.Blocks, sectionIf(f.links())...)
	b.Blocks = append(b.Blocks, contextBlock(mrkdwn(f.footer())))
	return b
}
