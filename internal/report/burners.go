package report

import (
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/postmortem"
	"github.com/slowburn-sre/slowburn/slo"
)

// Burner says where the budget went that one SLO burned in the period. Attributed + Unattributed =
// Bad, always.
type Burner struct {
	ID           slo.ID
	From         time.Time
	To           time.Time
	Bad          int64            // bad events in the period, in thousandths
	Budget       alerting.Account // of the whole window, at the end of the period
	Attributed   int64            // of the bad events, in incidents
	Unattributed int64            // the rest: errors that no alert spoke of
	Incidents    int
	Query        string // PromQL of the share of bad events over the period, evaluated at To
}

// compareShares compares a/b with c/d exactly, for numbers that are not negative. A share of
// nothing is larger than any other, or zero if nothing was taken from it.
func compareShares(a, b, c, d int64) int {
	if a == 0 || c == 0 {
		return min(1, int(min(a, 1)-min(c, 1)))
	}
	return budget.CompareProducts(a, d, c, b)
}

// Incident is one incident of the period. It is open if it was at the end of the period.
type Incident struct {
	alerting.Incident
	Spec     *slo.Spec
	InPeriod int64              // bad events in this period that are counted to no other incident, in thousandths
	Verdict  postmortem.Verdict // its bad events are all of the incident, as the ledger knows them now
	Review   string             // "", "draft", "in review", "closed"
	Class    string             // of outage, as its postmortem has it
	Blank    bool               // the postmortem is a draft that nobody has written in
	Taken    string             // who acknowledged it first, "" if nobody did
	// Contributor is the label value that most of its bad events were in, "" if none stood out.
	Contributor string
	Account     alerting.Account // of its SLO's first window, at the end of the period
}

// Missing reports whether a postmortem is required and none was begun.
func (i Incident) Missing() bool { return i.Verdict.Required && i.Review == "" }

// Unwritten reports whether a postmortem is required and nobody has begun it, or written in the
// draft.
func (i Incident) Unwritten() bool { return i.Missing() || i.Verdict.Required && i.Blank }

// attribute adds the incidents of one budget that overlap the period, and where its burn went.
func (b *builder) attribute(s Subject) {
	sum := s.Ledger.Sum(b.from, b.to)
	burner := Burner{ID: s.ID, From: b.From, To: b.To, Bad: sum.Bad, Query: query(s, b.From, b.To)}
	burner.Budget = alerting.AccountOf(budget.StatusAt(s.Ledger, s.Spec.Objective, s.Spec.Window(), b.to))
	burner.Budget.Estimated = burner.Budget.Estimated || sum.Estimated > 0
	incidents, attribution := alerting.Attribution(s.Ledger, s.Incidents)
	shares, rest := attribution.In(b.from, b.to)
	burner.Unattributed = rest
	for n, i := range incidents {
		if !overlaps(i, b.From, b.To) {
			if i.Detected.Before(b.From) {
				b.earlier = append(b.earlier, Incident{Incident: i, Spec: s.Spec})
			}
			continue
		}
		if i.Rule == alerting.RuleNoData { // a notice of the data, no incident of the users
			continue
		}
		if i.Last.Burn != nil {
			burner.Incidents++
		}
		burner.Attributed += shares[n]
		one := b.incident(s, i, shares[n])
		one.Account = burner.Budget
		b.Incidents = append(b.Incidents, one)
	}
	if sum.Bad > 0 {
		b.Burners = append(b.Burners, burner)
	}
}

func (b *builder) incident(s Subject, i alerting.Incident, inPeriod int64) Incident {
	for _, a := range b.acts[i.ID] {
		i = i.Take(a)
	}
	out := Incident{
		Incident: i, Spec: s.Spec, InPeriod: inPeriod, Taken: b.acked[i.ID].By, Contributor: b.in.Contributors[i.ID],
		Verdict: postmortem.Judge(i, s.Spec.Objective, s.Ledger, b.in.Policy.PostmortemAt),
	}
	out.Open = i.Resolved.IsZero() || i.Resolved.After(b.To)
	for _, r := range b.in.Reviews {
		if r.Incident == i.ID {
			out.Review, out.Class, out.Blank = string(r.Status), r.Class, r.Blank
		}
	}
	return out
}

// overlaps reports whether any of the incident, up to its newest event, lies in [from, to).
func overlaps(i alerting.Incident, from, to time.Time) bool {
	return i.Onset.Before(to) && (i.Resolved.IsZero() || i.Last.Time().After(from))
}
