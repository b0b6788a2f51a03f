package web

import (
	"fmt"
	"html/template"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/incidents"
	"github.com/slowburn-sre/slowburn/slo"
)

// rangeLink shows the charts over another time.
type rangeLink struct {
	Name, To string
	Here     bool
}

// ranges are the times that the charts of a budget can show.
var ranges = []struct {
	Name   string
	Length time.Duration
}{{"1h", time.Hour}, {"6h", 6 * time.Hour}, {"1d", slo.Day}, {"7d", 7 * slo.Day}, {"28d", 28 * slo.Day}}

// spanOf returns the time that is asked for: by itself six hours while something burns, else four
// weeks.
func spanOf(asked string, open bool) time.Duration {
	for _, r := range ranges {
		if r.Name == asked {
			return r.Length
		}
	}
	if open {
		return 6 * time.Hour
	}
	return 28 * slo.Day
}

// rangesOf returns the links to other times than the one that is shown.
func rangesOf(path string, span time.Duration) (all []rangeLink) {
	for _, r := range ranges {
		all = append(all, rangeLink{r.Name, path + joint(path) + "range=" + r.Name + "#charts", r.Length == span})
	}
	return all
}

// budgetCharts draws the charts of one budget: on one axis of time, with the same marks.
type budgetCharts struct{ *site }

// over returns what went wrong, what was asked for and what was left, over so long a time, and a
// strip of four weeks that shows where that lies.
func (s budgetCharts) over(b engine.Budget, found []alerting.Incident, span time.Duration) ([]chart, template.HTML) {
	from, to := b.AsOf.Add(-span), b.AsOf
	unit := time.Minute
	if span > slo.Day {
		unit = time.Hour
	}
	step := whole(span/360, unit)
	from = from.Truncate(unit)
	points, _ := s.Source.Snapshot().History(b.ID, later(from, b.Since.Truncate(unit)), to, step)
	base := chart{From: from, To: to, Shades: shadesOf(found, to), Marks: s.changeMarks(b.ID.Service(), from, to)}
	all := []chart{errorRatio(base, b, points, step), traffic(base, points, step), s.budgetLeft(base, b)}
	if span >= sparkSpan {
		return all, ""
	}
	var onsets []time.Time
	for _, i := range found {
		if i.Rule != alerting.RuleNoData {
			onsets = append(onsets, i.Onset)
		}
	}
	return all, leftSpark(s.Source.Snapshot(), &b, onsets)
}

// shownMarks is how many changes a chart marks: the newest.
const shownMarks = 9

// changeMarks returns the changes of a service as marks.
func (s budgetCharts) changeMarks(service string, from, to time.Time) (all []mark) {
	seen := s.Source.Snapshot()
	for _, a := range alerting.InForce(seen.Open.Acts(), s.Now()) {
		if c := a.Change; c != nil && a.About() == service && !c.Start.Before(from) && !c.Start.After(to) {
			all = append(all, mark{c.Start, "change", changeName(c)})
		}
	}
	return all[max(0, len(all)-shownMarks):]
}

// changeName names a change on a chart.
func changeName(c *alerting.Change) string {
	arrow := "↑ "
	if c.Kind == "rollback" {
		arrow = "↶ "
	}
	for _, name := range []string{c.Version, c.Title} {
		if name != "" {
			return arrow + clip(name)
		}
	}
	return arrow + c.Kind
}

// errorRatio draws the share of bad events, and names the levels at which somebody is told.
func errorRatio(c chart, b engine.Budget, points []incidents.Point, step time.Duration) chart {
	o := b.Spec.Objective
	allowed := o.AllowedRatio()
	c.ID, c.Title, c.Height, c.Axis = "error-ratio", "Error ratio", 150, decades(allowed)
	c.Lines = []line{{Key: "a", Points: stepsOf(points, o, step), Over: &allowed}}
	c.Thresholds = []threshold{{allowed, "objective", "objective " + figures.Objective(o) + " = 1×"}}
	if pairs := pagePairs(&b); len(pairs) > 0 && len(b.Spec.Alerts.Page) > 0 {
		limit := pairs[0].Burn(b.Spec.Window().Length())
		if allowed*limit < 1 {
			c.Thresholds = append(c.Thresholds, threshold{allowed * limit, "limit", "page above " + figures.Times(limit) + " over " + figures.Duration(pairs[0].Long)})
		}
	}
	c.Aside = "by decades; on the right the burn rate"
	c.Words = worstStep(points, o)
	return c
}

// worstStep says when most went wrong.
func worstStep(points []incidents.Point, o slo.Objective) string {
	var worst incidents.Point
	for _, p := range points {
		if p.Sum.Total > 0 && p.Sum.Bad*max(worst.Sum.Total, 1) > worst.Sum.Bad*p.Sum.Total {
			worst = p
		}
	}
	if worst.Sum.Bad == 0 {
		return "Nothing went wrong in this time, as far as is known."
	}
	return fmt.Sprintf("Highest: %s at %s, a burn rate of %s.", figures.Share(worst.Sum.Bad, worst.Sum.Total), figures.UTC(worst.At), figures.Burn(worst.Sum.Bad, worst.Sum.Total, o))
}

