package evidence

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/ranking"
	"github.com/slowburn-sre/slowburn/internal/selectors"
	"github.com/slowburn-sre/slowburn/slo"
)

const (
	maxLabels = 8     // that are compared, two queries each
	maxValues = 200   // of a label; one with more names single requests or users
	maxSeries = 2_000 // that are looked at to find labels
)

// meter counts the events of an SLO by the values of a label, from selectors whose series carry the
// labels.
type meter struct {
	total, part string                       // selectors: of all events, and of the bad or the good ones
	good        bool                         // part is the good ones
	telling     map[string]bool              // labels that tell the part from the total, and so explain nothing
	count       func(by, over string) string // PromQL: the label, the range, as in [5m]
	partCount   func(by, over string) string
}

// promQL is Prometheus' own parser, with its stable language.
var promQL = parser.NewParser(parser.Options{})

// meterOf finds out how the events of a budget can be counted by a label. Where that cannot be
// done, the error says why.
func (g *gatherer) meterOf(ctx context.Context) (*meter, error) {
	switch sli, c := &g.Spec.SLI, g.Spec.SLI.Counters(); {
	case c != nil:
		all, ok := counterOf(c.Total)
		some, ok2 := counterOf(c.Part)
		if ok && ok2 {
			return counters(all.with(g.group), some.with(g.group), c.Good), nil
		}
	case sli.Histogram.Bare():
		s := series{sli.Histogram.Metric, sli.Histogram.Matchers}
		return g.histogram(ctx, s.with(g.group), sli.Below)
	case sli.Up != nil:
		if s, ok := counterOf(sli.Up); ok {
			return probes(s.with(g.group)), nil
		}
	}
	return nil, errUncountable
}

var errUncountable = errors.New("the indicator is an expression, whose events cannot be counted by label")

// series is a metric with matchers.
type series struct {
	metric   string
	matchers []*labels.Matcher
}

func (s series) with(more []*labels.Matcher) series {
	s.matchers = append(slices.Clip(s.matchers), more...)
	return s
}

func (s series) suffixed(suffix string, more ...*labels.Matcher) series {
	s.metric += suffix
	return s.with(more)
}

// String returns the selector. Values are quoted by Prometheus' own printer.
func (s series) String() string {
	return selectors.Metric(s.metric, s.matchers...)
}

// counterOf returns the counter that a query reads: a bare selector, or the one below sum and rate
// or increase.
func counterOf(q *slo.Query) (series, bool) {
	if q.Bare() {
		return series{q.Metric, q.Matchers}, true
	}
	if q == nil {
		return series{}, false
	}
	expr, err := promQL.ParseExpr(q.Render(5 * time.Minute))
	if err != nil {
		return series{}, false
	}
	for {
		switch e := expr.(type) {
		case *parser.ParenExpr:
			expr = e.Expr
			continue
		case *parser.AggregateExpr:
			if e.Op == parser.SUM {
				expr = e.Expr
				continue
			}
		case *parser.Call:
			if name := e.Func.Name; (name == "rate" || name == "increase") && len(e.Args) == 1 {
				expr = e.Args[0]
				continue
			}
		case *parser.MatrixSelector:
			expr = e.VectorSelector
			continue
		case *parser.VectorSelector:
			inner, err := slo.ParseQuery(e.String())
			if err == nil && inner.Bare() {
				return series{inner.Metric, inner.Matchers}, true
			}
		}
		return series{}, false
	}
}

func counters(total, part series, good bool) *meter {
	m := &meter{total: total.String(), part: part.String(), good: good, telling: map[string]bool{}}
	same := map[string]bool{}
	for _, one := range total.matchers {
		same[one.String()] = true
	}
	for _, one := range part.matchers {
		if !same[one.String()] {
			m.telling[one.Name] = true
		}
	}
	m.count = func(by, over string) string { return "sum " + by + " (" + gained(m.total, over) + ")" }
	m.partCount = func(by, over string) string { return "sum " + by + " (" + gained(m.part, over) + ")" }
	return m
}

