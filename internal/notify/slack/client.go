package slack

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	goslack "github.com/slack-go/slack"

	"github.com/slowburn-sre/slowburn/internal/notify"
	"github.com/slowburn-sre/slowburn/internal/outbox"
)

// Secret is a token or a webhook's address; it never shows.
type Secret = notify.Secret

// Config is what a [Client] needs.
type Config struct {
	Token  Secret
	APIURL string // default https://slack.com/api/
	// Fallback is a channel for root messages whose own channel is archived, unknown or closed to
	// the app. Empty: they wait until somebody puts that right.
	Fallback string
	HTTP     *http.Client // default: bounded in time and size, without redirects
}

// Client is the receiver that speaks to Slack as a bot. It posts, edits, replies, and finds its own
// messages again. It is safe for concurrent use.
type Client struct {
	api      *goslack.Client
	address  string // of the API
	fallback string
	clock    *notify.Clock // Slack's

	mu        sync.Mutex
	ids       map[string]string // channel IDs by the name in the configuration
	workspace string            // address of its pages, "" until Introduce has asked
	// chartless is when the workspace was last seen to take a message only without its chart,
	// pictureless when it refused a picture in its place; in seconds since the epoch.
	chartless, pictureless atomic.Int64
}

var (
	_ outbox.Receiver = (*Client)(nil)
	_ outbox.Pointer  = (*Client)(nil)
)

// New makes a client. It connects to nothing.
func New(c Config) (*Client, error) {
	if c.Token == "" {
		return nil, errors.New("no Slack bot token; set slack.bot_token_file or SLACK_BOT_TOKEN")
	}
	c.APIURL = cmp.Or(c.APIURL, goslack.APIURL)
	if err := notify.Encrypted("slack.api_url", c.APIURL); err != nil {
		return nil, err
	}
	if c.HTTP == nil {
		c.HTTP = httpClient()
	}
	clock := &notify.Clock{}
	c.HTTP = clock.Watch(c.HTTP)
	address := strings.TrimSuffix(c.APIURL, "/") + "/"
	// OptionRetry stays off: the library would post a message again after a reset.
	api := goslack.New(c.Token.Reveal(), goslack.OptionAPIURL(address), goslack.OptionHTTPClient(c.HTTP))
	return &Client{api: api, address: address, fallback: c.Fallback, clock: clock, ids: map[string]string{}}, nil
}

// Deliver sends one message, in the best form that Slack takes.
func (c *Client) Deliver(ctx context.Context, o outbox.Owed, root outbox.Receipt) (outbox.Receipt, error) {
	body, err := parseBody(o.Body)
	if err != nil {
		return outbox.Receipt{}, notify.Fail(outbox.Permanent, "a message that cannot be read")
	}
	if o.Repeat {
		body = body.repeated()
	}
	if root.TS != "" && o.Op == outbox.Edit {
		if body.Delete {
			return c.remove(ctx, root)
		}
		return c.inForms(ctx, body, func(b Body) (outbox.Receipt, error) { return c.update(ctx, b, root) })
	}
	if body.Delete {
		return outbox.Receipt{}, outbox.ErrNeedless // it was never there
	}
	to := target{channel: cmp.Or(root.Channel, o.Channel), thread: root.TS}
	receipt, err := c.postTo(ctx, to, o.Key, body)
	if f := outbox.FailureOf(err); err != nil && to.thread == "" && c.fallback != "" && to.channel != c.fallback && slices.Contains(channelErrors, f.Reason) {
		receipt, err = c.postTo(ctx, target{channel: c.fallback}, o.Key, body.instead(o.Channel, f.Reason))
		if err == nil {
			receipt.Refused = f.Error()
		}
		return receipt, err
	}
	if err == nil && to.channel == o.Channel {
		c.learn(o.Channel, receipt.Channel)
	}
	return receipt, err
}

// target is where a new message goes: a channel, and a thread in it or "".
type target struct{ channel, thread string }

func (c *Client) postTo(ctx context.Context, to target, key string, body Body) (outbox.Receipt, error) {
	return c.inForms(ctx, body, func(b Body) (outbox.Receipt, error) { return c.post(ctx, to, key, b) })
}

// inForms tries ever plainer forms while Slack refuses the form. It is bounded by the number of
// forms.
func (c *Client) inForms(ctx context.Context, body Body, send func(Body) (outbox.Receipt, error)) (receipt outbox.Receipt, err error) {
	forms := body.forms()
	if body.has("data_visualization") {
		if !lately(&c.chartless) {
			if receipt, err = send(forms[0]); err == nil || outbox.FailureOf(err).Class != outbox.Degrade {
				return receipt, err
			}
		}
		forms = body.without("data_visualization").forms()
		if form, ok := c.pictured(ctx, body); ok {
			forms = append([]Body{form}, forms...)
		}
		defer func() {
			if err == nil { // without the chart it passed
				c.chartless.Store(time.Now().Unix())
			}
		}()
	}
	for _, form := range forms {
		if receipt, err = send(form); err == nil || outbox.FailureOf(err).Class != outbox.Degrade {
			return receipt, err
		}
	}
	return receipt, err
}

