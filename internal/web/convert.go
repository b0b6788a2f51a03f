package web

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/postmortem"
	"github.com/slowburn-sre/slowburn/slo"
)

// This file turns what slowburn knows into the types of the API.

func toSLO(b engine.Budget) SLO {
	percent, _ := strconv.ParseFloat(b.Spec.Objective.Percent(), 64)
	out := SLO{
		ID: string(b.ID), Service: b.ID.Service(), Name: b.ID.Name(), Group: b.ID.Group(),
		Owner: b.Spec.Owner, Description: b.Spec.Description, Objective: percent,
		Burn: []Burn{}, Alerts: toAlerts(b), Open: []string{},
		Data: Data{State: b.Data, AsOf: b.AsOf.UTC(), Since: sinceOf(b), History: b.Filling, Problems: b.Problems},
	}
	out.Journey = toJourney(b)
	for _, id := range b.Upstream {
		out.DependsOn = append(out.DependsOn, string(id))
	}
	for n, st := range b.Windows {
		if n == 0 {
			out.WindowBudget = toWindow(st)
			out.Budget.Outlook, out.Budget.ExhaustsAt = outlookOf(b)
			continue
		}
		out.Windows = append(out.Windows, toWindow(st))
	}
	for _, w := range b.Burns {
		out.Burn = append(out.Burn, Burn{Window: slo.ShortDuration(w.Window), Rate: known(w.Rate, w.Known)})
	}
	for _, i := range b.Open {
		out.Open = append(out.Open, i.ID)
	}
	return out
}

// sinceOf is where the ledger begins, nil while it is empty.
func sinceOf(b engine.Budget) *time.Time {
	if b.Since.Unix() <= 0 {
		return nil
	}
	return timeOrNull(b.Since)
}

func toWindow(st budget.Status) WindowBudget {
	w := WindowBudget{Window: st.Window.String(), SLI: percentOf(st.Sum), Budget: Budget{Coverage: st.Coverage}}
	if st.Sum.Seen() > 0 {
		allowed, bad, total := events(st.Allowed), events(st.Sum.Bad), events(st.Sum.Total)
		w.Budget.Allowed, w.Budget.Bad, w.Budget.Total = &allowed, &bad, &total
	}
	if st.Sum.Total > 0 {
		left := st.Remaining()
		w.Budget.Spent, w.Budget.Remaining = &st.Spent, &left
	}
	if st.Gross != nil {
		w.Budget.Gross = &Gross{Allowed: events(st.Gross.Allowed), Bad: events(st.Gross.Sum.Bad), Total: events(st.Gross.Sum.Total)}
		if st.Gross.Sum.Total > 0 {
			w.Budget.Gross.Spent = &st.Gross.Spent
		}
	}
	for _, o := range st.LeftOut {
		w.Budget.Corrections = append(w.Budget.Corrections, toCorrection(o, st.At))
	}
	return w
}

func toCorrection(o budget.LeftOut, at time.Time) Correction {
	c := o.Correction
	out := Correction{
		Name: c.Name, Kind: string(c.Kind), Author: c.Author, Reason: c.Reason, Until: c.End().UTC(),
		Minutes: o.Minutes(), Bad: events(o.Sum.Bad), Total: events(o.Sum.Total), Capped: o.Capped, Coarse: o.Coarse, Text: o.Text(),
	}
	if until, running := c.Runs(at); running {
		out.Running, out.Until = true, until.UTC()
	}
	return out
}

// outlookOf is the forecast as a word and, if there is one, a time.
func outlookOf(b engine.Budget) (string, *time.Time) {
	switch o := b.Outlook; {
	case o.Gone:
		return "spent", nil
	case o.Lasts:
		return "lasts", nil
	case !o.Known:
		return "unknown", nil
	default:
		at := b.AsOf.Add(o.In).UTC()
		return "exhausts", &at
	}
}

