package foreign

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/slowburn-sre/slowburn/internal/strictyaml"
	"github.com/slowburn-sre/slowburn/slo"
)

// parsed parses one query as it would stand in a file.
func parsed(t *testing.T, text string, w Windows) (Query, *strictyaml.File, bool) {
	t.Helper()
	f := strictyaml.Parse("f.yaml", []byte("q: '"+strings.ReplaceAll(text, "'", "''")+"'\n"), strictyaml.Options{})
	if len(f.Documents) != 1 {
		t.Fatal(f.Problems())
	}
	q, ok := Parse(f.Documents[0].Child("q"), w)
	return q, f, ok
}

// TestCounts says what a query that counts events becomes.
func TestCounts(t *testing.T) {
	for _, c := range []struct{ name, query, want string }{
		{"a sum of a rate is the counter", `sum(rate(x{a="b"}[{{.window}}]))`, `x{a="b"}`},
		{"spaces in the template do not matter", `sum(rate(x[{{  .window }}]))`, `x`},
		{"dashes in the template do not matter", `sum(rate(x[{{- .window -}}]))`, `x`},
		{"an increase is as good as a rate", `sum(increase(x[{{.window}}]))`, `x`},
		{"parentheses do not matter", `((sum((rate(x[{{.window}}])))))`, `x`},
		{"labels of the sum do not matter here", `sum by (a) (rate(x[{{.window}}]))`, `x`},
		{"or vector(0) is not needed", `sum(rate(x[{{.window}}])) or vector(0)`, `x`},
		{"or on() vector(0) is not needed", `sum(rate(x[{{.window}}])) or on() (vector(0))`, `x`},
		{"a sum of sums is a sum", `sum(sum by (a) (rate(x[{{.window}}])))`, `x`},
		{"a maximum is not a count of one counter", `max(rate(x[{{.window}}]))`, `max(increase(x[$window]))`},
		{"two counters are an expression", `sum(rate(x[{{.window}}])) + sum(rate(y[{{.window}}]))`, `sum(increase(x[$window])) + sum(increase(y[$window]))`},
		{"parentheses of an expression stay", `sum(rate(x[{{.window}}])) - (sum(rate(y[{{.window}}])) + sum(rate(z[{{.window}}])))`, `sum(increase(x[$window])) - (sum(increase(y[$window])) + sum(increase(z[$window])))`},
		{"a factor keeps the pace", `0.5 * sum(rate(x[{{.window}}]))`, `0.5 * sum(increase(x[$window]))`},
		{"a filter for positive rates keeps the pace", `sum(rate(x[{{.window}}]) > 0)`, `sum(increase(x[$window]) > 0)`},
		{"a filter at another rate does not", `sum(rate(x[{{.window}}]) > 5)`, `sum(rate(x[$window]) > 5)`},
		{"a square of rates does not", `sum(rate(x[{{.window}}]) * rate(x[{{.window}}]))`, `sum(rate(x[$window]) * rate(x[$window]))`},
		{"a fixed range of a rate becomes the window", `sum(rate(x[5m])) + sum(rate(y[{{.window}}]))`, `sum(increase(x[$window])) + sum(increase(y[$window]))`},
		{"the longest spelling of the range does not matter", `sum(rate(x[` + `{{` + strings.Repeat(" ", 40) + `.window}}` + `]))`, `x`},
		{"a label that looks like the stand-in stays", `sum(rate(x{a="3h25m47s321ms"}[{{.window}}])) * 1`, `sum(increase(x{a="3h25m47s321ms"}[$window])) * 1`},
		{"a comment is dropped", "sum(rate(x[{{.window}}])) # all of them", `x`},
	} {
		t.Run(c.name, func(t *testing.T) {
			q, f, ok := parsed(t, c.query, Template)
			if !ok {
				t.Fatal(f.Problems())
			}
			got := q.events(false)
			if got == nil || got.Text != c.want {
				t.Errorf("got %+v, want %s\n%v", got, c.want, f.Problems())
			}
		})
	}
}

