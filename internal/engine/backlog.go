package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/slowburn-sre/slowburn/internal/incidents"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/store"
)

// backlog holds the ticks that are decided and not committed yet, oldest first: more than one only
// while the store refuses them.
type backlog struct {
	store  Store
	ticks  unsaved
	handed int                  // how many of them have handed over what they owe
	owe    func([]outbox.Entry) // takes that, to be owed in memory; may be nil
}

// unsaved are ticks that the store has not taken yet, oldest first.
type unsaved []store.Tick

// maxUnsaved bounds what a long outage of the disk may hold in memory: a day.
const maxUnsaved = 1440

// add takes a tick in, to be saved.
func (b *backlog) add(tick store.Tick) { b.ticks = append(b.ticks, tick) }

// save commits what is not yet committed, oldest first. What cannot be committed is handed over, to
// be owed in memory, unless another process leads, which decides the same.
//
// The second try is for an error that came although the first took effect; committing twice changes
// nothing.
func (b *backlog) save(ctx context.Context) error {
	for len(b.ticks) > 0 {
		err := b.store.Commit(ctx, b.ticks[0])
		if err != nil {
			err = b.store.Commit(ctx, b.ticks[0])
		}
		if err != nil {
			err = fmt.Errorf("commit the tick of %s: %w", b.ticks[0].At.UTC().Format(time.RFC3339), err)
			if errors.Is(err, store.ErrDeposed) {
				return err
			}
			if unsent := b.unsent(ctx); b.owe != nil && len(unsent) > 0 {
				b.owe(unsent)
			}
			if len(b.ticks) > maxUnsaved {
				b.drop()
			}
			return err
		}
		b.drop()
	}
	return nil
}

// overwrite brings incidents of some IDs, as the store has them, up to what it has not taken yet.
func (u unsaved) overwrite(known incidents.Past, ids []string) {
	for _, tick := range u {
		for _, t := range tick.Turns {
			for _, i := range t.Incidents {
				if slices.Contains(ids, i.ID) {
					known[i.ID] = i
				}
			}
		}
	}
}

// drop lets the oldest tick go.
func (b *backlog) drop() { b.ticks, b.handed = b.ticks[1:], max(b.handed-1, 0) }

// write commits what is not yet committed, then a tick, which it does not keep if that fails. The
// second try is for an error that came although the first took effect; committing twice changes
// nothing.
func (b *backlog) write(ctx context.Context, tick store.Tick) error {
	if err := b.save(ctx); err != nil {
		return err
	}
	err := b.store.Commit(ctx, tick)
	if taken := new(store.TakenError); err == nil || errors.As(err, &taken) {
		return err
	}
	again := b.store.Commit(ctx, tick)
	if again != nil && errors.Is(err, store.ErrUnclear) {
		return errors.Join(again, store.ErrUnclear) // it may be the first that took effect
	}
	return again
}

// owes reports whether a tick that waits here owes a message.
func (b *backlog) owes(key string) bool {
	same := func(e outbox.Entry) bool { return e.Key == key }
	return slices.ContainsFunc(b.ticks, func(t store.Tick) bool {
		return slices.ContainsFunc(t.Owed, same) ||
			slices.ContainsFunc(t.Turns, func(t store.Turn) bool { return slices.ContainsFunc(t.Entries, same) })
	})
}

// unsent returns and marks what the ticks owe that the store refuses, each message once, so that it
// is owed in memory meanwhile. Reports wait for the store. The outbox looks a message up before it
// sends it again, should this process die. What the store holds already, because the commit took
// effect and only said that it failed, is left to it; if it cannot be asked, a message is rather
// sent twice than not at all.
func (b *backlog) unsent(ctx context.Context) []outbox.Entry {
	answers := true
	owes := func(key string) bool {
		if !answers {
			return false // nobody waits for each of them anew
		}
		owed, err := b.store.Owes(ctx, key)
		answers = err == nil
		return owed
	}
	var all []outbox.Entry
	for ; b.handed < len(b.ticks); b.handed++ {
		tick := &b.ticks[b.handed]
		for t := range tick.Turns {
			all = append(all, mark(tick.Turns[t].Entries, owes)...)
		}
		all = append(all, mark(tick.Owed, owes)...)
	}
	return all
}

// mark returns entries that the store does not owe, as they are, and marks them as tried.
func mark(entries []outbox.Entry, owes func(key string) bool) []outbox.Entry {
	var all []outbox.Entry
	for n := range entries {
		e := &entries[n]
		if e.Lane >= outbox.LaneReport || owes(e.Key) {
			continue
		}
		all = append(all, *e)
		e.Tried = e.Tried || e.Op != outbox.Edit
	}
	return all
}
