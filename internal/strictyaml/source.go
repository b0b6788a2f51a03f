package strictyaml

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/slowburn-sre/slowburn/internal/printable"
)

// maxProblems bounds how many problems of one file are told; whoever has more will run the check
// again.
const maxProblems = 100

// maxSnippet is how many characters of a source line are shown.
const maxSnippet = 120

// source is the text of one file, and collects what is wrong with it.
type source struct {
	file     string
	text     string
	starts   []int // byte offset of each line
	problems Problems
	dropped  int // problems beyond maxProblems

	foreign bool  // the text is not of the kind that is to be read, and no word of it is shown
	secrets *mask // what of it may be shown; found when it is first asked for
	found   int   // bytes that were looked through for it
}

func newSource(file, text string) *source {
	s := &source{file: file, text: text, starts: []int{0}, secrets: &mask{unknown: map[string]bool{}}}
	for i := 0; i < len(text); {
		n := lineBreak(text[i:])
		if n > 0 {
			s.starts = append(s.starts, i+n)
		}
		i += max(n, 1)
	}
	return s
}

// lineBreak returns the length in bytes of the line break that text starts with, 0 if it does not.
// These are the breaks that the YAML scanner counts.
func lineBreak(text string) int {
	switch {
	case strings.HasPrefix(text, "\r\n"):
		return 2
	case strings.HasPrefix(text, "\n"), strings.HasPrefix(text, "\r"):
		return 1
	case strings.HasPrefix(text, "\u0085"):
		return 2
	case strings.HasPrefix(text, "\u2028"), strings.HasPrefix(text, "\u2029"):
		return 3
	}
	return 0
}

// line returns the text of a line without its break; lines count from 1.
func (s *source) line(n int) string {
	if n < 1 || n > len(s.starts) {
		return ""
	}
	end := len(s.text)
	if n < len(s.starts) {
		end = s.starts[n]
	}
	return strings.TrimRight(s.text[s.starts[n-1]:end], "\r\n\u0085\u2028\u2029")
}

// offset returns the byte offset of a place, or -1 if there is no such place.
func (s *source) offset(p Pos) int {
	if p.Line < 1 || p.Line > len(s.starts) || p.Column < 1 {
		return -1
	}
	at := s.starts[p.Line-1]
	for range p.Column - 1 {
		if at >= len(s.text) {
			return -1
		}
		_, n := utf8.DecodeRuneInString(s.text[at:])
		at += n
	}
	return at
}

// at returns the place of a byte offset.
func (s *source) at(offset int) Pos {
	line, found := slices.BinarySearch(s.starts, offset)
	if found {
		line++
	}
	return Pos{Line: line, Column: utf8.RuneCountInString(s.text[s.starts[line-1]:offset]) + 1}
}

// full reports whether no further problem will be told, so that its words need not be found.
func (s *source) full() bool { return len(s.problems) >= maxProblems }

// add records a problem.
func (s *source) add(p Pos, severity Severity, message, hint string) {
	s.record(Problem{
		File: s.file, Line: p.Line, Column: p.Column, Severity: severity,
		Message: printable.Line(message), Hint: printable.Line(hint), Snippet: s.snippet(p),
	})
}

// record keeps a problem, unless there are too many already.
func (s *source) record(p Problem) {
	if s.full() {
		s.dropped++
		return
	}
	s.problems = append(s.problems, p)
}

// all returns what was recorded, in order, with a last line about what was left off.
func (s *source) all() Problems {
	out := s.problems.Sorted()
	if s.dropped > 0 {
		out = append(out, Problem{
			File: s.file, Line: len(s.starts), Severity: Error,
			Message: fmt.Sprintf("and %d more problems in this file", s.dropped),
		})
	}
	return out
}

// longestShown is how many bytes a line may have of which a part is shown: finding the secrets in a
// line must not take long, and showing a part without looking for them would be worse.
const longestShown = 8 << 10

// snippet returns the source line with a caret under the column. A long line is cut around the
// caret, secrets are blanked, and what would disturb a terminal is replaced.
func (s *source) snippet(p Pos) string {
	text := s.line(p.Line)
	if s.foreign || len(text) > longestShown || strings.TrimSpace(text) == "" {
		return ""
	}
	line := []rune(s.masked(p.Line, text))
	caret := min(max(p.Column-1, 0), len(line))
	if len(line) > maxSnippet {
		from := min(max(caret-maxSnippet/2, 0), len(line)-maxSnippet)
		line, caret = line[from:from+maxSnippet], caret-from
	}
	var shown, below strings.Builder
	for i, r := range line {
		if r != '\t' && !unicode.IsPrint(r) {
			r = '·'
		}
		shown.WriteRune(r)
		switch {
		case i < caret && r == '\t':
			below.WriteRune('\t') // a tab is as wide above as below
		case i < caret:
			below.WriteRune(' ')
		}
	}
	return fmt.Sprintf("%6d | %s\n       | %s^", p.Line, strings.TrimRight(shown.String(), " \t"), below.String())
}

// masked returns a line with an asterisk for each character that may belong to a secret, so that
// columns stay.
func (s *source) masked(line int, text string) string {
	var b strings.Builder
	inside := false
	for i, r := range text {
		hidden := s.hides(s.starts[line-1] + i)
		inside = hidden && (inside || !unicode.IsSpace(r)) // what indents a secret is none
		if inside {
			r = '*'
		}
		b.WriteRune(r)
	}
	return b.String()
}

// hides reports whether the byte of the text may belong to a secret.
func (s *source) hides(offset int) bool {
	if s.foreign {
		return true
	}
	if s.secrets.hidden == nil {
		if s.found += len(s.text); s.found > maxFound {
			return true
		}
		s.secrets.text = s.text
		s.secrets.find()
	}
	return offset >= 0 && offset < len(s.text) && s.secrets.hidden[offset]
}

// hide makes the values of a key secret: nobody knows what it is.
func (s *source) hide(key string) {
	if !s.secrets.unknown[key] {
		s.secrets.unknown[key] = true
		s.secrets.hidden = nil
	}
}
