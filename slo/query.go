package slo

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/parser/posrange"
	"github.com/slowburn-sre/slowburn/internal/selectors"
)

// Query is a piece of PromQL out of an SLO file. It is either a bare selector such as
// `http_requests_total{job="checkout"}`, whose raw samples the ledger counts exactly, or an
// expression that Prometheus evaluates once per minute, in which `$window` stands for the range.
type Query struct {
	Text     string            // as written, without space around it
	Metric   string            // name of a bare selector, "" for an expression
	Matchers []*labels.Matcher // of a bare selector, without the one on the name; sorted by name, then text
	File     string            // where it stands, for messages
	Line     int
	Column   int
}

// Rename returns the bare selector with another metric in the place of its own.
func (q *Query) Rename(metric string) *Query {
	out := *q
	out.Metric = metric
	if rest, ok := strings.CutPrefix(q.Text, q.Metric); ok && model.LegacyValidation.IsValidMetricName(metric) {
		out.Text = metric + rest
		return &out
	}
	out.Text = selectors.Metric(metric, q.Matchers...)
	return &out
}

// BucketAt matches the bucket of a limit for a person or a rule: in the ways in which programs
// write the number most often, for Prometheus 3 writes le="1.0" where 2 wrote le="1".
func BucketAt(limit float64) *labels.Matcher {
	spellings := []string{strconv.FormatFloat(limit, 'f', -1, 64), strconv.FormatFloat(limit, 'g', -1, 64)}
	for _, s := range spellings {
		if !strings.ContainsAny(s, ".e") {
			spellings = append(spellings, s+".0")
		}
	}
	slices.Sort(spellings)
	spellings = slices.Compact(spellings)
	if len(spellings) == 1 {
		return labels.MustNewMatcher(labels.MatchEqual, labels.BucketLabel, spellings[0])
	}
	return labels.MustNewMatcher(labels.MatchRegexp, labels.BucketLabel, selectors.Alternation(spellings...))
}

// WindowVariable is what stands for the range in an expression.
const WindowVariable = "$window"

// MaxQuery is how many bytes of PromQL are read; a longer query is a mistake or an attack.
const MaxQuery = 8 << 10

// Bare reports whether the query is a bare selector.
func (q *Query) Bare() bool { return q != nil && q.Metric != "" }

// Windowed reports whether `$window` occurs in the query.
func (q *Query) Windowed() bool { return q != nil && strings.Contains(q.Text, WindowVariable) }

// Render returns the query with `$window` replaced by the given range. Of a bare selector it is the
// text itself.
func (q *Query) Render(window time.Duration) string {
	return strings.ReplaceAll(q.Text, WindowVariable, ShortDuration(window))
}

// promQL is Prometheus' own parser, with its stable language: what needs a feature flag on the
// server is refused, and by [inspectNew] what servers in use do not know yet.
var promQL = parser.NewParser(parser.Options{})

// windowStandIn is parsed in place of `$window`. It is as long, so that places stay the same.
const windowStandIn = "000005m"

// maxSyntax is how many errors of form one query is told.
const maxSyntax = 3

// Remark is something to say about a byte of a query.
type Remark struct {
	Offset        int
	Lint          string // whose warning it is; "" makes it an error
	Message, Hint string
}

// ParseQuery reads PromQL that did not come out of a file of ours. Unlike Load it does not ask
// whether the query suits its purpose.
func ParseQuery(text string) (*Query, error) {
	q, remarks := InspectQuery(text)
	for _, r := range remarks {
		if r.Lint == "" {
			return nil, fmt.Errorf("PromQL %q: %s", text, r.Message)
		}
	}
	return q, nil
}

// What is said of queries that others read, too.
const (
	RecordInner = "record the inner part by a rule"
	NoMetric    = "the selector does not name one metric"
	NoRange     = "does not say over which time it counts"
	AtFixed     = "@ fixes the time, so every minute would get the same answer"
	Offset      = "offset counts what happened at another time as if it happened now"
	FixedRange  = "the fixed range %s stands beside %s, so the parts of the query are about different times"
)

