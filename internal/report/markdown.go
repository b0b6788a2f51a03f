package report

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/markdown"
	"github.com/slowburn-sre/slowburn/internal/sentences"
	"github.com/slowburn-sre/slowburn/slo"
)

// section is one part of a report as Markdown, without its heading.
type section struct {
	heading string
	write   func(limit int) string // limit is how many rows at most, 0 is all
}

const (
	numberHeading   = "In numbers"
	decisionHeading = "To be decided"
	// appendixHeading is what stands above the sections that are looked up, not read.
	appendixHeading = "Appendix"
)

func (r Report) sections() []section { return append(r.body(), r.appendix()...) }

// body lists the sections that are read.
func (r Report) body() []section {
	return []section{
		{numberHeading, func(int) string { return r.numberText() }},
		{decisionHeading, r.decisionText},
		{"Budgets", r.budgetText},
		{"Where the budget went", r.burnerText},
		{"Incidents and postmortems", r.incidentText},
		{"Pages and tickets", r.loadText},
		{"Changes and what they cost", r.changeText},
		{"Action items", r.actionText},
		{"Golden signals", r.serviceText},
	}
}

// appendix lists the sections that are looked up.
func (r Report) appendix() []section {
	all := []section{{"Worst windows", r.worstText}, {"Data quality", r.dataText}}
	if r.Drills != nil {
		all = append(all, section{"Drills", r.drillText})
	}
	if r.Audit != nil {
		all = append(all, section{"Audit log", r.auditText})
	}
	return all
}

// Markdown writes the whole report. The same report gives the same bytes.
func (r Report) Markdown() string {
	var b strings.Builder
	b.WriteString("# " + markdown.Text(r.Title()) + "\n\n**" + markdown.Text(r.Verdict()) + "**\n\n" + markdown.Text(r.Span()) + "\n")
	if r.Late {
		b.WriteString("\nThis report is late: it was scheduled for a time at which slowburn did not run.\n")
	}
	if len(r.Missed) > 0 {
		names := make([]string, len(r.Missed))
		for n, p := range r.Missed {
			names[n] = p.String()
		}
		b.WriteString("\nOlder reports that were not sent: " + strings.Join(names, ", ") + "\n")
	}
	for _, s := range r.body() {
		b.WriteString("\n## " + s.heading + "\n\n" + s.write(0))
	}
	b.WriteString("\n## " + appendixHeading + "\n")
	for _, s := range append(r.appendix(), section{"How to check a figure", r.traceText}) {
		b.WriteString("\n### " + s.heading + "\n\n" + s.write(0))
	}
	if r.Previous.URL != "" {
		b.WriteString("\nPrevious report: " + markdown.Link(r.Previous.Text, r.Previous.URL) + "\n")
	}
	return b.String()
}

// cut applies a row limit and says what it left out.
func cut(rows [][]string, limit int) ([][]string, string) {
	if limit == 0 || len(rows) <= limit {
		return rows, ""
	}
	return rows[:limit], "\n+ " + figures.Count(len(rows)-limit) + " more in the full report\n"
}

func table(head []string, rows [][]string, limit int) string {
	rows, more := cut(rows, limit)
	return markdown.Table(head, rows) + more
}

func (r Report) decisionText(limit int) string {
	if len(r.Decisions) == 0 {
		return "Nothing.\n"
	}
	var lines [][]string
	for _, d := range r.Decisions {
		name := ""
		if d.ID != "" {
			name = markdown.Code(string(d.ID)) + ": "
		}
		lines = append(lines, []string{"- " + name + markdown.Text(d.Text) + "\n"})
	}
	lines, more := cut(lines, limit)
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(l[0])
	}
	return b.String() + more
}

