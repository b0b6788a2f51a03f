package alerting

import (
	"slices"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
)

// Outlook forecasts a budget from the windows of its pages, shortest first: an outage that has
// begun, or ended, a few minutes ago is the present burn, not the average of six hours.
func Outlook(in Input, at budget.Minute) budget.Outlook {
	lookbacks := []time.Duration{6 * time.Hour}
	if len(in.Spec.Alerts.Page) > 0 {
		lookbacks = nil
	}
	for _, p := range in.Spec.Alerts.Page {
		lookbacks = append(lookbacks, p.Short, p.Long)
	}
	slices.Sort(lookbacks)
	return budget.Forecast(in.Ledger, in.Spec.Objective, in.Spec.Window(), at, lookbacks...)
}
