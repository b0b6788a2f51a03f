package store

import (
	"cmp"
	"context"
	"database/sql"
	"maps"
	"slices"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/slo"
)

// Fold turns the journal into day blocks, in one transaction, and empties it. The days that changed
// are written as the given ledgers have them; a budget that is not given is brought up to date from
// the disk. Days whose minutes were thinned out since the last fold follow suit.
//
// The ledgers must hold what was committed since they began, and must not change meanwhile. Thin
// them just before a fold, so that the memory and the disk agree on which minutes there are; those
// of hours that a ledger kept for a while may stay on the disk until their day is written again. A
// fold never deletes: what a ledger has forgotten, or never had because its SLO was away for a
// while, stays on the disk until [DB.DropDays].
func (db *DB) Fold(ctx context.Context, ledgers map[slo.ID]*budget.Ledger) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.write(ctx, "fold", func(tx txn) error {
		f := fold{tx: tx, dirty: map[page]bool{}, late: map[page]bool{}, ids: map[int64]slo.ID{}, turns: map[int64]*packed{}}
		if err := f.read(ctx, ledgers); err != nil {
			return err
		}
		for _, step := range []struct {
			name string
			do   func(context.Context) error
		}{{"days", f.writeDays}, {"states", f.writeStates}, {"journal", f.clear}} {
			if err := db.fault("fold." + step.name); err != nil {
				return err
			}
			if err := step.do(ctx); err != nil {
				return err
			}
		}
		return nil
	})
}

// page is one day of one budget.
type page struct{ budget, day int64 }

// fold is one fold under way.
type fold struct {
	tx    txn
	given map[int64]*budget.Ledger // from the caller
	disk  map[int64]*budget.Ledger // read back, where none was given or it begins too late
	dirty map[page]bool
	late  map[page]bool // days in which the given ledger begins after the disk's
	ids   map[int64]slo.ID
	turns map[int64]*packed // where the journal left the state of the budgets it speaks of
	last  int64             // newest record of the journal
}

// read finds out what the journal changed, and whose ledger has to come from the disk.
func (f *fold) read(ctx context.Context, given map[slo.ID]*budget.Ledger) error {
	all, err := readKnown(ctx, f.tx)
	if err != nil {
		return err
	}
	f.given = make(map[int64]*budget.Ledger, len(all))
	for id, k := range all {
		f.ids[k.num] = id
		if l := given[id]; l != nil {
			f.given[k.num] = l
		}
	}
	if err := readJournal(ctx, f.tx, f.note); err != nil {
		return err
	}
	if err := f.compare(ctx); err != nil {
		return err
	}
	return f.fetch(ctx)
}

// note marks the days of a turn, and keeps its state.
func (f *fold) note(seq int64, t *packed) error {
	f.last = seq
	if f.ids[t.num] == "" {
		return nil // forgotten since
	}
	kept := f.turns[t.num]
	if kept == nil {
		kept = new(packed)
		f.turns[t.num] = kept
	}
	kept.through = t.through
	if t.state != nil {
		kept.state = slices.Clone(t.state)
	}
	for _, s := range t.slots {
		f.dirty[page{t.num, s.At.Day()}] = true
	}
	for _, h := range t.hours {
		f.dirty[page{t.num, budget.Minute(h.Hour * 60).Day()}] = true
	}
	return nil
}

// compare looks for days of which the disk has other minutes than the ledger: the ledger thinned
// them out, and the day is written anew; or it began in the midst of the day, because its SLO was
// away until then, and the day is put together from the disk and the journal.
func (f *fold) compare(ctx context.Context) error {
	return each(ctx, f.tx, func(rows *sql.Rows) error {
		var p page
		var fine int64
		if err := rows.Scan(&p.budget, &p.day, &fine); err != nil {
			return err
		}
		l := f.given[p.budget]
		if l == nil || l.Empty() || p.day < l.First().Day() || fineFrom(l, p.day) == fine {
			return nil
		}
		if int64(l.First()) > fine && p.day == l.First().Day() {
			f.late[p] = true
		} else {
			f.dirty[p] = true
		}
		return nil
	}, sqlFineDays)
}

