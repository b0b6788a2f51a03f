package main

import (
	"fmt"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/web"
	"github.com/slowburn-sre/slowburn/slo"
)

// actsCmd is what a person can do about an incident.
type actsCmd struct {
	Ack       ackCmd       `cmd:"" help:"Acknowledge: you have it."`
	Silence   silenceCmd   `cmd:"" help:"Hear no more of it for a while, or until the budget recovers."`
	Escalate  escalateCmd  `cmd:"" help:"Make it a page, or a ticket."`
	Note      noteCmd      `cmd:"" help:"Put a note into the timeline."`
	Mitigated mitigatedCmd `cmd:"" help:"Say that users no longer feel it."`
	Classify  classifyCmd  `cmd:"" help:"Record whether the entity classes it as major, for the register."`
	Undo      undoCmd      `cmd:"" help:"Take an act back, by the key that 'incidents show -o json' tells."`
}

// actor is who does it, and why.
type actor struct {
	daemon
	By     string `help:"Who does it." env:"USER" default:"somebody"`
	Reason string `help:"Why, in a sentence."`
}

// do tells the daemon and prints what it has written down.
func (c actor) do(e *env, a alerting.Act) error {
	a.By, a.Via = c.By, "cli"
	if a.Text == "" {
		a.Text = c.Reason
	}
	var done web.Act
	if err := c.post(e, "acts", a, &done); err != nil {
		return err
	}
	if printed, err := c.print(e, done); printed {
		return err
	}
	_, err := fmt.Fprintf(e.out, "%s: %s by %s\n", done.Kind, done.Incident+string(done.SLO)+done.Service, done.By)
	return err
}

type ackCmd struct {
	actor
	ID string `arg:"" help:"The incident's ID."`
}

// Run acknowledges.
func (c *ackCmd) Run(e *env) error {
	return c.do(e, alerting.Act{Kind: alerting.Acknowledge, Incident: c.ID})
}

type silenceCmd struct {
	actor
	ID  string        `arg:"" optional:"" help:"The incident's ID."`
	SLO string        `help:"Instead of an incident: all of an SLO, SERVICE/SLO." xor:"what"`
	All string        `name:"service" help:"Instead of an incident: all of a service." placeholder:"SERVICE" xor:"what"`
	For time.Duration `help:"For how long; until the budget recovers if not said."`
}

// Run silences.
func (c *silenceCmd) Run(e *env) error {
	a := alerting.Act{Kind: alerting.Silence, Incident: c.ID, SLO: slo.ID(c.SLO), Service: c.All}
	if c.For > 0 {
		a.Until = e.now().Add(c.For).UTC()
	}
	return c.do(e, a)
}

type escalateCmd struct {
	actor
	ID string `arg:"" help:"The incident's ID."`
	To string `help:"How loud: page or ticket." enum:"page,ticket" default:"page"`
}

// Run escalates.
func (c *escalateCmd) Run(e *env) error {
	return c.do(e, alerting.Act{Kind: alerting.Escalate, Incident: c.ID, Level: alerting.Severity(c.To)})
}

type noteCmd struct {
	actor
	ID   string `arg:"" help:"The incident's ID."`
	Text string `arg:"" help:"The note."`
}

// Run notes.
func (c *noteCmd) Run(e *env) error {
	return c.do(e, alerting.Act{Kind: alerting.Remark, Incident: c.ID, Text: c.Text})
}

type mitigatedCmd struct {
	actor
	ID string `arg:"" help:"The incident's ID."`
}

// Run says so.
func (c *mitigatedCmd) Run(e *env) error {
	return c.do(e, alerting.Act{Kind: alerting.Mitigated, Incident: c.ID})
}

type undoCmd struct {
	actor
	ID  string `arg:"" help:"The incident's ID."`
	Key string `arg:"" help:"The key of the act."`
}

// Run takes an act back.
func (c *undoCmd) Run(e *env) error {
	return c.do(e, alerting.Act{Kind: alerting.Undo, Incident: c.ID, Other: c.Key})
}
