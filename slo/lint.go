package slo

import (
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/slowburn-sre/slowburn/internal/strictyaml"
)

// The lint looks at SLOs that are valid and yet cannot mean what they say. What is certainly
// wrong is an error, what may have a reason is a warning; each says why and what to write.

// finding is what one rule says about one part of a spec.
type finding struct {
	part          string // key of places
	severity      strictyaml.Severity
	message, hint string
}

func wrong(part, message, hint string) finding {
	return finding{part, strictyaml.Error, message, hint}
}

func strange(part, message, hint string) finding {
	return finding{part, strictyaml.Warning, message, hint}
}

// rules are asked in this order; each answers for one kind of mistake.
var rules = []func(*Spec) []finding{
	lintObjective, lintWindows,
	lintDeadPairs, lintPairs, lintSilence,
	lintSameQueries, lintNarrowing, lintSwapped, lintCounting, lintGauges, lintRatio, lintLimit,
	lintBy,
}

// Lint looks for SLOs that cannot mean what they say. [Load] has done so already, with better
// places, and refuses what is an error; Lint is for sets that came from elsewhere.
func Lint(set *Set) (out Problems) {
	for _, s := range set.Specs {
		out = append(out, lint(s, nil)...)
	}
	return out.Sorted()
}

func lint(s *Spec, at places) (out Problems) {
	for _, rule := range rules {
		for _, f := range rule(s) {
			out = append(out, problem(s, at, f.part, f.severity, f.message, f.hint))
		}
	}
	return out
}

// minScrapes is how many samples a window needs to survive a missed scrape.
const minScrapes = 4

// LintScrape says which windows of an SLO are too short for the interval at which its metrics are scraped.
func LintScrape(s *Spec, interval time.Duration) (out Problems) {
	for part, pairs := range map[string][]Pair{"page": s.Alerts.Page, "ticket": s.Alerts.Ticket} {
		for i, p := range pairs {
			if p.Short >= minScrapes*interval {
				continue
			}
			out = append(out, problem(s, nil, fmt.Sprintf("%s.%d", part, i), strictyaml.Warning,
				fmt.Sprintf("the short window %s of a %s holds fewer than %d scrapes (every %s), so one missed scrape can end or delay the alert",
					ShortDuration(p.Short), part, minScrapes, ShortDuration(interval)),
				fmt.Sprintf("scrape at least every %s, or write short: %s", ShortDuration(p.Short/minScrapes), ShortDuration(roundUp(minScrapes*interval)))))
		}
	}
	return out.Sorted()
}

func roundUp(d time.Duration) time.Duration {
	return (d + time.Minute - 1) / time.Minute * time.Minute
}

// fastestNotice is the soonest that anybody can be told: a slot of the ledger is a minute, and
// it is read after the scrape.
const fastestNotice = 2 * time.Minute

// lintObjective finds objectives that are meant the other way round, and those that nothing can defend.
func lintObjective(s *Spec) []finding {
	if s.Objective.Allowed() > Billion/2 {
		return []finding{strange("objective", fmt.Sprintf("an objective of %s allows most events to be bad", s.Objective),
			fmt.Sprintf("the objective is the share of good events; did you mean %s?", decimals(100-100*s.Objective.Ratio())))}
	}
	lasts := time.Duration(float64(s.Window().Length()) * s.Objective.AllowedRatio())
	if lasts < fastestNotice {
		return []finding{strange("objective", fmt.Sprintf("at %s a total outage spends the whole budget of %s in %s, before anybody can be told", s.Objective, s.Window(), lasts.Round(time.Second)),
			"alerts cannot defend this objective; write at most 99.99, or let the software fail over by itself")}
	}
	return nil
}

func lintWindows(s *Spec) (out []finding) {
	for i, w := range s.Windows {
		if first := slices.IndexFunc(s.Windows[:i], func(v Window) bool { return v.String() == w.String() }); first >= 0 {
			out = append(out, strange(fmt.Sprintf("window.%d", i), fmt.Sprintf("the window %s is listed twice", w), "remove one of them"))
		}
	}
	return out
}