// gained returns what counters gained within a range. What was not there before counts whole, as in
// the ledger: increase would leave out the first sample of a new series, which after a deployment
// is every series.
func gained(selector, over string) string {
	before := over
	if d, err := model.ParseDuration(over); err == nil && time.Duration(d) < time.Hour {
		before = "1h"
	}
	return fmt.Sprintf("(last_over_time(%[1]s[%[2]s]) unless last_over_time(%[1]s[%[3]s] offset %[2]s)) or increase(%[1]s[%[2]s])", selector, over, before)
}

func probes(up series) *meter {
	m := &meter{total: up.String(), part: up.String(), good: true}
	m.count = func(by, over string) string {
		return "sum by (" + by + ") (count_over_time(" + m.total + "[" + over + "]))"
	}
	m.partCount = func(by, over string) string {
		return "sum by (" + by + ") (sum_over_time(" + m.total + "[" + over + "]))"
	}
	return m
}

// histogram counts events below a limit: from the bucket of a classic histogram, else from a native
// one.
func (g *gatherer) histogram(ctx context.Context, s series, below float64) (*meter, error) {
	buckets := s.suffixed("_bucket")
	les, err := g.Client.LabelValues(ctx, "le", []string{buckets.String()}, g.from, g.at, maxSeries)
	if err != nil {
		return nil, err
	}
	for _, le := range les {
		if v, err := strconv.ParseFloat(le, 64); err == nil && math.Abs(v-below) <= 1e-9*math.Abs(below) {
			return counters(s.suffixed("_count"), s.suffixed("_bucket", labels.MustNewMatcher(labels.MatchEqual, "le", le)), true), nil
		}
	}
	if len(les) > 0 {
		return nil, fmt.Errorf("%s has no bucket at %s", buckets.metric, figures.Value(below))
	}
	m := &meter{total: s.String(), part: s.String(), good: true}
	gain := func(by, over string) string { return "sum by (" + by + ") (increase(" + m.total + "[" + over + "]))" }
	m.count = func(by, over string) string { return "histogram_count(" + gain(by, over) + ")" }
	m.partCount = func(by, over string) string {
		return fmt.Sprintf("histogram_fraction(0, %s, %s) * histogram_count(%[2]s)", strconv.FormatFloat(below, 'g', -1, 64), gain(by, over))
	}
	return m, nil
}

// rank finds the labels that tell the events apart, and compares their values.
func (g *gatherer) rank(ctx context.Context) ranking.Ranking {
	m, err := g.meterOf(ctx)
	if errors.Is(err, errUncountable) {
		return ranking.Ranking{Verdict: ranking.NoLabels, Reason: err.Error()}
	}
	if err != nil {
		return ranking.Ranking{Verdict: ranking.NotKnown, Reason: err.Error()}
	}
	names, skipped, err := g.labels(ctx, m)
	if err != nil {
		return ranking.Ranking{Verdict: ranking.NotKnown, Reason: err.Error()}
	}
	all := make([]ranking.Breakdown, len(names))
	failed := make([]error, len(names))
	var wg sync.WaitGroup
	for i, name := range names {
		wg.Go(func() { all[i], failed[i] = g.breakDown(ctx, m, name) })
	}
	wg.Wait()
	var found []ranking.Breakdown
	for i, err := range failed {
		if err != nil {
			skipped = append(skipped, names[i]+": "+err.Error())
			continue
		}
		found = append(found, all[i])
	}
	r := ranking.Rank(found, g.Spec.Objective.AllowedRatio())
	g.measure(ctx, m, &r)
	r.Skipped = skipped
	if len(found) == 0 && len(names) > 0 {
		r.Verdict, r.Reason = ranking.NotKnown, skipped[len(skipped)-1]
	}
	return r
}

// measure counts how much of the value that most of the excess is in fails in the newest full
// minute since the onset, or in as many as it takes to have seen some events: what happened before
// must not make it look better. Where that cannot be found out, it stays unknown.
func (g *gatherer) measure(ctx context.Context, m *meter, r *ranking.Ranking) {
	if _, ok := r.Main(); !ok {
		return
	}
	const enough = 20 * budget.Unit
	c, since := &r.Contributors[0], g.at.Sub(g.Onset.Add(time.Minute))
	c.SoFar = since < time.Minute
	if c.SoFar {
		since = max(g.at.Sub(g.Onset), time.Minute)
	}
	for _, length := range []time.Duration{time.Minute, 2 * time.Minute, 5 * time.Minute} {
		if length > since {
			return
		}
		counts, err := g.counts(ctx, m, c.Label, m.query(c.Label, length), g.at)
		if err != nil {
			return
		}
		if c.Fails = counts[c.Value]; c.Fails.Total >= enough {
			return
		}
	}
}

