package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// examples are what --help shows of each command, by its path: what is typed most. Tests parse
// them.
var examples = map[string][]string{
	"init":                {"slowburn init", "slowburn init --yes --prometheus.url http://127.0.0.1:9090 --slack.channel '#reliability'"},
	"serve":               {"slowburn serve --config.file=/etc/slowburn/slowburn.yaml --storage.path=/var/lib/slowburn/slowburn.db"},
	"demo":                {"slowburn demo", "slowburn demo --once"},
	"check":               {"slowburn check", "slowburn check slos/ --strict --prometheus.url http://127.0.0.1:9090", "slowburn check -o sarif"},
	"status":              {"slowburn status", "slowburn status checkout --watch"},
	"backtest":            {"slowburn backtest --last 14d", "slowburn backtest slos/checkout.yaml --from 2026-11-16 --to yesterday"},
	"explain":             {"slowburn explain checkout/availability", "slowburn explain checkout/availability --by hour"},
	"suggest":             {"slowburn suggest --prometheus.url http://127.0.0.1:9090 --output-dir slos"},
	"convert":             {"slowburn convert sloth/checkout.yaml > slos/checkout.yaml"},
	"rules":               {"slowburn rules --file slowburn.rules.yaml"},
	"compare":             {"slowburn compare --with sloth --prometheus.url http://127.0.0.1:9090"},
	"schema":              {"slowburn schema config > slowburn.schema.json"},
	"gate":                {"slowburn gate checkout", "slowburn gate checkout --override 'fix of the outage'", "slowburn gate checkout --experiment --spend 5% --for 30m"},
	"change add":          {"slowburn change add checkout --version v2.4.1 --link https://ci.example.org/812", "slowburn change add checkout --kind experiment --title 'pod kill' --spend 5% --start 20m"},
	"change list":         {"slowburn change list checkout --last 7d"},
	"change undo":         {"slowburn change undo checkout/deploy/v2.4.1/1795422180"},
	"report":              {"slowburn report", "slowburn report weekly --period 2026-W47 -o html > report.html"},
	"approvals list":      {"slowburn approvals"},
	"approvals approve":   {"slowburn approvals approve --by Ben KEY"},
	"approvals reject":    {"slowburn approvals reject --by Ben --reason 'the outage is over' KEY"},
	"incidents list":      {"slowburn incidents --open", "slowburn incidents list --service checkout -o json"},
	"incidents show":      {"slowburn incidents show checkout/availability/page/1795422480"},
	"incidents ack":       {"slowburn incidents ack checkout/availability/page/1795422480 --by Ana"},
	"incidents silence":   {"slowburn incidents silence checkout/availability/page/1795422480 --for 2h", "slowburn incidents silence --service checkout --for 1h --reason 'migration'"},
	"incidents escalate":  {"slowburn incidents escalate search/freshness/ticket/1795422480 --to page"},
	"incidents note":      {"slowburn incidents note checkout/availability/page/1795422480 'rolled back to v2.4.0'"},
	"incidents mitigated": {"slowburn incidents mitigated checkout/availability/page/1795422480"},
	"incidents classify":  {"slowburn incidents classify checkout/availability/page/1795422480 not-major"},
	"incidents declare":   {"slowburn incidents declare checkout 'orders arrive twice' --page --since 20m"},
	"incidents close":     {"slowburn incidents close checkout/declared/1795422480"},
	"incidents merge":     {"slowburn incidents merge checkout/latency/page/1795422480 checkout/availability/page/1795422480"},
	"incidents split":     {"slowburn incidents split checkout/latency/page/1795422480"},
	"incidents undo":      {"slowburn incidents undo checkout/availability/page/1795422480 KEY"},
	"drill":               {"slowburn drill", "slowburn drill --loud"},
	"doctor":              {"slowburn doctor"},
	"postmortem show":     {"slowburn postmortem checkout/availability/page/1795422480", "slowburn postmortem checkout/availability/page/1795422480 -O checkout.md"},
	"postmortem list":     {"slowburn postmortem list"},
	"register":            {"slowburn register --from 2026-10-01 --to today -o csv > register.csv"},
	"audit":               {"slowburn audit --kind override", "slowburn audit --verify"},
	"work":                {"slowburn work 3 --kind toil --reason 'restarted the importer by hand'"},
	"completion":          {"source <(slowburn completion bash)"},
	"version":             {"slowburn version -o json"},
}

// help prints the usual help, and examples. Where a command means another one if none is named, it
// prints the flags of that: `slowburn incidents --help` tells how to list them.
func help(o kong.HelpOptions, k *kong.Context) error {
	if err := kong.DefaultHelpPrinter(o, k); err != nil {
		return err
	}
	node := k.Selected()
	if node == nil {
		return nil
	}
	shown := examples[pathOf(node)]
	if meant := node.DefaultCmd; meant != nil {
		fmt.Fprintf(k.Stdout, "\nFlags of %q, which is meant if no command is named:\n", meant.Name)
		for _, f := range meant.Flags {
			fmt.Fprintf(k.Stdout, "  %-30s %s\n", f.Summary(), valueHelp(f.Value))
		}
		shown = examples[pathOf(meant)]
	}
	return showExamples(k.Stdout, shown)
}

func showExamples(out io.Writer, shown []string) error {
	if len(shown) == 0 {
		return nil
	}
	heading := "Example"
	if len(shown) > 1 {
		heading = "Examples"
	}
	_, err := fmt.Fprintf(out, "\n%s:\n  %s\n", heading, strings.Join(shown, "\n  "))
	return err
}

// valueHelp returns the help of a flag or an argument with every value of a fixed choice, and with
// what a time may be.
func valueHelp(v *kong.Value) string {
	text := kong.DefaultHelpValueFormatter(v)
	add := ""
	switch {
	case v.Enum != "" && !slices.ContainsFunc(choices(v), func(c string) bool { return !strings.Contains(text, c) }):
	case v.Enum != "":
		add = "One of: " + strings.Join(choices(v), ", ") + "."
	case v.Target.IsValid() && v.Target.Type() == timeType:
		add = "Such as " + timesHelp + "."
	}
	if add == "" {
		return text
	}
	return strings.TrimSuffix(text, ".") + ". " + add
}

// choices returns the values of a fixed choice.
func choices(v *kong.Value) []string {
	return slices.DeleteFunc(v.EnumSlice(), func(c string) bool { return c == "" })
}

// tryHelp names the help that tells how a command line should have been: that of the command it got
// to.
func tryHelp(err error) string {
	command := "slowburn"
	var parse *kong.ParseError
	if errors.As(err, &parse) && parse.Context != nil {
		if node := parse.Context.Selected(); node != nil {
			command += " " + pathOf(node)
		}
	}
	return "Try: " + command + " --help"
}

// asked turns what other programs would understand into what this one does: `slowburn help gate`,
// `slowburn --version`.
func asked(args []string) []string {
	switch {
	case len(args) == 0:
		return []string{"--help"}
	case args[0] == "--version": // of change add it is something else, so it is no flag of every command
		return []string{"version"}
	case args[0] == "help":
		return append(slices.Clone(args[1:]), "--help")
	}
	return args
}
