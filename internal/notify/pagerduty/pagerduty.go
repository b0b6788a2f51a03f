// Package pagerduty tells PagerDuty, by its Events API v2.
//
// An incident of slowburn's is an alert of PagerDuty's: its ID is the dedup_key, so a trigger that
// is sent twice is one alert, and what may have arrived is simply sent again. What follows on the
// trigger (acknowledge, resolve) is an edit of the alert's state: of several that wait only the
// newest matters, and an incident that was over before PagerDuty could be reached wakes nobody.
package pagerduty

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/markdown"
	"github.com/slowburn-sre/slowburn/internal/notify"
	"github.com/slowburn-sre/slowburn/internal/outbox"
)

// The endpoints of the API, by service region.
const (
	US = "https://events.pagerduty.com/v2/enqueue"
	EU = "https://events.eu.pagerduty.com/v2/enqueue"
)

// Limits of the API. Link texts and addresses are bounded so that the whole stays far below
// maxSize.
const (
	maxKey     = 255     // characters of a dedup_key
	maxSummary = 1024    // characters
	maxDetail  = 8 << 10 // characters of one custom detail
	maxSize    = 512_000 // bytes of the whole event
)

// Event is what the API takes, without the routing key, which is no part of what is stored.
type Event struct {
	Action    string   `json:"event_action,omitempty"` // trigger, acknowledge or resolve; change is none of PagerDuty's
	DedupKey  string   `json:"dedup_key,omitempty"`
	Client    string   `json:"client,omitempty"`
	ClientURL string   `json:"client_url,omitempty"`
	Links     []Link   `json:"links,omitempty"`
	Payload   *Payload `json:"payload,omitempty"` // of a trigger only
}

// Link is an address with words.
type Link struct {
	HRef string `json:"href"`
	Text string `json:"text"`
}

// Payload describes the alert, in PagerDuty's common event format.
type Payload struct {
	Summary   string            `json:"summary"`
	Source    string            `json:"source"`             // the SLO
	Severity  string            `json:"severity,omitempty"` // critical, error, warning or info; a change event has none
	Timestamp time.Time         `json:"timestamp"`          // when it was decided
	Component string            `json:"component,omitempty"`
	Group     string            `json:"group,omitempty"` // the owner
	Class     string            `json:"class,omitempty"` // the rule that fired
	Details   map[string]string `json:"custom_details,omitempty"`
}

// Event composes what PagerDuty is told about an event: the beginning of an incident, once, and its
// end. A notice opens nothing that anybody could resolve, and newer figures are no news to a pager.
func (*Client) Event(f notify.Facts) []outbox.Entry {
	switch {
	case f.Event.Kind == alerting.Noticed:
		return nil
	case f.Incident.Open:
		return []outbox.Entry{f.Begin(trigger(f))}
	}
	return []outbox.Entry{f.FollowUp(outbox.Edit, Event{Action: "resolve", DedupKey: dedupKey(f.Incident.ID)})}
}

// Acknowledged composes what tells PagerDuty that somebody has taken the incident.
func (*Client) Acknowledged(f notify.Facts, a alerting.Act) []outbox.Entry {
	return []outbox.Entry{f.ActEntry(a, outbox.Edit, Event{Action: "acknowledge", DedupKey: dedupKey(f.Incident.ID)})}
}

// Notice composes an alert about a way that takes no pages, and its end.
func (*Client) Notice(n notify.Notice) []outbox.Entry {
	key := dedupKey(n.Thread())
	if n.Over {
		return []outbox.Entry{n.Entry(outbox.Edit, Event{Action: "resolve", DedupKey: key})}
	}
	return []outbox.Entry{n.Entry(outbox.Post, Event{Action: "trigger", DedupKey: key, Client: "slowburn", ClientURL: n.Page("status"), Payload: &Payload{
		Summary: markdown.Cut(n.State()+": "+n.Summary(), maxSummary), Source: "slowburn", Severity: "error", Timestamp: n.At.UTC(), Class: "paging",
		Details: map[string]string{"description": markdown.Cut(notify.Lines(n.Lines()), maxDetail)},
	}})}
}