// labels returns those worth comparing: those with more than one value, and not too many; replicas
// last.
func (g *gatherer) labels(ctx context.Context, m *meter) (names, skipped []string, _ error) {
	values := map[string]map[string]bool{}
	carried := map[string]bool{}
	for _, selector := range []string{m.total, m.part} {
		found, err := g.Client.SeriesLabels(ctx, selector, g.from, g.at, maxSeries)
		if err != nil {
			return nil, nil, err
		}
		for _, one := range found {
			for name, value := range one {
				if selector == m.part {
					carried[name] = true
				}
				if values[name] == nil {
					values[name] = map[string]bool{}
				}
				values[name][value] = true
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		switch n := len(values[name]); {
		case name == model.MetricNameLabel || name == "le" || n < 2 || !carried[name] || m.telling[name] || slices.Contains(g.Spec.By, name):
		case n > maxValues:
			skipped = append(skipped, fmt.Sprintf("%s: more than %d values", name, maxValues))
		default:
			names = append(names, name)
		}
	}
	slices.SortStableFunc(names, func(a, b string) int {
		replica := func(s string) int { return min(slices.Index(ranking.Replicas, s), 0) }
		return cmp.Or(cmp.Compare(replica(a), replica(b)), cmp.Compare(len(values[a]), len(values[b])))
	})
	if len(names) > maxLabels {
		for _, name := range names[maxLabels:] {
			skipped = append(skipped, fmt.Sprintf("%s: %d labels are compared at most", name, maxLabels))
		}
		names = names[:maxLabels]
	}
	return names, skipped, nil
}

// breakDown counts the events by the values of one label, since the onset and before it.
func (g *gatherer) breakDown(ctx context.Context, m *meter, label string) (ranking.Breakdown, error) {
	b := ranking.Breakdown{Label: label, Query: m.query(label, g.at.Sub(g.from))}
	var err error
	if b.Now, err = g.counts(ctx, m, label, b.Query, g.at); err == nil {
		b.Before, err = g.counts(ctx, m, label, m.query(label, g.usualTo.Sub(g.usualFrom)), g.usualTo)
	}
	return b, err
}

// partLabel marks which of the two counts of a query an element is.
const partLabel = "slowburn_part"

// query counts all events and the part by a label, in one question.
func (m *meter) query(label string, length time.Duration) string {
	by, over := selectors.By(label), slo.ShortDuration(length)
	return fmt.Sprintf(`label_replace(%s, "%[3]s", "all", "", "") or label_replace(%[2]s, "%[3]s", "part", "", "")`,
		m.count(by, over), m.partCount(by, over), partLabel)
}

// counts asks for the counts of every value of a label.
func (g *gatherer) counts(ctx context.Context, m *meter, label, query string, at time.Time) (map[string]ranking.Count, error) {
	list, err := g.Client.Vector(ctx, query, at)
	if err != nil {
		return nil, err
	}
	if len(list) > 2*maxValues {
		return nil, fmt.Errorf("more than %d values", maxValues)
	}
	counts := map[string]ranking.Count{}
	for _, e := range list {
		n, value := thousandths(e.Value), e.Labels[label]
		c := counts[value]
		if e.Labels[partLabel] == "all" {
			c.Total = n
		} else {
			c.Bad = n
		}
		counts[value] = c
	}
	for value, c := range counts {
		if m.good {
			c.Bad = c.Total - c.Bad
		}
		c.Bad = min(max(c.Bad, 0), c.Total) // increase extrapolates the two a little differently
		counts[value] = c
	}
	return counts, nil
}

// thousandths rounds a count once. What is no count is none.
func thousandths(v float64) int64 {
	if math.IsNaN(v) || v < 0 || v > 1e15 {
		return 0
	}
	return int64(math.Round(v * budget.Unit))
}
