package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
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

// What the outside relies on: these commands and flags are there. Those of later versions are added with them.
var contract = map[string][]string{
	"serve":           {"--web.listen-address", "--web.config.file", "--web.external-url", "--web.insecure", "--storage.path"},
	"demo":            {"--once"},
	"check":           {"--prometheus.url", "--strict"},
	"status":          {"--url", "--output", "--watch"},
	"explain":         {"--by", "--output", "--url"},
	"suggest":         {"--prometheus.url"},
	"convert":         {"--to"},
	"rules":           {},
	"compare":         {},
	"schema":          {},
	"backtest":        {"--from", "--to", "--last", "--incidents", "--output", "--prometheus.url"},
	"doctor":          {"--output"},
	"incidents list":  {"--url", "--output"},
	"incidents show":  {"--url", "--output"},
	"postmortem":      {"--url"},
	"postmortem list": {"--url", "--output"},
	"gate":            {"--url", "--output", "--override", "--exempt", "--experiment", "--spend"},
	"change add":      {"--url", "--output", "--title", "--kind", "--version", "--link", "--start", "--end", "--failed", "--by"},
	"change list":     {"--url", "--output"},
	"change undo":     {"--url"},
	"report":          {"--url", "--output", "--period"},
	"register":        {"--url", "--output", "--from", "--to"},
	"audit":           {"--url", "--output", "--kind"},
	"work":            {"--url", "--kind", "--by"},
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

// raceDetector is true in a test binary with the race detector; see race_test.go.
var raceDetector bool

// The demo tells the same story every time; only the ports of its stand-ins differ, and how long the evidence took.
func TestDemoTellsTheSameStoryTwice(t *testing.T) {
	if raceDetector {
		t.Skip("too slow with the race detector")
	}
	var told [2]string
	var all sync.WaitGroup
	for n := range told {
		all.Go(func() {
			code, out, err := said("demo", "--once")
			if code != exitGood || err != "" {
				t.Errorf("exit code %d: %s", code, err)
			}
			told[n] = regexp.MustCompile(`127\.0\.0\.1:\d+|found within [0-9.]+ s`).ReplaceAllString(out, "…")
		})
	}
	all.Wait()
	if told[0] != told[1] {
		t.Errorf("two runs tell two stories:\n%s\nand\n%s", told[0], told[1])
	}
	for _, part := range []string{
		"| latency | p99 |", "| saturation | cpu throttling |", " UTC in steps of 1 min: `▁▁▁", // the golden signals, in the postmortem
		"Most of the excess is in payment=\"card\"", "deploy checkout v2.4.1 (recorded). After this deploy", // what burns, and what changed
		"#checkout-oncall", "Resolved: checkout/availability{route=\"/pay\"} burned for 20 minutes",
		"Resolved: payments/availability", "Frozen: orders-worker/freshness", "Thu 14:16", "A postmortem is required", "Ben Okafor* has acknowledged",
		// the decisions
		"1. orders-worker/freshness: over budget", "2. 1 action item is overdue: P0 “Release to one pod first", "3. payments/latency: promised 95 %",
		"#reliability-leads", "Reliability report weekly", "Postmortem draft of checkout/availability{route=\"/pay\"}/page/", "# Postmortem",
	} {
		if !strings.Contains(told[0], part) {
			t.Errorf("the story has no %q:\n%s", part, told[0])
		}
	}
}
