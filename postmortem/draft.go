package postmortem

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/markdown"
	"github.com/slowburn-sre/slowburn/internal/ranking"
	"github.com/slowburn-sre/slowburn/internal/sentences"
	"github.com/slowburn-sre/slowburn/slo"
)

// Document is a drafted postmortem: every figure and no layout.
type Document struct {
	Facts    Facts // what it was drafted from; evidence is rendered from here
	Summary  string
	Verdict  Verdict
	Impact   Impact
	Times    Times
	Profile  []Bucket      // the time around the incident, oldest first
	Changes  []SuspectCost // near the onset, oldest first; nil was not collected
	Timeline []Entry
	Queries  []Query
	Earlier  []alerting.Incident // of the same SLO, newest first
	Caveats  []string            // what to know about the data before believing the figures
}

// Impact is what the incident cost. Counts are thousandths of events.
type Impact struct {
	Bad, Total    int64             // between the onset and the newest event
	BadMinutes    int               // minutes with at least one bad event
	Before, After *alerting.Account // the SLO's own window up to the onset and up to the newest event; nil is not known
}

// Times are the times of the incident and the durations between them.
type Times struct {
	Onset, Detected, Escalated, Acknowledged, Mitigated, Ended, Resolved time.Time // zero is not yet, or never

	ToDetect      time.Duration
	ToAcknowledge time.Duration // from Detected; meaningless while Acknowledged is zero
	ToMitigate    time.Duration // from Onset; meaningless while Mitigated is zero
	ToResolve     time.Duration // zero while it is open
	Burning       time.Duration // from the onset to the end, or to the newest event
}

// Entry is one line of the timeline.
type Entry struct {
	At   time.Time
	Text string // plain text
	Link string
}

// Draft writes a postmortem as far as data can. It reads nothing but its argument.
func Draft(f Facts) Document {
	from, to := f.span()
	d := Document{
		Facts:   f,
		Verdict: Judge(f.Incident, f.Spec.Objective, f.Ledger, f.Limit),
		Impact:  impact(f),
		Times:   timesOf(f.Incident),
		Profile: profile(f.Ledger, from, to),
		Changes: changes(f),
		Queries: f.queries(from, to),
		Earlier: earlier(f),
	}
	d.Timeline = timeline(f, d.Changes)
	d.Caveats = caveats(f, from, to, d.Verdict)
	d.Summary = summary(d)
	return d
}

func timesOf(i alerting.Incident) Times {
	t := Times{
		Onset: i.Onset.UTC(), Detected: i.Alerted(), Escalated: i.Escalated, Ended: i.Ended, Resolved: i.Resolved,
		ToDetect: i.TimeToDetect(), ToResolve: i.TimeToResolve(), Burning: i.Duration(),
	}
	if i.Open {
		t.Ended = time.Time{} // so far is not the end
	}
	if d, ok := i.TimeToAcknowledge(); ok {
		t.ToAcknowledge, t.Acknowledged = d, i.Alerted().Add(d)
	}
	if d, ok := i.TimeToMitigate(); ok {
		t.ToMitigate, t.Mitigated = d, i.Onset.Add(d).UTC()
	}
	return t
}

// impact reads the ledger where it still keeps the minutes, so that data that came late count, and
// the log elsewhere.
func impact(f Facts) Impact {
	last := f.Incident.Last
	im := Impact{Bad: f.Incident.Claim().Spent(f.Ledger)}
	if last.Burn == nil {
		return im
	}
	from, to := f.span()
	im.Total, im.BadMinutes = max(last.Burn.Total, im.Bad), last.Burn.Minute
	after := last.Budget
	im.After = &after
	if fine(f.Ledger, from) {
		im.Total, im.BadMinutes = max(im.Total, f.Ledger.Sum(from, to).Total), max(im.BadMinutes, minutes(f.Ledger, from, to, func(s budget.Slot) bool { return s.Bad > 0 }))
		im.Before, im.After = f.account(from), f.account(to)
		return im
	}
	if e := opener(f.Incident); e.Burn != nil {
		before := e.Budget
		before.Bad = max(before.Bad-e.Burn.Bad, 0)
		im.Before = &before
	}
	return im
}

// account returns the budget of the SLO's own window over the minutes before at.
func (f Facts) account(at budget.Minute) *alerting.Account {
	return new(alerting.AccountOf(budget.StatusAt(f.Ledger, f.Spec.Objective, f.Spec.Window(), at)))
}

// minutes counts the minutes of [from, to) for which so is true.
func minutes(l *budget.Ledger, from, to budget.Minute, so func(budget.Slot) bool) int {
	n := 0
	l.Each(from, to, func(_ budget.Minute, s budget.Slot) bool {
		if so(s) {
			n++
		}
		return true
	})
	return n
}

// changeBack is how long before the onset a change is of interest.
const changeBack = 2 * time.Hour

