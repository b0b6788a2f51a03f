// Package selectors writes PromQL selectors: metric{label="value",code=~"5.."}. Everything that
// asks a server, and every expression that is shown or exported, is written here, so that no value
// can break out of its quotes and a name that PromQL does not take bare is quoted.
package selectors

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
)

// A Matcher is one label matcher as PromQL writes it: code=~"5..". It is text: the expressions of a
// bundle have thousands of values, and nobody here matches by them.
type Matcher string

// Of writes the matchers of a parsed query.
func Of(ms ...*labels.Matcher) []Matcher {
	out := make([]Matcher, len(ms))
	for i, m := range ms {
		out[i] = written(m)
	}
	return out
}

// Labels matches what has all of the labels.
func Labels(ls []labels.Label) []Matcher {
	out := make([]Matcher, len(ls))
	for i, l := range ls {
		out[i] = Equal(l.Name, l.Value)
	}
	return out
}

// Equal matches one value of a label.
func Equal(label, value string) Matcher { return match(label, labels.MatchEqual, value) }

// NotEqual matches all other values of a label, and series without it unless the value is empty.
func NotEqual(label, value string) Matcher { return match(label, labels.MatchNotEqual, value) }

// Any matches each of the values of a label.
func Any(label string, values ...string) Matcher {
	if len(values) == 1 {
		return Equal(label, values[0])
	}
	return match(label, labels.MatchRegexp, Alternation(values...))
}

// None matches what has none of the values of a label.
func None(label string, values ...string) Matcher {
	return match(label, labels.MatchNotRegexp, Alternation(values...))
}

// Pattern matches what one of the regular expressions matches. A single expression that stands for
// one value is written as that value, which servers look up faster.
func Pattern(label string, patterns ...string) Matcher {
	if len(patterns) == 1 {
		if value, ok := literal(patterns[0]); ok {
			return Equal(label, value)
		}
		return match(label, labels.MatchRegexp, patterns[0])
	}
	parts := slices.Clone(patterns)
	for i, p := range parts {
		if _, ok := literal(p); !ok {
			parts[i] = "(?:" + p + ")"
		}
	}
	return match(label, labels.MatchRegexp, strings.Join(parts, "|"))
}

// literal undoes regexp.QuoteMeta.
func literal(pattern string) (string, bool) {
	value := strings.ReplaceAll(pattern, `\`, "")
	return value, regexp.QuoteMeta(value) == pattern
}

// Alternation returns the regular expression for any of the values.
func Alternation(values ...string) string {
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = regexp.QuoteMeta(v)
	}
	return strings.Join(quoted, "|")
}

// match lets Prometheus' own printer write the matcher, without compiling its expression.
func match(label string, how labels.MatchType, value string) Matcher {
	return written(&labels.Matcher{Type: how, Name: label, Value: value})
}

// written takes what Prometheus prints, but for the character that stands for broken text, which
// its own parser refuses as it stands.
func written(m *labels.Matcher) Matcher {
	return Matcher(strings.ReplaceAll(m.String(), "\uFFFD", `\ufffd`))
}

// Write writes the selector of a metric with matchers, sorted and none of them twice, as Prometheus
// prints it: the same matchers are the same text, in whatever order they come. A name that is not
// classic becomes a matcher, which Prometheus 2 reads as well; without a metric the matchers stand
// alone.
func Write(metric string, matchers ...Matcher) string {
	if metric != "" && !model.LegacyValidation.IsValidMetricName(metric) {
		metric, matchers = "", slices.Insert(slices.Clone(matchers), 0, Equal(model.MetricNameLabel, metric))
	}
	parts := make([]string, len(matchers))
	for i, m := range matchers {
		parts[i] = string(m)
	}
	slices.Sort(parts)
	parts = slices.Compact(parts)
	if metric != "" && len(parts) == 0 {
		return metric
	}
	return metric + "{" + strings.Join(parts, ",") + "}"
}

// Metric writes the selector of a metric with the matchers of a parsed query.
func Metric(metric string, ms ...*labels.Matcher) string { return Write(metric, Of(ms...)...) }

// And narrows a selector.
func And(selector string, m Matcher) string {
	head, braces := strings.CutSuffix(selector, "}")
	switch {
	case !braces:
		head += "{"
	case !strings.HasSuffix(head, "{"):
		head += ","
	}
	return head + string(m) + "}"
}

// label writes the name of a label, in quotes where PromQL asks for them.
func label(name string) string {
	if model.LegacyValidation.IsValidLabelName(name) {
		return name
	}
	return strings.ReplaceAll(strconv.Quote(name), "\uFFFD", `\ufffd`)
}

// By writes the labels of an aggregation: by (code, route).
func By(names ...string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = label(name)
	}
	return "by (" + strings.Join(quoted, ", ") + ")"
}

// Match writes the selector of a whole list of matchers, as the parser returns them: the metric's
// name is among them.
func Match(ms ...*labels.Matcher) string {
	metric, rest := "", make([]*labels.Matcher, 0, len(ms))
	for _, m := range ms {
		if m.Name == model.MetricNameLabel && m.Type == labels.MatchEqual && metric == "" {
			metric = m.Value
		} else {
			rest = append(rest, m)
		}
	}
	return Metric(metric, rest...)
}
