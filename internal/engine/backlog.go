package engine

import (
	"context"
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
	store Store
	ticks []store.Tick
}

// maxUnsaved bounds what a long outage of the disk may hold in memory: a day.
const maxUnsaved = 1440

// add takes a tick in, to be saved.
func (b *backlog) add(tick store.Tick) { b.ticks = append(b.ticks, tick) }

// save commits what is not yet committed, oldest first.
func (b *backlog) save(ctx context.Context) error {
	for len(b.ticks) > 0 {
		if err := b.store.Commit(ctx, b.ticks[0]); err != nil {
			if len(b.ticks) > maxUnsaved {
				b.ticks = b.ticks[1:]
			}
			return fmt.Errorf("commit the tick of %s: %w", b.ticks[0].At.UTC().Format(time.RFC3339), err)
		}
		b.ticks = b.ticks[1:]
	}
	return nil
}

// overwrite brings incidents of some IDs, as the store has them, up to what it has not taken yet.
func (b *backlog) overwrite(known incidents.Past, ids []string) {
	for _, tick := range b.ticks {
		for _, t := range tick.Turns {
			for _, i := range t.Incidents {
				if slices.Contains(ids, i.ID) {
					known[i.ID] = i
				}
			}
		}
	}
}

// write commits what is not yet committed, then a tick, which it does not keep if that fails. The
// second try is for an error that came although the first took effect; committing twice changes
// nothing.
func (b *backlog) write(ctx context.Context, tick store.Tick) error {
	if err := b.save(ctx); err != nil {
		return err
	}
	err := b.store.Commit(ctx, tick)
	if err != nil {
		err = b.store.Commit(ctx, tick)
	}
	return err
}

// pages returns and marks the pages of the newest tick that are to be sent past the store that
// refuses it. The outbox looks them up before sending them again. What the outbox holds already,
// because the commit took effect and only said that it failed, is left to it; if it cannot be
// asked, a page is rather sent twice than not at all.
func (b *backlog) pages(ctx context.Context) []outbox.Entry {
	var pages []outbox.Entry
	tick := &b.ticks[len(b.ticks)-1]
	for t := range tick.Turns {
		for n := range tick.Turns[t].Entries {
			entry := &tick.Turns[t].Entries[n]
			if entry.Lane != outbox.LanePage || entry.Op == outbox.Edit {
				continue
			}
			if owed, err := b.store.Owes(ctx, entry.Key); err != nil || !owed {
				entry.Tried = true
				pages = append(pages, *entry)
			}
		}
	}
	return pages
}
