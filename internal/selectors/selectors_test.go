package selectors_test

import (
	"regexp"
	"testing"
	"unicode/utf8"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"pgregory.net/rapid"

	"github.com/slowburn-sre/slowburn/internal/selectors"
)

var promQL = parser.NewParser(parser.Options{})

func TestSelectorsReadLikeThis(t *testing.T) {
	equal := selectors.Equal("job", "shop")
	for _, c := range []struct{ what, got, want string }{
		{"a metric alone", selectors.Write("up"), `up`},
		{"nothing at all", selectors.Write(""), `{}`},
		{"matchers alone", selectors.Write("", equal), `{job="shop"}`},
		{"the same twice", selectors.Write("up", equal, equal), `up{job="shop"}`},
		{"in any order", selectors.Write("up", equal, selectors.Equal("code", "200")), `up{code="200",job="shop"}`},
		{"a rule's name", selectors.Write("job:up:sum"), `job:up:sum`},
		{"a name with dots", selectors.Write("http.requests", equal), `{__name__="http.requests",job="shop"}`},
		{"a label with dots", selectors.Write("up", selectors.Equal("http.status", "200")), `up{"http.status"="200"}`},
		{"quotes and lines", selectors.Write("up", selectors.NotEqual("a", "\"}\n\\")), `up{a!="\"}\n\\"}`},
		{"one value", selectors.Write("up", selectors.Any("a", "x.y")), `up{a="x.y"}`},
		{"several", selectors.Write("up", selectors.Any("a", "x.y", "z")), `up{a=~"x\\.y|z"}`},
		{"none of them", selectors.Write("up", selectors.None("a", "x.y")), `up{a!~"x\\.y"}`},
		{"a pattern", selectors.Write("up", selectors.Pattern("a", "5..")), `up{a=~"5.."}`},
		{"a pattern for one value", selectors.Write("up", selectors.Pattern("a", `x\.y`)), `up{a="x.y"}`},
		{"patterns", selectors.Write("up", selectors.Pattern("a", "5..|4", "200")), `up{a=~"(?:5..|4)|200"}`},
		{"narrowed", selectors.And("up", equal), `up{job="shop"}`},
		{"narrowed from nothing", selectors.And("{}", equal), `{job="shop"}`},
		{"narrowed twice", selectors.And(selectors.And("up", equal), equal), `up{job="shop",job="shop"}`},
		{"an aggregation", selectors.By("code", "http.route"), `by (code, "http.route")`},
	} {
		if c.got != c.want {
			t.Errorf("%s: %s, want %s", c.what, c.got, c.want)
		}
	}
}

// TestEveryValueStaysInItsPlace: whatever stands in a name or in a value, Prometheus' parser reads
// back what was meant.
func TestEveryValueStaysInItsPlace(t *testing.T) {
	text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{
		`"`, `\`, "`", "}", `"}`, "{", ",", "\n", "\x00", "é", "a.b", `a"b`, "$", "a|b", "(", ".*", "__name__", "1x", "a\uFFFDb",
	}))
	rapid.Check(t, func(t *rapid.T) {
		metric, label := text.Filter(some).Draw(t, "metric"), text.Filter(some).Draw(t, "label")
		values := rapid.SliceOfN(text, 1, 3).Draw(t, "values")
		if label == model.MetricNameLabel {
			t.Skip("would be another name")
		}
		for how, m := range map[labels.MatchType]selectors.Matcher{
			labels.MatchRegexp: selectors.Any(label, values...), labels.MatchNotRegexp: selectors.None(label, values...),
		} {
			got, err := promQL.ParseMetricSelector(selectors.And(selectors.Write(metric, selectors.NotEqual("z", "z")), m))
			if err != nil || len(got) != 3 {
				t.Fatalf("%s: %v, %v", m, got, err)
			}
			for _, g := range got {
				switch g.Name {
				case model.MetricNameLabel:
					if g.Value != metric {
						t.Fatalf("the metric %q became %q", metric, g.Value)
					}
				case label:
					for _, v := range values {
						if g.Matches(v) != (how == labels.MatchRegexp) {
							t.Fatalf("%s and the value %q", g, v)
						}
					}
				}
			}
			if again := selectors.Match(got...); again != selectors.Match(parsed(t, again)...) {
				t.Fatalf("%s is not written like that again", again)
			}
		}
		if _, err := promQL.ParseExpr("sum " + selectors.By(label) + " (up)"); err != nil {
			t.Fatal(err)
		}
		if !regexp.MustCompile("^(?:" + selectors.Alternation(values...) + ")$").MatchString(values[0]) {
			t.Fatalf("%q is none of %q", values[0], values)
		}
	})
}

func some(s string) bool { return s != "" && utf8.ValidString(s) }

func parsed(t *rapid.T, text string) []*labels.Matcher {
	ms, err := promQL.ParseMetricSelector(text)
	if err != nil {
		t.Fatal(err)
	}
	return ms
}
