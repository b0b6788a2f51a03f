package strictyaml

import (
	"regexp"
	"strings"
)

// Ignore is a comment by which somebody accepts a warning and says why, at the end of the line that
// is warned about or in the comments right above it:
//
//	# slowburn:ignore dead-alert the ticket is meant for total outages only
type Ignore struct {
	At     Pos
	ID     string // of the lint
	Reason string
}

var ignoreComment = regexp.MustCompile(`(?:^|\s)#\s*slowburn:ignore\b[ \t]*(\S*)[ \t]*(.*)$`)

// ignore returns the comment of that kind in a line, if there is one.
func (s *source) ignore(line int) (Ignore, bool) {
	text := s.line(line)
	if !strings.Contains(text, "slowburn:ignore") {
		return Ignore{}, false
	}
	m := ignoreComment.FindStringSubmatchIndex(text)
	if m == nil {
		return Ignore{}, false
	}
	at := s.at(s.starts[line-1] + strings.IndexByte(text[m[0]:], '#') + m[0])
	return Ignore{at, text[m[2]:m[3]], strings.TrimSpace(text[m[4]:m[5]])}, true
}

// accepted reports whether a comment accepts the lint's warning about that line.
func (s *source) accepted(line int, id string) bool {
	for at := line; at >= 1; at-- {
		if at < line && !strings.HasPrefix(strings.TrimSpace(s.line(at)), "#") {
			return false
		}
		if i, ok := s.ignore(at); ok && i.ID == id && i.Reason != "" {
			return true
		}
	}
	return false
}

// show adds the source line to a problem. It is not told if it is a lint's warning that a comment
// accepts.
func (s *source) show(p Problem) (shown Problem, told bool) {
	p.Snippet = s.snippet(Pos{p.Line, p.Column})
	return p, p.Severity != Warning || p.ID == "" || !s.accepted(p.Line, p.ID)
}

// Show adds the source line with a caret to a problem of this file that was found elsewhere. It is
// not to be told if it is a lint's warning that a comment in the file accepts.
func (f *File) Show(p Problem) (shown Problem, told bool) { return f.src.show(p) }

// Ignores lists the comments that accept warnings, in order.
func (f *File) Ignores() (out []Ignore) {
	if !strings.Contains(f.src.text, "slowburn:ignore") {
		return nil
	}
	for line := range f.src.starts {
		if i, ok := f.src.ignore(line + 1); ok {
			out = append(out, i)
		}
	}
	return out
}

// Warn records something strange about such a comment, by the name of the lint that says so.
func (f *File) Warn(i Ignore, id, message, hint string) {
	Value{src: f.src}.LintAt(i.At, id, message, hint)
}
