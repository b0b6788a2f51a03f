package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/internal/outbox"
)

var _ outbox.Store = (*DB)(nil)

// Due returns the pending entries that were committed after the one with a number, in that order
// and without their bodies, also those that wait for their next try: the pump must know what stands
// before what.
func (db messages) Due(ctx context.Context, after int64) ([]outbox.Owed, error) {
	var all []outbox.Owed
	err := db.each(ctx, "due", func(rows *sql.Rows) error {
		o, err := scanHeader(rows)
		all = append(all, o)
		return err
	}, sqlPending, after)
	return all, err
}

// Bodies returns what entries say, by key. Keys that are unknown are left out.
func (db messages) Bodies(ctx context.Context, keys []string) (map[string]json.RawMessage, error) {
	bodies := make(map[string]json.RawMessage, len(keys))
	for _, k := range keys {
		err := db.each(ctx, "bodies", func(rows *sql.Rows) error {
			var text string
			var sum int64
			if err := rows.Scan(&text, &sum); err != nil {
				return err
			}
			var e outbox.Entry
			err := unpackJSON(text, sum, &e)
			bodies[k] = e.Body
			return err
		}, sqlBody, key(k))
		if err != nil {
			return nil, err
		}
	}
	return bodies, nil
}

// Begin writes down that a send of the entries starts now, and returns those that are the
// claimant's from then on: those that are pending and as it has read them. Until [DB.Settle] their
// outcome is ambiguous.
//
// The keys are taken in their order, so that two who begin the same entries never wait for each
// other.
func (db messages) Begin(ctx context.Context, claims []outbox.Claim, at time.Time) ([]outbox.Owed, error) {
	claims = slices.Clone(claims)
	slices.SortFunc(claims, func(a, b outbox.Claim) int { return strings.Compare(a.Key, b.Key) })
	var own []outbox.Owed
	err := db.deliver(ctx, "begin", func(tx txn) error {
		own = nil
		for _, c := range claims {
			one, err := readOwed(ctx, tx, sqlBegin, nanos(at), key(c.Key), nanos(c.Begun), c.Attempts)
			if err != nil {
				return err
			}
			for i := range one {
				one[i].Key = c.Key // as it was claimed, though it may be kept otherwise
			}
			own = append(own, one...)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return own, nil
}

// Settle writes down what an attempt came to: state, error, next try and receipt; it adds one to
// the attempts and ends what Begin began; what is owed then is owed in the same transaction. What
// was sent stays sent, whatever is heard later. An entry that is not as it was read is left alone,
// which is [outbox.ErrTaken]; so is one that is there no longer, which is ErrUnknown as well.
func (db messages) Settle(ctx context.Context, k string, r outbox.Result) error {
	receipt, err := packReceipt(r.Receipt)
	if err != nil {
		return db.wrap("settle", err)
	}
	settled := r.At
	if r.State == outbox.Pending {
		settled = time.Time{}
	}
	return db.deliver(ctx, "settle", func(tx txn) error {
		err := settle(ctx, tx, k, string(r.State), nanos(r.NextTry), r.Err, nanos(settled), receipt, key(k), nanos(r.Begun), r.Attempts)
		if err != nil || r.Then == nil {
			return err
		}
		seq, err := next(ctx, tx, "outbox", 1)
		if err != nil {
			return err
		}
		return owe(tx, seq, Turn{Entries: []outbox.Entry{*r.Then}})
	})
}

// settle runs the update of one entry, and fails if there is no such entry, or if it is somebody
// else's. That it was sent already is no failure.
func settle(ctx context.Context, tx txn, k string, args ...any) error {
	done, err := tx.ExecContext(ctx, sqlSettle, args...)
	if err != nil {
		return err
	}
	if n, err := done.RowsAffected(); n > 0 || err != nil {
		return err
	}
	var state outbox.State
	err = tx.QueryRowContext(ctx, sqlStateOf, key(k)).Scan(&state)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("%w: %w: %s", outbox.ErrTaken, ErrUnknown, k)
	case err == nil && state != outbox.Sent:
		return fmt.Errorf("%w: %s", outbox.ErrTaken, k)
	}
	return err
}

// Owes reports whether an entry with the key is in the outbox, in whatever state.
func (db messages) Owes(ctx context.Context, k string) (bool, error) {
	n := 0
	err := db.each(ctx, "owes", func(rows *sql.Rows) error { return rows.Scan(&n) }, sqlHasEntry, key(k))
	return n > 0, err
}

// Root returns the newest sent post, edit or mend of the thread, without its body: its receipt says
// where the root message is now. It is false if nothing of the thread was sent.
func (db messages) Root(ctx context.Context, receiver, thread string) (outbox.Owed, bool, error) {
	var root outbox.Owed
	found := false
	err := db.each(ctx, "root", func(rows *sql.Rows) (err error) {
		root, err = scanHeader(rows)
		found = true
		return err
	}, sqlRoot, key(thread), receiver)
	return root, found, err
}

// OutboxFilter narrows [DB.Outbox]; zero fields do not.
type OutboxFilter struct {
	State                     outbox.State
	Receiver, Thread, Channel string
	Limit                     int
}

// Outbox lists entries, newest first.
func (db messages) Outbox(ctx context.Context, f OutboxFilter) ([]outbox.Owed, error) {
	return read(ctx, db.connections, "outbox", func(ctx context.Context, q querier) ([]outbox.Owed, error) {
		return readOwed(ctx, q, sqlList, string(f.State), f.Receiver, key(f.Thread), f.Channel, limit(f.Limit))
	})
}

// Depth is how full the outbox is.
type Depth struct {
	Count  map[outbox.State]int
	Oldest time.Time // when the oldest pending entry was decided; zero if nothing waits
}

// Depth counts the entries by state.
func (db messages) Depth(ctx context.Context) (Depth, error) {
	d := Depth{Count: map[outbox.State]int{}}
	err := db.each(ctx, "depth", func(rows *sql.Rows) error {
		var state outbox.State
		var n int
		err := rows.Scan(&state, &n)
		d.Count[state] = n
		return err
	}, sqlDepth)
	if err == nil {
		err = db.each(ctx, "depth", func(rows *sql.Rows) error {
			var oldest int64
			err := rows.Scan(&oldest)
			d.Oldest = timeOf(oldest)
			return err
		}, sqlOldest)
	}
	return d, err
}

// Delivery is how one channel of one receiver does.
type Delivery struct {
	Receiver, Channel string
	Pending           int       // owed
	Retrying          int       // of these, tried before
	Dead              int       // given up
	Oldest            time.Time // when the oldest pending entry was decided
	LastSent          time.Time
	LastErr           string // of the newest entry that has one
}

// Deliveries lists the channels that anything was owed to, by receiver and channel.
func (db messages) Deliveries(ctx context.Context) ([]Delivery, error) {
	var all []Delivery
	var d Delivery
	for {
		more := false
		err := db.each(ctx, "deliveries", func(rows *sql.Rows) error {
			more = true
			return rows.Scan(&d.Receiver, &d.Channel)
		}, sqlNextWay, d.Receiver, d.Channel)
		if err == nil && more {
			err = db.each(ctx, "deliveries", func(rows *sql.Rows) error {
				var oldest, sent int64
				err := rows.Scan(&d.Pending, &d.Retrying, &d.Dead, &oldest, &sent, &d.LastErr)
				d.Oldest, d.LastSent = timeOf(oldest), timeOf(sent)
				return err
			}, sqlWay, d.Receiver, d.Channel)
		}
		if err != nil || !more {
			return all, err
		}
		all = append(all, d)
	}
}

// Prune deletes entries that were sent or superseded before a time. What is dead is kept, and so is
// every entry of a thread that is still in use.
func (db messages) Prune(ctx context.Context, before time.Time) error {
	return db.write(ctx, "prune", func(tx txn) error {
		_, err := tx.ExecContext(ctx, sqlPrune, nanos(before))
		return err
	})
}

func readOwed(ctx context.Context, q querier, query string, args ...any) ([]outbox.Owed, error) {
	var all []outbox.Owed
	err := each(ctx, q, func(rows *sql.Rows) error {
		o, err := scanOwed(rows)
		all = append(all, o)
		return err
	}, query, args...)
	return all, err
}

func scanOwed(rows *sql.Rows) (outbox.Owed, error) {
	var (
		o                    outbox.Owed
		entry, receipt       string
		sum                  int64
		begun, next, settled int64
	)
	err := rows.Scan(&o.Seq, &entry, &sum, &o.State, &o.Attempts, &begun, &next, &o.LastErr, &settled, &receipt)
	if err != nil {
		return o, fmt.Errorf("%w: %w", errRecord, err)
	}
	o.Begun, o.NextTry, o.Settled = timeOf(begun), timeOf(next), timeOf(settled)
	if err := unpackJSON(entry, sum, &o.Entry); err != nil {
		return o, fmt.Errorf("entry %d of the outbox: %w", o.Seq, err)
	}
	return o, unpackReceipt(receipt, &o.Receipt)
}

// scanHeader reads what stands beside an entry; it has no body.
func scanHeader(rows *sql.Rows) (outbox.Owed, error) {
	var (
		o                             outbox.Owed
		receipt, whole                string
		created, begun, next, settled int64
		flags                         int64
	)
	err := rows.Scan(&o.Seq, &o.Key, &o.Receiver, &o.Lane, &o.Channel, &o.Thread, &o.Op, &created, &flags,
		&o.State, &o.Attempts, &begun, &next, &o.LastErr, &settled, &receipt, &whole)
	if err != nil {
		return o, fmt.Errorf("%w: %w", errRecord, err)
	}
	o.Created, o.IfTold, o.IfFound = timeOf(created), flags&flagIfTold != 0, flags&flagIfFound != 0
	if whole != "" {
		if err := json.Unmarshal([]byte(whole), &o.Entry); err != nil {
			return o, fmt.Errorf("%w: %w", errRecord, err)
		}
		o.Body = nil
	}
	o.Begun, o.NextTry, o.Settled = timeOf(begun), timeOf(next), timeOf(settled)
	return o, unpackReceipt(receipt, &o.Receipt)
}

func packReceipt(r outbox.Receipt) (string, error) {
	if r == (outbox.Receipt{}) {
		return "", nil
	}
	b, err := json.Marshal(r)
	return string(b), err
}

func unpackReceipt(s string, r *outbox.Receipt) error {
	if s == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(s), r); err != nil {
		return fmt.Errorf("%w: %w", errRecord, err)
	}
	return nil
}

// unpackJSON checks the sum of a JSON text and reads it into v.
func unpackJSON(text string, sum int64, v any) error {
	if int64(checksum([]byte(text))) != sum {
		return errChecksum
	}
	if err := json.Unmarshal([]byte(text), v); err != nil {
		return fmt.Errorf("%w: %w", errRecord, err)
	}
	return nil
}

// limit returns how many rows are wanted, a thousand if that is not said.
func limit(n int) int {
	if n <= 0 {
		return 1000
	}
	return n
}
