package main

import (
	"cmp"
	"fmt"
	"time"

	"github.com/alecthomas/kong"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/sentences"
	"github.com/slowburn-sre/slowburn/slo"
)

// actsCmd is the table of what a person can do about an incident: the verb, the kind of act that it
// records, and its help. Verbs that need no more than the incident share one command.
type actsCmd struct {
	Ack       incidentAct `cmd:"" act:"acknowledge" help:"Acknowledge an incident."`
	Silence   silenceCmd  `cmd:"" help:"Silence an incident for a while, or until the budget recovers."`
	Escalate  escalateCmd `cmd:"" help:"Make an incident a page, or a ticket."`
	Note      noteCmd     `cmd:"" help:"Add a note to the timeline."`
	Mitigated incidentAct `cmd:"" act:"mitigated" help:"Record that users are no longer affected."`
	Classify  classifyCmd `cmd:"" help:"Record whether the entity classes it as major, for the register."`
	Declare   declareCmd  `cmd:"" help:"Declare an incident that no alert has seen."`
	Close     incidentAct `cmd:"" act:"close" help:"Close an incident that was declared."`
	Merge     mergeCmd    `cmd:"" help:"Continue an incident in the thread of another one."`
	Split     incidentAct `cmd:"" act:"split" help:"Give an incident its own thread again."`
	Undo      undoCmd     `cmd:"" help:"Revert an act, by the key that 'incidents show -o json' prints."`
}

// actor is who does it, and why.
type actor struct {
	remote
	By     string `help:"Who does it. Without a name: whom the token proves to be asking." env:"USER"`
	Reason string `help:"Why, in a sentence."`
}

// do tells the daemon and prints what it has written down.
func (c actor) do(e *env, a alerting.Act) error {
	a.By, a.Via, a.Text = c.By, "cli", cmp.Or(a.Text, c.Reason)
	var done api.Act
	return c.record(e, "acts", a, &done, func() error {
		_, err := fmt.Fprintf(e.out, "%s: %s by %s\n", done.Kind, sentences.About(done), done.By)
		tellWaiting(e, done)
		return err
	})
}

// incidentAct records the act of its verb in actsCmd.
type incidentAct struct {
	actor
	ID string `arg:"" names:"incident" help:"The incident's ID."`
}

// Run asks the daemon to record the act.
func (c *incidentAct) Run(e *env, k *kong.Context) error {
	return c.do(e, alerting.Act{Kind: alerting.ActKind(k.Selected().Tag.Get("act")), Incident: c.ID})
}

type silenceCmd struct {
	actor
	ID  string        `arg:"" optional:"" names:"incident" help:"The incident's ID."`
	SLO string        `help:"Instead of an incident: all of an SLO, SERVICE/SLO." names:"slo" xor:"what"`
	All string        `name:"service" help:"Instead of an incident: all of a service." placeholder:"SERVICE" names:"service" xor:"what"`
	For time.Duration `help:"For how long; by default until the budget recovers."`
}

// Run asks the daemon to silence an incident, an SLO or a service.
func (c *silenceCmd) Run(e *env) error {
	a := alerting.Act{Kind: alerting.Silence, Incident: c.ID, SLO: slo.ID(c.SLO), Service: c.All}
	if c.For > 0 {
		a.Until = e.now().Add(c.For).UTC()
	}
	return c.do(e, a)
}

type escalateCmd struct {
	actor
	ID string `arg:"" names:"incident" help:"The incident's ID."`
	To string `help:"The new severity: page or ticket." enum:"page,ticket" default:"page"`
}

// Run asks the daemon to make an incident louder, or quieter.
func (c *escalateCmd) Run(e *env) error {
	return c.do(e, alerting.Act{Kind: alerting.Escalate, Incident: c.ID, Level: alerting.Severity(c.To)})
}

type noteCmd struct {
	actor
	ID   string `arg:"" names:"incident" help:"The incident's ID."`
	Text string `arg:"" help:"The note."`
}

// Run asks the daemon to write a note into the timeline.
func (c *noteCmd) Run(e *env) error {
	return c.do(e, alerting.Act{Kind: alerting.Remark, Incident: c.ID, Text: c.Text})
}

type declareCmd struct {
	actor
	Which  string    `arg:"" name:"service[/slo]" names:"slo" help:"SERVICE/SLO, or SERVICE as a whole."`
	Title  string    `arg:"" help:"What is wrong, in a few words."`
	Page   bool      `help:"Declare it as a page." xor:"level" required:""`
	Ticket bool      `help:"Declare it as a ticket." xor:"level" required:""`
	Since  time.Time `help:"When it began; now by default." placeholder:"TIME"`
	Key    string    `help:"Makes it safe to repeat: calls with the same key declare one incident."`
}

// Run asks the daemon to open an incident by hand.
func (c *declareCmd) Run(e *env) error {
	a := alerting.Act{Kind: alerting.Declare, Level: alerting.Ticket, Text: c.Title, Key: c.Key}
	if c.Page {
		a.Level = alerting.Page
	}
	if id := slo.ID(c.Which); id.Name() != "" {
		a.SLO = id
	} else {
		a.Service = c.Which
	}
	if !c.Since.IsZero() {
		a.Since = c.Since.UTC()
	}
	return c.do(e, a)
}

type mergeCmd struct {
	actor
	ID   string `arg:"" names:"incident" help:"The incident that continues in another thread."`
	Into string `arg:"" names:"incident" help:"The incident whose thread that is."`
}

// Run asks the daemon to tell an incident in the thread of another.
func (c *mergeCmd) Run(e *env) error {
	return c.do(e, alerting.Act{Kind: alerting.Merge, Incident: c.ID, Other: c.Into})
}

type undoCmd struct {
	actor
	ID  string `arg:"" names:"incident" help:"The incident's ID."`
	Key string `arg:"" help:"The key of the act."`
}

// Run asks the daemon to take an act back.
func (c *undoCmd) Run(e *env) error {
	return c.do(e, alerting.Act{Kind: alerting.Undo, Incident: c.ID, Other: c.Key})
}
