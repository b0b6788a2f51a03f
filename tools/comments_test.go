package tools

import (
	"go/ast"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// commentWidth is how many columns a line of a comment has at most; a tab is four.
const commentWidth = 100

func TestCommentsHaveOneWidth(t *testing.T) {
	walk(t, ".go", func(path string) {
		for n, line := range strings.Split(read(t, path), "\n") {
			text := strings.TrimLeft(line, "\t")
			if !strings.HasPrefix(text, "// ") || strings.Contains(text, "://") {
				continue
			}
			if columns := utf8.RuneCountInString(text) + 4*(len(line)-len(text)); columns > commentWidth {
				t.Errorf("%s:%d: a comment of %d columns; there are %d", path, n+1, columns, commentWidth)
			}
		}
	})
}

// nounFirst matches the comment of a function that says what it is instead of what it does.
var nounFirst = regexp.MustCompile(`^\S+ (is|are|was|were|has) `)

// A function does something: its comment says what, by a verb.
func TestCommentsOfFunctionsBeginWithAVerb(t *testing.T) {
	for _, p := range product(t) {
		functions(p.files, func(fn *ast.FuncDecl) {
			if fn.Doc != nil && nounFirst.MatchString(fn.Doc.Text()) && strings.HasPrefix(fn.Doc.Text(), fn.Name.Name+" ") {
				line, _, _ := strings.Cut(fn.Doc.Text(), "\n")
				t.Errorf("%s: %q: begin with what it does", p.at(fn), line)
			}
		})
	}
}
