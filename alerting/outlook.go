package alerting

import (
	"slices"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
)

// Outlook forecasts a budget from how it stands, knowing which burns were told of: from the one
// that goes on, or from how the budget burns besides, over the windows of its pages or some like
// them.
func Outlook(in Input, now budget.Status, told ...budget.Burnt) budget.Outlook {
	lookbacks := []time.Duration{5 * time.Minute, time.Hour, 6 * time.Hour}
	if len(in.Spec.Alerts.Page) > 0 {
		lookbacks = nil
	}
	for _, p := range in.Spec.Alerts.Page {
		lookbacks = append(lookbacks, p.Short, p.Long)
	}
	slices.Sort(lookbacks)
	return budget.Forecast(in.Ledger, in.Spec.Objective, now, told, slices.Compact(lookbacks)...)
}

// Burnt returns the burns that a state remembers, oldest first.
func (s State) Burnt() []budget.Burnt {
	var all []budget.Burnt
	for _, b := range s.Burns {
		if over := (budget.Burnt{From: b.From, To: b.To, Over: true}); over.To > 0 {
			if b.Of != nil {
				over.To = b.Of.Burning.Last + 1
			}
			all = append(all, over)
		}
	}
	if s.Burn != nil {
		all = append(all, budget.Burnt{From: s.Burn.Burning.Onset, To: s.Burn.Burning.Last + 1})
	}
	return all
}

// Burnt returns the burn that an incident is about; none if it is about something else.
func (i Incident) Burnt() []budget.Burnt {
	if i.Last.Burn == nil {
		return nil
	}
	return []budget.Burnt{{From: i.Last.Burn.Onset, To: i.Last.Burn.Last + 1, Over: !i.Open}}
}
