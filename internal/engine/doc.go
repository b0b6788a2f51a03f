// Package engine runs the evaluation, as soon as minutes are complete.
//
// [Engine.Tick] is one turn of it: read what is new from Prometheus, write it into the ledgers,
// advance every budget's state machine over the minutes it has not yet seen, compose the messages
// that are owed, and commit all of it in one transaction. Nothing is sent here; the outbox's pump
// does that, afterwards and on its own.
//
// Time comes in as an argument. [Engine.Run] holds the only timer: the source says when another
// minute can be complete ([prom.Batch.Next]), and a tick that was too early is quiet and costs
// nothing. A tick that is late, or that finds Prometheus unreachable, loses nothing: minutes that
// were not read are not consumed, and the next tick walks all of them, one by one, through the same
// decision code.
//
// A tick goes through few hands. The budgets hold the accounts and ledgers; a judge decides about
// them, one by one; a teller folds what was decided into the book of incidents (incidents.Book, a
// value that decides what people are told) and composes the messages; the backlog commits. Beside
// them stand what a tick looks at and nobody else: the clock, the outages, the reporter, the
// histories that are being read.
//
// What is known is the memory, behind one lock. Ticks, pieces of history and reloads come one after
// the other (Engine.deciding), but let the lock go between two budgets, while they compose, report
// and fold, and while a source is asked: an act waits for a commit at most, unless acts come in as
// fast as a tick can compose. A tick in which the book has changed under what it has composed
// begins with that anew, so what is told knows of every act, and none is lost. What shows something
// waits for nobody: it reads the newest [Snapshot].
package engine
