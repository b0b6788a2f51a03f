package strictyaml

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// Value is one value of a file: text, number, list or map, with its place. Asking it for what it is
// not records a problem. The zero Value stands for "not written": asking it for anything gives the
// zero answer and records nothing.
type Value struct {
	node *yaml.Node
	key  *yaml.Node // the key it stands under, nil for list entries and the root
	name string     // how messages call it
	src  *source
}

// Given reports whether the value was written at all.
func (v Value) Given() bool { return v.node != nil }

// Name returns how messages call the value: its key, or "an entry of" and the key of the list.
func (v Value) Name() string {
	if v.name == "" {
		return "the document"
	}
	return v.name
}

// Node returns the tree below the value, for decoding by other means. It is nil if nothing was
// written.
func (v Value) Node() *yaml.Node { return v.node }

// Problem records that the value is wrong and why; the hint, which may be empty, says what to write
// instead.
func (v Value) Problem(message, hint string) { v.ProblemAt(v.Place(), Error, message, hint) }

// Warn records that the value is strange; the file can be used.
func (v Value) Warn(message, hint string) { v.ProblemAt(v.Place(), Warning, message, hint) }

// Lint records that the value is strange, by the name of the lint that says so: a comment can
// accept it ([Ignore]).
func (v Value) Lint(id, message, hint string) { v.LintAt(v.Place(), id, message, hint) }

// LintAt does what Lint does, at a place of the same file.
func (v Value) LintAt(at Pos, id, message, hint string) {
	if v.src == nil {
		return
	}
	p, told := v.src.show(Problem{File: v.src.file, Line: at.Line, Column: at.Column, Severity: Warning, ID: id, Message: message, Hint: hint})
	if told {
		v.src.record(p)
	}
}

// ProblemAt records a problem at a place of the same file, for example inside the value
// ([Value.Inside]).
func (v Value) ProblemAt(at Pos, severity Severity, message, hint string) {
	if v.src != nil {
		v.src.add(at, severity, message, hint)
	}
}

// Describe returns a problem of this value that is not recorded, for callers that judge later.
func (v Value) Describe(severity Severity, message, hint string) Problem {
	p := Problem{Severity: severity, Message: message, Hint: hint}
	if v.src != nil {
		at := v.Place()
		p.File, p.Line, p.Column, p.Snippet = v.src.file, at.Line, at.Column, v.src.snippet(at)
	}
	return p
}

// File returns the name of the file the value stands in.
func (v Value) File() string {
	if v.src == nil {
		return ""
	}
	return v.src.file
}

// IsText reports whether the value is a text, number or truth value rather than a list or a map.
func (v Value) IsText() bool {
	return v.node != nil && v.node.Kind == yaml.ScalarNode && !isNull(v.node)
}

// IsList reports whether the value is a list.
func (v Value) IsList() bool { return v.node != nil && v.node.Kind == yaml.SequenceNode }

// IsMap reports whether the value is a map.
func (v Value) IsMap() bool { return v.node != nil && v.node.Kind == yaml.MappingNode }

// Empty reports whether the value is a map or a list with nothing in it.
func (v Value) Empty() bool { return (v.IsMap() || v.IsList()) && len(v.node.Content) == 0 }

// Literal reads a scalar exactly as it was written, whether or not YAML takes it for a number. For
// example is what the message shows if it is none: "a percentage such as 99.9".
func (v Value) Literal(example string) (string, bool) {
	if !v.Given() {
		return "", false
	}
	if !v.IsText() {
		v.wrongKind(example)
		return "", false
	}
	return v.node.Value, true
}

// Text reads a text. A number, a date or a truth value is refused: it must be put in quotes.
func (v Value) Text() (string, bool) {
	s, ok := v.Literal("text")
	if !ok {
		return "", false
	}
	if tag := v.node.ShortTag(); tag != "!!str" {
		hint := fmt.Sprintf("put it in quotes: %q", s)
		if v.secret() {
			hint = "put it in quotes"
		}
		v.Problem(fmt.Sprintf("%s must be text, but YAML reads %s as %s", v.Name(), v.shown(s), kindOf(tag)), hint)
		return "", false
	}
	if strings.TrimSpace(s) == "" {
		v.Problem(v.Name()+" is empty", "write a text or remove the line")
		return "", false
	}
	return s, true
}

// OneOf reads a text out of a fixed choice.
func (v Value) OneOf(choice ...string) (string, bool) {
	s, ok := v.Literal("one of " + strings.Join(choice, ", "))
	if !ok || slices.Contains(choice, s) {
		return s, ok
	}
	hint := "one of " + strings.Join(choice, ", ")
	if near := Nearest(s, choice); near != "" {
		hint = fmt.Sprintf("did you mean %q?", near)
	}
	v.Problem(fmt.Sprintf("%s cannot be %s", v.Name(), v.shown(quote(s))), hint)
	return "", false
}

// Bool reads a truth value: true, on, yes, or false, off, no.
func (v Value) Bool() (value, ok bool) {
	s, ok := v.Literal("on or off")
	if !ok {
		return false, false
	}
	switch strings.ToLower(s) {
	case "true", "on", "yes":
		return true, true
	case "false", "off", "no":
		return false, true
	}
	v.Problem(fmt.Sprintf("%s cannot be %s", v.Name(), v.shown(quote(s))), "write on or off")
	return false, false
}

// Int reads a whole number from low to high, in decimal digits.
func (v Value) Int(low, high int64) (int64, bool) {
	s, ok := v.Literal("a whole number")
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < low || n > high {
		v.Problem(fmt.Sprintf("%s must be a whole number from %d to %d, not %s", v.Name(), low, high, v.shown(quote(s))), "")
		return 0, false
	}
	return n, true
}

