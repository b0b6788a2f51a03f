package postmortem

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/markdown"
	"github.com/slowburn-sre/slowburn/internal/sentences"
	"github.com/slowburn-sre/slowburn/slo"
)

// DefaultTemplate is how a draft is laid out unless the house has a template of its own. A template
// is one of Go's text/template; it has Front (YAML front matter for tools, which slowburn reads
// back), Title, Summary, Policy, Links and `section "…"`, which writes a heading and what belongs
// below it. The sections are those that are named here.
const DefaultTemplate = `{{.Front}}# {{.Title}}

> This is a draft. Figures, times and queries were filled in from data; what is in *italics* is a question to the people who were there.
> It asks how the system made this possible and what would have helped, not who did it.

{{.Summary}}

{{.Policy}}

{{.Links}}{{section "Impact"}}{{section "Times"}}{{section "Detection"}}{{section "Around the incident"}}{{section "Golden signals"}}` +
	`{{section "Where the bad events were"}}{{section "Changes near the onset"}}{{section "What it depends on"}}{{section "Timeline"}}{{section "Causes"}}` +
	`{{section "What went well, what went wrong, where we were lucky"}}{{section "Action items"}}{{section "Earlier incidents of this SLO"}}` +
	`{{section "About the data"}}{{section "Queries"}}`

// Markdown writes the document by the DefaultTemplate; the same document gives the same bytes.
func (d Document) Markdown() string {
	text, err := d.Render(DefaultTemplate)
	if err != nil {
		return "The draft cannot be written: " + err.Error() + "\n" // the default template is a constant, and a test renders it
	}
	return text
}

// Render writes the document by a template, see DefaultTemplate. A template that asks for what
// there is not is an error.
func (d Document) Render(layout string) (string, error) {
	t, err := template.New("postmortem").Funcs(template.FuncMap{"section": d.section}).Parse(layout)
	if err != nil {
		return "", err
	}
	var b, front strings.Builder
	d.front(&front)
	err = t.Execute(&b, struct{ Front, Title, Summary, Policy, Links string }{
		Front: front.String(), Title: "Postmortem: " + markdown.Code(string(d.Facts.id())) + ", " + figures.Day(d.Times.Onset),
		Summary: d.Summary, Policy: d.policy(), Links: d.links(),
	})
	return strings.TrimRight(b.String(), "\n") + "\n", err
}

// CheckTemplate renders a template of an empty document, so that its mistakes are found before an
// incident is over.
func CheckTemplate(layout string) error {
	spec := &slo.Spec{Service: "example", Name: "example", Windows: []slo.Window{{Rolling: 28 * slo.Day}}}
	_, err := Document{Facts: Facts{Spec: spec}}.Render(layout)
	return err
}

func (d Document) section(heading string) (string, error) {
	writers := map[string]func(*strings.Builder){
		"Impact": d.impact, "Times": d.times, "Detection": d.detection, "Around the incident": d.around, "Golden signals": d.signals,
		"Where the bad events were": d.contributors, "Changes near the onset": d.changes, "What it depends on": d.upstream, "Timeline": d.timeline, headingCauses: d.causes,
		headingLessons: lessons, headingActions: d.actions,
		"Earlier incidents of this SLO": d.earlier, "About the data": d.data, "Queries": d.queries,
	}
	write := writers[heading]
	if write == nil {
		return "", fmt.Errorf("there is no section %q; there are: %s", heading, strings.Join(slices.Sorted(maps.Keys(writers)), "; "))
	}
	var b strings.Builder
	b.WriteString("## " + heading + "\n\n")
	write(&b)
	return b.String() + "\n", nil
}

func (d Document) front(b *strings.Builder) {
	i, spec := d.Facts.Incident, d.Facts.Spec
	b.WriteString("---\n")
	for _, f := range [][2]string{
		{"id", i.ID},
		{"slo", string(d.Facts.id())},
		{"service", spec.Service},
		{"status", "draft"},
		{"severity", string(i.Severity)},
		{"owner", spec.Owner},
		{"class", ""},
	} {
		b.WriteString(f[0] + ": " + strconv.Quote(f[1]) + "\n")
	}
	b.WriteString("authors: []\nresponders: [" + strings.Join(responders(i), ", ") + "]\n")
	for _, t := range []struct {
		name string
		at   time.Time
	}{
		{"onset", d.Times.Onset},
		{"detected", d.Times.Detected},
		{"escalated", d.Times.Escalated},
		{"acknowledged", d.Times.Acknowledged},
		{"mitigated", d.Times.Mitigated},
		{"ended", d.Times.Ended},
		{"resolved", d.Times.Resolved},
	} {
		if !t.at.IsZero() {
			b.WriteString(t.name + ": " + t.at.UTC().Format(time.RFC3339) + "\n")
		}
	}
	b.WriteString("postmortem_required: " + strconv.FormatBool(d.Verdict.Required) + "\n---\n\n")
}

