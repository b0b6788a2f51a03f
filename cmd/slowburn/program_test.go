package main

import (
	"bytes"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"github.com/slowburn-sre/slowburn/internal/daemon"
)

// unset is an environment in which no variable is set.
func unset(string) string { return "" }

// said runs a command within this process and returns its exit code and what it printed.
func said(args ...string) (code int, out, err string) {
	var o, e bytes.Buffer
	code = run(args, surroundings{
		out: &o, err: &e, getenv: unset,
		now: func() time.Time { return curtainUp }, every: daemon.TickEvery,
	})
	return code, o.String(), e.String()
}

// What the outside relies on: these commands and flags are there. Those of later versions are added
// with them.
var contract = map[string][]string{
	"init":            {"--prometheus.url"},
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
	"version":         {"--output"},
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

// --help of every command shows examples, each of which is a command line that this version reads.
func TestEveryCommandShowsExamples(t *testing.T) {
	words := regexp.MustCompile(`'[^']*'|\S+`)
	fresh := func() *kong.Kong { return kong.Must(&cli{}, readers(func() time.Time { return curtainUp })) }
	left := maps.Clone(examples)
	for _, leaf := range fresh().Model.Leaves(true) {
		name := pathOf(leaf)
		delete(left, name)
		_, out, _ := said(append(strings.Fields(name), "--help")...)
		for _, line := range examples[name] {
			if !strings.Contains(out, "\n  "+line+"\n") {
				t.Errorf("%s --help does not show %s", name, line)
			}
			if strings.HasPrefix(line, "source <(") { // of completion: what is read by the shell
				line = strings.TrimSuffix(strings.TrimPrefix(line, "source <("), ")")
			}
			line, _, _ = strings.Cut(line, " > ")
			var args []string
			for _, w := range words.FindAllString(line, -1) {
				args = append(args, strings.Trim(w, "'"))
			}
			k, err := fresh().Parse(args[1:])
			if err != nil {
				t.Errorf("%s: %v", line, err)
			} else if got := pathOf(k.Selected()); args[0] != "slowburn" || got != name {
				t.Errorf("%s is no example of %q but of %q", line, name, got)
			}
		}
		if len(examples[name]) == 0 {
			t.Errorf("%s has no example", name)
		}
	}
	for name := range left {
		t.Errorf("there are examples of %q, which is no command", name)
	}
}

// Nobody has to guess a value, or to press Tab for it.
func TestHelpListsEveryChoice(t *testing.T) {
	parser := kong.Must(&cli{})
	for _, leaf := range parser.Model.Leaves(true) {
		_, out, _ := said(append(strings.Fields(pathOf(leaf)), "--help")...)
		out = strings.Join(strings.Fields(out), " ")
		values := slices.Clone(leaf.Positional)
		for _, f := range leaf.Flags {
			values = append(values, f.Value)
		}
		for _, v := range values {
			if v.Enum == "" {
				continue
			}
			text := strings.Join(strings.Fields(valueHelp(v)), " ")
			if !strings.Contains(out, text) {
				t.Errorf("%s --help does not say of %s: %s", pathOf(leaf), v.Name, text)
			}
			for _, c := range choices(v) {
				if !whole(text, c) {
					t.Errorf("%s: the help of %s does not list %s: %s", pathOf(leaf), v.Name, c, text)
				}
			}
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

// Names of SLOs and incidents are offered as they must be typed, and nothing in them is run.
func TestBashCompletesNames(t *testing.T) {
	if _, err := exec.LookPath("bash"); err != nil && os.Getenv("SLOWBURN_CI") == "" {
		t.Skip("there is no bash")
	}
	_, text, _ := said("completion", "bash")
	dir := t.TempDir()
	path := filepath.Join(dir, "completion")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	const names = `slowburn() { case "$*" in
"names slo") printf '%s\n' checkout checkout/availability 'checkout/availability{route="/pay"}' 'evil/$(touch ran)' 'evil/a b*';;
"names incident") printf '%s\n' checkout/availability/page/1794816360 search/freshness/ticket/1;;
"names service") printf '%s\n' checkout search;;
esac; }
`
	for _, c := range []struct{ line, want string }{
		{"status ch", `checkout checkout/availability checkout/availability\{route=\"/pay\"\}`},
		{`explain checkout/availability\{`, `checkout/availability\{route=\"/pay\"\}`},
		{"gate evil", `evil/\$\(touch\ ran\) evil/a\ b\*`},
		{"incidents show ch", "checkout/availability/page/1794816360"},
		{"incidents ack s", "search/freshness/ticket/1"},
		{"postmortem c", "checkout/availability/page/1794816360"},
		{"incidents --service se", "search"},
		{"incidents --service = se", "search"},
		{"incidents show --outp", "--output"},
	} {
		cmd := exec.Command("bash", "--norc", "-c", names+
			`source "$1"; shift; COMP_WORDS=(slowburn $1); COMP_CWORD=$((${#COMP_WORDS[@]}-1)); COMP_LINE="slowburn ${1/ = /=}"; COMP_POINT=${#COMP_LINE}; _slowburn; echo "${COMPREPLY[*]}"`, "bash", path, c.line)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil || strings.TrimSpace(string(out)) != c.want {
			t.Errorf("slowburn %s: %s, %v, want %s", c.line, out, err, c.want)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "ran")); err == nil {
		t.Error("completion has run what stands in a name")
	}
}