// Number reads the value of a finite decimal number such as 0.5.
func (v Value) Number() (float64, bool) {
	s, ok := v.Literal("a number such as 0.5")
	if !ok {
		return 0, false
	}
	f, err := ParseNumber(s)
	if err != nil {
		v.Problem(fmt.Sprintf("%s must be a number, not %s", v.Name(), v.shown(strconv.Quote(s))), "")
	}
	return f, err == nil
}

var decimal = regexp.MustCompile(`^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,3})?$`)

// ParseNumber parses decimal numbers only: no infinities, no hexadecimal, no underscores.
func ParseNumber(s string) (float64, error) {
	if !decimal.MatchString(s) {
		return 0, fmt.Errorf("%q is not a number", s)
	}
	return strconv.ParseFloat(s, 64)
}

// Duration reads a positive duration as Prometheus writes them: 30s, 5m, 1h30m, 28d, 4w.
func (v Value) Duration() (time.Duration, bool) {
	s, ok := v.Literal("a duration such as 5m")
	if !ok {
		return 0, false
	}
	d, err := parseDuration(s)
	if err != nil {
		v.Problem(fmt.Sprintf("%s: %s", v.Name(), err), err.(*durationError).hint)
		return 0, false
	}
	return d, true
}

// Texts reads a list of at most that many texts; entries that are no text are left out.
func (v Value) Texts(most int) (all []string) {
	list, _ := v.List(most)
	for _, item := range list {
		if text, ok := item.Text(); ok {
			all = append(all, text)
		}
	}
	return all
}

// List reads the entries of a list of at most that many; of a longer one there are none.
func (v Value) List(most int) ([]Value, bool) {
	if !v.Given() {
		return nil, false
	}
	if !v.IsList() {
		v.wrongKind("a list")
		return nil, false
	}
	if n := len(v.node.Content); n > most {
		v.Problem(fmt.Sprintf("%s has %d entries; at most %d are allowed", v.Name(), n, most), "")
		return nil, false
	}
	out := make([]Value, len(v.node.Content))
	for i, n := range v.node.Content {
		out[i] = Value{node: n, name: entryName(v), src: v.src}
	}
	return out, true
}

// entryName returns how messages call an entry of a list.
func entryName(list Value) string {
	if list.name == "" {
		return "an entry"
	}
	return "an entry of " + list.name
}

// Decode fills a struct of another package from the value, strictly, and records what does not fit.
func (v Value) Decode(into any) bool {
	if !v.Given() {
		return false
	}
	if err := v.node.Load(into, yaml.WithKnownFields()); err != nil {
		v.src.addYAML(err)
		return false
	}
	return true
}

// wrongKind records that the value is a list, a map or nothing where something else is wanted.
func (v Value) wrongKind(want string) {
	if isNull(v.node) {
		hint := "write a value or remove the line"
		if _, comment, ok := strings.Cut(v.src.line(v.keyPlace().Line), v.name+": #"); ok {
			hint = fmt.Sprintf("everything after # is a comment; put it in quotes: %q", "#"+strings.TrimSpace(comment))
		}
		v.ProblemAt(v.keyPlace(), Error, v.Name()+" is empty", hint)
		return
	}
	hint := ""
	switch {
	case want == "a list" && v.IsText() && !v.secret():
		hint = fmt.Sprintf("put it in brackets: [%s]", short(v.node.Value))
	case want == "a list":
		hint = "put it in brackets: [{…}]"
	case want == "text" && v.IsMap() && v.node.Style&yaml.FlowStyle != 0:
		hint = "text that starts with { must be in quotes: '{…}'"
	}
	v.Problem(fmt.Sprintf("%s must be %s, not %s", v.Name(), want, v.kind()), hint)
}

func (v Value) kind() string {
	switch v.node.Kind {
	case yaml.MappingNode:
		return "a map"
	case yaml.SequenceNode:
		return "a list"
	}
	return kindOf(v.node.ShortTag())
}

func kindOf(tag string) string {
	switch tag {
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "a truth value"
	case "!!timestamp":
		return "a date"
	case "!!null":
		return "nothing"
	}
	return "text"
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// short cuts text that came from outside before it goes into a message.
func short(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

// quote returns short text in quotes, with control characters escaped.
func quote(s string) string { return strconv.Quote(short(s)) }

// word returns a short part of the text, unless none of its words are shown.
func (s *source) word(text string) string {
	if s.foreign {
		return "…"
	}
	return short(text)
}

// secret reports whether the value may be a secret.
func (v Value) secret() bool {
	return v.src != nil && v.node != nil && v.src.hides(v.src.offset(place(v.node)))
}

// shown returns the text of the value as a message may show it.
func (v Value) shown(text string) string {
	if v.secret() {
		return "this value"
	}
	return text
}

// Child returns the value of a key of a map, without asking whether the other keys are known.
func (v Value) Child(key string) Value {
	if !v.IsMap() {
		return Value{}
	}
	for i := 0; i+1 < len(v.node.Content); i += 2 {
		if k := v.node.Content[i]; k.Value == key {
			return Value{node: v.node.Content[i+1], key: k, name: key, src: v.src}
		}
	}
	return Value{}
}

// Has reports whether a map has the key.
func (v Value) Has(key string) bool { return v.Child(key).Given() }

// Peek returns the text of a key of a map, or "": for recognising a format before reading it.
func (v Value) Peek(key string) string {
	if c := v.Child(key); c.IsText() {
		return c.node.Value
	}
	return ""
}
