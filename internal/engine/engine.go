package engine

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/evidence"
	"github.com/slowburn-sre/slowburn/internal/incidents"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/internal/ranking"
	"github.com/slowburn-sre/slowburn/internal/report"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/postmortem"
	"github.com/slowburn-sre/slowburn/slo"
)

// Source is where slots come from; *prom.Reader is one.
type Source interface {
	// Read returns what is new for the specs at a time: the minutes that are complete by then. It
	// fails per bundle, never as a whole.
	Read(ctx context.Context, specs []*slo.Spec, now time.Time) *prom.Batch
	// Commit accepts the batch: the next Read goes on after it.
	Commit(*prom.Batch)
	// Restart forgets the positions: the next Read begins anew at its time. It returns the marks
	// that are to be deleted.
	Restart() map[string][]byte
	// Backfill plans to read the history before what Read has read; Backfills takes up what was
	// left unfinished.
	Backfill(specs []*slo.Spec, p prom.Plan) *prom.Backfill
	Backfills(marks map[string][]byte, specs []*slo.Spec) []*prom.Backfill
}

// Store is where state survives; *store.DB is one.
type Store interface {
	Commit(context.Context, store.Tick) error
	Fold(context.Context, map[slo.ID]*budget.Ledger) error
	Incidents(context.Context, store.IncidentFilter) ([]alerting.Incident, error)
	Incident(ctx context.Context, id string) (alerting.Incident, bool, error)
	// Act returns the act of a key, and false if there is none.
	Act(ctx context.Context, key string) (alerting.Act, bool, error)
	// Owes reports whether a message with the key is in the outbox, in whatever state.
	Owes(ctx context.Context, key string) (bool, error)
	Acts(context.Context, store.ActFilter) ([]alerting.Act, error)
	Evidence(context.Context, string) ([]store.Evidence, error)
	Outbox(context.Context, store.OutboxFilter) ([]outbox.Owed, error)
	// DropDays forgets days of the ledger before a time; Prune forgets messages that were settled
	// before one.
	DropDays(ctx context.Context, before time.Time) error
	Prune(ctx context.Context, before time.Time) error
}

// Composer turns facts into messages. It is pure; package daemon has one, over all receivers.
type Composer interface {
	// Event makes the messages about an event. It may leave out edits of what is shown anyway.
	Event(incidents.Notification, outbox.Shown) []outbox.Entry
	Report(r report.Report, channel string, now time.Time) []outbox.Entry
	Notice(Notice) []outbox.Entry
	Permit(incidents.Permit) []outbox.Entry
	Act(incidents.Done) []outbox.Entry
	// TellsEach reports whether an act that holds for all that is told in a thread is told of each
	// of these incidents. If not, nothing is composed of an echo.
	TellsEach(alerting.Act) bool
	// Together reports whether pages and tickets of two budgets go to the same places.
	Together(a, b alerting.Input) bool
	// Evidence tells what was found out about an open incident; Notification.Found is never nil.
	Evidence(incidents.Notification) []outbox.Entry
}

// Notice is news about slowburn itself or its source.
type Notice struct {
	Kind  NoticeKind
	Since time.Time
	At    time.Time
	Text  string // what failed, without secrets
	SLOs  int    // how many SLOs cannot be judged
	SLO   slo.ID // the one that it is about, if it is about one
}

// NoticeKind is what a notice is about.
type NoticeKind string

// The notices.
const (
	SourceDown NoticeKind = "source_down" // Prometheus does not answer
	SourceBack NoticeKind = "source_back"
	SLOsBlind  NoticeKind = "slos_blind" // it answers, and some SLOs cannot be computed from that
	SLOsSee    NoticeKind = "slos_see"
	// CombinationsCapped says, once, that an SLO has more combinations of its `by:` labels than are
	// followed.
	CombinationsCapped NoticeKind = "combinations_capped"
)

