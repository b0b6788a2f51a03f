package engine

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/slo"
)

// fill is a history being read, beside the live evaluation of the same SLOs.
type fill struct {
	work  *prom.Backfill
	found budget.Minute // how much of it was done when data were found last
}

// backfills are the histories that are being read.
type backfills struct {
	source Source
	fills  []fill
	shares map[slo.ID]float64 // of the history that is read, of SLOs whose history is being read
}

const (
	// specsPerFill bounds one piece of a backfill.
	specsPerFill = 200
	// maxHistory is how far a backfill looks at most.
	maxHistory = 100 * slo.Day
	// barrenAfter is after how much history without any data a backfill takes it that Prometheus
	// keeps no more.
	barrenAfter = budget.Minute(3 * 24 * 60)
	// fillRetry is how long a backfill waits after a failure.
	fillRetry = 10 * time.Second
)

// factHistory says that the history of an SLO is wanted, and up to which minute, until it is read:
// a restart before the first piece would forget it.
func factHistory(id slo.ID) string { return "history/" + string(id) }

// resume goes on with the histories that were wanted before a restart.
func (b *backfills) resume(set *slo.Set, marks map[string][]byte, facts map[string]string) {
	begun := map[slo.ID]bool{}
	for _, work := range b.source.Backfills(marks, set.Specs) {
		b.fills = append(b.fills, fill{work: work, found: work.Progress().Done})
		for _, spec := range work.Specs() {
			begun[spec.ID()] = true
		}
	}
	wanted := map[slo.ID]budget.Minute{}
	for _, spec := range set.Specs {
		to, err := strconv.ParseInt(facts[factHistory(spec.ID())], 10, 64)
		if err == nil && !begun[spec.ID()] {
			wanted[spec.ID()] = budget.Minute(to)
		}
	}
	b.plan(set, wanted)
}

// plan orders the history of SLOs that were seen for the first time in this tick.
func (b *backfills) plan(set *slo.Set, fresh map[slo.ID]budget.Minute) {
	ids := slices.Sorted(maps.Keys(fresh))
	for len(ids) > 0 {
		n := min(len(ids), specsPerFill)
		var specs []*slo.Spec
		plan := prom.Plan{}
		for _, id := range ids[:n] {
			spec, to := set.Lookup(id), fresh[id]
			specs = append(specs, spec)
			b.shares[id] = 0
			if plan.To == 0 {
				plan = prom.Plan{From: to, Fine: to, To: to}
			}
			plan.To = max(plan.To, to)
			plan.Fine = min(plan.Fine, to-alerting.Horizon(spec))
			plan.From = min(plan.From, to-min(alerting.History(spec), budget.Minutes(maxHistory)))
		}
		b.fills = append(b.fills, fill{work: b.source.Backfill(specs, plan)})
		ids = ids[n:]
	}
}

