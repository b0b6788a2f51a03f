package tools

import (
	"go/ast"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// clauseLength is how many words in a row make a clause that nobody writes twice by chance.
const clauseLength = 5

// least is how many of them must say something: all but little words.
const least = 3

// little are words that stand in any sentence.
var little = strings.Fields("a about all an and any are as at be been but by can could did do does for from had has have here how if in into is it its may more most must no none nor not of on one only or over same so such than that the their them then there these they this those to too under was were what when where which while who why with without you")

// saidTwice are clauses that stand in several packages all the same, and why.
var saidTwice = map[string]string{
	"password which everybody would see": "one is about the database, the other about links",
	"seen for the first time":            "a problem of a mark, and a problem of the data",
}

// notSaid are packages whose words no user of the product reads.
var notSaid = []string{"internal/fake", "internal/attack", "internal/foreigntest", "internal/schematest", "internal/bench", "internal/notify/notifytest", "cmd/slowburn-demo"}

// What is told in two places is made in one: internal/sentences for what is said of incidents and
// budgets, a constant of the package that knows it for the rest. Otherwise one is changed, and the
// other tells something else.
func TestNoClauseIsWrittenTwice(t *testing.T) {
	all := said(t)
	for clause := range saidTwice {
		if len(all[clause]) < 2 {
			t.Errorf("%q needs no exception", clause)
		}
		delete(all, clause)
	}
	for _, c := range twins(all) {
		t.Error(c)
	}
}

// places are where a clause stands, by package.
type places map[string]string

// twins returns what is found in more than one package: a line for all that the same places share.
func twins(all map[string]places) (lines []string) {
	shared := map[string][]string{}
	for c, in := range all {
		if len(in) > 1 {
			at := strings.Join(slices.Sorted(maps.Values(in)), " and ")
			shared[at] = append(shared[at], c)
		}
	}
	for _, at := range slices.Sorted(maps.Keys(shared)) {
		slices.Sort(shared[at])
		lines = append(lines, at+" say the same: "+strings.Join(shared[at], " | "))
	}
	return lines
}

// said returns every clause of the product's literals and of the templates of its pages.
func said(t *testing.T) map[string]places {
	t.Helper()
	all := map[string]places{}
	note := func(pkg, at, text string) {
		for _, c := range clauses(text) {
			if all[c] == nil {
				all[c] = places{}
			}
			if all[c][pkg] == "" {
				all[c][pkg] = at
			}
		}
	}
	for _, p := range product(t) {
		if slices.ContainsFunc(notSaid, func(not string) bool { return under(p.path, not) }) {
			continue
		}
		for _, f := range p.files {
			literals(f, func(n ast.Node, text string) { note(p.path, p.at(n), text) })
		}
	}
	walk(t, ".html", func(path string) {
		text, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			t.Fatal(err)
		}
		note(filepath.ToSlash(filepath.Dir(filepath.Dir(path))), path, markup.ReplaceAllString(string(text), "|"))
	})
	return all
}

// markup matches what is no text in a template.
var markup = regexp.MustCompile(`(?s)\{\{.*?\}\}|<[^>]*>`)

// words matches words that follow each other in a sentence.
var words = regexp.MustCompile(`[A-Za-z'’]+(?:,? [A-Za-z'’]+)+`)

// verb matches where something else is put in.
var verb = regexp.MustCompile(`%[-+#0]*[0-9]*[a-z]`)

// clauses returns every run of clauseLength words that say something.
func clauses(text string) (all []string) {
	for _, run := range words.FindAllString(verb.ReplaceAllString(text, "|"), -1) {
		w := strings.Fields(strings.ToLower(strings.ReplaceAll(run, ",", "")))
		for n := 0; n+clauseLength <= len(w); n++ {
			saying := 0
			for _, word := range w[n : n+clauseLength] {
				if !slices.Contains(little, word) {
					saying++
				}
			}
			if saying >= least {
				all = append(all, strings.Join(w[n:n+clauseLength], " "))
			}
		}
	}
	return all
}

// literals visits the strings of a file; those that are added up are one.
func literals(f *ast.File, visit func(ast.Node, string)) {
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec, *ast.Field:
			return false
		case *ast.CallExpr: // what is logged, and errors, are told where they happen
			called := strings.ToLower(source(n.Fun))
			return called != "errors.new" && called != "fmt.errorf" && !strings.Contains(called, "log.")
		case ast.Expr:
			if text, ok := constant(n); ok {
				visit(n, text)
				return false
			}
		}
		return true
	})
}

// constant returns the value of a string that is written out.
func constant(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return text, err == nil && e.Kind == token.STRING
	case *ast.BinaryExpr:
		x, ok := constant(e.X)
		y, also := constant(e.Y)
		return x + y, ok && also && e.Op == token.ADD
	}
	return "", false
}
