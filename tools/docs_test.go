package tools

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// proseWidth is how many columns a line of prose in a document may have.
const proseWidth = 100

// documents returns the files that people read beside the code, relative to the root.
func documents() []string {
	all := []string{"README.md", "CONTRIBUTING.md", "deploy/README.md"}
	docs, _ := filepath.Glob(filepath.Join(root, "docs/*.md"))
	for _, doc := range docs {
		all = append(all, "docs/"+filepath.Base(doc))
	}
	return all
}

func TestTheTourNamesEveryPackage(t *testing.T) {
	tour := read(t, "cmd/slowburn/doc.go")
	for _, p := range product(t) {
		if p.path != "cmd/slowburn" && len(p.files) > 0 && !names(tour, p.path) {
			t.Errorf("cmd/slowburn/doc.go does not name %s", p.path)
		}
	}
	if names("// Package slo/file", "slo") || names("internal/slo", "slo") || !names("(slo)", "slo") {
		t.Error("a package is found in the name of another, or not where it is named")
	}
}

// names reports whether text has the path of a package, not as a part of a longer one.
func names(text, path string) bool {
	return regexp.MustCompile(`(^|[^\w/-])` + regexp.QuoteMeta(path) + `($|[^\w/-])`).MatchString(text)
}

func TestDocumentsAreWrapped(t *testing.T) {
	for _, doc := range documents() {
		for i, line := range prose(read(t, doc)) {
			if n := utf8.RuneCountInString(line); n > proseWidth && strings.Contains(strings.TrimLeft(line, " -*>"), " ") {
				t.Errorf("%s:%d has %d columns, want %d at most", doc, i+1, n, proseWidth)
			}
		}
	}
}

// prose returns the lines of a Markdown document, with empty ones in place of code and tables.
func prose(text string) []string {
	lines := strings.Split(text, "\n")
	code := false
	for i, line := range lines {
		fence := strings.HasPrefix(strings.TrimSpace(line), "```")
		if fence {
			code = !code
		}
		if fence || code || strings.HasPrefix(line, "|") {
			lines[i] = ""
		}
	}
	return lines
}

func TestDocumentsNameWhatExists(t *testing.T) {
	for _, doc := range documents() {
		for _, name := range missing(doc, read(t, doc)) {
			t.Errorf("%s names %s, which does not exist", doc, name)
		}
	}
	if got := missing("docs/x.md", "[a](b.md) [c](../README.md#use-it) `go test ./internal/leg` `internal/prom` `cmd/a b`"); len(got) != 3 {
		t.Errorf("%q are missing, want b.md, internal/leg and cmd/a", got)
	}
}

var (
	link     = regexp.MustCompile(`\]\(([^)#\s]+)[^)]*\)`)
	codeSpan = regexp.MustCompile("`[^`\n]+`")
	ownPath  = regexp.MustCompile(`(?:^|[\s` + "`" + `(])(?:\./)?((?:alerting|budget|cmd|deploy|docs|examples|integration|internal|postmortem|slo|tools)/[\w./*-]*\w)`)
)

// missing returns the targets of links, and the paths below the root that stand in code, that are
// not in the repository.
func missing(doc, text string) (all []string) {
	for _, m := range link.FindAllStringSubmatch(text, -1) {
		if !strings.Contains(m[1], "://") && !exists(path.Join(path.Dir(doc), m[1])) {
			all = append(all, m[1])
		}
	}
	for _, code := range codeSpan.FindAllString(text, -1) {
		for _, m := range ownPath.FindAllStringSubmatch(code, -1) {
			if !exists(m[1]) && !exists(strings.TrimSuffix(m[1], "/...")) {
				all = append(all, m[1])
			}
		}
	}
	return all
}

// exists reports whether a file or folder of that name, or one that fits the pattern, is there.
func exists(name string) bool {
	found, _ := filepath.Glob(filepath.Join(root, name))
	return len(found) > 0
}

// TestSecurityNamesTestsThatExist: each row of a table of threats names what tries it, and that is
// a test of ours.
func TestSecurityNamesTestsThatExist(t *testing.T) {
	text := read(t, "docs/security.md")
	known := testNames(t)
	for _, wrong := range unknownTests(text, known) {
		t.Errorf("docs/security.md: %s", wrong)
	}
	bad := "| Who | Test |\n|---|---|\n| a | `TestGone` |\n| b | none |\n| c | `TestScripts/gone` |\n| d | `TestHostCheck`, `TestScripts/tokens` |\n\n| Door | Is tried by |\n|---|---|\n| x | y |\n"
	if got := unknownTests(bad, known); len(got) != 3 {
		t.Errorf("%q is wrong, want a, b and c", got)
	}
}

// testNames returns the tests and fuzz targets of the product.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	known := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		code, err := os.ReadFile(path)
		for _, m := range testFunction.FindAllStringSubmatch(string(code), -1) {
			known[m[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	scripts, _ := filepath.Glob(filepath.Join(root, "cmd/slowburn/testdata/script/*.txtar"))
	for _, script := range scripts {
		known["TestScripts/"+strings.TrimSuffix(filepath.Base(script), ".txtar")] = true
	}
	return known
}

var (
	testFunction = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	testInCode   = regexp.MustCompile("`((?:Test|Fuzz)[\\w/]+)`")
)

// unknownTests tells of each test that a document names and that does not exist, and of the rows
// without one in tables whose last column is for them.
func unknownTests(text string, known map[string]bool) (wrong []string) {
	for _, m := range testInCode.FindAllStringSubmatch(text, -1) {
		if !known[m[1]] {
			wrong = append(wrong, m[1]+" does not exist")
		}
	}
	threats := false
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case !strings.HasPrefix(line, "|"):
			threats = false
		case strings.HasSuffix(line, "| Test |"):
			threats = true
		case threats && !strings.HasPrefix(line, "|---") && !testInCode.MatchString(line[strings.LastIndex(strings.TrimSuffix(line, "|"), "|"):]):
			wrong = append(wrong, line+" names no test")
		}
	}
	return wrong
}
