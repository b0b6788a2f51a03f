package engine

import (
	"maps"
	"slices"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/incidents"
	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/slo"
)

// NewStandby makes an engine that shows what another process decides. It follows it by
// [Engine.Follow], and goes on from there once it leads.
func NewStandby(o Options, set *slo.Set, snap store.Snapshot) *Engine {
	if o.KeepFor == 0 {
		o.KeepFor = 400 * slo.Day
	}
	e := &Engine{Options: o, wakeGather: make(chan struct{}, 1)}
	e.clock.Options = &e.Options
	e.memory.Options, e.memory.clock, e.standby = &e.Options, &e.clock, true
	e.budgets = newBudgets(set, o.Policy, &stops{log: o.Log})
	e.letGo()
	e.load(snap)
	return e
}

// StandBy decides nothing any more, because another process does, or may: what was decided and is
// not in the store is let go. [Engine.LoadAnew] takes over what is there. Run and all that decides
// must have ended.
func (e *Engine) StandBy() {
	e.deciding.Lock()
	defer e.deciding.Unlock()
	e.hold(func() {
		e.standby, e.follows, e.began = true, false, time.Time{}
		e.letGo()
	})
	e.quiet, e.nextFold = prom.Stats{}, time.Time{}
	e.publish()
}

// LoadAnew takes over everything from the store, instead of what was followed so far.
func (e *Engine) LoadAnew(snap store.Snapshot) {
	e.deciding.Lock()
	defer e.deciding.Unlock()
	e.load(snap)
}

// load takes over what was kept, and shows it.
func (e *Engine) load(snap store.Snapshot) {
	e.hold(func() {
		e.budgets = newBudgets(e.budgets.set, e.budgets.policy, e.budgets.stops)
		e.found, e.nextFold = 0, time.Time{}
		e.adopt(incidents.NewBook(slices.Collect(maps.Values(snap.Open)), snap.Acts, evidenceFrom(snap.Evidence)))
		for id, a := range snap.Accounts {
			e.budgets.restore(&account{id: id, ledger: a.Ledger, state: a.State, since: a.State.Through}, e.book)
		}
	})
	e.catchUp(snap.Facts, snap.LastTick)
}

// Follow takes over what another process has decided since, and reports whether there was anything.
// Nothing is evaluated, and nobody is told.
func (e *Engine) Follow(news store.News) bool {
	e.deciding.Lock()
	defer e.deciding.Unlock()
	if len(news.Turns)+len(news.Acts) == 0 && news.LastTick.Equal(e.last.At) && len(news.Evidence) == e.found && maps.Equal(news.Facts, e.facts) {
		return false
	}
	e.hold(func() {
		e.found = len(news.Evidence)
		e.adopt(e.book.Follow(slices.Collect(maps.Values(news.Open)), news.Acts, evidenceFrom(news.Evidence)).Forget(news.LastTick))
	})
	for _, turn := range news.Turns {
		e.hold(func() { e.budgets.follow(turn, e.book) })
	}
	if now := news.LastTick; !now.Before(e.nextFold) { // the leader folds, and thins, at the same time
		if !e.nextFold.IsZero() {
			e.thin(now)
		}
		e.nextFold = now.Truncate(foldEvery).Add(foldEvery)
	}
	e.catchUp(news.Facts, news.LastTick)
	return true
}

// follow takes over what was decided about a budget.
func (b *budgets) follow(turn store.Turn, book incidents.Book) {
	a := b.known(turn.SLO)
	if a == nil {
		a = &account{id: turn.SLO, ledger: &budget.Ledger{}, state: turn.State, since: turn.State.Through}
		turn.Apply(a.ledger)
		b.restore(a, book)
		return
	}
	b.write(a, turn.Apply)
	if from, to := a.state.Through, turn.State.Through; from < to {
		a.counted = a.counted.Plus(a.ledger.Sum(from, to))
	}
	a.state, a.since = turn.State, turn.State.Through
}

// catchUp notes up to when another process has decided, and shows it.
func (e *Engine) catchUp(facts map[string]string, lastTick time.Time) {
	e.hold(func() {
		e.facts = maps.Clone(facts)
		if e.facts == nil {
			e.facts = map[string]string{}
		}
		e.last = Summary{At: lastTick}
		if !lastTick.IsZero() {
			e.last.Through = budget.MinuteOf(lastTick).Time()
			e.follows = true
		}
	})
	e.publish()
}

// Lead goes on with what was loaded and followed as whoever decides from now on. The marks are the
// reading positions of who decided before; the source must have them already.
func (e *Engine) Lead(marks map[string][]byte) {
	e.deciding.Lock()
	defer e.deciding.Unlock()
	e.hold(func() {
		e.standby = false
		e.outages = outagesFrom(e.facts)
		e.budgets.orphans = nil // as the state is now, which has been followed
		for id, a := range e.budgets.removed {
			if a.open() {
				e.budgets.orphans = append(e.budgets.orphans, id)
			}
		}
		slices.Sort(e.budgets.orphans)
		e.backfills.resume(e.budgets.set, marks, e.facts)
	})
	e.publish()
}
