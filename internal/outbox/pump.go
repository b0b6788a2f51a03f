package outbox

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"time"
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
	// Now is the clock of Run, by which messages age; default time.Now. The demo's runs faster.
	Now func() time.Time
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
	store     Store
	receivers map[string]Receiver
	opts      Options

	kick    chan struct{}
	workers sync.WaitGroup
	slots   chan struct{} // one per channel worked on

	mu      sync.Mutex
	gates   map[gateKey]*gate
	busy    map[place]bool
	unsaved map[string]Result // outcomes that the store refused; they are written as soon as it takes them
	tally   tally
	// inherited are the pages that were owed at the first look, by key; nil before it.
	inherited map[string]bool
}

// NewPump makes a pump over a store and its receivers by name.
func NewPump(store Store, receivers map[string]Receiver, opts Options) *Pump {
	opts = opts.withDefaults()
	return &Pump{
		store: store, receivers: receivers, opts: opts,
		kick: make(chan struct{}, 1), slots: make(chan struct{}, opts.Parallel),
		gates: map[gateKey]*gate{}, busy: map[place]bool{}, unsaved: map[string]Result{},
		tally: tally{Summary{Failures: map[string]int{}}},
	}
}

// SetReceivers exchanges the receivers; sends that are under way finish with the old ones.
func (p *Pump) SetReceivers(receivers map[string]Receiver) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.receivers = receivers
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

// Run delivers until ctx ends, then lets the sends that are under way finish; each of them is
// bounded by Options.Attempt. It returns nil when ctx ends; a store that cannot be read is reported
// by the Summary and asked again.
func (p *Pump) Run(ctx context.Context) error {
	ticker := time.NewTicker(p.opts.Every)
	defer ticker.Stop()
	defer p.workers.Wait()
	for {
		if err := p.dispatch(ctx, p.opts.Now()); err != nil && ctx.Err() == nil {
			p.opts.Logger.Error("cannot read what is owed", "err", err)
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

// dispatch starts the work of every channel that has some and is idle. A channel that hangs keeps
// one worker and nothing else.
func (p *Pump) dispatch(ctx context.Context, now time.Time) error {
	unsaved := p.saveUnsaved(ctx)
	due, err := p.store.Due(ctx, now)
	p.mu.Lock()
	p.tally.read(due, cmp.Or(err, unsaved), now)
	p.mu.Unlock()
	if err != nil {
		return err
	}
	order, byPlace := p.places(due, now)
	for _, pl := range order {
		if !p.claim(pl) {
			continue
		}
		p.workers.Go(func() {
			defer p.release(pl)
			w := worker{Pump: p, place: pl, receiver: p.Receiver(pl.receiver), now: now, began: time.Now()}
			w.work(ctx, byPlace[pl])
		})
	}
	return nil
}

// places sorts what is due into queues, without what was sent and could not be written down.
func (p *Pump) places(due []Owed, now time.Time) ([]place, map[place][]Owed) {
	p.mu.Lock()
	defer p.mu.Unlock()
	byPlace := map[place][]Owed{}
	var order []place
	p.inherit(due)
	held := map[[2]string]bool{} // threads whose root is somewhere that the store does not know yet
	for _, o := range due {
		if r, kept := p.unsaved[o.Key]; kept && r.State == Sent && o.Op != Reply {
			held[[2]string{o.Receiver, o.Thread}] = true
		}
	}
	for _, o := range due {
		o.Inherited = p.inherited[o.Key]
		if r, kept := p.unsaved[o.Key]; kept {
			if r.State != Pending {
				continue
			}
			o.NextTry, o.LastErr = r.NextTry, r.Err
		}
		pl := place{o.Receiver, o.Channel}
		if held[[2]string{o.Receiver, o.Thread}] {
			continue
		}
		if byPlace[pl] == nil {
			order = append(order, pl)
		}
		byPlace[pl] = append(byPlace[pl], o)
		if ClassOf(o.LastErr) == RateLimited && o.NextTry.After(now) {
			p.gate(gateOf(pl, verbOf(o))).hold(o.NextTry, now, o.LastErr) // told before a restart, and still true
		}
	}
	return order, byPlace
}

// inherit notes, at the first look, which pages the process before this one has left.
func (p *Pump) inherit(due []Owed) {
	if p.inherited != nil {
		return
	}
	p.inherited = map[string]bool{}
	for _, o := range due {
		if o.Lane == LanePage && o.Op != Edit {
			p.inherited[o.Key] = true
		}
	}
}

func verbOf(o Owed) verb {
	if o.Op == Edit {
		return toEdit
	}
	return toPost
}

// claim takes a channel for one worker; it is false while another is at it or all are at work.
func (p *Pump) claim(pl place) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.busy[pl] {
		return false
	}
	select {
	case p.slots <- struct{}{}:
		p.busy[pl] = true
		return true
	default:
		return false
	}
}

func (p *Pump) release(pl place) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.busy, pl)
	<-p.slots
}

// gate is called with the lock held.
func (p *Pump) gate(key gateKey) *gate {
	g := p.gates[key]
	if g == nil {
		g = &gate{}
		p.gates[key] = g
	}
	return g
}

// saveUnsaved writes down the outcomes that the store refused earlier.
func (p *Pump) saveUnsaved(ctx context.Context) error {
	p.mu.Lock()
	waiting := make(map[string]Result, len(p.unsaved))
	for k, r := range p.unsaved {
		waiting[k] = r
	}
	p.mu.Unlock()
	for key, r := range waiting {
		if err := p.store.Settle(ctx, key, r); err != nil {
			return err
		}
		p.mu.Lock()
		delete(p.unsaved, key)
		p.mu.Unlock()
	}
	return nil
}
