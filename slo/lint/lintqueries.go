package lint

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/slowburn-sre/slowburn/internal/strictyaml"
	"github.com/slowburn-sre/slowburn/slo"
)

// lintSameQueries refuses a total that is also bad or good.
func lintSameQueries(s *slo.Spec) []finding {
	c := s.SLI.Counters()
	if c == nil {
		return nil
	}
	total := c.Total.Expr()
	for part, q := range map[string]*slo.Query{"bad": s.SLI.Bad, "good": s.SLI.Good} {
		if q == nil || total == nil {
			continue
		}
		if e := q.Expr(); e != nil && e.String() == total.String() {
			return []finding{wrong("same-query", part, fmt.Sprintf("%s is the same query as total, so every event is %s", part, part), "narrow it to the events that are "+part+", for example by "+map[string]string{"bad": `code=~"5.."`, "good": `code!~"5.."`}[part])}
		}
	}
	return nil
}

// lintNarrowing finds bad or good events that are not among the total ones: the same counter with
// other matchers, or any other counter of the whole server beside the total of one service.
func lintNarrowing(s *slo.Spec) (out []finding) {
	eachPart(s, func(part string, total, some *slo.Query) {
		if some.Metric != total.Metric && len(some.Matchers) > 0 {
			return // other metrics may have other labels: see lintDiffering
		}
		for _, m := range total.Matchers {
			if m.Name == labels.BucketLabel || implies(some.Matchers, m) {
				continue
			}
			message, hint := fmt.Sprintf("total is limited to %s and %s is not, so %s may count events that total does not", m, part, part), fmt.Sprintf("add %s", m)
			if n := on(some.Matchers, m.Name); n != nil {
				message, hint = fmt.Sprintf("total is limited to %s and %s to %s, so %s counts events that total does not", m, part, n, part), fmt.Sprintf("write %s, or widen total", m)
			}
			out = append(out, strange("not-in-total", part, message, hint))
		}
	})
	return out
}

// lintDiffering finds a bad or good counter of its own whose labels pick something else than those
// of total.
func lintDiffering(s *slo.Spec) (out []finding) {
	eachPart(s, func(part string, total, some *slo.Query) {
		if some.Metric == total.Metric || len(some.Matchers) == 0 || len(total.Matchers) == 0 {
			return
		}
		shared := false
		for _, m := range total.Matchers {
			n := on(some.Matchers, m.Name)
			shared = shared || n != nil
			if n != nil && m.Name != labels.BucketLabel && !implies(some.Matchers, m) {
				out = append(out, strange("labels-differ", part, fmt.Sprintf("total picks %s and %s picks %s, so they are not about the same events", m, part, n), "pick both by the same value"))
			}
		}
		if !shared {
			out = append(out, strange("labels-differ", part, fmt.Sprintf("total is picked by %s and %s by %s: nothing says that they are about the same service", names(total.Matchers), part, names(some.Matchers)),
				fmt.Sprintf("pick both by labels that %s has, too", some.Metric)))
		}
	})
	return out
}

// eachPart calls f with what bad or good reads, beside what total reads.
func eachPart(s *slo.Spec, f func(part string, total, some *slo.Query)) {
	if s.SLI.Total == nil {
		return
	}
	total := s.SLI.Total.Selector()
	for part, q := range s.Parts() {
		if some := q.Selector(); total != nil && some != nil && part != "total" {
			f(part, total, some)
		}
	}
}

// on returns the matcher on a label, nil if there is none.
func on(matchers []*labels.Matcher, label string) *labels.Matcher {
	if i := slices.IndexFunc(matchers, func(m *labels.Matcher) bool { return m.Name == label }); i >= 0 {
		return matchers[i]
	}
	return nil
}

// names lists the labels that are matched.
func names(matchers []*labels.Matcher) string {
	var out []string
	for _, m := range matchers {
		out = append(out, m.Name)
	}
	return strings.Join(slices.Compact(out), ", ")
}

// implies reports whether series that fulfil the matchers may be taken to fulfil m: they have it,
// or another one on the same label whose values, as far as they can be listed, all fulfil m.
func implies(matchers []*labels.Matcher, m *labels.Matcher) bool {
	return slices.ContainsFunc(matchers, func(o *labels.Matcher) bool {
		switch {
		case o.Name != m.Name:
			return false
		case o.Type == labels.MatchEqual:
			return m.Matches(o.Value)
		case o.Type == labels.MatchRegexp && len(o.SetMatches()) > 0:
			return !slices.ContainsFunc(o.SetMatches(), func(v string) bool { return !m.Matches(v) })
		}
		return true
	})
}

