package rules

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/prometheus/promql/parser"

	"github.com/slowburn-sre/slowburn/internal/selectors"
	"github.com/slowburn-sre/slowburn/slo"
)

// count writes the PromQL that counts an SLO's events over a window. The expression for bad events
// may read the total that was recorded just before.
type count struct {
	total, bad func(w time.Duration) string
	slice      string // of what is judged minute by minute: 1 while bad, 0 while good, recorded first
}

// sliceName is the series of those minutes.
const sliceName = "slowburn:bad:slice"

// newCount prepares the counting of an indicator, or says why rules cannot.
func newCount(spec *slo.Spec, scrape time.Duration) (*count, error) {
	q := querier{spec}
	switch i, m := &spec.SLI, spec.SLI.Minutes(); {
	case i.Counters() != nil:
		return q.events(i.Counters())
	case i.Histogram != nil:
		return q.latency()
	case m != nil:
		return q.minutes(m, scrape)
	case i.Kind != slo.Composed:
		return nil, &Refusal{spec.ID(), fmt.Sprintf("an indicator of the kind %q cannot be written as rules", i.Kind)}
	}
	return nil, &Refusal{spec.ID(), "a journey is derived of each minute of its steps, and a rule sees only sums over windows; write rules of its steps, or measure the journey as events"}
}

// querier writes PromQL about one SLO.
type querier struct{ spec *slo.Spec }

// by returns the clause that keeps the labels of a budget, with a space around it.
func (q querier) by() string { return byClause(q.spec.By) }

func byClause(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return " " + selectors.By(names...) + " "
}

// on matches two sides by the labels of a budget.
func (q querier) on() string { return "on " + strings.TrimPrefix(selectors.By(q.spec.By...), "by ") }

// recordedTotal returns the total of the same window, which stands one rule above.
func (q querier) recordedTotal(w time.Duration) string { return selectorOf(q.spec, totalName(w)) }

// orZero returns an expression, or 0 where it has no value and the total has one: no bad series
// beside a total means no bad event.
func (q querier) orZero(expr string, w time.Duration) string {
	return fmt.Sprintf("%s\nor %s\n0 * %s", expr, q.on(), q.recordedTotal(w))
}

// rest returns the total without the good events. Rates extrapolate, and may find more good events
// than there were.
func (q querier) rest(good string, w time.Duration) string {
	return fmt.Sprintf("clamp_min(%s - %s (\n%s\n), 0)", q.recordedTotal(w), q.on(), good)
}

func (q querier) events(c *slo.Counters) (*count, error) {
	total, err := q.counter(c.Total)
	if err != nil {
		return nil, err
	}
	part, err := q.counter(c.Part)
	if err != nil {
		return nil, err
	}
	bad := func(w time.Duration) string {
		expr := q.orZero(part(w), w)
		if c.Good {
			return q.rest(expr, w)
		}
		return expr
	}
	return &count{total: total, bad: bad}, nil
}

// counter writes a query so that its value is a number of events.
func (q querier) counter(query *slo.Query) (func(time.Duration) string, error) {
	if query.Bare() {
		return func(w time.Duration) string {
			return fmt.Sprintf("sum%s(increase(%s[%s]))", q.by(), query.Text, short(w))
		}, nil
	}
	if !query.Windowed() {
		return nil, &Refusal{q.spec.ID(), fmt.Sprintf("%s %s: write %s as its range", query.Text, slo.NoRange, slo.WindowVariable)}
	}
	summed, perSecond := isSum(query.Expr(), q.spec.By), query.Gain() == slo.PerSecond
	return func(w time.Duration) string {
		expr := query.Render(w)
		if !summed {
			expr = fmt.Sprintf("sum%s((%s) >= 0)", q.by(), expr) // 0/0 is no event
		}
		if perSecond {
			expr = fmt.Sprintf("(%s) * %d", expr, int64(w/time.Second))
		}
		return expr
	}, nil
}

// isSum reports whether an expression is one sum by the labels, without a division inside.
func isSum(expr parser.Expr, by []string) bool {
	sum, ok := expr.(*parser.AggregateExpr)
	if !ok || sum.Op != parser.SUM || sum.Without || !slices.Equal(slices.Sorted(slices.Values(sum.Grouping)), slices.Sorted(slices.Values(by))) {
		return false
	}
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		if b, is := n.(*parser.BinaryExpr); is && b.Op == parser.DIV {
			ok = false
		}
		return nil
	})
	return ok
}

// latency counts a classic histogram by its bucket and, where there is none, a native one. Which of
// the two a server has is not known here; the side that is missing costs nothing. A classic
// histogram without a bucket at the limit yields no bad count at all, rather than a wrong one.
func (q querier) latency() (*count, error) {
	h, limit := q.spec.SLI.Histogram, strconv.FormatFloat(q.spec.SLI.Below, 'g', -1, 64)
	bucket := selectors.Write(h.Metric+"_bucket", selectors.Of(append(slices.Clone(h.Matchers), slo.BucketAt(q.spec.SLI.Below))...)...)
	native := func(w time.Duration) string { return fmt.Sprintf("sum%s(increase(%s[%s]))", q.by(), h.Text, short(w)) }
	total := func(w time.Duration) string {
		return fmt.Sprintf("sum%s(increase(%s[%s]))\nor\nhistogram_count(%s)", q.by(), selectors.Metric(h.Metric+"_count", h.Matchers...), short(w), native(w))
	}
	bad := func(w time.Duration) string {
		n := native(w)
		return q.rest(fmt.Sprintf("sum%s(increase(%s[%s]))\nor\nhistogram_fraction(-Inf, %s, %s) * histogram_count(%s) >= 0\nor\n0 * histogram_count(%s)",
			q.by(), bucket, short(w), limit, n, n, n), w)
	}
	return &count{total: total, bad: bad}, nil
}

// minutes judges each minute by the worst series. NaN and the infinities tell nothing.
func (q querier) minutes(m *slo.Minutes, scrape time.Duration) (*count, error) {
	text, missing := m.Render(scrape), q.spec.SLI.Missing
	expr := m.Worst(q.by(), fmt.Sprintf("(%s) and abs(%s) < Inf", text, text))
	switch {
	case missing == slo.Exclude || missing == "":
	case len(q.spec.By) > 0:
		return nil, &Refusal{q.spec.ID(), fmt.Sprintf("missing: %s cannot be applied by rules to labels whose values they do not know; use missing: exclude, or take by away", missing)}
	case missing == slo.MissingBad:
		expr += "\nor vector(1)"
	default:
		expr += "\nor vector(0)"
	}
	return q.sliced(expr), nil
}

// sliced counts minutes. The subquery looks at the end of every whole minute, as the ledger does.
func (q querier) sliced(slice string) *count {
	over := func(f string) func(time.Duration) string {
		return func(w time.Duration) string {
			return fmt.Sprintf("%s_over_time(%s[%s:1m])", f, selectorOf(q.spec, sliceName), short(w))
		}
	}
	return &count{slice: slice, total: over("count"), bad: over("sum")}
}
