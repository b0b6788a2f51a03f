package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"maps"
	"slices"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/slo"
)

// Commit writes down a tick: all of it, or nothing. When it fails, the tick may be committed again,
// by itself or as part of the next; committing the same tick twice changes nothing.
func (db *DB) Commit(ctx context.Context, t Tick) error {
	for _, turn := range t.Turns {
		if err := turn.check(); err != nil {
			return db.wrap("commit", err)
		}
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	c := commit{db: db, tick: t}
	err := db.write(ctx, "commit", func(tx txn) error {
		err := c.write(ctx, tx)
		if err != nil {
			db.known = nil
		}
		return err
	})
	if err != nil {
		db.known = nil // whether the disk has it or not is not known
		return err
	}
	for i := range t.Turns {
		db.known[t.Turns[i].SLO].state = &c.tick.Turns[i].State
	}
	db.backend.noteTick(t.At)
	return nil
}

// commit is one tick on its way to the disk.
type commit struct {
	db   *DB
	tick Tick
}

func (c *commit) write(ctx context.Context, tx txn) error {
	steps := []struct {
		name string
		do   func(context.Context, txn) error
	}{
		{"journal", c.journal},
		{"incidents", c.incidents},
		{"acts", c.acts},
		{"evidence", c.evidence},
		{"outbox", c.outbox},
		{"marks", c.marks},
		{"facts", c.facts},
		{"reports", c.reports},
		{"verdicts", c.verdicts},
	}
	for _, s := range steps {
		if err := c.db.fault("commit." + s.name); err != nil {
			return err
		}
		if err := s.do(ctx, tx); err != nil {
			return err
		}
	}
	return nil
}

// journal writes the slots and states of all turns as one record.
func (c *commit) journal(ctx context.Context, tx txn) error {
	if !c.tick.At.IsZero() {
		if _, err := tx.ExecContext(ctx, sqlSet, nanos(c.tick.At), "last_tick"); err != nil {
			return err
		}
	}
	if len(c.tick.Turns) == 0 {
		return nil
	}
	if err := c.number(ctx, tx); err != nil {
		return err
	}
	turns := make([]packed, len(c.tick.Turns))
	for i := range c.tick.Turns {
		var err error
		if turns[i], err = c.pack(&c.tick.Turns[i]); err != nil {
			return err
		}
	}
	seq, err := next(ctx, tx, "journal", 1)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, sqlAddJournal, seq, packTick(turns))
	return err
}

// number gives every budget that has none its number.
func (c *commit) number(ctx context.Context, tx txn) error {
	if c.db.known == nil {
		var err error
		if c.db.known, err = readKnown(ctx, tx); err != nil {
			return err
		}
	}
	for _, t := range c.tick.Turns {
		if c.db.known[t.SLO] != nil {
			continue
		}
		num, err := next(ctx, tx, "budget", 1)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, sqlAddBudget, num, string(t.SLO), budgetSum(num, t.SLO, 0)); err != nil {
			return err
		}
		c.db.known[t.SLO] = &known{num: num}
	}
	return nil
}

// pack leaves the state out if nothing but Through has changed since it was last written.
func (c *commit) pack(t *Turn) (packed, error) {
	k := c.db.known[t.SLO]
	p := packed{num: k.num, through: t.State.Through, slots: t.Slots, hours: t.Hours}
	if k.state != nil && sameButThrough(*k.state, t.State) {
		return p, nil
	}
	var err error
	p.state, err = packState(t.State)
	return p, err
}

// packState returns the state without Through, which is kept beside it.
func packState(s alerting.State) ([]byte, error) {
	s.Through = 0
	return json.Marshal(s)
}

// sameButThrough may say false of equal states, which costs some bytes, never true of different
// ones.
func sameButThrough(a, b alerting.State) bool {
	if !sameValue(a.Burn, b.Burn) || !sameValue(a.NoData, b.NoData) || !sameValue(a.Amended, b.Amended) {
		return false
	}
	a.Through, a.Burn, a.NoData, a.Amended = 0, nil, nil, nil
	b.Through, b.Burn, b.NoData, b.Amended = 0, nil, nil, nil
	return a == b
}

func sameValue[T comparable](a, b *T) bool { return a == b || a != nil && b != nil && *a == *b }