// Options are what an engine is made of. Source, Store, Composer and Log are required.
type Options struct {
	Source   Source
	Store    Store
	Composer Composer
	Log      *slog.Logger
	// Lag is how far behind now everything is read, at least. Late samples are waited for without
	// it.
	Lag time.Duration
	// Skew tells how far the source's clock is ahead of now; nil trusts our own clock. See
	// clock.go.
	Skew func(ctx context.Context, now time.Time) (time.Duration, *prom.Error)
	// Sampled tells whether the source has samples of the minutes before a time, of any target or
	// of what the SLOs count; nil is not asked.
	Sampled func(ctx context.Context, specs []*slo.Spec, at time.Time) (bool, *prom.Error)
	// Reports are the reports to be sent on schedule, and ReportChannels says where to, by name; ""
	// is the default channel.
	Reports        []report.Schedule
	ReportChannels map[string]string
	// Services reads the golden signals of every service at a time, for reports; nil reads none.
	Services func(ctx context.Context, at time.Time) []report.Service
	// Reviews are the postmortems as their files stand, for reports; nil is none.
	Reviews func() []postmortem.Review
	// Drills says what the drills of the seven days before a time have proven, for reports; nil
	// leaves it out.
	Drills func(at time.Time) *report.Drills
	// Audit says how the log of acts stands, for reports; nil leaves it out.
	Audit func() *report.Audit
	// ExternalURL is the address of the pages, for links; "" makes none.
	ExternalURL string
	// Kick is called after a commit that owes something; nil is nobody.
	Kick func()
	// Owe takes messages that could not be written down, because the disk is full, to be owed in
	// memory; nil loses the shortcut, not the messages: they go out when the disk is back.
	Owe func([]outbox.Entry)
	// Observe is told of every tick that Run made; nil is nobody.
	Observe func(Summary)
	// Policy is the error-budget policy; nil is none.
	Policy *alerting.Policy
	// Evidence finds out what burns and what changed; it fills in what a request needs beyond what
	// the engine knows. Nil finds out nothing.
	Evidence func(context.Context, evidence.Request) ranking.Evidence
	// KeepFor is how long hours are kept; at least the longest window. Zero is 400 days.
	KeepFor time.Duration
}

// Engine evaluates a set of SLOs. Make one with New.
type Engine struct {
	Options
	memory
	wakeGather chan struct{} // wakes LookInto

	// deciding is held by whoever changes accounts, from the first of them to what is shown: a
	// tick, a piece of history, a reload, another leader's news. So these come one after the other.
	// It guards all below, and who holds it may look at accounts without the memory's lock, which
	// is taken after it.
	deciding sync.Mutex
	clock    clock
	facts    map[string]string
	outages  outages
	nextFold time.Time
	quiet    prom.Stats // what looks have cost in which nothing was decided
	found    int        // pieces of evidence that were followed
}

// New makes an engine that goes on where the snapshot left off.
func New(o Options, set *slo.Set, snap store.Snapshot) *Engine {
	e := NewStandby(o, set, snap)
	e.last = Summary{} // nothing was evaluated by this process yet
	e.Lead(snap.Marks)
	return e
}

// Summary is what a tick came to: the log, the metrics and the pages show it.
type Summary struct {
	At       time.Time     // the tick's time
	Through  time.Time     // slots before it are evaluated
	Took     time.Duration // wall time, filled in by Run
	Skew     time.Duration // how far our clock was corrected, because the source's says otherwise
	SLOs     int           // budgets that were read
	Slots    int           // new slots
	Events   int
	Owed     int // messages
	Failures []string
	Stats    prom.Stats
	StoreErr error
	Panics   int // since the start: each of them stopped one budget
	// Next is when the next tick is worth it, by our clock; zero if nobody knows.
	Next time.Time
	// Quiet says that it was too early: nothing was complete, and nothing has changed.
	Quiet bool
}

// Good reports whether everything worked, so that a heartbeat may be sent.
func (s Summary) Good() bool { return len(s.Failures) == 0 && s.StoreErr == nil }

// Tick makes one turn: it reads and decides everything that is new up to now. A ctx that ends while
// Prometheus is read ends the turn; what has been decided is written down in any case.
func (e *Engine) Tick(ctx context.Context, now time.Time) Summary {
	specs := e.Snapshot().Set.Specs
	ours := now
	now, err := e.clock.correct(ctx, specs, ours)
	to := budget.MinuteOf(now.Add(-e.Lag)) // the first minute that is not yet over, or not yet all in
	batch := unread(specs, err)
	if err == nil {
		e.rewind(ctx, now, to)
		batch = e.Source.Read(ctx, specs, now.Add(-e.Lag))
	}

	if ctx.Err() != nil {
		return Summary{At: now, Failures: []string{"stopped"}}
	}
	if batch.Quiet() && e.pass(batch, now) {
		return Summary{At: now, Next: next(batch, e.Lag, ours, now), Stats: batch.Stats, Quiet: true}
	}
	var services map[string][]report.Service
	if err == nil {
		reports := reporter{&e.Options}
		e.mu.RLock()
		due := reports.due(e.facts, map[string]string{}, now)
		e.mu.RUnlock()
		services = reports.signals(ctx, due)
	}
	return e.take(context.WithoutCancel(ctx), batch, err, services, ours, now, to)
}

