package alerting

import (
	"cmp"
	"slices"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/slo"
)

// Incident is the story of one incident: the fold of its events. Times are kept as they were
// decided, so the onset and the peak stay readable after the end.
type Incident struct {
	ID       string   `json:"id"`
	SLO      slo.ID   `json:"slo"`
	Rule     Rule     `json:"rule"`
	Severity Severity `json:"severity"` // the loudest it ever was
	Open     bool     `json:"open"`

	Onset     time.Time `json:"onset"`              // the first bad minute
	Detected  time.Time `json:"detected"`           // the end of the minute that opened it; people knew at Alerted
	Escalated time.Time `json:"escalated,omitzero"` // when a ticket became a page
	Ended     time.Time `json:"ended,omitzero"`     // the end of the last bad minute; of an open one, so far
	Resolved  time.Time `json:"resolved,omitzero"`

	First Event   `json:"first"` // the event that opened it, or made it a page
	Last  Event   `json:"last"`  // the newest one
	Log   []Event `json:"log"`   // all of them, oldest first

	// Late says that some of its minutes were known only after they had been decided: when it was
	// found and what was told of it is other than a backtest tells, or it was missed live.
	Late bool `json:"late,omitempty"`

	// Group is the incident in whose thread this one is told, because they burn together or people
	// merged them; "" is its own. What it costs stays its own.
	Group string `json:"group,omitempty"`

	Acts []Act `json:"acts,omitempty"` // what people did about it, in the order in which it was told

	// Damaged says that its record could not be read: it has neither events nor acts.
	Damaged bool `json:"damaged,omitempty"`
}

// Apply folds an event into the incident. The zero Incident takes the event that opens it; an event
// that was already applied changes nothing.
func (i Incident) Apply(e Event) Incident {
	for _, old := range i.Log {
		if old.Key() == e.Key() && old.Level == e.Level {
			return i
		}
	}
	if e.Reason == MinutesDropped {
		i = i.without(e)
	}
	if e.recounts() {
		if slices.ContainsFunc(i.Log, func(old Event) bool { return old.recounts() && old.At > e.At }) {
			return i
		}
		i.Log = slices.DeleteFunc(slices.Clone(i.Log), Event.recounts) // what comes late comes bit by bit
	}
	switch e.Kind {
	case Opened:
		i = Incident{ID: e.Incident, SLO: e.SLO, Rule: e.Rule, Severity: e.Severity, Open: true, Detected: e.Time(), First: e, Acts: i.Acts}
		i.Onset = e.Since.Time()
	case Escalated:
		i.Severity, i.Escalated, i.First = e.Severity, e.Time(), e
	case Resolved:
		i.Open, i.Resolved = false, e.Time()
	case Recounted:
		i.Last.Burn, i.Last.Budget, i.Last.Long, i.Last.Short = e.Burn, e.Budget, e.Long, e.Short
	case Updated, Noticed:
	}
	i.Late = i.Late || e.Late
	if e.Burn != nil {
		i.Onset, i.Ended = e.Burn.Onset.Time(), e.Burn.Last.End()
	}
	if e.Kind != Noticed && e.Kind != Recounted {
		i.Last = e
	}
	i.Log = append(append([]Event(nil), i.Log...), e)
	return i
}

// recounts reports whether an event brings the account of what is over up to date. The newest
// stands for all of them.
func (e Event) recounts() bool { return e.Kind == Recounted && e.Reason == DataLate }

// without drops what was told of the minutes after an event, which have not happened. An end stays,
// as of that event: those who were told of it take it for over.
func (i Incident) without(e Event) Incident {
	then := Incident{Acts: i.Acts}
	for _, old := range i.Log {
		switch {
		case old.At <= e.At:
		case old.Kind == Resolved:
			old.At, old.Decided, old.Burn, old.Budget, old.Long, old.Short = e.At, e.Decided, e.Burn, e.Budget, e.Long, e.Short
		default:
			continue
		}
		then = then.Apply(old)
	}
	if then.ID == "" {
		return i // its record is damaged
	}
	then.Group = i.Group
	return then
}

// Fold groups events by incident and folds each group, in order of first appearance. Notices that
// belong to no incident are left out. Incidents that the events continue are taken from known.
func Fold(known map[string]Incident, events []Event) []Incident {
	var order []string
	changed := map[string]Incident{}
	for _, e := range events {
		i, seen := changed[e.Incident]
		if !seen {
			i = known[e.Incident]
		}
		if i.ID == "" && e.Kind != Opened {
			continue
		}
		if !seen {
			order = append(order, e.Incident)
		}
		changed[e.Incident] = i.Apply(e)
	}
	incidents := make([]Incident, len(order))
	for n, id := range order {
		incidents[n] = changed[id]
	}
	return incidents
}

