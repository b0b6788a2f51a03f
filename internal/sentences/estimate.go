package sentences

import (
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/figures"
)

// Left says how much of its error budget a budget has left: "24.9 % of the budget left".
func Left(s budget.Status) string { return s.LeftText() + " of the budget left" }

// Known says how much of its window is known: "99.8 % of the window is known".
func Known(s budget.Status) string { return s.KnownText() + " of the window is known" }

// LeftOut says which minutes of a window a correction leaves out, who says so and why: "12 minutes
// of maintenance are left out (ana: new disks)".
func LeftOut(o budget.LeftOut) Text {
	return say(figures.Plural(o.Minutes(), "minute"), " of "+o.Correction.Kind.Text()+" are left out (", foreign(o.Correction.Author), ": ", foreign(o.Correction.Reason), ")")
}

// Estimated says which part of what is known of a window is an estimate, and what that means; "" if
// none is.
func Estimated(share float64) string {
	const least = 0.001
	if share <= 0 {
		return ""
	}
	return figures.Known(max(share, least)) + " of the known minutes are estimates: Prometheus has extrapolated their counts, which misses events where series begin or end."
}

// OnTrend stands beside a forecast of when something is full.
const OnTrend = "if it goes on like this"

// NoSignals says why nothing is known of a service's golden signals.
const NoSignals = "the service's file says nothing about its signals"

// NoQueries says of a journey why it has none.
const NoQueries = "A journey asks no queries of its own; its steps do."

// FalsePages says how often alerts would page for nothing, in so many simulated days.
func FalsePages(pages, days int) string {
	return figures.Plural(pages, "false page") + " in " + figures.Count(days) + " simulated days of failures that have nothing to do with each other, at half of the allowed error ratio."
}

// Extrapolates says why a query that Prometheus answers tells a little else than the ledger.
const Extrapolates = "Prometheus extrapolates to the ends of a range and slowburn counts every sample, so they may differ a little."