func toAlerts(b engine.Budget) []Alert {
	all := []Alert{}
	for _, st := range b.Standings {
		a := Alert{Severity: string(st.Severity), Rule: pairName(st.Pair), State: stateOf(st), Threshold: &st.Threshold, Reason: st.HeldBack}
		a.LongBurn, a.ShortBurn = burnOf(st.Long, b.Spec.Objective), burnOf(st.Short, b.Spec.Objective)
		if i, ok := openBurn(b); ok && a.State == alertFiring {
			a.Since = &i.Detected
		}
		all = append(all, a)
	}
	if b.Spec.Alerts.NoData > 0 {
		a := Alert{Severity: string(alerting.Ticket), Rule: string(alerting.RuleNoData), State: alertOK}
		if n := slices.IndexFunc(b.Open, func(i alerting.Incident) bool { return i.Rule == alerting.RuleNoData }); n >= 0 {
			a.State, a.Since = alertFiring, &b.Open[n].Detected
		}
		all = append(all, a)
	}
	return all
}

// The states of an alert in the API.
const (
	alertFiring   = "firing"
	alertHeldBack = "held_back"
	alertOK       = "ok"
	alertUnknown  = "unknown"
)

func stateOf(st alerting.Standing) string {
	switch {
	case st.Over && st.HeldBack != "":
		return alertHeldBack
	case st.Over:
		return alertFiring
	case st.Long.Total == 0:
		return alertUnknown
	}
	return alertOK
}

// openBurn is the open burn incident of a budget; there is at most one.
func openBurn(b engine.Budget) (alerting.Incident, bool) {
	for _, i := range b.Open {
		if i.Rule == alerting.RulePage || i.Rule == alerting.RuleTicket {
			return i, true
		}
	}
	return alerting.Incident{}, false
}

func pairName(p slo.Pair) string { return slo.ShortDuration(p.Long) + "/" + slo.ShortDuration(p.Short) }

// toIncident needs the SLO for the peak's burn rate; it may be nil.
func toIncident(i alerting.Incident, spec *slo.Spec, now time.Time) Incident {
	out := Incident{
		ID: i.ID, SLO: string(i.SLO), Service: i.SLO.Service(), Rule: string(i.Rule), Severity: string(i.Severity), Open: i.Open,
		Onset: i.Onset.UTC(), Detected: i.Detected.UTC(), Escalated: timeOrNull(i.Escalated), Ended: timeOrNull(i.Ended), Resolved: timeOrNull(i.Resolved),
		Duration: slo.ShortDuration(i.Duration()), TimeToDetect: slo.ShortDuration(i.TimeToDetect()),
		Bad: events(i.Bad()), Cost: i.Cost(), Known: i.Last.Burn != nil, Title: i.Title(), MergedInto: i.MergedInto(),
	}
	if !i.Open {
		d := slo.ShortDuration(i.TimeToResolve())
		out.TimeToResolve = &d
	}
	if spec != nil {
		out.PeakBurn = known(i.PeakBurn(spec.Objective))
	}
	a, _ := i.Acknowledged()
	out.AcknowledgedBy, out.Group = a.By, i.Group
	if d, ok := i.TimeToAcknowledge(); ok {
		out.TimeToAcknowledge = durationOf(d)
	}
	if d, ok := i.TimeToMitigate(); ok {
		out.TimeToMitigate = durationOf(d)
	}
	if a, ok := i.Silenced(now); ok && i.Open {
		out.SilencedBy, out.SilencedUntil = a.By, timeOrNull(a.Until)
	}
	return out
}

func durationOf(d time.Duration) *string {
	s := slo.ShortDuration(d.Round(time.Second))
	return &s
}

func toDetail(i alerting.Incident, spec *slo.Spec, now time.Time) IncidentDetail {
	d := IncidentDetail{Incident: toIncident(i, spec, now), Timeline: []Happening{}}
	for _, e := range i.Log {
		d.Timeline = append(d.Timeline, Happening{
			At: e.Time().UTC(), Kind: string(e.Kind), Severity: string(e.Severity), Reason: string(e.Reason), Text: tellEvent(e, spec),
		})
	}
	for _, a := range i.Acts {
		d.Timeline = append(d.Timeline, Happening{At: a.At.UTC(), Kind: string(a.Kind), By: a.By, Key: a.Key, Text: a.By + " " + postmortem.Deed(a)})
	}
	slices.SortStableFunc(d.Timeline, func(a, b Happening) int { return a.At.Compare(b.At) })
	return d
}

