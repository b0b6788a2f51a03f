package foreign

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/slowburn-sre/slowburn/internal/strictyaml"
	"github.com/slowburn-sre/slowburn/slo"
)

// Query is a parsed foreign query, or a part of one.
type Query struct {
	at     strictyaml.Value // where the whole query was written
	node   parser.Expr
	window time.Duration // what stands in the tree for the window
}

// Given reports whether there is a query.
func (q Query) Given() bool { return q.node != nil }

// part returns a part of the query.
func (q Query) part(node parser.Expr) Query { return Query{q.at, unwrap(node), q.window} }

// same reports whether two queries ask the same.
func (q Query) same(o Query) bool {
	return q.Given() && o.Given() && q.text(q.node) == o.text(o.node)
}

// Windows says which ranges of a format mean "the window that is asked about".
type Windows int

// The kinds of windows.
const (
	Template Windows = iota // {{.window}}, which must occur (Sloth)
	AnyRange                // {{.window}} if it occurs; otherwise the fixed range, if there is only one (OpenSLO)
	Verbatim                // {{.window}} if it occurs; fixed ranges mean themselves
)

// limits of what is parsed; a longer query is a mistake or an attack.
const maxQuery = 8 << 10

var (
	promQL      = parser.NewParser(parser.Options{})
	placeholder = regexp.MustCompile(`\{\{[^{}]*\}\}`)
	windowName  = regexp.MustCompile(`^\{\{-?\s*\.window\s*-?\}\}$`)
)

// Parse reads a query with its placeholders. What is wrong with it is recorded at its byte.
func Parse(v strictyaml.Value, w Windows) (Query, bool) {
	text, ok := v.Text()
	if !ok {
		return Query{}, false
	}
	if len(text) > maxQuery {
		v.Problem(fmt.Sprintf("the query has %d bytes; at most %d are read", len(text), maxQuery), slo.RecordInner)
		return Query{}, false
	}
	filled, q, count := fill(v, text)
	if count < 0 {
		return Query{}, false
	}
	if count == 0 && w == Template {
		v.Problem("the query does not contain {{.window}}", "write the range as [{{.window}}]")
		return Query{}, false
	}
	expr, err := promQL.ParseExpr(filled)
	if err != nil {
		syntax(v, text, err)
		return Query{}, false
	}
	q.node = unwrap(expr)
	return q, q.suits(count, w)
}

// fill puts a range of the same length in the place of each {{.window}}, so that places in the text
// stay what they were. It answers how many there were, or -1 if something else was meant.
func fill(v strictyaml.Value, text string) (filled string, q Query, count int) {
	q = Query{at: v, window: 12_347_321 * time.Millisecond}
	for strings.Contains(text, printed(q.window)) {
		q.window += time.Millisecond
	}
	good := true
	filled = placeholder.ReplaceAllStringFunc(text, func(found string) string {
		if !windowName.MatchString(found) {
			v.ProblemAt(v.Inside(strings.Index(text, found)), strictyaml.Error, "unknown placeholder "+found, "only {{.window}} is known")
			good = false
		}
		count++
		return fmt.Sprintf("%0*dms", len(found)-len("ms"), q.window.Milliseconds())
	})
	if !good {
		return "", q, -1
	}
	return filled, q, count
}

// printed returns how the parser writes a range.
func printed(d time.Duration) string { return model.Duration(d).String() }

// syntax records what the parser said, its first error only: the others mostly follow from it.
func syntax(v strictyaml.Value, text string, err error) {
	list, ok := errors.AsType[parser.ParseErrors](err)
	if !ok || len(list) == 0 {
		v.Problem("PromQL: "+err.Error(), "")
		return
	}
	at := min(int(list[0].PositionRange.Start), len(strings.TrimRight(text, " \n")))
	v.ProblemAt(v.Inside(at), strictyaml.Error, "PromQL: "+list[0].Err.Error(), slo.SyntaxHint(list[0].Err.Error()))
}

