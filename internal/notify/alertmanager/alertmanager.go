// Package alertmanager tells Prometheus's Alertmanager, by its API v2.
//
// An Alertmanager forgets an alert that nobody repeats: it takes it for resolved at its endsAt, and
// keeps nothing over a restart. So there are two ways to it. Transitions (fired, became a page,
// resolved) go through the outbox like everything else that is owed. Beside it [Client.Keep]
// repeats every minute what is open, with an endsAt that moves on. Neither depends on the other: a
// restarted slowburn repeats what its store says is open, and a restarted Alertmanager hears it
// within a minute.
//
// Of several Alertmanagers each is a receiver of its own and is told everything, as they expect of
// a Prometheus; one that is down delays none of the others.
package alertmanager

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/notify"
	"github.com/slowburn-sre/slowburn/internal/outbox"
)

const (
	// Hold is how long an alert stays when nobody repeats it: longer than a restart of slowburn,
	// short enough not to outlive it for long.
	Hold = 10 * time.Minute
	// lasting is how long a resolved alert is repeated, for an Alertmanager that could not hear it.
	lasting = 15 * time.Minute
)

// Alert is one alert as the API takes it.
type Alert struct {
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations,omitempty"`
	StartsAt     time.Time         `json:"startsAt"`
	EndsAt       time.Time         `json:"endsAt"` // in the past: resolved
	GeneratorURL string            `json:"generatorURL,omitempty"`
}

// message is the body of an entry: the incident's alerts as they stand. EndsAt of those that are
// open is set when they are sent.
type message struct {
	Open bool    `json:"open"`
	All  []Alert `json:"alerts"` // the newest first; the others have ended
}

// Alerts returns the alerts of an incident, the one that stands for its state first. An incident
// that became a page is another alert to an Alertmanager, because its labels differ, so the
// ticket's has ended. EndsAt of an open one is zero.
func Alerts(f notify.Facts) []Alert {
	i := f.Incident
	a := Alert{Labels: f.Labels(), Annotations: annotations(f), StartsAt: i.Detected.UTC(), EndsAt: i.Resolved.UTC(), GeneratorURL: f.SLOURL()}
	a.Labels["alertname"] = "ErrorBudgetBurn"
	switch i.Rule {
	case alerting.RuleNoData:
		a.Labels["alertname"] = "ErrorBudgetUnknown"
	case alerting.RuleDeclared:
		a.Labels["alertname"] = "IncidentDeclared"
	}
	if i.Escalated.IsZero() {
		return []Alert{a}
	}
	before := a
	before.Labels = maps.Clone(a.Labels)
	before.Labels["severity"] = string(alerting.Ticket)
	a.StartsAt, before.EndsAt = i.Escalated.UTC(), i.Escalated.UTC()
	return []Alert{a, before}
}

// annotations carry the names that templates and dashboards expect.
func annotations(f notify.Facts) map[string]string {
	m := map[string]string{
		"summary": f.Summary(), "description": f.Description(), "incident_url": f.IncidentURL(),
		"runbook_url": f.Spec.Links.Runbook, "dashboard_url": f.Spec.Links.Dashboard,
	}
	maps.DeleteFunc(m, func(_, value string) bool { return value == "" })
	return m
}

// Event composes what an Alertmanager is told about an event: that the incident began, once; that
// it became another alert; and its end. Notices have no end and are no alerts; newer figures come
// with the repetition.
func (*Client) Event(f notify.Facts) []outbox.Entry {
	if f.Event.Kind == alerting.Noticed {
		return nil
	}
	var entries []outbox.Entry
	body := message{Open: f.Incident.Open, All: Alerts(f)}
	if f.Incident.Open {
		entries = append(entries, f.Begin(body))
	}
	if f.Event.Kind == alerting.Escalated || f.Event.Kind == alerting.Resolved {
		entries = append(entries, f.FollowUp(outbox.Edit, body))
	}
	return entries
}

// Notice composes an alert about a destination that takes no pages, and its end. It is not
// repeated, so it stays for as long as it may take people to put that right.
func (*Client) Notice(n notify.Notice) []outbox.Entry {
	a := Alert{
		Labels:      map[string]string{"alertname": "SlowburnCannotPage", "severity": "page", "destination": n.Destination},
		Annotations: map[string]string{"summary": n.State() + ": " + n.Summary(), "description": notify.Lines(n.Lines())},
		StartsAt:    n.Since.UTC(), EndsAt: n.At.Add(24 * time.Hour).UTC(), GeneratorURL: n.Page("status"),
	}
	if n.Over {
		a.EndsAt = n.At.UTC()
		return []outbox.Entry{n.Entry(outbox.Edit, message{All: []Alert{a}})}
	}
	return []outbox.Entry{n.Entry(outbox.Post, message{All: []Alert{a}})}
}

