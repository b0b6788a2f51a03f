package tools

import (
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
