package alerting

import (
	"testing"

	"github.com/slowburn-sre/slowburn/budget"
)

// Of what holds of a budget the worst is its grade.
func TestTheWorstThatHoldsIsTheGrade(t *testing.T) {
	of := func(bad, allowed int64) budget.Status {
		return budget.Status{Sum: budget.Sum{Total: 1_000_000, Bad: bad, Known: 1}, Allowed: allowed, Sized: true}
	}
	young := of(900, 1000)
	young.Sized = false
	open := func(rule Rule, ever, now Severity) Incident {
		return Incident{Open: true, Rule: rule, Severity: ever, Last: Event{Severity: now}}
	}
	page, ticket, gap := open(RulePage, Page, Page), open(RuleTicket, Ticket, Ticket), open(RuleNoData, Ticket, Ticket)
	for _, c := range []struct {
		when   string
		status budget.Status
		data   budget.State
		open   []Incident
		want   Grade
	}{
		{"nothing is bad", of(0, 1000), budget.OK, nil, GradeGood},
		{"no event came in the newest minute", of(0, 1000), budget.ZeroTraffic, nil, GradeGood},
		{"the newest minute is known in part", of(0, 1000), budget.Partial, nil, GradeGood},
		{"the newest minute is left out by a correction", of(0, 1000), budget.Excused, nil, GradeGood},
		{"a quarter of the budget is left", of(750, 1000), budget.OK, nil, GradeGood},
		{"less than a quarter is left", of(751, 1000), budget.OK, nil, GradeLow},
		{"all but a thousandth of an event is gone", of(999, 1000), budget.OK, nil, GradeLow},
		{"the whole budget is gone", of(1000, 1000), budget.OK, nil, GradeSpent},
		{"it is overspent", of(1001, 1000), budget.OK, nil, GradeSpent},
		{"nothing may go bad, and nothing did", of(0, 0), budget.OK, nil, GradeGood},
		{"a ticket is open", of(0, 1000), budget.OK, []Incident{ticket}, GradeTicket},
		{"the budget is gone and a ticket is open", of(1000, 1000), budget.OK, []Incident{ticket}, GradeSpent},
		{"data are missing and the budget is gone", of(1000, 1000), budget.Absent, []Incident{ticket}, GradeNoData},
		{"data cannot be read", of(0, 1000), budget.Failed, nil, GradeNoData},
		{"data came again and the gap is not closed", of(0, 1000), budget.OK, []Incident{gap}, GradeNoData},
		{"a page is open", of(0, 1000), budget.OK, []Incident{ticket, page}, GradePage},
		{"a page is open and data are missing", of(0, 1000), budget.Absent, []Incident{gap, page}, GradePage},
		{"somebody made the page a ticket", of(0, 1000), budget.OK, []Incident{open(RulePage, Page, Ticket)}, GradeTicket},
		{"too little of the window is known", young, budget.OK, nil, GradeUnknown},
		{"too little is known and a page is open", young, budget.OK, []Incident{page}, GradePage},
		{"nothing was read yet", budget.Status{}, budget.Unseen, nil, GradeUnknown},
	} {
		if got := GradeOf(c.status, c.data.String(), c.open); got != c.want {
			t.Errorf("%s: %q; want %q", c.when, got, c.want)
		}
	}
	if worst, no := GradePage.Order(), Grade("").Order(); worst != 0 || no <= GradeGood.Order() {
		t.Errorf("a page is number %d, what is no grade is number %d", worst, no)
	}
}
