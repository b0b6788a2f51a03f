package main

import (
	"fmt"
	"net/url"

	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/report"
)

type reportCmd struct {
	client
	Output string `short:"o" help:"How to print: ${enum}; html is one file that needs nothing else." enum:"markdown, html, json" default:"markdown"`
	HTML   bool   `name:"html" help:"The same as --output=html."`
	Name   string `arg:"" optional:"" names:"report" help:"The report's name." default:"weekly"`
	Period string `help:"The period: 2026-W47, 2026-11 or 2026-Q4. Without it: the newest one that was sent." placeholder:"PERIOD"`
}

// Run prints a report: one that was sent, or that of any other period, made now from the ledger.
func (c *reportCmd) Run(e *env) error {
	period := c.Period
	if period != "" {
		if _, err := report.ParsePeriod(period); err != nil {
			return exitError{exitUsage, err}
		}
	} else {
		var sent []api.Report
		if err := c.get(e, "reports", url.Values{"name": {c.Name}, "limit": {"1"}}, &sent); err != nil {
			return err
		}
		if len(sent) == 0 {
			return cannotFindOut(fmt.Errorf("no report named %q was sent yet; name a period with --period, such as 2026-W47", c.Name))
		}
		period = sent[0].Period
	}
	path := "reports/" + url.PathEscape(c.Name) + "/" + url.PathEscape(period)
	if c.HTML || c.Output == "html" {
		return c.page(e, path+"?file=1")
	}
	var r api.Report
	if err := c.get(e, path, nil, &r); err != nil {
		return err
	}
	if c.Output == "json" {
		return indented(e.out).Encode(r.Data)
	}
	_, err := fmt.Fprint(e.out, r.Markdown)
	return err
}
