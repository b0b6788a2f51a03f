// Package webhook tells any program that takes an HTTP request: one POST per event, a JSON document
// of a documented form ([api.Message]), signed as standardwebhooks.com describes.
//
// The events of an incident come in the order in which they happened, each under an ID of its own
// that stays the same however often it is sent. A receiver that keeps the IDs it has seen takes
// every event once; a repetition whose first attempt may have arrived says so in a header.
package webhook

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/notify"
	"github.com/slowburn-sre/slowburn/internal/outbox"
)

// The headers of a request. Signature and its relatives are those of Standard Webhooks.
const (
	HeaderID        = "Webhook-Id"        // the same for every attempt: the idempotency key
	HeaderTimestamp = "Webhook-Timestamp" // of the attempt, in seconds since 1970
	HeaderSignature = "Webhook-Signature" // "v1," and the base64 of HMAC-SHA256 over id.timestamp.body; absent without a secret
	HeaderRepeat    = "Slowburn-Repeat"   // "1" if an earlier attempt may have arrived
)

// Config is what a [Client] needs.
type Config struct {
	URL    notify.Secret // may hold a token
	Secret notify.Secret // signs the requests, "" signs none; whsec_ and base64, or any text of at least 16 characters
	HTTP   *http.Client
	Now    func() time.Time // stamps the attempts
}

// Client is the receiver. It is safe for concurrent use.
type Client struct {
	address notify.Secret
	key     []byte
	http    *http.Client
	now     func() time.Time
}

var (
	_ notify.Receiver = (*Client)(nil)
	_ notify.Prober   = (*Client)(nil)
)

// New makes the receiver. It connects to nothing, and will connect to nothing but the given
// address: redirects are failures. A nil HTTP is replaced by a client that is bounded in time.
func New(c Config) (*Client, error) {
	if _, err := notify.ParseAddress("the address of a webhook", c.URL.Reveal()); err != nil {
		return nil, err
	}
	key, err := keyOf(c.Secret)
	if err != nil {
		return nil, err
	}
	if c.HTTP == nil {
		c.HTTP = notify.NewClient()
	}
	return &Client{address: c.URL, key: key, http: notify.Stay(c.HTTP), now: c.Now}, nil
}

// Probe asks whether anybody answers at the address; what is taken there, only a message tells.
func (c *Client) Probe(ctx context.Context) error {
	return notify.Probe(ctx, c.http, c.address.Reveal())
}

// minSecret is the shortest text that is taken for a secret, in bytes.
const minSecret = 16

func keyOf(s notify.Secret) ([]byte, error) {
	text := s.Reveal()
	if text == "" {
		return nil, nil
	}
	key := []byte(text)
	if encoded, ok := strings.CutPrefix(text, "whsec_"); ok {
		var err error
		if key, err = base64.StdEncoding.DecodeString(encoded); err != nil {
			return nil, errors.New("the webhook's secret begins with whsec_ and is not base64 after it")
		}
	}
	if len(key) < minSecret {
		return nil, errors.New("the webhook's secret is shorter than 16 bytes; make one with: openssl rand -base64 32")
	}
	return key, nil
}

// Kind describes webhooks in slowburn.yaml.
func Kind() notify.Kind {
	return notify.Kind{
		Name: "webhook", Key: "webhooks", Title: "webhook", HTTP: true,
		Doc: "Addresses that take a signed JSON document per event.",
		One: "An address that takes events.",
		Keys: []notify.Key{
			{Name: "url", Form: notify.SecretOrAddress, Required: true, Doc: "The address.", Example: "https://incidents.example.com/slowburn"},
			{Name: "secret", Form: notify.SecretFile, Doc: "A file with what the requests are signed with.", Example: "secrets/webhook"},
		},
		New: func(s notify.Settings) (notify.Receiver, error) {
			return New(Config{URL: s.Values["url"], Secret: s.Values["secret"], HTTP: s.Client, Now: s.Now})
		},
	}
}

