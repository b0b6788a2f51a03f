// Package rules writes an SLO as recording and alerting rules for Prometheus.
//
// slowburn decides from its own ledger and needs no rules. They are a second way for those who want
// one: alerts that still work while slowburn is down, and series under the names that existing
// dashboards read ([Names]).
//
// # The idea
//
// Everything is recorded as a count, and a ratio is made last:
//
//	slowburn:total:increase5m   events of the last five minutes
//	slowburn:bad:increase5m     bad ones among them
//	slowburn:bad:ratio5m        the one divided by the other; no value without events
//
// and the same for every window that an alert looks at. Long windows are sums of the five-minute
// counts, tile beside tile, and then divided once. The mean of many ratios, which other generators
// record, lets a quiet night weigh as much as a busy day; and its 0/0 poisons every sum that it
// enters. Neither can happen to counts.
//
// An alert compares a ratio with its threshold, strictly, as the live decision does (see package
// alerting). The threshold is written exactly.
//
// # What rules cannot do
//
// They know nothing of the low-traffic test, of the first sample of a series, of a hole in the
// data, of calendar windows, of events before they were loaded. What is lost for a given SLO is
// told in [Group.Notes] and becomes a comment of the file.
//
// # Reading order
//
// build.go (from a Spec to a Group), count.go (PromQL that counts), threshold.go, alert.go, then
// sloth.go and pyrra.go (other people's names) and yaml.go.
package rules
