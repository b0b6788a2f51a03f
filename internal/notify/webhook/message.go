package webhook

import (
	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/notify"
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
	TypePagingDown   = "paging.down"  // another way takes no pages
	TypePagingUp     = "paging.up"    // it takes them again
	TypeDrill        = "drill"        // nothing is wrong; it shows that messages arrive
	TypeDrillOver    = "drill.over"   // a loud one was acknowledged, or nobody did
)

func messageOf(f notify.Facts, kind, id string) api.Message {
	window := api.WindowOf(f.Status).WithOutlook(f.Outlook, f.Event.Time())
	m := api.Message{
		Version: Version, ID: id, Type: kind, Timestamp: f.Event.Time().UTC(),
		Summary: f.Summary(), Severity: string(f.Severity()), Reason: string(f.Event.Reason),
		SLO: api.MessageSLO{
			Promise: api.PromiseOf(f.Event.SLO, f.Spec), Window: f.Spec.Window().String(),
			Labels: notify.Group(f.Event.SLO), OldName: f.Spec.Name,
		},
		Budget: api.MessageBudget{Budget: window.Budget, Level: float64(f.Event.Level) / 10000},
		Links:  map[string]string{}, Fallback: f.Instead,
	}
	if f.Incident.ID != "" {
		m.Incident = new(api.IncidentOf(f.Incident, f.Spec, f.Event.Time()))
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
