package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
)

// Request is what a process that does not lead took from a person for the one that leads.
type Request struct {
	Key  string          // unique: the same request twice is one
	Kind string          // what Data is, to those who write and read it
	At   time.Time       // when it was taken
	Data json.RawMessage // JSON; nil if the record is damaged
	// Whole says that nothing else may wait under the key: else Ask passes over what waits, as long
	// as it is of the kind.
	Whole bool
}

// ErrOther means that something else waits under the key of a request.
var ErrOther = errors.New("something else waits under this key")

// Verdict is the leader's answer to a request. It is committed with what came of the request.
type Verdict struct {
	Key  string
	At   time.Time       // zero while the request waits for it
	Data json.RawMessage // JSON, for whoever took the request
}

// ErrWaiting means that a request is in the inbox, and that nobody who leads has answered it yet.
var ErrWaiting = errors.New("it is written down and waits for whoever leads")

// channelName is by which processes on one PostgreSQL wake each other.
const channelName = "slowburn"

const (
	sqlAsk = `insert into inbox (key, seq, kind, at, data, sum, done, verdict) values ($1, $2, $3, $4, $5, $6, 0, '')
		on conflict (key) do update set seq = excluded.seq, kind = excluded.kind, at = excluded.at, data = excluded.data,
			sum = excluded.sum, done = 0, verdict = '' where inbox.done > 0`
	sqlRequests   = `select key, kind, at, data, sum from inbox where done = 0 order by seq limit $1`
	sqlAnswer     = `update inbox set done = $1, verdict = $2 where key = $3 and done = 0`
	sqlAsked      = `select kind, data from inbox where key = $1`
	sqlVerdict    = `select done, verdict from inbox where key = $1`
	sqlNotify     = `select pg_notify('` + channelName + `', '')`
	sqlListen     = `listen ` + channelName
	sqlPruneInbox = `delete from inbox where done > 0 and done < $1`
)

// Ask hands a request to whoever leads, now or next. Any process may ask: it changes nothing but
// the list of what was asked. A key that waits already is passed over, or is [ErrOther]. One that
// was answered is asked anew, as it would be of the leader itself, which knows by the key what it
// has done.
func (db *DB) Ask(ctx context.Context, r Request) error {
	return db.wrap("ask", db.retry(func() error {
		err := db.ask(ctx, r)
		db.reach.heard(err)
		return err
	}))
}

func (db *DB) ask(ctx context.Context, r Request) error {
	if err := db.fault("ask.begin"); err != nil {
		return err
	}
	sqlTx, err := begin(ctx, db.pump)
	if err != nil {
		return err
	}
	defer sqlTx.Rollback()
	tx := txn{Tx: sqlTx, ctx: ctx}
	seq, err := next(ctx, tx, "inbox", 1)
	if err != nil {
		return err
	}
	data := plain(string(r.Data))
	if _, err := tx.ExecContext(ctx, sqlAsk, key(r.Key), seq, r.Kind, nanos(r.At), data, textSum(data)); err != nil {
		return err
	}
	same := false
	if err := each(ctx, tx, func(rows *sql.Rows) error {
		var kind, waits string
		err := rows.Scan(&kind, &waits)
		same = kind == r.Kind && (waits == data || !r.Whole)
		return err
	}, sqlAsked, key(r.Key)); err != nil {
		return err
	}
	if !same {
		return ErrOther
	}
	if err := db.backend.wake(ctx, tx); err != nil {
		return err
	}
	return db.unclear(tx.Commit())
}

// Requests lists the oldest of what the leader has not answered, in the order in which it was
// asked. A key that is very long comes back shortened; it is good for a [Verdict] all the same.
// What is damaged hides none of the others.
func (db *DB) Requests(ctx context.Context) ([]Request, error) {
	var all []Request
	err := db.each(ctx, "requests", func(rows *sql.Rows) error {
		var r Request
		var at, sum int64
		var data string
		if err := rows.Scan(&r.Key, &r.Kind, &at, &data, &sum); err != nil {
			return err
		}
		if r.At = timeOf(at); textSum(data) == sum {
			r.Data = json.RawMessage(data)
		}
		all = append(all, r)
		return nil
	}, sqlRequests, limit(0))
	return all, err
}

// Verdict returns the leader's answer to a request, and false if nobody knows of the request, or
// not any more. While it waits, the answer's time is zero.
func (db *DB) Verdict(ctx context.Context, request string) (Verdict, bool, error) {
	v, found := Verdict{Key: request}, false
	err := db.each(ctx, "verdict", func(rows *sql.Rows) error {
		var done int64
		var data string
		err := rows.Scan(&done, &data)
		v.At, v.Data, found = timeOf(done), json.RawMessage(data), true
		return err
	}, sqlVerdict, key(request))
	return v, found, err
}

// answersFor is how long answers are kept for those who ask later what became of their request.
const answersFor = 24 * time.Hour

// verdicts writes the answers of a tick, and lets old ones go. What was answered before stays.
func (c *commit) verdicts(ctx context.Context, tx txn) error {
	for _, v := range c.tick.Verdicts {
		if _, err := tx.ExecContext(ctx, sqlAnswer, nanos(v.At), string(v.Data), key(v.Key)); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, sqlPruneInbox, nanos(v.At.Add(-answersFor))); err != nil {
			return err
		}
	}
	if len(c.tick.Verdicts) == 0 {
		return nil
	}
	return c.db.backend.wake(ctx, tx)
}

// Listen calls heard after every request and every verdict, by whichever process, and now and then
// without a cause, until ctx ends. It may be late, or lost while the server is away, so whoever
// waits looks by itself as well. On SQLite it only waits for ctx.
func (db *DB) Listen(ctx context.Context, heard func()) { db.backend.listen(ctx, heard) }

func (f *file) wake(context.Context, txn) error { return nil }

func (f *file) listen(ctx context.Context, _ func()) { <-ctx.Done() }

func (s *server) wake(ctx context.Context, tx txn) error {
	_, err := tx.ExecContext(ctx, sqlNotify)
	return err
}

func (s *server) listen(ctx context.Context, heard func()) {
	for {
		_ = s.hear(ctx, heard)
		if !pause(ctx, s.times.poll) {
			return
		}
	}
}

// hear listens on one connection until it breaks or ctx ends.
func (s *server) hear(ctx context.Context, heard func()) error {
	c, err := pgx.ConnectConfig(ctx, s.cfg)
	if err != nil {
		return err
	}
	defer hangUp(c)
	if _, err := c.Exec(ctx, s.settings(s.times.wait)+"; "+sqlListen); err != nil {
		return err
	}
	for {
		heard()
		if _, err := c.WaitForNotification(ctx); err != nil {
			return err
		}
	}
}
