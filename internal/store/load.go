package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/slo"
)

// Load reads what a restart begins with: the ledgers and states of all budgets, the open incidents,
// the reading positions and facts. The ledgers belong to the caller.
func (db *DB) Load(ctx context.Context) (Snapshot, error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	var snap Snapshot
	err := db.look(ctx, "load", func(ctx context.Context, tx *sql.Tx) (err error) { // one view of the journal and of the days
		snap, err = db.load(ctx, tx)
		return err
	})
	return snap, err
}

func (db *DB) load(ctx context.Context, tx querier) (Snapshot, error) {
	books, err := readBooks(ctx, tx, nil)
	if err != nil {
		return Snapshot{}, err
	}
	snap := snapshotOf(books)
	seen := make(map[slo.ID]*known, len(books))
	for _, b := range books {
		state := b.State
		seen[b.id] = &known{num: b.num, state: &state}
	}
	if err := snap.readRest(ctx, tx); err != nil {
		return Snapshot{}, err
	}
	db.known = seen
	snap.compare(db.backend)
	return snap, nil
}

// compare notes what is not there of what was seen in the database before.
func (s *Snapshot) compare(b backend) {
	if lost := b.lost(); lost.After(s.LastTick) {
		s.Lost = lost
	}
}

func snapshotOf(books map[int64]*book) Snapshot {
	snap := Snapshot{Accounts: make(map[slo.ID]Account, len(books))}
	for _, b := range books {
		snap.Accounts[b.id] = b.Account
	}
	return snap
}

// Marks reads the reading positions, which a follower does not.
func (db *DB) Marks(ctx context.Context) (map[string][]byte, error) {
	return read(ctx, db.connections, "marks", readMarks)
}

// Account reads one budget, such as that of an SLO that comes back after it was taken out of the
// files for a while; it is false if nothing is known of it.
func (db *DB) Account(ctx context.Context, id slo.ID) (account Account, known bool, err error) {
	err = db.look(ctx, "account", func(ctx context.Context, tx *sql.Tx) error {
		all, err := readKnown(ctx, tx)
		if err != nil || all[id] == nil {
			return err
		}
		num := all[id].num
		books, err := readBooks(ctx, tx, func(n int64) bool { return n == num })
		if err == nil {
			account, known = books[num].Account, true
		}
		return err
	})
	return account, known, err
}

func (s *Snapshot) readRest(ctx context.Context, q querier) error {
	var err error
	if s.Open, err = readOpen(ctx, q); err != nil {
		return err
	}
	if s.Evidence, err = readEvidence(ctx, q, false, sqlOpenEvidence); err != nil {
		return err
	}
	if s.Marks, err = readMarks(ctx, q); err != nil {
		return err
	}
	if s.Facts, err = readFacts(ctx, q); err != nil {
		return err
	}
	last, err := counter(ctx, q, "last_tick")
	if err != nil {
		return err
	}
	s.LastTick = timeOf(last)
	since := int64(0)
	if !s.LastTick.IsZero() {
		since = nanos(s.LastTick.Add(-bindingFor))
	}
	s.Acts, err = readActs(ctx, q, false, sqlWideActs, since)
	return err
}

// bindingFor is how long a change may matter to what is decided and shown without asking the disk.
const bindingFor = 100 * slo.Day

// book is a budget on its way from the disk.
type book struct {
	num int64
	id  slo.ID
	Account
}

// readBooks reads the budgets that want accepts, all if it is nil: first the state and the days as
// they were folded, then, on top of them, the journal.
func readBooks(ctx context.Context, q querier, want func(num int64) bool) (map[int64]*book, error) {
	books := map[int64]*book{}
	if err := each(ctx, q, func(rows *sql.Rows) error { return readBook(rows, books, want) }, sqlBudgets); err != nil {
		return nil, err
	}
	if err := each(ctx, q, func(rows *sql.Rows) error { return readDay(rows, books) }, sqlDays); err != nil {
		return nil, err
	}
	return books, readJournal(ctx, q, func(_ int64, t *packed) error {
		b := books[t.num]
		if b == nil {
			return nil // forgotten since
		}
		t.replay(b.Ledger)
		return t.restore(&b.State)
	})
}

