// Package promfake is a Prometheus that lives inside the process: the real PromQL engine over a
// small store in memory, behind the real HTTP API.
//
// It exists for two reasons. The demo must run on a machine where nothing is installed, and the
// tests must talk to Prometheus the way production does, over HTTP, without a server to start. Both
// get the same thing:
//
//	client ──HTTP──► API ──► promql.Engine ──► Querier ──► Series ──► chunks
//	                 api.go    (Prometheus)     querier.go  db.go
//
// What is real and what is not:
//
//   - The engine, the parser, the compressed chunks and the native histograms
//     are Prometheus' own packages. An answer has the same digits.
//   - The store is ours: an index by label pair and a list of chunks per
//     series. It keeps nothing on disk and never compacts.
//   - The HTTP layer is ours and covers what a reader of metrics needs:
//     query, query_range, series, labels, label values, metadata,
//     query_exemplars, build and runtime info, readiness. Status codes, error
//     types and JSON are those of Prometheus 3.
//
// # Time
//
// [Options.Now] gives the server its clock. With it set, samples newer than Now are hidden, as if
// they were not scraped yet. A test or a demo can so write the future first and reveal it step by
// step on a simulated clock. Without it the clock is the system's and nothing is hidden.
//
// # Faults
//
// [DB.Faults] holds a plan of things that go wrong: error statuses, HTML in place of JSON,
// truncated or endless answers, hangs, redirects, resets, odd numbers. A fault says which requests
// it hits and how often.
//
// # Reading order
//
// db.go and series.go (what is stored), querier.go and iterator.go (how the engine reads it),
// api.go, params.go and json.go (how a client reads it), fault.go (how it breaks), server.go (how
// it listens). Package truth, below this one, generates counters whose true event counts are known.
package promfake
