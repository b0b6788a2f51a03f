package outbox

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/slowburn-sre/slowburn/internal/trouble"
)

// Options tune a Pump. The zero value is ready to use; every field left zero takes its default.
type Options struct {
	Post     Pace          // new messages per channel; default one a second
	Edit     Pace          // edits per receiver; default fifty a minute
	Find     Pace          // look-ups per receiver; default forty a minute
	Storm    Storm         // default: fold when more than 20 roots wait, keep 5
	Parallel int           // channels worked on at once; default 16
	Attempt  time.Duration // the longest a single delivery may take; default 10 s
	Every    time.Duration // how often Run looks; default 500 ms
	Logger   *slog.Logger  // default: discards
	// Lease says until when this process may send, by the machine's own clock: beyond that, another
	// one may. It is asked right before every send, which is then bounded by what is left. Nil says
	// that there can be no other: the lock on the store's file sees to that.
	Lease func() time.Time
	// Now is the clock of Run, by which messages age; default time.Now. The demo's runs faster.
	Now func() time.Time
	// Clock measures how long what may still be on its way is waited for. Set it where Now is
	// corrected and so may jump: the clock that is corrected. Nil says that Now, or the time of a
	// Pass, does.
	Clock func() time.Time
}

// clock returns the time by which waits for what may be on its way are measured, when it is now.
func (o Options) clock(now time.Time) time.Time {
	if o.Clock == nil {
		return now
	}
	return o.Clock()
}

// othersOver returns when what another process has begun is certainly over, if it was read now; the
// zero time where no other sends.
func (o Options) othersOver(now time.Time) time.Time {
	if o.Lease == nil {
		return time.Time{}
	}
	return o.clock(now).Add(o.Attempt + ambiguousWait)
}

