package web

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/internal/incidents"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/slo"
)

// This file turns what slowburn knows into the types of the API.

func toSLO(b engine.Budget) api.SLO {
	out := api.SLO{
		Promise: api.PromiseOf(b.ID, b.Spec), State: string(gradeOf(&b).Grade),
		Burn: []api.Burn{}, Alerts: toAlerts(b), Open: []string{},
		Data: api.Data{State: b.Data, AsOf: b.AsOf.UTC(), Since: sinceOf(b), History: b.Filling, Problems: b.Problems},
	}
	out.Journey = toJourney(b)
	for _, id := range b.Upstream {
		out.DependsOn = append(out.DependsOn, string(id))
	}
	for n, st := range b.Windows {
		if n == 0 {
			out.WindowBudget = api.WindowOf(st).WithOutlook(b.Outlook, b.AsOf)
			continue
		}
		out.Windows = append(out.Windows, api.WindowOf(st))
	}
	for _, w := range b.Burns {
		out.Burn = append(out.Burn, api.Burn{Window: slo.ShortDuration(w.Window), Rate: api.IfKnown(w.Rate, w.Known)})
	}
	for _, i := range b.Open {
		out.Open = append(out.Open, i.ID)
	}
	return out
}

// sinceOf returns where the ledger begins, nil while it is empty.
func sinceOf(b engine.Budget) *time.Time {
	if b.Since.Unix() <= 0 {
		return nil
	}
	return api.TimeOrNull(b.Since)
}

func toAlerts(b engine.Budget) []api.Alert {
	all := []api.Alert{}
	since := func(rules ...alerting.Rule) *time.Time { // nil if no incident of these rules is open
		n := slices.IndexFunc(b.Open, func(i alerting.Incident) bool { return slices.Contains(rules, i.Rule) })
		if n < 0 {
			return nil
		}
		return &b.Open[n].Detected
	}
	for _, st := range b.Standings {
		a := api.Alert{Severity: string(st.Severity), Rule: pairName(st.Pair), State: stateOf(st), Threshold: &st.Threshold, Reason: st.HeldBack}
		a.LongBurn, a.ShortBurn = api.BurnRate(st.Long, b.Spec.Objective), api.BurnRate(st.Short, b.Spec.Objective)
		if a.State == api.AlertFiring {
			a.Since = since(alerting.RulePage, alerting.RuleTicket)
		}
		all = append(all, a)
	}
	if b.Spec.Alerts.NoData > 0 {
		a := api.Alert{Severity: string(alerting.Ticket), Rule: string(alerting.RuleNoData), State: api.AlertOK, Since: since(alerting.RuleNoData)}
		if a.Since != nil {
			a.State = api.AlertFiring
		}
		all = append(all, a)
	}
	return all
}

func stateOf(st alerting.Standing) string {
	switch {
	case st.Over && st.HeldBack != "":
		return api.AlertHeldBack
	case st.Over:
		return api.AlertFiring
	case st.Long.Total == 0:
		return api.AlertUnknown
	}
	return api.AlertOK
}

func pairName(p slo.Pair) string { return slo.ShortDuration(p.Long) + "/" + slo.ShortDuration(p.Short) }

// toHistory joins the steps of a ledger with what was left of the budget at their ends.
func toHistory(b engine.Budget, points []incidents.Point, left []budget.Status, from, to time.Time, step time.Duration) api.History {
	at := map[int64]*float64{}
	for _, st := range left {
		if st.Sum.Total > 0 {
			at[st.At.Unix()] = new(st.Remaining())
		}
	}
	h := api.History{ID: string(b.ID), From: from.UTC(), To: to.UTC(), Step: slo.ShortDuration(step), Points: []api.HistoryPoint{}}
	for _, p := range points {
		point := api.HistoryPoint{At: p.At.UTC(), Known: p.Sum.Known, Unknown: p.Sum.Unknown, SLI: api.Percent(p.Sum), Burn: api.BurnRate(p.Sum, b.Spec.Objective)}
		if p.Sum.Seen() > 0 {
			point.Bad, point.Total, point.Remaining = new(api.Events(p.Sum.Bad)), new(api.Events(p.Sum.Total)), at[p.At.Add(step).Unix()]
		}
		if p.Sum.Excused > 0 {
			point.Excused, point.GrossBad, point.GrossTotal = p.Sum.Excused, new(api.Events(p.Gross.Bad)), new(api.Events(p.Gross.Total))
		}
		h.Points = append(h.Points, point)
	}
	return h
}

func toReport(r store.Report) api.Report {
	out := api.Report{Name: r.Name, Period: r.Period, From: r.From.UTC(), To: r.To.UTC(), At: r.At.UTC(), Markdown: r.Markdown}
	if json.Valid(r.Data) {
		out.Data = json.RawMessage(r.Data)
	}
	return out
}

func toTick(s engine.Summary) *api.Tick {
	if s.At.IsZero() {
		return nil
	}
	t := &api.Tick{
		At: s.At.UTC(), Through: s.Through.UTC(), Took: s.Took.Seconds(), OldTook: s.Took.Round(time.Millisecond).String(),
		Budgets: s.SLOs, Slots: s.Slots, Events: s.Events, Messages: s.Owed, Failures: append([]string{}, s.Failures...),
		Queries: s.Stats.Queries, Samples: s.Stats.Samples, Bytes: s.Stats.Bytes,
	}
	if s.StoreErr != nil {
		t.StoreError = s.StoreErr.Error()
	}
	return t
}

func toOutbox(d store.Depth, channels []store.Delivery) *api.Outbox {
	o := &api.Outbox{Entries: map[string]int{}, Oldest: api.TimeOrNull(d.Oldest), Channels: []api.Channel{}}
	for state, n := range d.Count {
		o.Entries[string(state)] = n
	}
	for _, c := range channels {
		o.Channels = append(o.Channels, api.Channel{
			Receiver: c.Receiver, Channel: c.Channel, Pending: c.Pending, Retrying: c.Retrying, Dead: c.Dead, LastErr: c.LastErr, OldLeg: c.Receiver,
		})
	}
	slices.SortStableFunc(o.Channels, func(a, b api.Channel) int {
		return cmp.Or(cmp.Compare(a.Receiver, b.Receiver), cmp.Compare(a.Channel, b.Channel))
	})
	return o
}