// Bad returns the number of bad events between the onset and the newest event, in thousandths.
func (i Incident) Bad() int64 {
	if i.Last.Burn == nil {
		return 0
	}
	return i.Last.Burn.Bad
}

// Told returns the number of bad events that were told when it ended, in thousandths: samples that
// came later have added to them. Of an open one it is what [Incident.Bad] is.
func (i Incident) Told() int64 {
	for _, e := range i.Log {
		if e.Kind == Resolved && e.Burn != nil {
			return e.Burn.Bad
		}
	}
	return i.Bad()
}

// Claim returns what the incident may claim of its budget's bad events: those from its onset to its
// newest event. What minutes opened that have not happened may claim nothing: they are still to
// come.
func (i Incident) Claim() budget.Claim {
	if i.Last.Burn == nil || i.Last.Reason == TimeWentBack {
		return budget.Claim{}
	}
	return budget.Claim{From: i.Last.Burn.Onset, To: i.Last.At + 1, Bad: i.Bad(), Open: i.Open}
}

// Attribution gives the bad events of a ledger to the incidents of its budget. It returns the
// incidents in the order in which they claim, the first detected first, whatever order they come
// in.
func Attribution(l *budget.Ledger, incidents []Incident) ([]Incident, budget.Attribution) {
	ordered := slices.SortedStableFunc(slices.Values(incidents), func(a, b Incident) int {
		return cmp.Or(a.Detected.Compare(b.Detected), cmp.Compare(a.ID, b.ID))
	})
	claims := make([]budget.Claim, len(ordered))
	for n, i := range ordered {
		claims[n] = i.Claim()
	}
	return ordered, budget.Attribute(l, claims)
}

// Loud returns how loud the incident is now, which pages, messages and lists show: as its newest
// event says, or a person who said so after that. The rules take that up with the minute in which
// it was said, which comes later. Of one that is over it is Severity, the loudest that it ever was,
// which the API, the metrics and the reports tell.
func (i Incident) Loud() Severity {
	if !i.Open {
		return i.Severity
	}
	loud := cmp.Or(i.Last.Severity, i.Severity)
	if len(i.Acts) == 0 {
		return loud
	}
	newest := slices.MaxFunc(i.Acts, func(a, b Act) int { return a.At.Compare(b.At) })
	for _, a := range InForce(i.Acts, newest.At) {
		if a.Kind == Escalate && !a.At.Before(i.Last.Time()) {
			loud = a.Level
		}
	}
	return loud
}

// Cost returns the share of the whole budget that the incident's bad events took, as the budget was
// at its newest event.
func (i Incident) Cost() float64 {
	return Account{Bad: i.Bad(), Allowed: i.Last.Budget.Allowed}.Spent()
}

// CostText writes what [Incident.Cost] returns: "24.9 %", or "about 24.9 %" of a budget that was
// projected or estimated. What missing data cost is unknown.
func (i Incident) CostText() string {
	if i.Last.Burn == nil {
		return figures.Unknown
	}
	return i.Last.Budget.CostOf(i.Bad())
}

// Duration returns how long it burned: from the onset to the end of the last bad minute.
func (i Incident) Duration() time.Duration {
	if i.Ended.IsZero() {
		return i.Last.Time().Sub(i.Onset)
	}
	return i.Ended.Sub(i.Onset)
}

// PeakBurn returns the highest burn rate over the firing pair's short window, and false without
// traffic.
func (i Incident) PeakBurn(o slo.Objective) (float64, bool) {
	if i.Last.Burn == nil {
		return 0, false
	}
	return budget.Burn(i.Last.Burn.Peak, o)
}

// Alerted returns when the incident was told: when it opened, or as much later as its samples came
// late.
func (i Incident) Alerted() time.Time {
	if len(i.Log) > 0 && i.Log[0].Decided.After(i.Detected) {
		return i.Log[0].Decided
	}
	return i.Detected
}

// TimeToDetect returns the time from the onset to the alert. TimeToResolve is from the onset to the
// end of the burn, which comes before the alert is resolved. Both are definitions that reports
// print along.
func (i Incident) TimeToDetect() time.Duration { return i.Alerted().Sub(i.Onset) }

// TimeToResolve returns the time from the onset to the end of the last bad minute; zero while it is
// open.
func (i Incident) TimeToResolve() time.Duration {
	if i.Open {
		return 0
	}
	return i.Duration()
}

// Remove closes everything that is open for an SLO that no longer exists, and returns the events.
func Remove(in Input, st State, at budget.Minute) []Event {
	return closeAll(in, st, at, SLORemoved)
}

// closeAll closes everything that is open, for a reason that says nothing of the budget.
func closeAll(in Input, st State, at budget.Minute, reason Reason) []Event {
	w := walk{Input: in, State: st.clone()}
	if w.Burn != nil {
		w.emitBurn(at, Resolved, reason)
	}
	if w.NoData != nil {
		w.emitNoData(at, Resolved, reason)
	}
	return w.events
}
