package web

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/internal/report/plain"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/slo"
)

// sloView is the page of one budget.
type sloView struct {
	row
	Budget    engine.Budget
	Status    budget.Status // of the first window
	BurnDown  chart
	Burns     chart
	Days      []day
	Windows   []windowRow
	Corrected []correctionRow
	Alerts    []alertRow
	Notices   []string
	Incidents []incidentRow
	Gate      *Gate       // nil without a policy
	Changes   []changeRow // of the last four weeks
	NoArchive string      // why there are no incidents
	Data      string
	Since     *time.Time // where the ledger begins; nil while it is empty
	Coverage  string
	History   string
	Indicator string
	Queries   []query
	Journey   *journeyView // of a journey
}

// windowRow is one window of an SLO.
type windowRow struct {
	Name string
	budget.Status
	SLI, Left figure
	Coverage  string
}

// alertRow is one alert in plain words.
type alertRow struct {
	Severity, When, Now, State, Key string
}

// day is one row of the figures behind the charts.
type day struct {
	At    time.Time
	Sum   budget.Sum
	SLI   string
	Spent string // share of the whole budget that went on this day
}

func (s *server) sloPage(r *http.Request) (string, page, error) {
	path, labels := r.PathValue("id"), r.URL.Query().Get("labels")
	b, err := s.findBudget(path, labels)
	if err != nil {
		if groups := s.budgetsOf(slo.ID(path)); labels == "" && len(groups) > 0 {
			o := overview{Heading: path + ", by " + strings.Join(groups[0].Spec.By, ", ")}
			o.fill(groups)
			return "overview", page{Title: path, Here: "slos", Body: o}, nil
		}
		return "", page{Here: "slos"}, err
	}
	return "slo", page{Title: string(b.ID), Here: "slos", Body: s.sloView(r.Context(), b)}, nil
}

func (s *server) sloView(ctx context.Context, b engine.Budget) sloView {
	st := b.Windows[0]
	v := sloView{
		row: rowOf(b, gradeOf(b)), Budget: b, Status: st, Notices: noticesOf(b.Spec.Alerts),
		Data: dataWords[b.Data], Indicator: indicatorWords(b.Spec.SLI), Queries: queriesOf(b.Spec.SLI),
		Since: sinceOf(b), Coverage: share(st.Coverage), History: share(b.Filling), Days: s.days(b), Journey: journeyViewOf(b),
	}
	for _, w := range b.Windows {
		v.Windows = append(v.Windows, windowRow{w.Window.String(), w, sliFigure(w), leftFigure(w), share(w.Coverage)})
		if g := w.Gross; g != nil {
			v.Windows = append(v.Windows, windowRow{w.Window.String() + ", without corrections", *g, sliFigure(*g), leftFigure(*g), share(g.Coverage)})
		}
	}
	for _, a := range b.Standings {
		v.Alerts = append(v.Alerts, alertRowOf(a, b))
	}
	v.Corrected = correctionRows(b)
	v.Gate, v.Changes = s.gateOn(b), s.changesOn(b)
	found, err := s.incidentsOf(ctx, b.ID)
	if err != nil {
		v.NoArchive = "The incidents cannot be read: " + err.Error()
	}
	v.Incidents = incidentRows(found)
	v.BurnDown, v.Burns = s.burnDown(b, found), s.burnRates(b, found)
	return v
}

// correctionRow is one correction in plain words.
type correctionRow struct {
	*slo.Correction
	When    string // it runs, ran or will run
	LeftOut string // of the first window
}

// correctionRows are the corrections that leave something out of the first window, run, or are to come.
func correctionRows(b engine.Budget) []correctionRow {
	left := map[*slo.Correction]budget.LeftOut{}
	for _, o := range b.Windows[0].LeftOut {
		left[o.Correction] = o
	}
	var all []correctionRow
	for _, c := range b.Corrections {
		o, concerns := left[c]
		next := slices.IndexFunc(c.Spans, func(s slo.Span) bool { return s.To.After(b.AsOf) })
		r := correctionRow{Correction: c, When: "ended " + plain.UTC(c.End())}
		switch {
		case next >= 0 && !c.Spans[next].From.After(b.AsOf):
			r.When = "runs until " + plain.UTC(c.Spans[next].To)
		case next >= 0:
			r.When = "from " + plain.UTC(c.Spans[next].From) + " to " + plain.UTC(c.Spans[next].To)
		case !concerns:
			continue
		}
		if concerns {
			r.LeftOut = fmt.Sprintf("%s: %s bad of %s events", plain.Plural(o.Minutes(), "minute"), plain.Events(o.Sum.Bad), plain.Events(o.Sum.Total))
			if n := o.Capped + o.Coarse; n > 0 {
				r.LeftOut += fmt.Sprintf("; %s count all the same (%d over the cap, %d in hours of which only the sum is known)", plain.Plural(n, "minute"), o.Capped, o.Coarse)
			}
		}
		all = append(all, r)
	}
	return all
}

