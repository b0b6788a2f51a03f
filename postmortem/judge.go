package postmortem

import (
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/slo"
)

// DefaultLimit is the share of a four-week budget, in basis points, above which an incident needs a
// postmortem. Source: The Site Reliability Workbook, appendix B, example error budget policy.
const DefaultLimit = 2000

// fourWeeks is the window of the policy. It is the same for every SLO, so that incidents compare.
var fourWeeks = slo.Window{Rolling: 28 * slo.Day}

// Reason names why a postmortem is required or not.
type Reason string

// The reasons.
const (
	OverLimit   Reason = "over_limit"   // the incident took more than the limit
	CrossedLate Reason = "crossed_late" // it did so only when late data were counted, after it was resolved
	UnderLimit  Reason = "under_limit"  // it took at most the limit
	NoBurn      Reason = "no_burn"      // it burned no budget, as missing data do not
	NoTraffic   Reason = "no_traffic"   // no four-week budget is known to measure it by
)

// Text returns the reason as a sentence part.
func (r Reason) Text() string {
	switch r {
	case OverLimit:
		return "one incident took more than the policy's share of a four-week budget"
	case CrossedLate:
		return "data that came in after it was resolved put it above the policy's share of a four-week budget"
	case UnderLimit:
		return "it took no more than the policy's share of a four-week budget"
	case NoBurn:
		return "it burned no budget"
	case NoTraffic:
		return "there is no four-week budget to measure it by"
	}
	return string(r)
}

// Verdict is the policy's answer about one incident, with the figures it rests on.
type Verdict struct {
	Required bool
	Reason   Reason
	Bad      int64            // bad events of the incident, in thousandths
	Budget   alerting.Account // of four weeks
	Limit    int64            // in basis points
	// Scaled is true when the ledger is younger than four weeks and what they allow was scaled up
	// from what it has seen.
	Scaled bool
}

// Required applies the policy: whether an incident with so many bad events took more than the
// limit, in basis points, of what four weeks allow (both in thousandths of events). It is strict
// and exact.
func Required(bad, fourWeekAllowed, limit int64) (bool, Reason) {
	switch {
	case bad <= 0:
		return false, NoBurn
	case fourWeekAllowed <= 0:
		return false, NoTraffic
	case budget.CompareProducts(bad, 10000, fourWeekAllowed, limit) > 0:
		return true, OverLimit
	}
	return false, UnderLimit
}

// Judge applies the policy to an incident by what the ledger knows now. It may be asked again after
// the incident was resolved: minutes that were filled in later count, and can put it above the
// limit ([CrossedLate]). A limit of zero is [DefaultLimit]. Once required stays required;
// remembering that is the caller's.
func Judge(i alerting.Incident, o slo.Objective, l *budget.Ledger, limit int64) Verdict {
	if limit == 0 {
		limit = DefaultLimit
	}
	v := Verdict{Limit: limit, Reason: NoBurn}
	if i.Last.Burn == nil {
		return v
	}
	v.Bad = i.Claim().Spent(l)
	four := fourWeeksBefore(l, o, end(i))
	v.Budget = alerting.AccountOf(four)
	v.Scaled = budget.MinuteOf(four.From) < l.Begin()
	v.Required, v.Reason = Required(v.Bad, v.Budget.Allowed, limit)
	if told, _ := Required(i.Told(), v.Budget.Allowed, limit); v.Required && !i.Open && !told {
		v.Reason = CrossedLate
	}
	return v
}

// end returns one past the minute of the newest event.
func end(i alerting.Incident) budget.Minute { return i.Last.At + 1 }

// CostText writes which share of a four-week budget the incident took.
func (v Verdict) CostText() string { return v.Budget.CostOf(v.Bad) }

// fourWeeksBefore returns the budget of the four weeks before at.
//
// It is that of the whole hour before at: minutes are thinned out after some days, and the verdict
// must not change then. On the first day of a ledger, when an hour is much of what there is, it is
// that of the minute: those minutes are kept (see budget.Ledger.Thin).
func fourWeeksBefore(l *budget.Ledger, o slo.Objective, at budget.Minute) budget.Status {
	if hour := floor(at, 60); hour >= l.Begin()+budget.Minutes(slo.Day) {
		at = hour
	}
	return budget.StatusAt(l, o, fourWeeks, at)
}

// NextReview returns the day until which a draft should be reviewed: five working days after the
// incident ended, counted in the zone. Saturdays and Sundays do not count; holidays are not known
// here.
func NextReview(ended time.Time, zone *time.Location) time.Time {
	t := ended.In(zone)
	for n := 0; n < 5; {
		t = t.AddDate(0, 0, 1)
		if d := t.Weekday(); d != time.Saturday && d != time.Sunday {
			n++
		}
	}
	return t
}
