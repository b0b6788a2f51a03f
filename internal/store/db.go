package store

import (
	"context"
	"database/sql"
	"os"
	"sync"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/slo"
)

// Options of [Open]. The zero value is what a daemon wants.
type Options struct {
	// CheckFor bounds the look for damage when the store is opened: a store too big to be read in
	// this time is checked in part. Zero means two seconds, negative means not at all.
	CheckFor time.Duration
	// ReadOnly opens beside a running daemon, without the lock; everything that writes fails.
	ReadOnly bool
	// Fault is called before every step that changes the disk, with the step's name; its error is
	// the step's. Every operation (commit, fold, begin, settle, supersede, prune, dropdays, forget)
	// has the steps ".begin", ".commit" and ".done", the last after it took effect. Within a commit
	// are .journal, .incidents, .acts, .evidence, .outbox, .marks, .facts and .reports, within a
	// fold .days, .states and .journal; "open.migrate" is before a migration. It is for tests and
	// may be nil.
	Fault func(op string) error
}

// DB is a store in a SQLite file. Its methods may be called from any goroutine; writes wait for
// each other, reads do not wait.
type DB struct {
	path  string
	fault func(string) error
	lock  *os.File    // nil when read-only
	file  os.FileInfo // of the file that was opened
	w     *sql.DB     // one connection
	r     *sql.DB

	mu sync.Mutex // held by Load, Commit, Fold and Forget
	// known is what the disk knows of each budget, nil when that has to be read again.
	known map[slo.ID]*known
}

// known is the number of a budget and the state that was last written, if that is known.
type known struct {
	num   int64
	state *alerting.State
}

// write runs f in a transaction: all of it, or nothing.
func (db *DB) write(ctx context.Context, op string, f func(*sql.Tx) error) error {
	return wrap(op, db.path, db.transact(ctx, op, f))
}

func (db *DB) transact(ctx context.Context, op string, f func(*sql.Tx) error) error {
	if err := db.present(); err != nil {
		return err
	}
	if err := db.fault(op + ".begin"); err != nil {
		return err
	}
	tx, err := db.w.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := f(tx); err != nil {
		return err
	}
	if err := db.fault(op + ".commit"); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	return db.fault(op + ".done")
}

// querier is a transaction or a pool.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// each calls f for every row of a query.
func each(ctx context.Context, q querier, f func(*sql.Rows) error, query string, args ...any) error {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// nanos returns how a time is kept: nanoseconds since the Unix epoch, 0 for none.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// timeOf returns the inverse of nanos, in UTC.
func timeOf(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}
