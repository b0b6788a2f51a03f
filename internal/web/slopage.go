package web

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/incidents"
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
	BurnDown  chart
	Burns     chart
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

// rangeLink shows the charts over another time.
type rangeLink struct {
	Name, To string
	Here     bool
}

// ranges are the times that the charts can show beside their own.
var ranges = []struct {
	Name   string
	Length time.Duration
}{{"6h", 6 * time.Hour}, {"1d", slo.Day}, {"7d", 7 * slo.Day}, {"28d", 28 * slo.Day}}

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
	var span time.Duration
	v.Ranges, span = rangesOf(s.prefix+budgetPath(b.ID), r.URL.Query().Get("range"))
	v.BurnDown, v.Burns = s.burnDown(b, found, span), s.burnRates(b, found, span)
	v.Calendar = s.calendar(b, found)
	v.Changes = part{Heading: "Changes of the last four weeks", Table: s.changeTable(s.changesOn(b)), Empty: sentences.NoChanges}
	v.Before = s.sloParts(b, r.URL.Query().Get("power") != "")
	return v
}

// rangesOf returns the links to other times, and the time that was asked for; zero is each chart's
// own.
func rangesOf(path, asked string) ([]rangeLink, time.Duration) {
	var span time.Duration
	all := []rangeLink{{"usual", path + "#charts", true}}
	for _, r := range ranges {
		one := rangeLink{r.Name, path + joint(path) + "range=" + r.Name + "#charts", r.Name == asked}
		if one.Here {
			span, all[0].Here = r.Length, false
		}
		all = append(all, one)
	}
	return all, span
}

// sloFacts returns the figures at the top.
func sloFacts(rw row, b engine.Budget) []fact {
	st := b.Windows[0]
	bad := unknown("nothing read yet")
	if st.Sum.Seen() > 0 {
		bad = figure{figures.Events(st.Sum.Bad), "of " + st.AllowedText() + " allowed in " + figures.Window(st.Window)}
	}
	return []fact{
		{"Objective", figure{rw.Objective, "in " + figures.Window(st.Window)}},
		{"SLI", rw.SLI},
		{"Budget left", rw.Left},
		{"Bad events", bad},
		{"Fast burn", rw.Fast},
		{"Slow burn", rw.Slow},
		{"Forecast", rw.Forecast},
		{"Owner", figure{cmp.Or(rw.Owner, figures.Unknown), rw.Tier}},
	}
}

