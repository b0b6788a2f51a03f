// Slowburn counts every good and bad event of a service, and alerts when an error budget burns.
//
// This page is the tour of the code. It names every package, from the values up to the program, in
// the order in which they are best read. The documentation of each package says more.
//
// # What is promised
//
// Package slo has the values: a [slo.Spec] is one service level objective. It says which events
// count, how many of them may be bad, over which window, and who is told. Specs are immutable.
//
// Package internal/strictyaml reads YAML that people write and reports every mistake with its line,
// column and a hint. Package internal/schema describes the keys of a file once, for the readers,
// the JSON Schemas and the tables of the documentation. Package internal/selectors writes PromQL
// selectors, with every value in its quotes.
//
// Package slo/file reads SLO files and corrections into a [slo.Set], whole or not at all, and
// prints SLOs. Package slo/internal/yamlout writes the YAML. Package slo/lint finds SLOs that are
// valid and cannot mean what they say.
//
// Package internal/folder opens the folders of such files, and lets no link lead out of them.
// Packages slo/sloth, slo/pyrra and slo/openslo read the files of Sloth, Pyrra and OpenSLO into the
// same values; slo/openslo writes OpenSLO, too. Package slo/internal/foreign is what the three
// share. Package internal/httpclient makes HTTP clients from the settings of the Prometheus family,
// with files that are read as boundedly.
//
// # What happens
//
// Package internal/printable knows which characters may be shown to people, on terminals above all.
// Package internal/figures writes every number, share, duration and time that people read, with one
// rule of rounding.
//
// Package budget has the arithmetic. Its ledger keeps how many events there were in each minute,
// how many were bad, and whether that is known; it computes burn rates, what is left and how long
// it lasts. Package internal/prom fills it: it reads raw samples from Prometheus, each once, and
// package internal/counting counts them with a cursor per series and says when a minute is
// complete.
//
// # When to alert
//
// Package alerting has one verb, [alerting.Advance]. It walks the minutes that it has not seen yet
// and returns what happened: an alert opened, escalated, resolved. Live evaluation, catching up
// after a restart and a backtest are the same call over one minute, an hour or a month. What people
// do (acknowledge, silence, deploy) is an [alerting.Act] that it reads beside the ledger. The
// error-budget policy, [alerting.Judge], is here as well.
//
// Package internal/sentences words what happened: every sentence about an incident is made here,
// once, in plain text. Package internal/incidents keeps the book of open incidents, with the
// threads in which they are told and what people did, and decides which messages follow.
//
// # What burns, and what changed
//
// Package internal/signals knows in which metrics common programs show latency, traffic, errors and
// saturation. Package internal/ranking ranks label values and changes by how well they explain a
// burn; it is pure. Package internal/evidence asks Prometheus for what internal/ranking needs,
// bounded in time and number of queries.
//
// # What is written about it
//
// Package internal/markdown writes the pieces of Markdown that documents are made of. Package
// postmortem decides which incidents need a postmortem and drafts it; package internal/reviews
// keeps the drafts as files that people edit, and reads status and action items back.
//
// Package internal/report writes the report of a week, month or quarter, when internal/crontime
// says that it is due. Package internal/register writes the incident register that regulators ask
// for.
//
// What decides is pure: no clock, no network, no disk; time is an argument. Of the packages so far
// only internal/prom, internal/signals and internal/evidence ask a server, and internal/reviews
// reads and writes files.
//
// # What is sent, and what is stored
//
// Package internal/outbox holds the messages that are to be sent, each under a unique key, and
// delivers them: in order, at the pace that the receiver allows, and never again before it has
// looked for what may have arrived.
//
// Package internal/drills makes up the burn of a drill, by which somebody sees that pages arrive,
// and counts what drills have proven.
//
// Package internal/notify is what all receivers share. Below it, internal/notify/slack,
// internal/notify/pagerduty, internal/notify/alertmanager and internal/notify/webhook compose
// messages (pure) and deliver them (not); slack also takes what people press and type there.
// Package internal/notify/receivers lists the kinds of receiver beside Slack.
//
// Package internal/store commits a tick in one transaction: slots, states, incidents, reading
// positions, and the messages that follow from them. After a crash the daemon goes on from the last
// whole tick. On PostgreSQL one of several daemons leads, and the others follow what it commits.
//
// # The daemon
//
// Package internal/engine is the loop: when a minute can be complete, it reads, decides and
// commits. Package internal/api holds every JSON shape, of the HTTP API as of webhooks, reports and
// commands. Package internal/web serves the pages, the API and the metrics. Package internal/login
// lets people sign in to the pages by an OpenID provider; internal/login/issuertest is one for
// tests.
//
// Package internal/config reads slowburn.yaml by the rules of the SLO files. Package
// internal/daemon wires one process of all of this, and reloads it. Package internal/trouble logs
// what goes on failing, without filling the log.
//
// # The commands
//
// This package holds the flags: one file for each command. Three commands have a package: package
// internal/suggest proposes SLOs from what a Prometheus has, internal/rules writes SLOs as
// Prometheus rules, and internal/compare explains why another tool shows another error budget.
//
// # The demo and the tests
//
// Package internal/fake/promfake is a Prometheus inside the process: the real PromQL engine over a
// store in memory. Package internal/fake/promfake/chance draws its counts of events from a seed,
// and internal/fake/promfake/truth generates counters whose true counts are known. Package
// internal/fake/shop is a small shop that fills it. Package internal/fake/slacktest stands in for
// Slack; internal/fake/slacktest/cmd/slack-stand-in runs it alone.
//
// Package cmd/slowburn-demo is the demo: the daemon between these fakes. Its flags are in
// cmd/slowburn-demo/flags, so that the command demo explains them without linking the demo.
//
// Package internal/attack attacks a running daemon through every door: it is a program for whoever
// looks after the safety of slowburn, and for CI (make attack).
//
// Some packages are for tests only. Package internal/bench measures the whole chain;
// internal/schematest makes random SLO files; internal/report/lives makes short histories of SLOs;
// internal/goldentest compares with golden files; internal/logtest is a log that is read while it
// is written; internal/foreigntest, internal/fake/promfake/promtest, internal/engine/enginetest,
// internal/outbox/outboxtest,
// internal/notify/notifytest and internal/store/pgtest are what tests of the readers, of whoever
// asks Prometheus, of the engine, of the outbox, of receivers and of the store share.
package main
