// Package postmortem says which incidents deserve a review, and drafts it.
//
// Most of a postmortem is copying: when it began, who was told, how many requests failed, what the
// graphs said. All of that is in the ledger and in the incident's log, so the program writes it,
// with the query behind every figure. What a program cannot know is left open, as questions to
// people: why it happened, what went well, what shall change.
//
// [Judge] applies the error-budget policy: an incident that took more than 20 % of a four-week
// budget needs a review, whatever the SLO's own window is. [Draft] turns [Facts] into a [Document],
// and [Document.Markdown] writes it down. Evidence that others gather (golden signals,
// contributors, changes) is handed in; the draft says "not collected" where it is missing, which is
// not the same as "nothing found".
//
// # Words
//
// The onset is the first bad minute of the burn that was alerted on. Time to detect runs from the
// onset to the alert; time to resolve runs from the onset to the end of the last bad minute. The
// draft prints these definitions, because others count from elsewhere. It names no person as a
// cause.
//
// The package is pure. The same facts give the same bytes.
//
// Reading order: judge.go (is it required?), facts.go (what goes in), draft.go (what comes out),
// profile.go (the minutes around it), queries.go (PromQL for every figure), markdown.go.
package postmortem
