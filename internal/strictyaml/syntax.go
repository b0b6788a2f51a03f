package strictyaml

import (
	"regexp"
	"strings"

	"go.yaml.in/yaml/v4"
)

// addLoadError records one error of the YAML library in words for people.
func (s *source) addLoadError(e *yaml.LoadError) {
	at := Pos{Line: e.Mark.Line, Column: e.Mark.Column}
	if at.Line > 0 && at.Column == 0 {
		at.Column = 1
	}
	if at.Line > len(s.starts) { // the end of a file without a last line break
		at = s.at(len(s.text))
	}
	message, hint := s.explain(e.Message, at)
	if s.foreign {
		s.add(at, Error, "cannot be read as YAML", "")
		return
	}
	if e.Stage == yaml.ConstructorStage {
		s.add(at, Error, s.withoutSecret(at, message), hint)
		return
	}
	if e.ContextMark.Line > 0 && startsAtContext(e.Message) {
		at = Pos{Line: e.ContextMark.Line, Column: e.ContextMark.Column}
	}
	if line := s.line(at.Line); strings.Contains(leadingSpace(line), "\t") {
		message, hint = "a tab is used for indentation", "YAML is indented with spaces"
		at.Column = strings.IndexByte(line, '\t') + 1
	}
	if e.ContextMsg != "" && hint == "" {
		message += " (" + strings.TrimSpace(e.ContextMsg) + ")"
	}
	s.add(at, Error, message, hint)
}

// startsAtContext reports whether the mistake was made where the construct begins: a quote that is
// never closed is found missing only at the end of the file.
func startsAtContext(message string) bool {
	return strings.Contains(message, "unexpected end of stream") ||
		strings.Contains(message, "could not find expected ':'") ||
		strings.Contains(message, "did not find expected ',' or")
}

// explanations translate what the YAML scanner says into what the writer did.
var explanations = []struct{ contains, message, hint string }{
	{"mapping values are not allowed", "a colon followed by a space is not expected here", "put text that contains “: ” in quotes, and check the indentation"},
	{"did not find expected key", "the indentation does not fit, or text after a closing quote", "keys of one map start in the same column; write a quote inside '…' twice"},
	{"did not find expected '-' indicator", "the indentation of this list does not fit", "the hyphens of one list stand in the same column"},
	{"could not find expected ':'", "this line has no colon after its key", "write key: value"},
	{"cannot start any token", "a value cannot start with this character", "put the value in quotes"},
	{"unexpected end of stream", "a quote is opened here and never closed", "close the quote"},
	{"exceeded max depth", "nested too deeply", ""},
	{"exceeded depth", "nested too deeply", ""},
	{"unknown anchor", "aliases such as *name are not accepted", "write the value out, or put it in quotes"},
	{"unknown escape character", "a backslash in \"…\" starts an escape that YAML does not know", "put the text in single quotes, where backslashes stand for themselves"},
	{"did not find expected node content", "a value is missing, or a bracket or comma is not expected here", "put PromQL in single quotes"},
	{"did not find expected ',' or", "a bracket or brace is not closed, or a comma is missing", "put PromQL in single quotes"},
}

func (s *source) explain(message string, at Pos) (string, string) {
	for _, e := range explanations {
		if strings.Contains(message, e.contains) {
			return e.message, e.hint
		}
	}
	if m := unknownField.FindStringSubmatch(message); m != nil {
		return "unknown key " + s.keyName(m[1], at), ""
	}
	return message, ""
}

// unknownField is what the YAML library says when a struct has no such field.
var unknownField = regexp.MustCompile(`^field (\S+) not found in type`)

// quoted is a value inside a message of the YAML library.
var quoted = regexp.MustCompile("`[^`]*`")

// withoutSecret takes the value out of a message if its line holds a secret.
func (s *source) withoutSecret(at Pos, message string) string {
	if line := s.line(at.Line); s.masked(at.Line, line) != line {
		return quoted.ReplaceAllString(message, "this value")
	}
	return message
}

func leadingSpace(line string) string { return line[:len(line)-len(strings.TrimLeft(line, " \t"))] }
