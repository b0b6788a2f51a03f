package slack

import (
	"cmp"
	"net/url"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/evidence"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/slo"
)

// House is what all messages of one slowburn have in common.
type House struct {
	Leg         string // name of the leg that delivers; default "slack"
	Channel     string // where messages go that name no other channel
	URL         string // under which people reach slowburn, "" if they cannot
	Version     string // of slowburn
	Interactive bool   // buttons work: presses reach slowburn by Socket Mode or by signed requests
}

// Facts are everything that a message about an incident is made of.
type Facts struct {
	House
	Spec      *slo.Spec
	Event     alerting.Event
	Incident  alerting.Incident // after Event; of a spent notice the one that is open, or the zero value
	Status    budget.Status     // of the first window
	Outlook   budget.Outlook
	Standings []alerting.Standing // of all pairs of windows, as of Event
	Upstream  []alerting.Upstream // what it depends on and burns, nearest first
	Worst     *alerting.Step      // of a journey: its worst step at the time of Event; nil if none is bad
	QueryURL  string              // shows the SLI in Prometheus, "" if there is no such page
	Chart     *Chart              // of the burn since before the onset, nil for none
	// Gate is the policy's verdict at the event, and Notify who is told when it freezes or thaws; for a channel that is
	// not named it is the service's own.
	Gate     alerting.Verdict
	Notify   slo.SlackRoute
	Evidence *evidence.Evidence // what burns and what changed, nil as long as nobody has looked
	// Late says that the incident opened and ended within one stretch of time that was caught up,
	// so nobody could have been told while it went on.
	Late bool
	// Others are the incidents that are open in the same thread. Face is what the root message shows instead of this
	// incident, because it is louder; nil if it shows this one.
	Others []alerting.Incident
	Face   *Facts
	// From is, of a merge and a split, the thread in which the incident was told before, and Left what that one shows now; nil if
	// nothing open is told there any more.
	From string
	Left *Facts
	// Silenced says that somebody wants to hear no more for now: the root message and the thread go on, and
	// nothing new is shown in the channel or calls anybody.
	Silenced bool
}

// liveFor is how old an incident may be and still be worth waking somebody although it is over.
const liveFor = 15 * time.Minute

// missed reports whether the incident was over before slowburn could see it.
func (f Facts) missed(now time.Time) bool {
	return f.Late && now.Sub(f.Incident.Detected) > liveFor
}

func (f Facts) channel() string { return cmp.Or(f.Spec.Slack.Channel, f.Channel) }

// mentions are the ones of a page, from the configuration and from nowhere else.
func (f Facts) mentions() []string { return written(f.Spec.Slack.Mention) }

// backup are those who are called when nobody answers.
func (f Facts) backup() []string {
	if m := written(f.Spec.Slack.Escalate.Mention); len(m) > 0 {
		return m
	}
	return f.mentions()
}

// woken are those who are called when a silence ends: nobody for a ticket, and nobody if somebody has it.
func (f Facts) woken() []string {
	if _, acked := f.Incident.Acknowledged(); acked || f.loud() != alerting.Page {
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

// page is the address of a page of slowburn's own, "" if it has none.
func (h House) page(path ...string) string {
	if h.URL == "" {
		return ""
	}
	return strings.TrimSuffix(h.URL, "/") + (&url.URL{Path: "/" + strings.Join(path, "/")}).EscapedPath()
}

// signature is who speaks.
func (h House) signature() string {
	return strings.TrimSpace("slowburn " + escape(plain(h.Version, 40)))
}

func (h House) leg() string { return cmp.Or(h.Leg, "slack") }

// entry is one message about the incident.
func (f Facts) entry(suffix string, lane outbox.Lane, op outbox.Op, b Body, now time.Time) outbox.Entry {
	b.Incident, b.SLO = clip(f.Event.Incident, 500), clip(string(f.Event.SLO), 500)
	return outbox.Entry{
		Key: f.Event.Key() + "/" + suffix, Leg: f.leg(), Lane: lane, Channel: f.channel(),
		Thread: cmp.Or(f.Incident.Group, f.Event.Incident), Op: op, Body: b.marshal(), Created: now,
	}
}

// QueryURL is the address under which a Prometheus shows an expression as a graph, over the given time before end.
func QueryURL(prometheus, expr string, end time.Time, back time.Duration) string {
	q := url.Values{
		"g0.expr": {expr}, "g0.tab": {"0"},
		"g0.range_input": {slo.ShortDuration(back)}, "g0.end_input": {end.UTC().Format(time.DateTime)},
	}
	return strings.TrimSuffix(prometheus, "/") + "/graph?" + q.Encode()
}
