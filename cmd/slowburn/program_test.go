package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"github.com/slowburn-sre/slowburn/internal/daemon"
)

// said runs a command within this process and returns its exit code and what it printed.
func said(args ...string) (code int, out, err string) {
	var o, e bytes.Buffer
	code = run(args, surroundings{
		out: &o, err: &e, getenv: func(string) string { return "" },
		now: func() time.Time { return curtainUp }, every: daemon.TickEvery,
	})
	return code, o.String(), e.String()
}

// What the outside relies on: these commands and flags are there. Those of later versions are added
// with them.
var contract = map[string][]string{
	"serve":           {"--web.listen-address", "--web.config.file", "--web.external-url", "--web.insecure", "--storage.path"},
	"demo":            {"--once"},
	"check":           {"--prometheus.url", "--strict"},
	"status":          {"--url", "--http.config.file", "--output", "--watch"},
	"explain":         {"--by", "--output", "--url", "--http.config.file"},
	"suggest":         {"--prometheus.url"},
	"convert":         {"--to"},
	"rules":           {},
	"compare":         {},
	"schema":          {},
	"backtest":        {"--from", "--to", "--last", "--incidents", "--output", "--prometheus.url"},
	"doctor":          {"--output"},
	"incidents list":  {"--url", "--http.config.file", "--output"},
	"incidents show":  {"--url", "--http.config.file", "--output"},
	"postmortem":      {"--url", "--http.config.file"},
	"postmortem list": {"--url", "--http.config.file", "--output"},
	"gate":            {"--url", "--http.config.file", "--output", "--override", "--exempt", "--experiment", "--spend"},
	"change add":      {"--url", "--http.config.file", "--output", "--title", "--kind", "--version", "--link", "--start", "--end", "--failed", "--by"},
	"change list":     {"--url", "--http.config.file", "--output"},
	"change undo":     {"--url", "--http.config.file"},
	"report":          {"--url", "--http.config.file", "--output", "--period"},
	"register":        {"--url", "--http.config.file", "--output", "--from", "--to"},
	"audit":           {"--url", "--http.config.file", "--output", "--kind"},
	"work":            {"--url", "--http.config.file", "--kind", "--by"},
	"version":         nil,
	"completion":      nil,
}

func TestEveryCommandAndFlagOfTheContractExists(t *testing.T) {
	common := []string{"--help", "--config.file", "--log.level", "--log.format"}
	for command, flags := range contract {
		code, out, _ := said(append(strings.Fields(command), "--help")...)
		if code != exitGood || !strings.Contains(out, "Usage: slowburn "+command) {
			t.Errorf("%s --help ends with %d and prints:\n%s", command, code, out)
		}
		for _, flag := range append(common, flags...) {
			if !strings.Contains(out, flag) {
				t.Errorf("%s has no %s", command, flag)
			}
		}
	}
}

func TestEveryCommandExplainsItself(t *testing.T) {
	parser, err := kong.New(&cli{}, kong.Vars{"version": ""})
	if err != nil {
		t.Fatal(err)
	}
	for _, leaf := range parser.Model.Leaves(true) {
		name := pathOf(leaf)
		for _, v := range leaf.Values() {
			if v.Help == "" {
				t.Errorf("%s: %s has no help", name, v.Name)
			}
		}
		if code, _, text := said(append(strings.Fields(name), "--no-such-flag")...); code != exitUsage || !strings.Contains(text, "unknown flag --no-such-flag") {
			t.Errorf("%s --no-such-flag ends with %d: %s", name, code, text)
		}
	}
}

func TestCompletionKnowsWhatTheProgramKnows(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		code, out, _ := said("completion", shell)
		if code != exitGood {
			t.Errorf("%s: exit code %d", shell, code)
		}
		for command, flags := range contract {
			for _, word := range append(strings.Fields(command), flags...) {
				if !strings.Contains(out, strings.TrimPrefix(word, "--")) {
					t.Errorf("%s does not complete %s of %s", shell, word, command)
				}
			}
		}
	}
	if code, _, _ := said("completion", "cmd"); code != exitUsage {
		t.Errorf("an unknown shell ends with %d", code)
	}
}

func TestBashCompletes(t *testing.T) {
	if _, err := exec.LookPath("bash"); err != nil && os.Getenv("SLOWBURN_CI") == "" {
		t.Skip("there is no bash")
	}
	_, text, _ := said("completion", "bash")
	path := filepath.Join(t.TempDir(), "completion")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ line, want string }{
		{"se", "serve"},
		{"incidents sh", "show"},
		{"incidents show --outp", "--output"},
		{"status --output ya", "yaml"},
		{"status -o ya", "yaml"},
		{"--log.level de", "debug"},
		{"serve --web.list", "--web.listen-address"},
		{"completion --log.f", "--log.format"},
	} {
		out, err := exec.Command("bash", "--norc", "-c",
			`source "$1"; shift; COMP_WORDS=(slowburn $1); COMP_CWORD=$((${#COMP_WORDS[@]}-1)); _slowburn; echo "${COMPREPLY[*]}"`, "bash", path, c.line).CombinedOutput()
		if err != nil || strings.TrimSpace(string(out)) != c.want {
			t.Errorf("slowburn %s: %s, %v, want %s", c.line, out, err, c.want)
		}
	}
}
