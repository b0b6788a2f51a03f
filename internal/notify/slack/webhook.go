package slack

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/internal/notify"
	"github.com/slowburn-sre/slowburn/internal/outbox"
)

// Webhook is the degraded receiver, for those who have no bot: an incoming webhook. It is bound to
// one channel and answers no time stamp, so there are no edits (they are skipped), no threads
// (replies become messages; each is a whole sentence), and no looking up (what may have arrived is
// sent again, marked as a possible repeat).
type Webhook struct {
	address Secret
	http    *http.Client
}

var _ outbox.Receiver = (*Webhook)(nil)

// NewWebhook makes the receiver for a webhook's address. A nil client is replaced by one that is
// bounded in time and size.
func NewWebhook(address Secret, client *http.Client) (*Webhook, error) {
	if address == "" {
		return nil, errors.New("no address of a Slack webhook; set slack.webhook_url_file")
	}
	if err := notify.Encrypted("the Slack webhook", address.Reveal()); err != nil {
		return nil, err
	}
	if client == nil {
		client = httpClient()
	}
	return &Webhook{address, client}, nil
}

// Find cannot look anything up.
func (w *Webhook) Find(context.Context, []outbox.Owed, outbox.Receipt, time.Duration) (map[string][]outbox.Receipt, error) {
	return nil, outbox.ErrNoLookup
}

// Deliver posts one message. An edit of a message that was posted is needless.
func (w *Webhook) Deliver(ctx context.Context, o outbox.Owed, root outbox.Receipt) (outbox.Receipt, error) {
	if o.Op == outbox.Edit && !root.None() {
		return outbox.Receipt{}, outbox.ErrNeedless
	}
	body, err := parseBody(o.Body)
	if err != nil {
		return outbox.Receipt{}, notify.Fail(outbox.Permanent, "a message that cannot be read")
	}
	if o.Repeat {
		body = body.repeated()
	}
	for _, form := range body.forms() {
		if err = w.post(ctx, form); err == nil {
			return outbox.Receipt{Channel: o.Channel}, nil
		}
		if outbox.FailureOf(err).Class != outbox.Degrade {
			break
		}
	}
	return outbox.Receipt{}, err
}

// post sends one form. Success is the word "ok": a webhook answers some errors with status 200.
func (w *Webhook) post(ctx context.Context, b Body) error {
	return postJSON(ctx, w.http, w.address.Reveal(), map[string]any{"text": b.Text, "blocks": append([]Block{}, b.Blocks...), "unfurl_links": false, "unfurl_media": false})
}

// postJSON sends a payload to one of Slack's hooks. Its error never holds the address, which is a
// secret.
func postJSON(ctx context.Context, client *http.Client, address string, payload any) error {
	text, err := json.Marshal(payload)
	if err != nil {
		return notify.Fail(outbox.Permanent, "a message that cannot be written")
	}
	answer, err := notify.Post(ctx, client, address, nil, text)
	if err != nil {
		return err
	}
	return webhookFailure(answer)
}

// webhookFailure sorts the answer of a webhook; a success is nil.
func webhookFailure(a notify.Answer) error {
	word := strings.TrimSpace(string(a.Body))
	class, known := errorClasses[word]
	switch {
	case a.Status == http.StatusOK && word == "ok":
		return nil
	case a.Status == http.StatusTooManyRequests:
		return &outbox.Failure{Class: outbox.RateLimited, Reason: "ratelimited", After: a.After}
	case known && word != "":
		return notify.Fail(class, word)
	case a.Status == http.StatusOK:
		return notify.Fail(outbox.Ambiguous, "unreadable answer")
	}
	return statusFailure(a.Status)
}