// share is a ratio as a percentage, rounded down.
func share(r float64) string {
	if r >= 1 {
		return "100 %"
	}
	return plain.Percent(int64(r*1e9), 1e9, 1)
}

// incidentsOf lists the newest incidents of one budget.
func (s *server) incidentsOf(ctx context.Context, id slo.ID) ([]alerting.Incident, error) {
	found, err := s.Archive.Incidents(ctx, store.IncidentFilter{SLO: id, Limit: shownIncidents})
	return slices.DeleteFunc(found, func(i alerting.Incident) bool { return i.SLO != id }), err
}

// alertRowOf says when an alert fires and how it stands.
func alertRowOf(a alerting.Standing, b engine.Budget) alertRow {
	long, short := slo.ShortDuration(a.Pair.Long), slo.ShortDuration(a.Pair.Short)
	r := alertRow{
		Severity: string(a.Severity),
		When: fmt.Sprintf("%s of the budget would go in %s: burn above %s over %s, and still over %s",
			plain.Percent(a.Pair.Budget, 10000, 0), long, times(a.Threshold), long, short),
		Now: burnText(a.Long, b.Spec) + " over " + long + ", " + burnText(a.Short, b.Spec) + " over " + short,
		Key: stateOf(a),
	}
	switch r.Key {
	case alertFiring:
		r.State = "Firing"
	case alertHeldBack:
		r.State = "Held back: " + a.HeldBack
		if a.Severity == alerting.Page {
			r.State += fmt.Sprintf(" (%d bad of %d events, in %s)", a.Sure.Bad, a.Sure.Total, plain.Plural(a.Sure.Minutes, "different minute"))
		}
	case alertUnknown:
		r.State = "— no events over " + long
	default:
		r.State = "Quiet"
	}
	return r
}

func burnText(s budget.Sum, spec *slo.Spec) string {
	if rate, ok := budget.Burn(s, spec.Objective); ok {
		return times(rate)
	}
	return plain.Unknown
}

// noticesOf says what else is told about an SLO.
func noticesOf(a slo.Alerts) []string {
	var all []string
	if len(a.Spent) > 0 {
		var shares []string
		for _, s := range a.Spent {
			shares = append(shares, plain.Percent(s, 10000, 0))
		}
		all = append(all, "A notice when "+strings.Join(shares, ", ")+" of the budget is spent.")
	}
	if a.NoData > 0 {
		all = append(all, "A ticket when there have been no data for "+plain.Duration(a.NoData)+".")
	}
	if a.Significance && len(a.Page) > 0 {
		all = append(all, "Pages are held back while the failures could be chance (low traffic).")
	}
	return all
}

// burnDown draws what was left of the budget over the first window.
func (s *server) burnDown(b engine.Budget, incidents []alerting.Incident) chart {
	window := b.Spec.Window()
	from := later(b.AsOf.Add(-window.Length()), b.Since).Truncate(time.Hour)
	step := wholeHours(b.AsOf.Sub(from) / 200)
	left, _ := s.Source.BurnDown(b.ID, from.Add(step), b.AsOf, step)
	points, _ := s.Source.History(b.ID, from, b.AsOf, step)
	seen := map[int64]bool{}
	for _, p := range points {
		seen[p.At.Add(step).Unix()] = p.Sum.Seen() > 0
	}
	l := line{Key: "a", Name: "budget left"}
	for _, st := range left {
		l.Points = append(l.Points, point{st.At, 100 * st.Remaining(), st.Sum.Total > 0 && seen[st.At.Unix()]})
	}
	if now := b.Windows[0]; now.Sum.Total > 0 && (len(left) == 0 || left[len(left)-1].At.Before(now.At)) {
		l.Points = append(l.Points, point{now.At, 100 * now.Remaining(), seenAt(points)})
	}
	return chart{
		ID: "burn-down", Title: "Error budget left, " + window.String() + " window", Words: downWords(l.Points),
		From: from, To: b.AsOf, Low: 0, High: 100, Unit: "%", Lines: []line{l}, Shades: shadesOf(incidents, b.AsOf),
	}
}

