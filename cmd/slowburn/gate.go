package main

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/slowburn-sre/slowburn/internal/web"
)

type gateCmd struct {
	daemon
	Which string `arg:"" help:"SERVICE, or SERVICE/SLO for one SLO alone."`
}

// Run answers by its exit code: 0 go, 1 frozen, 2 nobody knows, 3 little is left: ask first.
func (c *gateCmd) Run(e *env) error {
	var g web.Gate
	if err := c.get(e, gatePath(c.Which), nil, &g); err != nil {
		return cannotFindOut(err) // a service that nobody knows is no reason to release, and none not to
	}
	if done, err := c.print(e, g); !done {
		printGate(e, g)
	} else if err != nil {
		return err
	}
	return gateCode(g)
}

func gatePath(which string) string {
	service, name, one := strings.Cut(which, "/")
	path := "gate/" + url.PathEscape(service)
	if one {
		path += "/" + url.PathEscape(name)
	}
	return path
}

// gateCode is the exit code of a verdict, which has been printed.
func gateCode(g web.Gate) error {
	switch {
	case g.Go:
		return nil
	case g.State == "frozen":
		return exitError{exitNo, nil}
	case g.State == "caution":
		return exitError{exitGuarded, nil}
	}
	return exitError{exitUnknown, nil}
}

func printGate(e *env, g web.Gate) {
	answer := "no"
	switch {
	case g.Go:
		answer = "go"
	case g.State == "caution":
		answer = "ask first"
	case g.State == "unknown":
		answer = "nobody knows"
	}
	which := g.SLO
	if which == "" {
		which = g.Service
	}
	fmt.Fprintf(e.out, "%s: %s, %s\n%s\n%s\n", which, g.State, answer, g.Reason, g.Meaning)
	if g.Since != nil {
		fmt.Fprintf(e.out, "Since: %s\n", g.Since.Format("2006-01-02 15:04 UTC"))
	}
	if g.Clears != "" {
		fmt.Fprintf(e.out, "Clears: %s\n", g.Clears)
	}
	if p := g.Permit; p != nil {
		fmt.Fprintf(e.out, "Permitted by %s (%s): %s\n", p.By, p.Kind, p.Reason)
	}
	if len(g.Budgets) == 0 {
		return
	}
	t := newTable(e.out, "", "BUDGET", "GATE", "LEFT")
	for _, b := range g.Budgets {
		t.row("", b.SLO, b.State, percentOf(b.Remaining))
	}
	_ = t.flush()
}