// responders returns those who did something about the incident, quoted, in the order in which they
// came.
func responders(i alerting.Incident) []string {
	var all []string
	for _, a := range alerting.InForce(i.Acts, forever) {
		if name := unlinked.Replace(strconv.Quote(a.By)); a.By != "" && a.Incident != "" && !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all
}

// unlinked keeps a quoted name from being taken for a mention or a link where the front matter is
// shown as text.
var unlinked = strings.NewReplacer("<", `\x3c`, "[", `\x5b`)

// forever is after every act.
var forever = time.Date(9999, time.December, 31, 0, 0, 0, 0, time.UTC)

// policy says whether the error-budget policy requires this postmortem, with its arithmetic.
func (d Document) policy() string {
	v := d.Verdict
	word := "does not require"
	if v.Required {
		word = "**requires**"
	}
	s := "The error-budget policy " + word + " a postmortem: " + v.Reason.Text()
	if v.Budget.Allowed > 0 && v.Bad > 0 {
		s += " (" + figures.Events(v.Bad) + " bad events, " + v.CostText() + " of the " +
			v.Budget.AllowedText() + " that four weeks allow; the limit is " + figures.Basis(v.Limit) + ")"
	}
	return s + "."
}

// links returns a line of addresses, or nothing.
func (d Document) links() string {
	var all []string
	for _, l := range [][2]string{
		{"Incident", d.Facts.Page},
		{"Runbook", d.Facts.Spec.Links.Runbook},
		{"Dashboard", d.Facts.Spec.Links.Dashboard},
		{"Repository", d.Facts.Spec.Links.Repository},
	} {
		if l[1] != "" {
			all = append(all, markdown.Link(l[0], l[1]))
		}
	}
	if len(all) == 0 {
		return ""
	}
	return strings.Join(all, " · ") + "\n\n"
}

func (d Document) impact(b *strings.Builder) {
	im := d.Impact
	duration := []string{"Duration", figures.Duration(d.Times.Burning)}
	if d.Facts.Incident.Last.Burn == nil {
		b.WriteString(markdown.Table([]string{"What", "How much:"}, [][]string{duration, {"Bad events", "not known: there were no data"}}))
		b.WriteString("\n*Were users affected meanwhile? What else can tell: logs, another system, support, partners?*\n")
		return
	}
	rows := [][]string{
		duration,
		{"Bad events", figures.Events(im.Bad) + " of " + figures.Events(im.Total) + " (" + figures.Share(im.Bad, im.Total) + ")"},
		{"Minutes with bad events", figures.Count(im.BadMinutes)},
	}
	if im.After != nil {
		rows = append(rows, []string{"Share of the budget (" + figures.Window(d.Facts.Spec.Window()) + ")", im.After.CostOf(im.Bad)})
	}
	if d.Verdict.Bad > 0 {
		rows = append(rows, []string{"Share of a four-week budget", d.Verdict.CostText()})
	}
	from, to := d.Facts.span()
	rows = append(rows, []string{"Budget left at the onset, " + figures.UTC(from.Time()), left(im.Before)},
		[]string{"Budget left at the newest event, " + figures.UTC(to.Time()), left(im.After)})
	b.WriteString(markdown.Table([]string{"What", "How much:"}, rows))
	b.WriteString("\nEvents are counted over [" + from.Time().Format(time.RFC3339) + ", " + to.Time().Format(time.RFC3339) + "), by the queries at the end.\n" +
		"\n*What did it mean for users: who could not do what? Was anything lost, such as money, data or trust? Who outside must be told?*\n")
}

// left returns the budget that an account leaves: "62.1 % (621 of 1,000 events)". It is unknown
// where too little of the window is.
func left(a *alerting.Account) string {
	if a == nil || a.Projected {
		return figures.Unknown
	}
	return a.LeftText() + " (" + figures.Events(a.Allowed-a.Bad) + " of " + figures.Events(a.Allowed) + " events)"
}

func (d Document) times(b *strings.Builder) {
	t := d.Times
	rows := [][]string{{"Onset", d.when(t.Onset)}, {"Detected", d.when(t.Detected)}}
	if !t.Escalated.IsZero() {
		rows = append(rows, []string{"Escalated to a page", d.when(t.Escalated)})
	}
	rows = append(rows, []string{"Acknowledged", said(t.Acknowledged, d.when(t.Acknowledged))}, []string{"Mitigated", said(t.Mitigated, d.when(t.Mitigated))})
	if d.Facts.Incident.Last.Burn != nil {
		rows = append(rows, []string{"Ended", d.when(t.Ended)})
	}
	b.WriteString(markdown.Table([]string{"Moment", "When"}, append(rows, []string{"Alert resolved", d.when(t.Resolved)})))
	first, last := sentences.Onset(d.Facts.Incident.Rule), sentences.End(d.Facts.Incident.Rule)
	if d.Facts.Incident.Rule != alerting.RuleNoData {
		last += ", which comes before the alert is resolved"
	}
	resolve := "still open"
	if !t.Resolved.IsZero() {
		resolve = figures.Duration(t.ToResolve)
	}
	b.WriteString("\n" + markdown.Table([]string{"Duration", "Length:", "From", "To"}, [][]string{
		{"Time to detect (TTD)", figures.Duration(t.ToDetect), "the onset, " + first, "the alert"},
		{"Time to acknowledge (TTA)", said(t.Acknowledged, figures.Duration(t.ToAcknowledge)), "the alert", "the first acknowledgement"},
		{"Time to mitigate (TTM)", said(t.Mitigated, figures.Duration(t.ToMitigate)), "the onset", "a person saying that " + sentences.Mitigated},
		{"Time to resolve (TTR)", resolve, "the onset", last},
	}))
	if t.Mitigated.IsZero() && d.Facts.Incident.Last.Burn != nil {
		b.WriteString("\n*When did users stop feeling it, and what was it that helped them?*\n")
	}
}

// said returns a figure that rests on what a person said at that time.
func said(at time.Time, figure string) string {
	if at.IsZero() {
		return "not recorded"
	}
	return figure
}

// when writes an instant in UTC and, if one was given, in the reader's zone.
func (d Document) when(t time.Time) string {
	zone := d.Facts.Zone
	if t.IsZero() || zone == nil || zone == time.UTC {
		return figures.UTC(t)
	}
	return figures.UTC(t) + " (" + figures.In(t, zone) + ")"
}

func (d Document) detection(b *strings.Builder) {
	i := d.Facts.Incident
	b.WriteString("Found by the alert rule " + markdown.Code(string(i.Rule)) + ", " + figures.Duration(d.Times.ToDetect) + " after the onset: " +
		markdown.Text(sentences.Event(opener(i), d.Facts.Spec)) + ".\n")
	if !i.Escalated.IsZero() {
		why := sentences.Fired(i.First, d.Facts.Spec)
		if i.First.Pair == nil {
			why = sentences.Event(i.First, d.Facts.Spec)
		}
		b.WriteString("\nIt became a page at " + d.when(i.Escalated) + ", " + figures.Duration(i.Escalated.Sub(i.Onset)) + " after the onset: " + markdown.Text(why) + ".\n")
	}
	if rate, ok := i.PeakBurn(d.Facts.Spec.Objective); ok {
		b.WriteString("\nThe burn peaked at " + figures.Times(rate))
		if p := i.First.Pair; p != nil {
			b.WriteString(" over " + figures.Duration(p.Short))
		}
		b.WriteString(", at " + d.when(i.Last.Burn.PeakAt.End()) + ".\n")
	}
	if i.Last.Burn == nil {
		b.WriteString("\n*Did anybody miss the data before the alert did? Would another alert have caught an outage meanwhile?*\n")
		return
	}
	b.WriteString("\n*Did a person or a user know before the alert? What would have halved the time to detect? Could the one who was called act on what the alert said?*\n")
}

// opener returns the event that opened the incident; Incident.First may be a later escalation.
func opener(i alerting.Incident) alerting.Event {
	for _, e := range i.Log {
		if e.Kind == alerting.Opened {
			return e
		}
	}
	return i.First
}

func (d Document) around(b *strings.Builder) {
	p, o := d.Profile, d.Facts.Spec.Objective
	if len(p) == 0 {
		b.WriteString("The ledger holds nothing of this time.\n")
		return
	}
	b.WriteString("Share of bad events, from " + figures.UTC(p[0].From) + " in steps of " + figures.Duration(p[0].To.Sub(p[0].From)) + ": " +
		"`" + Sparkline(p) + "`\n(· is unknown, a blank is no traffic)\n\n")
	rows := make([][]string, len(p))
	for n, k := range p {
		rows[n] = append(append([]string{figures.UTC(k.From)}, eventCells(k.Sum, o)...), figures.Of(k.Sum.Known, k.Minutes))
	}
	b.WriteString(markdown.Table([]string{"From", "Events:", "Bad:", "Share:", "Burn:", "Minutes known:"}, rows))
}

// eventCells writes a sum: all events, the bad ones, their share and the burn rate.
func eventCells(sum budget.Sum, o slo.Objective) []string {
	total, bad := figures.Unknown, figures.Unknown
	if sum.Seen() > 0 {
		total, bad = figures.Events(sum.Total), figures.Events(sum.Bad)
	}
	return []string{total, bad, figures.Share(sum.Bad, sum.Total), figures.Burn(sum.Bad, sum.Total, o)}
}

const notCollected = "Not collected.\n"

func (d Document) signals(b *strings.Builder) {
	s := d.Facts.Signals
	switch {
	case s == nil:
		b.WriteString("Not collected. They are, of services whose file names its `signals`, where budget burned.\n")
		return
	case len(s.All) == 0:
		b.WriteString("Collected; no signal of this service answered.\n")
		return
	}
	rows := make([][]string, len(s.All))
	for n, g := range s.All {
		rows[n] = []string{markdown.Text(g.Kind), markdown.Text(g.Name), markdown.Value(g.Before), markdown.Value(g.Onset), markdown.Value(g.Peak), markdown.Value(g.After), markdown.Code(g.Query)}
	}
	b.WriteString(markdown.Table([]string{"Signal", "Name", "Before:", "Onset:", "Peak:", "After:", "Query"}, rows))
	b.WriteString("\nTaken before, at " + d.when(s.Before) + "; at the onset, " + d.when(s.Onset) + "; at the peak of the burn, " + d.when(s.Peak) +
		"; and after, at " + d.when(s.After) + ".\n")
	for _, g := range s.All {
		if c := g.Curve; c != nil && len(c.Values) > 0 {
			fmt.Fprintf(b, "\n- %s, from %s in steps of %s: `%s` (%s to %s, drawn from 0)", markdown.Text(strings.TrimSpace(g.Kind+" "+g.Name)),
				figures.UTC(c.From), figures.Duration(c.Step), c.Sparkline(), markdown.Value(c.Low), markdown.Value(c.High))
		}
	}
	b.WriteString("\n")
}

func (d Document) contributors(b *strings.Builder) {
	d.steps(b)
	w := d.Facts.Where
	if w == nil {
		if len(d.Facts.Steps) == 0 {
			b.WriteString(notCollected)
		}
		return
	}
	b.WriteString("As it was found out at " + d.when(d.Facts.FoundAt) + ", counted from the onset to then (evaluate at " + strconv.FormatInt(d.Facts.FoundAt.Unix(), 10) + "):\n\n")
	for _, words := range w.Sentences() {
		b.WriteString("- " + markdown.Text(words) + "\n")
	}
	if len(w.Contributors) > 0 {
		rows := make([][]string, len(w.Contributors))
		for n, k := range w.Contributors {
			rows[n] = []string{
				markdown.Code(k.Name()), figures.Events(k.Now.Bad), figures.Share(k.Now.Bad, w.Now.Bad), figures.Share(k.Now.Bad, k.Now.Total),
				figures.Share(k.Before.Bad, k.Before.Total), markdown.Code(k.Query),
			}
		}
		b.WriteString("\n" + markdown.Table([]string{"Where", "Bad:", "Of all bad:", "Of its own events:", "Before:", "Query"}, rows))
	}
	if len(d.Facts.Traces) > 0 {
		b.WriteString("\nRequests that show it:\n\n")
	}
	for _, t := range d.Facts.Traces {
		b.WriteString("- " + markdown.Link(t.ID, t.URL) + " " + markdown.Text(t.Where) + "\n")
	}
}

// steps writes those of a journey over the time that is counted.
func (d Document) steps(b *strings.Builder) {
	if len(d.Facts.Steps) == 0 {
		return
	}
	from, to := d.Facts.span()
	var rows [][]string
	for _, s := range d.Facts.Steps {
		sum := s.Ledger.Sum(from, to)
		row := append([]string{markdown.Code(string(s.ID))}, eventCells(sum, s.Spec.Objective)...)
		rows = append(rows, append(row, figures.Of(sum.Known, int(to-from))))
	}
	b.WriteString(markdown.Table([]string{"Step", "Events:", "Bad:", "Share:", "Burn:", "Minutes known:"}, rows) + "\n")
}

func (d Document) changes(b *strings.Builder) {
	c := d.Changes
	switch {
	case c == nil:
		b.WriteString(notCollected)
		return
	case len(c) == 0:
		b.WriteString(sentences.NothingChanged + "\n")
		return
	}
	b.WriteString(sentences.Correlated + "\n\n")
	for _, k := range c {
		gap := k.At.Sub(d.Times.Onset)
		side := figures.Duration(gap) + " after the onset"
		switch {
		case gap == 0:
			side = "at the onset"
		case gap < 0:
			side = figures.Duration(-gap) + " before the onset"
		}
		b.WriteString("- " + d.when(k.At) + ", " + side + ": " + markdown.Link(k.What, k.Link) + " (" + markdown.Text(k.Seen) + ")")
		if k.Cost != "" {
			b.WriteString(". " + markdown.Text(k.Cost))
		}
		b.WriteString("\n")
	}
}

func (d Document) upstream(b *strings.Builder) {
	f := d.Facts
	switch {
	case len(f.Depends) == 0:
		b.WriteString("The SLO files name nothing that it depends on (`depends_on`). *What does it depend on, and did that work?*\n")
		return
	case len(f.Upstream) == 0:
		var names []string
		for _, id := range f.Depends {
			names = append(names, markdown.Code(string(id)))
		}
		b.WriteString("It depends on " + strings.Join(names, ", ") + ", by the files; nothing of that burned meanwhile.\n")
		return
	}
	b.WriteString("These burned meanwhile, too. " + sentences.Correlated + "\n\n")
	var rows [][]string
	for _, u := range f.Upstream {
		ended := d.when(u.Ended)
		if u.Open {
			ended = "still open"
		}
		rows = append(rows, []string{markdown.Code(string(u.SLO)), string(u.Severity), d.when(u.Onset), ended, markdown.Code(u.Incident)})
	}
	b.WriteString(markdown.Table([]string{"Depends on", "Severity", "Onset", "Ended", "Incident"}, rows))
	b.WriteString("\n*What would have kept this from being felt here?*\n")
}

func (d Document) timeline(b *strings.Builder) {
	rows := make([][]string, len(d.Timeline))
	for n, e := range d.Timeline {
		rows[n] = []string{d.when(e.At), markdown.Link(e.Text, e.Link)}
	}
	b.WriteString(markdown.Table([]string{"When", "What"}, rows))
	b.WriteString("\n*Add what people saw, believed and did at the time, with links. What looks wrong now and looked right then?*\n")
}

func (d Document) causes(b *strings.Builder) {
	if d.Facts.Incident.Last.Burn == nil {
		b.WriteString("*Which link broke: the service, its exporter, the scrape, the network, Prometheus itself?*\n\n" +
			"*What let it break unnoticed until the alert, and what else hangs on the same link?*\n")
		return
	}
	b.WriteString("*Trigger: what set it off?*\n\n" +
		"*Root cause: what made the system answer to it like this? Ask why until the answer is something we can change.*\n\n" +
		"*Contributing factors: what made it likelier, larger or longer (capacity, defaults, missing limits, tools, knowledge, process)?*\n\n" +
		"*Class of outage: one word for its kind, as `class` above, so that the quarter's report can add up what each kind costs.* " + classes(d.Facts.Reviews) + "\n")
}

// classes returns the words that are in use already.
func classes(all []Review) string {
	var used []string
	for _, r := range all {
		if r.Class != "" && !slices.Contains(used, r.Class) {
			used = append(used, r.Class)
		}
	}
	if len(used) == 0 {
		return "*For example: deploy, configuration, capacity, dependency.*"
	}
	slices.Sort(used)
	return "In use: " + markdown.Text(strings.Join(used, ", ")) + "."
}

func lessons(b *strings.Builder) {
	b.WriteString("- *Well: what worked as it was meant to, and what limited the damage?*\n" +
		"- *Wrong: what was slow, misleading or missing?*\n" +
		"- *Lucky: what could easily have been worse?*\n")
}

func (d Document) actions(b *strings.Builder) {
	var rows [][]string
	if d.Verdict.Required {
		rows = append(rows, []string{"*what makes this kind of incident impossible or small*", "prevent or mitigate", "**P0**", "*owner*", "*date*", "*link*", "no"})
	}
	rows = append(rows,
		[]string{"*what finds it sooner*", "detect", "*P1*", "*owner*", "*date*", "*link*", "no"},
		[]string{"*what makes the answer easier*", "process", "*P2*", "*owner*", "*date*", "*link*", "no"})
	if d.Verdict.Required {
		b.WriteString("The policy demands at least one P0 item.\n\n")
	}
	b.WriteString(markdown.Table([]string{"What, so that its end can be verified", "Kind", "Priority", "Owner", "Due", "Ticket", "Done"}, rows))
	if d.Verdict.Required && !d.Facts.Incident.Open {
		zone := d.Facts.Zone
		if zone == nil {
			zone = time.UTC
		}
		b.WriteString("\nReview this draft by " + figures.Day(NextReview(d.Times.Resolved, zone)) + " (five working days).\n")
	}
}

// maxEarlier is how many earlier incidents are shown.
const maxEarlier = 10

func (d Document) earlier(b *strings.Builder) {
	switch {
	case d.Facts.Earlier == nil:
		b.WriteString(notCollected)
		return
	case len(d.Earlier) == 0:
		b.WriteString("None is known.\n")
		return
	}
	var rows [][]string
	for _, e := range d.Earlier[:min(len(d.Earlier), maxEarlier)] {
		status, items := figures.Unknown, figures.Unknown
		if r, ok := review(d.Facts.Reviews, e.ID); ok {
			status, items = string(r.Status), done(r.Actions)
		}
		rows = append(rows, []string{
			d.when(e.Onset), markdown.Code(e.ID), string(e.Severity), figures.Duration(e.Duration()), figures.Events(e.Bad()), status, items,
		})
	}
	b.WriteString(markdown.Table([]string{"Onset", "Incident", "Severity", "Duration:", "Bad events:", "Postmortem", "Action items done"}, rows))
	if more := len(d.Earlier) - maxEarlier; more > 0 {
		b.WriteString("\n+ " + figures.Count(more) + " more\n")
	}
	if left := d.promised(); len(left) > 0 {
		b.WriteString("\nNot done of what was planned then:\n\n" + strings.Join(left, ""))
	}
	b.WriteString("\n*Is this the same cause again? Would what was planned then have helped now?*\n")
}

// promised lists the action items of the earlier incidents that are not done.
func (d Document) promised() (left []string) {
	for _, e := range d.Earlier {
		r, _ := review(d.Facts.Reviews, e.ID)
		for _, a := range r.Actions {
			if a.Done {
				continue
			}
			due := "no date"
			if !a.Due.IsZero() {
				due = "due " + figures.Day(a.Due)
			}
			left = append(left, "- "+strings.TrimSpace(markdown.Text(a.Priority)+" "+markdown.Link(a.What, a.Link))+" ("+due+", of "+markdown.Code(e.ID)+")\n")
		}
	}
	return left
}

func review(all []Review, incident string) (Review, bool) {
	n := slices.IndexFunc(all, func(r Review) bool { return r.Incident == incident })
	if n < 0 {
		return Review{}, false
	}
	return all[n], true
}

// done returns how many action items are done: "2 of 3".
func done(all []Action) string {
	n := 0
	for _, a := range all {
		if a.Done {
			n++
		}
	}
	return figures.Of(n, len(all))
}

func (d Document) data(b *strings.Builder) {
	if len(d.Caveats) == 0 {
		b.WriteString("Every minute of the incident is known.\n")
	}
	for _, c := range d.Caveats {
		b.WriteString("- " + c + "\n")
	}
}

func (d Document) queries(b *strings.Builder) {
	if len(d.Queries) == 0 {
		b.WriteString("The indicator has no query of its own.\n")
		return
	}
	q := d.Queries[0]
	b.WriteString("Over the time that is counted, from " + q.From.Format(time.RFC3339) + " to " + q.At.Format(time.RFC3339) + " (evaluate at " +
		strconv.FormatInt(q.At.Unix(), 10) + "). " + sentences.Extrapolates + "\n")
	for _, q := range d.Queries {
		b.WriteString("\n" + q.What)
		if q.Note != "" {
			b.WriteString(" (" + q.Note + ")")
		}
		b.WriteString("\n\n" + markdown.Fence("promql", q.Text))
	}
}
