package daemon

import (
	"cmp"
	"slices"
	"time"

	"github.com/prometheus/common/version"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/config"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/incidents"
	"github.com/slowburn-sre/slowburn/internal/notify"
	"github.com/slowburn-sre/slowburn/internal/notify/slack"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/report"
)

// composer hands what the engine has decided to the receivers that make messages of it. It is pure:
// who is told follows from the facts and the configuration.
type composer struct {
	composers map[string]notify.Composer // of the receivers, by name
	slack     slack.Composer             // reports, and notices about slowburn's own senses, go to Slack only
	routing   routing
}

var _ engine.Composer = composer{}

// newComposer makes the composer of a configuration and its receivers beside Slack. slackWorks says
// whether there is a way to Slack, interactive whether presses of its buttons reach us.
func newComposer(cfg config.Config, receivers map[string]notify.Receiver, externalURL string, slackWorks, interactive bool) composer {
	c := composer{
		composers: map[string]notify.Composer{},
		slack: slack.Composer{
			Origin:   notify.Origin{URL: externalURL, Version: version.Version, Prometheus: cfg.Prometheus.URL},
			Receiver: config.SlackReceiver, Channel: cfg.Slack.Channel, Interactive: interactive,
		},
		routing: NewRouting(cfg, slackWorks),
	}
	for name, r := range receivers {
		c.composers[name] = r
	}
	c.composers[config.SlackReceiver] = c.slack
	return c
}

// Event makes the messages of an event of an SLO, for everybody who is told about it. The end of an
// incident is news to every receiver that has heard of it by whatever way, such as a route that has
// changed since or in place of another; the outbox knows which those are.
//
// That one which is over has cost something else changes its message in chats, and calls nobody.
func (c composer) Event(t incidents.Notification, shown outbox.Shown) []outbox.Entry {
	if t.Event.Kind == alerting.Recounted {
		return c.chats(t, func(chat notify.Chat, to notify.Target) []outbox.Entry {
			to.Shown = shown
			return chat.Event(notify.Facts{Notification: t, Origin: c.slack.Origin, Target: to})
		})
	}
	all, first := c.routing.told(t.Spec, t.Event, t.Incident)
	var entries []outbox.Entry
	told := map[string]bool{}
	for _, to := range all {
		entries = append(entries, c.tell(t, notify.Target{Receiver: to.receiver, Channel: to.channel, First: first[to], Again: told[to.receiver], Shown: shown})...)
		told[to.receiver] = true
	}
	if t.Event.Kind != alerting.Resolved {
		return entries
	}
	for _, name := range c.routing.receivers {
		if told[name] {
			continue
		}
		for _, e := range c.tell(t, notify.Target{Receiver: name}) {
			e.IfTold = true
			entries = append(entries, e)
		}
	}
	return entries
}

// Together reports whether pages and tickets of two budgets go to the same places.
func (c composer) Together(a, b alerting.Input) bool {
	return slices.Equal(c.routing.To(a.Spec, a.ID, alerting.Ticket), c.routing.To(b.Spec, b.ID, alerting.Ticket)) &&
		slices.Equal(c.routing.To(a.Spec, a.ID, alerting.Page), c.routing.To(b.Spec, b.ID, alerting.Page))
}

// Act makes the messages about what somebody did. Beside chats an acknowledgement is news; what is
// made louder or quieter comes with the next event.
func (c composer) Act(d incidents.Done) []outbox.Entry {
	entries := c.chats(d.Notification, func(chat notify.Chat, to notify.Target) []outbox.Entry { return chat.Act(d, to) })
	if d.Act.Kind != alerting.Acknowledge {
		return entries
	}
	for _, name := range c.routing.receivers {
		if pager, ok := c.composers[name].(notify.Pager); ok {
			f := notify.Facts{Notification: d.Notification, Origin: c.slack.Origin, Target: notify.Target{Receiver: name}}
			entries = append(entries, pager.Acknowledged(f, d.Act)...)
		}
	}
	return entries
}

// TellsEach implements engine.Composer: a thread is told once, pagers know nothing of threads.
func (c composer) TellsEach(a alerting.Act) bool {
	return a.Kind == alerting.Acknowledge && slices.ContainsFunc(c.routing.receivers, func(name string) bool {
		_, ok := c.composers[name].(notify.Pager)
		return ok
	})
}

