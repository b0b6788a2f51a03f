package plain

import (
	"math/big"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestFigures(t *testing.T) {
	for _, c := range []struct{ what, got, want string }{
		{"whole events have no decimals", Events(1234567000), "1,234,567"},
		{"a half event is shown", Events(500), "0.5"},
		{"thousandths are shown", Events(-3001), "-3.001"},
		{"zero events", Events(0), "0"},
		{"the smallest number", Events(-1 << 63), "-9,223,372,036,854,775.808"},
		{"a thousand gets its comma", Count(1000), "1,000"},
		{"an almost kept objective is not rounded up to it", Percent(998999, 1000000, 2), "99.89 %"},
		{"a hair over budget is not zero", Percent(-1, 1000000, 1), "-0.1 %"},
		{"a hair of bad events is not zero", PercentUp(1, 1000000, 1), "0.1 %"},
		{"nothing bad is zero", PercentUp(0, 5, 1), "0.0 %"},
		{"a share of nothing is unknown", Percent(1, 0, 1), "—"},
		{"and rounded up too", PercentUp(1, 0, 1), "—"},
		{"whole percents", Percent(1, 3, 0), "33 %"},
		{"whole percents rounded up", PercentUp(1, 3, 0), "34 %"},
		{"small shares keep their zeros", Percent(1, 100000, 4), "0.0010 %"},
		{"large counts do not overflow", Percent(1<<62, 1<<62, 9), "100.000000000 %"},
		{"two units of a duration", Duration(52*time.Hour + 30*time.Minute), "2 d 4 h"},
		{"no second unit if it is nought", Duration(48 * time.Hour), "2 d"},
		{"negative durations", Duration(-90 * time.Second), "-1 min 30 s"},
		{"no duration", Duration(0), "0 s"},
		{"no time", UTC(time.Time{}), "—"},
		{"one is singular", Plural(1, "page"), "1 page"},
		{"none is plural", Plural(0, "page"), "0 pages"},
	} {
		if c.got != c.want {
			t.Errorf("%s: %q, want %q", c.what, c.got, c.want)
		}
	}
}

func TestNamesCannotLeaveTheirPlace(t *testing.T) {
	for _, c := range []struct{ what, got, want string }{
		{"a plain name", Code("checkout/pay"), "`checkout/pay`"},
		{"a backtick does not end the code", Code("a`b"), "`` a`b ``"},
		{"a pipe does not end the cell", Code("a|b"), "`a\\|b`"},
		{"a line break does not end the line", Code("a\nb"), "`a b`"},
		{"an empty name is a dash", Code(""), "—"},
		{"a mention is no mention", Text("<!channel>"), `\<!channel\>`},
		{"a link is no link", Text("[x](http://y)"), `\[x\](http://y)`},
		{"a link to a script is no link", Link("x", "javascript:alert(1)"), "x"},
		{"a link that breaks out is no link", Link("x", "http://a> <b"), "x"},
		{"a good link", Link("x", "https://a/b"), "[x](<https://a/b>)"},
		{"a fence longer than what it holds", Fence("promql", "```"), "````promql\n```\n````\n"},
		{"a cut text has an ellipsis", Cut("abcdef", 4), "abc…"},
	} {
		if c.got != c.want {
			t.Errorf("%s: %q, want %q", c.what, c.got, c.want)
		}
	}
}

// The percentages are the floor and the ceiling of the true quotient.
func TestPercentBracketsTheQuotient(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		num := rapid.Int64Range(-1<<62, 1<<62).Draw(t, "num")
		den := rapid.Int64Range(1, 1<<62).Draw(t, "den")
		digits := rapid.IntRange(0, 9).Draw(t, "digits")
		exact := new(big.Rat).Mul(big.NewRat(num, den), big.NewRat(100, 1))
		read := func(s string) *big.Rat {
			r, ok := new(big.Rat).SetString(strings.TrimSuffix(s, " %"))
			if !ok {
				t.Fatalf("%q is no number", s)
			}
			return r
		}
		step := new(big.Rat).SetFrac(big.NewInt(1), new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(digits)), nil))
		down, up := read(Percent(num, den, digits)), read(PercentUp(num, den, digits))
		if down.Cmp(exact) > 0 || up.Cmp(exact) < 0 {
			t.Fatalf("%v is not between %v and %v", exact, down, up)
		}
		if width := new(big.Rat).Sub(up, down); width.Cmp(step) > 0 {
			t.Fatalf("%v and %v are more than a digit apart", down, up)
		}
	})
}
