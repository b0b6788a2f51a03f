// Package plain writes figures, times and names the way slowburn's reports and postmortems do.
//
// Two rules run through it. A figure is rounded towards the worse: 99.8999 % under an objective of
// 99.9 % never reads 99.90 %, and a budget overdrawn by a hair never reads 0.0 %. And what is not known
// is a dash ([Unknown]), never a nought.
//
// Everything here is a pure function of its arguments; figures are divided as integers.
package plain

import (
	"math/big"
	"strconv"
	"strings"
	"time"
)

// Unknown stands for a figure that is not known.
const Unknown = "—"

// thousand is how many parts an event has in the ledger (see budget.Unit).
const thousand = 1000

// Events writes a count that is kept in thousandths of an event: "1,234", "0.5", "-3".
func Events(thousandths int64) string {
	sign, n := "", uint64(thousandths)
	if thousandths < 0 {
		sign, n = "-", -n
	}
	s := group(n / thousand)
	if rest := n % thousand; rest > 0 {
		s += strings.TrimRight("."+strconv.FormatUint(thousand+rest, 10)[1:], "0")
	}
	return sign + s
}

// Count writes a whole number with commas: "12,345".
func Count(n int) string {
	if n < 0 {
		return "-" + group(uint64(-n))
	}
	return group(uint64(n))
}

// group puts a comma between every three digits.
func group(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Percent is num/den as a percentage with the given digits after the point, rounded down (towards
// minus infinity). It is [Unknown] if den is not positive.
func Percent(num, den int64, digits int) string {
	if den <= 0 {
		return Unknown
	}
	return percent(big.NewInt(num), big.NewInt(den), digits)
}

// PercentUp is Percent rounded up: for shares of which more is worse.
func PercentUp(num, den int64, digits int) string {
	if den <= 0 {
		return Unknown
	}
	down := percent(new(big.Int).Neg(big.NewInt(num)), big.NewInt(den), digits)
	switch {
	case down[0] == '-':
		return down[1:]
	case strings.Trim(down, "0. %") == "":
		return down
	}
	return "-" + down
}

func percent(num, den *big.Int, digits int) string {
	scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(digits+2)), nil)
	n := new(big.Int).Mul(num, scale)
	n.Div(n, den) // Euclidean: rounds down, as den is positive
	sign := ""
	if n.Sign() < 0 {
		sign = "-"
		n.Neg(n)
	}
	s := n.String()
	if len(s) <= digits {
		s = strings.Repeat("0", digits+1-len(s)) + s
	}
	whole, fraction := s[:len(s)-digits], s[len(s)-digits:]
	if digits > 0 {
		fraction = "." + fraction
	}
	return sign + whole + fraction + " %"
}

// Duration writes a duration in its two largest units: "2 d 4 h", "1 h 5 min", "40 s". It rounds down.
func Duration(d time.Duration) string {
	if d < 0 {
		return "-" + Duration(-d)
	}
	units := []struct {
		name string
		size time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"min", time.Minute}, {"s", time.Second}}
	for i, u := range units {
		if d < u.size {
			continue
		}
		s := strconv.FormatInt(int64(d/u.size), 10) + " " + u.name
		if i+1 < len(units) {
			if rest := d % u.size / units[i+1].size; rest > 0 {
				s += " " + strconv.FormatInt(int64(rest), 10) + " " + units[i+1].name
			}
		}
		return s
	}
	return "0 s"
}

// UTC writes an instant in UTC to the minute, or [Unknown] for the zero time.
func UTC(t time.Time) string {
	if t.IsZero() {
		return Unknown
	}
	return t.UTC().Format("2006-01-02 15:04 UTC")
}

// In writes an instant in a zone with its offset: "2026-03-29 03:00 CEST".
func In(t time.Time, zone *time.Location) string {
	if t.IsZero() {
		return Unknown
	}
	return t.In(zone).Format("2006-01-02 15:04 MST")
}

// Code puts a name into a Markdown code span that nothing in the name can leave. Line breaks become
// spaces, and a pipe is escaped so that it does not end a table's cell.
func Code(s string) string {
	s = oneLine(s)
	if s == "" {
		return Unknown
	}
	fence := "`"
	for strings.Contains(s, fence) {
		fence += "`"
	}
	if len(fence) > 1 {
		s = " " + s + " "
	}
	return fence + strings.ReplaceAll(s, "|", `\|`) + fence
}

// special are the characters that mean something in the middle of a Markdown line.
const special = "\\`*_[]<>|&~#"

// Text escapes what a person wrote for the middle of a Markdown line: it cannot open a link, a tag, a
// mention or a table cell. Line breaks become spaces.
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

// Link is a Markdown link; without a web address it is the text alone.
func Link(text, url string) string {
	if !strings.HasPrefix(url, "https://") && !strings.HasPrefix(url, "http://") || strings.ContainsAny(url, " <>\n\r\t") {
		return Text(text)
	}
	return "[" + Text(text) + "](<" + url + ">)"
}

// oneLine folds white space and drops control characters.
func oneLine(s string) string {
	clean := func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}
	return strings.Join(strings.Fields(strings.Map(clean, strings.ToValidUTF8(s, "\uFFFD"))), " ")
}

// Plural is "1 page", "2 pages".
func Plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return Count(n) + " " + noun + "s"
}

// Cut shortens a text to at most n runes, with an ellipsis where something is missing.
func Cut(s string, n int) string {
	if runes := []rune(s); len(runes) > n {
		return strings.TrimRight(string(runes[:n-1]), " ") + "…"
	}
	return s
}

// Fence is a Markdown code block that nothing in the lines can leave.
func Fence(language string, lines ...string) string {
	text := strings.Join(lines, "\n")
	fence := "```"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	return fence + language + "\n" + text + "\n" + fence + "\n"
}

// Table writes a Markdown table of cells that are already Markdown. A column whose heading ends in a colon
// is aligned to the right, for figures; the colon is not shown.
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
		b.WriteString("| " + strings.Join(row, " | ") + " |\n")
	}
	return b.String()
}
