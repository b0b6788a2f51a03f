// Package engine runs the evaluation, as soon as minutes are complete.
//
// [Engine.Tick] is one turn of it: read what is new from Prometheus, write it into the ledgers,
// advance every budget's state machine over the minutes it has not yet seen, compose the messages
// that are owed, and commit all of it in one transaction. Nothing is sent here; the outbox's pump
// does that, afterwards and on its own.
//
// Time comes in as an argument. [Engine.Run] holds the only timer: the source says when another
// minute can be complete ([prom.Batch.Next]), and a tick that was too early is quiet and costs
// nothing. A tick that is late, or that
// finds Prometheus unreachable, loses nothing: minutes that were not read are not consumed, and the
// next tick walks all of them, one by one, through the same decision code.
//
// The engine owns all state in memory, behind one lock: a tick, an act and a reload write under it.
// What shows something waits for none of them: it reads the newest [Snapshot]. Each part of the
// state has its owner: the accounts and ledgers (budgets.go), the open incidents (incidents.Book, a
// value that decides what people are told), what is decided and not committed yet (backlog.go), the
// histories that are being read (history.go).
package engine
