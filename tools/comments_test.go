package tools

import (
	"go/ast"
	"regexp"
	"strings"
	"testing"
)

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
