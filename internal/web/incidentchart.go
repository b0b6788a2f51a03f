package web

import (
	"slices"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/incidents"
	"github.com/slowburn-sre/slowburn/slo"
)

// aroundIncident is how much of the time before and after an incident its chart shows at least.
const aroundIncident = 15 * time.Minute

// ofIncident draws which share failed before, in and after an incident, with what was done marked.
// There is no chart of what was not counted.
func (s budgetCharts) ofIncident(i alerting.Incident, spec *slo.Spec) []chart {
	seen := s.Source.Snapshot()
	b, ok := seen.Budget(i.SLO)
	if !ok || spec == nil || i.Damaged || i.Rule == alerting.RuleNoData {
		return nil
	}
	end := b.AsOf
	if !i.Open {
		around := max(aroundIncident, i.Duration()/3)
		end = i.Ended.Add(around)
		if end.After(b.AsOf) {
			end = b.AsOf
		}
	}
	from := i.Onset.Add(-max(aroundIncident, end.Sub(i.Onset)/3))
	unit, step := time.Minute, ""
	seen.WithLedger(i.SLO, func(_ *slo.Spec, l *budget.Ledger) {
		if from.Before(l.Fine().Time()) {
			unit = time.Hour // that is all that is kept of it
		}
	})
	length := whole(end.Sub(from)/360, unit)
	from = from.Truncate(unit)
	if step = "minute by minute"; length > time.Minute {
		step = "in steps of " + figures.Duration(length)
	}
	points, _ := seen.History(i.SLO, later(from, b.Since.Truncate(unit)), end, length)
	c := chart{
		ID: "failing", Title: "Failing share of " + spec.SLI.Noun(), Aside: step, Words: worstStep(points, spec.Objective), From: from, To: end, Height: 200,
		Lines: []line{{Key: "bad", Area: true, Points: sharesOf(points, length)}}, Shades: shadesOf([]alerting.Incident{i}, end), Rows: 5,
		Marks: append(s.changeMarks(i.SLO.Service(), from, end), marksOf(i)...),
	}
	slices.SortStableFunc(c.Marks, func(a, b mark) int { return a.At.Compare(b.At) })
	c.Axis = shareAxis(c.Lines)
	return []chart{c}
}

// sharesOf returns the share of bad events as steps: their beginnings and their ends.
func sharesOf(points []incidents.Point, step time.Duration) (all []point) {
	for _, p := range points {
		share, ok := p.Sum.BadRatio()
		all = append(all, point{p.At, share, ok}, point{p.At.Add(step), share, ok})
	}
	return all
}

// shareAxis returns an axis for shares from nothing to all. It ends at a tenth or a hundredth where
// nothing reaches that, so what is little is seen; and it does not change with every value.
func shareAxis(lines []line) axis {
	high := 0.0
	for _, l := range lines {
		for _, p := range l.Points {
			if p.Known {
				high = max(high, p.Value)
			}
		}
	}
	top := 1.0
	for top > 0.001 && high <= top/10 {
		top /= 10
	}
	a := axis{High: top}
	for n := range 5 {
		v := top * float64(n) / 4
		a.Ticks = append(a.Ticks, tick{Value: v, Left: shareLabel(v)})
	}
	return a
}

// marksOf returns the moments of an incident.
func marksOf(i alerting.Incident) []mark {
	named := func(t time.Time, key, name string) mark { return mark{t, key, name + " " + figures.Clock(t.UTC())} }
	all := []mark{named(i.Onset, "onset", "onset"), named(i.Alerted(), "other", string(i.First.Severity))}
	if !i.Escalated.IsZero() {
		all = append(all, named(i.Escalated, "other", string(alerting.Page)))
	}
	if a, ok := i.Acknowledged(); ok {
		all = append(all, named(a.At, "other", "acknowledged"))
	}
	if !i.Open {
		all = append(all, named(i.Ended, "end", "end"))
	}
	return all
}
