// Package printable knows which characters may be shown to people, on terminals above all: a
// control character moves the cursor or changes the title of the window, a mark of direction shows
// a text in another order than it has, and a line break lets a note look like a line of ours.
//
// Texts that others wrote stand in one line ([Line], [LinesOfJSON]); whatever else is printed goes
// through a [Writer].
package printable

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Hidden reports whether a character has no place in a line of text: control characters, of the
// range from U+0080 too, marks that turn the direction of writing, invisible ones, and what is not
// valid at all.
func Hidden(r rune) bool {
	return r == utf8.RuneError || unicode.Is(unicode.C, r) || unicode.Is(unicode.Bidi_Control, r)
}

// Dot stands for a character that is not shown.
const Dot = '·'

// lineBreak stands for a line break in a text that must stay in one line.
const lineBreak = '⏎'

// Line returns a text as one line.
func Line(s string) string {
	return strings.Map(inLine, strings.ReplaceAll(strings.ToValidUTF8(s, string(Dot)), "\r\n", "\n"))
}

func inLine(r rune) rune {
	switch {
	case r == '\n' || r == '\r' || r == '\u0085' || r == '\u2028' || r == '\u2029':
		return lineBreak
	case r == '\t':
		return ' '
	case Hidden(r):
		return Dot
	}
	return r
}

// Writer passes on text without hidden characters other than line feeds and tabs. Several may write
// at once.
type Writer struct {
	out  io.Writer
	mu   sync.Mutex
	rest []byte // of a character whose end is still to come
}

// NewWriter makes a writer that passes on to out.
func NewWriter(out io.Writer) *Writer { return &Writer{out: out} }

// Write writes what of the text can be shown.
func (w *Writer) Write(text []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := append(w.rest, text...)
	shown := make([]byte, 0, len(all))
	for len(all) > 0 && utf8.FullRune(all) {
		r, n := utf8.DecodeRune(all)
		if r != '\n' && r != '\t' && Hidden(r) {
			r = Dot
		}
		shown, all = utf8.AppendRune(shown, r), all[n:]
	}
	w.rest = append([]byte(nil), all...)
	if _, err := w.out.Write(shown); err != nil {
		return 0, err
	}
	return len(text), nil
}

// EscapeJSON writes the hidden characters within the strings of a JSON text as escapes, which mean
// the same.
func EscapeJSON(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for _, r := range string(text) {
		if r == '\r' { // a space between values; in a string it is an escape already
			r = ' '
		}
		if r == '\n' || r == '\t' || !Hidden(r) {
			out = utf8.AppendRune(out, r)
			continue
		}
		if a, b := utf16.EncodeRune(r); b != utf8.RuneError {
			out = fmt.Appendf(out, `\u%04x\u%04x`, a, b)
		} else {
			out = fmt.Appendf(out, `\u%04x`, r)
		}
	}
	return out
}

// LinesOfJSON makes each string of a JSON text one line, as Line does.
func LinesOfJSON(text []byte) []byte {
	var out strings.Builder
	for i := 0; i < len(text); {
		if text[i] == '\\' && i+1 < len(text) {
			n := shownEscape(&out, text[i:])
			i += n
			continue
		}
		r, n := utf8.DecodeRune(text[i:])
		if r != '\n' && r != '\t' && r != '\r' { // outside of strings they are spaces, inside they cannot be
			r = inLine(r)
		}
		out.WriteRune(r)
		i += n
	}
	return []byte(out.String())
}

// shownEscape writes what an escape stands for if it is hidden, and else the escape itself; it
// returns its length.
func shownEscape(out *strings.Builder, text []byte) int {
	escapes := map[byte]rune{'n': '\n', 'r': '\r', 't': '\t', 'b': '\b', 'f': '\f'}
	if r, ok := escapes[text[1]]; ok {
		out.WriteRune(inLine(r))
		return 2
	}
	if text[1] != 'u' || len(text) < 6 {
		out.Write(text[:2])
		return 2
	}
	var code rune
	if _, err := fmt.Sscanf(string(text[2:6]), "%04x", &code); err == nil && code >= 0x7f && !utf16.IsSurrogate(code) || code < ' ' {
		if shown := inLine(code); shown != code {
			out.WriteRune(shown)
			return 6
		}
	}
	out.Write(text[:6])
	return 6
}
