package store

import (
	"cmp"
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// reach is whether a server answers, by everything that it is asked. Nil is a file, which is always
// there.
type reach struct {
	answered atomic.Int64 // when it did last; 0 if it never has
	since    atomic.Int64 // when it did last, once it does not any more; else 0
}

// heard takes note of how a question went.
func (r *reach) heard(err error) {
	switch {
	case r == nil:
	case err == nil, codeOf(err) != "" && !isAway(err) && !isCut(err): // also what it refuses is an answer
		r.answered.Store(time.Now().UnixNano())
		r.since.Store(0)
	case isCut(err), errors.Is(err, context.DeadlineExceeded), isAway(err):
		r.since.CompareAndSwap(0, cmp.Or(r.answered.Load(), time.Now().UnixNano()))
	}
}

// isAway reports whether a server says that it is about to stop, or is not there yet.
func isAway(err error) bool {
	switch codeOf(err) {
	case "57P01", "57P02", "57P03":
		return true
	}
	return false
}

// silent returns since when the server has not answered, zero while it does.
func (r *reach) silent() time.Time {
	if r == nil {
		return time.Time{}
	}
	return timeOf(r.since.Load())
}

// patience bounds a read. Nobody waits for long for a server of which it is known that it does not
// answer.
func (r *reach) patience() time.Duration {
	switch {
	case r == nil:
		return longLimit
	case r.silent().IsZero():
		return statementLimit
	}
	return time.Second
}

// Silent returns since when the database has not answered, by this machine's clock. It is zero
// while it answers, and for a file.
func (db *connections) Silent() time.Time { return db.reach.silent() }
