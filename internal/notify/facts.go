package notify

import (
	"cmp"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/slo"
)

// Facts are everything that a message about an event is made of.
type Facts struct {
	Receiver string // name of who is told
	URL      string // under which people reach slowburn, "" if they cannot
	Spec     *slo.Spec
	Event    alerting.Event
	Incident alerting.Incident // after the event; the zero value for a notice outside of one
	Status   budget.Status     // of the first window
	Outlook  budget.Outlook
	QueryURL string // shows the SLI in Prometheus, "" if there is no such page
	// Instead is the name of the receiver in whose place this goes out, because it stays down, and Key its key then.
	// Both are empty usually.
	Instead, Key string
}

// Entry is one message about the event. Its key is Key, or the event's with the receiver's name: it is
// owed once.
func (f Facts) Entry(op outbox.Op, body any, now time.Time) outbox.Entry {
	return outbox.Entry{
		Key: cmp.Or(f.Key, f.Event.Key()+"/"+f.Receiver), Leg: f.Receiver, Lane: f.lane(), Thread: f.Event.Incident,
		Op: op, Body: JSON(body), Created: now,
	}
}

// Begin is the message that tells a receiver of an incident first. Its key is Key, or the incident's with the
// receiver's name, whatever the event: every event may owe it, and it is owed once.
func (f Facts) Begin(body any, now time.Time) outbox.Entry {
	e := f.Entry(outbox.Post, body, now)
	e.Key = cmp.Or(f.Key, f.Incident.ID+"/begin/"+f.Receiver)
	return e
}

// FollowUp is a message about the event that only matters where the incident has been told.
func (f Facts) FollowUp(op outbox.Op, body any, now time.Time) outbox.Entry {
	e := f.Entry(op, body, now)
	e.IfTold = true
	return e
}

// ActEntry is a message about what somebody did, which only matters where the incident has been told. Its key
// is the act's with the receiver's name.
func (f Facts) ActEntry(a alerting.Act, op outbox.Op, body any, now time.Time) outbox.Entry {
	return outbox.Entry{
		Key: "act/" + a.Key + "/" + f.Receiver, Leg: f.Receiver, Lane: outbox.LaneTicket, Thread: f.Incident.ID,
		Op: op, Body: JSON(body), Created: now, IfTold: true,
	}
}

// FallbackKey is the key of what goes out through a receiver in place of another one. It names the incident
// only: it is owed once, however many receivers are down and however often that is found out.
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

// Severity is how loud the incident is, or of a notice "notice".
func (f Facts) Severity() alerting.Severity {
	if f.Incident.ID == "" || f.Event.Kind == alerting.Noticed {
		return f.Event.Severity
	}
	return f.Incident.Loud()
}

// Summary is one sentence without its full stop: which SLO, and how bad it is.
func (f Facts) Summary() string {
	s := string(f.Event.SLO) + " " + f.predicate()
	if f.Instead != "" {
		s = "[" + f.Instead + " is down] " + s
	}
	return s
}

func (f Facts) predicate() string {
	i := f.Incident
	switch {
	case f.Event.Kind == alerting.Noticed:
		return "has used " + figures.Cost(f.Status.Sum.Bad, f.Status.Allowed) + " of its error budget; " + f.outlook()
	case i.Rule == alerting.RuleNoData && i.Open:
		return "has had no data for " + figures.Duration(f.Event.Time().Sub(i.Onset))
	case i.Rule == alerting.RuleNoData:
		return "has data again"
	case i.Rule == alerting.RuleDeclared && i.Open:
		return "has an incident: " + i.Title()
	case i.Rule == alerting.RuleDeclared:
		return "is over after " + figures.Duration(i.Duration()) + ": " + i.Title()
	case !i.Open:
		return "burned for " + figures.Duration(i.Duration()) + " and took " + figures.Cost(i.Bad(), i.Last.Budget.Allowed) + " of its error budget"
	}
	return "burns its error budget " + f.Fast() + "; " + f.outlook()
}

