// Package yamlout writes YAML that people will read and edit: keys in the order they are given,
// comments above them, texts in the plainest style that still means the same.
//
// It is the counterpart of package strictyaml and keeps to the small YAML that is accepted there.
// The YAML library could write trees too, but it chooses quotes, folds and the places of comments
// by itself, and a converted file is looked at before it is believed.
//
// Same input, same bytes. There are four kinds of values: [Text], [Raw], [Map] and [List].
package yamlout

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// Value is a Text, Raw, Map or List.
type Value interface{ write(w *writer, indent int) }

// Text is a scalar that is read back as exactly this text, and never as a number or truth value.
type Text string

// Raw is YAML on one line, written as it is: numbers, durations, flow maps made by [Flow].
type Raw string

// Map is a map; its entries are written in order.
type Map []Entry

// Entry is one key of a map.
type Entry struct {
	Notes []string // comments above it, a paragraph each
	Key   string   // plain
	Value Value
}

// List is a list, each entry on a line of its own.
type List []Item

// Item is one entry of a list.
type Item struct {
	Notes []string
	Value Value
}

// Add appends a key.
func (m *Map) Add(key string, v Value, notes ...string) {
	*m = append(*m, Entry{notes, key, v})
}

// AddText appends a key with a text, unless the text is empty.
func (m *Map) AddText(key, text string, notes ...string) {
	if text != "" {
		m.Add(key, Text(text), notes...)
	}
}

// Document returns the map as a whole document.
func Document(m Map) []byte {
	var w writer
	m.write(&w, 0)
	return w.Bytes()
}

// Comments returns paragraphs as comment lines without indentation, one `#` each.
func Comments(paragraphs ...string) []byte {
	var w writer
	w.notes(paragraphs, 0)
	return w.Bytes()
}

type writer struct{ bytes.Buffer }

func (w *writer) indent(n int) { w.WriteString(strings.Repeat(" ", n)) }

// width is how long a comment line gets before it is broken.
const width = 110

// notes writes comments. What would not be accepted in a file, or end the line, becomes a space.
func (w *writer) notes(paragraphs []string, indent int) {
	for _, p := range paragraphs {
		for _, line := range strings.Split(p, "\n") {
			line = strings.Map(func(r rune) rune {
				if !unicode.IsPrint(r) {
					return ' '
				}
				return r
			}, line)
			for _, part := range wrap(line, width-indent) {
				w.indent(indent)
				w.WriteString(strings.TrimRight("# "+part, " ") + "\n")
			}
		}
	}
}

// wrap breaks a line between words. A word that is longer than a line stays whole.
func wrap(line string, most int) (out []string) {
	current := ""
	for _, word := range strings.Fields(line) {
		if current != "" && len([]rune(current))+1+len([]rune(word)) > most {
			out = append(out, current)
			current = ""
		}
		current = strings.TrimPrefix(current+" "+word, " ")
	}
	return append(out, current)
}

func (m Map) write(w *writer, indent int) { m.writeFrom(w, indent, false) }

// writeFrom writes the entries. The first one continues a line that was begun by a hyphen.
func (m Map) writeFrom(w *writer, indent int, begun bool) {
	for i, e := range m {
		if i > 0 || !begun {
			w.notes(e.Notes, indent)
			w.indent(indent)
		}
		w.WriteString(e.Key + ":")
		writeValue(w, e.Value, indent)
	}
}

// writeValue writes what stands behind a colon.
func writeValue(w *writer, v Value, indent int) {
	switch v := v.(type) {
	case Map:
		if len(v) == 0 {
			w.WriteString(" {}\n")
			return
		}
		w.WriteString("\n")
		v.write(w, indent+2)
	case List:
		if len(v) == 0 {
			w.WriteString(" []\n")
			return
		}
		w.WriteString("\n")
		v.write(w, indent+2)
	default:
		w.WriteString(" ")
		v.write(w, indent+2)
	}
}

// write writes the entries. The notes of a map's first key would stand behind the hyphen, so they
// stand above it.
func (l List) write(w *writer, indent int) {
	for i, e := range l {
		m, isMap := e.Value.(Map)
		isMap = isMap && len(m) > 0
		notes := e.Notes
		if isMap {
			notes = slices.Concat(notes, m[0].Notes)
		}
		if len(notes) > 0 && i > 0 {
			w.WriteString("\n")
		}
		w.notes(notes, indent)
		w.indent(indent)
		w.WriteString("-")
		if isMap {
			w.WriteString(" ")
			m.writeFrom(w, indent+2, true)
			continue
		}
		writeValue(w, e.Value, indent)
	}
}

func (r Raw) write(w *writer, _ int) { w.WriteString(string(r) + "\n") }

// write chooses the plainest style: as it is, in single quotes, as a block, or with escapes.
func (t Text) write(w *writer, indent int) {
	s := string(t)
	if !blocky(s) {
		w.WriteString(quote(s, plain(s)) + "\n")
		return
	}
	header := "|-"
	if strings.HasSuffix(s, "\n") {
		header, s = "|", strings.TrimSuffix(s, "\n")
	}
	w.WriteString(header + "\n")
	for _, line := range strings.Split(s, "\n") {
		if line != "" {
			w.indent(indent)
		}
		w.WriteString(line + "\n")
	}
}

// blocky reports whether a text has several lines and survives as a literal block: printable, the
// first line without space in front (which would be taken for indentation), one line break at the
// end at most.
func blocky(s string) bool {
	if !strings.Contains(strings.TrimSuffix(s, "\n"), "\n") || strings.HasSuffix(s, "\n\n") {
		return false
	}
	for _, line := range strings.Split(strings.TrimSuffix(s, "\n"), "\n") {
		if !printable(line) || line != "" && strings.TrimSpace(line) == "" || strings.HasPrefix(line, "\t") {
			return false
		}
	}
	return !strings.ContainsAny(s[:1], " \n")
}

func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar })
}

// word is text that is safe without quotes; words are those that YAML, old or new, takes for
// something else.
var (
	word     = regexp.MustCompile(`^[A-Za-z][-A-Za-z0-9_./ ,()&;+=%@':]*$`)
	flowWord = regexp.MustCompile(`^[A-Za-z][-A-Za-z0-9_./+]*$`)
	words    = []string{"y", "n", "yes", "no", "on", "off", "true", "false", "null"}
)

func plain(s string) bool {
	return word.MatchString(s) && !strings.Contains(s, ": ") && !strings.HasSuffix(s, ":") && !strings.HasSuffix(s, " ") &&
		!slices.Contains(words, strings.ToLower(s))
}

// quote puts a text in quotes unless it is safe without.
func quote(s string, safe bool) string {
	switch {
	case safe:
		return s
	case printable(s):
		return "'" + strings.ReplaceAll(s, "'", "''") + "'"
	}
	return escaped(s)
}

// escaped returns the text in double quotes, everything that is not printable as an escape.
func escaped(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// Flow returns a map on one line: {budget: 2%, long: 1h}. Its values are used as they are.
func Flow(pairs ...[2]string) Raw {
	parts := make([]string, len(pairs))
	for i, p := range pairs {
		parts[i] = p[0] + ": " + p[1]
	}
	return Raw("{" + strings.Join(parts, ", ") + "}")
}

// FlowList returns a list on one line. Its values are used as they are.
func FlowList(values []string) Raw { return Raw("[" + strings.Join(values, ", ") + "]") }

// FlowText returns a text for use in [Flow] and [FlowList], in quotes where needed.
func FlowText(s string) string {
	return quote(s, flowWord.MatchString(s) && !slices.Contains(words, strings.ToLower(s)))
}
