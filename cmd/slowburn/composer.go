package main

import (
	"time"

	"github.com/prometheus/common/version"

	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/report"
	"github.com/slowburn-sre/slowburn/internal/report/plain"
	"github.com/slowburn-sre/slowburn/internal/slack"
	"github.com/slowburn-sre/slowburn/postmortem"
)

// composer hands what the engine has decided to the legs that make messages of it.
type composer struct {
	house      slack.House
	prometheus string // address of its pages, for links
}

var _ engine.Composer = composer{}

func newComposer(cfg Config, externalURL string, interactive bool) composer {
	return composer{
		house:      slack.House{Leg: slackLeg, Channel: cfg.Slack.Channel, URL: externalURL, Version: version.Version, Interactive: interactive},
		prometheus: cfg.Prometheus.URL,
	}
}

// slackLeg is the name of the leg to Slack, in the outbox.
const slackLeg = "slack"

// Event makes the messages of an event of an SLO.
func (c composer) Event(t engine.Told) []outbox.Entry {
	return slack.Compose(c.facts(t), t.Now)
}

// Act makes the messages about what somebody did.
func (c composer) Act(d engine.Done) []outbox.Entry {
	return slack.ComposeAct(c.facts(d.Told), d.Act, d.Now)
}

func (c composer) facts(t engine.Told) slack.Facts {
	return slack.Facts{
		House: c.house, Spec: t.Spec, Event: t.Event, Incident: t.Incident, Late: t.Over, Silenced: t.Silenced,
		Status: t.Status, Outlook: t.Outlook, Standings: t.Standings, QueryURL: c.query(t),
		Gate: t.Gate, Notify: t.Notify,
	}
}

// query is where Prometheus shows the share of bad events around the event.
func (c composer) query(t engine.Told) string {
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

// Report makes the messages of a report: a root message with the verdict, and its sections as replies.
func (c composer) Report(r report.Report, channel string, now time.Time) []outbox.Entry {
	s := r.Summary()
	house := c.house
	if channel != "" {
		house.Channel = channel
	}
	m := slack.Report{
		House: house, Name: r.Name, Period: r.Period.String(), Title: s.Title, Verdict: s.Verdict,
		Table: append([][]string{s.Columns}, s.Rows...), Link: s.Whole.URL, Footer: s.Span,
	}
	for _, d := range s.Details {
		m.Details = append(m.Details, slack.Detail{Title: d.Title, Markdown: d.Text})
	}
	return slack.ComposeReport(m, now)
}

// Notice makes the messages about what slowburn itself cannot see.
func (c composer) Notice(n engine.Notice) []outbox.Entry {
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
	return plain.Plural(n, "SLO") + " cannot be judged: nothing pages and nothing resolves until the data are back. The missing minutes are read then."
}
