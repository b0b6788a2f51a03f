package main

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/figures"
)

type changeCmd struct {
	Add  changeAddCmd  `cmd:"" help:"Record a change: a deploy, a new configuration, an experiment, a maintenance."`
	List changeListCmd `cmd:"" help:"List changes with what went wrong after them, newest first."`
	Undo changeUndoCmd `cmd:"" help:"Revert a change, an override or an exemption, by its key."`
}

type changeAddCmd struct {
	actor
	Which   string    `arg:"" name:"service[/slo]" names:"slo" help:"SERVICE, or SERVICE/SLO if it is about one SLO alone."`
	Kind    string    `help:"What kind of change: ${enum}." enum:"deploy, config, data, flag, maintenance, rollback, experiment" default:"deploy"`
	Title   string    `help:"What was changed."`
	Version string    `help:"The new version."`
	Link    string    `help:"Where to read more." placeholder:"URL"`
	Start   time.Time `help:"When it began; now by default." placeholder:"TIME"`
	End     time.Time `help:"When it ended." placeholder:"TIME"`
	Commit  time.Time `help:"When the oldest of what it brings was written, for lead time." placeholder:"TIME"`
	Failed  bool      `help:"It was rolled back, or needed a fix."`
	Spend   string    `help:"Of an experiment: how much of the budget it may spend." placeholder:"5%"`
	Key     string    `help:"Makes it safe to repeat; made of service, kind, version and start by default."`
}

// Run records a change. An experiment that may not run is answered "no".
func (c *changeAddCmd) Run(e *env) error {
	n := api.NewChange{
		Key: c.Key, Service: c.Which, Kind: c.Kind, Title: c.Title, Version: c.Version, Link: c.Link, Failed: c.Failed,
		Start: instant(c.Start), End: instant(c.End), Commit: instant(c.Commit), Spend: c.Spend, By: c.By, Via: "cli", Text: c.Reason,
	}
	var done api.Change
	return c.record(e, "changes", n, &done, func() error {
		_, err := fmt.Fprintf(e.out, "recorded: %s\n", done.Key)
		return err
	})
}

func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

type changeListCmd struct {
	remote
	Service string        `arg:"" optional:"" names:"service" help:"Only those of a service."`
	Kind    string        `help:"Only those of a kind: ${enum}." enum:"all, deploy, config, data, flag, maintenance, rollback, experiment" default:"all"`
	Last    time.Duration `help:"Only those that began within this time." default:"4w"`
	Limit   int           `help:"At most this many." default:"50"`
}

// Run lists changes.
func (c *changeListCmd) Run(e *env) error {
	query := url.Values{
		"service": {c.Service}, "kind": {strings.TrimPrefix(c.Kind, "all")}, "limit": {fmt.Sprint(c.Limit)},
		"from": {e.now().Add(-c.Last).UTC().Format(time.RFC3339)},
	}
	var all []api.Change
	if err := c.get(e, "changes", query, &all); err != nil {
		return err
	}
	if err := c.knows(e, c.Service, len(all)); err != nil {
		return err
	}
	return c.print(e, all, func() error {
		t := newTable(e.out, "START", "SERVICE", "KIND", "WHAT", "BY", "BUDGET", "KEY")
		for _, ch := range all {
			what := ch.Title
			if ch.Version != "" {
				what = ch.Version + " " + what
			}
			t.row(figures.UTC(ch.Start), ch.Service, ch.Kind, what, ch.By, dearest(ch), ch.Key)
		}
		return t.flush()
	})
}

// dearest returns the greatest share of a budget that went after a change.
func dearest(c api.Change) string {
	var worst api.ChangeCost
	for _, cost := range c.Costs {
		if cost.Spent != nil && (worst.Spent == nil || *cost.Spent > *worst.Spent) {
			worst = cost
		}
	}
	return spentOf(worst.Excess, worst.Allowed, worst.Projected || worst.Estimated)
}

type changeUndoCmd struct {
	actor
	Key string `arg:"" names:"change" help:"The key, as 'change list' and 'gate' print it."`
}

// Run takes it back.
func (c *changeUndoCmd) Run(e *env) error {
	return c.do(e, alerting.Act{Kind: alerting.Undo, Other: c.Key})
}
