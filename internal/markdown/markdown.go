// Package markdown writes the pieces of Markdown that reports and postmortems are made of. Names
// and texts come from other people: nothing in them can leave the place that it is given.
package markdown

import (
	"cmp"
	"strings"

	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/printable"
)

// Code puts a name into a Markdown code span that nothing in the name can leave. Line breaks become
// spaces. A pipe stays as it is, since nothing is escaped in code; [Table] takes care of its own.
func Code(s string) string {
	s = oneLine(s)
	if s == "" {
		return figures.Unknown
	}
	fence := "`"
	for strings.Contains(s, fence) {
		fence += "`"
	}
	if len(fence) > 1 {
		s = " " + s + " "
	}
	return fence + s + fence
}

// special are the characters that mean something in the middle of a Markdown line.
const special = "\\`*_[]<>|&~#"

// Text escapes what a person wrote for the middle of a Markdown line: it cannot open a link, a tag,
// a mention or a table cell. Line breaks become spaces.
func Text(s string) string {
	var b strings.Builder
	for _, r := range oneLine(s) {
		if strings.ContainsRune(special, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// Value returns Text, or a dash for what is not known.
func Value(s string) string { return cmp.Or(Text(s), figures.Unknown) }

// Link returns a Markdown link; without a web address it is the text alone.
func Link(text, url string) string {
	if !strings.HasPrefix(url, "https://") && !strings.HasPrefix(url, "http://") || strings.ContainsAny(url, " <>\n\r\t") {
		return Text(text)
	}
	return "[" + Text(text) + "](<" + url + ">)"
}

// oneLine folds white space and drops control characters and what else is not shown.
func oneLine(s string) string {
	clean := func(r rune) rune {
		switch {
		case r < ' ' || r == 0x7f || r == '\u0085':
			return ' '
		case r != '\uFFFD' && printable.Hidden(r):
			return -1
		}
		return r
	}
	return strings.Join(strings.Fields(strings.Map(clean, strings.ToValidUTF8(s, "\uFFFD"))), " ")
}

// Cut shortens a text to at most n runes, with an ellipsis where something is missing.
func Cut(s string, n int) string {
	if runes := []rune(s); len(runes) > n {
		return strings.TrimRight(string(runes[:n-1]), " ") + "…"
	}
	return s
}

// Fence returns a Markdown code block that nothing in the lines can leave.
func Fence(language string, lines ...string) string {
	text := strings.Join(lines, "\n")
	fence := "```"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	return fence + language + "\n" + text + "\n" + fence + "\n"
}

// Table writes a Markdown table of cells that are already Markdown. A pipe in a cell does not end
// it. A column whose heading ends in
// a colon is aligned to the right, for figures; the colon is not shown.
func Table(head []string, rows [][]string) string {
	var b strings.Builder
	names, rule := make([]string, len(head)), make([]string, len(head))
	for i, h := range head {
		names[i], rule[i] = h, "---"
		if name, right := strings.CutSuffix(h, ":"); right {
			names[i], rule[i] = name, "--:"
		}
	}
	for _, row := range append([][]string{names, rule}, rows...) {
		cells := make([]string, len(row))
		for i, c := range row {
			cells[i] = cell(c)
		}
		b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
	}
	return b.String()
}

// cell escapes the pipes of a cell that are not escaped.
func cell(text string) string {
	var b strings.Builder
	escaped := false
	for _, r := range text {
		if r == '|' && !escaped {
			b.WriteByte('\\')
		}
		escaped = r == '\\' && !escaped
		b.WriteRune(r)
	}
	return b.String()
}