func (o Options) withDefaults() Options {
	pace := func(p *Pace, d Pace) {
		if p.Every <= 0 || p.Burst <= 0 {
			*p = d
		}
	}
	pace(&o.Post, Pace{Every: time.Second, Burst: 1})
	pace(&o.Edit, Pace{Every: time.Minute / 50, Burst: 5})
	pace(&o.Find, Pace{Every: time.Minute / 40, Burst: 5})
	if o.Storm == (Storm{}) {
		o.Storm = Storm{At: 20, Keep: 5}
	}
	if o.Parallel <= 0 {
		o.Parallel = 16
	}
	if o.Attempt <= 0 {
		o.Attempt = 10 * time.Second
	}
	if o.Every <= 0 {
		o.Every = 500 * time.Millisecond
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Pump delivers what is due. It never reports its own trouble through the receivers: a message
// about a failing channel would fail as well and owe another message. Trouble is shown in its
// Summary, which metrics, health and pages read, and is logged.
type Pump struct {
	Reach Reach // what is known of whether messages get through

	store     Store
	receivers map[string]Receiver
	opts      Options

	reading sync.Mutex // held while the store is asked what is new
	unread  trouble.Spell
	kick    chan struct{}
	workers sync.WaitGroup
	slots   chan struct{} // one per channel worked on

	mu     sync.Mutex
	shelf  shelf
	gates  map[gateKey]*gate
	turn   uint64 // counts workers, for whose turn it is
	slow   int    // of the places worked on, those in trouble
	missed bool   // a place had to wait for a slot
	known  bool   // what the process before has left was read
	tally  tally
}

// NewPump makes a pump over a store and its receivers by name.
func NewPump(store Store, receivers map[string]Receiver, opts Options) *Pump {
	opts = opts.withDefaults()
	return &Pump{
		store: store, receivers: receivers, opts: opts,
		kick: make(chan struct{}, 1), slots: make(chan struct{}, opts.Parallel),
		gates: map[gateKey]*gate{}, shelf: newShelf(),
		tally: tally{Summary{Failures: map[string]int{}}},
	}
}

// SetReceivers exchanges the receivers; sends that are under way finish with the old ones.
func (p *Pump) SetReceivers(receivers map[string]Receiver) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.receivers = receivers
	for _, r := range p.shelf.rooms {
		r.wake = time.Time{}
	}
}

// Receiver returns the receiver of a name, nil if there is none.
func (p *Pump) Receiver(name string) Receiver {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.receivers[name]
}

// Kick makes Run look at once, after something was committed. It never blocks.
func (p *Pump) Kick() {
	select {
	case p.kick <- struct{}{}:
	default:
	}
}

// Again lets what a channel has refused be tried at once, since what a person had to put right is
// said to be mended; no channel is all of the receiver's. It never blocks.
func (p *Pump) Again(receiver, channel string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	mended := func(pl place) bool { return pl.receiver == receiver && (channel == "" || pl.channel == channel) }
	for key, g := range p.gates {
		if mended(key.place) && ClassOf(g.reason) == Misconfigured {
			g.until, g.reason, g.fails = time.Time{}, "", 0
		}
	}
	for pl, r := range p.shelf.rooms {
		if !mended(pl) {
			continue
		}
		r.wake = time.Time{}
		for _, i := range r.items {
			if ClassOf(i.LastErr) == Misconfigured {
				i.NextTry = time.Time{}
			}
		}
	}
	p.Kick()
}

// Run delivers until ctx ends, then lets the sends that are under way finish; each of them is
// bounded by Options.Attempt. It returns nil when ctx ends; a store that cannot be read is reported
// by the Summary and asked again.
func (p *Pump) Run(ctx context.Context) error {
	ticker := time.NewTicker(p.opts.Every)
	defer ticker.Stop()
	defer p.workers.Wait()
	for {
		if err := p.dispatch(ctx, p.opts.Now()); ctx.Err() == nil {
			p.unread.Tried(p.opts.Logger, "cannot read what is owed", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		case <-p.kick:
		}
	}
}

// Pass does once what is due at the given time and waits until it is done: at most as much per
// channel as the paces allow at that moment. The error is that of reading the store; failures of
// deliveries are in the Summary, which counts since the pump was made.
func (p *Pump) Pass(ctx context.Context, now time.Time) (Summary, error) {
	err := p.dispatch(ctx, now)
	p.workers.Wait()
	return p.Summary(), err
}

// Owe takes entries that could not be written down, because the disk is full: they are owed in
// memory, with the same queue, pace and retries, until the store has them. One that is owed already
// changes nothing. Reports wait for the disk; so does everything but pages while others may send
// too, see Options.Lease.
func (p *Pump) Owe(entries []Entry) {
	p.mu.Lock()
	for _, e := range entries {
		if p.shelf.items[e.Key] != nil {
			continue
		}
		p.shelf.extra++
		o := Owed{Entry: e, State: Pending, Seq: extraSeq + p.shelf.extra}
		if e.Tried {
			o.Begun = e.Created
		}
		p.shelf.put(o, false, time.Time{})
	}
	p.mu.Unlock()
	p.Kick()
}

// Forget lets go what is owed and what was sent, because another process delivers from now on, or
// may. Run must have ended; when it runs again it reads anew what the store says.
func (p *Pump) Forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shelf, p.known, p.tally.StoreError = newShelf(), false, ""
}

// dispatch starts the work of every channel that has some and is idle. A channel that hangs keeps
// one worker and nothing else. Only what is new is read.
func (p *Pump) dispatch(ctx context.Context, now time.Time) error {
	began := time.Now() // now is the time of this moment, however long the store takes to answer
	unsaved := p.tellStore(ctx, now)
	err := p.read(ctx, now)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tally.At, p.tally.StoreError = now, ""
	if failed := cmp.Or(err, unsaved); failed != nil {
		p.tally.StoreError = failed.Error()
	}
	p.missed = false
	for _, r := range p.ready(now) {
		if !p.claim(r) {
			p.missed = true
			continue
		}
		p.workers.Go(func() {
			w := worker{Pump: p, place: r.place, room: r, receiver: p.Receiver(r.receiver), now: now, began: began, slowly: r.troubled}
			defer w.release()
			w.work(ctx)
		})
	}
	return err
}

// read puts on the shelf what was owed since it was last called.
func (p *Pump) read(ctx context.Context, now time.Time) error {
	p.reading.Lock()
	defer p.reading.Unlock()
	p.mu.Lock()
	after := p.shelf.after
	p.mu.Unlock()
	fresh, err := p.store.Due(ctx, after)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, o := range fresh {
		p.takeIn(o, now)
	}
	p.known = true
	return nil
}

// takeIn puts an entry on the shelf that was read. The mutex is held.
//
// What belongs to a page or begins a thread, and was owed when the process began, may have been
// sent by the one before it, on a full disk, without that being written down.
func (p *Pump) takeIn(o Owed, now time.Time) {
	o.Inherited = !p.known && (o.Lane == LanePage && o.Op != Edit || o.Op == Post && o.Lane < LaneReport)
	p.shelf.put(o, true, p.opts.othersOver(now))
	if ClassOf(o.LastErr) == RateLimited && o.NextTry.After(now) {
		p.gate(gateOf(place{o.Receiver, o.Channel}, verbOf(o))).hold(o.NextTry, now, o.LastErr) // told before a restart, and still true
	}
}

// Pending returns what is still to be sent, oldest first and without its bodies, also what only
// memory has.
func (p *Pump) Pending(ctx context.Context, now time.Time) ([]Owed, error) {
	err := p.read(ctx, now)
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []Owed
	for _, i := range p.shelf.items {
		if i.State == Pending && i.Op != Mend {
			o := i.Owed
			o.Body = nil
			all = append(all, o)
		}
	}
	slices.SortFunc(all, func(a, b Owed) int { return cmp.Compare(a.Seq, b.Seq) })
	return all, err
}

// ready returns the places where something can be done: those with the most urgent message first,
// then those that were served the longest time ago. The mutex is held.
func (p *Pump) ready(now time.Time) []*room {
	var all []*room
	for _, r := range p.shelf.rooms {
		if !r.busy && !(r.wake.After(now) && r.wake.Sub(now) <= longestAsked+longestWait) {
			all = append(all, r)
		}
	}
	slices.SortFunc(all, func(a, b *room) int {
		return cmp.Or(cmp.Compare(a.lane, b.lane), cmp.Compare(a.served, b.served),
			cmp.Compare(a.receiver, b.receiver), cmp.Compare(a.channel, b.channel))
	})
	return all
}

func verbOf(o Owed) verb {
	if o.Op == Edit {
		return toEdit
	}
	return toPost
}

// claim takes a channel for one worker; it is false while all are at work. Places in trouble get
// half of the workers at most: they may take long, and nobody else shall wait for them. The mutex
// is held.
func (p *Pump) claim(r *room) bool {
	if r.troubled && p.slow >= max(p.opts.Parallel/2, 1) {
		return false
	}
	select {
	case p.slots <- struct{}{}:
	default:
		return false
	}
	if r.troubled {
		p.slow++
	}
	p.turn++
	r.busy, r.served = true, p.turn
	return true
}

// release gives the channel back, and notes when something can be done there again.
func (w *worker) release() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.slowly {
		w.slow--
	}
	w.room.busy, w.room.troubled = false, w.troubled
	w.room.wake = w.wake()
	w.shelf.close(w.room)
	<-w.slots
	if w.missed {
		w.Kick()
	}
}