// InspectQuery parses PromQL and says what no query of an SLO may contain. The query is nil if it
// could not be parsed.
func InspectQuery(written string) (*Query, []Remark) {
	text := strings.TrimSpace(written)
	lead := strings.Index(written, text)
	if len(text) > MaxQuery {
		return nil, []Remark{{0, "", fmt.Sprintf("the query has %d bytes; at most %d are read", len(text), MaxQuery), RecordInner}}
	}
	remarks := variables(text)
	if len(remarks) == 0 {
		remarks = comments(text)
	}
	if len(remarks) > 0 {
		return nil, shift(remarks, lead)
	}
	expr, err := promQL.ParseExpr(strings.ReplaceAll(text, WindowVariable, windowStandIn))
	if err != nil {
		return nil, shift(syntax(text, err), lead)
	}
	if deeper(expr, maxNesting) {
		return nil, []Remark{{lead, "", fmt.Sprintf("the query is nested more than %d levels deep", maxNesting), RecordInner}}
	}
	q := &Query{Text: text}
	if sel := selector(expr); sel != nil {
		q.bare(sel)
	}
	return q, shift(inspect(text, expr), lead)
}

// Expr returns the parsed expression, in which five minutes stand for `$window`; nil if it does not
// parse, which reading the file has refused.
func (q *Query) Expr() parser.Expr {
	e, err := promQL.ParseExpr(strings.ReplaceAll(q.Text, WindowVariable, windowStandIn))
	if err != nil {
		return nil
	}
	return e
}

// Gain says over what an expression counts events.
type Gain int

// The ways to count.
const (
	NoGain    Gain = iota // it does not say
	PerWindow             // over its range, by increase or delta
	PerSecond             // by rate
)

// Gain returns what the value of the expression is a number of events of.
func (q *Query) Gain() (g Gain) {
	expr := q.Expr()
	if expr == nil {
		return NoGain
	}
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		if call, ok := n.(*parser.Call); ok {
			switch call.Func.Name {
			case "rate", "irate", "deriv":
				g = PerSecond
			case "increase", "delta", "idelta":
				g = max(g, PerWindow)
			}
		}
		return nil
	})
	return g
}

// Constant reports whether the expression makes events out of nothing, by vector() of a number
// other than zero beside an `or`.
func (q *Query) Constant() (found bool) {
	expr := q.Expr()
	if expr == nil {
		return false
	}
	parser.Inspect(expr, func(n parser.Node, around []parser.Node) error {
		call, ok := n.(*parser.Call)
		if !ok || call.Func.Name != "vector" || !alternative(around) {
			return nil
		}
		number, ok := unwrapParens(call.Args[0]).(*parser.NumberLiteral)
		found = found || !ok || number.Val != 0
		return nil
	})
	return found
}

// alternative reports whether one of the nodes is an `or`.
func alternative(around []parser.Node) bool {
	return slices.ContainsFunc(around, func(n parser.Node) bool {
		b, ok := n.(*parser.BinaryExpr)
		return ok && b.Op == parser.LOR
	})
}

func unwrapParens(e parser.Expr) parser.Expr {
	for {
		p, ok := e.(*parser.ParenExpr)
		if !ok {
			return e
		}
		e = p.Expr
	}
}

// IsSelector reports whether the query is a selector and nothing else. One that does not name its
// metric is not [Query.Bare].
func (q *Query) IsSelector() bool { return selector(q.Expr()) != nil }

// Selector returns the query itself if it is a bare selector, and otherwise the only selector in
// its expression, as a query that has nothing but Metric and Matchers; nil if there are several, or
// it names no metric.
func (q *Query) Selector() *Query {
	all := q.Selectors()
	if len(all) != 1 || all[0].Metric == "" {
		return nil
	}
	return all[0]
}

// Selectors returns the query itself if it is a bare selector, and otherwise each selector in its
// expression, in the order of the text, as a query that has nothing but Metric and Matchers;
// neither if it names no metric.
func (q *Query) Selectors() []*Query {
	if q.Bare() {
		return []*Query{q}
	}
	expr := q.Expr()
	if expr == nil {
		return nil
	}
	var found []*Query
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		if v, ok := n.(*parser.VectorSelector); ok {
			inner := &Query{}
			inner.fill(v)
			found = append(found, inner)
		}
		return nil
	})
	return found
}

// maxNesting is how deep an expression may be nested; a chain of n operators is n deep.
const maxNesting = 200

