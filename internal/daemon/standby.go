package daemon

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	oklog "github.com/oklog/run"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/internal/trouble"
)

// Of several daemons on one store, one leads: it evaluates, sends and writes. The others stand by:
// they serve pages from what they follow in the store, hand on what people do (see inbox.go), and
// go on from there when the leader is gone. Whoever loses the lead stands by again.

// standby is what a daemon that does not lead does.
type standby struct {
	waits atomic.Pointer[string] // what it waits for, in words; nil before it is known

	mu       sync.Mutex        // held while the leader is followed
	follower *store.Follower   // nil if everything has to be loaded
	facts    map[string]string // as they were read last

	unasked, unfollowed trouble.Spell
}

const (
	// followEvery is how often a standby looks for what was decided.
	followEvery = time.Second
	// followFor bounds one look, and loadFor one that loads everything: a server that does not
	// answer must not hold up the lead.
	followFor = 5 * time.Second
	loadFor   = 2 * time.Minute
)

// load reads what this daemon goes on with. Who has the store for itself leads at once.
func (a *Daemon) load(ctx context.Context) (snap store.Snapshot, err error) {
	if a.cfg.Load().Postgres.Given() {
		a.standby.follower, snap, err = a.db.Follow(ctx)
		a.standby.facts = snap.Facts
		return snap, err
	}
	if err := a.lead(ctx); err != nil {
		return snap, err
	}
	snap, err = a.db.Load(ctx)
	a.standby.facts = snap.Facts
	return snap, err
}

// takeTurns stands by until this daemon leads, and leads until it has lost that, until ctx ends.
func (a *Daemon) takeTurns(ctx context.Context) error {
	for ctx.Err() == nil {
		if a.Engine.Snapshot().Standby {
			leads, err := a.standBy(ctx)
			if err != nil {
				return err
			}
			if !leads {
				continue
			}
		}
		if err := a.leadOn(ctx); err != nil || ctx.Err() != nil {
			return err
		}
		a.stepDown()
	}
	return nil
}

// leadOn does what only the leader does, until its term is lost. It returns when all of that has
// ended.
func (a *Daemon) leadOn(ctx context.Context) error {
	var g oklog.Group
	do := func(f func(context.Context) error) {
		ctx, cancel := context.WithCancel(ctx)
		g.Add(func() error { return f(ctx) }, func(error) { cancel() })
	}
	do(func(ctx context.Context) error {
		select {
		case <-ctx.Done():
		case <-a.term.Load().Lost():
		}
		return nil
	})
	do(func(ctx context.Context) error {
		a.recordConfig(ctx, nil, a.Engine.Snapshot().Set, "")
		<-ctx.Done()
		return nil
	})
	do(func(ctx context.Context) error { return a.Engine.Run(ctx, a.Clock, a.Every) })
	do(func(ctx context.Context) error { return a.Engine.FillHistory(ctx, a.Clock) })
	do(func(ctx context.Context) error { return a.Engine.LookInto(ctx, a.Clock) })
	do(a.Pump.Run)
	do(a.arrival.run)
	do(a.pulse.run)
	do(a.drills.run)
	do(a.inbox.run)
	do(func(ctx context.Context) error { return a.Keeper.Run(ctx, a.Now, a.ticked) })
	do(a.Desk.Connect)
	return g.Run()
}

// stepDown lets go what only this process knows, after its term was lost: another one may have
// decided and sent since, by what is in the store. What Prometheus still has is decided again by
// whoever leads.
func (a *Daemon) stepDown() {
	a.Log.Warn("this daemon does not lead any more: it sends and writes nothing, and stands by")
	a.Engine.StandBy()
	a.Pump.Forget()
	a.standby.mu.Lock()
	defer a.standby.mu.Unlock()
	a.standby.follower = nil
}

// standBy follows whoever leads, and reports whether this daemon leads now. It is false if ctx has
// ended, or the lead was lost before it began. It fails if this daemon can never lead.
func (a *Daemon) standBy(ctx context.Context) (leads bool, err error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	a.standby.waits.Store(nil)
	led := make(chan error, 1)
	go func() { led <- a.lead(ctx) }()
	a.lookAtReviews()
	ticker := time.NewTicker(followEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			_ = a.follow(ctx) // logged
			continue
		case err := <-led:
			if ctx.Err() != nil {
				return false, nil
			}
			if err != nil {
				return false, err
			}
		}
		break
	}
	for a.takeOver(ctx) != nil {
		select {
		case <-ctx.Done():
			return false, nil
		case <-a.term.Load().Lost():
			return false, nil
		case <-ticker.C:
		}
	}
	return true, nil
}