// Drill composes a drill. A silent one is a change event, which PagerDuty takes by the same key and
// shows, and of which it tells nobody. A loud one is an alert, and its end.
func (*Client) Drill(d notify.Drill) []outbox.Entry {
	e := Event{Action: "trigger", DedupKey: dedupKey(d.ID), Client: "slowburn", ClientURL: d.Page("status"), Payload: &Payload{
		Summary: markdown.Cut("["+d.State()+"] "+d.Summary(), maxSummary), Source: "slowburn", Severity: "critical", Timestamp: d.At.UTC(), Class: "drill",
		Details: map[string]string{"description": markdown.Cut(notify.Lines(d.Lines()), maxDetail)},
	}}
	switch {
	case d.Over && d.Loud:
		return []outbox.Entry{d.Entry(outbox.Edit, Event{Action: "resolve", DedupKey: e.DedupKey})}
	case d.Over:
		return nil
	case !d.Loud:
		e = Event{Action: change, DedupKey: e.DedupKey, Payload: &Payload{Summary: e.Payload.Summary, Source: "slowburn", Timestamp: d.At.UTC(), Details: e.Payload.Details}}
	}
	return []outbox.Entry{d.Entry(outbox.Post, e)}
}

// change marks an event that goes to the endpoint of change events, which know no action.
const change = "change"

func trigger(f notify.Facts) Event {
	f.Unedited = true
	e := Event{
		Action: "trigger", DedupKey: dedupKey(f.Incident.ID), Client: "slowburn", ClientURL: cmp.Or(f.IncidentURL(), f.SLOURL()),
		Payload: &Payload{
			Summary: markdown.Cut(f.Summary(), maxSummary), Source: string(f.Event.SLO), Severity: severity(f.Severity()),
			Timestamp: f.Event.Time().UTC(), Component: f.Spec.Service, Group: f.Spec.Owner, Class: string(f.Event.Rule),
			Details: map[string]string{"description": markdown.Cut(f.Description(), maxDetail), "incident": f.Incident.ID},
		},
	}
	for name, value := range f.Labels() {
		e.Payload.Details[name] = markdown.Cut(value, maxDetail)
	}
	for _, l := range f.Links() {
		e.Links = append(e.Links, Link{HRef: l.URL, Text: l.Text})
	}
	return e
}

// severity returns PagerDuty's word for ours.
func severity(s alerting.Severity) string {
	switch s {
	case alerting.Page:
		return "critical"
	case alerting.Ticket:
		return "warning"
	case alerting.Notice:
	}
	return "info"
}

// dedupKey returns the incident's ID, or where that is too long as much of it as fits and a hash.
func dedupKey(incident string) string {
	if utf8.RuneCountInString(incident) <= maxKey {
		return incident
	}
	sum := sha256.Sum256([]byte(incident))
	hash := hex.EncodeToString(sum[:16])
	return string([]rune(incident)[:maxKey-len(hash)-1]) + "/" + hash
}

// Kind describes the integrations of PagerDuty in slowburn.yaml.
func Kind() notify.Kind {
	return notify.Kind{
		Name: "pagerduty", Key: "pagerduty", Title: "PagerDuty", Pager: true,
		Doc: "PagerDuty: one integration key of its Events API v2, or a list of them with names.",
		One: "An integration of PagerDuty's Events API v2.",
		Keys: []notify.Key{
			{Name: "routing_key", Form: notify.SecretFile, Required: true, Doc: "A file with the integration key, 32 letters and digits.", Example: "secrets/pagerduty"},
			{Name: "url", Form: notify.Address, Doc: "The address of the API; for the EU service region " + EU + ".", Example: US},
		},
		New: func(s notify.Settings) (notify.Receiver, error) { return New(s.Values["routing_key"], s.Text("url")) },
	}
}

