package engine

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/slowburn-sre/slowburn/internal/incidents"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/slo"
)

// memory is what the engine knows: the accounts, the book of incidents, what waits for the store,
// and what of all this is shown. Acts, evidence and whatever else comes beside the ticks need
// nothing but it.
//
// Its lock is held for the work on one budget, to take over a book, or to write down, and never
// while a source is asked or thousands of messages are composed. So an act waits for a commit at
// most, and comes in between two budgets of a tick. Accounts are changed only by who is deciding,
// too; see Engine.
type memory struct {
	*Options
	clock *clock // its correction

	seen  atomic.Pointer[Snapshot] // what readers see; they do not wait for the rest
	shown atomic.Uint64            // snapshots

	mu        sync.RWMutex
	budgets   *budgets
	book      incidents.Book
	books     int // that have been adopted, to tell whether the book has changed
	backlog   backlog
	backfills backfills
	settling  settling
	last      Summary
	began     time.Time // of the first tick; zero before it, and for ever if no process went before
	follows   bool      // another process has decided before this one
	standby   bool      // another process decides, and this one follows it; see standby.go
}

// hold does something under the lock.
func (m *memory) hold(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
}

// adopt takes over a book.
func (m *memory) adopt(b incidents.Book) { m.book, m.books = b, m.books+1 }

// Flush writes down what the store has refused so far. It is for a stop: what only memory has is
// lost with the process, and the next one cannot know what people were told of it.
func (m *memory) Flush(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.backlog.save(ctx)
}

// OweBeside writes down messages that are decided on beside the ticks, by a function of an incident
// that is open, for those of the IDs that are. None of them ends while it is asked about: its end
// is owed after them. While the store cannot be written, they are owed in memory, as those of a
// tick are.
func (m *memory) OweBeside(ctx context.Context, now time.Time, ids []string, decide func(incidents.Notification) []outbox.Entry) error {
	var failed error
	for some := range slices.Chunk(ids, atATime) {
		failed = cmp.Or(m.oweBeside(ctx, now, some, decide), failed)
	}
	return failed
}

func (m *memory) oweBeside(ctx context.Context, now time.Time, ids []string, decide func(incidents.Notification) []outbox.Entry) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var entries []outbox.Entry
	for _, t := range m.book.Open(m.budgets, ids, now) {
		entries = append(entries, decide(t)...)
	}
	entries = slices.DeleteFunc(entries, func(o outbox.Entry) bool { return m.backlog.owes(o.Key) })
	if len(entries) == 0 {
		return nil
	}
	return m.keep(ctx, store.Tick{At: now, Owed: entries})
}

// Keep writes down what was decided beside the ticks. While the store cannot be written it is kept
// with what the ticks have decided, and what it owes is owed in memory, as theirs is.
func (m *memory) Keep(ctx context.Context, tick store.Tick) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.keep(ctx, tick)
}

// keep does what Keep does, with the lock held.
func (m *memory) keep(ctx context.Context, tick store.Tick) error {
	m.backlog.add(tick)
	if err := m.backlog.save(ctx); err != nil {
		return fmt.Errorf("write down what is owed: %w", err)
	}
	m.kick()
	return nil
}

func (m *memory) kick() {
	if m.Kick != nil {
		m.Kick()
	}
}

// letGo forgets what is decided and not in the store, and the histories that are being read.
func (m *memory) letGo() {
	m.backlog = backlog{store: m.Store, owe: m.Options.Owe}
	m.backfills = backfills{source: m.Source, shares: map[slo.ID]float64{}}
	m.settling = nil
}
