package report

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/postmortem"
	"github.com/slowburn-sre/slowburn/slo"
)

// Report is the account of one period: every figure and no layout. Slices are in the order in which
// they are shown. Counts of events are thousandths.
type Report struct {
	Key    string // "report/weekly/2026-W48"
	Name   string
	Period Period
	Team   string // the owner whose SLOs it is about, "" for all
	Zone   string
	From   time.Time // the time that is counted: the period's bounds, rounded down to whole hours
	To     time.Time
	SoFar  bool // the period is not over yet, and To is how far it is known
	Late   bool
	Missed []Period

	Tally       Tally
	Rows        []Row      // one per budget, worst SLO first, budgets of one SLO together
	Burners     []Burner   // budgets that burned in the period, most first
	Incidents   []Incident // that overlap the period, oldest first
	Load        Load
	People      []Person // who acknowledged most first
	Toil        Toil
	Actions     []Action        // of postmortems, not done
	Changes     []alerting.Cost // one per change and budget, the dearest first
	Delivery    alerting.Delivery
	Services    []Service
	Undelivered int // messages given up in the period
	Drills      *Drills
	Audit       *Audit
	Trend       Trend
	Repetitions []Repetition
	Decisions   []Decision

	Previous Link

	zone *time.Location
}

// Tally counts SLOs; an SLO with several budgets is within if each that can be judged is.
type Tally struct {
	SLOs   int
	Within int
	Over   []slo.ID // worst first
	// Unjudged are neither: too little traffic, no traffic, or no data.
	Unjudged int
	// Before is Within as it was at the period's beginning; it says nothing if BeforeKnown is
	// false.
	Before      int
	BeforeKnown bool
}

// Verdict says how an error budget stands at the end of the period.
type Verdict string

// The verdicts, worst first.
const (
	Over       Verdict = "over"        // more bad events than the window allows
	Within     Verdict = "within"      // no more than it allows
	LowTraffic Verdict = "low_traffic" // so few events that chance decides
	NoTraffic  Verdict = "no_traffic"  // known, and nothing happened
	NoData     Verdict = "no_data"     // less than half of the window is known
)

// Judged reports whether the verdict says that the promise was kept or broken.
func (v Verdict) Judged() bool { return v == Over || v == Within }

// Text returns the verdict in words.
func (v Verdict) Text() string {
	switch v {
	case Over:
		return "over budget"
	case Within:
		return "within budget"
	case LowTraffic:
		return "not enough traffic to judge"
	case NoTraffic:
		return "no traffic"
	}
	return "not enough data to judge"
}

const (
	// enoughBad is how many bad events a window must allow before a budget is judged: below ten,
	// one unlucky user is a tenth of it.
	enoughBad = 10 * budget.Unit
	// enoughKnown is the share of a window, in percent, that must be known before a budget is said
	// to be kept.
	enoughKnown = 50
)

// Row is one error budget at the end of the period.
type Row struct {
	ID      slo.ID
	Spec    *slo.Spec
	Budget  budget.Status // of the first window, at the end of the period
	Verdict Verdict
	// Before is the same budget at the period's beginning, if BeforeKnown.
	Before      budget.Status
	BeforeKnown bool

	Outlook  budget.Outlook // at the end of the period, from the last days, in whole hours rounded up
	Worst    []Worst
	InPeriod Span // what the ledger holds of the period itself
	InWindow Span // and of the window
	Others   []Other
	Query    string // PromQL of the share of bad events over the window, evaluated at its end
}

// Span is how much of a stretch of time is known, in minutes.
type Span struct {
	Minutes int // its length, without the minutes that corrections leave out
	Known   int
	Partial int // the events are known, not their minute
	Unknown int // asked for in vain
	Unread  int // never read, as before the SLO was written
	// Estimated are those of the known and partial ones whose events Prometheus has extrapolated.
	Estimated int
	// Bad and Total are the events, in thousandths.
	Bad   int64
	Total int64
}