// tellEvent tells an event in words; of an SLO that was removed only what happened is known.
func tellEvent(e alerting.Event, spec *slo.Spec) string {
	if spec == nil && e.Rule != alerting.RuleDeclared {
		return string(e.Kind) + ": " + string(e.Reason)
	}
	return postmortem.Sentence(e, spec)
}

// toHistory joins the steps of a ledger with what was left of the budget at their ends.
func toHistory(b engine.Budget, points []engine.Point, left []budget.Status, from, to time.Time, step time.Duration) History {
	at := map[int64]*float64{}
	for _, st := range left {
		if st.Sum.Total > 0 {
			r := st.Remaining()
			at[st.At.Unix()] = &r
		}
	}
	h := History{ID: string(b.ID), From: from.UTC(), To: to.UTC(), Step: slo.ShortDuration(step), Points: []HistoryPoint{}}
	for _, p := range points {
		point := HistoryPoint{At: p.At.UTC(), Known: p.Sum.Known, Unknown: p.Sum.Unknown, SLI: percentOf(p.Sum), Burn: burnOf(p.Sum, b.Spec.Objective)}
		if p.Sum.Seen() > 0 {
			bad, total := events(p.Sum.Bad), events(p.Sum.Total)
			point.Bad, point.Total, point.Remaining = &bad, &total, at[p.At.Add(step).Unix()]
		}
		if p.Sum.Excused > 0 {
			bad, total := events(p.Gross.Bad), events(p.Gross.Total)
			point.Excused, point.GrossBad, point.GrossTotal = p.Sum.Excused, &bad, &total
		}
		h.Points = append(h.Points, point)
	}
	return h
}

func toReport(r store.Report) Report {
	out := Report{Name: r.Name, Period: r.Period, From: r.From.UTC(), To: r.To.UTC(), At: r.At.UTC(), Markdown: r.Markdown}
	if json.Valid(r.Data) {
		out.Data = json.RawMessage(r.Data)
	}
	return out
}

func toTick(s engine.Summary) *Tick {
	if s.At.IsZero() {
		return nil
	}
	t := &Tick{
		At: s.At.UTC(), Through: s.Through.UTC(), Took: s.Took.Round(time.Millisecond).String(),
		Budgets: s.SLOs, Slots: s.Slots, Events: s.Events, Messages: s.Owed, Failures: append([]string{}, s.Failures...),
		Queries: s.Stats.Queries, Samples: s.Stats.Samples, Bytes: s.Stats.Bytes,
	}
	if s.StoreErr != nil {
		t.StoreError = s.StoreErr.Error()
	}
	return t
}

func toOutbox(d store.Depth, channels []store.Delivery) *Outbox {
	o := &Outbox{Entries: map[string]int{}, Oldest: timeOrNull(d.Oldest), Channels: []Channel{}}
	for state, n := range d.Count {
		o.Entries[string(state)] = n
	}
	for _, c := range channels {
		o.Channels = append(o.Channels, Channel{Leg: c.Leg, Channel: c.Channel, Pending: c.Pending, Retrying: c.Retrying, Dead: c.Dead, LastErr: c.LastErr})
	}
	slices.SortStableFunc(o.Channels, func(a, b Channel) int {
		return cmp.Or(cmp.Compare(a.Leg, b.Leg), cmp.Compare(a.Channel, b.Channel))
	})
	return o
}

// events is a count of thousandths as a number of events.
func events(thousandths int64) float64 { return float64(thousandths) / budget.Unit }

// percentOf is the percentage of good events, nil without traffic.
func percentOf(s budget.Sum) *float64 {
	if s.Total == 0 {
		return nil
	}
	p := 100 * float64(s.Total-s.Bad) / float64(s.Total)
	return &p
}

func burnOf(s budget.Sum, o slo.Objective) *float64 { return known(budget.Burn(s, o)) }

func known(v float64, ok bool) *float64 {
	if !ok {
		return nil
	}
	return &v
}

func timeOrNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
