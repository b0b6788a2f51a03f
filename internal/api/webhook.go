package api

import "time"

// Message is what a webhook is told of one event, complete in itself.
type Message struct {
	Version   string    `json:"version"`   // slowburn/v1; only a change that could break a receiver changes it, new fields do not
	ID        string    `json:"id"`        // unique for ever, the same in every attempt
	Type      string    `json:"type"`      // incident.opened, …
	Timestamp time.Time `json:"timestamp"` // when it happened
	Summary   string    `json:"summary"`   // one sentence for people
	Severity  string    `json:"severity"`  // page, ticket or notice: how loud it is now, the loudest it ever was once it is over
	Reason    string    `json:"reason"`

	SLO            MessageSLO        `json:"slo"`
	Incident       *Incident         `json:"incident,omitempty"` // after the event; absent from a notice outside of one
	Budget         MessageBudget     `json:"budget"`             // of the first window
	AcknowledgedBy string            `json:"acknowledgedBy,omitempty"`
	Links          map[string]string `json:"links,omitempty"`    // runbook, dashboard, incident, slo, query
	Fallback       string            `json:"fallback,omitempty"` // the receiver in whose place this was sent
}

// MessageSLO is the promise that a message is about.
type MessageSLO struct {
	Promise
	Window  string            `json:"window"`
	Labels  map[string]string `json:"labels,omitempty"` // of a budget per label value
	OldName string            `json:"name"`             // the same as slo, for one more release
}

// MessageBudget is the budget that a message is about.
type MessageBudget struct {
	Budget
	Level float64 `json:"level,omitempty"` // the share of the budget that is gone, which the message is about
}