// Evidence makes the messages about what was found out, for every channel that has a thread of the
// incident. The receivers that are no chats have none.
func (c composer) Evidence(t incidents.Notification) []outbox.Entry {
	return c.chats(t, func(chat notify.Chat, to notify.Target) []outbox.Entry {
		return chat.Evidence(notify.Facts{Notification: t, Origin: c.slack.Origin, Target: to})
	})
}

// chats composes for every channel of every chat that is told about an incident.
func (c composer) chats(t incidents.Notification, compose func(notify.Chat, notify.Target) []outbox.Entry) []outbox.Entry {
	all, _ := c.routing.told(t.Spec, t.Event, t.Incident)
	var entries []outbox.Entry
	told := map[string]bool{}
	for _, to := range all {
		if chat, ok := c.composers[to.receiver].(notify.Chat); ok {
			entries = append(entries, compose(chat, notify.Target{Receiver: to.receiver, Channel: to.channel, Again: told[to.receiver]})...)
			told[to.receiver] = true
		}
	}
	return entries
}

// tell makes the messages of an event for one target.
func (c composer) tell(t incidents.Notification, to notify.Target) []outbox.Entry {
	if _, chat := c.composers[to.Receiver].(notify.Chat); !chat && t.Silenced && t.Event.Kind != alerting.Resolved {
		return nil // when the silence ends, the next event tells it
	}
	return c.composers[to.Receiver].Event(notify.Facts{Notification: t, Origin: c.slack.Origin, Target: to})
}

// instead makes the page of an open incident for a receiver that is told in place of another one.
// It is one message, whatever the receiver makes of an incident that begins.
func (c composer) instead(t incidents.Notification, name, down string) []outbox.Entry {
	t.Event, t.Incident.Group, t.Root, t.Others, t.More = t.Incident.Last, "", nil, nil, 0 // a message of its own
	t.Event.Kind, t.Event.Severity = alerting.Opened, alerting.Page
	to := notify.Target{Receiver: name, First: true, Instead: down, Key: notify.FallbackKey(t.Incident.ID, name)}
	return c.composers[name].Event(notify.Facts{Notification: t, Origin: c.slack.Origin, Target: to})
}

// Report makes the messages of a report: a root message with the verdict, and its sections as
// replies. They are for Slack only, like notices: without it, the pages have them.
func (c composer) Report(r report.Report, channel string, now time.Time) []outbox.Entry {
	if !c.routing.has(config.SlackReceiver) {
		return nil
	}
	to := c.slack
	to.Channel = cmp.Or(channel, to.Channel)
	return slack.ComposeReport(slack.Report{Composer: to, Summary: r.Summary()}, now)
}

// Permit makes the message that somebody lets a release pass.
func (c composer) Permit(p incidents.Permit) []outbox.Entry {
	return c.slack.Permit(p, cmp.Or(p.Notify.Channel, p.Spec.Slack.Channel))
}

// Notice makes the messages about what slowburn itself cannot see.
func (c composer) Notice(n engine.Notice) []outbox.Entry {
	if !c.routing.has(config.SlackReceiver) {
		return nil
	}
	m := slack.Notice{
		Composer: c.slack, Kind: "prometheus", Title: "Prometheus", Reason: n.Text, Since: n.Since, At: n.At,
		Over: n.Kind == engine.SourceBack || n.Kind == engine.SLOsSee,
	}
	if n.Kind == engine.SLOsBlind || n.Kind == engine.SLOsSee {
		m.Kind, m.Title = "slos", "Data for some SLOs"
	}
	if n.Kind == engine.CombinationsCapped {
		m.Kind, m.Title, m.Reason = "combinations/"+string(n.SLO), string(n.SLO), ""
		m.Says = "has " + n.Text + ". The first ones keep their budgets; failures in the others are told to nobody. Fewer labels in by:, or queries that select less, bring all of them into sight."
	}
	if n.SLOs > 0 {
		m.Effect = figures.Plural(n.SLOs, "SLO") + " cannot be judged: nothing pages and nothing resolves until the data are back. The missing minutes are read then."
	}
	return slack.ComposeNotice(m, n.At)
}