// chartsAgain is how long a workspace that refused a chart, or a picture, is sent none: charts come
// to workspaces by and by.
const chartsAgain = 24 * time.Hour

// lately reports whether something was refused less than that ago.
func lately(refused *atomic.Int64) bool {
	return time.Since(time.Unix(refused.Load(), 0)) < chartsAgain
}

func (c *Client) post(ctx context.Context, to target, key string, b Body) (outbox.Receipt, error) {
	m := b.metadata(key)
	payload := make(map[string]any, len(m.Payload))
	for k, v := range m.Payload {
		payload[k] = v
	}
	opts := append(b.options(), goslack.MsgOptionMetadata(goslack.SlackMetadata{EventType: m.Type, EventPayload: payload}))
	if to.thread != "" {
		opts = append(opts, goslack.MsgOptionTS(to.thread))
		if b.Broadcast {
			opts = append(opts, goslack.MsgOptionBroadcast())
		}
	}
	channel, ts, err := c.api.PostMessageContext(ctx, to.channel, opts...)
	return c.linked(receiptOf(channel, ts, err))
}

// remove deletes a message; one that is gone already is as well.
func (c *Client) remove(ctx context.Context, root outbox.Receipt) (outbox.Receipt, error) {
	if _, _, err := c.api.DeleteMessageContext(ctx, root.Channel, root.TS); err != nil {
		if f := failureOf(err); f.Class != outbox.TargetGone {
			return outbox.Receipt{}, f
		}
	}
	return root, nil
}

// update edits a root message. The metadata is left out, which keeps what it had: the key of its
// post.
func (c *Client) update(ctx context.Context, b Body, root outbox.Receipt) (outbox.Receipt, error) {
	channel, ts, _, err := c.api.UpdateMessageContext(ctx, root.Channel, root.TS, b.options()...)
	r, err := c.linked(receiptOf(channel, ts, err))
	r.Shared = root.Shared
	return r, err
}

// Point lets a message say nothing but that it goes on at another one.
func (c *Client) Point(ctx context.Context, from, to outbox.Receipt) error {
	to, _ = c.linked(to, nil)
	_, err := c.update(ctx, continued(to.Link), from)
	return err
}

// Introduce asks once where the workspace has its pages, so that receipts carry a link. It needs no
// permission, and no delivery waits for it.
func (c *Client) Introduce(ctx context.Context) error {
	c.mu.Lock()
	known := c.workspace != ""
	c.mu.Unlock()
	if known {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookupLimit)
	defer cancel()
	r, err := c.api.AuthTestContext(ctx)
	if err != nil {
		return failureOf(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.workspace = r.URL
	return nil
}

// linked adds where the message is shown, once the workspace is known.
func (c *Client) linked(r outbox.Receipt, err error) (outbox.Receipt, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if address, ok := safeURL(c.workspace); ok && err == nil {
		r.Link = strings.TrimSuffix(address, "/") + "/archives/" + r.Channel + "/p" + strings.ReplaceAll(r.TS, ".", "")
	}
	return r, err
}

// receiptOf believes in nothing but a time stamp: Slack's library takes "{}" for a success.
func receiptOf(channel, ts string, err error) (outbox.Receipt, error) {
	if err != nil || ts == "" {
		return outbox.Receipt{}, failureOf(err)
	}
	return outbox.Receipt{Channel: channel, TS: ts}, nil
}

func (b Body) options() []goslack.MsgOption {
	blocks := make([]goslack.Block, len(b.Blocks))
	for i, raw := range b.Blocks {
		blocks[i] = rawBlock(raw)
	}
	return []goslack.MsgOption{
		goslack.MsgOptionText(b.Text, false), // escaped where it was composed
		goslack.MsgOptionBlocks(blocks...),   // none clears what an edited message had
		goslack.MsgOptionDisableLinkUnfurl(),
		goslack.MsgOptionDisableMediaUnfurl(),
	}
}

// rawBlock hands a finished block to the library.
type rawBlock json.RawMessage

func (b rawBlock) BlockType() goslack.MessageBlockType {
	return goslack.MessageBlockType(kindOf(Block(b)))
}
func (b rawBlock) ID() string                   { return "" }
func (b rawBlock) MarshalJSON() ([]byte, error) { return b, nil }

func (c *Client) learn(name, id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ids[name] = id
}