// lintDeadPairs refuses pairs that could not fire even in a total outage. Default pairs that are
// dead have been left out before, so these were written on purpose.
func lintDeadPairs(s *Spec) (out []finding) {
	eachPair(s, func(part string, p Pair) {
		if !p.Dead(s.Window(), s.Objective) {
			return
		}
		hint := fmt.Sprintf("the objective must be above %s%%", decimals(p.lowestObjective(s.Window())))
		if most := p.largestBudget(s.Window(), s.Objective); most > 0 {
			hint = fmt.Sprintf("write budget: %s%% or less, or a longer long window; or %s", basisPoints(most), hint)
		}
		out = append(out, wrong(part, fmt.Sprintf("this alert can never fire: at %s even a total outage burns only %s times as fast as allowed, and it needs more than %s",
			s.Objective, decimals(1/s.Objective.AllowedRatio()), decimals(p.Burn(s.Window().Length()))), hint))
	})
	return out
}

// largestBudget is the largest share of the budget with which the pair can still fire, in basis points.
func (p Pair) largestBudget(w Window, o Objective) int64 {
	// The pair fires if budget × length × allowed < 10000 × long × billion.
	limit := new(big.Int).Mul(big.NewInt(10000*Billion), big.NewInt(int64(p.Long/time.Minute)))
	limit.Sub(limit, big.NewInt(1))
	limit.Div(limit, new(big.Int).Mul(big.NewInt(int64(w.Length()/time.Minute)), big.NewInt(o.Allowed())))
	return limit.Int64()
}

// eachPair calls f with every pair and the name of its place.
func eachPair(s *Spec, f func(part string, p Pair)) {
	for i, p := range s.Alerts.Page {
		f(fmt.Sprintf("page.%d", i), p)
	}
	for i, p := range s.Alerts.Ticket {
		f(fmt.Sprintf("ticket.%d", i), p)
	}
}

// lintPairs finds pairs that say the same twice, end late, or stand in the wrong list.
func lintPairs(s *Spec) (out []finding) {
	seen := map[Pair]bool{}
	fastest := 0.0
	for _, p := range s.Alerts.Page {
		fastest = max(fastest, p.Burn(s.Window().Length()))
	}
	eachPair(s, func(part string, p Pair) {
		switch {
		case seen[p]:
			out = append(out, strange(part, "this alert is listed twice", "remove one of them"))
		case p.Short > p.Long/2:
			out = append(out, strange(part, fmt.Sprintf("the short window %s is nearly as long as the long one, so the alert goes on for long after the trouble is over", ShortDuration(p.Short)),
				fmt.Sprintf("a twelfth is usual: short: %s", ShortDuration(max(p.Long/12, time.Minute).Truncate(time.Minute)))))
		case strings.HasPrefix(part, "ticket") && fastest > 0 && p.Burn(s.Window().Length()) > fastest:
			out = append(out, strange(part, "this ticket needs a faster burn than every page", "page and ticket may be swapped"))
		}
		seen[p] = true
	})
	return out
}

// lintSilence finds SLOs about which nobody is ever told.
func lintSilence(s *Spec) []finding {
	if len(s.Alerts.Page)+len(s.Alerts.Ticket)+len(s.Alerts.Spent) > 0 {
		return nil
	}
	return []finding{strange("alerts", "nobody is told about this SLO: it has no page, no ticket and no spent", "leave out what should have its default")}
}

// namedQuery is a query of the indicator, with the name of its place.
type namedQuery struct {
	part string
	*Query
}

// named lists the indicator's queries with the names of their places.
func named(s *Spec) (out []namedQuery) {
	for _, q := range []namedQuery{{"total", s.SLI.Total}, {"bad", s.SLI.Bad}, {"good", s.SLI.Good}, {"histogram", s.SLI.Histogram}, {"up", s.SLI.Up}, {"query", s.SLI.Slice}} {
		if q.Query != nil {
			out = append(out, q)
		}
	}
	return out
}

// parse is the expression of a query of a spec; nil if it does not parse, which Load has refused.
func (q *Query) parse() parser.Expr {
	e, err := promQL.ParseExpr(strings.ReplaceAll(q.Text, WindowVariable, windowStandIn))
	if err != nil {
		return nil
	}
	return e
}

// lintSameQueries refuses a total that is also bad or good.
func lintSameQueries(s *Spec) []finding {
	if s.SLI.Kind != Events || s.SLI.Total == nil {
		return nil
	}
	total := s.SLI.Total.parse()
	for part, q := range map[string]*Query{"bad": s.SLI.Bad, "good": s.SLI.Good} {
		if q == nil || total == nil {
			continue
		}
		if e := q.parse(); e != nil && e.String() == total.String() {
			return []finding{wrong(part, fmt.Sprintf("%s is the same query as total, so every event is %s", part, part), "narrow it to the events that are "+part+", for example by "+map[string]string{"bad": `code=~"5.."`, "good": `code!~"5.."`}[part])}
		}
	}
	return nil
}

