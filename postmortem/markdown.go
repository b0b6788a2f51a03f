package postmortem

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/report/plain"
	"github.com/slowburn-sre/slowburn/slo"
)

// DefaultTemplate is how a draft is laid out unless the house has a template of its own. A template is one of Go's
// text/template; it has Front (YAML front matter for tools, which slowburn reads back), Title, Summary, Policy, Links and
// `section "…"`, which writes a heading and what belongs below it. The sections are those that are named here.
const DefaultTemplate = `{{.Front}}# {{.Title}}

> This is a draft. Figures, times and queries were filled in from data; what is in *italics* is a question to the people who were there.
> It asks how the system made this possible and what would have helped, not who did it.

{{.Summary}}

{{.Policy}}

{{.Links}}{{section "Impact"}}{{section "Times"}}{{section "Detection"}}{{section "Around the incident"}}{{section "Golden signals"}}` +
	`{{section "Where the bad events were"}}{{section "Changes near the onset"}}{{section "Timeline"}}{{section "Causes"}}` +
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

// Render writes the document by a template, see DefaultTemplate. A template that asks for what there is not is an error.
func (d Document) Render(layout string) (string, error) {
	t, err := template.New("postmortem").Funcs(template.FuncMap{"section": d.section}).Parse(layout)
	if err != nil {
		return "", err
	}
	var b, front strings.Builder
	d.front(&front)
	err = t.Execute(&b, struct{ Front, Title, Summary, Policy, Links string }{
		Front: front.String(), Title: "Postmortem: " + plain.Code(string(d.Facts.id())) + ", " + d.Times.Onset.Format("2006-01-02"),
		Summary: d.Summary, Policy: d.policy(), Links: d.links(),
	})
	return strings.TrimRight(b.String(), "\n") + "\n", err
}

// CheckTemplate renders a template of an empty document, so that its mistakes are found before an incident is over.
func CheckTemplate(layout string) error {
	spec := &slo.Spec{Service: "example", Name: "example", Windows: []slo.Window{{Rolling: 28 * slo.Day}}}
	_, err := Document{Facts: Facts{Spec: spec}}.Render(layout)
	return err
}

