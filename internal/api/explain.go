package api

import (
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/slo"
)

// Explanation is what `slowburn explain` found out. Where the budget went comes from the daemon;
// the queries and what the alerts can catch come from the SLO file, and are absent without it.
type Explanation struct {
	Spend
	Queries []Query `json:"queries,omitempty"`
	Alerts  *Power  `json:"alerts"`
	Note    string  `json:"note,omitempty"` // why there are no queries and no alerts
}

// Query is PromQL by which a figure can be traced: evaluated at an instant, over a range that
// begins at from.
type Query struct {
	What string    `json:"what"` // "bad events", "all events", "share of bad events"
	Text string    `json:"text"`
	From time.Time `json:"from"`
	At   time.Time `json:"at"`
	Note string    `json:"note,omitempty"`
}

// Power is what the alerts of an SLO catch.
type Power struct {
	EventsPerMinute float64 `json:"eventsPerMinute"` // over the known minutes of the window
	Reaches         []Reach `json:"reaches"`         // pairs, and after those of a tier the tier as a whole
	FalsePages      int     `json:"falsePages"`      // in so many simulated days at half of the allowed error ratio
	FalseDays       int     `json:"falsePagesDays"`
}

// Reach is what a pair of windows or a whole tier catches; all but its name is null if it catches
// nothing.
type Reach struct {
	Severity  string   `json:"severity"`
	Pair      string   `json:"pair"` // 1h/5m; "any" for the tier
	Burn      *float64 `json:"burn,omitempty"`
	Outage    *float64 `json:"shortestOutageSeconds"` // the shortest total outage that fires
	Gone      *float64 `json:"budgetGone"`            // the share of the budget that is gone by then
	Reset     *float64 `json:"resetSeconds"`          // from its end until it resolves
	ResetLong *float64 `json:"resetAfterHourSeconds"` // the same after an hour's outage
	Ratio     *float64 `json:"smallestErrorRatio"`    // the smallest constant error ratio that ever fires

	// The same as Prometheus writes it, for one more release.
	OldOutage    *string `json:"shortestOutage"`
	OldReset     *string `json:"reset"`
	OldResetLong *string `json:"resetAfterHour"`
}

// PowerOf converts what alerts catch.
func PowerOf(p alerting.Power) Power {
	out := Power{EventsPerMinute: p.EventsPerMinute, FalsePages: p.FalsePages, FalseDays: alerting.FalseDays, Reaches: []Reach{}}
	for _, tier := range []struct {
		severity alerting.Severity
		whole    alerting.Reach
	}{{alerting.Page, p.Page}, {alerting.Ticket, p.Ticket}} {
		pairs := 0
		for _, r := range p.Pairs {
			if r.Severity == tier.severity {
				one := reachOf(r.Severity, slo.ShortDuration(r.Pair.Long)+"/"+slo.ShortDuration(r.Pair.Short), r.Reach)
				one.Burn = &r.Burn
				out.Reaches = append(out.Reaches, one)
				pairs++
			}
		}
		if pairs > 1 {
			out.Reaches = append(out.Reaches, reachOf(tier.severity, "any", tier.whole))
		}
	}
	return out
}

func reachOf(severity alerting.Severity, pair string, r alerting.Reach) Reach {
	fires := r.Outage > 0
	out := Reach{
		Severity: string(severity), Pair: pair, Gone: IfKnown(r.Gone, fires), Ratio: IfKnown(r.Ratio, r.Ratio > 0),
		Outage: seconds(r.Outage, fires), Reset: seconds(r.Reset, fires), ResetLong: seconds(r.ResetLong, fires),
	}
	out.OldOutage, out.OldReset, out.OldResetLong = inWords(out.Outage), inWords(out.Reset), inWords(out.ResetLong)
	return out
}
