package markdown

import (
	"bytes"
	"fmt"
	"regexp"
)

// MaxSize is how long a document by somebody else may be, in bytes.
const MaxSize = 256 << 10

// The bounds of a document by somebody else. A parser of Markdown takes time by the square of what
// nests, and of what may open a link or an emphasis within a paragraph.
const (
	maxLine  = 16 << 10 // bytes
	maxNest  = 100      // quotes and lists within each other, in one line
	maxSigns = 2000     // of signs, in the lines between two blank ones
)

// prefix is how a line begins that stands in quotes and lists; signs may open something in the
// middle of a line.
var (
	prefix = regexp.MustCompile("^(?:[ \t]*(?:>|[-+*](?:[ \t]|$)|[0-9]{1,9}[.)](?:[ \t]|$)))+")
	signs  = "[]*_`<!"
)

// Check refuses a document that would take long to parse. The error names the line.
func Check(document []byte) error {
	if len(document) > MaxSize {
		return fmt.Errorf("the file is larger than %d bytes", MaxSize)
	}
	count, n := 0, 0
	for line := range bytes.Lines(document) {
		n++
		if len(line) > maxLine {
			return fmt.Errorf("line %d is longer than %d bytes: break it", n, maxLine)
		}
		if nests(prefix.Find(line)) > maxNest {
			return fmt.Errorf("line %d stands in more than %d quotes and lists", n, maxNest)
		}
		if len(bytes.TrimSpace(line)) == 0 {
			count = 0
		}
		for _, c := range line {
			if bytes.IndexByte([]byte(signs), c) >= 0 {
				count++
			}
		}
		if count > maxSigns {
			return fmt.Errorf("the lines before line %d hold more than %d signs such as * and [: put a blank line between", n, maxSigns)
		}
	}
	return nil
}

// nests counts the quotes and lists of a prefix.
func nests(prefix []byte) (n int) {
	for i, c := range prefix {
		digit := i > 0 && prefix[i-1] >= '0' && prefix[i-1] <= '9'
		if c != ' ' && c != '\t' && !(digit && c >= '0' && c <= '9') {
			n++
		}
	}
	return n
}
