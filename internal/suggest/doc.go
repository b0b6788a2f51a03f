// Package suggest proposes services, golden signals and realistic targets from what a Prometheus
// has.
//
// [Propose] goes through the sources of package signals that the server has. For each service that
// it finds there, it reads four weeks of history, and proposes an objective that was met in the
// worst week of them, as an SLO with the reasons in comments. What is proposed has data; it finds
// nothing rather than guess.
//
// # What it costs the server
//
// Names and labels come from the server's index. Of the samples, history needs the counters of
// recognised sources, in steps: of few series every sample within a step, of many a look every few
// minutes (history.go). On a server of 200,000 series that is about a thousandth of what it holds.
// Counters are added up as the ledger does it: what a new or restarted one shows counts whole, and
// one that ends within a step counts up to its end. The latter matters more than it seems, since
// outages end with rollbacks: whoever looks only at the ends of steps does not see the errors of
// the pods that were replaced.
//
// # Reading order
//
// target.go (history to objective; pure), scout.go, history.go and bounds.go (what a server is
// asked), suggest.go, kinds.go and propose.go (what is proposed, as SLOs), yaml.go (how they are
// explained).
package suggest
