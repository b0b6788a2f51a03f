package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/slo"
)

// Options of [Open]. The zero value is what a daemon wants.
type Options struct {
	// CheckFor bounds the look for damage when the store is opened: a store too big to be read in
	// this time is checked in part. Zero means two seconds, negative means not at all.
	CheckFor time.Duration
	// ReadOnly opens beside a running daemon, without the lock and without a migration; everything
	// that writes fails.
	ReadOnly bool
	// Fault is called before every step that changes the disk, with the step's name; its error is
	// the step's. Every operation (commit, fold, begin, settle, supersede, prune, dropdays, forget)
	// has the steps ".begin", ".commit" and ".done", the last after it took effect. Within a commit
	// are .journal, .incidents, .acts, .evidence, .outbox, .marks, .facts, .reports and .verdicts,
	// within a fold .days, .states and .journal; "open.migrate" is before a migration, and
	// "checkpoint" before the write-ahead log of SQLite is copied into the file, beside everything
	// else. It is for tests and may be nil.
	Fault func(op string) error
}

// DB is a store in a SQLite file, or in a database of PostgreSQL. Its methods may be called from
// any goroutine; writes wait for each other, reads do not wait.
type DB struct {
	*connections
	messages
	records

	mu sync.Mutex // held by Load, Commit, Fold and Forget
	// known is what the disk knows of each budget, nil when that has to be read again.
	known map[slo.ID]*known
}

// messages is the outbox of a store, and records what can be looked up in it.
type (
	messages struct{ *connections }
	records  struct{ *connections }
)

// connections are those to a database, and how transactions go over them.
type connections struct {
	path    string // of the file, or where the server is, without secrets
	fault   func(string) error
	backend backend
	w       *sql.DB // one connection, for the engine
	pump    *sql.DB // for the pump: the same on SQLite, one of its own on PostgreSQL
	r       *sql.DB
	view    *sql.DB // for reads that need one view of several tables
	views   *sql.TxOptions
	term    atomic.Pointer[Term] // nil until this process leads
	reach   *reach               // of a server, nil for a file
}

// backend is what the two databases do differently. Every statement is the same on both.
type backend interface {
	// present refuses to go on when what was opened is no longer there, or when it is known that
	// the term may not write.
	present(*Term) error
	// fence fails unless the term may write; it is the first statement of a transaction, and keeps
	// the next term from beginning before the transaction is over.
	fence(context.Context, txn, *Term) error
	// prepared returns where a transaction keeps the statements that it has prepared, nil if the
	// driver keeps them by itself.
	prepared() map[string]*sql.Stmt
	// again reports whether a transaction that failed so has changed nothing and may be tried again
	// at once.
	again(error) bool
	// lead waits until this process leads, and tells each time why it does not.
	lead(ctx context.Context, waiting func(error)) (*Term, error)
	// wake tells the other processes at the end of the transaction that there is something for
	// them; listen calls heard whenever one of them did.
	wake(context.Context, txn) error
	listen(ctx context.Context, heard func())
	// timeline names the history that the database is in; a failover begins another.
	timeline(context.Context, querier) (string, error)
	// noteTick leaves a word, outside of the database, that a tick is in it; lost returns when the
	// newest such tick was that a process before has left.
	noteTick(at time.Time)
	lost() time.Time
	// wrote is called after each transaction that wrote, and may tidy up beside the next ones; rest
	// waits for that.
	wrote(*connections)
	rest()
	close() error
}

// known is the number of a budget and the state that was last written, if that is known.
type known struct {
	num   int64
	state *alerting.State
}

// write runs f in a transaction: all of it, or nothing. f may be run again after an error of the
// database.
func (db *connections) write(ctx context.Context, op string, f func(txn) error) error {
	return db.wrap(op, db.transact(ctx, db.w, op, f))
}

// deliver writes for the pump, which must not wait for what the engine writes.
func (db *connections) deliver(ctx context.Context, op string, f func(txn) error) error {
	return db.wrap(op, db.transact(ctx, db.pump, op, f))
}

// mostTries bounds how often a transaction is tried that others got in the way of.
const mostTries = 5

func (db *connections) transact(ctx context.Context, pool *sql.DB, op string, f func(txn) error) error {
	return db.retry(func() error { return db.try(ctx, pool, op, f) })
}

func (db *connections) retry(try func() error) error {
	for tries := 1; ; tries++ {
		err := try()
		if err == nil || tries == mostTries || !db.backend.again(err) {
			return err
		}
	}
}

func (db *connections) try(ctx context.Context, pool *sql.DB, op string, f func(txn) error) error {
	term := db.term.Load()
	if err := db.backend.present(term); err != nil {
		return err
	}
	return db.inTerm(ctx, term, func(ctx context.Context) error { return db.tryOnce(ctx, term, pool, op, f) })
}

func (db *connections) tryOnce(ctx context.Context, term *Term, pool *sql.DB, op string, f func(txn) error) error {
	if err := db.fault(op + ".begin"); err != nil {
		return err
	}
	tx, err := begin(ctx, pool)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	t := txn{Tx: tx, ctx: ctx, prepared: db.backend.prepared()}
	if err := db.backend.fence(ctx, t, term); err != nil {
		return err
	}
	if err := f(t); err != nil {
		return err
	}
	if err := db.fault(op + ".commit"); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return db.unclear(err)
	}
	db.backend.wrote(db)
	return db.fault(op + ".done")
}

