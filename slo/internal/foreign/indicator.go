package foreign

import (
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/prometheus/promql/parser"

	"github.com/slowburn-sre/slowburn/slo"
)

// Kind says which events a query counts.
type Kind string

// The kinds of events.
const (
	Bad  Kind = "bad"
	Good Kind = "good"
)

func (k Kind) opposite() Kind {
	if k == Bad {
		return Good
	}
	return Bad
}

// Measured is an indicator with the labels that divide it into budgets.
type Measured struct {
	slo.Indicator
	By []string
}

// Events makes an indicator of two queries: all events, and those that are good or bad. Bad events
// that are written as total - good are turned into the good ones. Queries that are divided by
// different labels are refused: their quotient would have no series.
func Events(total, some Query, kind Kind) (Measured, bool) {
	if rest, ok := some.rest(total); ok {
		some, kind = rest, kind.opposite()
	}
	by, ok := together(total, some)
	if !ok {
		return Measured{}, false
	}
	m := Measured{slo.Indicator{Kind: slo.Events}, by}
	m.Total = total.events(len(by) > 0)
	query := some.events(len(by) > 0)
	if kind == Bad {
		m.Bad = query
	} else {
		m.Good = query
	}
	return m, m.Total != nil && query != nil
}

// together returns the labels by which both queries are divided.
func together(total, some Query) ([]string, bool) {
	t, s := total.groups(), some.groups()
	switch {
	case t.loose || s.loose:
		at := total
		if !t.loose {
			at = some
		}
		at.problem(at.node, "not-carried-over", "the query is divided by labels that it does not list; all of it becomes one budget", "write sum by (…) with the labels, or sum(…)")
		return nil, true
	case !t.equal(s):
		some.problem(some.node, "", fmt.Sprintf("this query is divided by %s and the total by %s, so their quotient has no series and no alert could ever fire", list(s.by), list(t.by)), "aggregate both alike")
		return nil, false
	}
	return t.by, true
}

func list(names []string) string {
	if len(names) == 0 {
		return "no label"
	}
	return "(" + strings.Join(names, ", ") + ")"
}

// events returns the query as one that counts events: a bare counter if it has that shape, and
// otherwise an expression. One that belongs to a single budget becomes a single series.
func (q Query) events(divided bool) *slo.Query {
	if c, ok := q.counter(); ok {
		return q.made(c.selector.String())
	}
	q.node = withoutZero(q.node)
	if q.perSecond() {
		q.counts()
	}
	if !divided && q.groups().loose {
		q.node = &parser.AggregateExpr{Op: parser.SUM, Expr: q.node}
	}
	made := q.made(q.text(q.node))
	if made != nil && !made.Windowed() {
		q.at.Problem("the query "+slo.NoRange, "write sum(rate(x[{{.window}}])), or the same range everywhere")
		return nil
	}
	return made
}

// Ratio makes an indicator of a ready-made ratio. A quotient of two counts is taken apart, so that
// events are counted and not ratios averaged; anything else stays a ratio.
func Ratio(q Query, kind Kind) (Measured, bool) {
	if x, ok := q.complement(); ok {
		return Ratio(x, kind.opposite())
	}
	some, total, ok := q.operands(parser.DIV)
	if ok && some.countsEvents() && total.countsEvents() {
		return Events(total, some, kind)
	}
	return q.ratio(kind)
}

// ratio returns the query as a ratio of bad events, whatever it is made of.
func (q Query) ratio(kind Kind) (Measured, bool) {
	m := Measured{slo.Indicator{Kind: slo.Ratio, Bad: q.Share(kind, Bad)}, q.groups().by}
	return m, m.Bad != nil
}

// Share returns the query, which is a share of events of one kind, as the share of the wanted kind.
func (q Query) Share(of, want Kind) *slo.Query {
	text := q.text(q.node)
	if of != want {
		text = "1 - (" + text + ")"
	}
	return q.made(text)
}

// Quotient returns the share of the wanted kind of events in each minute, as one expression.
func Quotient(total, some Query, of, want Kind) (*slo.Query, []string) {
	by, ok := together(total, some)
	if !ok {
		return nil, nil
	}
	text := fmt.Sprintf("(%s) / (%s)", some.text(some.node), total.text(total.node))
	if of != want {
		text = "1 - " + text
	}
	return total.made(text), by
}

// Counter reads what counters are written as where no rate is asked for: a selector, a sum of
// selectors, a sum or difference of those. Everything else is left as it is.
func (q Query) Counter() Query {
	node, ok := q.increased(q.node)
	switch {
	case !ok:
		return q
	case groupsOf(node).loose:
		node = &parser.AggregateExpr{Op: parser.SUM, Expr: node}
	}
	q.node = node
	return q
}

// increased puts an increase over the window around each counter of a tree.
func (q Query) increased(e parser.Expr) (parser.Expr, bool) {
	switch e := e.(type) {
	case *parser.ParenExpr: // kept, since the printer adds none of its own
		inner, ok := q.increased(e.Expr)
		return &parser.ParenExpr{Expr: inner}, ok
	case *parser.VectorSelector:
		return q.over("increase", e), namesMetric(e)
	case *parser.AggregateExpr:
		inner, ok := q.increased(e.Expr)
		return &parser.AggregateExpr{Op: e.Op, Expr: inner, Grouping: e.Grouping, Without: e.Without}, ok && e.Op == parser.SUM
	case *parser.BinaryExpr:
		left, ok1 := q.increased(e.LHS)
		right, ok2 := q.increased(e.RHS)
		return &parser.BinaryExpr{Op: e.Op, LHS: left, RHS: right, VectorMatching: e.VectorMatching}, ok1 && ok2 && (e.Op == parser.ADD || e.Op == parser.SUB)
	}
	return e, false
}

// Samples reads a number of events that goes up and down: every sample is that many, and of an
// expression there is one sample a minute.
func (q Query) Samples() Query {
	if s, ok := q.node.(*parser.VectorSelector); ok {
		q.node = &parser.AggregateExpr{Op: parser.SUM, Expr: q.over("sum_over_time", s)}
		return q
	}
	if !q.countsEvents() {
		sub := &parser.SubqueryExpr{Expr: &parser.ParenExpr{Expr: q.node}, Range: q.window, Step: time.Minute}
		q.node = &parser.Call{Func: parser.Functions["sum_over_time"], Args: parser.Expressions{sub}}
	}
	return q
}

// over returns a function over the selector and the window.
func (q Query) over(function string, s *parser.VectorSelector) parser.Expr {
	return &parser.Call{Func: parser.Functions[function], Args: parser.Expressions{&parser.MatrixSelector{VectorSelector: s, Range: q.window}}}
}

// Selector returns the query as a bare selector, which it must be.
func (q Query) Selector() (*slo.Query, bool) {
	if s, ok := q.node.(*parser.VectorSelector); !ok || !namesMetric(s) {
		q.at.Problem("this must be the selector of one metric, without functions", `write metric{label="value"}`)
		return nil, false
	}
	made := q.made(q.text(q.node))
	return made, made != nil
}