// Fast says how fast the budget burns over the long window of the pair that fired: "13.42× too fast",
// or "too fast" if that is not known.
func (f Facts) Fast() string {
	long := f.Incident.Last.Long
	if long == nil || long.Total == 0 {
		return "too fast"
	}
	return figures.Burn(long.Bad, long.Total, f.Spec.Objective) + " too fast"
}

func (f Facts) outlook() string {
	switch o := f.Outlook; {
	case o.Gone || f.Status.Spent >= 1:
		return "the budget is spent"
	case o.Lasts || !o.Known:
		return f.left() + " of it is left"
	default:
		return "it is gone in " + figures.Duration(o.In)
	}
}

// Description is what a person needs to know beyond the summary, one sentence a line.
func (f Facts) Description() string {
	i := f.Incident
	lines := []string{"Promised: " + f.Spec.Objective.Percent() + " % good over " + f.Spec.Window().String() + "."}
	if f.Spec.Name == "" {
		lines = []string{"Declared for the service as a whole; what it costs is not known."}
	} else if f.Spec.Description != "" {
		lines[0] = f.Spec.Description + " " + lines[0]
	}
	if p := i.Last.Pair; p != nil && i.Open {
		lines = append(lines, "Over the last "+figures.Duration(p.Long)+" the budget burned "+f.Fast()+".")
	}
	if b := i.Last.Burn; b != nil {
		lines = append(lines, "Since it began, "+figures.Events(b.Bad)+" of "+figures.Events(b.Total)+" events went bad: "+figures.Cost(b.Bad, i.Last.Budget.Allowed)+" of the whole budget.")
	}
	if f.Status.Sum.Total > 0 {
		lines = append(lines, f.left()+" of the budget is left.")
	}
	if f.Instead != "" {
		lines = append(lines, "This goes out here because "+f.Instead+" could not be told.")
	}
	return strings.Join(lines, "\n")
}

// left is the share of the budget that is left.
func (f Facts) left() string { return figures.Left(f.Status.Sum.Bad, f.Status.Allowed) }

// Link is an address with words.
type Link struct{ Text, URL string }

// Links are where to go next; each is an http or https address.
func (f Facts) Links() []Link {
	all := []Link{
		{"Runbook", f.Spec.Links.Runbook},
		{"Dashboard", f.Spec.Links.Dashboard},
		{"Incident", f.IncidentURL()},
		{"SLO", f.SLOURL()},
		{"Query", f.QueryURL},
	}
	return slices.DeleteFunc(all, func(l Link) bool { return !isWeb(l.URL) })
}

func isWeb(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

// IncidentURL is the page of the incident, "" if there is none.
func (f Facts) IncidentURL() string {
	if f.Incident.ID == "" {
		return ""
	}
	return f.page("/incidents/" + f.Incident.ID)
}

// SLOURL is the page of the SLO, "" if there is none, as for a service as a whole.
func (f Facts) SLOURL() string {
	if f.Event.SLO.Name() == "" {
		return ""
	}
	return f.page("/slo/" + string(f.Event.SLO))
}

func (f Facts) page(path string) string {
	if f.URL == "" {
		return ""
	}
	return strings.TrimSuffix(f.URL, "/") + (&url.URL{Path: path}).EscapedPath()
}

// Labels are what receivers route by: severity, service, slo, owner, tier, incident, and the
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
	rest := strings.TrimSuffix(strings.TrimPrefix(id.Group(), "{"), "}")
	for rest != "" {
		name, after, _ := strings.Cut(rest, "=")
		quoted, err := strconv.QuotedPrefix(after)
		if err != nil {
			break
		}
		value, _ := strconv.Unquote(quoted)
		values[name] = value
		rest = strings.TrimPrefix(after[len(quoted):], ",")
	}
	return values
}