// section writes one section with its heading.
func (d Document) section(heading string) (string, error) {
	writers := map[string]func(*strings.Builder){
		"Impact": d.impact, "Times": d.times, "Detection": d.detection, "Around the incident": d.around, "Golden signals": d.signals,
		"Where the bad events were": d.contributors, "Changes near the onset": d.changes, "Timeline": d.timeline, "Causes": causes,
		"What went well, what went wrong, where we were lucky": lessons, headingActions: d.actions,
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
	for _, t := range []struct {
		name string
		at   time.Time
	}{
		{"onset", d.Times.Onset},
		{"detected", d.Times.Detected},
		{"escalated", d.Times.Escalated},
		{"ended", d.Times.Ended},
		{"resolved", d.Times.Resolved},
	} {
		if !t.at.IsZero() {
			b.WriteString(t.name + ": " + t.at.UTC().Format(time.RFC3339) + "\n")
		}
	}
	b.WriteString("postmortem_required: " + strconv.FormatBool(d.Verdict.Required) + "\n---\n\n")
}

// policy says whether the error-budget policy requires this postmortem, with its arithmetic.
func (d Document) policy() string {
	v := d.Verdict
	word := "does not require"
	if v.Required {
		word = "**requires**"
	}
	s := "The error-budget policy " + word + " a postmortem: " + v.Reason.Text()
	if v.Allowed > 0 && v.Bad > 0 {
		s += " (" + plain.Events(v.Bad) + " bad events, " + plain.PercentUp(v.Bad, v.Allowed, 1) + " of the " +
			plain.Events(v.Allowed) + " that four weeks allow; the limit is " + plain.Percent(v.Limit, 10000, 0) + ")"
	}
	return s + "."
}

// links is a line of addresses, or nothing.
func (d Document) links() string {
	var all []string
	for _, l := range [][2]string{
		{"Incident", d.Facts.Page},
		{"Runbook", d.Facts.Spec.Links.Runbook},
		{"Dashboard", d.Facts.Spec.Links.Dashboard},
		{"Repository", d.Facts.Spec.Links.Repository},
	} {
		if l[1] != "" {
			all = append(all, plain.Link(l[0], l[1]))
		}
	}
	if len(all) == 0 {
		return ""
	}
	return strings.Join(all, " · ") + "\n\n"
}

func (d Document) impact(b *strings.Builder) {
	im, o := d.Impact, d.Facts.Spec.Objective
	rows := [][]string{
		{"Bad events", plain.Events(im.Bad) + " of " + plain.Events(im.Total) + " (" + plain.PercentUp(im.Bad, im.Total, digits(o)) + ")"},
		{"Minutes with bad events", plain.Count(im.BadMinutes)},
	}
	if d.Facts.Incident.Last.Burn == nil {
		rows = [][]string{{"Bad events", "not known: there were no data"}}
	}
	window := d.Facts.Spec.Window().String()
	if im.After != nil {
		rows = append(rows, []string{"Share of the budget (" + window + ")", plain.PercentUp(im.Bad, im.After.Allowed, 1)})
	}
	if d.Verdict.Bad > 0 {
		rows = append(rows, []string{"Share of a four-week budget", plain.PercentUp(d.Verdict.Bad, d.Verdict.Allowed, 1)})
	}
	rows = append(rows, []string{"Budget left before the onset", left(im.Before)}, []string{"Budget left at the newest event", left(im.After)},
		[]string{"Duration", plain.Duration(d.Times.Burning)})
	b.WriteString(plain.Table([]string{"", ":"}, rows))
	b.WriteString("\n*Who noticed, and how: users, revenue, data, partners? Did other services suffer?*\n")
}

// left is the budget that an account leaves: "62.1 % (621 of 1,000 events)".
func left(a *alerting.Account) string {
	if a == nil {
		return plain.Unknown
	}
	return plain.Percent(a.Allowed-a.Bad, a.Allowed, 1) + " (" + plain.Events(a.Allowed-a.Bad) + " of " + plain.Events(a.Allowed) + " events)"
}

func (d Document) times(b *strings.Builder) {
	t := d.Times
	rows := [][]string{
		{"Onset", d.when(t.Onset)}, {"Detected", d.when(t.Detected)},
	}
	if !t.Escalated.IsZero() {
		rows = append(rows, []string{"Escalated", d.when(t.Escalated)})
	}
	rows = append(rows, []string{"Ended", d.when(t.Ended)}, []string{"Alert resolved", d.when(t.Resolved)},
		[]string{"Time to detect", plain.Duration(t.ToDetect)}, []string{"Time to resolve", resolved(t)})
	b.WriteString(plain.Table([]string{"", ""}, rows))
	b.WriteString("\n" + definitions(d.Facts.Incident.Rule) + "\n")
}

// definitions says from where to where the durations count.
func definitions(rule alerting.Rule) string {
	if rule == alerting.RuleNoData {
		return "Both durations count from the onset, the first minute without data. Time to detect ends with the alert, time to resolve when the data were back."
	}
	return "Both durations count from the onset, the first minute that burned above the budget. Time to detect ends with the alert. " +
		"Time to resolve ends with the last minute that burned above the budget, which comes before the alert is resolved."
}

func resolved(t Times) string {
	if t.Resolved.IsZero() {
		return "still open"
	}
	return plain.Duration(t.ToResolve)
}

// when writes an instant in UTC and, if one was given, in the reader's zone.
func (d Document) when(t time.Time) string {
	zone := d.Facts.Zone
	if t.IsZero() || zone == nil || zone == time.UTC {
		return plain.UTC(t)
	}
	return plain.UTC(t) + " (" + plain.In(t, zone) + ")"
}

func (d Document) detection(b *strings.Builder) {
	i := d.Facts.Incident
	b.WriteString("Found by the alert rule " + plain.Code(string(i.Rule)) + ", " + plain.Duration(d.Times.ToDetect) + " after the onset: " +
		plain.Text(Sentence(opener(i), d.Facts.Spec)) + ".\n")
	if !i.Escalated.IsZero() {
		b.WriteString("At " + d.when(i.Escalated) + ", " + plain.Duration(i.Escalated.Sub(i.Onset)) + " after the onset, it was " +
			plain.Text(Sentence(i.First, d.Facts.Spec)) + ".\n")
	}
	if rate, ok := i.PeakBurn(d.Facts.Spec.Objective); ok {
		b.WriteString("The burn peaked at " + times(rate) + ", at " + d.when(i.Last.Burn.PeakAt.End()) + ".\n")
	}
	b.WriteString("\n*Did a person or a user know before the alert? What would have halved the time to detect? Was the page needed, and could the one who got it act on it?*\n")
}

// opener is the event that opened the incident; Incident.First may be a later escalation.
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
	b.WriteString("Share of bad events, from " + plain.UTC(p[0].From) + " in steps of " + plain.Duration(p[0].To.Sub(p[0].From)) + ": " +
		"`" + Sparkline(p) + "`\n(· is unknown, a blank is no traffic)\n\n")
	rows := make([][]string, len(p))
	for n, k := range p {
		rows[n] = bucketRow(k, o)
	}
	b.WriteString(plain.Table([]string{"From (UTC)", "Events:", "Bad:", "Share:", "Burn:", "Minutes known:"}, rows))
}

func bucketRow(k Bucket, o slo.Objective) []string {
	row := []string{
		k.From.Format("01-02 15:04"), plain.Unknown, plain.Unknown, plain.Unknown, plain.Unknown,
		strconv.Itoa(k.Sum.Known) + " of " + strconv.Itoa(k.Minutes),
	}
	if k.Known() {
		row[1], row[2] = plain.Events(k.Sum.Total), plain.Events(k.Sum.Bad)
		row[3], row[4] = plain.PercentUp(k.Sum.Bad, k.Sum.Total, digits(o)), burnText(k.Sum, o)
	}
	return row
}