// opposites are label values that tell bad from good events: HTTP and gRPC codes, and words.
var opposites = []struct{ bad, good string }{{"500", "200"}, {"Internal", "OK"}, {"error", "success"}}

// telling are parts of metric names that tell good from bad events.
var telling = map[string]*regexp.Regexp{
	"bad":  regexp.MustCompile(`(?i)(error|fail|timeout|reject|exception)`),
	"good": regexp.MustCompile(`(?i)(success|succeeded)`),
}

// lintSwapped suspects that good and bad were exchanged.
func lintSwapped(s *slo.Spec) []finding {
	for part, q := range s.Parts() {
		if part != "good" && part != "bad" || s.SLI.Total == nil {
			continue
		}
		other := map[string]string{"good": "bad", "bad": "good"}[part]
		hint := fmt.Sprintf("write them under %s", other)
		for _, m := range allMatchers(q) {
			if looks(m, part) == other {
				return []finding{strange("good-bad-swapped", part, fmt.Sprintf("%s counts events with %s, which look %s", part, m, other), hint)}
			}
		}
		some, total := q.Selector(), s.SLI.Total.Selector()
		if total == nil {
			total = &slo.Query{} // an expression over several selectors, whose name says nothing
		}
		if some != nil && some.Metric != total.Metric && len(some.Matchers) == len(total.Matchers) && telling[other].MatchString(some.Metric) && !telling[part].MatchString(some.Metric) {
			return []finding{strange("good-bad-swapped", part, fmt.Sprintf("%s counts %s, whose name says that they are %s", part, some.Metric, other), hint)}
		}
	}
	return nil
}

// looks says what the events are that a matcher picks: part, or the other if it picks only typical
// ones of that.
func looks(m *labels.Matcher, part string) string {
	for _, o := range opposites {
		switch bad, good := m.Matches(o.bad), m.Matches(o.good); {
		case part == "good" && bad && !good:
			return "bad"
		case part == "bad" && good && !bad:
			return "good"
		}
	}
	return part
}

// allMatchers returns every matcher of a query, in an expression those of all its selectors.
func allMatchers(q *slo.Query) (out []*labels.Matcher) {
	if q.Bare() {
		return q.Matchers
	}
	visit(q.Expr(), func(n parser.Node) {
		if v, ok := n.(*parser.VectorSelector); ok {
			out = append(out, v.LabelMatchers...)
		}
	})
	return out
}

func visit(e parser.Expr, f func(parser.Node)) {
	if e == nil {
		return
	}
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		if n != nil {
			f(n)
		}
		return nil
	})
}

// lintCounting finds event queries that do not count events.
func lintCounting(s *slo.Spec) (out []finding) {
	if s.SLI.Counters() == nil {
		return nil
	}
	for part, q := range s.Parts() {
		switch {
		case q.Bare():
			out = append(out, lintCounter(part, q)...)
		default:
			out = append(out, lintExpression(part, q)...)
		}
	}
	return out
}

// lintCounter judges a bare selector by the naming rules of Prometheus.
func lintCounter(part string, q *slo.Query) []finding {
	hasLe := slices.ContainsFunc(q.Matchers, func(m *labels.Matcher) bool { return m.Name == labels.BucketLabel })
	switch name := q.Metric; {
	case strings.HasSuffix(name, "_bucket") && !hasLe:
		return []finding{strange("histogram-counted", part, fmt.Sprintf("%s counts every event once per bucket", name), fmt.Sprintf("write %s, or limit it to one bucket by le", strings.TrimSuffix(name, "_bucket")+"_count"))}
	case strings.HasSuffix(name, "_sum"):
		return []finding{strange("histogram-counted", part, fmt.Sprintf("%s adds up what was measured, not events", name), fmt.Sprintf("write %s", strings.TrimSuffix(name, "_sum")+"_count"))}
	case gaugeName.MatchString(name):
		return []finding{strange("gauge-counted", part, fmt.Sprintf("%s looks like a gauge by its name, and only counters can be counted", name), "for a gauge write uptime or slices; a counter's name ends with _total")}
	}
	return nil
}

// gaugeName are endings of names that only gauges have. Other names say nothing: many counters do
// not end with _total, those of ingress-nginx and Envoy among them. A live server knows better, see
// [Live].
var gaugeName = regexp.MustCompile(`(^|_)(up|length|depth|size|ratio|percent|percentage|usage|utilization|current|active|in_flight|inflight|in_progress|pending|waiting|idle|available|free|used|limit|lag|age|backlog|temperature|celsius|temp|timestamp|timestamp_seconds|info|status|state|min|max|avg|mean|quantile|goroutines|threads)$`)