// deeper reports whether the expression has more levels than that.
func deeper(n parser.Node, levels int) bool {
	if levels == 0 {
		return true
	}
	for child := range parser.ChildrenIter(n) {
		if deeper(child, levels-1) {
			return true
		}
	}
	return false
}

func shift(remarks []Remark, by int) []Remark {
	for i := range remarks {
		remarks[i].Offset += by
	}
	return remarks
}

// foreignVariables are placeholders of other programs, with what they are called here.
var foreignVariables = regexp.MustCompile(`\$\{?[a-zA-Z_][a-zA-Z_0-9]*\}?|\{\{[^}]*\}\}`)

// variables refuses placeholders other than $window.
func variables(text string) (out []Remark) {
	for _, at := range foreignVariables.FindAllStringIndex(text, maxSyntax) {
		if name := text[at[0]:at[1]]; name != WindowVariable {
			out = append(out, Remark{
				at[0], "", fmt.Sprintf("unknown variable %s", name),
				"the only variable is " + WindowVariable + ", which stands for the range: rate(x[" + WindowVariable + "])",
			})
		}
	}
	return out
}

// comments refuses comments, which would hide the rest of a larger query that this one becomes part
// of. The lexer stops at the $ of $window, so it is shown the stand-in.
func comments(text string) (out []Remark) {
	lexer := parser.Lex(strings.ReplaceAll(text, WindowVariable, windowStandIn))
	for range len(text) + 1 {
		var item parser.Item
		lexer.NextItem(&item)
		switch item.Typ {
		case parser.EOF, parser.ERROR:
			return out
		case parser.COMMENT:
			out = append(out, Remark{int(item.Pos), "", "a PromQL comment is not accepted here", "write it as a YAML comment above the query"})
		}
	}
	return out
}

// broken recognises an error of form. Whatever the parser says after it merely follows from it.
var broken = regexp.MustCompile(`^(unexpected|unclosed|unterminated)`)

// syntax translates the parser's errors.
func syntax(text string, err error) (out []Remark) {
	list, ok := err.(parser.ParseErrors)
	if !ok {
		return []Remark{{0, "", "PromQL: " + err.Error(), ""}}
	}
	if i := slices.IndexFunc(list, func(e parser.ParseErr) bool { return broken.MatchString(e.Err.Error()) }); i >= 0 {
		list = list[i : i+1]
	}
	for _, e := range list[:min(len(list), maxSyntax)] {
		at := min(max(int(e.PositionRange.Start), 0), len(text))
		message := strings.ReplaceAll(e.Err.Error(), windowStandIn, WindowVariable)
		out = append(out, Remark{at, "", "PromQL: " + message, SyntaxHint(message)})
	}
	return out
}

// SyntaxHint says what to write instead of PromQL that its parser refuses with that message; "" if
// that is not known.
func SyntaxHint(message string) string {
	switch {
	case strings.Contains(message, "expected type range vector"):
		return "give it a range: [" + WindowVariable + "]"
	case strings.Contains(message, "in label matching, expected string"):
		return `write job="checkout", with quotes`
	case strings.Contains(message, "unexpected character"):
		return `names with other characters than letters, digits and _ are written in quotes, inside of the braces: {"http.requests", "http.status"="200"}`
	case strings.Contains(message, "unclosed") || strings.Contains(message, "unexpected end of input"):
		return "something that was opened is not closed: ( [ { or a quote"
	}
	return ""
}

// selector returns the expression as a selector that stands alone, or nil.
func selector(e parser.Expr) *parser.VectorSelector {
	v, ok := unwrapParens(e).(*parser.VectorSelector)
	if !ok {
		return nil
	}
	return v
}

// bare fills metric and matchers from a selector, if it has neither offset nor @ and names its
// metric.
func (q *Query) bare(v *parser.VectorSelector) {
	if v.OriginalOffset != 0 || v.Timestamp != nil || v.StartOrEnd != 0 {
		return
	}
	if q.fill(v); q.Metric != "" {
		q.Text = q.Text[v.PosRange.Start:v.PosRange.End]
	}
}