// changes returns those that people recorded, with what they cost, and those that somebody saw,
// oldest first.
func changes(f Facts) []SuspectCost {
	if f.Changes == nil && f.Acts == nil {
		return nil
	}
	all := []SuspectCost{}
	for _, c := range f.Changes {
		if !strings.HasPrefix(c.Seen, ranking.Recorded) {
			all = append(all, SuspectCost{Suspect: c})
		}
	}
	for _, c := range alerting.Attribute(alerting.Input{ID: f.id(), Spec: f.Spec, Ledger: f.Ledger}, f.Acts, f.Ledger.End()) {
		a := c.Change.Change
		began, over := a.Start, a.Start
		if a.End.After(over) {
			over = a.End
		}
		if began.After(f.Incident.Last.Time()) || over.Before(f.Incident.Onset.Add(-changeBack)) {
			continue
		}
		all = append(all, SuspectCost{ranking.Suspect{At: began.UTC(), What: a.Name(), Seen: ranking.Recorded, Link: a.Link}, sentences.Cost(c)})
	}
	slices.SortStableFunc(all, func(a, b SuspectCost) int { return a.At.Compare(b.At) })
	return all
}

// summary returns the incident in a few sentences, for a reader who reads nothing else.
func summary(d Document) string {
	f := d.Facts
	told := sentences.Story{Incident: f.Incident, Spec: f.Spec, Bad: d.Impact.Bad, Total: d.Impact.Total, Budget: d.Impact.After}
	return markdown.Code(string(f.id())) + " " + markdown.Text(told.Predicate().String())
}

func timeline(f Facts, changes []SuspectCost) []Entry {
	i := f.Incident
	all := []Entry{{At: i.Onset.UTC(), Text: sentences.Onset(i.Rule) + " (onset)"}}
	if !i.Open && !i.Ended.IsZero() {
		all = append(all, Entry{At: i.Ended.UTC(), Text: sentences.End(i.Rule)})
	}
	for _, e := range i.Log {
		all = append(all, Entry{At: e.Time(), Text: sentences.Event(e, f.Spec), Link: f.Links[e.Key()]})
	}
	for _, a := range i.Acts {
		all = append(all, Entry{At: a.At.UTC(), Text: a.By + " " + sentences.Deed(a)})
	}
	for _, c := range changes {
		all = append(all, Entry{At: c.At.UTC(), Text: "change: " + c.What + " (" + c.Seen + "; " + sentences.Correlation() + ")", Link: c.Link})
	}
	for _, u := range f.Upstream {
		all = append(all, Entry{At: u.Onset.UTC(), Text: string(u.SLO) + ", which it depends on, began to burn"})
	}
	slices.SortStableFunc(all, func(a, b Entry) int { return a.At.Compare(b.At) })
	return all
}

func earlier(f Facts) []alerting.Incident {
	var all []alerting.Incident
	for _, e := range f.Earlier {
		if e.ID != f.Incident.ID && e.SLO == f.Incident.SLO && e.Onset.Before(f.Incident.Onset) {
			all = append(all, e)
		}
	}
	slices.SortStableFunc(all, func(a, b alerting.Incident) int { return cmp.Or(b.Onset.Compare(a.Onset), cmp.Compare(a.ID, b.ID)) })
	return all
}

// caveats names what is doubtful about the data of the incident.
func caveats(f Facts, from, to budget.Minute, v Verdict) []string {
	sum, all := f.Ledger.Sum(from, to), int(to-from)
	var list []string
	add := func(n int, text string) {
		if n > 0 {
			list = append(list, figures.Plural(n, "minute")+" of "+figures.Count(all)+" "+text)
		}
	}
	if fine(f.Ledger, from) {
		add(sum.Unknown, "are unknown: the source gave no usable answer. They are counted neither as good nor as bad, so the impact may be larger.")
		add(all-sum.Seen()-sum.Unknown, "were never read.")
		add(sum.Partial, "are partial: how many events they had is known, when within a gap they happened is not.")
		add(minutes(f.Ledger, from, to, func(s budget.Slot) bool { return s.Backfilled }), "were read from history, after the fact. If those lie before the alert, it came late because the data came late.")
	} else {
		list = append(list, "The minutes of the incident are no longer kept; the figures come from the incident's log, the profile from sums of whole hours.")
	}
	if f.Incident.Open {
		list = append(list, "The incident is still open; every figure is one of "+figures.UTC(f.Incident.Last.Time())+".")
	}
	if v.Scaled {
		list = append(list, "The ledger is younger than four weeks; the four-week budget was scaled up from what it has seen.")
	}
	if v.Reason == CrossedLate {
		list = append(list, "Data that came in after the incident was resolved raised its cost from "+
			figures.Events(f.Incident.Told())+" to "+figures.Events(v.Bad)+" bad events.")
	}
	for _, o := range budget.StatusAt(f.Ledger, f.Spec.Objective, f.Spec.Window(), to).LeftOut {
		text := "A correction was in force in the budget's window, and what it leaves out is in no figure here: " + o.Text()
		if n := excusedBy(f.Ledger, o.Correction, from, to); n > 0 {
			text += "; " + figures.Plural(n, "minute") + " of it within the incident"
		}
		list = append(list, markdown.Text(text)+".")
	}
	for _, p := range f.Problems {
		list = append(list, "Not found out: "+markdown.Text(p)+".")
	}
	return list
}

// excusedBy returns how many minutes of [from, to) a correction leaves out.
func excusedBy(l *budget.Ledger, c *slo.Correction, from, to budget.Minute) int {
	n := 0
	for m := from; m < to; m++ {
		if by, _ := l.Excuses().At(m); by == c {
			n++
		}
	}
	return n
}
