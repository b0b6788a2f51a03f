package slack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/slowburn-sre/slowburn/internal/outbox"
)

// Webhook is the degraded leg, for those who have no bot: an incoming webhook. It is bound to
// one channel and answers no time stamp, so there are no edits (they are skipped), no threads
// (replies become messages; each is a whole sentence), and no looking up (what may have arrived is sent
// again, marked as a possible repeat).
type Webhook struct {
	address Secret
	http    *http.Client
}

var _ outbox.Leg = (*Webhook)(nil)

// NewWebhook makes the leg for a webhook's address. A nil client is replaced by one that is bounded in time and size.
func NewWebhook(address Secret, client *http.Client) (*Webhook, error) {
	if address == "" {
		return nil, errors.New("no address of a Slack webhook; set slack.webhook_url_file")
	}
	if err := checkAddress("the Slack webhook", address.Reveal()); err != nil {
		return nil, err
	}
	if client == nil {
		client = httpClient()
	}
	return &Webhook{address, client}, nil
}

// Find cannot look anything up.
func (w *Webhook) Find(context.Context, []outbox.Owed, outbox.Receipt) (map[string]outbox.Receipt, error) {
	return nil, outbox.ErrNoLookup
}

// Deliver posts one message. An edit of a message that was posted is needless.
func (w *Webhook) Deliver(ctx context.Context, o outbox.Owed, root outbox.Receipt) (outbox.Receipt, error) {
	if o.Op == outbox.Edit && !root.None() {
		return outbox.Receipt{}, outbox.ErrNeedless
	}
	body, err := parseBody(o.Body)
	if err != nil {
		return outbox.Receipt{}, fail(outbox.Permanent, "a message that cannot be read")
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

// postJSON sends a payload to one of Slack's hooks. Its error never holds the address, which is a secret.
func postJSON(ctx context.Context, client *http.Client, address string, payload any) error {
	text, err := json.Marshal(payload)
	if err != nil {
		return fail(outbox.Permanent, "a message that cannot be written")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(text))
	if err != nil {
		return fail(outbox.Misconfigured, "the webhook's address")
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return networkFailure(err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	if err != nil {
		return networkFailure(err)
	}
	return webhookFailure(resp, strings.TrimSpace(string(answer)))
}

// webhookFailure is nil for a success.
func webhookFailure(resp *http.Response, answer string) error {
	if resp.StatusCode == http.StatusOK && answer == "ok" {
		return nil
	}
	if resp.StatusCode == http.StatusTooManyRequests {
		return &outbox.Failure{Class: outbox.RateLimited, Reason: "ratelimited", After: oddSeconds(resp.Header.Get("Retry-After"))}
	}
	if class, known := errorClasses[answer]; known && answer != "" {
		return fail(class, answer)
	}
	if resp.StatusCode == http.StatusOK {
		return fail(outbox.Ambiguous, "unreadable answer")
	}
	return statusFailure(resp.StatusCode)
}
