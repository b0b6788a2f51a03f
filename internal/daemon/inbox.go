package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/drills"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/internal/incidents"
	"github.com/slowburn-sre/slowburn/internal/notify"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/internal/trouble"
)

// What people do at a daemon that stands by goes into an inbox in the store. Whoever leads takes
// the requests in order, and writes its answer in the transaction in which it does what was asked
// for. So a leader that dies in between leaves both or neither, and the next one goes on.

// The kinds of requests.
const (
	requestAct   = "act"      // alerting.Act
	requestDrill = "drill"    // api.NewDrill
	requestOwe   = "messages" // []outbox.Entry
)

const (
	// answeredIn is how long a person waits for the leader's answer. Slack waits for three seconds
	// at all.
	answeredIn = 2 * time.Second
	// inboxEvery is how often the inbox is looked at, should nobody be heard.
	inboxEvery = time.Second
	// heldFor is how long a request may wait for a leader. What was asked for earlier than that is
	// not what somebody wants now.
	heldFor = 10 * time.Minute
)

// inbox does what people ask for as the leader, or has whoever leads do it, and judges what others
// have taken from people.
type inbox struct {
	db     *store.DB
	engine *engine.Engine
	pump   *outbox.Pump
	drills *drillBook
	log    *slog.Logger
	now    func() time.Time // by the source's clock
	clock  func() time.Time // ours
	shares bool             // others may lead on the same store
	// follow takes over what was decided, so that it is shown.
	follow func(context.Context) error

	heard bell // rings when there is something in it
}

// bell wakes those who wait for something in the store.
type bell struct {
	mu   sync.Mutex
	rung chan struct{}
}

// next returns a channel that is closed when the bell rings the next time.
func (b *bell) next() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rung == nil {
		b.rung = make(chan struct{})
	}
	return b.rung
}

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rung != nil {
		close(b.rung)
		b.rung = nil
	}
}

// verdict is an answer as it is kept, in JSON by the names of its fields: the zero value is yes.
type verdict struct {
	Problem incidents.ActProblem
	Text    string
}

func (v verdict) err() error {
	if v.Problem == "" {
		return nil
	}
	return &incidents.ActError{Problem: v.Problem, Text: v.Text}
}

// yes returns the answer to a request that was done.
func (b *inbox) yes(r store.Request) store.Verdict {
	return store.Verdict{Key: r.Key, At: b.now(), Data: notify.JSON(verdict{})}
}

// shared does something as the leader. If another daemon leads, that one does it: data, of a kind,
// is asked for by a key under which it is done once, however often it is asked for.
func (b *inbox) shared(ctx context.Context, kind, key string, data any, do func() error) error {
	var done error
	if !b.engine.Snapshot().Standby {
		done = do()
		if !errors.Is(done, store.ErrDeposed) && !errors.Is(done, store.ErrStandby) {
			return done
		}
	}
	if !b.shares {
		return store.ErrStandby
	}
	rung := b.heard.next()
	r := store.Request{Key: key, Kind: kind, At: b.now(), Data: notify.JSON(data), Whole: kind != requestOwe}
	if err := b.ask(ctx, r); err != nil {
		if errors.Is(err, store.ErrOther) {
			return errNotThis
		}
		if errors.Is(done, store.ErrUnclear) {
			return errors.Join(err, store.ErrUnclear) // as the leader it was
		}
		return err
	}
	return b.answerTo(ctx, key, rung)
}

// ask writes a request down, unless the database does not answer at all.
func (b *inbox) ask(ctx context.Context, r store.Request) error {
	ctx, cancel := context.WithTimeout(ctx, answeredIn)
	defer cancel()
	return b.db.Ask(ctx, r)
}

// answerTo waits for the answer to a request, and until this daemon shows what came of it.
func (b *inbox) answerTo(ctx context.Context, key string, rung <-chan struct{}) error {
	patience, cancel := context.WithTimeout(ctx, answeredIn)
	defer cancel()
	for {
		v, known, err := b.db.Verdict(patience, key)
		if err == nil && known && !v.At.IsZero() {
			return b.shown(ctx, v)
		}
		again := time.NewTimer(answeredIn / 8)
		select {
		case <-patience.Done():
			return store.ErrWaiting
		case <-rung:
		case <-again.C:
		}
		again.Stop()
		rung = b.heard.next()
	}
}

// shown turns an answer into an error, nil for yes, when this daemon shows what came of it.
func (b *inbox) shown(ctx context.Context, v store.Verdict) error {
	var answer verdict
	if err := json.Unmarshal(v.Data, &answer); err != nil {
		return err
	}
	_ = b.follow(ctx) // logged
	return answer.err()
}