// inTerm does something that ends with a term, nil if this process has none. A server that is cut
// off tells nobody: whoever asks it would wait until the connection ends, which may take many
// minutes, and a leader would hold all that is locked meanwhile, and not stand by.
func (db *connections) inTerm(ctx context.Context, term *Term, do func(context.Context) error) (err error) {
	defer func() { db.reach.heard(err) }()
	if term == nil || term.ctx == nil {
		return do(ctx)
	}
	if term.isOver() {
		return ErrDeposed
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(term.ctx, func() { cancel(ErrDeposed) })()
	err = do(ctx)
	if err != nil && errors.Is(context.Cause(ctx), ErrDeposed) {
		return fmt.Errorf("%w: %w", ErrDeposed, err)
	}
	return err
}

// read asks a pool whose reads go on side by side, and beside writes. Whoever has lost the lead
// reads nothing until it has asked for it again: it may hold what it decided as the leader for
// true.
func read[T any](ctx context.Context, db *connections, op string, f func(context.Context, querier) (T, error)) (v T, err error) {
	err = db.inTerm(ctx, db.term.Load(), func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, db.reach.patience())
		defer cancel()
		v, err = f(ctx, db.r)
		return err
	})
	return v, db.wrap(op, err)
}

// each calls f for every row of a query, as read asks it.
func (db *connections) each(ctx context.Context, op string, f func(*sql.Rows) error, query string, args ...any) error {
	_, err := read(ctx, db, op, func(ctx context.Context, q querier) (none struct{}, err error) {
		return none, each(ctx, q, f, query, args...)
	})
	return err
}

// look reads in one view of all tables.
func (db *connections) look(ctx context.Context, op string, f func(context.Context, *sql.Tx) error) error {
	return db.wrap(op, db.inTerm(ctx, db.term.Load(), func(ctx context.Context) error {
		tx, err := db.view.BeginTx(ctx, db.views)
		if err != nil {
			return err
		}
		defer tx.Rollback()
		return f(ctx, tx)
	}))
}

// begin begins a transaction; if the connection was broken in the meantime, on another one.
func begin(ctx context.Context, pool *sql.DB) (*sql.Tx, error) {
	tx, err := pool.BeginTx(ctx, nil)
	if err != nil && isCut(err) {
		return pool.BeginTx(ctx, nil)
	}
	return tx, err
}

// Path returns where the store is: the absolute path of the file, or the address of the database
// without its password.
func (db *connections) Path() string { return db.path }

// Close gives up the leadership, waits for what is being written and frees the lock. The store must
// not be used afterwards.
func (db *connections) Close() error {
	if t := db.term.Load(); t != nil {
		t.Resign()
	}
	if db.backend != nil {
		db.backend.rest()
	}
	var errs []error
	for _, pool := range []*sql.DB{db.r, db.view, db.pump, db.w} { // the writer last: it tidies up the write-ahead log
		if pool != nil {
			errs = append(errs, pool.Close())
		}
	}
	if db.backend != nil {
		errs = append(errs, db.backend.close())
	}
	return db.wrap("close", errors.Join(errs...))
}

// txn is a transaction that writes. Whatever text it is given is kept by every database.
// Its statements end when the term of the writer does, at the latest.
type txn struct {
	*sql.Tx
	ctx      context.Context      //nolint:containedctx // of the transaction
	prepared map[string]*sql.Stmt // of this transaction, by their text; nil where that gains nothing
}

func (t txn) ExecContext(_ context.Context, query string, args ...any) (sql.Result, error) {
	if t.prepared == nil {
		return t.Tx.ExecContext(t.ctx, query, kept(args)...)
	}
	statement := t.prepared[query]
	if statement == nil {
		var err error
		if statement, err = t.PrepareContext(t.ctx, query); err != nil {
			return nil, err
		}
		t.prepared[query] = statement // closed with the transaction
	}
	return statement.ExecContext(t.ctx, kept(args)...)
}

func (t txn) QueryContext(_ context.Context, query string, args ...any) (*sql.Rows, error) {
	return t.Tx.QueryContext(t.ctx, query, kept(args)...) //nolint:sqlclosecheck // whoever asks closes
}

func (t txn) QueryRowContext(_ context.Context, query string, args ...any) *sql.Row {
	return t.Tx.QueryRowContext(t.ctx, query, kept(args)...)
}

// querier is a transaction or a pool.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// each calls f for every row of a query.
func each(ctx context.Context, q querier, f func(*sql.Rows) error, query string, args ...any) error {
	rows, err := q.QueryContext(ctx, query, kept(args)...)
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

// key is text that an index holds. PostgreSQL refuses a row of an index that is too long.
type key string

// longestKey is how many bytes of a key stand in an index at most: fewer than a third of a page.
const longestKey = 1000

// bounded returns the key itself, or, if it is too long, its beginning and its hash.
func (k key) bounded() string {
	if len(k) <= longestKey {
		return string(k)
	}
	sum := sha256.Sum256([]byte(k))
	return strings.ToValidUTF8(string(k[:longestKey-2*len(sum)-1]), "") + "#" + hex.EncodeToString(sum[:])
}

// kept returns the arguments of a statement with texts as they are kept.
func kept(args []any) []any {
	for i, a := range args {
		switch v := a.(type) {
		case string:
			args[i] = plain(v)
		case key:
			args[i] = key(plain(string(v))).bounded()
		}
	}
	return args
}

// plain returns text that PostgreSQL takes: valid UTF-8 without a zero byte. What is neither is
// replaced, on both databases, so that both keep the same.
func plain(s string) string {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, string(utf8.RuneError))
	}
	return strings.ReplaceAll(s, "\x00", string(utf8.RuneError))
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