// TestOneFixedRangeIsTheWindow reads queries of a format without templates.
func TestOneFixedRangeIsTheWindow(t *testing.T) {
	for query, want := range map[string]string{
		`sum(rate(x[5m]))`:                            `x`,
		`sum(rate(x{a="[5m]"}[5m])) * 2`:              `sum(increase(x{a="[5m]"}[$window])) * 2`,
		`sum(rate(x[{{.window}}]))`:                   `x`,
		`sum(increase(x[5m])) + sum(increase(y[5m]))`: `sum(increase(x[$window])) + sum(increase(y[$window]))`,
		`sum(increase(x[5m])) + sum(increase(y[1h]))`: ``,
		`sum(rate(x[5m])) + sum(rate(y[1h]))`:         `sum(increase(x[$window])) + sum(increase(y[$window]))`,
		`sum(count_over_time((x == 0)[5m:1m]))`:       `sum(count_over_time((x == 0)[$window:1m]))`,
	} {
		q, f, ok := parsed(t, query, AnyRange)
		if !ok {
			t.Fatal(f.Problems())
		}
		if got := textOf(q.events(false)); got != want {
			t.Errorf("%s became %q, want %q\n%v", query, got, want, f.Problems())
		}
	}
}

// TestAnotherRangeIsAnotherCount keeps the events of five minutes apart from those of the window.
func TestAnotherRangeIsAnotherCount(t *testing.T) {
	q, f, ok := parsed(t, `sum(increase(x[5m])) / sum(rate(y[{{.window}}]))`, Template)
	if !ok {
		t.Fatal(f.Problems())
	}
	if m, ok := Ratio(q, Bad); ok || !strings.Contains(f.Problems().Error(), "does not say over which time it counts") {
		t.Errorf("bad is %s\n%v", textOf(m.Bad), f.Problems())
	}
}

// TestRatiosAreTakenApart says when a quotient is two counts, and when it stays a ratio.
func TestRatiosAreTakenApart(t *testing.T) {
	const x, y = `sum(rate(x[{{.window}}]))`, `sum(rate(y[{{.window}}]))`
	for _, c := range []struct {
		name, query      string
		kind             Kind
		total, bad, good string
	}{
		{"bad by all", x + "/" + y, Bad, "y", "x", ""},
		{"good by all", x + "/" + y, Good, "y", "", "x"},
		{"one minus good by all", "1 - " + x + "/" + y, Bad, "y", "", "x"},
		{"one minus bad by all", "1 - (" + x + "/" + y + ")", Good, "y", "x", ""},
		{"all minus good, by all", "(" + y + "-" + x + ")/" + y, Bad, "y", "", "x"},
		{"all minus bad, by all, is good", "(" + y + "-" + x + ")/" + y, Good, "y", "x", ""},
		{"twice one minus", "1 - (1 - " + x + "/" + y + ")", Bad, "y", "x", ""},
		{"no events in the denominator", x + "/ 60", Bad, "", "sum(rate(x[$window])) / 60", ""},
		{"a product is no quotient", x + "*" + y, Bad, "", "sum(rate(x[$window])) * sum(rate(y[$window]))", ""},
		{"a chosen match stays", x + "/ ignoring(a) " + y, Bad, "", "sum(rate(x[$window])) / ignoring (a) sum(rate(y[$window]))", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			q, f, ok := parsed(t, c.query, Template)
			if !ok {
				t.Fatal(f.Problems())
			}
			m, ok := Ratio(q, c.kind)
			if !ok || textOf(m.Total) != c.total || textOf(m.Bad) != c.bad || textOf(m.Good) != c.good {
				t.Errorf("total %q, bad %q, good %q, want %q, %q, %q\n%v", textOf(m.Total), textOf(m.Bad), textOf(m.Good), c.total, c.bad, c.good, f.Problems())
			}
		})
	}
}

