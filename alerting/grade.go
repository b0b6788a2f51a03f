package alerting

import (
	"slices"

	"github.com/slowburn-sre/slowburn/budget"
)

// Grade says in one word how a budget stands. Every surface takes it from [GradeOf]: /slowburn
// status, the pages, the API and the command line.
type Grade string

// The grades.
const (
	GradePage    Grade = "page"    // a page is open
	GradeNoData  Grade = "no_data" // the data are missing or cannot be read; nothing is decided
	GradeSpent   Grade = "spent"   // the whole budget of the window is gone
	GradeTicket  Grade = "ticket"  // a ticket is open
	GradeLow     Grade = "low"     // less than [LowBelow] is left
	GradeUnknown Grade = "unknown" // no event was seen, or too little of the window is known
	GradeGood    Grade = "good"    // none of these
)

// Grades are all of them, worst first: in this order budgets are listed.
var Grades = []Grade{GradePage, GradeNoData, GradeSpent, GradeTicket, GradeLow, GradeUnknown, GradeGood}

// LowBelow is the share of the budget, in basis points, below which it is called low.
const LowBelow = 2500

// GradeOf grades a budget by its first window, the state of its newest minute ([budget.State], as
// the API names it) and what is open on it. The worst that holds counts.
func GradeOf(st budget.Status, data string, open []Incident) Grade {
	is := func(level Severity) bool {
		return slices.ContainsFunc(open, func(i Incident) bool { return i.Rule != RuleNoData && i.Loud() == level })
	}
	gap := slices.ContainsFunc(open, func(i Incident) bool { return i.Rule == RuleNoData })
	switch {
	case is(Page):
		return GradePage
	case gap || data == budget.Absent.String() || data == budget.Failed.String():
		return GradeNoData
	case st.Gone():
		return GradeSpent
	case is(Ticket):
		return GradeTicket
	case st.Sum.Total == 0 || !st.Sized:
		return GradeUnknown
	case st.LeftBelow(LowBelow):
		return GradeLow
	}
	return GradeGood
}

// Order ranks the grade, the worst is 0. A word that is no grade comes last.
func (g Grade) Order() int {
	if n := slices.Index(Grades, g); n >= 0 {
		return n
	}
	return len(Grades)
}
