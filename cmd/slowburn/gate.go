package main

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/sentences"
	"github.com/slowburn-sre/slowburn/slo"
)

type gateCmd struct {
	actor
	Which      string        `arg:"" name:"service[/slo]" names:"slo" help:"SERVICE, or SERVICE/SLO for one SLO alone."`
	Override   string        `help:"Let this release pass, for a reason that is written down and shown to everybody." placeholder:"REASON" xor:"act"`
	Exempt     string        `help:"Let all releases pass for a while, for a reason that is written down." placeholder:"REASON" xor:"act"`
	For        time.Duration `help:"How long an override or exemption holds, or an experiment runs." default:"1h"`
	Experiment bool          `help:"Ask for an experiment that spends budget on purpose, not for a release." xor:"act"`
	Spend      string        `help:"How much of the budget the experiment may spend." placeholder:"5%"`
	Record     bool          `help:"Record the experiment if it may run; it begins now."`
	Title      string        `help:"What the experiment is." default:"experiment"`
}

// Run answers by its exit code: 0 go, 1 frozen, 2 nobody knows, 3 little is left: ask first.
func (c *gateCmd) Run(e *env) error {
	if c.Experiment != (c.Spend != "") || c.Record && !c.Experiment {
		return exitError{exitUsage, errors.New("--experiment and --spend belong together, and --record belongs to them")}
	}
	if err := c.permit(e); err != nil {
		return err
	}
	if c.Record {
		return c.reserve(e)
	}
	var query url.Values
	if c.Spend != "" {
		query = url.Values{"spend": {c.Spend}}
	}
	var g api.Gate
	service, name, one := strings.Cut(c.Which, "/")
	path := "gate/" + url.PathEscape(service)
	if one {
		path += "/" + url.PathEscape(name)
	}
	if err := c.get(e, path, query, &g); err != nil {
		return cannotFindOut(err) // a service that nobody knows is no reason to release, and none not to
	}
	if c.Experiment {
		g.Meaning = "" // that is about releases
	}
	if err := c.print(e, g, func() error { return printGate(e, g) }); err != nil {
		return err
	}
	switch {
	case g.Go:
		return nil
	case g.State == "unknown":
		return exitError{exitUnknown, nil}
	case g.State == "caution":
		return exitError{exitGuarded, nil}
	}
	return exitError{exitNo, nil}
}

// permit writes an override or an exemption down.
func (c *gateCmd) permit(e *env) error {
	a := alerting.Act{Kind: alerting.Override, Text: c.Override, By: c.By, Via: "cli", Until: e.now().Add(c.For).UTC()}
	if c.Exempt != "" {
		a.Kind, a.Text = alerting.Exempt, c.Exempt
	}
	if a.Text == "" {
		return nil
	}
	if a.Service = c.Which; strings.Contains(c.Which, "/") {
		a.Service, a.SLO = "", slo.ID(c.Which)
	}
	if err := c.post(e, "acts", a, &a); err != nil {
		return err
	}
	tellWaiting(e, a)
	return nil
}

// reserve records an experiment; the daemon refuses one that may not run.
func (c *gateCmd) reserve(e *env) error {
	start := e.now().UTC().Truncate(time.Second)
	end := start.Add(c.For)
	n := api.NewChange{Service: c.Which, Kind: "experiment", Title: c.Title, Start: &start, End: &end, Spend: c.Spend, By: c.By, Via: "cli", Text: c.Reason}
	var done api.Change
	return c.record(e, "changes", n, &done, func() error {
		_, err := fmt.Fprintf(e.out, "go: the experiment may run until %s\nKey: %s\nAsk again and again whether it must end: %s/api/v1/experiments/%s\n",
			figures.UTC(end), done.Key, strings.TrimSuffix(c.URL, "/"), (&url.URL{Path: done.Key}).EscapedPath())
		return err
	})
}

func printGate(e *env, g api.Gate) error {
	state := g.State
	if answer := strings.ToLower(sentences.Answer(g.Go, alerting.Gate(g.State))); answer != state {
		state += ", " + answer
	}
	fmt.Fprintf(e.out, "%s: %s\n%s\n", cmp.Or(g.SLO, g.Service), state, g.Reason)
	if g.Meaning != "" && (g.Go || g.State != "open") { // an open gate may still be closed to an experiment
		fmt.Fprintln(e.out, g.Meaning)
	}
	if g.Since != nil {
		fmt.Fprintf(e.out, "Since: %s\n", figures.UTC(*g.Since))
	}
	if g.Clears != "" {
		fmt.Fprintln(e.out, sentences.Clears, g.Clears)
	}
	if p := g.Permit; p != nil {
		fmt.Fprintf(e.out, "%s (key %s)\n", p.Text, p.Key)
	}
	if len(g.Budgets) == 0 {
		return nil
	}
	t := newTable(e.out, "", "BUDGET", "GATE", "LEFT")
	for _, b := range g.Budgets {
		t.row("", b.SLO, b.State, leftOf(b.Account, b.Estimated))
	}
	return t.flush()
}
