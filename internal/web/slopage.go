package web

import (
	"cmp"
	"context"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/sentences"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/slo"
)

// sloView is the page of one budget.
type sloView struct {
	row
	Budget    engine.Budget
	Facts     []fact
	Ranges    []rangeLink
	Charts    []chart
	Strip     template.HTML // the last four weeks; "" if the charts show them
	Banners   []banner
	MoreOpen  string
	Calendar  calendar
	Before    []part // how it stands, before the incidents
	NoArchive string // why there are no incidents
	Incidents table
	Changes   part
	Data      string
	Since     *time.Time // where the ledger begins; nil while it is empty
	Coverage  string
	Estimated string // which part of it is an estimate, in a sentence
	History   string
	Indicator string
	Queries   []query
}

func (s *site) sloPage(r *http.Request) (string, page, error) {
	path, labels := r.PathValue("id"), r.URL.Query().Get("labels")
	b, err := s.findBudget(path, labels)
	if err != nil {
		if groups := s.Source.Snapshot().BudgetsOf(slo.ID(path)); labels == "" && len(groups) > 0 {
			o := budgetList{s}.budgetsOf(r.Context(), groups)
			o.Lead, o.Label = path+", by "+strings.Join(groups[0].Spec.By, ", "), path
			return "overview", page{Title: path, Here: "slos", Body: o}, nil
		}
		return "", page{Here: "slos"}, err
	}
	return "slo", page{Title: string(b.ID), Here: "slos", Body: s.sloView(r, b)}, nil
}

func (s *site) sloView(r *http.Request, b engine.Budget) sloView {
	st := b.Windows[0]
	v := sloView{
		row: rowOf(rank(s.Source.Snapshot(), &b, s.Now())), Budget: b,
		Data: dataWords[b.Data], Indicator: indicatorWords(b.Spec.SLI), Queries: queriesOf(b.Spec),
		Since: sinceOf(b), Coverage: figures.Known(st.Coverage), Estimated: sentences.Estimated(st.Estimated()), History: figures.Known(b.Filling),
	}
	v.Facts = sloFacts(v.row, b)
	found, err := s.incidentsOf(r.Context(), store.IncidentFilter{SLO: b.ID, Limit: shownIncidents})
	if err != nil {
		v.NoArchive = "The incidents cannot be read: " + err.Error()
	}
	v.Incidents = s.incidentTable(found)
	for _, i := range b.Open {
		v.Banners = append(v.Banners, openIncidents{s.server}.bannerOf(s.Source.Snapshot(), i))
	}
	over := spanOf(r.URL.Query().Get("range"), len(b.Open) > 0)
	v.Ranges = rangesOf(s.prefix+budgetPath(b.ID), over)
	v.Charts, v.Strip = budgetCharts{s}.over(b, found, over)
	v.Calendar = s.calendar(b, found)
	v.Changes = part{Heading: "Changes of the last four weeks", Table: s.changeTable(s.changesOn(b)), Empty: sentences.NoChanges}
	v.Before = s.sloParts(r, b)
	return v
}

// sloFacts returns the figures at the top.
func sloFacts(rw row, b engine.Budget) []fact {
	st := b.Windows[0]
	bad := ""
	if st.Sum.Seen() > 0 {
		bad = figures.Events(st.Sum.Bad) + " bad of " + st.AllowedText() + " allowed"
	}
	left, burn := rw.Left, rw.Fast
	left.Note = cmp.Or(bad, left.Note)
	if rw.Slow.Text != figures.Unknown {
		burn.Note += " · " + rw.Slow.Text + " " + rw.Slow.Note
	}
	sli := rw.SLI
	sli.Note = "objective " + rw.Objective + " · " + figures.Window(st.Window)
	facts := []fact{{"Error budget left", left}, {"SLI", sli}, {"Burn rate", burn}, {"Exhausted in", rw.Exhausted}}
	if hasGate(rw.Gate) {
		facts = append(facts, fact{"Gate", figure{Text: string(rw.Gate.Gate)}})
	}
	return facts
}

