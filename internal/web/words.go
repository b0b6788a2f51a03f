package web

import (
	"cmp"
	"html/template"
	"net/url"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/sentences"
	"github.com/slowburn-sre/slowburn/slo"
)

// figure is a number for people. Note says over which window it was taken, or why it is not known.
type figure struct{ Text, Note string }

func unknown(why string) figure { return figure{figures.Unknown, why} }

// sliOf writes the SLI of a sum.
func sliOf(s budget.Sum, o slo.Objective) string { return figures.SLI(s.Bad, s.Total, o) }

// windowFigures returns the SLI of a window, and the share of its budget that is left.
func windowFigures(st budget.Status, o slo.Objective) (sli, left figure) {
	window := figures.Window(st.Window)
	switch {
	case st.Sum.Seen() == 0:
		return unknown("nothing read yet"), unknown("nothing read yet")
	case st.Sum.Total == 0:
		return unknown("no events in " + window), unknown("no events in " + window)
	}
	sli = figure{sliOf(st.Sum, o), "in " + window}
	if !st.Sized {
		return sli, unknown("only " + st.KnownText() + " of " + window + " is known")
	}
	return sli, figure{st.LeftText(), "of " + window}
}

// exhausted says in how long the budget will be gone.
func exhausted(b *engine.Budget) figure {
	f := forecast(b)
	if b.Windows[0].Sum.Total > 0 {
		f.Text = sentences.TimeToExhaustion(b.Outlook)
	}
	return f
}

// forecast says when the budget will be gone, or why nobody knows.
func forecast(b *engine.Budget) figure {
	w := b.Windows[0]
	text, note := sentences.Exhaustion(b.Outlook)
	switch {
	case w.Sum.Total == 0:
		return unknown("no events")
	case text != figures.Unknown:
		return figure{text, note}
	case !w.Sized:
		return unknown("too little of " + figures.Window(w.Window) + " is known")
	}
	return unknown("too few failures lately")
}

// grade is how a budget stands, as a page shows it. Key is for the style sheet and for filters.
type grade struct {
	alerting.Grade
	Key, Word string
}

// shownGrade returns a grade as a page shows it.
func shownGrade(g alerting.Grade) grade {
	return grade{g, strings.ReplaceAll(string(g), "_", "-"), sentences.Sentence(strings.ReplaceAll(string(g), "_", " "))}
}

func gradeOf(b *engine.Budget) grade {
	return shownGrade(alerting.GradeOf(b.Windows[0], b.Data, b.Open))
}

// dataWords explain the states of a minute.
var dataWords = map[string]string{
	"ok":           "The newest minute was read and had events.",
	"zero_traffic": "The newest minute was read; there were no events in it.",
	"absent":       "Prometheus answered and had no data for the newest minute. Nothing is decided on that.",
	"partial":      "How many events there were is known, but not exactly when. Nothing is decided on that.",
	"error":        "The newest reading failed. Nothing is decided until one works.",
	"unseen":       "Not read yet.",
}

// combineWords explain how a journey is derived.
var combineWords = map[slo.Combine]string{
	slo.Weakest:  "as bad as the worst of them",
	slo.Product:  "as if they failed independently",
	slo.Weighted: "their mean by weight",
}

// indicatorWords explain an indicator.
func indicatorWords(i slo.Indicator) string {
	limit := i.LimitText
	switch {
	case i.Journey != nil:
		limit = combineWords[i.Journey.Combine]
	case i.GoodWhen.Op != "":
		limit = i.GoodWhen.Op + " " + figures.Decimal(i.GoodWhen.Value)
	}
	return strings.Replace(i.Kind.Words(), "%s", limit, 1)
}

// query is one query with what it counts.
type query struct{ Name, Text string }

// partWords name the queries of an indicator.
var partWords = map[string]string{
	"total": "Total events", "bad": "Bad events", "good": "Good events", "histogram": "Histogram", "up": "Gauge", "query": "Value",
}

func queriesOf(s *slo.Spec) (all []query) {
	for part, q := range s.Parts() {
		all = append(all, query{cmp.Or(partWords[part], part), q.Text})
	}
	return all
}

// stamp returns a time to the minute; the element has it exactly.
func stamp(t time.Time) template.HTML {
	if t.IsZero() {
		return figures.Unknown
	}
	return moment(t, figures.UTC(t))
}

// moment returns words that name a time; the element has it exactly.
func moment(t time.Time, words string) template.HTML {
	iso := t.UTC().Format(time.RFC3339)
	return `<time datetime="` + text(iso) + `" title="` + text(iso) + `">` + text(words) + `</time>`
}

// budgetPath returns the address of a budget's page, without the prefix.
func budgetPath(id slo.ID) string {
	path := "/slo/" + url.PathEscape(id.Service()) + "/" + url.PathEscape(id.Name())
	if g := id.Group(); g != "" {
		path += "?labels=" + url.QueryEscape(g)
	}
	return path
}

// incidentPath returns the address of an incident's page, without the prefix. Slashes stay readable
// unless a server on the way would fold them.
func incidentPath(id string) string {
	escaped := url.PathEscape(id)
	if strings.Contains(id, "//") || strings.Contains(id, "/.") {
		return "/incidents/" + escaped
	}
	return "/incidents/" + strings.ReplaceAll(escaped, "%2F", "/")
}
