package web

import (
	"fmt"
	"html"
	"html/template"
	"net/url"
	"slices"
	"strings"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/sentences"
	"github.com/slowburn-sre/slowburn/slo"
)

// This file is the only place, beside chart.go, in which Go writes HTML: every table of every page
// is made here. What comes from outside goes through text, link or one of the functions that are
// made of them, so it is escaped.

// markup is a piece of a page, escaped already.
type markup = template.HTML

// table is a table of any page. On a narrow screen each row becomes a card, and each cell is told
// by its column's name.
type table struct {
	Label string // what it is, for those who do not see it
	Head  []column
	Rows  [][]markup // of each row one cell per column; "" is a cell that says nothing
}

// column is one column; How says how its cells look.
type column struct {
	Name string
	How  how
}

// how a cell looks, and how much room it takes on a narrow screen.
type how string

// The kinds of column.
const (
	asText   how = "wide"    // words: two columns' room
	asNumber how = "number"  // a figure, to the right
	asName   how = "c-name"  // what the row is about; the row's heading
	asWhole  how = "whole"   // a sentence: a line of its own
	asState  how = "c-state" // a badge, above everything
	asBar    how = "budget"  // a figure with a bar
)

// add appends a row.
func (t *table) add(cells ...markup) { t.Rows = append(t.Rows, cells) }

// HTML writes the table; without rows there is none. The roles are there because a table that is
// laid out as cards is no table to a screen reader any more.
func (t table) HTML() markup {
	if len(t.Rows) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<table class="list" role="table" aria-label="%s"><thead role="rowgroup"><tr role="row">`, html.EscapeString(t.Label))
	for _, c := range t.Head {
		fmt.Fprintf(&b, `<th role="columnheader" scope="col" class="%s">%s</th>`, c.How, html.EscapeString(c.Name))
	}
	b.WriteString(`</tr></thead><tbody role="rowgroup">`)
	for _, row := range t.Rows {
		b.WriteString("<tr role=\"row\">\n")
		for n, cell := range row {
			t.Head[n].write(&b, cell)
		}
		b.WriteString("</tr>\n")
	}
	b.WriteString("</tbody></table>\n")
	return markup(b.String()) //nolint:gosec // escaped piece by piece
}

// write writes one cell.
func (c column) write(b *strings.Builder, cell markup) {
	switch {
	case c.How == asName:
		fmt.Fprintf(b, `<th role="rowheader" scope="row" class="c-name whole">%s</th>`, cell)
	case c.How == asState || cell == "":
		fmt.Fprintf(b, `<td role="cell" class="%s">%s</td>`, c.How, cell)
	default:
		fmt.Fprintf(b, `<td role="cell" class="%s" data-name="%s">%s</td>`, c.How, html.EscapeString(c.Name), cell)
	}
	b.WriteByte('\n')
}

// text returns other people's text.
func text(s string) markup { return markup(html.EscapeString(s)) } //nolint:gosec // escaped

// small returns a text that says more about what stands before it.
func small(s string) markup {
	if s == "" {
		return ""
	}
	return " <small>" + text(s) + "</small>"
}

// figureOf returns a figure with its note.
func figureOf(f figure) markup {
	return `<span class="figure">` + text(f.Text) + "</span>" + small(f.Note)
}

// icons are the shapes of states: nobody has to tell them by their colour. The layout draws them.
var icons = map[string]string{
	"page": "page", "spent": "lock", "ticket": "ticket", "low": "ask", "no-data": "none", "unknown": "none", "exempt": "none", "good": "ok",
}

// icon returns a shape of the layout's.
func icon(name string) markup {
	return `<svg class="i" aria-hidden="true"><use href="#i-` + text(name) + `"/></svg>`
}

// badge returns a state in a word, in one of the style sheet's colours and with its shape.
func badge(key, word string) markup {
	shape := markup("")
	if name := icons[key]; name != "" {
		shape = icon(name)
	}
	return `<span class="state state-` + text(key) + `">` + shape + text(word) + "</span>"
}

// calm returns a state that nobody has to look at.
func calm(shape, word string) markup {
	return `<span class="quiet">` + icon(shape) + text(word) + "</span>"
}

// link returns a link; one that leads anywhere but to a web page, or within these pages, is its
// text alone.
func link(to, words string) markup {
	u, err := url.Parse(to)
	if err != nil || to == "" || !slices.Contains([]string{"", "http", "https"}, u.Scheme) {
		return text(words)
	}
	return `<a href="` + text(to) + `">` + text(words) + "</a>"
}

// barOf returns a bar of so many percent.
func barOf(key string, percent float64) markup {
	return markup(fmt.Sprintf(`<svg class="bar bar-%s" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">`+ //nolint:gosec // numbers and our own words
		`<rect class="track" width="100" height="6"/><rect class="fill" width="%.1f" height="6"/></svg>`, key, percent))
}

