package file

import (
	"strings"
	"testing"

	"github.com/slowburn-sre/slowburn/internal/strictyaml"
	"github.com/slowburn-sre/slowburn/slo"
)

// hostile returns big files, each made to be dear to read. They have a quarter of the size allowed,
// so that the race detector gets through them.
func hostile() map[string]string {
	fill := func(head, piece, tail string) string {
		n := (strictyaml.MaxSize/4 - len(head) - len(tail)) / len(piece)
		return head + strings.Repeat(piece, n) + tail
	}
	const head = "version: slowburn/v1\nservice: shop\n"
	return map[string]string{
		"brackets":                 fill("", "[", ""),
		"documents":                fill("", "---\na: 1\n", ""),
		"unknown keys on one line": fill(head+"links: {", "x: 1, ", "}"),
		"the same key":             fill(head, "owner: a\n", ""),
		"SLOs on one line":         fill(head+"slos: [", "{}, ", "]"),
		"empty SLOs":               fill(head+"slos:\n", "  - name: a\n", ""),
		"a query of brackets":      fill(head+"slos: [{name: a, objective: 99, sli: {uptime: '", "(", "'}}]"),
		"a query of minus signs":   head + "slos: [{name: a, objective: 99, sli: {uptime: '" + strings.Repeat("-", slo.MaxQuery-2) + "x'}}]",
		"a query of errors":        head + "slos: [{name: a, objective: 99, sli: {uptime: '" + strings.Repeat("f(x)+", 3000) + "x'}}]",
		"many variables":           head + "slos: [{name: a, objective: 99, sli: {uptime: '" + strings.Repeat("$a+", 5000) + "x'}}]",
		"a folded line":            fill(head+"slos: [{name: a, objective: 99, sli: {uptime: \"x +", "\n\n ", "y(\"}}]"),
		"a secret-like line":       fill("token: ", "token: ", ""),
		"pairs":                    fill(head+"slos: [{name: a, objective: 99, sli: {uptime: up}, alerts: {page: [", "{budget: 2%, long: 1h, short: 5m},", "]}}]"),
		"labels":                   fill(head+"slos: [{name: a, objective: 99, sli: {uptime: up}, by: [", "a,", "]}]"),
		"windows":                  fill(head+"slos: [{name: a, objective: 99, sli: {uptime: up}, window: [", "1d,", "]}]"),
		"windows without end":      fill(head+"slos: [{name: a, objective: 99, sli: {uptime: up}, window: [", "{calendar: month},", "]}]"),
		"shares":                   fill(head+"slos: [{name: a, objective: 99, sli: {uptime: up}, alerts: {spent: [", "1%,", "]}}]"),
		"mentions":                 fill(head+"slack: {mention: [", "x,", "]}"),
	}
}

func TestHostileFilesAreRefusedInTime(t *testing.T) {
	for name, text := range hostile() {
		t.Run(name, func(t *testing.T) {
			_, err := Load([]File{{"f.yaml", []byte(text)}})
			if err == nil {
				t.Error("accepted")
			} else if n := len(err.Error()); n > 200_000 {
				t.Errorf("the answer has %d bytes", n)
			}
		})
	}
}
