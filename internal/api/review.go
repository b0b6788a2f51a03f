package api

import (
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/postmortem"
)

// Postmortem is the review of an incident: the file as people have it, or a draft of this moment.
type Postmortem struct {
	Incident string `json:"incident"`
	Status   string `json:"status,omitempty"` // of the file: draft, in review, closed; "" if there is none
	File     string `json:"file,omitempty"`
	Markdown string `json:"markdown"`
}

// Review is a postmortem that is kept as a file, with what it promises.
type Review struct {
	Incident string       `json:"incident"`
	SLO      string       `json:"slo"`
	Service  string       `json:"service"`
	Owner    string       `json:"owner"`
	Status   string       `json:"status"`   // draft, in review, closed
	Class    string       `json:"class"`    // of outage; "" if nobody said
	Required bool         `json:"required"` // by the error-budget policy, when it was drafted
	Resolved *time.Time   `json:"resolved"` // the incident's end
	File     string       `json:"file"`
	Overdue  int          `json:"overdue"` // action items past their day
	Actions  []ActionItem `json:"actions"` // in the order of the file
}

// ActionItem is something that a postmortem promises.
type ActionItem struct {
	What     string `json:"what"`
	Kind     string `json:"kind"`     // prevent, mitigate, detect, process
	Priority string `json:"priority"` // P0, P1, P2
	Owner    string `json:"owner"`
	Due      string `json:"due"` // a day, "" without one
	Link     string `json:"link"`
	Done     bool   `json:"done"`
	Overdue  bool   `json:"overdue"`
	Incident string `json:"incident,omitempty"` // whose postmortem it is; in reports
}

// ReviewOf converts a postmortem as it stands at a time.
func ReviewOf(r postmortem.Review, now time.Time) Review {
	out := Review{
		Incident: r.Incident, SLO: string(r.SLO), Service: r.Service, Owner: r.Owner, Status: string(r.Status), Class: r.Class,
		Required: r.Required, Resolved: TimeOrNull(r.Resolved), File: r.File, Actions: []ActionItem{},
	}
	for _, a := range r.Actions {
		item := actionItem(a, now)
		if item.Overdue {
			out.Overdue++
		}
		out.Actions = append(out.Actions, item)
	}
	return out
}

func actionItem(a postmortem.Action, now time.Time) ActionItem {
	item := ActionItem{What: a.What, Kind: a.Kind, Priority: a.Priority, Owner: a.Owner, Link: WebAddress(a.Link), Done: a.Done, Overdue: a.Overdue(now)}
	if !a.Due.IsZero() {
		item.Due = a.Due.Format(time.DateOnly)
	}
	return item
}

// Act is what somebody does, as the API takes and shows it: alerting.Act.
type Act = alerting.Act