// links makes the links within the pages: each begins with the path of the external URL, without
// the slash at its end.
type links struct{ prefix string }

func (l links) sloLink(id slo.ID) markup { return link(l.prefix+budgetPath(id), string(id)) }

func (l links) serviceLink(name string) markup { return link(l.prefix+servicePath(name), name) }

func (l links) incidentLink(id, words string) markup { return link(l.prefix+incidentPath(id), words) }

// incidentTable lists incidents.
func (l links) incidentTable(found []alerting.Incident) table {
	t := table{Label: "Incidents", Head: []column{
		{"Incident", asName},
		{"SLO", asWhole},
		{"Onset", asText},
		{"State", asText},
		{"Burned for", asNumber},
		{"Cost", asNumber},
	}}
	for _, i := range found {
		about := `<span class="hidden"> of ` + text(string(i.SLO)) + ", " + text(figures.UTC(i.Onset)) + "</span>"
		name := `<a href="` + text(l.prefix+incidentPath(i.ID)) + `">` + text(nameOf(i)) + about + "</a>"
		t.add(name, l.sloLink(i.SLO), stamp(i.Onset), incidentState(i), text(figures.Duration(i.Duration())), text(i.CostText()))
	}
	return t
}

// nameOf returns what kind of incident it is, in a word or two.
func nameOf(i alerting.Incident) string {
	switch {
	case i.Rule == alerting.RuleNoData:
		return "No data"
	case i.Loud() == alerting.Page:
		return "Page"
	case i.Loud() == alerting.Ticket:
		return "Ticket"
	}
	return "Notice"
}

// stateKey returns the style sheet's name of an open incident's colour.
func stateKey(i alerting.Incident) string {
	if i.Rule == alerting.RuleNoData {
		return "no-data"
	}
	return string(i.Loud())
}

func incidentState(i alerting.Incident) markup {
	if i.Damaged {
		return badge("spent", "unreadable") + small("its record is damaged")
	}
	if !i.Open {
		return `<span class="resolved">` + markup(strings.ToLower(sentences.Ended(i))) + " " + stamp(i.Resolved) + "</span>"
	}
	state := badge(stateKey(i), "Open")
	if a, ok := i.Acknowledged(); ok {
		state += small("taken by " + a.By)
	}
	return state
}

// endedBadge says how an incident is over. It is green only if it has recovered.
func endedBadge(i alerting.Incident) markup {
	if i.Last.Reason.Recovered() {
		return badge("good", sentences.Ended(i))
	}
	return badge("unknown", sentences.Ended(i))
}

// legendOfGates returns the gates as they are shown where they are explained.
func legendOfGates() (all []alerting.Verdict) {
	for _, g := range sentences.Gates {
		all = append(all, alerting.Verdict{Gate: g, Go: g == alerting.GateOpen})
	}
	return all
}

// gateKeys colour the states of the gate.
var gateKeys = map[alerting.Gate]string{
	alerting.GateOpen: "good", alerting.GateCaution: "low", alerting.GateFrozen: "spent", alerting.GateExempt: "exempt", alerting.GateUnknown: "unknown",
}

// gateLine returns the state of the gate of a service: quiet while it is open.
func gateLine(v alerting.Verdict) markup {
	if v.Gate == alerting.GateOpen {
		return calm("ok", "gate: open")
	}
	return badge(gateKeys[v.Gate], "gate: "+string(v.Gate))
}

// gateBadge returns the state of the gate; somebody may have opened it in spite of that.
func gateBadge(v alerting.Verdict) markup {
	b := badge(gateKeys[v.Gate], string(v.Gate))
	if v.Go && v.Gate != alerting.GateOpen && v.Gate != alerting.GateExempt {
		b += small("overridden")
	}
	return b
}

// servicePath returns the address of a service's page, without the prefix.
func servicePath(name string) string { return "/services/" + url.PathEscape(name) }
