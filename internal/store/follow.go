package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/slo"
)

// ErrBehind means that a follower has missed something that cannot be read any more, or that
// another server answers, as after a failover, or an older copy: everything must be loaded anew.
var (
	ErrBehind  = errors.New("what was read before cannot be gone on from")
	errFolded  = fmt.Errorf("%w: what follows it was folded", ErrBehind)
	errAnother = fmt.Errorf("%w: another server answers, or an older copy", ErrBehind)
)

// Follower reads what the leader commits, so that a process that stands by has in memory what the
// leader has. It changes nothing.
type Follower struct {
	db       *DB
	journal  int64 // the newest record that was read
	acts     int64
	timeline string // of the server's log; a failover begins another
	ids      map[int64]slo.ID
	states   map[int64]alerting.State
}

// News is what was committed since the last look.
type News struct {
	// Turns are what ticks decided about budgets, in the order in which it was committed, without
	// incidents and messages.
	Turns []Turn
	Acts  []alerting.Act // new ones of every kind, oldest first
	// Open, Evidence about it, Facts and LastTick are as they are now, whether they changed or not.
	Open     map[string]alerting.Incident
	Evidence []Evidence
	Facts    map[string]string
	LastTick time.Time
}

const (
	sqlJournalSince = `select seq, data from journal where seq > $1 order by seq`
	sqlActsSince    = sqlActRow + `where seq > $1 order by seq`
)

// Follow reads everything, as [DB.Load] does, and returns a follower that goes on from there.
func (db *DB) Follow(ctx context.Context) (*Follower, Snapshot, error) {
	f := &Follower{db: db}
	var snap Snapshot
	err := db.look(ctx, "follow", func(ctx context.Context, tx *sql.Tx) error {
		books, err := readBooks(ctx, tx, nil)
		if err != nil {
			return err
		}
		snap = snapshotOf(books)
		f.ids, f.states = make(map[int64]slo.ID, len(books)), make(map[int64]alerting.State, len(books))
		for num, b := range books {
			f.ids[num], f.states[num] = b.id, b.State
		}
		if err := snap.readRest(ctx, tx); err != nil {
			return err
		}
		f.timeline, f.journal, f.acts, err = f.position(ctx, tx)
		return err
	})
	if err == nil {
		snap.compare(db.backend)
		db.backend.noteTick(snap.LastTick)
	}
	return f, snap, err
}

// position returns where the database is: its timeline, and the newest number of the journal and of
// the acts.
func (f *Follower) position(ctx context.Context, q querier) (timeline string, journal, acts int64, err error) {
	if timeline, err = f.db.backend.timeline(ctx, q); err != nil {
		return
	}
	if journal, err = counter(ctx, q, "journal"); err == nil {
		acts, err = counter(ctx, q, "act")
	}
	return
}

func counter(ctx context.Context, q querier, name string) (value int64, err error) {
	err = each(ctx, q, func(rows *sql.Rows) error { return rows.Scan(&value) }, sqlGet, name)
	return value, err
}

// Next reads what was committed since the last call. ErrBehind means that this follower is of no
// use any more.
func (f *Follower) Next(ctx context.Context) (News, error) {
	var news News
	err := f.db.look(ctx, "follow", func(ctx context.Context, tx *sql.Tx) error {
		timeline, journal, acts, err := f.position(ctx, tx)
		if err != nil {
			return err
		}
		if timeline != f.timeline || journal < f.journal || acts < f.acts {
			return errAnother
		}
		if journal > f.journal {
			if news.Turns, err = f.turns(ctx, tx, journal); err != nil {
				return err
			}
		}
		if acts > f.acts {
			if news.Acts, err = readActs(ctx, tx, false, sqlActsSince, f.acts); err != nil {
				return err
			}
		}
		if err := news.readRest(ctx, tx); err != nil {
			return err
		}
		f.journal, f.acts = journal, acts
		f.db.backend.noteTick(news.LastTick)
		return nil
	})
	return news, err
}

func (n *News) readRest(ctx context.Context, q querier) (err error) {
	if n.Open, err = readOpen(ctx, q); err != nil {
		return err
	}
	if n.Evidence, err = readEvidence(ctx, q, false, sqlOpenEvidence); err != nil {
		return err
	}
	if n.Facts, err = readFacts(ctx, q); err != nil {
		return err
	}
	last, err := counter(ctx, q, "last_tick")
	n.LastTick = timeOf(last)
	return err
}

// turns reads the records of the journal up to the newest. A record that is missing was folded. No
// number is left out, because one is given in the transaction that writes its record.
func (f *Follower) turns(ctx context.Context, q querier, newest int64) ([]Turn, error) {
	var read []packed
	at := f.journal
	err := each(ctx, q, func(rows *sql.Rows) error {
		var seq int64
		var sealed sql.RawBytes
		if err := rows.Scan(&seq, &sealed); err != nil {
			return err
		}
		if at++; seq != at {
			return errFolded
		}
		return unpackTick(sealed, func(t *packed) error {
			kept := *t
			kept.slots, kept.hours, kept.state = slices.Clone(t.slots), slices.Clone(t.hours), slices.Clone(t.state)
			read = append(read, kept)
			return nil
		})
	}, sqlJournalSince, f.journal)
	if err == nil && at != newest {
		err = errFolded
	}
	if err == nil {
		err = f.name(ctx, q, read)
	}
	if err != nil {
		return nil, err
	}
	all := make([]Turn, 0, len(read))
	for _, t := range read {
		state := f.states[t.num]
		if err := t.restore(&state); err != nil {
			return nil, err
		}
		f.states[t.num] = state
		if id := f.ids[t.num]; id != "" { // else forgotten since
			all = append(all, Turn{SLO: id, Slots: t.slots, Hours: t.hours, State: state})
		}
	}
	return all, nil
}

// name reads the names of budgets that are new.
func (f *Follower) name(ctx context.Context, q querier, turns []packed) error {
	if !slices.ContainsFunc(turns, func(t packed) bool { return f.ids[t.num] == "" }) {
		return nil
	}
	all, err := readKnown(ctx, q)
	for id, k := range all {
		f.ids[k.num] = id
	}
	return err
}

// timeline tells where the database is in the history of its failovers. SQLite has none.
func (f *file) timeline(context.Context, querier) (string, error) { return "", nil }

const (
	sqlTimeline = `select case when pg_is_in_recovery() then 'in recovery'
		else substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) end`
	sqlPlace = sqlTimeline + `, version, least from meta where one = 1`
)

// timeline also refuses what an upgrade has made, meanwhile, that this program would misread.
func (s *server) timeline(ctx context.Context, q querier) (string, error) {
	var name string
	var version, least int
	err := each(ctx, q, func(rows *sql.Rows) error { return rows.Scan(&name, &version, &least) }, sqlPlace)
	if err == nil && least > schemaVersion {
		err = newer(version)
	}
	return name, err
}