// Client is the receiver. It is safe for concurrent use.
type Client struct {
	key     notify.Secret
	address string
	http    *http.Client
}

var (
	_ notify.Receiver = (*Client)(nil)
	_ notify.Prober   = (*Client)(nil)
	_ outbox.Folder   = (*Client)(nil)
)

var keyForm = regexp.MustCompile(`^[A-Za-z0-9]{32}$`)

// New makes the receiver for a routing key (an integration key of type Events API v2). An empty
// address is US.
func New(key notify.Secret, address string) (*Client, error) {
	if !keyForm.MatchString(key.Reveal()) {
		return nil, errors.New("the PagerDuty routing key must be 32 letters and digits: the integration key of an Events API v2 integration")
	}
	address = cmp.Or(address, US)
	if err := notify.Encrypted("the address of PagerDuty", address); err != nil {
		return nil, err
	}
	return &Client{key: key, address: address, http: notify.NewClient()}, nil
}

// Probe asks whether PagerDuty answers; what it takes, only an event tells.
func (c *Client) Probe(ctx context.Context) error { return notify.Probe(ctx, c.http, c.address) }

// Deliver sends one event. PagerDuty merges what has the same key, so nothing is marked as a
// repeat.
func (c *Client) Deliver(ctx context.Context, o outbox.Owed, _ outbox.Receipt) (outbox.Receipt, error) {
	var e Event
	if json.Unmarshal(o.Body, &e) != nil {
		return outbox.Receipt{}, notify.Fail(outbox.Permanent, "an event that cannot be read")
	}
	err := c.send(ctx, e)
	if f := outbox.FailureOf(err); err != nil && f.Class == outbox.Degrade && e.Payload != nil {
		// The sentence arrives, whatever is wrong with the rest.
		e.Links, e.ClientURL, e.Payload.Details = nil, "", nil
		err = c.send(ctx, e)
	}
	if f := outbox.FailureOf(err); err != nil && f.Class == outbox.Degrade {
		err = notify.Fail(outbox.Permanent, f.Reason)
	}
	if err != nil {
		return outbox.Receipt{}, err
	}
	return outbox.Receipt{Channel: o.Receiver, TS: e.DedupKey}, nil
}

// Find cannot look anything up: the API only takes events.
func (c *Client) Find(context.Context, []outbox.Owed, outbox.Receipt, time.Duration) (map[string][]outbox.Receipt, error) {
	return nil, outbox.ErrNoLookup
}

// Fold makes a trigger that was not sent in time the resolve that follows it: PagerDuty drops what
// resolves an alert it does not know, and closes one whose trigger did arrive.
func (c *Client) Fold(_, edit outbox.Entry) json.RawMessage {
	var e Event
	if json.Unmarshal(edit.Body, &e) != nil || e.Action != "resolve" {
		return nil
	}
	return edit.Body
}

// send makes one request. What PagerDuty documents: 202 is accepted, 400 an event it will never
// take, 429 too many at a time, and 5xx its own trouble, after which sending again is safe.
func (c *Client) send(ctx context.Context, e Event) error {
	address := c.address
	if e.Action == change {
		e.Action, e.DedupKey = "", ""
		address = strings.TrimSuffix(address, "/enqueue") + "/change/enqueue"
	}
	body := notify.JSON(struct {
		Key string `json:"routing_key"`
		Event
	}{c.key.Reveal(), e})
	if len(body) > maxSize {
		return notify.Fail(outbox.Degrade, "too large")
	}
	answer, err := notify.Post(ctx, c.http, address, nil, body)
	if err != nil {
		return err
	}
	switch {
	case answer.Status == http.StatusBadRequest && strings.Contains(string(answer.Body), "routing"):
		return notify.Fail(outbox.Misconfigured, "the routing key is refused")
	case answer.Status == http.StatusBadRequest, answer.Status == http.StatusRequestEntityTooLarge:
		return notify.Fail(outbox.Degrade, "http 400: invalid event")
	}
	return answer.Failure()
}
