package signals

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/slowburn-sre/slowburn/slo"
)

// promQL is Prometheus' own parser, with its stable language.
var promQL = parser.NewParser(parser.Options{})

// classic is a name that needs no quotes.
var classic = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

// Selector writes `metric{matchers}`. Values and unusual names are quoted by Prometheus' own
// printer, so that no label value can break out of its place. A label is not matched twice in the
// same way.
func Selector(metric string, sets ...[]*labels.Matcher) string {
	v := &parser.VectorSelector{}
	if classic.MatchString(metric) {
		v.Name = metric // otherwise it is written {__name__="a.b"}
	}
	v.LabelMatchers = append(v.LabelMatchers, labels.MustNewMatcher(labels.MatchEqual, model.MetricNameLabel, metric))
	seen := map[string]bool{}
	for _, set := range sets {
		for _, m := range set {
			if text := m.String(); !seen[text] {
				seen[text] = true
				v.LabelMatchers = append(v.LabelMatchers, m)
			}
		}
	}
	return v.String()
}

// Braces writes matchers alone: `{job="checkout"}`.
func Braces(set []*labels.Matcher) string {
	parts := make([]string, len(set))
	for i, m := range set {
		parts[i] = m.String()
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// ParseMatch reads matchers in braces, such as {job="checkout"}, as they stand in an SLO file under
// signals.match. An empty text is no matcher.
func ParseMatch(text string) ([]*labels.Matcher, error) {
	if text = strings.TrimSpace(text); text == "" || text == "{}" {
		return nil, nil
	}
	if !strings.HasPrefix(text, "{") {
		return nil, fmt.Errorf("match %q has no braces", text)
	}
	return promQL.ParseMetricSelector(text)
}

// template is a query of the catalogue, parsed once. In its text `$window` stands for the range.
type template struct {
	text    string
	metrics []string // that it reads, sorted
}

// parseTemplate reads a query of the catalogue.
func parseTemplate(text string) (template, error) {
	t := template{text: strings.TrimSpace(text)}
	if _, err := slo.ParseQuery(t.text); err != nil {
		return t, err
	}
	expr, err := promQL.ParseExpr(strings.ReplaceAll(t.text, slo.WindowVariable, "5m"))
	if err != nil {
		return t, err
	}
	eachSelector(expr, func(v *parser.VectorSelector) { t.metrics = append(t.metrics, metricOf(v)) })
	slices.Sort(t.metrics)
	t.metrics = slices.Compact(t.metrics)
	if t.metrics[0] == "" {
		return t, fmt.Errorf("PromQL %q: a selector names no metric", text)
	}
	return t, nil
}

func eachSelector(e parser.Expr, f func(*parser.VectorSelector)) {
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		if v, ok := n.(*parser.VectorSelector); ok {
			f(v)
		}
		return nil
	})
}

func metricOf(v *parser.VectorSelector) string {
	for _, m := range v.LabelMatchers {
		if m.Name == model.MetricNameLabel && m.Type == labels.MatchEqual {
			return m.Value
		}
	}
	return ""
}

// fill narrows every selector of the template by matchers. `$window` is no PromQL, so a length that
// occurs nowhere else takes its place while the expression is printed.
func (t template) fill(match []*labels.Matcher) string {
	values := Braces(match) + t.text
	length := 7 * time.Minute
	for strings.Contains(values, slo.ShortDuration(length)) {
		length += time.Minute + time.Second
	}
	expr, err := promQL.ParseExpr(strings.ReplaceAll(t.text, slo.WindowVariable, slo.ShortDuration(length)))
	if err != nil {
		return "" // parseTemplate has read it before
	}
	eachSelector(expr, func(v *parser.VectorSelector) { v.LabelMatchers = append(v.LabelMatchers, match...) })
	return strings.ReplaceAll(expr.String(), "["+slo.ShortDuration(length)+"]", "["+slo.WindowVariable+"]")
}
