package strictyaml

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
	"pgregory.net/rapid"
)

// told returns what Parse and a walk say, one line each, without snippets.
func told(ps Problems) string {
	var lines []string
	for _, p := range ps {
		line := fmt.Sprintf("%d:%d %s", p.Line, p.Column, p.Message)
		if p.Hint != "" {
			line += " (" + p.Hint + ")"
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

func TestWhatIsNotReadAtAll(t *testing.T) {
	for _, c := range []struct{ name, data, want string }{
		{"an empty file", "", "0:0 the file is empty"},
		{"a file of blank lines", "\n \n\t\n", "0:0 the file is empty"},
		{"a byte order mark and nothing else", "\uFEFF", "0:0 the file is empty"},
		{"nothing but comments", "# later\n", "0:0 the file is empty: it has nothing but comments"},
		{"nothing but a document mark", "---\n", "0:0 the file is empty: it has nothing but comments"},
		{"a NUL byte", "a: b\nc: \x00", "2:4 there is a control character (0x00); this is not a text file (save the file as UTF-8 text)"},
		{"a program", "\x7fELF\x02\x01\x01\x00", "1:5 there is a control character (0x02); this is not a text file (save the file as UTF-8 text)"},
		{"Latin-1", "a: caf\xe9\n", "1:7 this is not UTF-8 text (save the file as UTF-8 text)"},
		{"UTF-16", "\xff\xfea\x00", "1:1 this is not UTF-8 text (save the file as UTF-8 text)"},
		{"an escape sequence for terminals", "a: \x1b[31mred\n", "1:4 there is a control character (0x1b); this is not a text file (save the file as UTF-8 text)"},
		{"a tab as indentation", "a:\n\tb: 1\n", "2:1 a tab is used for indentation (YAML is indented with spaces)"},
		{"a quote that is never closed", "a: 1\nb: 'x\nc: 2\n", "2:4 a quote is opened here and never closed (close the quote)"},
		{"a brace that is never closed", "a: {b: 1\nc: 2\n", "1:4 a bracket or brace is not closed, or a comma is missing (put PromQL in single quotes)"},
		{"a colon inside plain text", "a: b: c\n", "1:5 a colon followed by a space is not expected here (put text that contains “: ” in quotes, and check the indentation)"},
		{"a line without a colon", "a: 1\nb\nc: 2\n", "2:1 this line has no colon after its key (write key: value)"},
		{"an unknown escape", `a: "\d+"`, `1:5 a backslash in "…" starts an escape that YAML does not know (put the text in single quotes, where backslashes stand for themselves)`},
		{"an apostrophe inside quotes", "a: 'it's'\n", "1:8 the indentation does not fit, or text after a closing quote (keys of one map start in the same column; write a quote inside '…' twice)"},
		{"a value that starts with a backtick", "a: `x`\n", "1:4 a value cannot start with this character (put the value in quotes)"},
		{"an anchor", "a: &x 1\n", "1:4 anchors such as &x are not accepted (remove it, and write the value out where it is needed)"},
		{"an anchor and its alias are both told", "a: &x 1\nb: *x\n", "1:4 anchors such as &x are not accepted (remove it, and write the value out where it is needed)\n2:4 aliases such as *x are not accepted (write the value out)"},
		{"an alias to nothing", "a: *x\n", "1:4 aliases such as *name are not accepted (write the value out, or put it in quotes)"},
		{"a self-referring anchor", "a: &x [*x]\n", "1:4 anchors such as &x are not accepted (remove it, and write the value out where it is needed)"},
		{"a binary tag", "a: !!binary aGk=\n", "1:4 tags such as !!binary are not accepted (remove it; put text in quotes to keep it text)"},
		{"a tag of another language", "a: !!python/object:os.system x\n", "1:4 tags such as !!python/object:os.system are not accepted (remove it; put text in quotes to keep it text)"},
		{"a second document", "a: 1\n---\nb: 2\n", "3:1 there is a second document in this file; only one is allowed (remove the line ---)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := Parse("f.yaml", []byte(c.data), Options{})
			if diff := cmp.Diff(c.want, told(f.Problems())); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestLimits(t *testing.T) {
	deep := strings.Repeat("[", 100_000)
	if f := Parse("f", []byte(deep), Options{}); f.Documents != nil || len(f.Problems()) != 1 {
		t.Errorf("100,000 brackets: %v", f.Problems())
	}
	nested := strings.Repeat("[", MaxDepth+1) + strings.Repeat("]", MaxDepth+1)
	if got := told(Parse("f", []byte(nested), Options{}).Problems()); got != "1:33 nested more than 32 levels deep" {
		t.Errorf("%d levels: %s", MaxDepth+1, got)
	}
	if ps := Parse("f", []byte(nested[1:len(nested)-1]), Options{}).Problems(); len(ps) > 0 {
		t.Errorf("%d levels are allowed: %v", MaxDepth, ps)
	}
	big := "a: " + strings.Repeat("x", MaxSize)
	if got := told(Parse("f", []byte(big), Options{}).Problems()); !strings.Contains(got, "at most 1048576 are read") {
		t.Errorf("a big file: %s", got)
	}
	bomb := "a0: &a0 [x,x,x,x,x,x,x,x,x]\n"
	for i := 1; i < 9; i++ {
		bomb += fmt.Sprintf("a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i-1), 9), ","))
	}
	if f := Parse("f", []byte(bomb), Options{}); f.Documents != nil || !f.Problems().Fatal() {
		t.Error("an alias bomb was accepted")
	}
	var many strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&many, "k%d: 1\n", i)
	}
	f := Parse("f", []byte(many.String()), Options{})
	f.Documents[0].Object("known")
	if ps := f.Problems(); len(ps) != maxProblems+1 || ps[maxProblems].Message != "and 4900 more problems in this file" {
		t.Errorf("5,000 problems were told in %d: %s", len(ps), ps[len(ps)-1].Message)
	}
}

func TestWhatAWalkTells(t *testing.T) {
	for _, c := range []struct {
		name, data string
		walk       func(Object)
		want       string
	}{
		{"an unknown key with a near one", "objetive: 1", func(Object) {}, `1:1 unknown key "objetive" (did you mean "objective"?)`},
		{"an unknown key in another spelling", "noData: 1", func(Object) {}, `1:1 unknown key "noData" (did you mean "no_data"?)`},
		{"an unknown key with none near", "zebra: 1", func(Object) {}, `1:1 unknown key "zebra" (known here: objective, window, list, no_data and channel)`},
		{"a merge key", "<<: {a: 1}", func(Object) {}, `1:1 merge keys (<<) are not accepted (write the keys out)`},
		{"a key that is written twice", "window: 1d\nobjective: 1\nwindow: 2d", func(Object) {}, `3:1 "window" is written twice (the first one is in line 1; remove one of them)`},
		{"a list instead of text", "channel: [a]", func(o Object) { o.Get("channel").Text() }, `1:10 channel must be text, not a list`},
		{"a map instead of a list", "list: {a: 1}", func(o Object) { o.Get("list").List(1000) }, `1:7 list must be a list, not a map (put it in brackets: [{…}])`},
		{"a number instead of text", "channel: 123", func(o Object) { o.Get("channel").Text() }, `1:10 channel must be text, but YAML reads 123 as a number (put it in quotes: "123")`},
		{"a date instead of text", "channel: 2026-01-01", func(o Object) { o.Get("channel").Text() }, `1:10 channel must be text, but YAML reads 2026-01-01 as a date (put it in quotes: "2026-01-01")`},
		{"a truth value instead of text", "channel: true", func(o Object) { o.Get("channel").Text() }, `1:10 channel must be text, but YAML reads true as a truth value (put it in quotes: "true")`},
		{"yes, no and 1_000 stay text where YAML 1.2 says so", "channel: no", func(o Object) { o.Get("channel").Text() }, ``},
		{"a channel that YAML takes for a comment", "channel: #ops", func(o Object) { o.Get("channel").Text() }, `1:1 channel is empty (everything after # is a comment; put it in quotes: "#ops")`},
		{"nothing after the colon", "channel:", func(o Object) { o.Get("channel").Text() }, `1:1 channel is empty (write a value or remove the line)`},
		{"empty text", "channel: ''", func(o Object) { o.Get("channel").Text() }, `1:10 channel is empty (write a text or remove the line)`},
		{"a truth value in other words", "no_data: maybe", func(o Object) { o.Get("no_data").Bool() }, `1:10 no_data cannot be "maybe" (write on or off)`},
		{"a number out of bounds", "objective: 11", func(o Object) { o.Get("objective").Int(1, 10) }, `1:12 objective must be a whole number from 1 to 10, not "11"`},
		{"a word out of a choice", "list: exlude", func(o Object) { o.Get("list").OneOf("exclude", "good") }, `1:7 list cannot be "exlude" (did you mean "exclude"?)`},
		{"a missing key", "list: []", func(o Object) { o.Need("objective", "write it") }, `1:1 objective is missing (write it)`},
		{"what was not written is not wrong", "list: []", func(o Object) { o.Get("objective").Text(); o.Get("window").Duration(); o.Get("x").Object() }, ``},
		{
			"all mistakes of a file at once", "lst: 1\nwindow: 30D\nchannel: [x]", func(o Object) { o.Get("channel").Text(); o.Get("window").Duration() },
			`1:1 unknown key "lst" (did you mean "list"?)` + "\n" + `2:9 window: "30D": units are written small (write d for days, h for hours, m for minutes)` + "\n" + `3:10 channel must be text, not a list`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := Parse("f.yaml", []byte(c.data), Options{})
			o, _ := f.Documents[0].Object("objective", "window", "list", "no_data", "channel")
			c.walk(o)
			if diff := cmp.Diff(c.want, told(f.Problems())); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestDurations(t *testing.T) {
	for s, want := range map[string]time.Duration{
		"5m": 5 * time.Minute, "1h30m": 90 * time.Minute, "28d": 672 * time.Hour, "4w": 672 * time.Hour,
		"300ms": 300 * time.Millisecond, "1d12h": 36 * time.Hour, " 5m ": 5 * time.Minute,
	} {
		if got, err := parseDuration(s); err != nil || got != want {
			t.Errorf("%q is %s (%v), want %s", s, got, err, want)
		}
	}
	for s, want := range map[string]string{
		"": "there is no duration", "-1h": "cannot be negative", "0s": "cannot be zero", "0": "cannot be zero", "0h0m": "cannot be zero",
		"5": "needs a unit", "1M": "a month is not a duration", "1mo": "a month is not a duration", "3 months": "a month is not a duration",
		"1y": "a year is not a duration", "1y2d": "is not a duration", "1.5h": "whole numbers", "0,5h": "whole numbers", "30D": "units are written small",
		"5 m": "no spaces", "30m1h": "is not a duration", "fast": "is not a duration", "5min": "is not a duration", "∞": "is not a duration",
		"99999999999999999999d": "is not a duration", "200000w": "is not a duration",
	} {
		if got, err := parseDuration(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %s %v, want an error with %q", s, got, err, want)
		} else if hint := err.(*durationError).hint; hint == "" {
			t.Errorf("%q has no hint", s)
		}
	}
}

func TestBOMAndWindowsLineEndsAndTabsInsideALine(t *testing.T) {
	f := Parse("f", []byte("\uFEFFa: 1\r\nb:\t{c: x}\r\n"), Options{})
	o, _ := f.Documents[0].Object("a", "b")
	o.Get("b").Child("c").Problem("here", "")
	want := "f:2:8: here\n     2 | b:\t{c: x}\n       |   \t    ^"
	if got := f.Problems().Error(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestSeveralDocumentsIfAllowed(t *testing.T) {
	f := Parse("f", []byte("---\na: 1\n---\n# nothing\n---\na: 2\n---\n"), Options{Documents: true})
	if len(f.Documents) != 2 || len(f.Problems()) > 0 {
		t.Errorf("%d documents, %v", len(f.Documents), f.Problems())
	}
}

func TestALongLineIsCutAroundTheCaret(t *testing.T) {
	f := Parse("f", []byte("a: {"+strings.Repeat("b: 1, ", 500)+"}"), Options{})
	o, _ := f.Documents[0].Object("a")
	o.Get("a").Object("b")
	for _, p := range f.Problems()[:5] {
		above, below, _ := strings.Cut(p.Snippet, "\n")
		if len(above) > maxSnippet+10 || above[len(below)-1] != 'b' {
			t.Errorf("the caret is not under the key:\n%s", p.Snippet)
		}
	}
}

func TestSecretsAreNotShown(t *testing.T) {
	data := `slack: {bot_token: xoxb-secret1, channel: [1]}
password: secret2: secret2
webhook_url: https://hooks.example/secret3
url: http://me:secret4@host/
client:
  basic_auth: {username: [a], password: [secret5]}
  bearer_tken: "secret6"
  tls_config: {key: 'secret7', x: 1}
routing_key: "secret8"
`
	for i, line := range strings.Split(data, "\n") {
		s := newSource("f", data)
		s.add(Pos{Line: i + 1, Column: 3}, Error, "x", "")
		if strings.Contains(s.all().Error(), "secret") && !strings.Contains(line, "tken") {
			t.Errorf("a secret is shown:\n%s", s.all())
		}
	}
}

// maskedAs returns a text with its secrets blanked.
func maskedAs(text string, plain ...string) string {
	f := Parse("f", []byte(text), Options{Plain: plain, Maps: []string{"slack", "list"}})
	var lines []string
	for n := range f.src.starts {
		lines = append(lines, f.src.masked(n+1, f.src.line(n+1)))
	}
	return strings.Join(lines, "\n")
}

func TestWhereSecretsMayStand(t *testing.T) {
	const text = "slack: {channel: ops, token: abc} # see x\nlist:\n- {a: b, token: [c, d]}\n- password: |\n    e f\n    g: h\n  channel: i\nnotes: 'j\n  k'\n"
	for _, c := range []struct {
		plain []string
		want  string
	}{
		{nil, "slack: {channel: ops, token: ***} # see x\nlist:\n- {a: b, token: **, *]}\n- password: *\n    ***\n    ****\n  channel: i\nnotes: 'j\n  k'\n"},
		{[]string{"channel", "notes"}, "slack: {channel: ops, token: ***} *******\nlist:\n- {a: *, token: **, *]}\n- password: *\n    ***\n    ****\n  channel: i\nnotes: 'j\n  **\n"},
	} {
		if diff := cmp.Diff(c.want, maskedAs(text, c.plain...)); diff != "" {
			t.Errorf("plain %q: -want +got\n%s", c.plain, diff)
		}
	}
}

// No value under a key that is not plain is ever shown, in whatever style it is written.
func TestNoSecretInAnyStyle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.SampledFrom([]string{"canary", "'canary'", "\"canary\"", "[x, canary]", "{x: canary}", "|\n   canary", ">-\n   x\n   canary", "'x\n   canary'", "x\n   canary", "[x,\n canary\n ]", "- canary", "\n - canary", "\n - x: canary", "canary: canary", "'canary", "[canary", "{canary", "*canary", "!canary", "&canary x"}).Draw(t, "value")
		var b strings.Builder
		for range rapid.IntRange(0, 3).Draw(t, "before") {
			b.WriteString(rapid.SampledFrom([]string{"channel: a\n", "list: [a, b]\n", "list:\n- a\n- channel: b\n", "# c\n", "channel: \"a\"\n", "slack: {channel: a}\n"}).Draw(t, "line"))
		}
		b.WriteString(rapid.SampledFrom([]string{"token_file: ", "x: ", "\"url\": ", "slack:\n  url: ", "list:\n- channel: a\n  url: ", "slack: {channel: a, url: "}).Draw(t, "key"))
		b.WriteString(value + "\nchannel: z\n")
		if got := maskedAs(b.String(), "channel"); strings.Contains(strings.ReplaceAll(got, "canary:", ""), "canary") {
			t.Fatalf("%s\nis shown as\n%s", b.String(), got)
		}
	})
}

// What reads like a secret is none to be shown, wherever it stands: in a comment, beside other
// words, in an address; by each name that a key of a secret may have.
func TestNothingThatReadsLikeASecretIsShown(t *testing.T) {
	for _, name := range []string{"password", "passwd", "Passwort", "client_secret", "app_token", "tokens", "credentials", "credential", "dsn", "postgres", "webhook_url", "routing_key", "key"} {
		for _, form := range []string{"x: 1 # %s: canary", "# %q: canary, and more\nx: 1", "x: y, %s: canary", "x: 'see %s: canary'", "x: %s: two canary", "%s: canary", "{%s: canary}"} {
			if got := maskedAs(fmt.Sprintf(form, name)); strings.Contains(got, "canary") {
				t.Errorf("shown is %s", got)
			}
		}
	}
	for text, want := range map[string]string{
		"url: http://me:canary@host/": "url: http://*********@host/",
		"# at http://me@host/":        "# at http://**@host/",
		"x: nothing here: at all":     "x: nothing here: at all",
		"monkey: [a]":                 "monkey: ***",
	} {
		if got := maskedAs(text); got != want {
			t.Errorf("shown is %s, want %s", got, want)
		}
	}
}

func TestSecretsAreFoundInNoTime(t *testing.T) {
	for _, part := range []string{"[a,", "{a: b, ", "a: b, ", "'", "\"\\\"", "- ", "? ", "a: 'b\n", " a:\n", "a: |\n b\n", "#", ": ", "token: ", "://a:"} {
		m := &mask{text: strings.Repeat(part, MaxSize/len(part)), plain: []string{"a"}, unknown: map[string]bool{}}
		m.find() // by the square of the length it would take hours
	}
}

func TestHTTPClientConfigOfTheConfigFile(t *testing.T) {
	data := `prometheus:
  url: http://x
  http:
    basic_auth: {username: a, password: geheim}
    follow_redirect: true
    tls_config: {insecure_skip_verify: maybe}
  timeout: 30s
`
	f := Parse("c.yaml", []byte(data), Options{})
	o, _ := f.Documents[0].Object("prometheus")
	p, _ := o.Get("prometheus").Object("url", "http", "timeout")
	c := config.DefaultHTTPClientConfig
	if p.Get("http").Decode(&c) {
		t.Error("a typing error was accepted")
	}
	got := told(f.Problems())
	for _, want := range []string{`5:5 unknown key "follow_redirect"`, "6:40 "} {
		if !strings.Contains(got, want) {
			t.Errorf("got\n%s\nwithout %q", got, want)
		}
	}
	good := Parse("c.yaml", []byte("tls_config: {insecure_skip_verify: true}\n"), Options{})
	if c := config.DefaultHTTPClientConfig; !good.Documents[0].Decode(&c) || !c.TLSConfig.InsecureSkipVerify || !c.FollowRedirects {
		t.Errorf("%+v %v", c, good.Problems())
	}
}

// A place inside a string is exact in every style of YAML: the byte under the caret is the byte
// meant.
func TestPlacesInsideStrings(t *testing.T) {
	for _, c := range []struct{ name, data string }{
		{"plain", "a: one two X three"},
		{"plain over lines", "a: one\n  two\n\n  three X\n  four"},
		{"in single quotes", "a: 'it''s ''X'' here'"},
		{"in single quotes over lines", "a: 'it''s\n  two\n\n  lines X'"},
		{"in double quotes", `a: "\"q\" \u00e9\t\x41 X"`},
		{"in double quotes over lines", "a: \"one \\\n   two\n   \\\"X\\\"\""},
		{"a literal block", "a: |\n  one\n    two\n\n  three X\n"},
		{"a literal block with a strip indicator and a comment", "a: |- # why\n  one\n  X\n"},
		{"a literal block with blank lines first", "a: |\n\n\n    one\n    X\n"},
		{"a folded block", "a: >\n  one\n  two\n\n  three\n  X\n"},
		{"a folded block with deeper lines", "a: >\n  one\n    deeper\n    X\n  back\n"},
		{"with Windows line ends", "a: |\r\n  one\r\n  two X\r\n"},
		{"with letters of many bytes", "é: 'äöü — X'"},
		{"in a flow map", "m: {b: 'x', a: \"y X\"}"},
		{"as a list entry", "- 'a'\n- 'b X'"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := Parse("f", []byte(c.data), Options{})
			v, found := findX(f.Documents[0])
			if !found {
				t.Fatalf("no X in %v", f.Problems())
			}
			at := f.src.offset(v.Inside(strings.Index(v.node.Value, "X")))
			if at < 0 || f.src.text[at] != 'X' {
				t.Errorf("the place of X is byte %d of %q", at, f.src.text)
			}
		})
	}
}

func findX(v Value) (Value, bool) {
	if v.IsText() {
		return v, strings.Contains(v.node.Value, "X")
	}
	for _, n := range v.node.Content {
		if w, ok := findX(Value{node: n, src: v.src}); ok {
			return w, true
		}
	}
	return Value{}, false
}

func TestProblemsAreSortedAndToldOnce(t *testing.T) {
	a, b := Problem{File: "a", Line: 2, Message: "x"}, Problem{File: "b", Line: 1, Message: "y"}
	if diff := cmp.Diff(Problems{a, b}, Problems{b, a, b, a}.Sorted()); diff != "" {
		t.Error(diff)
	}
	if err := (Problems{{Severity: Warning}}).Err(); err != nil {
		t.Errorf("warnings are not an error: %v", err)
	}
	var ps Problems
	if err := (Problems{{Severity: Error}}).Err(); !errors.As(err, &ps) || len(ps) != 1 {
		t.Errorf("problems are found by errors.As: %v", err)
	}
}

func TestNearest(t *testing.T) {
	keys := []string{"objective", "window", "sli", "by", "alerts", "owner", "no_data"}
	for s, want := range map[string]string{
		"objetive": "objective", "Objective": "objective", "target": "", "windows": "window", "sil": "sli", "bi": "by", "noData": "no_data",
		"alert": "alerts", "onwer": "owner", "x": "", "": "", strings.Repeat("o", 10_000): "",
	} {
		if got := Nearest(s, keys); got != want {
			t.Errorf("Nearest(%.20q) = %q, want %q", s, got, want)
		}
	}
	// One slip in a word of four letters or more is always understood.
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringMatching(`[a-z]{4,12}`).Draw(t, "word")
		i := rapid.IntRange(0, len(word)-1).Draw(t, "at")
		if got := Nearest(word[:i]+word[i+1:], []string{word, "zzzzzzzzzzzzzzzzzzzz"}); got != word {
			t.Fatalf("%q without letter %d is not understood: %q", word, i, got)
		}
	})
}

// seeds are files that the fuzz targets start from.
var seeds = []string{
	"a: 1\n", "a: |\n  x\n", "a: >-\n  x\n  y\n\n  z\n", "a: 'it''s'\n", "a: \"\\u00e9\\\n  x\"\n", "- 1\n- [a, {b: c}]\n", "\uFEFFa: 1\r\n",
	"---\na: 1\n---\nb: 2\n", "? a\n: b\n", "a: &x 1\nb: *x\n", "!!binary x", "\t", "a:\n\t- b", "%YAML 1.2\n---\na", "a: \u2028b\n", "{a: 'x\n y'}",
}

// FuzzParse asks every value of any input for everything: nothing may panic, every place lies in
// the file.
func FuzzParse(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file := Parse("f", data, Options{Documents: true})
		for _, doc := range file.Documents {
			walk(t, file, doc)
		}
		ps := file.Problems()
		if len(file.Documents) == 0 && len(ps) == 0 {
			t.Error("nothing was read and nothing was said")
		}
		for _, p := range ps {
			if p.Line > len(file.src.starts) || p.Message == "" || strings.ContainsAny(p.Error(), "\x00\x1b") {
				t.Errorf("%+v", p)
			}
		}
		if !reflect.DeepEqual(ps, Parse("f", data, Options{Documents: true}).askAll()) {
			t.Error("the same file was told differently")
		}
	})
}

// askAll repeats the questions of walk, for comparing.
func (f *File) askAll() Problems {
	for _, doc := range f.Documents {
		walk(nil, f, doc)
	}
	return f.Problems()
}

func walk(t *testing.T, f *File, v Value) {
	v.Text()
	v.Bool()
	v.Duration()
	v.Int(0, 10)
	v.OneOf("a", "b")
	if list, ok := v.List(1000); ok {
		for _, e := range list {
			walk(t, f, e)
		}
	}
	if o, ok := v.Object("a", "b", "c"); ok {
		for _, k := range []string{"a", "b", "c"} {
			if o.Get(k).Given() {
				walk(t, f, o.Get(k))
			}
		}
		o.Need("zz", "")
	}
	for i := 0; v.IsText() && t != nil && i <= len(v.node.Value); i++ {
		if at := f.src.offset(v.Inside(i)); at < 0 || at > len(f.src.text) {
			t.Errorf("byte %d of %q is at %+v", i, v.node.Value, v.Inside(i))
		}
	}
}

// Durations that are written the Prometheus way are read exactly.
func TestDurationsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Range(1, 400*86400*1000).Draw(t, "ms")) * time.Millisecond
		text := model.Duration(d).String()
		if strings.Contains(text, "y") {
			t.Skip("years are not read")
		}
		if got, err := parseDuration(text); err != nil || got != d {
			t.Fatalf("%s: %s %v", text, got, err)
		}
	})
}

func TestAKeyThatIsWrittenTwiceIsFoundWhereverItStands(t *testing.T) {
	for _, c := range []struct{ what, text, want string }{
		{"in a map that nobody asks for", "a: {b: 1, b: 2}\n", `x.yaml:1:11: "b" is written twice`},
		{"in a text that is not ours", "hunter2: 1\nhunter2: 2\n", "x.yaml:2:1: a key is written twice"},
		{"keys that are lists are no twins", "? [a]\n: 1\n? [b]\n: 2\n", ""},
	} {
		f := Parse("x.yaml", []byte(c.text), Options{Ours: func(text string) bool { return !strings.Contains(text, "hunter2") }})
		if got := f.Problems().Error(); !strings.HasPrefix(got, c.want) || c.want == "" && got != "" || strings.Contains(got, "hunter2") {
			t.Errorf("%s: %s", c.what, got)
		}
	}
}
