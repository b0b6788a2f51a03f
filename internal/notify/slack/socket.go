package slack

import (
	"context"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	goslack "github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"

	"github.com/slowburn-sre/slowburn/internal/notify"
)

// Socket Mode turns the direction round: slowburn connects to Slack and deliveries come in over
// that connection, so nothing has to be reachable from outside. Slack ends each connection after
// some hours, and now and then one falls silent; the library notices both and connects again. Three
// things it leaves to us: not to connect again and again when every connection ends at once, to
// bound what Slack asks it to wait, and to go on after a refused token.

const (
	longestFrame = 1 << 20         // bytes of one delivery
	refusedPause = 5 * time.Minute // before a refused token is tried again: somebody may put it right
	longestPause = time.Minute     // between two connections
)

// socketTiming is what tests make shorter.
type socketTiming struct {
	pings time.Duration // Slack pings every few seconds; after this long without, a connection is dead
	pause time.Duration // before the second connection, doubled while they do not last
}

var usualTiming = socketTiming{pings: 30 * time.Second, pause: time.Second}

// runSocket keeps a connection until ctx ends.
func (d *Desk) runSocket(ctx context.Context, by Doors) {
	for ctx.Err() == nil {
		client := newSocket(by.AppToken, by.address(), d.timing)
		err := d.listen(ctx, client)
		if ctx.Err() != nil {
			return
		}
		d.Log.Error("Slack refuses the app token (SLACK_APP_TOKEN or slack.app_token_file): no buttons and no /slowburn over Socket Mode", "err", failureOf(err))
		pause(ctx, refusedPause)
	}
}

// newSocket returns a client of Socket Mode that is not yet connected.
func newSocket(token Secret, address string, t socketTiming) *socketmode.Client {
	client := httpClient()
	client.Timeout += longestPause
	client.Transport = &paced{next: client.Transport, shortest: t.pause}
	api := goslack.New("", goslack.OptionAppLevelToken(token.Reveal()), goslack.OptionAPIURL(address), goslack.OptionHTTPClient(client))
	return socketmode.New(api, socketmode.OptionPingInterval(t.pings), socketmode.OptionReadLimit(longestFrame),
		socketmode.OptionLog(log.New(io.Discard, "", 0)))
}

// listen hears what comes in until the connection is given up for good.
func (d *Desk) listen(ctx context.Context, client *socketmode.Client) error {
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	all.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case e := <-client.Events:
				d.heard(ctx, client, e, &all)
			}
		}
	})
	err := client.RunContext(ctx)
	cancel()
	all.Wait()
	return err
}

// heard takes one event. Nothing here may wait: the library answers Slack's pings only while events
// are taken.
func (d *Desk) heard(ctx context.Context, client *socketmode.Client, e socketmode.Event, all *sync.WaitGroup) {
	switch e.Type {
	case socketmode.EventTypeHello:
		d.Log.Info("connected to Slack by Socket Mode", "connections", e.Request.NumConnections)
	case socketmode.EventTypeConnectionError:
		if failed, ok := e.Data.(*goslack.ConnectionErrorEvent); ok {
			d.Log.Warn("Socket Mode cannot connect", "err", failureOf(failed.ErrorObj), "again_in", failed.Backoff)
		}
	case socketmode.EventTypeInteractive, socketmode.EventTypeSlashCommand:
		all.Go(func() { d.delivered(ctx, client, e) })
	default:
		d.Log.Debug("Socket Mode", "event", string(e.Type))
	}
}

// delivered does what an envelope asks for, and acknowledges it. One that cannot be taken is left
// alone, so that Slack tells the person.
func (d *Desk) delivered(ctx context.Context, client *socketmode.Client, e socketmode.Event) {
	in := d.doors.Load()
	if in.Client == nil {
		return // the doors were shut meanwhile
	}
	j, ours, err := d.socketJob(in, e)
	if err != nil || !ours {
		_ = client.AckCtx(ctx, e.Request.EnvelopeID, nil)
		return
	}
	o, err := d.take(j)
	if err != nil {
		d.Log.Warn("a delivery of Slack was turned away", "err", err)
		return
	}
	var words any
	if o.say != nil && j.inline {
		words = o.say.ephemeral()
	}
	if err := client.AckCtx(ctx, e.Request.EnvelopeID, words); err != nil && ctx.Err() == nil { // too long to be said in an acknowledgement
		_ = client.AckCtx(ctx, e.Request.EnvelopeID, nil)
		d.respond(ctx, j.hook, *o.say)
	}
}

func (d *Desk) socketJob(in *doors, e socketmode.Event) (job, bool, error) {
	if e.Type == socketmode.EventTypeInteractive {
		return d.interactionJob(in, e.Request.Payload)
	}
	var fields map[string]any
	if err := json.Unmarshal(e.Request.Payload, &fields); err != nil {
		return job{}, false, errMalformed
	}
	form := url.Values{}
	for k, v := range fields {
		if text, ok := v.(string); ok {
			form.Set(k, text)
		}
	}
	return d.commandJob(in, form)
}

// pause waits, but not longer than ctx lasts.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// paced keeps apps.connections.open, the first step of every connection, from being called in a
// tight loop, and bounds what its answers may ask the library to wait.
type paced struct {
	next     http.RoundTripper
	shortest time.Duration

	mu     sync.Mutex
	last   time.Time
	length time.Duration // of the next pause
}

func (p *paced) RoundTrip(r *http.Request) (*http.Response, error) {
	p.mu.Lock()
	since := time.Since(p.last)
	if p.length = min(max(2*p.length, p.shortest), longestPause); since > 2*longestPause {
		p.length = 0
	}
	length := p.length - since
	p.mu.Unlock()
	if length > 0 {
		pause(r.Context(), length)
	}
	p.mu.Lock()
	p.last = time.Now()
	p.mu.Unlock()
	resp, err := p.next.RoundTrip(r)
	if err == nil && resp.Header.Get("Retry-After") != "" {
		seconds := min(notify.Seconds(strings.TrimSpace(resp.Header.Get("Retry-After"))), refusedPause).Seconds()
		resp.Header.Set("Retry-After", strconv.Itoa(max(int(seconds), 1)))
	}
	return resp, err
}