// takeOver goes on as the leader with all that those before have written. They write nothing any
// more.
func (a *Daemon) takeOver(ctx context.Context) error {
	if err := a.follow(ctx); err != nil {
		return err
	}
	marks, err := a.db.Marks(ctx)
	if err != nil {
		a.standby.unfollowed.Tried(a.Log, unfollowed, err)
		return err
	}
	a.goOn(marks)
	return nil
}

// goOn begins to lead with what was loaded and followed.
func (a *Daemon) goOn(marks map[string][]byte) {
	a.reader.Restore(marks)
	a.arrival.recall(a.standby.facts)
	a.drills.recall(a.standby.facts, a.Clock())
	a.Engine.Lead(marks)
}

// follow takes over what was decided since the last look.
func (a *Daemon) follow(ctx context.Context) error {
	a.standby.mu.Lock()
	defer a.standby.mu.Unlock()
	if !a.Engine.Snapshot().Standby {
		return nil
	}
	err := a.look(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	a.standby.unfollowed.Tried(a.Log, unfollowed, err)
	return err
}

const unfollowed = "cannot follow the leader; pages show what was read last"

func (a *Daemon) look(ctx context.Context) error {
	if a.standby.follower == nil {
		return a.loadAnew(ctx)
	}
	bounded, cancel := context.WithTimeout(ctx, followFor)
	defer cancel()
	news, err := a.standby.follower.Next(bounded)
	if errors.Is(err, store.ErrBehind) {
		a.Log.Info("everything is loaded anew", "why", err)
		return a.loadAnew(ctx)
	}
	if err == nil && a.Engine.Follow(news) {
		a.followed(news.Facts)
	}
	return err
}

func (a *Daemon) loadAnew(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, loadFor)
	defer cancel()
	follower, snap, err := a.db.Follow(ctx)
	if err != nil {
		return err
	}
	a.standby.follower = follower
	a.sayDamage(snap)
	a.Engine.LoadAnew(snap)
	a.followed(snap.Facts)
	return nil
}

// followed takes note of what goes by facts beside the engine.
func (a *Daemon) followed(facts map[string]string) {
	a.standby.facts = facts
	a.arrival.recall(facts)
	a.drills.recall(facts, a.Clock())
	a.lookAtReviews()
}

// lookAtReviews reads the postmortems as their files stand. Whoever leads writes them.
func (a *Daemon) lookAtReviews() {
	if err := a.Keeper.Look(); err != nil {
		a.Log.Debug("postmortems: not everything could be read", "err", err)
	}
}

// leadsUntil returns the time up to which this daemon may send. It is past while another one leads.
func (a *Daemon) leadsUntil() time.Time {
	if term := a.term.Load(); term != nil {
		return term.Until()
	}
	return time.Time{}
}

// leadership shows whether this daemon leads.
func (a *Daemon) leadership() prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "slowburn_leader", Help: "1 if this daemon leads: it evaluates and sends; 0 if it stands by.",
	}, func() float64 {
		if time.Now().Before(a.leadsUntil()) {
			return 1
		}
		return 0
	})
}

// lead waits until this daemon leads; the log says so, and what is in the way.
func (a *Daemon) lead(ctx context.Context) error {
	shared := a.cfg.Load().Postgres.Given()
	if shared {
		a.Log.Info("asking to lead; while another daemon does, this one waits", "store", a.db.Path())
	}
	term, err := a.db.Lead(ctx, func(err error) {
		if ctx.Err() != nil {
			return
		}
		why := "another slowburn leads"
		if err != nil {
			why = "who leads is not known, because the database does not answer"
		}
		a.standby.waits.Store(&why)
		a.standby.unasked.Tried(a.Log, "cannot ask to lead", err)
	})
	if err != nil {
		return err
	}
	a.standby.unasked.Tried(a.Log, "cannot ask to lead", nil)
	if shared {
		a.standby.waits.Store(new("no other slowburn leads, and this one takes over"))
		a.Log.Info("this daemon leads", "term", term.Number)
	}
	a.term.Store(term)
	return nil
}

// waitsFor says what this daemon waits for while it stands by.
func (a *Daemon) waitsFor() string {
	if w := a.standby.waits.Load(); w != nil {
		return *w
	}
	return "it is not known yet whether another slowburn leads"
}