// fetch reads the ledgers that are needed and were not given, or begin too late.
func (f *fold) fetch(ctx context.Context) error {
	missing := map[int64]bool{}
	for p := range f.dirty {
		if f.given[p.budget] == nil || f.late[p] {
			missing[p.budget] = true
		}
	}
	if len(missing) == 0 {
		return nil
	}
	books, err := readBooks(ctx, f.tx, func(num int64) bool { return missing[num] })
	f.disk = make(map[int64]*budget.Ledger, len(books))
	for num, b := range books {
		f.disk[num] = b.Ledger
	}
	return err
}

// fineFrom returns the first minute of a day that the ledger keeps as a minute; 0 if it keeps none.
func fineFrom(l *budget.Ledger, day int64) int64 {
	first := int64(0)
	l.Each(budget.Minute(day*minutesPerDay), budget.Minute((day+1)*minutesPerDay), func(m budget.Minute, _ budget.Slot) bool {
		first = int64(m)
		return false
	})
	return first
}

const minutesPerDay = 24 * 60

func (f *fold) writeDays(context.Context) error {
	rows := f.tx.insert(sqlSetDay, 2)
	pages := slices.SortedFunc(maps.Keys(f.dirty), func(a, b page) int {
		return cmp.Or(cmp.Compare(a.budget, b.budget), cmp.Compare(a.day, b.day))
	})
	for _, p := range pages {
		l := f.ledgerOf(p)
		block := l.EncodeDay(p.day)
		if block == nil {
			continue // a ledger that has nothing of a day says nothing against the disk
		}
		if err := rows.add(p.budget, p.day, fineFrom(l, p.day), seal(block)); err != nil {
			return err
		}
	}
	return rows.flush()
}

// ledgerOf returns the ledger that a day is written from: the given one, if it has all that the
// disk has.
func (f *fold) ledgerOf(p page) *budget.Ledger {
	if given := f.given[p.budget]; given != nil && !f.late[p] {
		return given
	}
	return f.disk[p.budget]
}

// writeStates moves the newest states from the journal to their budgets.
func (f *fold) writeStates(context.Context) error {
	rows := f.tx.insert(sqlSetBudget, 1)
	for _, num := range slices.Sorted(maps.Keys(f.turns)) {
		t, id := f.turns[num], f.ids[num]
		var state any // none leaves the one that is there
		if t.state != nil {
			state = seal(t.state)
		}
		if err := rows.add(num, string(id), int64(t.through), budgetSum(num, id, t.through), state); err != nil {
			return err
		}
	}
	return rows.flush()
}

func (f *fold) clear(ctx context.Context) error {
	_, err := f.tx.ExecContext(ctx, sqlClearJournal, f.last)
	return err
}

// DropDays deletes what the ledgers of all budgets say of the days that ended before a time.
func (db *DB) DropDays(ctx context.Context, before time.Time) error {
	return db.write(ctx, "dropdays", func(tx txn) error {
		_, err := tx.ExecContext(ctx, sqlDropDays, budget.MinuteOf(before).Day())
		return err
	})
}

// Forget removes budgets that are long gone, with their ledgers and states. Their incidents and
// what is owed because of them stay. Should such a budget come back, it starts empty.
func (db *DB) Forget(ctx context.Context, ids ...slo.ID) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.known = nil
	return db.write(ctx, "forget", func(tx txn) error {
		all, err := readKnown(ctx, tx)
		if err != nil {
			return err
		}
		for _, id := range ids {
			k := all[id]
			if k == nil {
				continue
			}
			for _, stmt := range []string{sqlForget, sqlForgetDays} {
				if _, err := tx.ExecContext(ctx, stmt, k.num); err != nil {
					return err
				}
			}
		}
		return nil
	})
}