// Drill composes a drill. A silent one is an alert that has ended before it is told: an
// Alertmanager takes it and notifies nobody. A loud one fires until its end.
func (*Client) Drill(d notify.Drill) []outbox.Entry {
	a := Alert{
		Labels:      map[string]string{"alertname": "SlowburnDrill", "severity": "page", "drill": d.ID},
		Annotations: map[string]string{"summary": "[" + d.State() + "] " + d.Summary(), "description": notify.Lines(d.Lines())},
		StartsAt:    d.At.Add(-time.Second).UTC(), EndsAt: d.At.UTC(), GeneratorURL: d.Page("status"),
	}
	switch {
	case d.Over && d.Loud:
		a.EndsAt = d.Until.UTC()
		return []outbox.Entry{d.Entry(outbox.Edit, message{All: []Alert{a}})}
	case d.Over:
		return nil
	case d.Loud:
		a.EndsAt = d.Until.UTC()
	}
	return []outbox.Entry{d.Entry(outbox.Post, message{All: []Alert{a}})}
}

// Kind describes Alertmanagers in slowburn.yaml.
func Kind() notify.Kind {
	return notify.Kind{
		Name: "alertmanager", Key: "alertmanagers", Title: "Alertmanager", HTTP: true, ByHost: true,
		Doc:  "Alertmanagers; each is told about everything.",
		One:  "An Alertmanager.",
		Keys: []notify.Key{{Name: "url", Form: notify.Address, Required: true, Doc: "The address, without /api/v2/alerts.", Example: "http://127.0.0.1:9093"}},
		New:  func(s notify.Settings) (notify.Receiver, error) { return New(s.Text("url"), s.Client, s.Now) },
	}
}

// Client is one Alertmanager. It is safe for concurrent use.
type Client struct {
	address *url.URL
	http    *http.Client
	now     func() time.Time

	// mu lets one request at a time through, so that a repetition never comes after the end of an
	// alert.
	mu    sync.Mutex
	ended map[string]message // by incident, for as long as they are repeated
}

var (
	_ notify.Receiver = (*Client)(nil)
	_ notify.Keeper   = (*Client)(nil)
	_ notify.Checker  = (*Client)(nil)
	_ outbox.Folder   = (*Client)(nil)
)

// New makes the receiver for the Alertmanager at an address, through a client that knows its
// credentials. now is the clock that alerts end by.
func New(address string, client *http.Client, now func() time.Time) (*Client, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, notify.Fail(outbox.Misconfigured, "the address of an Alertmanager is malformed")
	}
	return &Client{address: u, http: client, now: now, ended: map[string]message{}}, nil
}

// Deliver sends the state of one incident.
func (c *Client) Deliver(ctx context.Context, o outbox.Owed, _ outbox.Receipt) (outbox.Receipt, error) {
	var m message
	if json.Unmarshal(o.Body, &m) != nil {
		return outbox.Receipt{}, notify.Fail(outbox.Permanent, "an alert that cannot be read")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !m.Open {
		c.ended[o.Thread] = m // even if it does not arrive: it must not be kept open any more
	}
	if err := c.post(ctx, c.held(m)); err != nil {
		return outbox.Receipt{}, err
	}
	return outbox.Receipt{Channel: o.Receiver, TS: o.Thread}, nil
}

// Find cannot look anything up, and need not: an alert is told apart by its labels, so telling it
// twice is telling it once.
func (c *Client) Find(context.Context, []outbox.Owed, outbox.Receipt, time.Duration) (map[string][]outbox.Receipt, error) {
	return nil, outbox.ErrNoLookup
}

// Fold makes a message that waits show the newest state.
func (c *Client) Fold(_, edit outbox.Entry) json.RawMessage { return edit.Body }

// Keep repeats the open incidents given, and what has ended a short while ago, in one request.
func (c *Client) Keep(ctx context.Context, open []notify.Facts) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []Alert
	for _, f := range open {
		if _, over := c.ended[f.Incident.ID]; !over {
			all = append(all, c.held(message{Open: true, All: Alerts(f)})...)
		}
	}
	for id, m := range c.ended {
		if c.now().Sub(m.All[0].EndsAt) > lasting {
			delete(c.ended, id)
		}
		all = append(all, m.All...)
	}
	if len(all) == 0 {
		return nil
	}
	slices.SortFunc(all, func(a, b Alert) int {
		return strings.Compare(a.Labels["incident"]+a.Labels["severity"], b.Labels["incident"]+b.Labels["severity"])
	})
	return c.post(ctx, all)
}

// held returns the alerts of a message, the open one kept for a while from now on.
func (c *Client) held(m message) []Alert {
	all := slices.Clone(m.All)
	if m.Open {
		all[0].EndsAt = c.now().Add(Hold).UTC()
	}
	return all
}

// Check asks the Alertmanager for its status.
func (c *Client) Check(ctx context.Context) error {
	answer, err := notify.Get(ctx, c.http, c.address.JoinPath("/api/v2/status").String())
	if err != nil {
		return err
	}
	return answer.Failure()
}

// post sends alerts. The API answers 200, 400 for what it will never take, and 5xx for its own
// trouble.
func (c *Client) post(ctx context.Context, all []Alert) error {
	answer, err := notify.Post(ctx, c.http, c.address.JoinPath("/api/v2/alerts").String(), nil, notify.JSON(all))
	if err != nil {
		return err
	}
	return answer.Failure()
}