// sloParts returns the tables between the charts and the incidents.
func (s *site) sloParts(r *http.Request, b engine.Budget) []part {
	alerts := table{Label: "Alerts", Head: []column{
		{"Alert", asName}, {"Fires when", asWhole}, {"Burn now", asText}, {"State", asText},
	}}
	for _, a := range b.Standings {
		alerts.add(alertCells(a, b)...)
	}
	windows := table{Label: "Windows", Head: []column{
		{"Window", asName},
		{"Since", asText},
		{"Events", asNumber},
		{"Bad", asNumber},
		{"Allowed", asNumber},
		{"SLI", asNumber},
		{"Budget left", asNumber},
		{"Minutes known", asNumber},
	}}
	for _, w := range b.Windows {
		windows.add(windowCells(figures.Window(w.Window), w, b.Spec.Objective)...)
		if g := w.Gross; g != nil {
			windows.add(windowCells(figures.Window(w.Window)+", without corrections", *g, b.Spec.Objective)...)
		}
	}
	parts := []part{
		{Heading: "Alerts", Words: noticesOf(b.Spec.Alerts), Table: alerts, Empty: "No burn of this SLO is told to anybody."},
		s.powerPart(r, b),
		{Heading: "Windows", Table: windows},
		s.worstPart(b),
	}
	if j := s.journeyPart(b); j != nil {
		parts = slices.Insert(parts, 0, *j)
	}
	if t := correctionTable(b); len(t.Rows) > 0 {
		parts = append(parts, part{Heading: "Corrections", Words: "These minutes do not count, neither their good events nor their bad ones, and nothing is told because of them.", Table: t})
	}
	return parts
}

func windowCells(name string, st budget.Status, o slo.Objective) []markup {
	events := []markup{figures.Unknown, figures.Unknown, figures.Unknown}
	if st.Sum.Seen() > 0 {
		events = []markup{text(figures.Events(st.Sum.Total)), text(figures.Events(st.Sum.Bad)), text(st.AllowedText())}
	}
	cells := append([]markup{text(name), stamp(st.From)}, events...)
	sli, left := windowFigures(st, o)
	return append(cells, text(sli.Text), text(left.Text), text(st.KnownText()))
}

// worstLengths are the lengths of the windows whose worst is shown.
var worstLengths = []time.Duration{5 * time.Minute, time.Hour, 6 * time.Hour, slo.Day, 7 * slo.Day}

// worstPart returns the worst stretch of every length.
func (s *site) worstPart(b engine.Budget) part {
	st := b.Windows[0]
	p := part{
		Heading: "Worst windows", ID: "worst", Empty: "Nothing went wrong.",
		Words: "The stretch of each length in which the largest share of events was bad. " + sentences.WorstWindows,
		Table: table{Label: "Worst windows", Head: []column{
			{"Length", asName},
			{"From", asText},
			{"SLI", asNumber},
			{"Bad", asNumber},
			{"Events", asNumber},
			{"Of the budget", asNumber},
		}},
	}
	s.Source.Snapshot().WithLedger(b.ID, func(_ *slo.Spec, l *budget.Ledger) {
		from, to := budget.MinuteOf(st.From), budget.MinuteOf(b.AsOf)
		for _, length := range worstLengths {
			w, ok := budget.Worst(l, from, to, length)
			if !ok || w.Sum.Bad == 0 || length > b.AsOf.Sub(st.From) {
				continue
			}
			p.Table.add(text(figures.Duration(length)), stamp(w.From.Time()), text(sliOf(w.Sum, b.Spec.Objective)), text(figures.Events(w.Sum.Bad)), text(figures.Events(w.Sum.Total)),
				text(st.CostOf(w.Sum.Bad)))
		}
	})
	return p
}

