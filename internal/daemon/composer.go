package daemon

import (
	"math"
	"time"

	"github.com/prometheus/common/version"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/config"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/incidents"
	"github.com/slowburn-sre/slowburn/internal/notify"
	"github.com/slowburn-sre/slowburn/internal/notify/slack"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/report"
	"github.com/slowburn-sre/slowburn/postmortem"
)

// composer hands what the engine has decided to the receivers that make messages of it. It is pure: who is told
// follows from the facts and the configuration.
type composer struct {
	receivers  map[string]notify.Receiver // beside Slack, by name
	house      slack.House
	prometheus string // address of its pages, for links
	routing    routing
}

var _ engine.Composer = composer{}

// newComposer makes the composer. slackWorks says whether there is a way to Slack, interactive whether presses of
// its buttons reach us.
func newComposer(cfg config.Config, receivers map[string]notify.Receiver, externalURL string, slackWorks, interactive bool) composer {
	return composer{
		receivers:  receivers,
		house:      slack.House{Leg: config.SlackReceiver, Channel: cfg.Slack.Channel, URL: externalURL, Version: version.Version, Interactive: interactive},
		prometheus: cfg.Prometheus.URL,
		routing:    NewRouting(cfg, slackWorks),
	}
}

// Event makes the messages of an event of an SLO, for everybody who is told about it. The end of an
// incident is news to every receiver that has heard of it by whatever way, such as a route that has changed
// since or in place of another; the outbox knows which those are.
func (c composer) Event(t incidents.Told) []outbox.Entry {
	all, first := c.routing.told(t.Spec, t.Event, t.Incident)
	var entries []outbox.Entry
	told := map[string]bool{}
	for _, to := range all {
		entries = append(entries, c.tell(t, to, first[to], told[to.receiver])...)
		told[to.receiver] = true
	}
	if t.Event.Kind != alerting.Resolved {
		return entries
	}
	for _, name := range c.routing.receivers {
		if !told[name] {
			entries = append(entries, ifTold(c.tell(t, target{receiver: name}, false, false))...)
		}
	}
	return entries
}

func ifTold(entries []outbox.Entry) []outbox.Entry {
	for i := range entries {
		entries[i].IfTold = true
	}
	return entries
}

// Act makes the messages about what somebody did. Beside Slack an acknowledgement is news; what is made
// louder or quieter comes with the next event.
func (c composer) Act(d incidents.Done) []outbox.Entry {
	all, _ := c.routing.told(d.Spec, d.Event, d.Incident)
	var entries []outbox.Entry
	again := false
	for _, to := range all {
		if to.receiver == config.SlackReceiver && !d.Echo {
			f := c.slackFacts(d.Told, to.channel)
			f.From = d.From
			if d.Left != nil {
				left := c.slackFacts(*d.Left, to.channel)
				f.Left = &left
			}
			entries = append(entries, inThread(slack.ComposeAct(f, d.Act, d.Now), to.channel, again)...)
			again = true
		}
	}
	if d.Act.Kind != alerting.Acknowledge {
		return entries
	}
	for _, name := range c.routing.receivers {
		if r := c.receivers[name]; r != nil {
			entries = append(entries, r.Acknowledged(c.facts(d.Told, name), d.Act, d.Now)...)
		}
	}
	return entries
}

// Evidence makes the messages about what was found out, for every channel that has a thread of the incident. The
// other receivers have none.
func (c composer) Evidence(t incidents.Told) []outbox.Entry {
	all, _ := c.routing.told(t.Spec, t.Event, t.Incident)
	var entries []outbox.Entry
	again := false
	for _, to := range all {
		if to.receiver == config.SlackReceiver {
			f := c.slackFacts(t, to.channel)
			entries = append(entries, inThread(slack.ComposeEvidence(f, t.Now), to.channel, again)...)
			again = true
		}
	}
	return entries
}

// tell makes the messages of an event for one target. first says that it has not heard of the incident
// yet; again that the same receiver tells it elsewhere, too.
func (c composer) tell(t incidents.Told, to target, first, again bool) []outbox.Entry {
	switch {
	case to.receiver == config.SlackReceiver:
		return c.tellSlack(t, to.channel, first, again)
	case t.Silenced && t.Event.Kind != alerting.Resolved:
		return nil // when the silence ends, the next event tells it
	}
	return c.receivers[to.receiver].Event(c.facts(t, to.receiver), t.Now)
}

// facts are what a receiver beside Slack is told.
func (c composer) facts(t incidents.Told, receiver string) notify.Facts {
	return notify.Facts{
		Receiver: receiver, URL: c.house.URL, Spec: t.Spec, Event: t.Event, Incident: t.Incident,
		Status: t.Status, Outlook: t.Outlook, QueryURL: c.query(t),
	}
}

// tellSlack makes the messages for one channel. The channel in which an incident began has its thread; one
// that hears of it only when it becomes a page has a thread of its own from then on.
func (c composer) tellSlack(t incidents.Told, channel string, first, again bool) []outbox.Entry {
	f := c.slackFacts(t, channel)
	if first && f.Event.Kind == alerting.Escalated {
		f.Event.Kind = alerting.Opened // here it begins as a page
	}
	return inThread(slack.Compose(f, t.Now), channel, again)
}

