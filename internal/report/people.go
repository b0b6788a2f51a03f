package report

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/markdown"
	"github.com/slowburn-sre/slowburn/postmortem"
	"github.com/slowburn-sre/slowburn/slo"
)

// Person is what one person took on in the period, as far as they told slowburn.
type Person struct {
	Name         string
	Acknowledged int // incidents that this person was the first to acknowledge
	OutOfHours   int // of them, out of working hours
}

// Toil is the work that people recorded (alerting.Worked), in minutes. Source of the lines: Site
// Reliability Engineering, chapters 1 and 5: at most half of the time of a reliability team goes
// into operations; and developers of a service keep about a twentieth of its operational work.
type Toil struct {
	Toil    int64 // operational work
	Project int64 // engineering
	People  int   // who recorded anything
}

// Share returns the share of toil in what was recorded, and false if nothing was.
func (t Toil) Share() (float64, bool) {
	if t.Toil+t.Project == 0 {
		return 0, false
	}
	return float64(t.Toil) / float64(t.Toil+t.Project), true
}

// people counts who acknowledged what, and who recorded how much work, in the period.
func (b *builder) people() {
	by := map[string]*Person{}
	recorded := map[string]bool{}
	for _, a := range b.in.Acts {
		if !b.Load.in(a.At) {
			continue
		}
		switch a.Kind {
		case alerting.Acknowledge:
			if b.acked[a.Incident].Key != a.Key {
				continue
			}
			p := by[a.By]
			if p == nil {
				p = &Person{Name: a.By}
				by[a.By] = p
			}
			p.Acknowledged++
			if !workingHours(a.At.In(b.zone)) {
				p.OutOfHours++
			}
		case alerting.Worked:
			if w := a.Work(); w.Project {
				b.Toil.Project += w.Minutes
			} else {
				b.Toil.Toil += w.Minutes
			}
			recorded[a.By] = true
		}
	}
	b.Toil.People = len(recorded)
	for _, p := range by {
		b.People = append(b.People, *p)
	}
	slices.SortFunc(b.People, func(x, y Person) int {
		return cmp.Or(cmp.Compare(y.Acknowledged, x.Acknowledged), cmp.Compare(x.Name, y.Name))
	})
}

// Action is an action item of a postmortem that is not done.
type Action struct {
	postmortem.Action
	Incident string
	Service  string
	Overdue  bool // at the end of the period
}

// actions lists what postmortems promised and nobody has done yet: overdue ones first, then by day
// and priority.
func (b *builder) actions() {
	for _, r := range b.in.Reviews {
		for _, a := range r.Actions {
			if !a.Done && b.concerns(r.Owner) {
				b.Actions = append(b.Actions, Action{Action: a, Incident: r.Incident, Service: r.Service, Overdue: a.Overdue(b.To)})
			}
		}
	}
	slices.SortStableFunc(b.Actions, func(x, y Action) int {
		if x.Overdue != y.Overdue {
			return map[bool]int{true: -1, false: 1}[x.Overdue]
		}
		if x.Due.IsZero() != y.Due.IsZero() {
			return map[bool]int{true: 1, false: -1}[x.Due.IsZero()]
		}
		return cmp.Or(x.Due.Compare(y.Due), cmp.Compare(x.Priority, y.Priority), cmp.Compare(x.Incident, y.Incident), cmp.Compare(x.What, y.What))
	})
}

// concerns reports whether something of an owner belongs into the report of a team.
func (b *builder) concerns(owner string) bool { return b.in.Team == "" || owner == b.in.Team }

func (r Report) actionText(limit int) string {
	if len(r.Actions) == 0 {
		return "None is open.\n"
	}
	var rows [][]string
	for _, a := range r.Actions {
		due := figures.Day(a.Due)
		if a.Overdue {
			due = "**" + due + ", overdue**"
		}
		rows = append(rows, []string{markdown.Link(a.What, a.Link), markdown.Value(a.Priority), markdown.Value(a.Owner), due, markdown.Code(a.Incident)})
	}
	return table([]string{"What", "Priority", "Owner", "Due", "Incident"}, rows, limit)
}

