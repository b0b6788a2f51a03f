// Package store keeps everything that must survive: the ledger, the state of the machines, the
// incidents, the reading positions and the messages that are owed.
//
// The engine commits once per tick: [DB.Commit] writes all [Turn]s of a tick in one transaction,
// all or nothing. So a decision and the messages it owes are never apart, and a process killed at
// any moment finds on its restart what the last whole tick left ([DB.Load]).
//
// # On disk
//
// The store is a SQLite file, which one process has for itself, or a database of PostgreSQL, which
// several share. The statements are the same. Ledgers and states are packed, everything else is
// plain rows that any shell can show.
//
// A tick is one packed record of the journal: the new slots of every budget, and the states that
// changed in more than the minute they have come to. Now and then [DB.Fold] turns the journal into
// a block per budget and day. (A row per budget and minute was measured: 605 ms a tick for ten
// thousand budgets, against 0.4 ms.) In the journal a budget is a number, given once and never
// again.
//
// Records and incidents carry a checksum. A file or a database that is damaged, foreign or from the
// future is refused with an [Error] that says what to do, and is left as it is.
//
// # Several processes
//
// On PostgreSQL one process leads ([DB.Lead]) and all others read. A [Term] says until when its
// holder may send; every write compares it in its own transaction, so that a leader that was
// deposed while it stood still writes nothing. The others follow what is committed ([DB.Follow]),
// and leave what they took from people in the inbox ([DB.Ask]), which the leader answers with the
// tick in which it is decided ([Tick.Verdicts]).
//
// # How to read
//
// Begin with the values below, then migrations/0001.sql. commit.go, fold.go and load.go are the
// life of a tick, record.go is its packed form; outbox.go and read.go are for the pump and for
// those who only look. db.go has what the two databases share, sqlite.go and postgres.go what they
// do not. lead.go and elect.go are the leadership, follow.go and inbox.go are for those who stand
// by.
package store

import (
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/slo"
)

// Turn is everything that one tick decided about one budget.
type Turn struct {
	SLO       slo.ID
	Slots     []budget.SlotAt // new or healed
	Hours     []budget.HourAt // backfilled
	State     alerting.State
	Incidents []alerting.Incident // opened or changed
	Entries   []outbox.Entry      // what is owed because of it

	texts []text // of the incidents and of the entries, if it is encoded
}

// Apply writes the turn's slots, then its hours, into the ledger. The store replays the journal
// with it; whoever keeps a ledger in memory must use it too, so that both are the same.
func (t Turn) Apply(l *budget.Ledger) {
	for _, s := range t.Slots {
		l.Put(s.At, s.Slot)
	}
	for _, h := range t.Hours {
		l.PutHour(h.Hour, h.Sum)
	}
}

// Tick is one transaction. A zero At is no tick of the engine: acts and messages that come between
// two.
type Tick struct {
	At    time.Time
	Turns []Turn
	// Marks are the reading positions of package prom that changed, by name, in its own encoding.
	// An empty one deletes the mark.
	Marks map[string][]byte
	// Incidents are those that changed without a decision about their budget: somebody did
	// something about them.
	Incidents []alerting.Incident
	// Acts are what people did since the last tick. One that is stored already is passed over; if
	// the key of one is that of another act, the tick is not committed: [TakenError].
	Acts []alerting.Act
	// Evidence is what was found out about incidents. What was found before for the same event
	// stays.
	Evidence []Evidence
	// Owed are messages that belong to no single budget: reports, notices about the source.
	Owed []outbox.Entry
	// Facts are small values kept by name, such as when a report last ran. An empty value deletes
	// the fact.
	Facts map[string]string
	// Reports are finished reports, by name and period.
	Reports []Report
	// Verdicts answer what other processes took from people.
	Verdicts []Verdict

	texts    []text // of Incidents and Owed, if it is encoded
	actTexts []text // of Acts
}

// Evidence is what was found out about an incident when an event asked for it, in the form of
// package evidence.
type Evidence struct {
	Incident string
	Kind     alerting.Kind // of the event: opened, escalated or resolved
	At       time.Time     // when it was found
	Data     []byte        // JSON
}

// Report is a report as it was sent, kept so that it can be shown again.
type Report struct {
	Name, Period string
	From, To, At time.Time
	Markdown     string
	Data         []byte // JSON of the report's facts
}

// Account is one budget as it was kept.
type Account struct {
	Ledger *budget.Ledger
	State  alerting.State
}

// Snapshot is what a restart begins with.
type Snapshot struct {
	Accounts map[slo.ID]Account
	Open     map[string]alerting.Incident // by ID
	Evidence []Evidence                   // about open incidents, oldest first
	Marks    map[string][]byte
	Facts    map[string]string
	// Acts are those that are not about a single incident: silences, permits, changes, and what
	// takes them back, oldest first.
	Acts     []alerting.Act
	LastTick time.Time
	// Lost is the newest tick that a process before has written and that is not here, because the
	// write-ahead log was cut or lost, or an older copy was put in the place of the file; on
	// PostgreSQL, one that this process has seen, and that a failover has lost. It is zero if
	// nothing is known to be lost.
	Lost time.Time
}
