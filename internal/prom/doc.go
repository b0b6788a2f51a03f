// Package prom reads the ledger's slots from Prometheus, exactly and at the cost of one scrape.
//
// # The idea
//
// The usual way to count events per minute is to ask for increase(x[1m]) each minute. It loses the
// first sample of every new series, extrapolates, and sees nothing of what happened while
// Prometheus was down; on quiet services a third of an error budget can vanish that way. This
// package reads the raw samples instead, x[1m] as an instant query, keeps the last value of every
// series (a cursor), and takes the differences itself. Each sample is read once. Resets, births,
// holes and late samples are then a matter of arithmetic, and all SLOs on one metric share one
// query:
//
//	SLOs ──► bundles ──► one query each ──► runs of samples ──► stepper ──► slots per budget
//	         bundle.go   client.go          decode.go,          count.go
//	                                        route.go
//
// What cannot be read raw (expressions, native histograms) is evaluated by Prometheus once per
// minute, see expr.go and ask.go.
//
// # Time
//
// A slot belongs to the minute (m, m+1]. [Reader.Read] counts up to a minute its caller chooses, a
// scrape interval back, so that its samples have arrived. What the slots say does not depend on how
// time is cut into reads: the state moves minute by minute (see count.go), and a failed read moves
// nothing. The one exception is healing: a minute that was reported absent may be written again
// when its data turn up, or when the counters that come back tell what happened meanwhile.
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
//   - A target that is added to Prometheus long after its process started looks like a new process;
//     its first value counts whole. So does a series that its exporter let expire and then shows again: this one is reported.
//   - Above ten thousand series an SLO is told to aggregate first; above the cap on an answer's bytes, even for one
//     minute, it cannot be read and says so. Neither falls back to a coarser way in silence.
//   - Warnings in an answer make it a failure, for something may be missing; an expression that always
//     warns can never be read.
//   - Only when a whole bundle has no data are late samples looked for (for an hour). A single SLO's late samples
//     arrive as the difference across its hole, which is exact in sum and marked partial.
//
// # Reading order
//
// count.go (the heart, pure), bundle.go and route.go (what shares a query, and which series is
// whose), read.go (a read from end to end), marks.go (positions on disk), expr.go, bounds.go
// (buckets of latency SLOs), backfill.go, client.go and decode.go (the wire), probe.go (for check
// and doctor).
package prom
