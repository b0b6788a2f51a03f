// Package signals knows where the golden signals are.
//
// Most teams run the same few programs and libraries, and each of them tells latency, traffic,
// errors and saturation in its own metrics, with its own traps: milliseconds that do not say so, a
// request reported by both of its ends, a label that is missing exactly when the request failed.
// The catalogue (catalogue.yaml) writes this down as data, one entry per source, and three things
// are made of it:
//
//	catalogue ──look──► Live (what this server has of an entry) ──Fill──► Filled (queries about one service)
//	                                                                        ├──► Take: a Snapshot, now and a week ago
//	                                                                        └──► package suggest: SLO files, with reasons
//
// # Nothing is invented
//
// A query is made only of metrics and labels that the server was seen to have. What is not there is
// unknown and says why; it is never zero, and never taken from a similar name. Where a label has
// several spellings (code, status, status_code), the one that exists is used.
//
// # Queries are built, not pasted
//
// Matchers come from files and from label values of a server, so they may hold anything. They go
// through Prometheus' own parser and printer (selector.go), which quote them.
//
// # Reading order
//
// catalogue.yaml and catalogue.go (what is known), selector.go (PromQL), live.go and fill.go (one
// service's queries), snapshot.go and forecast.go (how a service is).
package signals
