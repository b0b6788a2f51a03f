package web

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/slo"
)

// The charts of a service are over a day, in steps of so long; the same day a week before is in
// steps of an hour, as that is what is kept of it.
const (
	serviceSpan = slo.Day
	serviceStep = 10 * time.Minute
	weekBefore  = 7 * slo.Day
)

// shownSignals is how many charts the page of a service has at most.
const shownSignals = 4

// series is what was counted of one SLO, of all its budgets, in steps.
type series struct {
	spec    *slo.Spec
	budgets []engine.Budget
	asOf    time.Time
	now     []budget.Sum // by steps of serviceStep
	before  []budget.Sum // by hours
}

// ofService draws what a service is asked for and what of it goes wrong, as its SLOs count it, now
// and a week before: of the SLO of each sort with the most events.
func (s budgetCharts) ofService(budgets []engine.Budget) []chart {
	bySort := map[string]*series{}
	var sorts []string
	for _, all := range groupedBySLO(budgets) {
		one := s.seriesOf(all)
		sort := one.sort()
		if known := bySort[sort]; known == nil {
			sorts = append(sorts, sort)
		} else if known.total() >= one.total() {
			continue
		}
		bySort[sort] = one
	}
	slices.SortStableFunc(sorts, func(a, b string) int {
		return cmp.Compare(slices.Index(sortsOfSeries, a), slices.Index(sortsOfSeries, b))
	})
	var charts []chart
	for _, sort := range sorts {
		one := bySort[sort]
		if one.total() == 0 {
			continue
		}
		if sort == sortErrors {
			charts = append(charts, one.traffic(s))
		}
		charts = append(charts, one.failing(s, sort))
	}
	return charts[:min(len(charts), shownSignals)]
}

// The sorts of SLOs, in the order of their charts.
const (
	sortErrors  = "Errors"
	sortLatency = "Latency"
	sortTime    = "Availability"
	sortJourney = "Journey"
)

var sortsOfSeries = []string{sortErrors, sortLatency, sortTime, sortJourney}

// sort returns what an SLO is about.
func (s *series) sort() string {
	switch s.spec.SLI.Kind {
	case slo.Events, slo.Ratio:
		return sortErrors
	case slo.Composed:
		return sortJourney
	case slo.Latency:
		return sortLatency
	}
	return sortTime
}

// groupedBySLO returns budgets by their SLO, in their order.
func groupedBySLO(budgets []engine.Budget) (all [][]engine.Budget) {
	for _, b := range budgets {
		if n := len(all); n > 0 && all[n-1][0].ID.Base() == b.ID.Base() {
			all[n-1] = append(all[n-1], b)
			continue
		}
		all = append(all, []engine.Budget{b})
	}
	return all
}

// seriesOf adds up the budgets of one SLO.
func (s budgetCharts) seriesOf(budgets []engine.Budget) *series {
	one := &series{spec: budgets[0].Spec, budgets: budgets}
	for _, b := range budgets {
		one.asOf = later(one.asOf, b.AsOf)
	}
	one.now = s.sums(budgets, one.from(), one.asOf, serviceStep)
	one.before = s.sums(budgets, one.from().Add(-weekBefore), one.asOf.Add(-weekBefore).Truncate(time.Hour).Add(time.Hour), time.Hour)
	return one
}

// from returns where the charts begin.
func (s *series) from() time.Time { return s.asOf.Add(-serviceSpan).Truncate(time.Hour) }

// sums adds up budgets step by step.
func (s budgetCharts) sums(budgets []engine.Budget, from, to time.Time, step time.Duration) (all []budget.Sum) {
	for _, b := range budgets {
		points, _ := s.Source.Snapshot().History(b.ID, from, to, step)
		for n, p := range points {
			if n == len(all) {
				all = append(all, budget.Sum{})
			}
			all[n] = all[n].Plus(p.Sum)
		}
	}
	return all
}

// total returns the events of the day.
func (s *series) total() (n int64) {
	for _, sum := range s.now {
		n += sum.Total
	}
	return n
}

// reading is what a chart shows of what was counted in some time, and how that is written; it is
// false where that is not known.
type reading func(sum budget.Sum, over time.Duration) (v float64, text string, known bool)

// chart returns one with a value of every step, and of every hour a week before.
func (s *series) chart(c budgetCharts, id, title string, of reading) chart {
	from := s.from()
	ch := chart{ID: id, Title: title, From: from, To: s.asOf, Height: 84, Quiet: true, Narrow: true, Marks: c.changeMarks(s.spec.Service, from, s.asOf)}
	draw := func(key string, sums []budget.Sum, step time.Duration) line {
		l := line{Key: key}
		for n, sum := range sums {
			at := from.Add(time.Duration(n) * step)
			end := at.Add(step)
			if end.After(s.asOf) && key == "a" {
				end = s.asOf
			}
			v, _, ok := of(sum, end.Sub(at))
			l.Points = append(l.Points, point{at, v, ok}, point{end, v, ok})
		}
		return l
	}
	ch.Lines = []line{draw("b", s.before, time.Hour), draw("a", s.now, serviceStep)}
	newest := s.now[max(0, len(s.now)-6):]
	ch.Aside = written(of, newest, s.asOf.Sub(from.Add(time.Duration(len(s.now)-len(newest))*serviceStep))) + ", last week " + written(of, s.before[max(0, len(s.before)-1):], time.Hour)
	ch.Words = shortNames(s.budgets)
	return ch
}

// written writes the value of some steps together.
func written(of reading, sums []budget.Sum, over time.Duration) string {
	var all budget.Sum
	for _, one := range sums {
		all = all.Plus(one)
	}
	if _, words, ok := of(all, over); ok {
		return words
	}
	return figures.Unknown
}

// shortNames names the SLO that budgets are of, and how many they are.
func shortNames(budgets []engine.Budget) string {
	name := budgets[0].ID.Base().Name()
	if len(budgets) > 1 {
		name += ", " + figures.Plural(len(budgets), "budget")
	}
	return name
}

// traffic draws how much is asked for.
func (s *series) traffic(c budgetCharts) chart {
	ch := s.chart(c, "signal-traffic", "Traffic", func(sum budget.Sum, over time.Duration) (float64, string, bool) {
		v := float64(sum.Total) / budget.Unit / max(over.Minutes(), 1)
		return v, figures.Value(v) + " a minute", sum.Seen() > 0
	})
	ch.Axis = linear(0, 0, ch.Lines, func(v float64) string { return figures.Value(v) })
	return ch
}

// failing draws which share is bad.
func (s *series) failing(c budgetCharts, sort string) chart {
	title := sort
	if sort == sortLatency {
		title += ", above " + s.spec.SLI.LimitText
	}
	ch := s.chart(c, "signal-"+strings.ToLower(sort), title, func(sum budget.Sum, _ time.Duration) (float64, string, bool) {
		share, ok := sum.BadRatio()
		return share, figures.Share(sum.Bad, max(sum.Total, 1)) + " bad", ok
	})
	ch.Axis = shareAxis(ch.Lines)
	return ch
}
