package alerting

import (
	"slices"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
)

// Outlook forecasts a budget at a time: from the burn since the onset of what is open, zero if
// nothing is, and from the windows of its pages, or some like them, which tell whether that is still
// the present burn.
func Outlook(in Input, onset, at budget.Minute) budget.Outlook {
	lookbacks := []time.Duration{5 * time.Minute, time.Hour, 6 * time.Hour}
	if len(in.Spec.Alerts.Page) > 0 {
		lookbacks = nil
	}
	for _, p := range in.Spec.Alerts.Page {
		lookbacks = append(lookbacks, p.Short, p.Long)
	}
	slices.Sort(lookbacks)
	return budget.Forecast(in.Ledger, in.Spec.Objective, in.Spec.Window(), at, onset, slices.Compact(lookbacks)...)
}

// Onset returns when that which burns began, zero if nothing is open.
func (s State) Onset() budget.Minute {
	if s.Burn == nil {
		return 0
	}
	return s.Burn.Burning.Onset
}

// BurnsSince returns when the burn began that an incident is about; zero if it is over, or about
// something else.
func (i Incident) BurnsSince() budget.Minute {
	if !i.Open || i.Last.Burn == nil {
		return 0
	}
	return i.Last.Burn.Onset
}