// seenAt reports whether the newest step is known.
func seenAt(points []engine.Point) bool {
	return len(points) > 0 && points[len(points)-1].Sum.Seen() > 0
}

// downWords says what a burn-down shows.
func downWords(points []point) string {
	var first, last *point
	gaps := 0
	for n := range points {
		if !points[n].Known {
			gaps++
			continue
		}
		if first == nil {
			first = &points[n]
		}
		last = &points[n]
	}
	if first == nil {
		return "Nothing is known yet."
	}
	s := fmt.Sprintf("From %.1f %% on %s to %.1f %% on %s.", first.Value, plain.UTC(first.At), last.Value, plain.UTC(last.At))
	if gaps > 0 {
		s += " Where nothing is known there is a gap."
	}
	return s
}

// burnRates draws the burn over the long windows of the page pairs, for as long as single minutes are kept.
func (s *server) burnRates(b engine.Budget, incidents []alerting.Incident) chart {
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
	span := min(48*time.Hour, max(kept.Truncate(time.Hour), time.Hour))
	from := later(b.AsOf.Add(-span), b.Since)
	step := wholeMinutes(span / 288)
	points, _ := s.Source.History(b.ID, b.AsOf.Add(-b.AsOf.Sub(from).Truncate(step)-longest.Truncate(step)), b.AsOf, step)
	c := chart{
		ID: "burn-rate", Title: "Burn rate, last " + slo.ShortDuration(b.AsOf.Sub(from).Truncate(time.Minute)), From: from, To: b.AsOf, High: 1, Unit: "×",
		Shades: shadesOf(incidents, b.AsOf),
	}
	var words []string
	for n, p := range pairs {
		l := line{Key: string(rune('a' + n)), Name: "over " + slo.ShortDuration(p.Long), Points: sliding(points, b.Spec.Objective, step, p.Long, from)}
		limit := p.Burn(b.Spec.Window().Length())
		c.Lines = append(c.Lines, l)
		c.Thresholds = append(c.Thresholds, threshold{limit, "alert above " + times(limit) + " over " + slo.ShortDuration(p.Long)})
		c.High = max(c.High, limit*1.15)
		words = append(words, highest(l))
	}
	c.Words = strings.Join(words, " ")
	return c
}

// sliding is the burn rate over the window before the end of each step.
func sliding(points []engine.Point, o slo.Objective, step, window time.Duration, from time.Time) []point {
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
	return fmt.Sprintf("Burn %s: at most %s, at %s.", l.Name, times(top.Value), plain.UTC(top.At))
}

// shadesOf are the incidents as stretches of time.
func shadesOf(incidents []alerting.Incident, now time.Time) []shade {
	var all []shade
	for _, i := range incidents {
		to := i.Resolved
		if i.Open {
			to = now
		}
		key := string(i.Severity)
		if i.Rule == alerting.RuleNoData {
			key = "no-data"
		}
		all = append(all, shade{i.Onset, to, key, string(i.Severity) + " from " + plain.UTC(i.Onset) + " to " + plain.UTC(to)})
	}
	return all
}

// days are the figures behind the charts, newest first, at most a month of them.
func (s *server) days(b engine.Budget) []day {
	from := later(b.AsOf.Add(-b.Spec.Window().Length()), b.AsOf.Add(-31*slo.Day))
	points, _ := s.Source.History(b.ID, later(from, b.Since).Truncate(slo.Day), b.AsOf, slo.Day)
	var all []day
	for _, p := range points {
		all = append(all, day{p.At, p.Sum, goodShare(p.Sum), plain.PercentUp(p.Sum.Bad, b.Windows[0].Allowed, 1)})
	}
	slices.Reverse(all)
	return all
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// wholeHours and wholeMinutes round a step up, so that no step cuts what the ledger keeps whole.
func wholeHours(d time.Duration) time.Duration {
	return max((d + time.Hour - 1).Truncate(time.Hour), time.Hour)
}

func wholeMinutes(d time.Duration) time.Duration {
	return max((d + time.Minute - 1).Truncate(time.Minute), time.Minute)
}
