// Slowburn counts every good and bad event of a service, and speaks when an error budget burns.
//
// This page is the tour of the code, bottom up. Each stop is a package whose own documentation says
// more; read them in this order and you have read the program.
//
// # What was promised
//
// Package slo says what counts as an event, how many may go bad, over which time, and when somebody
// wants to be told. A [slo.Spec] is an immutable value. Package slo/file reads a [slo.Set] of them
// from YAML, whole or not at all, and prints it; slo/lint finds what is valid and cannot mean what
// it says. Package internal/config reads slowburn.yaml by the same rules.
//
// Packages slo/sloth, slo/pyrra and slo/openslo read what others have written, into the same
// values. Package internal/schema is how the keys of our own files are described, once, for
// readers, editors and the documentation; internal/rules writes the same promises as Prometheus
// rules, and internal/compare says why another tool shows another budget.
//
// # What happened
//
// Package internal/prom reads Prometheus: the raw samples since the last time, each once, counted
// by a cursor per series. It hands out slots: how many events there were in a minute, how many were
// bad, and whether that is known at all. Package budget keeps the slots in a ledger and does the
// arithmetic: sums, burn rates, what is left, how long it lasts.
//
// # When to speak
//
// Package alerting has one verb, [alerting.Advance]. It walks the minutes it has not yet seen and
// says what happened: a burn opened, escalated, ended. Live evaluation, catching up after a restart
// and a backtest are the same call over one minute, an hour or a month. What people do or declare
// (an acknowledgement, a silence, a deploy, an exemption) is an [alerting.Act] that it reads beside
// the ledger, and so does the error-budget policy, [alerting.Judge].
//
// Package internal/figures writes every number, share, duration and time that people read, wherever
// they read it. Package postmortem drafts the review of what happened; package internal/report
// writes the weekly account, when internal/crontime says that it is due; package internal/register
// writes the record that regulators ask for.
//
// Package internal/signals knows where common programs show their latency, traffic, errors and
// saturation: as evidence, and for package internal/suggest, which proposes SLOs.
//
// So far everything that decides is pure: no clock, no network, no disk. Time is an argument.
//
// # What burns, and what changed
//
// Package internal/evidence asks Prometheus about an incident after its first message: which label
// values went bad, what was deployed, which traces show it. How that is ranked is pure (package
// internal/ranking); what is asked is bounded.
//
// # What is owed
//
// Package internal/outbox holds the messages that are owed, each under a unique key, and delivers
// them: in order, at the pace the receiver allows, looked up before they are repeated. Package
// internal/notify is what all receivers share; below it slack, pagerduty, alertmanager and webhook
// compose messages (pure) and deliver them (not). Slack also takes what people press and type
// there. Package internal/reviews keeps postmortems as files that people go on writing.
//
// # What survives
//
// Package internal/store commits a tick: slots, states, incidents, reading positions and the
// messages owed because of them, in one transaction. Kill the process anywhere; it goes on where
// the last whole tick left off.
//
// # What ties it together
//
// Package internal/engine is the minute hand: read, decide, commit, once a minute. Package
// internal/web shows it: pages, a JSON API, metrics. Package internal/api holds every JSON shape,
// of the API as of webhooks, reports and commands. Package internal/config reads slowburn.yaml,
// internal/daemon wires one process of all of it, and this package holds the flags: a file for each
// command.
//
// # What it is tried on
//
// Package internal/fake/promfake is a Prometheus inside the process (the real engine over a store
// in memory), internal/fake/shop a small shop that fills it, internal/fake/slacktest a stand-in for
// Slack. The tests use them, and cmd/slowburn-demo is made of them; the daemon links none of them.
package main
