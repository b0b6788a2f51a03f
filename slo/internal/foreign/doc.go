// Package foreign is what the readers of other people's SLO formats have in common.
//
// The formats differ in their keys and agree in their substance: two PromQL queries under a rate, a
// target, a list of burn-rate alerts, and labels for somebody else's rules. The keys are read by
// packages slo/sloth, slo/pyrra and slo/openslo; the substance is carried over here.
//
// The heart is query.go and shape.go. The other programs keep a ratio of rates per window and lose
// the counts; slowburn counts events. So a query is parsed by Prometheus' own parser and its tree
// is looked at, never its text: sum(rate(x[{{.window}}])) counts the events of the counter x and
// becomes the bare selector x, whose raw samples the ledger reads exactly. A quotient is taken
// apart into its two counts. What has no such shape stays an expression over $window; where all of
// it is per second, rate becomes increase so that it counts events.
//
// Reading order: query.go (template to tree and back), shape.go (what a tree counts), indicator.go
// (trees to an [slo.Indicator]), alerts.go, metadata.go (names, labels, links).
package foreign