func readBook(rows *sql.Rows, books map[int64]*book, want func(int64) bool) error {
	b, state, err := scanBudget(rows)
	if err != nil || want != nil && !want(b.num) {
		return err
	}
	b.Ledger = new(budget.Ledger)
	books[b.num] = &b
	if state == nil {
		return nil
	}
	data, err := unseal(state)
	if err != nil {
		return fmt.Errorf("state of %s: %w", b.id, err)
	}
	t := packed{through: b.State.Through, state: data}
	return t.restore(&b.State)
}

func scanBudget(rows *sql.Rows) (book, []byte, error) {
	var b book
	var sum int64
	var state []byte
	if err := rows.Scan(&b.num, &b.id, &b.State.Through, &sum, &state); err != nil {
		return b, nil, err
	}
	if sum != budgetSum(b.num, b.id, b.State.Through) {
		return b, nil, fmt.Errorf("budget %d: %w", b.num, errChecksum)
	}
	return b, state, nil
}

func readDay(rows *sql.Rows, books map[int64]*book) error {
	var num, day int64
	var sealed sql.RawBytes
	if err := rows.Scan(&num, &day, &sealed); err != nil {
		return err
	}
	b := books[num]
	if b == nil {
		return nil
	}
	data, err := unseal(sealed)
	if err == nil {
		err = b.Ledger.LoadDay(day, data)
	}
	if err != nil {
		return fmt.Errorf("%s, day %d: %w", b.id, day, err)
	}
	return nil
}

// readJournal calls f for every turn since the last fold, with the number of its record.
func readJournal(ctx context.Context, q querier, f func(seq int64, t *packed) error) error {
	return each(ctx, q, func(rows *sql.Rows) error {
		var seq int64
		var sealed sql.RawBytes
		if err := rows.Scan(&seq, &sealed); err != nil {
			return err
		}
		if err := unpackTick(sealed, func(t *packed) error { return f(seq, t) }); err != nil {
			return fmt.Errorf("journal record %d: %w", seq, err)
		}
		return nil
	}, sqlJournal)
}

// replay does to the ledger what [Turn.Apply] did.
func (t *packed) replay(l *budget.Ledger) {
	Turn{Slots: t.slots, Hours: t.hours}.Apply(l)
}

// restore brings the state to where the turn left it.
func (t *packed) restore(s *alerting.State) error {
	if t.state != nil {
		*s = alerting.State{}
		if err := json.Unmarshal(t.state, s); err != nil {
			return fmt.Errorf("%w: %w", errRecord, err)
		}
	}
	s.Through = t.through
	return nil
}

func readOpen(ctx context.Context, q querier) (map[string]alerting.Incident, error) {
	open := map[string]alerting.Incident{}
	err := each(ctx, q, func(rows *sql.Rows) error {
		i, err := scanIncident(rows)
		open[i.ID] = i
		return err
	}, sqlOpenIncidents)
	return open, err
}

func readMarks(ctx context.Context, q querier) (map[string][]byte, error) {
	marks := map[string][]byte{}
	err := each(ctx, q, func(rows *sql.Rows) error {
		var name string
		var sealed []byte
		if err := rows.Scan(&name, &sealed); err != nil {
			return err
		}
		data, err := unseal(sealed)
		if err != nil {
			return fmt.Errorf("reading position %s: %w", name, err)
		}
		marks[name] = data
		return nil
	}, sqlMarks)
	return marks, err
}

func readFacts(ctx context.Context, q querier) (map[string]string, error) {
	facts := map[string]string{}
	err := each(ctx, q, func(rows *sql.Rows) error {
		var name, value string
		var sum int64
		if err := rows.Scan(&name, &value, &sum); err != nil {
			return err
		}
		if sum != factSum(name, value) {
			return fmt.Errorf("fact %s: %w", name, errChecksum)
		}
		facts[name] = value
		return nil
	}, sqlFacts)
	return facts, err
}
