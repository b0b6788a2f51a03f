package slack

import (
	"cmp"
	"strings"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/incidents"
	"github.com/slowburn-sre/slowburn/internal/notify"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/slo"
)

// Composer composes what Slack is told. It is what all messages of one slowburn to Slack have in
// common.
type Composer struct {
	notify.Origin
	Receiver    string // name of the receiver that delivers; default "slack"
	Channel     string // where messages go that name no other channel
	Interactive bool   // buttons work: presses reach slowburn by Socket Mode or by signed requests
}

// message is what the messages about an incident are made of.
type message struct {
	incidents.Notification
	composer Composer
	to       notify.Target
}

func (f message) channel() string {
	return cmp.Or(f.to.Channel, f.Spec.Slack.Channel, f.composer.Channel)
}

// mentions returns the ones of a page, from the configuration and from nowhere else.
func (f message) mentions() []string { return written(f.Spec.Slack.Mention) }

// backup returns those who are called when nobody answers.
func (f message) backup() []string {
	if m := written(f.Spec.Slack.Escalate.Mention); len(m) > 0 {
		return m
	}
	return f.mentions()
}

// woken returns those who are called when a silence ends: nobody for a ticket, and nobody if
// somebody has it.
func (f message) woken() []string {
	if _, acked := f.Incident.Acknowledged(); acked || f.Incident.Loud() != alerting.Page {
		return nil
	}
	return f.mentions()
}

// written returns mentions as they stand in a message.
func written(mentions []slo.Mention) (out []string) {
	for _, m := range mentions {
		out = append(out, m.String())
	}
	return out
}

func (h Composer) signature() string {
	return strings.TrimSpace("slowburn " + escape(plain(h.Version, 40)))
}

func (h Composer) receiver() string { return cmp.Or(h.Receiver, "slack") }

func (f message) entry(suffix string, lane outbox.Lane, op outbox.Op, b Body) outbox.Entry {
	b.Incident, b.SLO = clip(f.Event.Incident, 500), clip(string(f.Event.SLO), 500)
	if w := f.Awaited(); !w.Through.IsZero() {
		b.Wait = &w
	}
	e := f.addressed(suffix, lane, op)
	e.Body = b.marshal()
	return e
}

// addressed returns an entry that says nothing yet.
func (f message) addressed(suffix string, lane outbox.Lane, op outbox.Op) outbox.Entry {
	return outbox.Entry{
		Key: f.Event.Key() + "/" + suffix, Receiver: f.composer.receiver(), Lane: lane, Channel: f.channel(),
		Thread: cmp.Or(f.Incident.Group, f.Event.Incident), Op: op, Created: f.Now,
	}
}
