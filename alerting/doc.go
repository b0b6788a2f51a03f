// Package alerting decides when an alert fires and when it resolves.
//
// One function decides. [Advance] takes what is known about one error budget ([Input]), the memory
// of its state machine ([State]) and a minute, walks the minutes it has not yet seen, and returns
// the new memory and what happened ([Event]). Live evaluation is an Advance of one minute, catching
// up after a restart is an Advance of many, a backtest is an Advance over a month from the zero
// State. There is no other evaluator, so what a backtest shows is what will happen.
//
// An [Incident] is the fold of its events. Its ID is derived from the SLO, the rule and the time it
// opened, so a replay names it the same.
//
// # What fires
//
// A burn fires by the workbook's multiwindow, multi-burn-rate method (see slo.Pair): a pair of
// windows fires when the budget burned faster than its threshold both over the long window (enough
// of the budget is gone to matter) and over the short one (it is still going on). It must also pass
// the low-traffic test ([Significance]). An upper tier silences the lower: a ticket that turns
// into a page is escalated, and after a page a ticket stays silent until its short window holds
// only minutes after the page.
//
// # What unknown means
//
// A minute of which nothing is known neither fires nor resolves. In the long window unseen minutes
// do not count as bad: the burn that was seen is spread over the whole window. An incident closes
// only when its windows have fallen below their thresholds on known data.
//
// A minute that a correction leaves out (see budget.Excuses) is evidence of nothing: it opens
// nothing, planned maintenance or not, it resolves nothing, and data that are missing in it are not
// missed.
package alerting