// pass takes a batch in which nothing is to be decided, which costs nothing. It is false if the
// last tick that did more is half a minute ago: what goes by time alone is due then.
func (e *Engine) pass(batch *prom.Batch, now time.Time) bool {
	e.deciding.Lock()
	defer e.deciding.Unlock()
	e.mu.Lock()
	defer e.mu.Unlock()
	if since := now.Sub(e.last.At); since < 0 || since >= complete || len(e.backlog.ticks) > 0 || e.follows && e.began.IsZero() {
		return false
	}
	for id, reading := range batch.Readings {
		if a := e.budgets.byID[id]; a != nil {
			a.problems = reading.Problems
		}
	}
	e.budgets.waits = batch.Waits
	e.quiet = e.quiet.Plus(batch.Stats)
	e.Source.Commit(batch)
	return true
}

// take turns what was read into decisions and writes them down.
func (e *Engine) take(ctx context.Context, batch *prom.Batch, err *prom.Error, services map[string][]report.Service, ours, now time.Time, to budget.Minute) Summary {
	e.deciding.Lock()
	defer e.deciding.Unlock()
	t := taking{batch: batch, tick: store.Tick{At: now, Marks: batch.Marks, Facts: map[string]string{}}}
	t.sum = Summary{At: now, Through: to.Time(), Skew: now.Sub(ours), Stats: batch.Stats.Plus(e.quiet), Next: next(batch, e.Lag, ours, now)}
	e.quiet = prom.Stats{}
	e.hold(func() {
		if e.follows && e.began.IsZero() {
			e.began = now
		}
		if err == nil {
			e.budgets.waits = batch.Waits
		}
	})
	e.decide(&t)
	if err == nil { // without a source nobody knows what day it is, and there would be nothing to report
		p, stack := try(func() {
			reports := reporter{&e.Options}
			reports.owe(ctx, reports.due(e.facts, t.tick.Facts, now), e.budgets, services, now, &t.tick, &t.sum)
		})
		if p != nil {
			e.hold(func() { e.budgets.stop(fault{panic: p, stack: stack}) })
		}
	}
	e.clock.sampled(batch)
	_ = e.tell(ctx, t.all, now, func(told told) error { return e.writeDown(ctx, &t, told) })
	e.Source.Commit(batch)
	e.publish()
	e.fold(ctx, now)
	return t.sum
}

// taking is a tick that is being made of a batch.
type taking struct {
	batch   *prom.Batch
	all     []story
	orphans int // how many of them, the first, are of SLOs that were taken out while nobody was there to see it
	tick    store.Tick
	sum     Summary
}

// patience is how often something is told anew because of acts that have come in meanwhile, until
// acts wait for it.
const patience = 8

// tell tells stories, with the book as it stands, and lets the lock be held while that is written
// down and taken over. Composing thousands of messages takes long, so acts are let in meanwhile.
// Then what they have touched is told anew, with the book that they have left: nothing is told that
// is not so any more, and no act is lost. Whoever decides calls it, without the lock.
func (e *Engine) tell(ctx context.Context, all []story, now time.Time, writeDown func(told) error) error {
	e.mu.RLock()
	teller, book, books := e.teller(), e.book, e.books
	e.mu.RUnlock()
	told := teller.tell(ctx, book, all, now)
	e.mu.Lock()
	for tries := 0; e.books != books; tries++ {
		teller, before := e.teller(), book
		book, books = e.book, e.books
		if tries < patience {
			e.mu.Unlock()
		}
		told = teller.tellAnew(ctx, told, all, before, book, now)
		if tries < patience {
			e.mu.Lock()
		}
	}
	err := writeDown(told)
	e.mu.Unlock()
	if err == nil {
		told.log(e.Log)
	}
	return err
}

// writeDown takes over what was told, adds what is told by time alone, and commits the tick.
func (e *Engine) writeDown(ctx context.Context, t *taking, told told) error {
	e.close(told.book, told.turns[:t.orphans])
	told.enter(&t.tick, &t.sum)
	t.sum.SLOs -= t.orphans
	e.budgets.stopAll(told.faults)
	e.budgets.guard("", func() { e.tendDeclared(ctx, t.tick.At, &t.tick, &t.sum) })
	e.budgets.stops.failed(t.batch)
	e.watch(t.batch, t.tick.At, &t.tick, &t.sum)
	t.sum.Panics = e.budgets.stops.total
	e.commit(ctx, t.tick, &t.sum)
	e.adopt(e.book.Forget(t.tick.At))
	e.last = t.sum
	return nil // what cannot be written down stands in memory
}