// A step of the error ratio is as long as it takes for the objective to allow so many failures, and
// at most so long; so one failure among few is no outage, and an outage begins at its minute.
const (
	stepFailures = 10 * budget.Unit
	longestStep  = 30 * time.Minute
)

// stepsOf returns the share of bad events as steps: their beginnings and their ends.
func stepsOf(points []incidents.Point, o slo.Objective, step time.Duration) (all []point) {
	var sum budget.Sum
	var begun time.Time
	end := func(at time.Time) {
		if share, ok := sum.BadRatio(); ok {
			all = append(all, point{begun, share, true}, point{at, share, true})
		}
		sum, begun = budget.Sum{}, time.Time{}
	}
	for _, p := range points {
		after := p.At.Add(step)
		switch {
		case p.Sum.Total == 0:
			end(p.At)
			all = append(all, point{At: p.At})
			continue
		case p.Sum.Bad >= stepFailures && sum.Bad < stepFailures && !begun.IsZero():
			end(p.At)
		}
		if begun.IsZero() {
			begun = p.At
		}
		sum = sum.Plus(p.Sum)
		if sum.Bad >= stepFailures || budget.Share(sum.Total, o.Allowed()) >= stepFailures || after.Sub(begun) >= longestStep {
			end(after)
		}
	}
	if len(points) > 0 {
		end(points[len(points)-1].At.Add(step))
	}
	return all
}

// traffic draws how much was asked for.
func traffic(c chart, points []incidents.Point, step time.Duration) chart {
	c.ID, c.Title, c.Height, c.Quiet, c.Aside = "traffic", "Traffic", 60, true, "events a minute"
	l := line{Key: "a", Area: true}
	var newest incidents.Point
	for _, p := range points {
		l.Points = append(l.Points, point{p.At.Add(step), float64(p.Sum.Total) / budget.Unit / step.Minutes(), p.Sum.Seen() > 0})
		if p.Sum.Seen() > 0 {
			newest = p
		}
	}
	c.Lines = []line{l}
	c.Axis = linear(0, 0, c.Lines, func(v float64) string { return figures.Value(v) })
	c.Words = "Nothing is known yet."
	if !newest.At.IsZero() {
		c.Words = fmt.Sprintf("Newest: %s a minute.", figures.Value(float64(newest.Sum.Total)/budget.Unit/step.Minutes()))
	}
	return c
}

// budgetLeft draws what was left of the budget.
func (s budgetCharts) budgetLeft(c chart, b engine.Budget) chart {
	window := b.Spec.Window()
	c.ID, c.Title, c.Height, c.Quiet = "burn-down", "Error budget left", 90, true
	c.Aside = "of " + figures.Window(window)
	from := later(c.From, b.Since).Truncate(time.Minute)
	unit := time.Hour
	if c.To.Sub(c.From) <= slo.Day {
		unit = time.Minute
	}
	step := whole(c.To.Sub(from)/200, unit)
	left, _ := s.Source.Snapshot().BurnDown(b.ID, from.Add(step), b.AsOf, step)
	points, _ := s.Source.Snapshot().History(b.ID, from, b.AsOf, step)
	seen := map[int64]bool{}
	for _, p := range points {
		seen[p.At.Add(step).Unix()] = p.Sum.Seen() > 0
	}
	if now := b.Windows[0]; now.Sum.Total > 0 && (len(left) == 0 || left[len(left)-1].At.Before(now.At)) {
		left, seen[now.At.Unix()] = append(left, now), len(points) > 0 && points[len(points)-1].Sum.Seen() > 0
	}
	l, known := line{Key: "a", Area: true}, []budget.Status(nil)
	for _, st := range left {
		p := point{st.At, 100 * st.Remaining(), st.Sum.Total > 0 && st.Sized && seen[st.At.Unix()]}
		if l.Points = append(l.Points, p); p.Known {
			known = append(known, st)
		}
	}
	c.Lines, c.Words = []line{l}, downWords(known, len(left) > len(known))
	c.Axis = linear(0, 100, c.Lines, func(v float64) string { return figures.Value(v) + "\u00a0%" })
	return c
}

// downWords says what a burn-down shows.
func downWords(known []budget.Status, gaps bool) string {
	if len(known) == 0 {
		return "Nothing is known yet."
	}
	left := func(st budget.Status) string {
		return st.LeftText() + " on " + figures.UTC(st.At)
	}
	var s strings.Builder
	s.WriteString("From " + left(known[0]) + " to " + left(known[len(known)-1]) + ".")
	if gaps {
		s.WriteString(" Where nothing is known there is a gap.")
	}
	return s.String()
}
