package slack

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/slo"
)

// Backend is the rest of slowburn, as far as people reach it from Slack. All but Do, Owe and
// Postmortem answer from memory.
type Backend interface {
	// Do writes down what a person did. An act whose key is known changes nothing. An error that is
	// a [Refusal] is shown to the person; ErrWaiting means that it waits for an answer; any other
	// means that nothing was written down.
	Do(context.Context, alerting.Act) error
	// Answer says what became of an act that waited, by its key, in the errors of Do.
	Answer(ctx context.Context, key string) error
	// Owe writes down messages that are to be sent, asked for by a key. One whose own key is known
	// is owed already.
	Owe(ctx context.Context, key string, entries []outbox.Entry) error
	// Incident is one incident, open or not; it is false if nobody knows it.
	Incident(ctx context.Context, id string) (alerting.Incident, bool)
	// Open are the incidents that have not ended, by ID.
	Open() []alerting.Incident
	// Standings are all budgets, by ID.
	Standings() []Standing
	// Gate is the error-budget policy's verdict on a service or an SLO; it is false if there is no
	// such thing.
	Gate(scope string) (alerting.Verdict, bool)
	// Now is what time it is, for decisions.
	Now() time.Time
	// Postmortem drafts an incident's postmortem, as Markdown.
	Postmortem(context.Context, alerting.Incident) (string, error)
}

// Refusal is an error that is meant for the person who asked: a sentence such as "The incident is
// over."
type Refusal string

// Error returns the sentence.
func (r Refusal) Error() string { return string(r) }

// ErrWaiting means that something is written down and waits for the process that leads.
var ErrWaiting = errors.New("it waits for whoever leads")

// Standing is one budget, as far as /slowburn tells of it.
type Standing struct {
	ID      slo.ID
	Spec    *slo.Spec
	Status  budget.Status
	Outlook budget.Outlook
	Data    string // state of the newest minute: ok, zero_traffic, absent, partial, error, or unseen
	Open    []alerting.Incident
}

// Doors are the ways by which presses and commands come in from Slack, and the bot that answers.
type Doors struct {
	Client *Client // who we are, people's names; nil shuts all doors, since nobody could be answered
	// AppToken opens Socket Mode; "" leaves it out. SigningSecrets are those that requests over
	// HTTP are signed with, more than one during a rotation; none refuses them all.
	AppToken       Secret
	SigningSecrets []Secret
	// MayAct says whose presses are taken.
	MayAct MayAct
}

// Open reports whether presses and commands can come in at all.
func (d Doors) Open() bool {
	return d.Client != nil && (d.AppToken != "" || len(d.SigningSecrets) > 0)
}

// DeskConfig is what a [Desk] is made of, beside its doors.
type DeskConfig struct {
	Backend Backend          // required
	Log     *slog.Logger     // nil discards
	Now     func() time.Time // the wall's clock, by which signatures age; nil is time.Now
}

// Desk takes what people do in Slack: the controls under a message, and /slowburn. It has two
// doors, [Desk.Handler] for signed requests and [Desk.Connect] for Socket Mode, and one way behind
// them. [Desk.SetDoors] exchanges the doors while it works.
//
// Slack waits three seconds for an answer and shows the person a failure after that. So the work is
// waited for a little, because an answer that comes after the act was written down is worth more,
// and then the request is acknowledged while the work goes on; what remains to be said is said to
// the response_url.
//
// Deliveries are told apart by what Slack says about the press itself: who, what, when. One that
// arrives twice, over whichever door, has one effect.
type Desk struct {
	DeskConfig
	hook   *http.Client // for response_urls
	timing socketTiming
	recent recent
	doors  atomic.Pointer[doors] // in use

	slots chan struct{} // one for each piece of work in flight
	mu    sync.Mutex
	shut  bool
	work  sync.WaitGroup
}

const (
	// patience is how long Slack is left waiting for the outcome, of the three seconds that it
	// waits at all.
	patience = 2 * time.Second
	// workLimit bounds one piece of work, answered or not.
	workLimit = 30 * time.Second
	// maxWork is how many pieces of work there are at a time. Who comes then is turned away.
	maxWork = 16
)

// doors are the doors in use, with what was learned through their client. A delivery is dealt with
// by the doors that it came in by.
type doors struct {
	Doors
	people people
	groups groups
	self   identityCache
	moved  chan struct{} // closed when Socket Mode is to be connected in another way, or not at all
}

// NewDesk makes a desk. It connects to nothing before Connect.
func NewDesk(c DeskConfig, ways Doors) *Desk {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	d := &Desk{DeskConfig: c, hook: httpClient(), timing: usualTiming, slots: make(chan struct{}, maxWork)}
	d.SetDoors(ways)
	return d
}

