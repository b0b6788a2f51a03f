package markdown

import "testing"

func TestNamesCannotLeaveTheirPlace(t *testing.T) {
	for _, c := range []struct{ what, got, want string }{
		{"a plain name", Code("checkout/pay"), "`checkout/pay`"},
		{"a backtick does not end the code", Code("a`b"), "`` a`b ``"},
		{"a pipe in code stays", Code("a|b"), "`a|b`"},
		{"a pipe in code does not end the cell", Table([]string{"h"}, [][]string{{Code("a|b")}}), "| h |\n| --- |\n| `a\\|b` |\n"},
		{"a pipe in text is escaped once", Table([]string{"h"}, [][]string{{Text(`a|b`)}}), "| h |\n| --- |\n| a\\|b |\n"},
		{"a pipe after a backslash does not end the cell", Table([]string{"h"}, [][]string{{Text(`a\|b`) + Code(`c\\|d`)}}), "| h |\n| --- |\n| a\\\\\\|b`c\\\\\\|d` |\n"},
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