// lintExpression judges an expression that is to count events over $window.
func lintExpression(part string, q *slo.Query) (out []finding) {
	expr := q.Expr()
	if b, ok := unwrap(expr).(*parser.BinaryExpr); ok && b.Op == parser.DIV && b.RHS.Type() == parser.ValueTypeVector {
		return []finding{strange("ratio-counted", part, fmt.Sprintf("%s is a ratio, but events need a count", part), "write the numerator and the denominator as bad and total, or use ratio")}
	}
	visit(expr, func(n parser.Node) {
		c, ok := n.(*parser.Call)
		if !ok || len(out) > 0 {
			return
		}
		switch c.Func.Name {
		case "rate", "irate":
			out = append(out, strange("rate-counted", part, fmt.Sprintf("%s counts events per second, not events", c.Func.Name), "write increase, so that budgets and the low-traffic guard see the real number of events"))
		case "increase":
			if sub, ok := c.Args[0].(*parser.SubqueryExpr); ok && aggregates(sub.Expr) {
				out = append(out, strange("sum-before-increase", part, "the counters are summed before their increase is taken, so a restart of one looks like a reset of all", "take the increase first: sum(increase(…["+slo.WindowVariable+"]))"))
			}
		}
	})
	return out
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

func aggregates(e parser.Expr) (found bool) {
	visit(e, func(n parser.Node) {
		if _, ok := n.(*parser.AggregateExpr); ok {
			found = true
		}
	})
	return found
}

// lintGauges finds counters where the value itself is looked at.
func lintGauges(s *slo.Spec) (out []finding) {
	if s.SLI.Minutes() == nil {
		return nil
	}
	for part, q := range s.Parts() {
		if q.Bare() && strings.HasSuffix(q.Metric, "_total") {
			out = append(out, strange("counter-as-gauge", part, fmt.Sprintf("%s looks like a counter, whose value only grows", q.Metric), "use events to count, or a gauge here"))
		}
	}
	return out
}

// lintRatio finds percentages where a ratio from 0 to 1 is wanted.
func lintRatio(s *slo.Spec) (out []finding) {
	if s.SLI.Kind != slo.Ratio || s.SLI.Bad == nil {
		return nil
	}
	visit(s.SLI.Bad.Expr(), func(n parser.Node) {
		b, ok := n.(*parser.BinaryExpr)
		if !ok || b.Op != parser.MUL || len(out) > 0 {
			return
		}
		for _, side := range []parser.Expr{b.LHS, b.RHS} {
			if number, ok := unwrap(side).(*parser.NumberLiteral); ok && number.Val == 100 {
				out = append(out, strange("percent-ratio", "bad", "the query is multiplied by 100, "+RatioRange, "remove * 100"))
			}
		}
	})
	return out
}

// manySeconds is a latency limit that nobody waits for: it was probably meant in milliseconds.
const manySeconds = 60

func lintLimit(s *slo.Spec) []finding {
	if s.SLI.Histogram == nil {
		return nil
	}
	if _, err := strictyaml.ParseNumber(s.SLI.LimitText); err != nil || s.SLI.Below < manySeconds || !strings.HasSuffix(s.SLI.Histogram.Metric, "_seconds") {
		return nil
	}
	return []finding{strange("limit-unit", "below", fmt.Sprintf("below: %s means %s seconds here", s.SLI.LimitText, s.SLI.LimitText), fmt.Sprintf("write the unit: %sms or %ss", s.SLI.LimitText, s.SLI.LimitText))}
}

// lintBy finds labels that cannot divide the SLO into budgets.
func lintBy(s *slo.Spec) (out []finding) {
	for i, label := range s.By {
		part := fmt.Sprintf("by.%d", i)
		for name, q := range s.Parts() {
			if f, bad := lintLabel(part, label, name, q); bad {
				out = append(out, f)
				break
			}
		}
	}
	return out
}

func lintLabel(part, label, name string, q *slo.Query) (finding, bool) {
	if !q.Bare() {
		return wrong("by-summed-away", part, fmt.Sprintf("%s sums the label %s away, so there cannot be one budget for each of its values", name, label),
			fmt.Sprintf("aggregate with by (%s)", label)), q.Drops(label)
	}
	for _, m := range q.Matchers {
		if m.Name == label && m.Type == labels.MatchEqual {
			return strange("by-fixed", part, fmt.Sprintf("%s is fixed to %s by %s, so there is only one budget", label, strconv.Quote(m.Value), name),
				"remove the label from by, or the matcher"), true
		}
	}
	return finding{}, false
}