func (c composer) slackFacts(t incidents.Told, channel string) slack.Facts {
	f := slack.Facts{
		House: c.house, Spec: t.Spec, Event: t.Event, Incident: t.Incident, Late: t.Over, Silenced: t.Silenced,
		Status: t.Status, Outlook: t.Outlook, Standings: t.Standings, QueryURL: c.query(t), Evidence: t.Evidence,
		Gate: t.Gate, Notify: t.Notify,
		Upstream: t.Upstream, Worst: t.Worst, Others: t.Others,
	}
	f.Chart = burnChart(t)
	if t.Face != nil {
		face := c.slackFacts(*t.Face, channel)
		f.Face = &face
	}
	if channel != "" && channel != t.Spec.Slack.Channel {
		spec := *t.Spec
		spec.Slack.Channel = channel
		f.Spec = &spec
	}
	return f
}

// inThread puts messages into the thread of a further channel.
func inThread(entries []outbox.Entry, channel string, again bool) []outbox.Entry {
	for i := range entries {
		if again {
			entries[i].Key += "@" + channel
			entries[i].Thread += "@" + channel
		}
	}
	return entries
}

// instead makes the page of an open incident for a receiver that is told in place of another one.
func (c composer) instead(t incidents.Told, name, down string) []outbox.Entry {
	t.Event, t.Incident.Group, t.Face, t.Others = t.Incident.Last, "", nil, nil // a message of its own
	t.Event.Kind, t.Event.Severity = alerting.Opened, alerting.Page
	key := notify.FallbackKey(t.Incident.ID, name)
	if name != config.SlackReceiver {
		f := c.facts(t, name)
		f.Instead, f.Key = down, key
		return c.receivers[name].Event(f, t.Now)
	}
	entries := slack.Instead(c.tellSlack(t, "", true, false), down)
	for i := range entries {
		entries[i].Key = key // one: an incident that begins is one message
	}
	return entries
}

// query is where Prometheus shows the share of bad events around the event.
func (c composer) query(t incidents.Told) string {
	from := t.Incident.Onset
	if from.IsZero() {
		from = t.Event.Time().Add(-time.Hour)
	}
	queries := postmortem.Queries(t.Spec, t.Event.SLO, from, t.Event.Time())
	if len(queries) == 0 {
		return ""
	}
	return slack.QueryURL(c.prometheus, queries[len(queries)-1].Text, t.Event.Time(), 6*time.Hour)
}

// Report makes the messages of a report: a root message with the verdict, and its sections as replies. They
// are for Slack only, like notices: without it, the pages have them.
func (c composer) Report(r report.Report, channel string, now time.Time) []outbox.Entry {
	if !c.routing.has(config.SlackReceiver) {
		return nil
	}
	s := r.Summary()
	house := c.house
	if channel != "" {
		house.Channel = channel
	}
	m := slack.Report{
		House: house, Name: r.Name, Period: r.Period.String(), Title: s.Title, Verdict: s.Verdict,
		Table: append([][]string{s.Columns}, s.Rows...), Link: s.Whole.URL, Footer: s.Span,
		Decide: s.Decide, More: s.More,
	}
	for _, d := range s.Details {
		m.Details = append(m.Details, slack.Detail{Title: d.Title, Markdown: d.Text})
	}
	return slack.ComposeReport(m, now)
}

// Permit makes the message that somebody lets a release pass.
func (c composer) Permit(p incidents.Permit) []outbox.Entry {
	return slack.ComposePermit(slack.Facts{House: c.house, Spec: p.Spec, Notify: p.Notify}, p.Act, p.Now)
}

// Notice makes the messages about what slowburn itself cannot see.
func (c composer) Notice(n engine.Notice) []outbox.Entry {
	if !c.routing.has(config.SlackReceiver) {
		return nil
	}
	m := slack.Notice{
		House: c.house, Kind: "prometheus", Title: "Prometheus", Reason: n.Text, Since: n.Since, At: n.At,
		Over: n.Kind == engine.SourceBack || n.Kind == engine.SLOsSee,
	}
	if n.Kind == engine.SLOsBlind || n.Kind == engine.SLOsSee {
		m.Kind, m.Title = "slos", "Data for some SLOs"
	}
	m.Effect = blindness(n.SLOs)
	return slack.ComposeNotice(m, n.At)
}

// blindness says what it means that so many SLOs cannot be read.
func blindness(n int) string {
	if n == 0 {
		return ""
	}
	return figures.Plural(n, "SLO") + " cannot be judged: nothing pages and nothing resolves until the data are back. The missing minutes are read then."
}

// burnChart draws how fast the budget burned since just before the onset. What is not known has no point.
func burnChart(t incidents.Told) *slack.Chart {
	c := &slack.Chart{Title: "Burn rate, 1 is sustainable (UTC)", Name: "burn rate"}
	for _, p := range t.Trail {
		if rate, ok := budget.Burn(p.Sum, t.Spec.Objective); ok {
			layout := "15:04"
			if t.Now.Sub(t.Incident.Onset) > 20*time.Hour {
				layout = "Jan 2 15:04"
			}
			c.Points = append(c.Points, slack.Point{Label: p.At.UTC().Format(layout), Value: math.Round(rate*10) / 10})
		}
	}
	if len(c.Points) < 3 {
		return nil // a line between two points tells nothing
	}
	return c
}
