package daemon

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/slowburn-sre/slowburn/internal/store"
)

// Of several daemons on one store, one leads: it evaluates, sends and writes. The others stand by:
// they serve pages from what they follow in the store, and go on from there when the leader is gone.

// standby is what a daemon that does not lead does.
type standby struct {
	follower *store.Follower
	facts    map[string]string // as they were read last
	over     chan struct{}     // closed when this daemon leads for the first time
	failing  bool
}

const (
	// followEvery is how often a standby looks for what was decided.
	followEvery = time.Second
	// followFor bounds one look: a server that does not answer must not hold up the lead.
	followFor = 5 * time.Second
)

// load reads what this daemon goes on with. Who has the store for itself leads at once.
func (a *Daemon) load(ctx context.Context) (snap store.Snapshot, err error) {
	if a.cfg.Postgres.Given() {
		a.standby.follower, snap, err = a.db.Follow(ctx)
		a.standby.facts = snap.Facts
		return snap, err
	}
	if err := a.lead(ctx, a.db.Lead); err != nil {
		return snap, err
	}
	snap, err = a.db.Load(ctx)
	a.standby.facts = snap.Facts
	return snap, err
}

// standBy follows whoever leads until this daemon does.
func (a *Daemon) standBy(ctx context.Context) error {
	if a.term.Load() != nil {
		<-ctx.Done()
		return nil
	}
	led := make(chan error, 1)
	go func() { led <- a.lead(ctx, a.db.Lead) }()
	ticker := time.NewTicker(followEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			_ = a.follow(ctx) // logged
			continue
		case err := <-led:
			if ctx.Err() != nil {
				return nil
			}
			if err != nil {
				return err
			}
		}
		break
	}
	for a.takeOver(ctx) != nil {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
	<-ctx.Done()
	return nil
}

// takeOver goes on as the leader with all that those before have written. They write nothing any
// more.
func (a *Daemon) takeOver(ctx context.Context) error {
	if err := a.follow(ctx); err != nil {
		return err
	}
	marks, err := a.db.Marks(ctx)
	if err != nil {
		a.Log.Error("cannot read the reading positions", "err", err)
		return err
	}
	a.goOn(marks)
	return nil
}

// goOn begins to lead with what was loaded and followed.
func (a *Daemon) goOn(marks map[string][]byte) {
	a.reader.Restore(marks)
	a.recallPaging(a.standby.facts)
	a.recallDrills(a.standby.facts, a.Clock())
	a.Engine.Lead(marks)
	close(a.standby.over)
}

// follow takes over what was decided since the last look.
func (a *Daemon) follow(ctx context.Context) error {
	err := a.look(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	switch failing := err != nil; {
	case failing && !a.standby.failing:
		a.Log.Error("cannot follow the leader; pages show what was read last", "err", err)
	case !failing && a.standby.failing:
		a.Log.Info("following the leader again")
	}
	a.standby.failing = err != nil
	return err
}

func (a *Daemon) look(ctx context.Context) error {
	bounded, cancel := context.WithTimeout(ctx, followFor)
	defer cancel()
	news, err := a.standby.follower.Next(bounded)
	if err == nil {
		a.Engine.Follow(news)
		a.standby.facts = news.Facts
		a.recallDrills(news.Facts, a.Clock())
		return nil
	}
	if !errors.Is(err, store.ErrBehind) {
		return err
	}
	follower, snap, err := a.db.Follow(ctx)
	if err != nil {
		return err
	}
	a.standby.follower, a.standby.facts = follower, snap.Facts
	a.Engine.LoadAnew(snap)
	return nil
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
func (a *Daemon) lead(ctx context.Context, ask func(context.Context, func(error)) (*store.Term, error)) error {
	shared := a.cfg.Postgres.Given()
	if shared {
		a.Log.Info("asking to lead; while another daemon does, this one waits", "store", a.db.Path())
	}
	term, err := ask(ctx, func(err error) {
		if err != nil {
			a.Log.Error("cannot ask to lead", "err", err)
		} else {
			a.Log.Info("asking to lead works again")
		}
	})
	if err != nil {
		return err
	}
	if shared {
		a.Log.Info("this daemon leads", "term", term.Number)
	}
	a.term.Store(term)
	return nil
}

// keepLeading leads again after a term that was lost because the server was away: meanwhile decisions
// wait in memory, and nothing is sent. It fails when another daemon has led: then this one must
// begin anew, with what that one has written.
func (a *Daemon) keepLeading(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-a.term.Load().Lost():
		}
		if err := a.lead(ctx, a.db.Regain); err != nil && ctx.Err() == nil {
			return err
		}
	}
}
