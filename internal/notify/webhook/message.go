package webhook

import (
	"strconv"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/notify"
	"github.com/slowburn-sre/slowburn/slo"
)

// Version is the version of the form of a message. A change that could break a receiver changes it;
// new fields do not.
const Version = "slowburn/v1"

// The types of message.
const (
	TypeOpened       = "incident.opened"
	TypeEscalated    = "incident.escalated" // a ticket became a page
	TypeUpdated      = "incident.updated"   // still open; newer figures
	TypeAcknowledged = "incident.acknowledged"
	TypeResolved     = "incident.resolved"
	TypeSpent        = "budget.spent" // a share of the budget is gone
)

// Message is one event, complete in itself. Counts are events, shares are between 0 and 1 (of an
// overspent budget beyond), times are RFC 3339 in UTC; what is not known is absent.
type Message struct {
	Version   string    `json:"version"`
	ID        string    `json:"id"` // unique for ever, the same in every attempt
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"` // when it happened
	Summary   string    `json:"summary"`   // one sentence for people
	Severity  string    `json:"severity"`  // page, ticket or notice
	Reason    string    `json:"reason"`

	SLO            SLO               `json:"slo"`
	Incident       *Incident         `json:"incident,omitempty"` // absent from a notice outside of one
	Budget         Budget            `json:"budget"`
	AcknowledgedBy string            `json:"acknowledgedBy,omitempty"`
	Links          map[string]string `json:"links,omitempty"`    // runbook, dashboard, incident, slo, query
	Fallback       string            `json:"fallback,omitempty"` // the leg in whose place this was sent
}

// SLO is the promise.
type SLO struct {
	ID          string            `json:"id"`
	Service     string            `json:"service"`
	Name        string            `json:"name"`
	Description string            `json:"description,omitempty"`
	Owner       string            `json:"owner,omitempty"`
	Tier        string            `json:"tier,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"` // of a budget per label value
	Objective   float64           `json:"objective"`        // percent
	Window      string            `json:"window"`
}

// Incident is the incident after the event.
type Incident struct {
	ID        string     `json:"id"` // stable; the same in every leg
	Rule      string     `json:"rule"`
	Open      bool       `json:"open"`
	Onset     time.Time  `json:"onset"`    // the first bad minute
	Detected  time.Time  `json:"detected"` // when it opened
	Escalated *time.Time `json:"escalated,omitempty"`
	Ended     *time.Time `json:"ended,omitempty"` // the end of the last bad minute
	Resolved  *time.Time `json:"resolved,omitempty"`
	Bad       *float64   `json:"bad,omitempty"`   // events since the onset
	Total     *float64   `json:"total,omitempty"` //
	Cost      *float64   `json:"cost,omitempty"`  // share of the whole budget
	Burn      *Burn      `json:"burn,omitempty"`
}

// Burn is the pair of windows that fired.
type Burn struct {
	Long      string   `json:"long"`      // the length of the long window: "1h"
	Short     string   `json:"short"`     //
	Threshold float64  `json:"threshold"` // burn rate above which it fires
	LongRate  *float64 `json:"longRate"`  // burn rate over it, null without traffic
	ShortRate *float64 `json:"shortRate"` //
}

// Budget is the error budget of the first window.
type Budget struct {
	Allowed   float64    `json:"allowed"` // events that may go bad
	Bad       float64    `json:"bad"`
	Total     float64    `json:"total"`
	Spent     float64    `json:"spent"`
	Remaining float64    `json:"remaining"` // negative when overspent
	Level     float64    `json:"level,omitempty"`
	Exhausts  *time.Time `json:"exhaustsAt,omitempty"`
}

func messageOf(f notify.Facts, kind, id string) Message {
	objective, _ := strconv.ParseFloat(f.Spec.Objective.Percent(), 64)
	m := Message{
		Version: Version, ID: id, Type: kind, Timestamp: f.Event.Time().UTC(),
		Summary: f.Summary(), Severity: string(f.Severity()), Reason: string(f.Event.Reason),
		SLO: SLO{
			ID: string(f.Event.SLO), Service: f.Spec.Service, Name: f.Spec.Name, Description: f.Spec.Description,
			Owner: f.Spec.Owner, Tier: f.Spec.Tier, Labels: notify.Group(f.Event.SLO),
			Objective: objective, Window: f.Spec.Window().String(),
		},
		Budget: budgetOf(f), Links: map[string]string{}, Fallback: f.Instead,
	}
	if f.Incident.ID != "" {
		m.Incident = incidentOf(f)
	}
	for _, l := range f.Links() {
		m.Links[linkNames[l.Text]] = l.URL
	}
	return m
}

var linkNames = map[string]string{"Runbook": "runbook", "Dashboard": "dashboard", "Incident": "incident", "SLO": "slo", "Query": "query"}

// typeOf names the events that follow on the first.
var typeOf = map[alerting.Kind]string{
	alerting.Escalated: TypeEscalated, alerting.Updated: TypeUpdated, alerting.Resolved: TypeResolved,
}

func budgetOf(f notify.Facts) Budget {
	b := Budget{
		Allowed: events(f.Status.Allowed), Bad: events(f.Status.Sum.Bad), Total: events(f.Status.Sum.Total),
		Spent: f.Status.Spent, Remaining: f.Status.Remaining(), Level: float64(f.Event.Level) / 10000,
	}
	if o := f.Outlook; o.Known && !o.Lasts && !o.Gone {
		b.Exhausts = known(f.Event.Time().Add(o.In))
	}
	return b
}

func incidentOf(f notify.Facts) *Incident {
	i := f.Incident
	out := &Incident{
		ID: i.ID, Rule: string(i.Rule), Open: i.Open, Onset: i.Onset.UTC(), Detected: i.Detected.UTC(),
		Escalated: known(i.Escalated), Ended: known(i.Ended), Resolved: known(i.Resolved),
	}
	if b := i.Last.Burn; b != nil {
		bad, total, cost := events(b.Bad), events(b.Total), i.Cost()
		out.Bad, out.Total, out.Cost = &bad, &total, &cost
	}
	if p := i.Last.Pair; p != nil {
		out.Burn = &Burn{
			Long: slo.ShortDuration(p.Long), Short: slo.ShortDuration(p.Short), Threshold: p.Burn(f.Spec.Window().Length()),
			LongRate: rate(i.Last.Long, f), ShortRate: rate(i.Last.Short, f),
		}
	}
	return out
}

// known is nil for a time that is not.
func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func rate(s *budget.Sum, f notify.Facts) *float64 {
	if s == nil {
		return nil
	}
	r, ok := budget.Burn(*s, f.Spec.Objective)
	if !ok {
		return nil
	}
	return &r
}

func events(thousandths int64) float64 { return float64(thousandths) / budget.Unit }