// lintNarrowing finds bad or good events that are not among the total ones.
func lintNarrowing(s *Spec) (out []finding) {
	total := s.SLI.Total
	if s.SLI.Kind != Events || !total.Bare() {
		return nil
	}
	for _, q := range named(s) {
		if q.part == "total" || !q.Bare() {
			continue
		}
		if q.Metric != total.Metric && len(q.Matchers) > 0 {
			continue // other metrics may have other labels
		}
		for _, m := range total.Matchers {
			if !implies(q.Matchers, m) {
				out = append(out, strange(q.part, fmt.Sprintf("total is limited to %s and %s is not, so %s may count events that total does not", m, q.part, q.part), fmt.Sprintf("add %s", m)))
			}
		}
	}
	return out
}

// implies reports whether series that fulfil the matchers may be taken to fulfil m: they have
// it, or another one on the same label that does not contradict it.
func implies(matchers []*labels.Matcher, m *labels.Matcher) bool {
	return slices.ContainsFunc(matchers, func(o *labels.Matcher) bool {
		return o.Name == m.Name && (o.Type != labels.MatchEqual || m.Matches(o.Value))
	})
}

// opposites are label values that tell bad from good events: HTTP and gRPC codes, and words.
var opposites = []struct{ bad, good string }{{"500", "200"}, {"Internal", "OK"}, {"error", "success"}}

// lintSwapped suspects that good and bad were exchanged.
func lintSwapped(s *Spec) (out []finding) {
	for _, q := range named(s) {
		if q.part != "good" && q.part != "bad" || s.SLI.Kind != Events {
			continue
		}
		for _, m := range allMatchers(q.Query) {
			for _, o := range opposites {
				mine, theirs, other := o.good, o.bad, "bad"
				if q.part == "bad" {
					mine, theirs, other = o.bad, o.good, "good"
				}
				if m.Matches(theirs) && !m.Matches(mine) {
					out = append(out, strange(q.part, fmt.Sprintf("%s counts events with %s, which look %s", q.part, m, other), fmt.Sprintf("write them under %s", other)))
					return out
				}
			}
		}
	}
	return out
}

