package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// The reference of the commands is what --help says. UPDATE=1 go test writes it.
func TestTheReferenceOfCommandsIsTheHelp(t *testing.T) {
	const path, heading = "../../docs/cli.md", "\n## Commands\n"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	words, listed, _ := strings.Cut(string(text), heading)
	preface, _, _ := strings.Cut(listed, "\n### ")
	want := words + heading + strings.TrimRight(preface, "\n") + "\n"
	for _, leaf := range kong.Must(&cli{}).Model.Leaves(true) {
		want += "\n" + reference(leaf)
	}
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if string(text) != want && os.Getenv("UPDATE") == "" {
		t.Errorf("%s is not what --help says; run UPDATE=1 go test ./cmd/slowburn -run Reference", path)
	}
}

// reference returns the section of a command.
func reference(leaf *kong.Node) string {
	var b strings.Builder
	fmt.Fprintf(&b, "### `slowburn %s`\n\n```sh\n%s\n```\n\n| | |\n|---|---|\n| | %s |\n", pathOf(leaf), strings.Join(examples[pathOf(leaf)], "\n"), cell(leaf.Help))
	for _, p := range leaf.Positional {
		fmt.Fprintf(&b, "| `%s` | %s |\n", p.Summary(), cell(valueHelp(p)))
	}
	for _, f := range leaf.Flags {
		if f.Name == "url" || f.Name == "http.config.file" || f.Hidden {
			continue
		}
		name := "--" + f.Name
		if f.Short != 0 {
			name = "-" + string(f.Short) + ", " + name
		}
		if text := cell(valueHelp(f.Value)); f.Default == "" || f.Default == "0s" {
			fmt.Fprintf(&b, "| `%s` | %s |\n", name, text)
		} else {
			fmt.Fprintf(&b, "| `%s` | %s Default: `%s`. |\n", name, text, f.Default)
		}
	}
	return b.String()
}

// cell returns a help text as a cell of a table.
func cell(text string) string {
	return strings.ReplaceAll(strings.ReplaceAll(text, "|", `\|`), "<", "&lt;")
}