// peopleText says who carried how much.
func (r Report) peopleText() string {
	var b strings.Builder
	if r.Load.Pages > 0 {
		b.WriteString("\nAcknowledged: " + figures.Count(r.Load.Acknowledged) + " of " + figures.Plural(r.Load.Pages, "page") +
			", median time to acknowledge " + median(r.Load.toAck) + ", from the alert.")
		if r.Load.Judged > 0 {
			b.WriteString(" Precision: " + figures.Count(r.Load.Precise) + " of " + figures.Plural(r.Load.Judged, "page") +
				" that ended took at least the share of the budget that their alert is about.")
		}
		b.WriteString("\n")
	}
	var people []string
	for _, p := range r.People {
		s := markdown.Text(p.Name) + " " + figures.Count(p.Acknowledged)
		if p.OutOfHours > 0 {
			s += " (" + figures.Count(p.OutOfHours) + " out of hours)"
		}
		people = append(people, s)
	}
	if len(people) > 0 {
		b.WriteString("\nPer person: " + strings.Join(people, "; ") + ". First acknowledgements count.\n")
	}
	return b.String() + r.toilText()
}

func (r Report) toilText() string {
	all := r.Toil.Toil + r.Toil.Project
	if all == 0 {
		return "\nToil: not recorded (`slowburn work`).\n"
	}
	word := "below"
	if 2*r.Toil.Toil > all {
		word = "**above**"
	}
	return "\nToil: " + figures.Share(r.Toil.Toil, all) + " of the " + figures.Duration(time.Duration(all)*time.Minute) + " that " +
		figures.Plural(r.Toil.People, "person") + " recorded, " + word + " the line of 50 %. The developers' own share of operational work should stay near 5 %.\n"
}

// aboutPeople returns what promises and pages that were left alone suggest.
func (b *builder) aboutPeople() []Decision {
	var all []Decision
	overdue := 0
	for _, a := range b.Actions {
		if a.Overdue {
			overdue++
		}
	}
	if overdue > 0 {
		all = append(all, Decision{Overdue, "", overdueText(overdue, b.Actions[0])})
	}
	// Where nobody ever acknowledges in slowburn, that nobody did says nothing.
	if n := b.Load.Pages - b.Load.Acknowledged; n > 0 && b.Load.Acknowledged > 0 {
		all = append(all, Decision{Unanswered, "", figures.Plural(n, "page") + " nobody acknowledged: not needed, or not heard?"})
	}
	return append(all, b.aboutClasses()...)
}

// overdueText asks what becomes of what was promised and not done.
func overdueText(n int, oldest Action) string {
	first := "1 action item is overdue: "
	if n > 1 {
		first = figures.Count(n) + " action items are overdue, the oldest: "
	}
	what := strings.TrimSpace(oldest.Priority + " “" + oldest.What + "”")
	return first + what + " (" + cmp.Or(oldest.Owner, "nobody's") + ", due " + figures.Day(oldest.Due) + "). Do it now, move it, or drop it?"
}

// classLimit is the share of a quarter's budget, in basis points, above which a class of outages
// asks for a place in the next plan. Source: The Site Reliability Workbook, appendix B.
const classLimit = 2000

// aboutClasses holds the classes of outage of a quarter against the budget of each SLO for that
// quarter.
func (b *builder) aboutClasses() []Decision {
	if b.Period.Kind != slo.Quarter {
		return nil
	}
	var all []Decision
	for _, r := range b.Rows {
		spent := map[string]int64{}
		for _, i := range b.Incidents {
			if i.SLO == r.ID && i.Class != "" {
				spent[i.Class] += i.InPeriod
			}
		}
		quarter := alerting.Account{Allowed: budget.Share(r.InPeriod.Total, r.Spec.Objective.Allowed()), Estimated: r.InPeriod.Estimated > 0}
		for _, class := range slices.Sorted(maps.Keys(spent)) {
			if compareShares(spent[class], quarter.Allowed, classLimit, 10000) > 0 {
				all = append(all, Decision{Recurring, r.ID, "outages of the class " + class + " took " + quarter.CostOf(spent[class]) +
					" of the quarter's budget: a P0 in the next plan?"})
			}
		}
	}
	return all
}