// allMatchers is every matcher of a query, in an expression those of all its selectors.
func allMatchers(q *Query) (out []*labels.Matcher) {
	if q.Bare() {
		return q.Matchers
	}
	visit(q.parse(), func(n parser.Node) {
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
func lintCounting(s *Spec) (out []finding) {
	if s.SLI.Kind != Events {
		return nil
	}
	for _, q := range named(s) {
		switch {
		case q.Bare():
			out = append(out, lintCounter(q)...)
		default:
			out = append(out, lintExpression(q)...)
		}
	}
	return out
}

// lintCounter judges a bare selector by the naming rules of Prometheus.
func lintCounter(q namedQuery) []finding {
	hasLe := slices.ContainsFunc(q.Matchers, func(m *labels.Matcher) bool { return m.Name == labels.BucketLabel })
	switch name := q.Metric; {
	case strings.HasSuffix(name, "_bucket") && !hasLe:
		return []finding{strange(q.part, fmt.Sprintf("%s counts every event once per bucket", name), fmt.Sprintf("write %s, or limit it to one bucket by le", strings.TrimSuffix(name, "_bucket")+"_count"))}
	case strings.HasSuffix(name, "_sum"):
		return []finding{strange(q.part, fmt.Sprintf("%s adds up what was measured, not events", name), fmt.Sprintf("write %s", strings.TrimSuffix(name, "_sum")+"_count"))}
	case strings.HasSuffix(name, "_total"), strings.HasSuffix(name, "_count"), strings.HasSuffix(name, "_bucket"), strings.ContainsAny(name, ".:"):
		return nil // names with points or colons follow other customs
	default:
		return []finding{strange(q.part, fmt.Sprintf("%s does not look like a counter, whose name would end with _total or _count", name), "only counters can be counted; for a gauge write uptime or slices")}
	}
}

// lintExpression judges an expression that is to count events over $window.
func lintExpression(q namedQuery) (out []finding) {
	expr := q.parse()
	if b, ok := unwrap(expr).(*parser.BinaryExpr); ok && b.Op == parser.DIV && b.RHS.Type() == parser.ValueTypeVector {
		return []finding{strange(q.part, fmt.Sprintf("%s is a ratio, but events need a count", q.part), "write the numerator and the denominator as bad and total, or use ratio")}
	}
	visit(expr, func(n parser.Node) {
		c, ok := n.(*parser.Call)
		if !ok || len(out) > 0 {
			return
		}
		switch c.Func.Name {
		case "rate", "irate":
			out = append(out, strange(q.part, fmt.Sprintf("%s counts events per second, not events", c.Func.Name), "write increase, so that budgets and the low-traffic guard see the real number of events"))
		case "increase":
			if sub, ok := c.Args[0].(*parser.SubqueryExpr); ok && aggregates(sub.Expr) {
				out = append(out, strange(q.part, "the counters are summed before their increase is taken, so a restart of one looks like a reset of all", "take the increase first: sum(increase(…["+WindowVariable+"]))"))
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
func lintGauges(s *Spec) (out []finding) {
	for _, q := range named(s) {
		if q.part != "up" && q.part != "query" && (s.SLI.Kind != Ratio || q.part != "bad") {
			continue
		}
		if q.Bare() && strings.HasSuffix(q.Metric, "_total") {
			out = append(out, strange(q.part, fmt.Sprintf("%s looks like a counter, whose value only grows", q.Metric), "use events to count, or a gauge here"))
		}
	}
	return out
}

// lintRatio finds percentages where a ratio from 0 to 1 is wanted.
func lintRatio(s *Spec) (out []finding) {
	if s.SLI.Kind != Ratio || s.SLI.Bad == nil {
		return nil
	}
	visit(s.SLI.Bad.parse(), func(n parser.Node) {
		b, ok := n.(*parser.BinaryExpr)
		if !ok || b.Op != parser.MUL || len(out) > 0 {
			return
		}
		for _, side := range []parser.Expr{b.LHS, b.RHS} {
			if number, ok := unwrap(side).(*parser.NumberLiteral); ok && number.Val == 100 {
				out = append(out, strange("bad", "the query is multiplied by 100, but a ratio goes from 0 to 1", "remove * 100"))
			}
		}
	})
	return out
}

// manySeconds is a latency limit that nobody waits for: it was probably meant in milliseconds.
const manySeconds = 60

func lintLimit(s *Spec) []finding {
	if s.SLI.Kind != Latency || s.SLI.Histogram == nil {
		return nil
	}
	if _, err := parseNumber(s.SLI.LimitText); err != nil || s.SLI.Below < manySeconds || !strings.HasSuffix(s.SLI.Histogram.Metric, "_seconds") {
		return nil
	}
	return []finding{strange("below", fmt.Sprintf("below: %s means %s seconds here", s.SLI.LimitText, s.SLI.LimitText), fmt.Sprintf("write the unit: %sms or %ss", s.SLI.LimitText, s.SLI.LimitText))}
}

// lintBy finds labels that cannot divide the SLO into budgets.
func lintBy(s *Spec) (out []finding) {
	for i, label := range s.By {
		part := fmt.Sprintf("by.%d", i)
		for _, q := range named(s) {
			if f, bad := lintLabel(part, label, q); bad {
				out = append(out, f)
				break
			}
		}
	}
	return out
}

func lintLabel(part, label string, q namedQuery) (finding, bool) {
	if !q.Bare() {
		return wrong(part, fmt.Sprintf("%s sums the label %s away, so there cannot be one budget for each of its values", q.part, label),
			fmt.Sprintf("aggregate with by (%s)", label)), dropsLabel(q.parse(), label)
	}
	for _, m := range q.Matchers {
		if m.Name == label && m.Type == labels.MatchEqual {
			return strange(part, fmt.Sprintf("%s is fixed to %s by %s, so there is only one budget", label, strconv.Quote(m.Value), q.part),
				"remove the label from by, or the matcher"), true
		}
	}
	return finding{}, false
}

// basisPoints writes 250 as 2.5.
func basisPoints(n int64) string { return strconv.FormatFloat(float64(n)/100, 'f', -1, 64) }

// decimals writes a number with at most two decimals.
func decimals(f float64) string {
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.2f", f), "0"), ".")
}
