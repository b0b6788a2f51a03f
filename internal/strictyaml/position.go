package strictyaml

import (
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// Pos is a place in a file. The zero Pos is the file as a whole.
type Pos struct {
	Line   int // from 1
	Column int // in characters, from 1
}

func place(n *yaml.Node) Pos { return Pos{Line: n.Line, Column: n.Column} }

// Place returns where the value starts; an empty one is found at its key.
func (v Value) Place() Pos {
	if v.node == nil {
		return Pos{}
	}
	if isNull(v.node) || (v.key != nil && v.node.Kind == yaml.MappingNode && v.node.Style&yaml.FlowStyle == 0) {
		return v.keyPlace()
	}
	return place(v.node)
}

// keyPlace returns where the value's key stands, or the value itself if it has none.
func (v Value) keyPlace() Pos {
	if v.key != nil {
		return place(v.key)
	}
	return place(v.node)
}

// Inside returns the place in the file of a byte of the value's text, so that an error of an
// embedded language can point into it. It follows quotes, escapes, folded lines and block
// indentation; if it loses the thread, it answers with the place of the whole value.
func (v Value) Inside(offset int) Pos {
	if !v.IsText() {
		return v.Place()
	}
	start := v.src.offset(place(v.node))
	if start < 0 {
		return v.Place()
	}
	w := walker{src: v.src.text, pos: start, style: v.node.Style}
	if !w.open() {
		return v.Place()
	}
	at, ok := w.find(v.node.Value, offset)
	if !ok {
		return v.Place()
	}
	return v.src.at(at)
}

// walker reads a scalar's source and its decoded text side by side.
type walker struct {
	src    string
	pos    int // byte offset in src
	style  yaml.Style
	indent int // of a block scalar
}

// open moves to the first byte of the text: behind the quote, or below the header of a block.
func (w *walker) open() bool {
	switch {
	case w.style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0:
		w.pos++
	case w.style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return w.openBlock()
	}
	return w.pos <= len(w.src)
}

// openBlock finds the indentation of a block scalar: that of its first line with text, less
// whatever an explicit indicator (|2) leaves to the text; such indicators are rare, and given up.
func (w *walker) openBlock() bool {
	header := w.rest()
	if i := strings.IndexAny(header, "\r\n"); i >= 0 {
		header = header[:i]
	}
	if head, _, _ := strings.Cut(header, "#"); strings.ContainsAny(head, "123456789") {
		return false
	}
	w.pos += len(header)
	rest := strings.TrimLeft(w.rest(), " \r\n")
	first := len(w.src) - len(rest)
	w.indent = first - (strings.LastIndexAny(w.src[:first], "\r\n") + 1)
	w.newline()
	return true
}

func (w *walker) rest() string { return w.src[w.pos:] }

// newline skips one line break and the indentation of the next line.
func (w *walker) newline() bool {
	n := lineBreak(w.rest())
	w.pos += n
	for i := 0; i < w.indent && strings.HasPrefix(w.rest(), " "); i++ {
		w.pos++
	}
	return n > 0
}

// find returns the source offset of the byte of the text.
func (w *walker) find(text string, offset int) (int, bool) {
	offset = min(max(offset, 0), len(text))
	for i := 0; i < offset; {
		n, ok := w.step(text[i:])
		if !ok {
			return 0, false
		}
		if i+n > offset { // inside a fold: its start is near enough
			break
		}
		i += n
	}
	return w.settle(), w.pos <= len(w.src)
}

// settle returns the place of the next character: at the end of a line that is on the next one with
// text.
func (w *walker) settle() int {
	if w.style&(yaml.LiteralStyle|yaml.FoldedStyle) == 0 && lineBreak(strings.TrimLeft(w.rest(), " \t")) > 0 {
		rest := strings.TrimLeft(w.rest(), " \t\r\n")
		return len(w.src) - len(rest)
	}
	return w.pos
}

// step consumes one unit: a character, an escape or a fold. It answers how many bytes of text that
// was.
func (w *walker) step(text string) (int, bool) {
	if w.pos >= len(w.src) {
		return 0, false
	}
	if w.style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		if lineBreak(w.rest()) > 0 {
			return w.blockBreak(text)
		}
	} else if lineBreak(strings.TrimLeft(w.rest(), " \t")) > 0 {
		return w.fold(text)
	}
	switch {
	case w.style&yaml.SingleQuotedStyle != 0 && strings.HasPrefix(w.rest(), "''"):
		w.pos += 2
		return 1, text[0] == '\''
	case w.style&yaml.DoubleQuotedStyle != 0 && w.src[w.pos] == '\\':
		return w.escape(text)
	}
	r, n := utf8.DecodeRuneInString(w.rest())
	if !strings.HasPrefix(text, string(r)) {
		return 0, false
	}
	w.pos += n
	return n, true
}

// blockBreak consumes the end of a line of a block scalar.
func (w *walker) blockBreak(text string) (int, bool) {
	if w.style&yaml.LiteralStyle != 0 {
		return 1, w.newline() && text[0] == '\n'
	}
	for lineBreak(w.rest()) > 0 {
		w.newline()
	}
	return spaceRun(text)
}

// fold consumes the end of a line of a plain or quoted scalar, with the blank lines after it.
func (w *walker) fold(text string) (int, bool) {
	w.pos = len(w.src) - len(strings.TrimLeft(w.rest(), " \t\r\n"))
	return spaceRun(text)
}

// spaceRun returns how much of the text the fold became: one space, or line breaks.
func spaceRun(text string) (int, bool) {
	if text[0] == ' ' {
		return 1, true
	}
	n := len(text) - len(strings.TrimLeft(text, "\n"))
	return n, n > 0
}

// escape consumes a backslash escape of a double-quoted scalar.
func (w *walker) escape(text string) (int, bool) {
	if w.pos+1 >= len(w.src) {
		return 0, false
	}
	length := 2
	switch c := w.src[w.pos+1]; {
	case lineBreak(w.src[w.pos+1:]) > 0: // an escaped line break is nothing at all
		w.pos++
		w.fold(" ")
		return 0, true
	case c == 'x':
		length = 4
	case c == 'u':
		length = 6
	case c == 'U':
		length = 10
	}
	w.pos += length
	_, n := utf8.DecodeRuneInString(text)
	return n, w.pos <= len(w.src)
}