// answer returns what became of a request: nil if it was done, store.ErrWaiting, or why not. It is
// false if nobody knows of it.
func (b *inbox) answer(ctx context.Context, key string) (known bool, err error) {
	v, known, err := b.db.Verdict(ctx, key)
	switch {
	case err != nil || !known:
		return known, err
	case v.At.IsZero():
		return true, store.ErrWaiting
	}
	return true, b.shown(ctx, v)
}

// run answers what others have taken from people, until ctx ends.
func (b *inbox) run(ctx context.Context) error {
	ticker := time.NewTicker(inboxEvery)
	defer ticker.Stop()
	var unjudged trouble.Spell
	for {
		rung := b.heard.next()
		if err := b.judgeAll(ctx); ctx.Err() == nil {
			unjudged.Tried(b.log, "what other daemons took from people cannot be answered; it is tried again", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-rung:
		case <-ticker.C:
		}
	}
}

// judgeAll answers what waits in the inbox, in order. It stops where the store cannot be written.
func (b *inbox) judgeAll(ctx context.Context) error {
	all, err := b.db.Requests(ctx)
	for _, r := range all {
		if err == nil {
			err = b.judgeOne(ctx, r)
		}
	}
	return err
}

// judgeOne does what a request asks for, or refuses it; either is written down with the answer.
func (b *inbox) judgeOne(ctx context.Context, r store.Request) error {
	err := b.request(ctx, r)
	var no *incidents.ActError
	if !errors.As(err, &no) {
		return err
	}
	v := store.Verdict{Key: r.Key, At: b.now(), Data: notify.JSON(verdict{no.Problem, no.Text})}
	return b.db.Commit(context.WithoutCancel(ctx), store.Tick{Verdicts: []store.Verdict{v}})
}

var (
	errUnread  = &incidents.ActError{Problem: incidents.ActInvalid, Text: "What was asked for cannot be read by the slowburn that leads."}
	errTooLate = &incidents.ActError{Problem: incidents.ActConflict, Text: "Nobody led for 10 minutes after this was asked for, so it was not done. Ask again if it is still wanted."}
)

// request does what was asked for.
func (b *inbox) request(ctx context.Context, r store.Request) error {
	if b.now().Sub(r.At) > heldFor {
		return errTooLate
	}
	switch r.Kind {
	case requestAct:
		var act alerting.Act
		if json.Unmarshal(r.Data, &act) != nil {
			return errUnread
		}
		act.Received = r.At
		return b.act(ctx, act, b.yes(r))
	case requestDrill:
		var n api.NewDrill
		if json.Unmarshal(r.Data, &n) != nil {
			return errUnread
		}
		return b.drills.begin(ctx, n, b.yes(r))
	case requestOwe:
		var entries []outbox.Entry
		if json.Unmarshal(r.Data, &entries) != nil {
			return errUnread
		}
		return b.owe(ctx, entries, b.yes(r))
	}
	return errUnread
}

// do takes what a person did, to an incident or to a drill, and returns it as it was written down:
// also when it was done before, and by whichever daemon.
func (b *inbox) do(ctx context.Context, act alerting.Act) (alerting.Act, error) {
	received := b.now().UTC()
	told := act
	told.Received = received
	if err := b.shared(ctx, requestAct, act.Key, act, func() error { return b.act(ctx, told) }); err != nil {
		return told, err
	}
	if drills.Is(act.Incident) {
		return b.drills.answered(told), nil
	}
	stored, ok, err := b.db.Act(ctx, act.Key)
	switch {
	case err != nil:
		return told, nil // it was done, whether it can be read just now or not
	case ok:
		return stored, incidents.Repeated(told, stored, received) // whoever leads may have answered another
	}
	if i, ok, err := b.db.Incident(ctx, act.Incident); ok && err == nil && act.Kind == alerting.Acknowledge {
		if has, taken := i.Acknowledged(); taken {
			return has, nil // who has it says so once
		}
	}
	return told, errNotThis
}

// errNotThis refuses an act whose key was that of something else that was asked for.
var errNotThis = &incidents.ActError{Problem: incidents.ActConflict, Text: "The key is that of something else that was asked for. Ask again, by another key."}

// act takes what a person did, to an incident or to a drill, as the leader.
func (b *inbox) act(ctx context.Context, act alerting.Act, answers ...store.Verdict) error {
	if drills.Is(act.Incident) {
		return b.drills.answer(ctx, act, answers...)
	}
	return b.engine.Do(ctx, act, b.clock(), answers...)
}

// drill begins a drill by every way.
func (b *inbox) drill(ctx context.Context, n api.NewDrill) error {
	return b.shared(ctx, requestDrill, n.Key, n, func() error { return b.drills.begin(ctx, n) })
}

// owe writes messages down and has them sent.
func (b *inbox) owe(ctx context.Context, entries []outbox.Entry, answers ...store.Verdict) error {
	err := b.db.Commit(context.WithoutCancel(ctx), store.Tick{Owed: entries, Verdicts: answers})
	b.pump.Kick()
	return err
}
