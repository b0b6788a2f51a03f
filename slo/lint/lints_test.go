package lint_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/slowburn-sre/slowburn/slo"
	"github.com/slowburn-sre/slowburn/slo/file"
	"github.com/slowburn-sre/slowburn/slo/lint"
)

// The reference describes every lint under its name, and its examples are found to have that fault
// and no other.
func TestTheReferenceOfTheLints(t *testing.T) {
	text, err := os.ReadFile("../../docs/check.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := regexp.MustCompile(`(?m)^### ([a-z-]+)\n((?s:.*?))(?:\n#|\z)`)
	described := map[string]string{}
	for rest := string(text); ; {
		m := sections.FindStringSubmatchIndex(rest)
		if m == nil {
			break
		}
		described[rest[m[2]:m[3]]] = rest[m[4]:m[5]]
		rest = rest[m[5]:]
	}
	if !slices.IsSortedFunc(lint.Rules, func(a, b lint.Rule) int { return strings.Compare(a.ID, b.ID) }) || len(described) != len(lint.Rules) {
		t.Errorf("%d lints, sorted by ID, and %d of them described", len(lint.Rules), len(described))
	}
	examples := 0
	for _, l := range lint.Rules {
		words, ok := described[l.ID]
		if !ok || l.Live && !strings.Contains(words, "*Live.*") {
			t.Errorf("%s is not described, or not as live", l.ID)
		}
		if block := regexp.MustCompile("(?s)^```yaml\n(.*?)```").FindStringSubmatch(words); block != nil {
			examples++
			t.Run(l.ID, func(t *testing.T) { exampleOf(t, l.ID, block[1]) })
		}
	}
	if examples < 20 {
		t.Errorf("%d examples", examples)
	}
}

// exampleOf loads an SLO of the lines, with what they lack.
func exampleOf(t *testing.T, id, lines string) {
	if !strings.Contains(lines, "objective:") {
		lines += "objective: 99.9\n"
	}
	if !strings.Contains(lines, "sli:") {
		lines += "sli: {events: {total: 'requests_total{job=\"shop\"}', bad: 'requests_total{job=\"shop\",code=~\"5..\"}'}}\n"
	}
	doc := "version: slowburn/v1\nservice: shop\nslos:\n  - name: orders\n    " + strings.ReplaceAll(strings.TrimSpace(lines), "\n", "\n    ") + "\n"
	set, err := file.Load([]file.File{{Name: "example.yaml", Data: []byte(doc)}})
	found, _ := err.(slo.Problems)
	if set != nil {
		found = set.Warnings
	}
	if len(found) == 0 {
		t.Fatalf("nothing is found in\n%s", doc)
	}
	for _, p := range found {
		if p.ID != id && !(id == "objective-inverted" && p.ID == "dead-alert") || p.Line == 0 || p.Column == 0 || p.Snippet == "" || p.Hint == "" {
			t.Errorf("%s\nfound in\n%s", p.Error(), doc)
		}
	}
}
