package foreign

import (
	"slices"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// counted is the counter whose events a tree counts.
type counted struct {
	selector *parser.VectorSelector
	groups   groups
}

// groups says how the result of a tree is divided.
type groups struct {
	by    []string // sorted label names; none if the result is one series
	loose bool     // divided by labels that the tree does not list
}

func (g groups) equal(o groups) bool { return g.loose == o.loose && slices.Equal(g.by, o.by) }

// counter recognises a tree that does nothing but count the events of one counter over the window:
// sum(rate(x[w])) and its relatives.
func (q Query) counter() (counted, bool) {
	switch e := withoutZero(q.node).(type) {
	case *parser.AggregateExpr:
		if e.Op != parser.SUM {
			return counted{}, false
		}
		inner, ok := q.part(e.Expr).counter()
		if !ok || !inner.groups.loose && len(e.Grouping) > 0 {
			return counted{}, false // a sum of sums by other labels: rare, and left to Prometheus
		}
		inner.groups = groups{by: sorted(e.Grouping), loose: e.Without}
		return inner, true
	case *parser.Call:
		if !slices.Contains([]string{"rate", "irate", "increase"}, e.Func.Name) {
			return counted{}, false
		}
		m, ok := e.Args[0].(*parser.MatrixSelector)
		if !ok || m.Range != q.window {
			return counted{}, false
		}
		selector, ok := m.VectorSelector.(*parser.VectorSelector)
		return counted{selector, groups{loose: true}}, ok && namesMetric(selector)
	}
	return counted{}, false
}

// namesMetric reports whether the selector is of one metric.
func namesMetric(s *parser.VectorSelector) bool {
	return slices.ContainsFunc(s.LabelMatchers, func(m *labels.Matcher) bool {
		return m.Name == model.MetricNameLabel && m.Type == labels.MatchEqual && m.Value != ""
	})
}

// withoutZero returns the tree without `or vector(0)`, which others need so that a quotient of
// nothing is not nothing. The ledger takes missing bad events beside existing total ones for none,
// and tells a quiet service from a missing one.
func withoutZero(e parser.Expr) parser.Expr {
	e = unwrap(e)
	b, ok := e.(*parser.BinaryExpr)
	if !ok || b.Op != parser.LOR {
		return e
	}
	if c, ok := unwrap(b.RHS).(*parser.Call); ok && c.Func.Name == "vector" && isNumber(c.Args[0], 0) {
		return withoutZero(b.LHS)
	}
	return e
}

func isNumber(e parser.Expr, value float64) bool {
	n, ok := unwrap(e).(*parser.NumberLiteral)
	return ok && n.Val == value
}

func sorted(names []string) []string {
	out := slices.Clone(names)
	slices.Sort(out)
	return slices.Compact(out)
}

// operands takes a binary expression with that operator apart, if it matches its two sides series
// by series.
func (q Query) operands(op parser.ItemType) (left, right Query, ok bool) {
	b, ok := withoutZero(q.node).(*parser.BinaryExpr)
	if !ok || b.Op != op {
		return Query{}, Query{}, false
	}
	if m := b.VectorMatching; m != nil && (m.Card != parser.CardOneToOne || m.On || len(m.MatchingLabels) > 0) {
		return Query{}, Query{}, false
	}
	return q.part(b.LHS), q.part(b.RHS), true
}

// complement takes the x out of 1 - x.
func (q Query) complement() (Query, bool) {
	one, x, ok := q.operands(parser.SUB)
	return x, ok && isNumber(one.node, 1)
}

// rest takes the y out of x - y, for the x at hand.
func (q Query) rest(x Query) (Query, bool) {
	left, right, ok := q.operands(parser.SUB)
	return right, ok && left.same(x)
}

// countsEvents reports whether the tree counts something over the window at all, as against looking
// at a value.
func (q Query) countsEvents() (found bool) {
	visit(q.node, func(n parser.Node) {
		if c, ok := n.(*parser.Call); ok && slices.Contains([]string{"rate", "irate", "increase", "count_over_time", "sum_over_time"}, c.Func.Name) {
			found = true
		}
	})
	return found
}

// groups returns how the result of the tree is divided into series.
func (q Query) groups() groups { return groupsOf(q.node) }

func groupsOf(e parser.Expr) groups {
	switch e := unwrap(e).(type) {
	case *parser.AggregateExpr:
		if slices.Contains([]parser.ItemType{parser.TOPK, parser.BOTTOMK, parser.LIMITK, parser.LIMIT_RATIO, parser.COUNT_VALUES}, e.Op) {
			return groups{loose: true}
		}
		return groups{by: sorted(e.Grouping), loose: e.Without}
	case *parser.BinaryExpr:
		return groupsOfBoth(e)
	case *parser.UnaryExpr:
		return groupsOf(e.Expr)
	case *parser.NumberLiteral:
		return groups{}
	case *parser.Call:
		if e.Func.Name == "vector" || e.Func.ReturnType == parser.ValueTypeScalar {
			return groups{}
		}
		if sub, ok := e.Args[0].(*parser.SubqueryExpr); ok {
			return groupsOf(sub.Expr)
		}
		if i := slices.IndexFunc(e.Args, func(a parser.Expr) bool { return a.Type() == parser.ValueTypeVector }); i >= 0 && e.Func.Name != "label_replace" && e.Func.Name != "label_join" {
			return groupsOf(e.Args[i])
		}
	}
	return groups{loose: true}
}

func groupsOfBoth(b *parser.BinaryExpr) groups {
	left, right := groupsOf(b.LHS), groupsOf(b.RHS)
	switch {
	case b.LHS.Type() == parser.ValueTypeScalar:
		return right
	case b.RHS.Type() == parser.ValueTypeScalar, b.Op == parser.LUNLESS, b.Op == parser.LAND, left.equal(right):
		return left
	case b.Op == parser.LOR && len(right.by) == 0 && !right.loose:
		return left
	}
	return groups{loose: true}
}

// pace is how a value changes with the unit of time: 1 for events per second, 0 for counts and
// ratios. Zero alone fits to everything.
type pace struct {
	power int
	any   bool
	ok    bool
}

// perSecond reports whether the tree is a number of events per second as a whole, so that it
// becomes a number of events when each rate in it becomes an increase.
func (q Query) perSecond() bool {
	p := paceOf(q.node)
	return p.ok && p.power == 1
}

func paceOf(e parser.Expr) pace {
	switch e := unwrap(e).(type) {
	case *parser.NumberLiteral:
		return pace{any: e.Val == 0, ok: true}
	case *parser.UnaryExpr:
		return paceOf(e.Expr)
	case *parser.VectorSelector:
		return pace{ok: true}
	case *parser.AggregateExpr:
		if slices.Contains([]parser.ItemType{parser.SUM, parser.AVG, parser.MIN, parser.MAX, parser.TOPK, parser.BOTTOMK, parser.QUANTILE}, e.Op) {
			return paceOf(e.Expr)
		}
	case *parser.Call:
		return paceOfCall(e)
	case *parser.BinaryExpr:
		return paceOfBoth(e.Op, paceOf(e.LHS), paceOf(e.RHS), e.ReturnBool)
	}
	return pace{}
}

func paceOfCall(c *parser.Call) pace {
	switch c.Func.Name {
	case "rate", "irate":
		return pace{power: 1, ok: true}
	case "increase", "sum_over_time", "count_over_time", "avg_over_time", "max_over_time", "min_over_time":
		_, bare := c.Args[0].(*parser.MatrixSelector)
		return pace{ok: bare}
	case "vector", "scalar", "abs", "sort", "sort_desc", "label_replace", "label_join", "histogram_count", "histogram_sum":
		return paceOf(c.Args[0])
	case "histogram_fraction":
		return pace{ok: paceOf(c.Args[2]).ok}
	case "clamp_min", "clamp_max":
		return paceOfBoth(parser.ADD, paceOf(c.Args[0]), paceOf(c.Args[1]), false)
	}
	return pace{}
}

func paceOfBoth(op parser.ItemType, l, r pace, isBool bool) pace {
	ok := l.ok && r.ok
	switch op {
	case parser.MUL:
		return pace{power: l.power + r.power, any: l.any || r.any, ok: ok}
	case parser.DIV:
		return pace{power: l.power - r.power, any: l.any, ok: ok}
	case parser.LAND, parser.LUNLESS:
		return pace{power: l.power, any: l.any, ok: ok}
	case parser.ADD, parser.SUB, parser.LOR, parser.GTR, parser.GTE, parser.LSS, parser.LTE, parser.EQLC, parser.NEQ:
		ok = ok && (l.power == r.power || l.any || r.any)
		if isBool {
			return pace{ok: ok}
		}
		if l.any {
			return pace{power: r.power, any: r.any, ok: ok}
		}
		return pace{power: l.power, ok: ok}
	}
	return pace{}
}

// counts makes each rate of a tree that is per second an increase over the window, in place. A
// fixed range of a rate only said how smooth it was to be; of an increase it would say how much is
// counted.
func (q Query) counts() {
	visit(q.node, func(n parser.Node) {
		c, ok := n.(*parser.Call)
		if !ok || c.Func.Name != "rate" && c.Func.Name != "irate" {
			return
		}
		c.Func = parser.Functions["increase"]
		switch m := c.Args[0].(type) {
		case *parser.MatrixSelector:
			m.Range = q.window
		case *parser.SubqueryExpr:
			m.Range = q.window
		}
	})
}