// sloParts returns the tables between the charts and the incidents.
func (s *site) sloParts(b engine.Budget, power bool) []part {
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
		s.powerPart(b, power),
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

// burnDown draws what was left of the budget over so long a time, over the first window if it is
// zero.
func (s *site) burnDown(b engine.Budget, incidents []alerting.Incident, span time.Duration) chart {
	window := b.Spec.Window()
	from := later(b.AsOf.Add(-cmp.Or(span, window.Length())), b.Since).Truncate(time.Hour)
	unit := time.Hour
	if b.AsOf.Sub(from) <= slo.Day {
		unit = time.Minute
	}
	step := whole(b.AsOf.Sub(from)/200, unit)
	left, _ := s.Source.Snapshot().BurnDown(b.ID, from.Add(step), b.AsOf, step)
	points, _ := s.Source.Snapshot().History(b.ID, from, b.AsOf, step)
	seen := map[int64]bool{}
	for _, p := range points {
		seen[p.At.Add(step).Unix()] = p.Sum.Seen() > 0
	}
	if now := b.Windows[0]; now.Sum.Total > 0 && (len(left) == 0 || left[len(left)-1].At.Before(now.At)) {
		left, seen[now.At.Unix()] = append(left, now), len(points) > 0 && points[len(points)-1].Sum.Seen() > 0
	}
	l, known := line{Key: "a", Name: "budget left"}, []budget.Status(nil)
	for _, st := range left {
		p := point{st.At, 100 * st.Remaining(), st.Sum.Total > 0 && st.Sized && seen[st.At.Unix()]}
		if l.Points = append(l.Points, p); p.Known {
			known = append(known, st)
		}
	}
	title := "Error budget left, " + figures.Window(window) + " window"
	if span > 0 {
		title += ", last " + figures.Duration(span)
	}
	return chart{
		ID: "burn-down", Title: title, Words: downWords(known, len(left) > len(known)),
		From: from, To: b.AsOf, Low: 0, High: 100, Unit: percentAxis, Lines: []line{l}, Shades: shadesOf(incidents, b.AsOf),
	}
}

// downWords says what a burn-down shows.
func downWords(known []budget.Status, gaps bool) string {
	if len(known) == 0 {
		return "Nothing is known yet."
	}
	left := func(st budget.Status) string {
		return st.LeftText() + " on " + figures.UTC(st.At)
	}
	s := "From " + left(known[0]) + " to " + left(known[len(known)-1]) + "."
	if gaps {
		s += " Where nothing is known there is a gap."
	}
	return s
}

// burnRates draws the burn over the long windows of the page pairs: over so long a time, or if it
// is zero for two days, as far as single minutes are kept. Further back it goes by the hour.
func (s *site) burnRates(b engine.Budget, incidents []alerting.Incident, asked time.Duration) chart {
	pairs := b.Spec.Alerts.Page
	if len(pairs) == 0 {
		pairs = b.Spec.Alerts.Ticket
	}
	pairs = pairs[:min(len(pairs), 2)]
	longest := time.Hour
	for _, p := range pairs {
		longest = max(longest, p.Long)
	}
	kept := time.Duration(alerting.Horizon(b.Spec))*time.Minute - longest - time.Hour
	span := cmp.Or(asked, min(48*time.Hour, max(kept.Truncate(time.Hour), time.Hour)))
	from := later(b.AsOf.Add(-span), b.Since)
	unit := time.Minute
	if span > kept {
		unit = time.Hour
	}
	step := whole(span/288, unit)
	points, _ := s.Source.Snapshot().History(b.ID, b.AsOf.Add(-b.AsOf.Sub(from).Truncate(step)-longest.Truncate(step)), b.AsOf, step)
	c := chart{
		ID: "burn-rate", Title: "Burn rate, last " + figures.Duration(b.AsOf.Sub(from).Truncate(time.Minute)), From: from, To: b.AsOf, High: 1, Unit: "×",
		Shades: shadesOf(incidents, b.AsOf),
	}
	var words []string
	for n, p := range pairs {
		l := line{Key: string(rune('a' + n)), Name: "over " + figures.Duration(p.Long), Points: sliding(points, b.Spec.Objective, step, p.Long, from)}
		limit := p.Burn(b.Spec.Window().Length())
		c.Lines = append(c.Lines, l)
		c.Thresholds = append(c.Thresholds, threshold{limit, "alert above " + figures.Times(limit) + " over " + figures.Duration(p.Long)})
		c.High = max(c.High, limit*1.15)
		words = append(words, highest(l))
	}
	c.Words = strings.Join(words, " ")
	return c
}

// sliding returns the burn rate over the window before the end of each step.
func sliding(points []incidents.Point, o slo.Objective, step, window time.Duration, from time.Time) []point {
	var all []point
	n := max(int(window/step), 1)
	for i := range points {
		end := points[i].At.Add(step)
		if end.Before(from) {
			continue
		}
		var sum budget.Sum
		for _, p := range points[max(0, i+1-n) : i+1] {
			sum = sum.Plus(p.Sum)
		}
		rate, ok := budget.Burn(sum, o)
		all = append(all, point{end, rate, ok && points[i].Sum.Seen() > 0})
	}
	return all
}

func highest(l line) string {
	top := point{}
	for _, p := range l.Points {
		if p.Known && (!top.Known || p.Value > top.Value) {
			top = p
		}
	}
	if !top.Known {
		return "Burn " + l.Name + ": nothing is known."
	}
	return fmt.Sprintf("Burn %s: at most %s, at %s.", l.Name, figures.Times(top.Value), figures.UTC(top.At))
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
