// Package register is the record that regulators ask for: every incident with its times, how much
// it cost, whether it has happened before, and until when which report would be due.
//
// New makes the entries from incidents and what people did about them; package api writes them
// down. The package is pure, and it never classifies: whether an incident is major is the entity's
// own decision.
package register

import (
	"cmp"
	"slices"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/slo"
)

// Entry is one incident as the register for regulators has it: the facts that the European Union's
// Digital Operational Resilience Act (Regulation (EU) 2022/2554, articles 17 to 19, with the
// delegated regulations 2024/1772 and 2025/301) asks of a financial entity, as far as a program
// that counts events can know them. It never classifies: whether an incident is major is for the
// entity to decide, and the decision enters as an act (alerting.Classify).
type Entry struct {
	Incident alerting.Incident
	Owner    string
	Tier     string

	Acknowledged time.Time // zero if nobody did, or nobody said so; so are the next two
	Mitigated    time.Time
	Classified   time.Time
	Class        string // what the entity decided, in its own word: "major", "not major"; "" is undecided
	ClassifiedBy string

	Bad        int64         // events that failed because of it, in thousandths
	Total      int64         // all events in its time
	Down       time.Duration // minutes with at least one failed event
	PerDay     int64         // events on an average day of the four weeks before, 0 if not known
	Recurrence []string      // IDs of incidents of the same SLO in the six months before, newest first
	Due        Deadlines
}

// Deadlines are until when reports would have to be with the authority if the incident is
// classified as major. They follow from when it was known and when it was classified; zero is not
// yet determined.
type Deadlines struct {
	Initial      time.Time // 4 h after it was classified, and 24 h after it was known
	Intermediate time.Time // 72 h after the initial one was due
	Final        time.Time // a month after the intermediate one was due
}

// Indication holds one figure against the threshold that the regulation gives for it. It is a hint
// for whoever classifies, not a verdict.
type Indication struct {
	Criterion string
	Value     string // "" is not known to slowburn
	Threshold string
	Reached   *bool // nil is not known
}

// Subject is an incident with what the register needs to know of it.
type Subject struct {
	Incident alerting.Incident
	Spec     *slo.Spec           // nil if the SLO is gone
	Ledger   *budget.Ledger      // nil if it is not known any more
	Acts     []alerting.Act      // on the incident, in any order
	Others   []alerting.Incident // candidates for a recurrence
}

// Recurring is how many months back an earlier incident of the same SLO counts as a hint.
const Recurring = 6

// Failed returns the entries without those of missing data, in which nothing is known to have
// failed.
func Failed(all []Entry) []Entry {
	return slices.DeleteFunc(slices.Clone(all), func(e Entry) bool { return e.Incident.Rule == alerting.RuleNoData })
}

// New makes the entries of incidents, oldest first. Incidents of missing data are entered too: that
// nobody could see is a fact of its own, which [Failed] leaves out.
func New(incidents []Subject) []Entry {
	var all []Entry
	for _, r := range incidents {
		all = append(all, r.entry())
	}
	return Sorted(all)
}

// Sorted orders entries, oldest first.
func Sorted(all []Entry) []Entry {
	slices.SortFunc(all, func(a, b Entry) int {
		return cmp.Or(a.Incident.Detected.Compare(b.Incident.Detected), cmp.Compare(a.Incident.ID, b.Incident.ID))
	})
	return all
}

func (r Subject) entry() Entry {
	i := r.Incident
	e := Entry{Incident: i, Bad: i.Bad()}
	if r.Spec != nil {
		e.Owner, e.Tier = r.Spec.Owner, r.Spec.Tier
	}
	if b := i.Last.Burn; b != nil {
		e.Total, e.Down = b.Total, time.Duration(b.Minute)*time.Minute
	}
	if r.Ledger != nil && !i.Onset.IsZero() {
		e.Bad = i.Claim().Spent(r.Ledger)
		e.PerDay = perDay(r.Ledger, budget.MinuteOf(i.Onset))
	}
	e.take(r.Acts)
	for _, o := range r.Others {
		if o.ID != i.ID && o.SLO == i.SLO && o.Detected.Before(i.Detected) && o.Detected.After(i.Detected.AddDate(0, -Recurring, 0)) {
			e.Recurrence = append(e.Recurrence, o.ID)
		}
	}
	slices.SortFunc(e.Recurrence, func(a, b string) int { return cmp.Compare(b, a) })
	e.Due = e.deadlines()
	return e
}