// Other is the budget of a further window of the same SLO.
type Other struct {
	Budget  budget.Status
	Verdict Verdict
}

// Build computes the report of a period. It is a pure function of its input.
//
// The period's bounds are rounded down to whole hours in UTC. In nearly every zone they are whole
// hours already; in the others the account is shifted by half an hour, the same way each time.
func Build(in Input) Report {
	b := newBuilder(in)
	for i, s := range b.subjects {
		if s.Hold == nil {
			b.add(s)
		} else {
			s.Hold(func() { b.add(s) })
		}
		b.subjects[i].Ledger = nil // whoever writes it may go on
	}
	b.finish()
	return b.Report
}

// add takes one subject in. Nothing else of a report reads a ledger.
func (b *builder) add(s Subject) {
	b.alerts(s)
	if s.Ledger == nil { // incidents that people declared for a service as a whole; what they cost is not known
		for _, i := range s.Incidents {
			if overlaps(i, b.From, b.To) {
				b.Incidents = append(b.Incidents, b.incident(s, i, 0))
			}
		}
		return
	}
	if first := s.Ledger.First().Time(); !s.Ledger.Empty() && (b.known.IsZero() || first.Before(b.known)) {
		b.known = first
	}
	b.row(s)
	b.attribute(s)
	b.changes(s)
}

// builder is one call of Build.
type builder struct {
	Report
	in       Input
	subjects []Subject
	from, to budget.Minute
	acts     map[string][]alerting.Act // by incident, oldest first
	acked    map[string]alerting.Act   // the first acknowledgement of each incident
	earlier  []Incident                // that were over before the period
	known    time.Time                 // the first that any ledger has; zero if they are all empty
}

func newBuilder(in Input) *builder {
	if in.Zone == nil {
		in.Zone = time.UTC
	}
	if in.Policy == nil {
		policy := alerting.DefaultPolicy()
		in.Policy = &policy
	}
	in.order()
	b := &builder{in: in, acts: map[string][]alerting.Act{}, acked: map[string]alerting.Act{}}
	for _, a := range in.Acts {
		b.acts[a.Incident] = append(b.acts[a.Incident], a)
		if _, seen := b.acked[a.Incident]; a.Kind == alerting.Acknowledge && a.Incident != "" && !seen {
			b.acked[a.Incident] = a
		}
	}
	for _, s := range in.Subjects {
		if b.concerns(s.Spec.Owner) {
			b.subjects = append(b.subjects, s)
		}
	}
	slices.SortStableFunc(b.subjects, func(x, y Subject) int { return cmp.Compare(x.ID, y.ID) })
	from, to := in.Period.Bounds(in.Zone)
	from, to = from.UTC().Truncate(time.Hour), to.UTC().Truncate(time.Hour)
	soFar := !in.Until.IsZero() && in.Until.Before(to)
	if soFar { // a budget at a time to come would count on traffic that nobody has seen
		to = in.Until.UTC().Truncate(time.Minute)
		if to.Before(from) {
			to = from
		}
	}
	b.from, b.to = budget.MinuteOf(from), budget.MinuteOf(to)
	b.Report = Report{
		Key:  Run{Report: in.Name, Period: in.Period}.Key(),
		Name: in.Name, Period: in.Period, Team: in.Team, Zone: in.Zone.String(), From: from, To: to, SoFar: soFar, zone: in.Zone,
		Undelivered: in.Undelivered, Drills: in.Drills, Audit: in.Audit, Late: in.Late, Missed: in.Missed, Previous: in.Previous,
		Tally: Tally{Over: []slo.ID{}}, Rows: []Row{}, Burners: []Burner{}, Incidents: []Incident{}, Decisions: []Decision{},
	}
	b.Load = Load{from: from, to: to, zone: in.Zone, shifts: map[time.Time]int{}}
	return b
}