// fill takes metric and matchers from a selector; nothing if it does not name one metric.
func (q *Query) fill(v *parser.VectorSelector) {
	for _, m := range v.LabelMatchers {
		if m.Name == model.MetricNameLabel && m.Type == labels.MatchEqual && q.Metric == "" {
			q.Metric = m.Value
			continue
		}
		q.Matchers = append(q.Matchers, m)
	}
	if q.Metric == "" {
		q.Matchers = nil
		return
	}
	slices.SortFunc(q.Matchers, func(a, b *labels.Matcher) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.String(), b.String()))
	})
}

// inspect says what is wrong with a parsed query, whatever it is for.
func inspect(text string, expr parser.Expr) (out []Remark) {
	switch expr.Type() {
	case parser.ValueTypeMatrix:
		return append(out, Remark{0, "", "the query is a range vector", "remove the range […]: a bare selector is read as it is, or wrap it: increase(…[" + WindowVariable + "])"})
	case parser.ValueTypeScalar, parser.ValueTypeString:
		return append(out, Remark{0, "", fmt.Sprintf("the query is a %s, a constant that says nothing about the service", expr.Type()), "name a metric"})
	}
	selectors := 0
	parser.Inspect(expr, func(n parser.Node, around []parser.Node) error {
		switch n := n.(type) {
		case *parser.VectorSelector:
			selectors++
			out = append(out, inspectNew(n.PosRange.Start, n.Smoothed || n.Anchored, n.OriginalOffsetExpr)...)
			out = append(out, inspectSelector(n, selector(expr) != nil)...)
		case *parser.MatrixSelector:
			out = append(out, inspectNew(n.PositionRange().Start, false, n.RangeExpr)...)
			out = append(out, inspectRange(text, n.PositionRange(), n.Range)...)
		case *parser.SubqueryExpr:
			out = append(out, inspectNew(n.PositionRange().Start, false, n.RangeExpr, n.StepExpr, n.OriginalOffsetExpr)...)
			out = append(out, inspectTime(n.PositionRange().Start, n.OriginalOffset, n.Timestamp != nil || n.StartOrEnd != 0)...)
			out = append(out, inspectRange(text, n.PositionRange(), n.Range)...)
			out = append(out, inspectSteps(text, n, around)...)
		case *parser.NumberLiteral:
			out = append(out, inspectNumber(n)...)
		}
		return nil
	})
	if selectors == 0 && len(out) == 0 {
		out = append(out, Remark{0, "", "the query reads no metric", "name a metric"})
	}
	return out
}

// inspectNew refuses PromQL that servers before Prometheus 3.16 do not know, or only behind a
// feature flag, though the parser takes it: modifiers of a range, and durations that are
// calculated.
func inspectNew(at posrange.Pos, modified bool, durations ...*parser.DurationExpr) []Remark {
	switch {
	case modified:
		return []Remark{{int(at), "", "smoothed and anchored are not known to every Prometheus", "leave the modifier out: increase(…[" + WindowVariable + "])"}}
	case slices.ContainsFunc(durations, func(d *parser.DurationExpr) bool { return d != nil }):
		return []Remark{{int(at), "", "a calculated duration is not known to every Prometheus", "write the duration as one number: [" + WindowVariable + "]"}}
	}
	return nil
}

// inspectSelector refuses a selector that reads more than one metric: one without a name reads
// whatever the server has. Of one that stands alone its place says so, with what is wanted there.
func inspectSelector(v *parser.VectorSelector, alone bool) (out []Remark) {
	out = inspectTime(v.PosRange.Start, v.OriginalOffset, v.Timestamp != nil || v.StartOrEnd != 0)
	named := slices.ContainsFunc(v.LabelMatchers, func(m *labels.Matcher) bool {
		return m.Name == model.MetricNameLabel && m.Type == labels.MatchEqual && m.Value != ""
	})
	if !named && !alone {
		out = append(out, Remark{int(v.PosRange.Start), "", NoMetric, `write metric{label="value"}, everywhere in the expression`})
	}
	return out
}

// minStep is the shortest step of a subquery, maxSteps how often its inner part may be evaluated in
// all, and usualStep what servers take for a step that is left out.
const (
	minStep   = time.Second
	maxSteps  = 11_000
	usualStep = time.Minute
)