const notCollected = "Not collected.\n"

func (d Document) signals(b *strings.Builder) {
	s := d.Facts.Signals
	switch {
	case s == nil:
		b.WriteString(notCollected)
		return
	case len(s) == 0:
		b.WriteString("Collected; no signal of this service answered.\n")
		return
	}
	rows := make([][]string, len(s))
	for n, g := range s {
		rows[n] = []string{plain.Text(g.Kind), plain.Text(g.Name), value(g.Before), value(g.Onset), value(g.Peak), value(g.After), plain.Code(g.Query)}
	}
	b.WriteString(plain.Table([]string{"Signal", "", "Before:", "Onset:", "Peak:", "After:", "Query"}, rows))
}

func value(s string) string {
	if s == "" {
		return plain.Unknown
	}
	return plain.Text(s)
}

func (d Document) contributors(b *strings.Builder) {
	c := d.Facts.Contributors
	switch {
	case c == nil:
		b.WriteString(notCollected)
		return
	case len(c) == 0:
		b.WriteString("Collected; no label stands out.\n")
		return
	}
	if c[0].AllBad > 0 {
		b.WriteString("Counted when the incident was looked into, not over its whole length:\n\n")
	}
	rows := make([][]string, len(c))
	for n, k := range c {
		rows[n] = []string{plain.Code(k.Labels), plain.Events(k.Bad), plain.PercentUp(k.Bad, cmp.Or(k.AllBad, d.Impact.Bad), 1), plain.PercentUp(k.Bad, k.Total, 1), plain.Code(k.Query)}
	}
	b.WriteString(plain.Table([]string{"Where", "Bad:", "Of all bad:", "Of its own events:", "Query"}, rows))
}

func (d Document) changes(b *strings.Builder) {
	c := d.Facts.Changes
	switch {
	case c == nil:
		b.WriteString(notCollected)
		return
	case len(c) == 0:
		b.WriteString("Collected; nothing was recorded near the onset.\n")
		return
	}
	b.WriteString("Correlated in time, not proven:\n\n")
	for _, k := range c {
		gap := k.At.Sub(d.Times.Onset)
		side := plain.Duration(gap) + " after"
		if gap <= 0 {
			side = plain.Duration(-gap) + " before"
		}
		b.WriteString("- " + d.when(k.At) + ", " + side + " the onset: " + plain.Link(k.What, k.Link))
		if k.Where != "" {
			b.WriteString(" (" + plain.Text(k.Where) + ")")
		}
		b.WriteString("\n")
	}
}

func (d Document) timeline(b *strings.Builder) {
	rows := make([][]string, len(d.Timeline))
	for n, e := range d.Timeline {
		rows[n] = []string{d.when(e.At), plain.Link(e.Text, e.Link)}
	}
	b.WriteString(plain.Table([]string{"When", "What"}, rows))
	b.WriteString("\n*Add what people saw, believed and did at the time, with links. What looks wrong now and looked right then?*\n")
}

func causes(b *strings.Builder) {
	b.WriteString("*Trigger: what set it off?*\n\n" +
		"*Root cause: what made the system answer to it like this? Ask why until the answer is something we can change.*\n\n" +
		"*Contributing factors: what made it likelier, larger or longer (capacity, defaults, missing limits, tools, knowledge, process)?*\n")
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
	b.WriteString(plain.Table([]string{"What, so that its end can be verified", "Kind", "Priority", "Owner", "Due", "Ticket", "Done"}, rows))
	if d.Verdict.Required && !d.Facts.Incident.Open {
		zone := d.Facts.Zone
		if zone == nil {
			zone = time.UTC
		}
		b.WriteString("\nReview this draft by " + NextReview(d.Times.Resolved, zone).Format("2006-01-02") + " (five working days).\n")
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
		rows = append(rows, []string{d.when(e.Onset), plain.Code(e.ID), string(e.Severity), plain.Duration(e.Duration()), plain.Events(e.Bad())})
	}
	b.WriteString(plain.Table([]string{"Onset", "Incident", "Severity", "Duration:", "Bad events:"}, rows))
	if more := len(d.Earlier) - maxEarlier; more > 0 {
		b.WriteString("\n+ " + plain.Count(more) + " more\n")
	}
	b.WriteString("\n*Is this the same cause again? Which action items of then were not done?*\n")
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
		strconv.FormatInt(q.At.Unix(), 10) + "). Prometheus extrapolates to the ends of a range and slowburn counts every sample, so they may differ a little.\n")
	for _, q := range d.Queries {
		b.WriteString("\n" + q.What)
		if q.Note != "" {
			b.WriteString(" (" + q.Note + ")")
		}
		b.WriteString("\n\n" + plain.Fence("promql", q.Text))
	}
}