// order makes what may come in any order come in one; the caller's slices stay as they are.
func (in *Input) order() {
	in.Acts, in.Reviews, in.Services = slices.Clone(in.Acts), slices.Clone(in.Reviews), slices.Clone(in.Services)
	slices.SortStableFunc(in.Acts, func(x, y alerting.Act) int { return cmp.Or(x.At.Compare(y.At), cmp.Compare(x.Key, y.Key)) })
	slices.SortStableFunc(in.Reviews, func(x, y postmortem.Review) int {
		return cmp.Or(cmp.Compare(x.Incident, y.Incident), cmp.Compare(x.File, y.File))
	})
	slices.SortStableFunc(in.Services, func(x, y Service) int { return cmp.Compare(x.Name, y.Name) })
}

func (b *builder) row(s Subject) {
	o, w := s.Spec.Objective, s.Spec.Window()
	now, before := budget.StatusAt(s.Ledger, o, w, b.to), budget.StatusAt(s.Ledger, o, w, b.from)
	window := span(s.Ledger, budget.MinuteOf(now.From), b.to)
	row := Row{
		ID: s.ID, Spec: s.Spec, Budget: now, Verdict: judge(now, window, o), Before: before, BeforeKnown: before.Allowed > 0 && before.Sized,
		Outlook: outlook(s, now), InPeriod: span(s.Ledger, b.from, b.to), InWindow: window,
		Query: query(s, now.From, b.To), Worst: b.worst(s.Ledger),
	}
	for _, w := range s.Spec.Windows[1:] {
		st := budget.StatusAt(s.Ledger, o, w, b.to)
		row.Others = append(row.Others, Other{Budget: st, Verdict: judge(st, span(s.Ledger, budget.MinuteOf(st.From), b.to), o)})
	}
	b.Rows = append(b.Rows, row)
}

// judge says how a budget stands. That it is overspent can be said on little data; that it is kept
// cannot.
func judge(s budget.Status, known Span, o slo.Objective) Verdict {
	over := s.Sum.Bad > s.Allowed
	switch {
	case known.Known+known.Partial == 0:
		return NoData
	case s.Sum.Total == 0 && known.Known*100 >= known.Minutes*enoughKnown:
		return NoTraffic
	case s.Sum.Total == 0, !s.Sized:
		return NoData
	case s.Allowed < enoughBad && !(over && alerting.Significant(s.Sum, o).Believed()):
		return LowTraffic
	case over:
		return Over
	case known.Known*100 < known.Minutes*enoughKnown:
		return NoData
	}
	return Within
}

// span counts what the ledger knows of [from, to).
func span(l *budget.Ledger, from, to budget.Minute) Span {
	s := l.Sum(from, to)
	n := int(to-from) - s.Excused
	return Span{
		Minutes: n, Known: s.Known, Partial: s.Partial, Unknown: s.Unknown,
		Unread: max(n-s.Seen()-s.Unknown, 0), Estimated: s.Estimated, Bad: s.Bad, Total: s.Total,
	}
}

// outlook forecasts the exhaustion of a budget from its last days, without the burns that are over:
// a quarter of the window, three days at most. Burns are left out by the hour, so that nothing
// depends on whether minutes have been thinned out.
func outlook(s Subject, now budget.Status) budget.Outlook {
	at := budget.MinuteOf(now.At)
	var told []budget.Burnt
	for _, i := range s.Incidents {
		for _, b := range i.Burnt() {
			if b.Over = b.Over && b.To < at; b.Over {
				b.To = min(budget.Minute(((b.To-1).Hour()+1)*60), at)
			}
			b.From = budget.Minute(b.From.Hour() * 60)
			told = append(told, b)
		}
	}
	f := budget.Forecast(s.Ledger, s.Spec.Objective, now, told, min(3*slo.Day, now.Window.Length()/4))
	f.In, f.Early, f.Late = wholeHours(f.In), wholeHours(f.Early), wholeHours(f.Late)
	return f
}

// wholeHours rounds a duration up to hours.
func wholeHours(d time.Duration) time.Duration {
	return (d + time.Hour - 1).Truncate(time.Hour)
}

