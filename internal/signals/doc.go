// Package signals knows where the golden signals are.
//
// Most teams run the same few programs and libraries, and each of them tells latency, traffic, errors and saturation in
// its own metrics, with its own traps: milliseconds that do not say so, a request reported by both of its ends, a label
// that is missing exactly when the request failed. The catalogue (catalogue.yaml) writes this down as data, one entry
// per source, and three things are made of it:
//
//	catalogue ──look──► Live (what this server has of an entry) ──Fill──► Filled (queries about one service)
//	                                                                        ├──► Take: a Snapshot, now and a week ago
//	                                                                        └──► Suggest: SLO files, with reasons
//
// # Nothing is invented
//
// A query is made only of metrics and labels that the server was seen to have. What is not there is unknown and says
// why; it is never zero, and never taken from a similar name. Where a label has several spellings (code, status,
// status_code), the one that exists is used.
//
// # Queries are built, not pasted
//
// Matchers come from files and from label values of a server, so they may hold anything. They go through Prometheus' own
// parser and printer (selector.go), which quote them.
//
// # What a suggestion costs
//
// Names and labels come from the server's index. Of the samples, history needs the counters of recognised sources, in
// steps: of few series every sample within a step, of many a look every few minutes (history.go). On a server of
// 200,000 series that is about a thousandth of what it holds.
// Counters are added up as the ledger does it: what a new or restarted one shows counts whole, and one that
// ends within a step counts up to its end. The latter matters more than it seems, since outages end with rollbacks: whoever
// looks only at the ends of steps does not see the errors of the pods that were replaced.
//
// # Reading order
//
// catalogue.yaml and catalogue.go (what is known), selector.go (PromQL), live.go and fill.go (one service's queries), snapshot.go and
// forecast.go (how a service is), target.go (history to objective; pure), scout.go, history.go and bounds.go (what a server
// is asked), suggest.go, kinds.go and propose.go (what is proposed, as SLOs), yaml.go (how they are explained).
package signals
