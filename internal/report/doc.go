// Package report gives the account of a week, a month or a quarter: who kept their promise, where
// the budget went, how loud the alerts were, what should be talked about.
//
// Two questions, two pure functions:
//
//   - [Due] says which reports are owed at a given time. A report belongs to a [Period]
//     ("2026-W47"), and the period follows from the time it was scheduled for, never from the time
//     it is made. Once per report and period, over restarts, downtime and both changes of the
//     clock.
//   - [Build] computes a [Report] from ledgers and incidents. It has every figure and no layout;
//     [Report.Markdown] and [Report.Summary] show it, and package api as JSON.
//
// # How the figures are made
//
// A period is counted in whole hours (see [Build]), because the ledger keeps old time in hours and
// no figure may depend on its age. Two periods that follow one another share no minute and leave
// none out.
//
// Bad events of a period are those of its incidents plus the unattributed rest; the two always add
// up to the total. Every row names the time it covers, a query that traces it, and how much of the
// data was there. What is not known is a dash, and an SLO with too little traffic is said to be so,
// not judged.
//
// Reading order: period.go, schedule.go, input.go, build.go (the budgets), burners.go (where it
// went), load.go (pages and tickets), decide.go, then words.go, markdown.go and summary.go.
package report