// Event composes what a webhook is told about an event: the event, and before it, once, that the
// incident began.
func (*Client) Event(f notify.Facts) []outbox.Entry {
	if f.Incident.ID == "" || f.Event.Kind == alerting.Noticed {
		e := f.Entry(outbox.Post, nil)
		e.Thread = f.Event.Key() // it waits for nothing and nothing waits for it
		return []outbox.Entry{withMessage(e, f, TypeSpent)}
	}
	var entries []outbox.Entry
	if f.Incident.Open {
		entries = append(entries, withMessage(f.Begin(nil), f, TypeOpened))
	}
	if f.Event.Kind != alerting.Opened {
		entries = append(entries, withMessage(f.FollowUp(outbox.Reply, nil), f, typeOf[f.Event.Kind]))
	}
	return entries
}

// withMessage completes an entry, whose key is the message's ID.
func withMessage(e outbox.Entry, f notify.Facts, kind string) outbox.Entry {
	e.Body = notify.JSON(messageOf(f, kind, e.Key))
	return e
}

// Acknowledged composes what tells that somebody has taken the incident.
func (*Client) Acknowledged(f notify.Facts, a alerting.Act) []outbox.Entry {
	e := f.ActEntry(a, outbox.Reply, nil)
	m := messageOf(f, TypeAcknowledged, e.Key)
	m.Timestamp, m.AcknowledgedBy = f.Now.UTC(), a.By
	e.Body = notify.JSON(m)
	return []outbox.Entry{e}
}

// Notice composes what tells that another way takes no pages, or takes them again.
func (*Client) Notice(n notify.Notice) []outbox.Entry {
	e := n.Entry(outbox.Post, nil)
	m := api.Message{
		Version: Version, ID: e.Key, Type: TypePagingDown, Timestamp: n.At.UTC(), Summary: n.State() + ": " + n.Summary(),
		Severity: string(alerting.Page), Reason: n.Reason, Links: statusLink(n.Origin),
	}
	if n.Over {
		e.Op, m.Type = outbox.Reply, TypePagingUp
	}
	e.Body = notify.JSON(m)
	return []outbox.Entry{e}
}

// Drill composes a drill, and the end of a loud one.
func (*Client) Drill(d notify.Drill) []outbox.Entry {
	if d.Over && !d.Loud {
		return nil
	}
	e := d.Entry(outbox.Post, nil)
	m := api.Message{
		Version: Version, ID: e.Key, Type: TypeDrill, Timestamp: d.At.UTC(), Summary: "[" + d.State() + "] " + d.Summary(),
		Severity: string(alerting.Notice), Reason: "drill", AcknowledgedBy: d.By, Links: statusLink(d.Origin),
	}
	if d.Over {
		e.Op, m.Type = outbox.Reply, TypeDrillOver
	}
	e.Body = notify.JSON(m)
	return []outbox.Entry{e}
}

// statusLink returns the links of a message that is about no SLO.
func statusLink(o notify.Origin) map[string]string {
	if page := o.Page("status"); page != "" {
		return map[string]string{"status": page}
	}
	return nil
}

// Deliver sends one event.
func (c *Client) Deliver(ctx context.Context, o outbox.Owed, _ outbox.Receipt) (outbox.Receipt, error) {
	id, stamp := messageID(o.Key), strconv.FormatInt(c.now().Unix(), 10)
	header := http.Header{HeaderID: {id}, HeaderTimestamp: {stamp}}
	if c.key != nil {
		header.Set(HeaderSignature, Sign(c.key, id, stamp, o.Body))
	}
	if o.Repeat {
		header.Set(HeaderRepeat, "1")
	}
	answer, err := notify.Post(ctx, c.http, c.address.Reveal(), header, o.Body)
	if err == nil && answer.Status != http.StatusConflict { // by which a receiver says that it has it already
		err = answer.Failure()
	}
	if err != nil {
		return outbox.Receipt{}, err
	}
	return outbox.Receipt{Channel: o.Receiver, TS: id}, nil
}

// Find cannot look anything up.
func (c *Client) Find(context.Context, []outbox.Owed, outbox.Receipt, time.Duration) (map[string][]outbox.Receipt, error) {
	return nil, outbox.ErrNoLookup
}

// messageID returns the ID of a message in the headers: a key may hold any character, a header may
// not.
func messageID(key string) string {
	sum := sha256.Sum256([]byte(key))
	return "msg_" + hex.EncodeToString(sum[:16])
}

// Sign returns the signature of a body that is sent under an ID at a time, as a receiver computes
// it too.
func Sign(key []byte, id, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write([]byte(id + "." + timestamp + "."))
	_, _ = mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
