package signals

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/slowburn-sre/slowburn/internal/selectors"
	"github.com/slowburn-sre/slowburn/slo"
)

// promQL is Prometheus' own parser, with its stable language.
var promQL = parser.NewParser(parser.Options{})

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
	values := selectors.Metric("", match...) + t.text
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