func (r Report) budgetText(limit int) string {
	if len(r.Rows) == 0 {
		return "There are no SLOs.\n"
	}
	head := []string{"SLO", "Owner", "SLI:", "Objective:", "Window", "Budget left:", "Change:", "Exhausted in", "Standing"}
	var rows [][]string
	for _, w := range r.Rows {
		rows = append(rows, []string{
			markdown.Code(string(w.ID)), markdown.Value(w.Spec.Owner), w.SLI(), w.objective(), figures.Window(w.Budget.Window), w.Left(), w.Change(), w.exhaustion(), w.Verdict.Text(),
		})
		for _, o := range w.Others {
			rows = append(rows, []string{
				"", "", figures.SLI(o.Budget.Sum.Bad, o.Budget.Sum.Total, w.Spec.Objective), w.objective(), figures.Window(o.Budget.Window),
				o.Budget.LeftText(), figures.Unknown, figures.Unknown, o.Verdict.Text(),
			})
		}
	}
	return table(head, rows, limit) + groupText(r.Rows) +
		"\nBudget left is the share of the window's bad events that may still happen; change is in points of it since the period began. " +
		"The forecast takes the burn of the window's last days, with the band in which it lies four times of five; where the band is wide, only the band is told. — is not known.\n"
}

// groupText sums up SLOs that have one budget per label value.
func groupText(rows []Row) string {
	count, over := map[slo.ID]int{}, map[slo.ID]int{}
	var order []slo.ID
	for _, r := range rows {
		if r.ID.Group() == "" {
			continue
		}
		base := r.ID.Base()
		if count[base] == 0 {
			order = append(order, base)
		}
		count[base]++
		if r.Verdict == Over {
			over[base]++
		}
	}
	var b strings.Builder
	for _, id := range order {
		b.WriteString("\n" + markdown.Code(string(id)) + " has " + figures.Plural(count[id], "budget") + ", " + figures.Count(over[id]) + " over.\n")
	}
	return b.String()
}

// noBurn stands where there is nothing to list.
const noBurn = "No bad event is known of this period.\n"

func (r Report) burnerText(limit int) string {
	if len(r.Burners) == 0 {
		return noBurn
	}
	var rows [][]string
	for _, b := range r.Burners {
		rows = append(rows, []string{
			markdown.Code(string(b.ID)), figures.Events(b.Bad), b.Budget.CostOf(b.Bad),
			figures.Events(b.Attributed) + " (" + figures.Known(float64(b.Attributed)/float64(b.Bad)) + ")",
			figures.Events(b.Unattributed) + " (" + figures.Share(b.Unattributed, b.Bad) + ")", strconv.Itoa(b.Incidents),
		})
	}
	head := []string{"SLO", "Bad events:", "Of its budget:", "In incidents:", "Unattributed:", "Incidents:"}
	return table(head, rows, limit) + "\nBad events of the period alone. In incidents and unattributed add up to all; unattributed " + sentences.Unattributed + ".\n"
}

func (r Report) incidentText(limit int) string {
	if len(r.Incidents) == 0 {
		return "None.\n"
	}
	var rows [][]string
	for _, i := range r.Incidents {
		rows = append(rows, i.cells(r.zone))
	}
	head := []string{"Onset", "SLO", "What", "TTD:", "TTA:", "TTR:", "Bad in period:", "Of its budget:", "Taken by", "Postmortem", "Incident"}
	return table(head, rows, limit) + "\nTTD and TTR count from the onset, the first bad minute: to when it was told, and to the last one. " +
		"TTA counts from the alert to the first acknowledgement.\n"
}

// cells returns the incident's row. Missing data cost nothing that is known.
func (i Incident) cells(zone *time.Location) []string {
	what, cost := string(i.Severity), []string{figures.Unknown, figures.Unknown}
	switch {
	case i.Rule == alerting.RuleDeclared && i.SLO.Name() == "":
		what += ", declared"
	default:
		if i.Rule == alerting.RuleDeclared {
			what += ", declared"
		}
		if i.Verdict.Bad > 0 || i.Last.Budget.Allowed > 0 { // else it was declared, and what it took is not known
			cost = []string{figures.Events(i.InPeriod), i.CostText()}
		}
	}
	resolve := "open"
	if !i.Open {
		resolve = figures.Duration(i.TimeToResolve())
	}
	taken := figures.Unknown
	if ack, ok := i.TimeToAcknowledge(); ok {
		taken = figures.Duration(ack)
	}
	row := []string{figures.In(i.Onset, zone), markdown.Code(string(i.SLO)), what, figures.Duration(i.TimeToDetect()), taken, resolve}
	return append(append(row, cost...), markdown.Value(i.Taken), i.reviewText(), markdown.Code(i.ID))
}

