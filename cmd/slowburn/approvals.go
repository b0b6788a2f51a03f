package main

import (
	"cmp"
	"fmt"

	"github.com/alecthomas/kong"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/sentences"
)

// approvalsCmd is about acts that a second person has to approve.
type approvalsCmd struct {
	List    approvalsListCmd `cmd:"" default:"withargs" help:"List what waits for approval, oldest first."`
	Approve decisionCmd      `cmd:"" act:"approve" help:"Let what somebody else has asked for take effect."`
	Reject  decisionCmd      `cmd:"" act:"reject" help:"Refuse what was asked for, or withdraw it."`
}

type approvalsListCmd struct {
	remote
}

// Run lists what waits for the approval of a second person.
func (c *approvalsListCmd) Run(e *env) error {
	var acts []api.Act
	return c.show(e, "approvals", nil, &acts, func() error {
		if len(acts) == 0 {
			_, err := fmt.Fprintln(e.out, "Nothing waits for approval.")
			return err
		}
		t := newTable(e.out, "KEY", "ABOUT", "ASKED BY", "IDENTITY", "TO", "SAYING", "WAITS UNTIL")
		for _, a := range acts {
			t.row(a.Key, sentences.About(a), a.By, a.Who, sentences.AsksTo(a), a.Text, figures.UTC(a.Expires))
		}
		return t.flush()
	})
}

// decisionCmd approves or rejects what waits, as its verb in approvalsCmd says.
type decisionCmd struct {
	actor
	Key string `arg:"" help:"The key of what waits, as the list has it."`
}

// Run asks the daemon to decide.
func (c *decisionCmd) Run(e *env, k *kong.Context) error {
	return c.do(e, alerting.Act{Kind: alerting.ActKind(k.Selected().Tag.Get("act")), Other: c.Key})
}

// tellWaiting says of an act that was only asked for that it waits, and what approves it.
func tellWaiting(e *env, a api.Act) {
	if a.Kind == alerting.Asked {
		fmt.Fprintf(e.err, "slowburn: %s\nApprove it by: %s\n", sentences.AwaitsApproval(a), sentences.ApproveBy(a.Key))
	}
}

// tellApprovals says below the budgets how much waits for approval; nothing if nothing does.
func (c *statusCmd) tellApprovals(e *env) error {
	var s api.Status
	if err := c.get(e, "status", nil, &s); err != nil || s.Waiting == 0 {
		return err
	}
	_, err := fmt.Fprintf(e.out, "\n%s for approval: slowburn approvals\n", cmp.Or(map[int]string{1: "1 act waits"}[s.Waiting], figures.Plural(s.Waiting, "act")+" wait"))
	return err
}