// unread makes a batch that holds nothing but the reason why.
func unread(specs []*slo.Spec, err *prom.Error) *prom.Batch {
	f := prom.Failure{Bundle: "time()", Err: err}
	for _, s := range specs {
		f.SLOs = append(f.SLOs, s.ID())
	}
	return &prom.Batch{Failures: []prom.Failure{f}}
}

// decide advances every budget that was read, one after the other.
func (e *Engine) decide(t *taking) {
	for _, problem := range t.batch.Problems {
		e.Log.Warn("reading", "problem", problem)
	}
	fresh, b := map[slo.ID]budget.Minute{}, e.budgets
	t.all = make([]story, 0, len(t.batch.Readings)+len(b.set.Journeys()))
	e.hold(func() {
		b.guard("", func() { t.all = append(t.all, e.judge().removed(b.orphaned())...) })
		t.orphans, b.orphans = len(t.all), nil
	})
	for _, id := range b.upstreamFirst(t.batch.Readings) {
		e.hold(func() {
			reading := t.batch.Readings[id]
			a, isNew := b.read(id, reading)
			if a == nil {
				b.share(id, reading.Problems)
				return
			}
			if isNew && len(b.bySLO[id.Base()]) == 1 {
				fresh[id.Base()] = a.since
				t.tick.Facts[factHistory(id.Base())] = strconv.FormatInt(int64(a.since), 10)
			}
			decided := e.judge().turn(a, reading)
			reading.Slots, reading.Hours = decided.turn.Slots, decided.turn.Hours // what was found late, too
			t.batch.Readings[id] = reading
			t.all = append(t.all, decided)
		})
	}
	e.hold(func() { e.backfills.plan(b.set, fresh) })
	for _, journey := range b.set.Journeys() {
		e.hold(func() {
			b.guard(journey.ID(), func() { t.all = append(t.all, e.judge().journey(journey, t.batch.Readings)...) })
		})
	}
}

// commit writes the tick down. If that fails, the decisions stand in memory, what they owe is owed
// there too (a full disk must not silence it), and the tick is written with the next one.
func (e *Engine) commit(ctx context.Context, tick store.Tick, sum *Summary) {
	e.backlog.add(tick)
	err := e.backlog.save(ctx)
	switch {
	case errors.Is(err, store.ErrDeposed): // logged where it stands by
		sum.StoreErr = err
	case err != nil:
		sum.StoreErr = err
		e.Log.Error("cannot write to the store; decisions go on in memory", "err", err, "ticks", len(e.backlog.ticks))
	case sum.Owed > 0:
		e.kick()
	}
	if sum.Events > 0 {
		e.wake()
	}
	for k, v := range tick.Facts {
		e.facts[k] = v
	}
}

// foldEvery is how often the journal is folded into blocks and old minutes are thinned out.
const foldEvery = time.Hour

// fold needs no lock but deciding: nobody else writes into ledgers.
func (e *Engine) fold(ctx context.Context, now time.Time) {
	e.mu.RLock()
	behind := len(e.backlog.ticks) > 0
	e.mu.RUnlock()
	if now.Before(e.nextFold) || behind {
		return
	}
	first := e.nextFold.IsZero()
	e.nextFold = now.Truncate(foldEvery).Add(foldEvery)
	if first {
		return // right after a start everything has just been loaded
	}
	e.thin(now)
	ledgers := make(map[slo.ID]*budget.Ledger, len(e.budgets.byID))
	for id, a := range e.budgets.byID {
		ledgers[id] = a.ledger
	}
	err := e.Store.Fold(ctx, ledgers)
	if e.nextFold.Truncate(slo.Day).Equal(e.nextFold) { // once a day, the past is let go
		err = errors.Join(err, e.Store.DropDays(ctx, now.Add(-e.KeepFor)), e.Store.Prune(ctx, now.Add(-keepSent)))
	}
	if err != nil {
		e.Log.Error("cannot tidy the store; it is tried again in an hour", "err", err)
	}
}

// thin lets go the minutes that nothing needs any more, and the hours that are too old.
func (e *Engine) thin(now time.Time) {
	e.mu.RLock()
	cuts := alerting.Cuts(e.book.Acts(), now)
	e.mu.RUnlock()
	for id, a := range e.budgets.byID {
		e.hold(func() {
			e.budgets.guard(id, func() {
				e.budgets.write(a, func(l *budget.Ledger) {
					l.Thin(alerting.Fine(a.spec, a.state), cuts[id.Service()]...)
					l.Forget(budget.MinuteOf(now.Add(-e.KeepFor)))
				})
			})
		})
	}
}

// keepSent is how long messages that were sent are kept. What could not be sent is kept until
// somebody looks.
const keepSent = 90 * slo.Day
