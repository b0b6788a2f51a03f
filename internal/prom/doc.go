// Package prom reads the ledger's slots from Prometheus, exactly and at the cost of one scrape.
//
// # The idea
//
// The usual way to count events per minute is to ask for increase(x[1m]) each minute. It loses the
// first sample of every new series, extrapolates, and sees nothing of what happened while
// Prometheus was down; on quiet services a third of an error budget can vanish that way. This
// package reads the raw samples instead, as an instant query of a range selector, and package
// internal/counting takes the differences: it keeps a cursor per series and counts each sample
// once, in its own minute, whenever it comes. All SLOs on one metric share one query:
//
//	SLOs ──► bundles ──► windows, overdue ones ──► runs of samples ──► counting ──► slots per budget
//	         bundle.go   follow.go, client.go      decode.go,
//	                                               route.go
//
// What cannot be read raw (expressions, native histograms) is evaluated by Prometheus once per
// minute, see expr.go.
//
// # Time
//
// A slot belongs to the minute (m, m+1]. [Reader.Read] is told what time it is. It asks for
// everything up to a second ago, and a minute is in the batch when it is complete: when no series
// of its budget that lives can still show a sample in it. Samples that come later than they are
// waited for are amendments of their minutes ([Reading.Late]). How late a target is used to be is
// learned; what is waited for is told ([Batch.Waits]). A read asks only for that of which another
// minute can be complete by then, and says when the next one is worth it ([Batch.Next]).
//
// What the slots say does not depend on how time is cut into reads, and a failed read moves nothing
// but what it has read before it failed. A minute that was reported absent may be written again
// when the counters that come back tell what happened meanwhile.
//
// # Transactions
//
// A read changes nothing. It returns a [Batch] with slots and with marks, the positions after it.
// The caller keeps both in one transaction and then calls [Reader.Commit]. After a crash or a
// failed transaction the same samples are read again.
//
// # Limits, plainly
//
//   - Events between the last scrape of a process and its death are seen by nobody.
//   - The first value of a series counts as far as it can have happened: ten times the rate of its
//     target, or of its like, since the scrape before, plus five events. What a new process did
//     beyond that before its first scrape is not counted, and is told.
//   - A renamed series with less than five events in all looks new.
//   - What comes later than MaxLateness after it was due changes the ledger, and delays no
//     decision.
//   - Warnings in an answer make it a failure, for something may be missing; an expression that
//     always warns can never be read.
//   - An expression is evaluated half a minute after its minute, or as much later as its samples
//     have come late lately. What always comes later than MaxLateness is found if it is less than
//     an hour late; after a stall, six hours are evaluated again.
//
// # Which type owns what
//
// A [Reader] plans, and keeps positions, marks and what has failed (read.go, expr.go). It alone
// knows them: what asks is handed them, and moves a copy. A follower asks for raw samples and has
// them counted (follow.go, parts.go, start.go, coarse.go), an evaluator has Prometheus evaluate
// expressions (expr.go, exprlate.go, unpaired.go). A [Client] knows the wire, and answers what
// needs no position (client.go, bounds.go, probe.go, discover.go).
//
// # Reading order
//
// bundle.go and route.go (what shares a query, and which series is whose), read.go (a read from end
// to end), follow.go (what is asked for), lanes.go and parts.go (what is slow or large), marks.go
// (positions on disk), ask.go, expr.go and exprlate.go, bounds.go (buckets of latency SLOs),
// backfill.go with coarse.go and hourstarts.go, client.go and decode.go (the wire), probe.go (for
// check and doctor).
package prom
