package main

import (
	"fmt"
	"net/url"

	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/report"
	"github.com/slowburn-sre/slowburn/slo"
)

type reportCmd struct {
	client
	Output string `short:"o" help:"How to print: ${enum}; html is one file that needs nothing else." enum:"markdown, html, json" default:"markdown"`
	HTML   bool   `name:"html" help:"The same as --output=html."`
	Name   string `arg:"" optional:"" names:"report" help:"The report's name." default:"weekly"`
	Period string `help:"The period: 2026-W47, 2026-11 or 2026-Q4, or a day in it. Without it: the newest one that was sent." placeholder:"PERIOD"`
}

// Run prints a report: one that was sent, or that of any other period, made now from the ledger.
func (c *reportCmd) Run(e *env) error {
	period, err := c.period(e)
	if err != nil {
		return err
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
	_, err = fmt.Fprint(e.out, r.Markdown)
	return err
}

// period returns the period that is asked for, as the API names it. A day stands for the period of
// the report that it lies in: of the kind that was sent at last, else the week.
func (c *reportCmd) period(e *env) (string, error) {
	_, noPeriod := report.ParsePeriod(c.Period)
	if c.Period != "" && noPeriod == nil {
		return c.Period, nil
	}
	day, noTime := readTime(c.Period, e.now())
	if c.Period != "" && noTime != nil {
		return "", exitError{exitUsage, fmt.Errorf("%w, or name a day such as yesterday or 2026-11-22", noPeriod)}
	}
	var sent []api.Report
	if err := c.get(e, "reports", url.Values{"name": {c.Name}, "limit": {"1"}}, &sent); err != nil {
		return "", err
	}
	switch {
	case c.Period == "" && len(sent) == 0:
		return "", cannotFindOut(fmt.Errorf("no report named %q was sent yet; name a period with --period, such as 2026-W47 or yesterday", c.Name))
	case c.Period == "":
		return sent[0].Period, nil
	}
	kind := slo.Week
	if len(sent) > 0 {
		if p, err := report.ParsePeriod(sent[0].Period); err == nil {
			kind = p.Kind
		}
	}
	return report.PeriodOf(kind, day).String(), nil
}
