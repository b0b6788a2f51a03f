package store

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// Term is one leadership: the time in which this process, and no other, decides, writes and sends.
type Term struct {
	// Number grows with each change of leader. A failover to a server that lagged may take it back,
	// so the term is known by its holder as well, which is new each time.
	Number int64
	Holder string

	timeline string // of the server that it began on; "" on SQLite

	until  atomic.Int64 // since began, in nanoseconds
	lost   chan struct{}
	resign func()
	ctx    context.Context //nolint:containedctx // ends with the term, and what is being written with it; nil if it cannot be lost
}

// began is the zero of the clock of leases, which never jumps.
var began = time.Now()

func clock() int64 { return int64(time.Since(began)) }

// Until returns the time up to which nobody else can lead, counted by the monotonic clock from the
// beginning of the newest sign of life that the server has answered. Sends must look at it right
// before they begin, and end by then; it is in the past once the term is lost.
func (t *Term) Until() time.Time { return began.Add(time.Duration(t.until.Load())) }

// Lost returns a channel that is closed when the leadership is over, as far as this process has
// noticed. Until may have passed before. Writes are refused from then on.
func (t *Term) Lost() <-chan struct{} { return t.lost }

// Resign gives the leadership up, so that another process can take it at once. What is being
// written ends first, or fails. It waits until the lock is free.
func (t *Term) Resign() {
	t.resign()
	<-t.lost
}

// isLost reports whether Lost is closed.
func (t *Term) isLost() bool {
	select {
	case <-t.lost:
		return true
	default:
		return false
	}
}

// isOver reports whether the term has ended, be it that its lock is not free yet.
func (t *Term) isOver() bool { return t.isLost() || t.ctx != nil && t.ctx.Err() != nil }

// endless returns the term of a process that has the store for itself.
func endless() *Term {
	t := &Term{Number: 1, lost: make(chan struct{})}
	t.until.Store(math.MaxInt64)
	t.resign = sync.OnceFunc(func() {
		t.until.Store(0)
		close(t.lost)
	})
	return t
}

// Lead waits until this process leads, or ctx ends. On SQLite, whose file one process has for
// itself, that is at once; on PostgreSQL one of several processes leads and the others wait. Each
// time it has asked in vain, waiting is told why: nil is that another process leads, anything else
// is what keeps this one from asking. It may be nil. Whoever led before must not be waited for: the
// term of a leader that is gone without a word ends by itself. After it everything must be read
// again, also by a process that led before: others may have led meanwhile, and what it could not
// write is not there. While this process leads it returns the term that is running.
func (db *DB) Lead(ctx context.Context, waiting func(error)) (*Term, error) {
	if t := db.term.Load(); t != nil {
		if !t.isLost() {
			return t, nil
		}
		db.term.CompareAndSwap(t, nil) // stands by from here on, and reads as everybody does
	}
	if waiting == nil {
		waiting = func(error) {}
	}
	t, err := db.backend.lead(ctx, func(err error) {
		db.reach.heard(err)
		waiting(db.wrap("lead", err))
	})
	if err != nil {
		return nil, db.wrap("lead", err)
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	db.known = nil // others may have written since
	db.term.Store(t)
	return t, nil
}
