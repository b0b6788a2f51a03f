package alerting

import (
	"github.com/slowburn-sre/slowburn/budget"
)

// An outage in front of a service looks, from within, like nobody coming: no event is bad, because
// there is none. So traffic that falls to nothing, at an hour at which there always was some, is
// told once. It is a notice and never a page: a holiday, or a service that was switched off, looks
// the same.

const (
	week = budget.Minute(7 * 24 * 60)
	// usualWeeks are compared with: so many before, of which so many must be known.
	usualWeeks, knownWeeks = 4, 3
	// surelyEvents is how many events must have been usual in as long as there were none: by chance
	// twenty fail to come once in half a billion times.
	surelyEvents = 20
	// hushFor is for how long a service is not told of again, however often its traffic stops.
	hushFor = budget.Minute(24 * 60)
	// lulls is how far back a service is looked at for pauses that are its own.
	lulls = budget.Minute(3 * 60)
)

// stepTraffic tells once when the traffic has fallen to nothing.
func (w *walk) stepTraffic(m budget.Minute, slot budget.Slot) {
	if slot.Total > 0 {
		w.Silent = 0
		return
	}
	if w.Silent == 0 {
		w.Silent = m
	}
	limit := budget.Minutes(w.Spec.Alerts.Traffic)
	if limit == 0 || m+1-w.Silent < limit || w.Hushed > 0 && (w.Hushed >= w.Silent || m-w.Hushed < hushFor) {
		return
	}
	if now := w.Ledger.Sum(m+1-limit, m+1); now.Total > 0 || now.Known < int(limit) {
		return
	}
	usual, ok := w.usual(m+1-limit, m+1)
	if !ok || w.pauses(limit) {
		return
	}
	w.Hushed = m
	e := w.event(m, &Open{Incident: w.incidentID(RuleTraffic, m), Rule: RuleTraffic, Severity: Notice}, Noticed, TrafficGone)
	e.Since, e.Usual = w.Silent, &usual
	w.events = append(w.events, e)
}

// usual returns the least that the same hours of the weeks before have seen, and whether some
// events were sure to come in [from, to) by that. Whole hours are compared, since of so long ago no
// minutes are kept.
func (in Input) usual(from, to budget.Minute) (least budget.Sum, sure bool) {
	first, last := from.Hour()*60, ((to-1).Hour()+1)*60
	known := 0
	for n := budget.Minute(1); n <= usualWeeks; n++ {
		s := in.Ledger.Sum(budget.Minute(first)-n*week, budget.Minute(last)-n*week)
		if int64(s.Seen())*10 < (last-first)*9 {
			continue
		}
		if known++; known == 1 || s.Total < least.Total {
			least = s
		}
	}
	expected := budget.Scale(least.Total, int64(to-from), last-first)
	return least, known >= knownWeeks && expected >= surelyEvents*budget.Unit
}

// pauses reports whether the service had a pause half as long between events shortly before, as one
// has that works in batches.
func (w *walk) pauses(limit budget.Minute) (found bool) {
	busy, run := false, budget.Minute(0)
	w.Ledger.Each(w.Silent-lulls, w.Silent, func(_ budget.Minute, s budget.Slot) bool {
		switch {
		case s.Total > 0:
			found = found || busy && 2*run >= limit
			busy, run = true, 0
		default:
			run++
		}
		return !found
	})
	return found
}