// FillHistory reads the history of new SLOs, piece by piece, until ctx ends. Live evaluation goes
// on meanwhile: the recent days come first, so that alerts see what they need.
func (e *Engine) FillHistory(ctx context.Context, now func() time.Time) error {
	for ctx.Err() == nil {
		wait := time.Second
		more, err := e.fillPiece(ctx, now())
		switch {
		case err != nil && ctx.Err() == nil:
			e.Log.Warn("a piece of history cannot be read; it is tried again", "err", err)
			wait = fillRetry
		case more:
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
	return nil
}

// FillAll reads all of the history that is wanted, at once.
func (e *Engine) FillAll(ctx context.Context, now time.Time) error {
	for {
		if more, err := e.fillPiece(ctx, now); err != nil || !more {
			return err
		}
	}
}

// fillPiece reads one piece of the first history that is not complete. It reports whether there is
// more.
func (e *Engine) fillPiece(ctx context.Context, now time.Time) (bool, error) {
	e.mu.RLock()
	f, behind := e.backfills.next(), len(e.backlog.ticks) > 0
	e.mu.RUnlock()
	switch {
	case f == nil:
		return false, nil
	case behind:
		return true, errBehind
	}
	batch := f.work.Next(ctx)
	if len(batch.Failures) > 0 {
		return true, batch.Failures[0].Err
	}
	e.deciding.Lock()
	defer e.deciding.Unlock()
	return e.takePiece(context.WithoutCancel(ctx), *f, batch, now)
}

// errBehind is why no history is read while the store does not take what there is.
var errBehind = errors.New("the store is behind")

// takePiece writes a piece of history into the ledgers and the store. What was spent in it is no
// news.
func (e *Engine) takePiece(ctx context.Context, f fill, batch *prom.Batch, now time.Time) (bool, error) {
	tick := store.Tick{At: now, Marks: batch.Marks, Facts: map[string]string{}}
	progress, b := f.work.Progress(), e.budgets
	for _, id := range slices.Sorted(maps.Keys(batch.Readings)) {
		a := b.byID[id]
		if a == nil {
			continue // label values that are not in use any more
		}
		var turn store.Turn
		e.hold(func() { b.guard(id, func() { turn = b.takeHistory(a, batch.Readings[id]) }) })
		if len(turn.Slots)+len(turn.Hours) > 0 {
			f.found = progress.Done
			tick.Turns = append(tick.Turns, turn)
		}
	}
	done := f.work.Done()
	if !done && progress.Done-f.found > barrenAfter {
		done = true
		for name := range batch.Marks {
			tick.Marks[name] = nil // the plan is dropped
		}
	}
	var err error
	var touched []slo.ID // also where there was nothing: how much is read has changed
	e.hold(func() {
		b.guard("", func() { tick.Turns = append(tick.Turns, b.journeysHistory(batch.Readings)...) })
		b.blame(f.work.Faults())
		for _, spec := range f.work.Specs() {
			for _, a := range b.bySLO[spec.ID()] {
				touched = append(touched, a.id)
			}
			if done {
				tick.Facts[factHistory(spec.ID())] = ""
				delete(e.facts, factHistory(spec.ID()))
			}
		}
		// The reader has moved on, so the piece waits with the ticks if the store refuses it.
		e.backlog.add(tick)
		err = e.backlog.save(ctx)
		e.backfills.advance(f, progress, done)
		e.publishOnly(touched...)
	})
	if done {
		e.Log.Info("history is complete", "slos", len(f.work.Specs()), "days", int(progress.Done/(24*60)))
	}
	return len(e.backfills.fills) > 0, err
}

// blame says of budgets what was wrong in the history that was read of them.
func (b *budgets) blame(faults map[slo.ID][]string) {
	for id, texts := range faults {
		if a := b.byID[id]; a != nil {
			a.past = a.past[:0:0]
			for _, text := range texts {
				a.past = append(a.past, "in the history that was read: "+text)
			}
		}
	}
}

// takeHistory writes what was read of the past into a ledger.
func (b *budgets) takeHistory(a *account, r prom.Reading) store.Turn {
	turn := store.Turn{SLO: a.id}
	b.write(a, func(l *budget.Ledger) {
		for _, s := range r.Slots {
			if s.Slot.State != budget.Absent && s.At < a.since && l.Put(s.At, s.Slot) {
				turn.Slots = append(turn.Slots, s)
			}
		}
		for _, h := range r.Hours {
			if h.Sum.Seen() > 0 && l.PutHour(h.Hour, h.Sum) {
				turn.Hours = append(turn.Hours, h)
			}
		}
	})
	a.state.SpentSeen, a.state.Gate = false, ""
	turn.State = a.state
	return turn
}

// next returns the history to go on with; nil if there is none.
func (b *backfills) next() *fill {
	if len(b.fills) == 0 {
		return nil
	}
	f := b.fills[0]
	return &f
}

// advance notes how far the first history has come.
func (b *backfills) advance(f fill, p prom.Progress, done bool) {
	share := 1.0
	if !done && p.Of > 0 {
		share = float64(p.Done) / float64(p.Of)
	}
	for _, spec := range f.work.Specs() {
		b.shares[spec.ID()] = share
	}
	if done {
		b.fills = b.fills[1:]
	} else {
		b.fills[0] = f
	}
}