// SetDoors opens other doors in place of those before: what comes in from now on is checked by
// their secrets and answered by their client. Socket Mode stays connected if nothing about it has
// changed.
func (d *Desk) SetDoors(ways Doors) {
	if !ways.Open() {
		ways = Doors{}
	}
	next := &doors{Doors: ways, moved: make(chan struct{})}
	d.mu.Lock()
	defer d.mu.Unlock()
	switch before := d.doors.Load(); {
	case before == nil:
	case before.AppToken == next.AppToken && before.address() == next.address():
		next.moved = before.moved
	default:
		close(before.moved)
	}
	d.doors.Store(next)
}

// address returns where Slack's API is, "" without a client.
func (d Doors) address() string {
	if d.Client == nil {
		return ""
	}
	return d.Client.address
}

// Connect keeps Socket Mode connected, as long as there is a token for it, until ctx ends. It
// returns nil, and may be called again.
func (d *Desk) Connect(ctx context.Context) error {
	for ctx.Err() == nil {
		in := d.doors.Load()
		connected, cancel := context.WithCancel(ctx)
		go func() {
			select {
			case <-in.moved:
			case <-ctx.Done():
			}
			cancel()
		}()
		if in.AppToken != "" {
			d.runSocket(connected, in.Doors)
		}
		<-connected.Done()
	}
	return nil
}

// Run waits until ctx ends, then takes nothing any more and lets the work in flight finish, which
// is bounded. It returns nil.
func (d *Desk) Run(ctx context.Context) error {
	<-ctx.Done()
	d.mu.Lock()
	d.shut = true
	d.mu.Unlock()
	d.work.Wait()
	d.hook.CloseIdleConnections()
	return nil
}

// outcome is what came of a delivery.
type outcome struct {
	refused bool  // it was not meant for us: nothing is said
	say     *Body // to the person alone, nil for nothing
	// then finds out, after that, what is left to say; nil if nothing is.
	then func(context.Context) outcome
}

func says(b Body) outcome { return outcome{say: &b} }

// job is a delivery that was understood: what to do, and where to answer later.
type job struct {
	key  string // the same for every delivery of the same press
	hook string // response_url; "" if there is none
	// inline says that the acknowledgement itself can carry words, as for a command. Under a
	// message it cannot.
	inline bool
	do     func(context.Context) outcome
}

// errBusy says that too much is in flight.
var errBusy = errors.New("too much at a time")

// take does a job once, and returns what came of it if that is known within Slack's patience. The
// error is errBusy, and then nothing was done.
func (d *Desk) take(j job) (outcome, error) {
	if !d.begin() {
		return outcome{}, errBusy
	}
	if !d.recent.first(j.key, d.Now()) {
		d.end()
		return outcome{}, nil
	}
	done, left := make(chan outcome), make(chan struct{})
	go func() {
		defer d.end()
		ctx, cancel := context.WithTimeout(context.Background(), workLimit)
		defer cancel()
		o := j.do(ctx)
		inTime := true
		select {
		case done <- o:
		case <-left:
			inTime = false
		}
		if o.say != nil && !(inTime && j.inline) {
			d.respond(ctx, j.hook, *o.say)
		}
		if o.then != nil {
			if o := o.then(ctx); o.say != nil {
				d.respond(ctx, j.hook, *o.say)
			}
		}
	}()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case o := <-done:
		return o, nil
	case <-timer.C:
		close(left)
		return outcome{}, nil
	}
}

func (d *Desk) begin() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.shut {
		return false
	}
	select {
	case d.slots <- struct{}{}:
		d.work.Add(1)
		return true
	default:
		return false
	}
}

func (d *Desk) end() {
	<-d.slots
	d.work.Done()
}

// recent remembers what was delivered, for longer than a signature is valid, in two generations.
type recent struct {
	mu           sync.Mutex
	fresh, stale map[string]bool
	turned       time.Time
}

const maxRecent = 4096 // in one generation

// first reports whether a key is new.
func (r *recent) first(key string, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fresh == nil || len(r.fresh) >= maxRecent || now.Sub(r.turned) > 2*signatureAge {
		r.fresh, r.stale, r.turned = map[string]bool{}, r.fresh, now
	}
	seen := r.fresh[key] || r.stale[key]
	r.fresh[key] = true
	return !seen
}

// respond says something to the person, at the address that came with the delivery.
func (d *Desk) respond(ctx context.Context, hook string, b Body) {
	if hook == "" {
		return
	}
	if err := postJSON(ctx, d.hook, hook, b.ephemeral()); err != nil {
		d.Log.Warn("cannot answer a person in Slack", "err", outbox.FailureOf(err)) // the address is a secret
	}
}

// answerable reports whether an address is one of Slack's for answers: nothing else is ever asked.
func (d *doors) answerable(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.User != nil {
		return false
	}
	if u.Scheme == "https" && (u.Host == "hooks.slack.com" || u.Host == "hooks.slack-gov.com") {
		return true
	}
	api, err := url.Parse(d.address())
	return err == nil && u.Scheme == api.Scheme && u.Host == api.Host
}