// median writes the median with how many values it rests on.
func median(all []time.Duration) string {
	if len(all) == 0 {
		return figures.Unknown
	}
	slices.Sort(all)
	return figures.Duration(alerting.Median(all)) + " (n = " + strconv.Itoa(len(all)) + ")"
}

func (r Report) loadText(int) string {
	l := r.Load
	s := figures.Plural(l.Pages, "page") + " in " + figures.Plural(l.Shifts, "shift") + " of twelve hours, " + figures.Count(l.OutOfHours) +
		" out of hours (Mon–Fri 09–18 " + markdown.Text(r.Zone) + "). " + figures.Plural(l.Tickets, "ticket") + ", " +
		figures.Plural(l.NoData, "notice") + " of missing data. Open at the end: " + figures.Count(l.Unresolved) + ".\n"
	if l.Pages > 0 {
		s += "\nThe line is two pages a shift: " + figures.Plural(l.Heavy, "shift") + " above it; most were " +
			figures.Count(l.MostPages) + ", in the shift from " + figures.In(l.MostAt, r.zone) + ".\n"
	}
	return s + r.peopleText()
}

func (r Report) dataText(limit int) string {
	var rows [][]string
	for _, w := range r.Rows {
		s := w.InPeriod
		note := ""
		switch {
		case s.Known+s.Partial == 0:
			note = "no data"
		case s.Total == 0:
			note = "no traffic"
		}
		if s.Known == s.Minutes && s.Estimated == 0 && w.InWindow.Estimated == 0 && note == "" {
			continue
		}
		rows = append(rows, []string{
			markdown.Code(string(w.ID)), s.Coverage(), figures.Count(s.Unknown), figures.Count(s.Partial), figures.Count(s.Unread), w.InWindow.Coverage(), note,
		})
	}
	text := "Every minute of the period is known.\n"
	if len(rows) > 0 {
		head := []string{"SLO", "Known:", "Unknown min:", "Partial min:", "Never read min:", "Known of window:", "Note"}
		text = figures.Plural(len(r.Rows)-len(rows), "budget") + " without a gap or an estimate. The others:\n\n" + table(head, rows, limit)
	}
	text += r.correctionsText(limit)
	if r.Undelivered > 0 {
		text += "\n**" + figures.Plural(r.Undelivered, "message") + " could not be delivered**; the page /status says which and why.\n"
	}
	return text
}

// correctionsText shows gross beside net for the budgets that corrections concern, and who answers
// for them.
func (r Report) correctionsText(limit int) string {
	var rows [][]string
	for _, w := range r.Rows {
		for i, o := range w.Budget.LeftOut {
			id, net, gross := "", "", ""
			if i == 0 {
				id, net = markdown.Code(string(w.ID)), w.Budget.CostOf(w.Budget.Sum.Bad)
				gross = w.Budget.Gross.CostOf(w.Budget.Gross.Sum.Bad)
			}
			text := o.Text()
			if end := o.Correction.Expires; !end.IsZero() && !end.After(r.To) {
				text += "; expired " + figures.UTC(end)
			}
			rows = append(rows, []string{id, net, gross, markdown.Text(text)})
		}
	}
	if len(rows) == 0 {
		return ""
	}
	return "\nCorrections leave minutes out. The figures of this report are without them:\n\n" +
		table([]string{"SLO", "Spent:", "Spent without corrections:", "Left out of the window"}, rows, limit)
}

// traceText gives the query behind every row, as it can be pasted.
func (r Report) traceText(int) string {
	if len(r.Rows) == 0 {
		return "There is nothing to check.\n"
	}
	var b strings.Builder
	b.WriteString("Each query asks Prometheus, at whatever time, for the share of bad events of a budget's window, as far back as it keeps its data. " +
		sentences.Extrapolates + " Of a histogram the first half answers if it is a classic one, the second if it is native.\n")
	for _, w := range r.Rows {
		b.WriteString("\n" + markdown.Code(string(w.ID)) + ": SLI " + w.SLI() + " from " + figures.UTC(w.Budget.From) + " to " + figures.UTC(w.Budget.At) + ", " + w.InWindow.Coverage() + " known\n")
		if w.Query != "" {
			b.WriteString("\n" + markdown.Fence("promql", w.Query))
		}
	}
	return b.String()
}