// query returns the PromQL that traces a row: the share of bad events over its window, as far back
// as the ledger goes.
func query(s Subject, from, to time.Time) string {
	if first := s.Ledger.First().Time(); !s.Ledger.Empty() && first.After(from) && first.Before(to) {
		from = first
	}
	all := postmortem.Queries(s.Spec, s.ID, from, to)
	var forms []string // of a histogram there are two, of which a server answers one
	for _, q := range all {
		if q.What == all[len(all)-1].What {
			forms = append(forms, pinned(strings.Join(strings.Fields(q.Text), " "), to))
		}
	}
	return strings.Join(forms, " or ")
}

// pinned lets a query ask about a time whenever it is asked. Our own selectors name the time; an
// expression of the house is taken at it by a subquery.
func pinned(query string, at time.Time) string {
	if strings.Contains(query, "@ ") {
		return query
	}
	return "last_over_time((" + query + ")[1m:1m] @ " + strconv.FormatInt(at.Unix(), 10) + ")"
}

// finish orders what was collected and draws the conclusions.
func (b *builder) finish() {
	sortRows(b.Rows)
	slices.SortStableFunc(b.Burners, func(x, y Burner) int { return compareShares(y.Bad, y.Budget.Allowed, x.Bad, x.Budget.Allowed) })
	slices.SortFunc(b.earlier, func(x, y Incident) int { return cmp.Or(x.Detected.Compare(y.Detected), cmp.Compare(x.ID, y.ID)) })
	slices.SortFunc(b.Incidents, func(x, y Incident) int {
		return cmp.Or(x.Onset.Compare(y.Onset), cmp.Compare(x.SLO, y.SLO), x.Detected.Compare(y.Detected), cmp.Compare(x.ID, y.ID))
	})
	b.tally()
	b.Load.finish()
	b.trend()
	b.people()
	b.actions()
	b.deliver()
	b.services()
	b.decide()
}

// sortRows puts the worst SLO first and keeps the budgets of one SLO together: what was judged
// comes first, by the share of the budget that is spent. Rows that stand alike stay in the order of
// their names.
func sortRows(rows []Row) {
	slices.SortStableFunc(rows, func(x, y Row) int {
		switch first, second := x.Verdict.Judged(), y.Verdict.Judged(); {
		case first && !second:
			return -1
		case second && !first:
			return 1
		}
		return compareShares(y.Budget.Sum.Bad, y.Budget.Allowed, x.Budget.Sum.Bad, x.Budget.Allowed)
	})
	rank := map[slo.ID]int{}
	for _, r := range rows {
		if _, seen := rank[r.ID.Base()]; !seen {
			rank[r.ID.Base()] = len(rank)
		}
	}
	slices.SortStableFunc(rows, func(x, y Row) int { return cmp.Compare(rank[x.ID.Base()], rank[y.ID.Base()]) })
}

// tally counts SLOs, now and at the period's beginning.
func (b *builder) tally() {
	type standing struct{ over, judged, overBefore, before bool }
	by := map[slo.ID]*standing{}
	var order []slo.ID
	for _, r := range b.Rows {
		s := by[r.ID.Base()]
		if s == nil {
			s = &standing{}
			by[r.ID.Base()] = s
			order = append(order, r.ID.Base())
		}
		s.judged = s.judged || r.Verdict.Judged()
		s.over = s.over || r.Verdict == Over
		s.before = s.before || r.BeforeKnown
		s.overBefore = s.overBefore || r.BeforeKnown && r.Verdict.Judged() && r.Before.Left() < 0
	}
	t := &b.Tally
	t.SLOs = len(order)
	for _, id := range order {
		s := by[id]
		switch {
		case s.over:
			t.Over = append(t.Over, id)
		case s.judged:
			t.Within++
		default:
			t.Unjudged++
			continue
		}
		t.BeforeKnown = t.BeforeKnown || s.before
		if !s.overBefore {
			t.Before++
		}
	}
}