// take enters what people did: the first acknowledgement and mitigation, and the newest
// classification.
func (e *Entry) take(acts []alerting.Act) {
	acts = slices.Clone(acts)
	slices.SortStableFunc(acts, func(a, b alerting.Act) int { return a.At.Compare(b.At) })
	first := func(t *time.Time, at time.Time) {
		if t.IsZero() {
			*t = at
		}
	}
	if len(acts) == 0 {
		return
	}
	for _, a := range alerting.InForce(acts, acts[len(acts)-1].At) { // what was taken back does not count
		switch a.Kind {
		case alerting.Acknowledge:
			first(&e.Acknowledged, a.At)
		case alerting.Mitigated:
			first(&e.Mitigated, a.At)
		case alerting.Classify:
			e.Classified, e.Class, e.ClassifiedBy = a.At, a.Text, a.By
		}
	}
}

// perDay returns the number of events on an average day of the four weeks before a minute, in
// thousandths, counted over the minutes that are known; zero if less than a day is.
func perDay(l *budget.Ledger, at budget.Minute) int64 {
	const day = 24 * 60
	sum := l.Sum(max(at-28*day, l.First()), at)
	if sum.Seen() < day {
		return 0
	}
	return sum.Total / int64(sum.Seen()) * day
}

// The times of Delegated Regulation (EU) 2025/301, article 5.
func (e Entry) deadlines() Deadlines {
	var d Deadlines
	known := e.Incident.Alerted()
	if known.IsZero() || e.Class != "" && e.Class != alerting.Major {
		return d
	}
	d.Initial = known.Add(24 * time.Hour)
	if sooner := e.Classified.Add(4 * time.Hour); !e.Classified.IsZero() && sooner.Before(d.Initial) {
		d.Initial = sooner
	}
	d.Intermediate = d.Initial.Add(72 * time.Hour)
	d.Final = d.Intermediate.AddDate(0, 1, 0)
	return d
}

// Duration returns the time from the onset to the end of the incident, and false while it is open.
func (e Entry) Duration() (time.Duration, bool) {
	from := e.Incident.Onset
	if from.IsZero() {
		from = e.Incident.Detected
	}
	if e.Incident.Open || e.Incident.Resolved.IsZero() {
		return 0, false
	}
	return e.Incident.Resolved.Sub(from), true
}

// Indications holds the entry against the thresholds of Delegated Regulation (EU) 2024/1772,
// article 9. Clients, counterparts, Member States, data losses, reputation and cost are not known
// to a program that counts events.
func (e Entry) Indications() []Indication {
	all := []Indication{
		{Criterion: "failed transactions of a daily average", Threshold: "10 %"},
		{Criterion: "duration", Threshold: "24 h"},
		{Criterion: "downtime of a service that supports a critical function", Threshold: "2 h"},
	}
	set := func(n int, value string, reached bool) { all[n].Value, all[n].Reached = value, &reached }
	if e.PerDay > 0 {
		reached := e.Bad > e.PerDay/10
		set(0, figures.Beside(e.Bad, e.PerDay, reached), reached)
	}
	if d, ok := e.Duration(); ok {
		set(1, figures.Hours(d, d > 24*time.Hour), d > 24*time.Hour)
	}
	if e.Incident.Last.Burn != nil {
		set(2, figures.Hours(e.Down, e.Down > 2*time.Hour), e.Down > 2*time.Hour)
	}
	for _, c := range []struct{ criterion, threshold string }{
		{"clients affected", "10 %, or 100,000"},
		{"financial counterparts affected", "30 %"},
		{"Member States", "2"},
		{"data losses", "any of consequence"},
		{"reputation", "any of consequence"},
		{"economic impact", "EUR 100,000"},
	} {
		all = append(all, Indication{Criterion: c.criterion, Threshold: c.threshold})
	}
	return all
}

// Note says what the register is and is not; it goes with every export.
const Note = "Facts as slowburn counted them. Whether an incident is major is the entity's own decision; due dates hold only for incidents that it classifies as major."