// correctionTable returns the corrections that leave something out of the first window, run, or are
// to come.
func correctionTable(b engine.Budget) table {
	left := map[*slo.Correction]budget.LeftOut{}
	for _, o := range b.Windows[0].LeftOut {
		left[o.Correction] = o
	}
	t := table{Label: "Corrections", Head: []column{
		{"Correction", asName},
		{"Why, and who says so", asWhole},
		{"When", asText},
		{"Left out of " + figures.Window(b.Windows[0].Window), asWhole},
	}}
	for _, c := range b.Corrections {
		o, concerns := left[c]
		next := slices.IndexFunc(c.Spans, func(s slo.Span) bool { return s.To.After(b.AsOf) })
		when, out := "ended "+figures.UTC(c.End()), figures.Unknown
		switch {
		case next >= 0 && !c.Spans[next].From.After(b.AsOf):
			when = "runs until " + figures.UTC(c.Spans[next].To)
		case next >= 0:
			when = "from " + figures.UTC(c.Spans[next].From) + " to " + figures.UTC(c.Spans[next].To)
		case !concerns:
			continue
		}
		if concerns {
			out = leftOutWords(o)
		}
		t.add(text(c.Name)+small(c.Kind.Text()), text(c.Reason+" ("+c.Author+")"), text(when), text(out))
	}
	return t
}

// leftOutWords says what a correction left out of a window.
func leftOutWords(o budget.LeftOut) string {
	words := fmt.Sprintf("%s: %s bad of %s events", figures.Plural(o.Minutes(), "minute"), figures.Events(o.Sum.Bad), figures.Events(o.Sum.Total))
	if n := o.Capped + o.Coarse; n > 0 {
		words += fmt.Sprintf("; %s count all the same (%s over the cap, %s in hours of which only the sum is known)", figures.Plural(n, "minute"), figures.Count(o.Capped), figures.Count(o.Coarse))
	}
	return words
}

// incidentsOf lists the incidents of one budget alone: the archive's are of all budgets of its SLO.
func (s *server) incidentsOf(ctx context.Context, f store.IncidentFilter) ([]alerting.Incident, error) {
	found, err := s.Archive.Incidents(ctx, f)
	return slices.DeleteFunc(found, func(i alerting.Incident) bool { return i.SLO != f.SLO }), err
}

// alertCells say when an alert fires and how it stands.
func alertCells(a alerting.Standing, b engine.Budget) []markup {
	long, short := figures.Duration(a.Pair.Long), figures.Duration(a.Pair.Short)
	when := sentences.Rule(a.Pair, b.Spec.Window())
	o := b.Spec.Objective
	now := figures.Burn(a.Long.Bad, a.Long.Total, o) + " over " + long + ", " + figures.Burn(a.Short.Bad, a.Short.Total, o) + " over " + short
	key, state := stateOf(a), "Quiet"
	switch key {
	case api.AlertFiring:
		state = "Firing"
	case api.AlertHeldBack:
		state = "Held back: " + a.HeldBack
		if a.Sure.Total > 0 && !a.Sure.Believed() {
			state += fmt.Sprintf(" (%s bad of %s events, in %s)", figures.Count(int(a.Sure.Bad)), figures.Count(int(a.Sure.Total)), figures.Different(a.Sure.Minutes, "minute"))
		}
	case api.AlertUnknown:
		state = "— no events over " + long
	}
	return []markup{text(string(a.Severity)), text(when), text(now), `<span class="alert-` + text(key) + `">` + text(state) + "</span>"}
}

// noticesOf says what else is told about an SLO.
func noticesOf(a slo.Alerts) string {
	var all []string
	if len(a.Spent) > 0 {
		var shares []string
		for _, s := range a.Spent {
			shares = append(shares, figures.Basis(s))
		}
		all = append(all, "A notice when "+strings.Join(shares, ", ")+" of the budget is spent.")
	}
	if a.NoData > 0 {
		all = append(all, "A ticket when there have been no data for "+figures.Duration(a.NoData)+".")
	}
	if a.Significance && len(a.Page)+len(a.Ticket) > 0 {
		all = append(all, "Pages and tickets are held back while the failures could be chance (low traffic).")
	}
	return strings.Join(all, " ")
}

// shadesOf returns the incidents as stretches of time.
func shadesOf(incidents []alerting.Incident, now time.Time) []shade {
	var all []shade
	for _, i := range incidents {
		to := i.Resolved
		if i.Open {
			to = now
		}
		all = append(all, shade{i.Onset, to, stateKey(i), string(i.Severity) + " from " + figures.UTC(i.Onset) + " to " + figures.UTC(to)})
	}
	return all
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// whole rounds a step up to whole units, so that it cuts nothing that the ledger keeps whole.
func whole(d, unit time.Duration) time.Duration { return max((d + unit - 1).Truncate(unit), unit) }