// suits asks of the whole query what its parts can no longer tell: that every placeholder is a
// range, that no other range stands beside them, and that nothing asks about another time.
func (q *Query) suits(placeholders int, w Windows) bool {
	windows, fixed := 0, map[time.Duration]parser.Node{}
	good := true
	eachRange(q.node, func(n parser.Node, length *time.Duration) {
		if *length == q.window {
			windows++
		} else if fixed[*length] == nil {
			fixed[*length] = n
		}
	})
	q.shifted()
	eachShift(q.node, func(n parser.Node, what, hint string) {
		q.problem(n, "", what, hint)
		good = false
	})
	switch {
	case windows != placeholders:
		q.at.Problem("{{.window}} stands where there is no range, for example in the name of a recorded series", "give the query over the raw metrics; the ledger keeps every window itself")
		return false
	case w == AnyRange && placeholders == 0 && len(fixed) == 1:
		eachRange(q.node, func(_ parser.Node, length *time.Duration) { *length = q.window })
	case placeholders > 0:
		for length, n := range fixed {
			q.problem(n, "fixed-range", fmt.Sprintf(slo.FixedRange, slo.ShortDuration(length), "{{.window}}"), "write [{{.window}}] everywhere")
		}
	}
	return good
}

// shifted takes away an offset that all selectors have alike, which others need for data that
// arrive late. The ledger counts events at their own time, and fills in what comes late.
func (q Query) shifted() {
	var selectors []*parser.VectorSelector
	visit(q.node, func(n parser.Node) {
		if s, ok := n.(*parser.VectorSelector); ok {
			selectors = append(selectors, s)
		}
	})
	offset := time.Duration(0)
	for i, s := range selectors {
		if i > 0 && s.OriginalOffset != offset {
			return
		}
		offset = s.OriginalOffset
	}
	if offset <= 0 || offset > longestOffset {
		return
	}
	q.problem(selectors[0], "not-carried-over", "the offset of "+slo.ShortDuration(offset)+" is not carried over: events are counted at their own time here, and late data are filled in", "")
	for _, s := range selectors {
		s.OriginalOffset = 0
	}
}

// longestOffset is the longest offset that may be about late data and not about another day.
const longestOffset = time.Hour

// problem records something about a node at its byte: the warning of a lint, or an error.
func (q Query) problem(n parser.Node, lint, message, hint string) {
	if at := q.at.Inside(int(n.PositionRange().Start)); lint != "" {
		q.at.LintAt(at, lint, message, hint)
	} else {
		q.at.ProblemAt(at, strictyaml.Error, message, hint)
	}
}

// eachRange calls f with every range in the tree, which f may change.
func eachRange(e parser.Expr, f func(parser.Node, *time.Duration)) {
	visit(e, func(n parser.Node) {
		switch n := n.(type) {
		case *parser.MatrixSelector:
			f(n, &n.Range)
		case *parser.SubqueryExpr:
			f(n, &n.Range)
		}
	})
}

// eachShift calls f with everything in the tree that asks about another time than the minute at
// hand.
func eachShift(e parser.Expr, f func(n parser.Node, what, hint string)) {
	judge := func(n parser.Node, offset time.Duration, fixed bool) {
		switch {
		case fixed:
			f(n, slo.AtFixed, "remove the @ modifier")
		case offset != 0:
			f(n, slo.Offset, "remove the offset")
		}
	}
	visit(e, func(n parser.Node) {
		switch n := n.(type) {
		case *parser.VectorSelector:
			judge(n, n.OriginalOffset, n.Timestamp != nil || n.StartOrEnd != 0)
		case *parser.SubqueryExpr:
			judge(n, n.OriginalOffset, n.Timestamp != nil || n.StartOrEnd != 0)
		}
	})
}

// visit calls f with every node of the tree.
func visit(e parser.Expr, f func(parser.Node)) {
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		if n != nil {
			f(n)
		}
		return nil
	})
}

func unwrap(e parser.Expr) parser.Expr {
	for {
		p, ok := e.(*parser.ParenExpr)
		if !ok {
			return e
		}
		e = p.Expr
	}
}

// text writes a tree in slowburn's words, with $window for the window.
func (q Query) text(node parser.Expr) string {
	return strings.ReplaceAll(node.String(), "["+printed(q.window), "["+slo.WindowVariable)
}

// Plain returns the query as an expression, with $window where the window was.
func (q Query) Plain() *slo.Query { return q.made(q.text(q.node)) }

// made returns a query of ours with the place of the foreign one; nil if it cannot be one, which is
// recorded.
func (q Query) made(text string) *slo.Query {
	out, err := slo.ParseQuery(text)
	if err != nil {
		q.at.Problem(err.Error(), "")
		return nil
	}
	at := q.at.Place()
	out.File, out.Line, out.Column = q.at.File(), at.Line, at.Column
	return out
}