func (c *commit) incidents(ctx context.Context, tx txn) error {
	rows := tx.insert(sqlSetIncident, 1)
	for _, t := range append([]Turn{c.tick.own()}, c.tick.Turns...) {
		for n, i := range t.Incidents {
			data, sum, err := t.textOfIncident(n)
			if err != nil {
				return err
			}
			open := 0
			if i.Open {
				open = 1
			}
			if rows.most == 1 { // SQLite writes all indexes of an upsert anew, which takes longer than the row
				kept, err := tx.ExecContext(ctx, sqlKeepIncident, data, sum, key(i.ID), open, nanos(i.Detected), nanos(i.Resolved))
				if err != nil {
					return err
				}
				if n, err := kept.RowsAffected(); err != nil || n > 0 {
					continue
				}
			}
			if err := rows.add(key(i.ID), string(i.SLO), i.SLO.Service(), open, nanos(i.Detected), nanos(i.Resolved), data, sum); err != nil {
				return err
			}
		}
	}
	return rows.flush()
}

// evidence writes what was found out. What was found at the time is not replaced by what is found
// later.
func (c *commit) evidence(ctx context.Context, tx txn) error {
	for _, e := range c.tick.Evidence {
		data := plain(string(e.Data))
		if _, err := tx.ExecContext(ctx, sqlAddEvidence, key(e.Incident), string(e.Kind), nanos(e.At), data, textSum(data)); err != nil {
			return err
		}
	}
	return nil
}

// outbox writes what is owed, in the order of the turns.
func (c *commit) outbox(ctx context.Context, tx txn) error {
	turns := append(slices.Clip(c.tick.Turns), c.tick.own())
	count := 0
	for _, t := range turns {
		count += len(t.Entries)
	}
	if count == 0 {
		return nil
	}
	last, err := next(ctx, tx, "outbox", count)
	if err != nil {
		return err
	}
	return owe(tx, last-int64(count)+1, turns...)
}

// What an entry depends on, beside it.
const (
	flagIfTold  = 1
	flagIfFound = 2
)

// owe writes down what turns owe, under numbers from a first one on.
func owe(tx txn, seq int64, turns ...Turn) error {
	rows := tx.insert(sqlOwe, 1)
	for _, t := range turns {
		for n, e := range t.Entries {
			data, sum, err := t.textOfEntry(n)
			if err != nil {
				return err
			}
			var begun int64 // what may have been sent already is looked up first, as after a crash
			if e.Tried {
				begun = max(nanos(e.Created), 1)
			}
			var flags int64
			if e.IfTold {
				flags |= flagIfTold
			}
			if e.IfFound {
				flags |= flagIfFound
			}
			if err := rows.add(key(e.Key), seq, e.Receiver, int(e.Lane), e.Channel, key(e.Thread), string(e.Op),
				nanos(e.Created), data, sum, begun, flags); err != nil {
				return err
			}
			seq++
		}
	}
	return rows.flush()
}

// marks writes the reading positions; an empty one is deleted.
func (c *commit) marks(ctx context.Context, tx txn) error {
	for _, name := range slices.Sorted(maps.Keys(c.tick.Marks)) {
		var err error
		if mark := c.tick.Marks[name]; len(mark) > 0 {
			_, err = tx.ExecContext(ctx, sqlSetMark, name, seal(slices.Clone(mark)))
		} else {
			_, err = tx.ExecContext(ctx, sqlDropMark, name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *commit) facts(ctx context.Context, tx txn) error {
	for _, name := range slices.Sorted(maps.Keys(c.tick.Facts)) {
		var err error
		if value := c.tick.Facts[name]; value != "" {
			_, err = tx.ExecContext(ctx, sqlSetFact, name, value, factSum(name, value))
		} else {
			_, err = tx.ExecContext(ctx, sqlDropFact, name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *commit) reports(ctx context.Context, tx txn) error {
	for _, r := range c.tick.Reports {
		if _, err := tx.ExecContext(ctx, sqlSetReport, r.Name, r.Period, nanos(r.From), nanos(r.To), nanos(r.At),
			r.Markdown, string(r.Data)); err != nil {
			return err
		}
	}
	return nil
}

// next reserves n numbers of a counter and returns the last of them.
func next(ctx context.Context, tx txn, name string, n int) (int64, error) {
	var value int64
	err := tx.QueryRowContext(ctx, sqlNext, n, name).Scan(&value)
	return value, err
}

// readKnown reads the numbers of all budgets. What state was last written is left open: it may be
// anywhere in the journal.
func readKnown(ctx context.Context, q querier) (map[slo.ID]*known, error) {
	all := map[slo.ID]*known{}
	err := each(ctx, q, func(rows *sql.Rows) error {
		b, _, err := scanBudget(rows)
		all[b.id] = &known{num: b.num}
		return err
	}, sqlBudgets)
	return all, err
}