// inspectSteps refuses subqueries that evaluate their inner part very often. Those around it
// multiply.
func inspectSteps(text string, s *parser.SubqueryExpr, around []parser.Node) []Remark {
	at := int(s.PositionRange().Start)
	at += max(strings.LastIndexByte(text[at:min(int(s.PositionRange().End), len(text))], '['), 0)
	if s.Step != 0 && s.Step < minStep {
		return []Remark{{at, "", fmt.Sprintf("a step of %s evaluates the inner part too often", ShortDuration(s.Step)), "a step is a second at least; leave it out, or write for example [" + WindowVariable + ":30s]"}}
	}
	steps := stepsOf(s)
	for _, n := range around {
		if outer, ok := n.(*parser.SubqueryExpr); ok {
			steps = min(steps, maxSteps+1) * min(stepsOf(outer), maxSteps+1)
		}
	}
	if steps > maxSteps && s.Range <= maxRange { // a longer range is refused anyway
		return []Remark{{at, "", fmt.Sprintf("the inner part would be evaluated more than %d times a minute", maxSteps), "write a longer step or a shorter range, or " + RecordInner}}
	}
	return nil
}

func stepsOf(s *parser.SubqueryExpr) int64 {
	return int64(s.Range / max(cmp.Or(s.Step, usualStep), 1))
}

// maxNumber is the largest number of events that a query may speak of.
const maxNumber = 1e15

// inspectNumber refuses numbers with which no events can be counted.
func inspectNumber(n *parser.NumberLiteral) []Remark {
	if n.Duration || !(n.Val > maxNumber || n.Val < -maxNumber) {
		return nil
	}
	return []Remark{{int(n.PosRange.Start), "", "a number beyond 1e15 counts no events", "write a smaller number"}}
}

// inspectTime refuses what makes a minute's answer be about another time.
func inspectTime(at posrange.Pos, offset time.Duration, fixed bool) []Remark {
	switch {
	case fixed:
		return []Remark{{int(at), "", AtFixed, "remove the @ modifier"}}
	case offset != 0:
		return []Remark{{int(at), "", Offset, "remove the offset"}}
	}
	return nil
}

// maxRange is the longest range that a query may read every minute.
const maxRange = Day

// inspectRange judges a range that was not written as $window.
func inspectRange(text string, at posrange.PositionRange, length time.Duration) []Remark {
	part := text[at.Start:min(int(at.End), len(text))]
	open := strings.LastIndexByte(part, '[')
	if open < 0 || strings.Contains(part[open:], WindowVariable) {
		return nil
	}
	offset := int(at.Start) + open
	switch {
	case length > maxRange:
		return []Remark{{offset, "", fmt.Sprintf("a range of %s would be read every minute", ShortDuration(length)), "write [" + WindowVariable + "]; the ledger keeps the long sums itself"}}
	case strings.Contains(text, WindowVariable):
		return []Remark{{offset, "fixed-range", fmt.Sprintf(FixedRange, ShortDuration(length), WindowVariable), "write [" + WindowVariable + "] everywhere"}}
	}
	return []Remark{{offset, "fixed-range", fmt.Sprintf("a fixed range of %s counts each event in several minutes", ShortDuration(length)), "write [" + WindowVariable + "]"}}
}

// Drops reports whether the result of an expression cannot carry the label, because an aggregation
// or a matching in it leaves the label out.
func (q *Query) Drops(label string) bool { return dropsLabel(q.Expr(), label) }

// dropsLabel reports whether the result of the expression cannot carry the label, because an
// aggregation or a matching in it leaves the label out.
func dropsLabel(expr parser.Expr, label string) bool {
	switch e := expr.(type) {
	case *parser.ParenExpr:
		return dropsLabel(e.Expr, label)
	case *parser.AggregateExpr:
		return slices.Contains(e.Grouping, label) == e.Without || (!e.Without && dropsLabel(e.Expr, label))
	case *parser.BinaryExpr:
		if e.LHS.Type() == parser.ValueTypeScalar {
			return dropsLabel(e.RHS, label)
		}
		return dropsLabel(e.LHS, label)
	case *parser.Call:
		if len(e.Args) > 1 && strings.HasPrefix(e.Func.Name, "label_") {
			if made, ok := e.Args[1].(*parser.StringLiteral); ok && made.Val == label {
				return false
			}
		}
		for _, a := range e.Args {
			if a.Type() == parser.ValueTypeVector || a.Type() == parser.ValueTypeMatrix {
				return dropsLabel(a, label)
			}
		}
	}
	return false
}