// gate returns a destination's gate. The lock is held.
func (p *Pump) gate(key gateKey) *gate {
	g := p.gates[key]
	if g == nil {
		g = &gate{}
		p.gates[key] = g
	}
	return g
}

// tellStore writes down the outcomes that the store refused earlier, as far as it has the entries.
func (p *Pump) tellStore(ctx context.Context, now time.Time) error {
	for _, u := range p.untold(now) {
		err := p.store.Settle(ctx, u.key, u.result)
		p.mu.Lock()
		p.told(u, err)
		p.mu.Unlock()
		if err != nil && !errors.Is(err, ErrTaken) {
			return err
		}
	}
	return nil
}

// Flush writes down the outcomes that the store has refused so far. It is for a stop, after Run and
// after what is owed was written down.
func (p *Pump) Flush(ctx context.Context) error {
	now := p.opts.Now()
	p.mu.Lock()
	none := len(p.shelf.kept) == 0
	p.mu.Unlock()
	if none {
		return nil
	}
	if err := p.read(ctx, now); err != nil {
		return err
	}
	return p.tellStore(ctx, now)
}

// untold is an outcome that the store was not told.
type untold struct {
	key    string
	item   *item
	kept   *Result
	result Result // with what is believed of the entry
}

// untold lists the outcomes that the store can be told, in the order of Seq. What it never came to
// have is let go after a day.
func (p *Pump) untold(now time.Time) []untold {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []untold
	for _, i := range p.shelf.kept {
		switch {
		case i.mine: // the store has to know that it may be sent right now
		case i.stored && i.kept != nil:
			r := *i.kept
			r.Begun, r.Attempts = i.begun, i.tries
			all = append(all, untold{i.Key, i, i.kept, r})
		case !i.stored && i.State != Pending && now.Sub(i.kept.At) > keptFor:
			p.shelf.drop(i)
		}
	}
	slices.SortFunc(all, func(a, b untold) int { return cmp.Compare(a.item.Seq, b.item.Seq) })
	return all
}

// keptFor is how long an outcome is kept for a store that does not have its entry: the engine keeps
// what it could not commit for a day.
const keptFor = 25 * time.Hour

// told notes what the store said to an outcome. The mutex is held.
func (p *Pump) told(u untold, err error) {
	switch {
	case u.item.kept != u.kept: // there is a newer one
	case err == nil:
		p.shelf.settled(u.item, u.result)
	case errors.Is(err, ErrTaken), errors.Is(err, ErrDeposed):
		p.shelf.distrust(u.item)
	}
}