// TestLabelsDivideBudgets says which labels divide an SLO, and which cannot.
func TestLabelsDivideBudgets(t *testing.T) {
	for _, c := range []struct{ name, bad, total, by string }{
		{"none", `sum(rate(x[{{.window}}]))`, `sum(rate(y[{{.window}}]))`, "[]"},
		{"the same in any order", `sum by (a, b) (rate(x[{{.window}}]))`, `sum by (b, a) (rate(y[{{.window}}]))`, "[a b]"},
		{"through arithmetic", `2 * sum by (a) (rate(x[{{.window}}]))`, `clamp_min(sum by (a) (rate(y[{{.window}}])), 0)`, "[a]"},
		{"different ones are refused", `sum by (a) (rate(x[{{.window}}]))`, `sum by (b) (rate(y[{{.window}}]))`, "refused"},
		{"without is one budget", `sum without (a) (rate(x[{{.window}}]))`, `sum without (a) (rate(y[{{.window}}]))`, "[] with a warning"},
		{"no sum is one budget", `rate(x[{{.window}}])`, `rate(y[{{.window}}])`, "[] with a warning"},
	} {
		t.Run(c.name, func(t *testing.T) {
			bad, f1, ok1 := parsed(t, c.bad, Template)
			total, f2, ok2 := parsed(t, c.total, Template)
			if !ok1 || !ok2 {
				t.Fatal(f1.Problems(), f2.Problems())
			}
			m, ok := Events(total, bad, Bad)
			got := "refused"
			if ok {
				got = "[" + strings.Join(m.By, " ") + "]"
			}
			if ok && len(f1.Problems())+len(f2.Problems()) > 0 {
				got += " with a warning"
			}
			if got != c.by {
				t.Errorf("%s, want %s", got, c.by)
			}
		})
	}
}

func textOf(q *slo.Query) string {
	if q == nil {
		return ""
	}
	return q.Text
}

// TestPercentIsExact turns ratios into percentages digit by digit.
func TestPercentIsExact(t *testing.T) {
	for ratio, want := range map[string]string{"0.999": "99.9", "0.9": "90", ".5": "50", "9.99e-1": "99.9", "0.9999999": "99.99999", "0": "0", "1": "100", "0.07": "7"} {
		if got, err := Percent(ratio); err != nil || got != want {
			t.Errorf("%s is %s %%, want %s (%v)", ratio, got, want, err)
		}
	}
	for _, ratio := range []string{"", "x", "0x1p-2", "1/2", "1e999999999", "NaN", "inf", "1_0"} {
		if got, err := Percent(ratio); err == nil {
			t.Errorf("%q is %s %%", ratio, got)
		}
	}
}

// FuzzQuery feeds the reading of queries anything: what it accepts is a query of ours, and what
// counts events says over which time.
func FuzzQuery(f *testing.F) {
	for _, text := range []string{
		`sum(rate(x{a="b"}[{{.window}}]))`, `1 - (sum(rate(x[{{ .window }}])) / sum(rate(y[{{.window}}])))`,
		`sum by (a) (increase(x[5m])) or vector(0)`, `a - (b + c)`, `count(up == 0)`, `{{.window}}`, `x offset {{.window}}`,
		`histogram_fraction(0, 0.5, sum(rate(d[{{.window}}])))`, `sum_over_time((x > 0)[{{.window}}:1m]) * -1`, `x{a="{{.window}}"}`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, w := range []Windows{Template, AnyRange, Verbatim} {
			read := func() (Query, bool) {
				q, _, ok := parsedAnything(text, w)
				return q, ok
			}
			if q, ok := read(); ok {
				if m, ok := Ratio(q, Good); ok && m.Bad == nil && m.Good == nil {
					t.Errorf("%s has no queries", text)
				}
			}
			for _, as := range []func(Query) Query{func(q Query) Query { return q }, Query.Counter, Query.Samples} {
				q, ok := read()
				if !ok {
					continue
				}
				if made := as(q).events(false); made != nil && !made.Bare() && !made.Windowed() {
					t.Errorf("%s became %s, which does not say over which time it counts", text, made.Text)
				}
			}
		}
	})
}

// parsedAnything parses any text as a query.
func parsedAnything(text string, w Windows) (Query, *strictyaml.File, bool) {
	quoted, err := json.Marshal(text)
	if err != nil {
		return Query{}, nil, false
	}
	f := strictyaml.Parse("f.yaml", append([]byte("q: "), quoted...), strictyaml.Options{})
	if len(f.Documents) != 1 {
		return Query{}, f, false
	}
	q, ok := Parse(f.Documents[0].Child("q"), w)
	return q, f, ok
}
