package notify

import (
	"cmp"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/incidents"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/sentences"
	"github.com/slowburn-sre/slowburn/postmortem"
	"github.com/slowburn-sre/slowburn/slo"
)

// Facts are everything that a message is made of: what is told, by whom, and to whom.
type Facts struct {
	incidents.Notification
	Origin
	Target
}

// Origin is what all messages of one slowburn have in common.
type Origin struct {
	URL        string // under which people reach slowburn, "" if they cannot
	Version    string // of slowburn
	Prometheus string // address of its pages, "" makes no links to them
}

// Target is who is told.
type Target struct {
	Receiver string // its name
	Channel  string // of a chat, if a route names one
	First    bool   // it has not heard of the incident before this event
	Again    bool   // the receiver tells it in another channel, too
	// Shown are the root messages that later edits, owed together with this message, bring up to
	// date.
	Shown outbox.Shown
	// Instead is the name of the receiver in whose place this goes out, because it stays down, and
	// Key its key then. Both are empty usually.
	Instead, Key string
	// Unedited says that the receiver does not bring up to date what it has told.
	Unedited bool
}

// Entry returns one message about the event. Its key is Key, or the event's with the receiver's
// name: it is owed once.
func (f Facts) Entry(op outbox.Op, body any) outbox.Entry {
	return outbox.Entry{
		Key: cmp.Or(f.Key, f.Event.Key()+"/"+f.Receiver), Receiver: f.Receiver, Lane: f.lane(), Thread: f.Event.Incident,
		Op: op, Body: JSON(body), Created: f.Now,
	}
}

// Begin returns the message that tells a receiver of an incident first. Its key is Key, or the
// incident's with the receiver's name, whatever the event: every event may owe it, and it is owed
// once.
func (f Facts) Begin(body any) outbox.Entry {
	e := f.Entry(outbox.Post, body)
	e.Key = cmp.Or(f.Key, f.Incident.ID+"/begin/"+f.Receiver)
	return e
}

// FollowUp returns a message about the event that only matters where the incident has been told.
func (f Facts) FollowUp(op outbox.Op, body any) outbox.Entry {
	e := f.Entry(op, body)
	e.IfTold = true
	return e
}

// ActEntry returns a message about what somebody did, which only matters where the incident has
// been told. Its key is the act's with the receiver's name.
func (f Facts) ActEntry(a alerting.Act, op outbox.Op, body any) outbox.Entry {
	return outbox.Entry{
		Key: "act/" + a.Key + "/" + f.Receiver, Receiver: f.Receiver, Lane: outbox.LaneTicket, Thread: f.Incident.ID,
		Op: op, Body: JSON(body), Created: f.Now, IfTold: true,
	}
}

// FallbackKey returns the key of what goes out through a receiver in place of another one. It names
// the incident only: it is owed once, however many receivers are down and however often that is
// found out.
func FallbackKey(incident, receiver string) string { return incident + "/fallback/" + receiver }

func (f Facts) lane() outbox.Lane {
	switch {
	case f.Event.Kind == alerting.Resolved:
		return outbox.LaneResolve
	case f.Event.Severity == alerting.Page:
		return outbox.LanePage
	}
	return outbox.LaneTicket
}

// Severity returns how loud the incident is, or of a notice "notice".
func (f Facts) Severity() alerting.Severity {
	if f.Incident.ID == "" || f.Event.Kind == alerting.Noticed {
		return f.Event.Severity
	}
	return f.Incident.Loud()
}

// Summary returns one sentence without its full stop: which SLO, and how bad it is.
func (f Facts) Summary() string {
	if f.Instead != "" {
		return "[" + f.Instead + " is down] " + f.Notification.Summary()
	}
	return f.Notification.Summary()
}

// Description returns what a person needs to know beyond the summary, one sentence a line.
func (f Facts) Description() string {
	var lines []string
	for _, t := range append(f.Lead(), f.Elsewhere()...) {
		lines = append(lines, t.String())
	}
	if f.Status.Sum.Total > 0 && f.Status.Sized {
		lines = append(lines, sentences.Left(f.Status)+".")
	}
	if f.Instead != "" {
		lines = append(lines, sentences.Instead(f.Instead))
	}
	if f.Unedited && f.Headlined() && f.Incident.Open {
		lines = append(lines, sentences.Unedited)
	}
	return strings.Join(lines, "\n")
}

// Link is an address with words.
type Link struct{ Text, URL string }

// Links returns where to go next; each is an http or https address.
func (f Facts) Links() []Link {
	all := []Link{
		{"Runbook", f.Spec.Links.Runbook},
		{"Dashboard", f.Spec.Links.Dashboard},
		{"Incident", f.IncidentURL()},
		{"SLO", f.SLOURL()},
		{"Query", f.QueryURL(f.Notification)},
	}
	return slices.DeleteFunc(all, func(l Link) bool {
		u, err := url.Parse(l.URL)
		return err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == ""
	})
}

// IncidentURL returns the page of the incident, "" if there is none.
func (f Facts) IncidentURL() string {
	if f.Incident.ID == "" {
		return ""
	}
	return f.Page("incidents", f.Incident.ID)
}

// SLOURL returns the page of the SLO, "" if there is none, as for a service as a whole.
func (f Facts) SLOURL() string {
	if f.Event.SLO.Name() == "" {
		return ""
	}
	return f.Page("slo", string(f.Event.SLO))
}

// Page returns the address of a page of slowburn's own, "" if it has none.
func (h Origin) Page(path ...string) string {
	if h.URL == "" {
		return ""
	}
	return strings.TrimSuffix(h.URL, "/") + (&url.URL{Path: "/" + strings.Join(path, "/")}).EscapedPath()
}

// QueryURL returns where Prometheus shows the share of bad events around an event, "" if there is
// no such page.
func (h Origin) QueryURL(t incidents.Notification) string {
	const back = 6 * time.Hour
	from := t.Incident.Onset
	if from.IsZero() {
		from = t.Event.Time().Add(-time.Hour)
	}
	queries := postmortem.Queries(t.Spec, t.Event.SLO, from, t.Event.Time())
	if len(queries) == 0 || h.Prometheus == "" {
		return ""
	}
	q := url.Values{
		"g0.expr": {queries[len(queries)-1].Text}, "g0.tab": {"0"},
		"g0.range_input": {slo.ShortDuration(back)}, "g0.end_input": {t.Event.Time().UTC().Format(time.DateTime)},
	}
	return strings.TrimSuffix(h.Prometheus, "/") + "/graph?" + q.Encode()
}

// Labels returns what receivers route by: severity, service, slo, owner, tier, incident, and the
// values of the budget's own labels, which override none of these.
func (f Facts) Labels() map[string]string {
	labels := Group(f.Event.SLO)
	maps.Copy(labels, map[string]string{
		"severity": string(f.Severity()), "service": f.Event.SLO.Service(), "slo": f.Event.SLO.Name(),
		"owner": f.Spec.Owner, "tier": f.Spec.Tier, "incident": f.Incident.ID,
	})
	maps.DeleteFunc(labels, func(_, v string) bool { return v == "" })
	return labels
}

// Group reads the label values of a budget out of its ID: service/slo{route="/pay"}.
func Group(id slo.ID) map[string]string {
	values := map[string]string{}
	for _, l := range id.Labels() {
		values[l.Name] = l.Value
	}
	return values
}
