package api

import (
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/sentences"
)

// NewChange is what is posted to /api/v1/changes: by a person, or by a pipeline. Only service, by,
// and a title or a version are needed. A change that is posted twice with the same key, or without
// a key but with the same service, kind, version (or title) and start, is one change.
//
// An experiment is a change of the kind experiment with an end and a spend. It is recorded only if
// the policy lets it run; else the answer is 409 and says why.
type NewChange struct {
	Key     string     `json:"key,omitempty"`
	Service string     `json:"service"`        // or service/slo
	Kind    string     `json:"kind,omitempty"` // deploy (the default), config, data, flag, maintenance, rollback, experiment
	Title   string     `json:"title,omitempty"`
	Version string     `json:"version,omitempty"`
	Link    string     `json:"link,omitempty"`
	Start   *time.Time `json:"start,omitempty"` // now if left out
	End     *time.Time `json:"end,omitempty"`
	Failed  bool       `json:"failed,omitempty"` // it was rolled back, or needed a fix
	Commit  *time.Time `json:"commit,omitempty"` // when the oldest of what it brings was written, for lead time
	Spend   string     `json:"spend,omitempty"`  // of an experiment: the share of the budget that it may take, "5%"
	By      string     `json:"by"`
	Via     string     `json:"via,omitempty"`
	Text    string     `json:"text,omitempty"`
}

// Change is something that was done to a service, with what went wrong after it. A list of them is
// ordered newest first.
type Change struct {
	Key        string       `json:"key"`
	Service    string       `json:"service"`
	SLO        string       `json:"slo,omitempty"` // if it is about one alone
	Kind       string       `json:"kind"`
	Title      string       `json:"title,omitempty"`
	Version    string       `json:"version,omitempty"`
	Link       string       `json:"link,omitempty"`
	Start      time.Time    `json:"start"`
	End        *time.Time   `json:"end"`
	Failed     bool         `json:"failed"`
	By         string       `json:"by"`
	Text       string       `json:"text,omitempty"`
	Costs      []ChangeCost `json:"costs"`                // by budget
	Experiment *Experiment  `json:"experiment,omitempty"` // of the kind experiment
}

// ChangeCost is what went wrong after a change beyond what went wrong before: correlated, not
// proven.
type ChangeCost struct {
	SLO     string    `json:"slo"`
	From    time.Time `json:"from"`    // the time after the change that is looked at
	To      time.Time `json:"to"`      //
	Excess  *float64  `json:"excess"`  // bad events; null if it is not known, as the next two
	Allowed *float64  `json:"allowed"` // bad events that the budget allowed then
	Spent   *float64  `json:"spent"`   // share of the budget
	// Projected is present where less than a tenth of the window was known: allowed is what the
	// window would allow at the traffic that was seen.
	Projected bool     `json:"projected,omitempty"`
	Estimated bool     `json:"estimated,omitempty"` // some of the counts are estimates
	Shared    []string `json:"shared"`              // keys of other changes so near that nobody can tell which of them it was
	Text      string   `json:"text"`                // in words
}

// Experiment is how an experiment stands.
type Experiment struct {
	Phase  string  `json:"phase"` // planned, running, abort, over
	Abort  bool    `json:"abort"` // it must end now
	Reason string  `json:"reason,omitempty"`
	Spend  float64 `json:"spend"` // the share of the budget that it may take
}

// Delivery is how changes are delivered: the DORA figures, as far as the changes that were recorded
// tell them. What they do not tell is null.
type Delivery struct {
	From        time.Time `json:"from"`
	To          time.Time `json:"to"`
	Deploys     int       `json:"deploys"`
	Failed      int       `json:"failed"`
	PerWeek     *float64  `json:"perWeek"`
	FailureRate *float64  `json:"failureRate"`
	Recovery    *float64  `json:"recoveryTimeSeconds"` // median, of those that were made good
	Lead        *float64  `json:"leadTimeSeconds"`     // median, of those whose oldest commit is known

	*OldDelivery
}

// OldDelivery are names that the HTTP API writes beside the new ones for one more release.
type OldDelivery struct {
	Recovery *string `json:"recoveryTime"` // as Prometheus writes it: "1h30m"
	Lead     *string `json:"leadTime"`
}

// CostOf converts what a change cost one budget.
func CostOf(c alerting.Cost) ChangeCost {
	return ChangeCost{
		SLO: string(c.SLO), From: c.From.UTC(), To: c.To.UTC(), Excess: IfKnown(Events(c.Excess), c.Known), Allowed: IfKnown(Events(c.Budget.Allowed), c.Known), Spent: IfKnown(c.Spent(), c.Known),
		Projected: c.Budget.Projected, Estimated: c.Budget.Estimated,
		Shared: append([]string{}, c.Shared...), Text: sentences.Cost(c),
	}
}

// DeliveryOf converts the figures of delivery.
func DeliveryOf(d alerting.Delivery) Delivery {
	return Delivery{
		From: d.From.UTC(), To: d.To.UTC(), Deploys: d.Deploys, Failed: d.Failed,
		PerWeek: IfKnown(d.PerWeek()), FailureRate: IfKnown(d.FailureRate()), Recovery: median(d.Recovery), Lead: median(d.Lead),
	}
}

// median computes the median of sorted durations, nil if there are none.
func median(sorted []time.Duration) *float64 {
	if len(sorted) == 0 {
		return nil
	}
	return seconds(alerting.Median(sorted), true)
}

// WithOldNames adds the names that users of the HTTP API know.
func (d Delivery) WithOldNames() Delivery {
	d.OldDelivery = &OldDelivery{Recovery: inWords(d.Recovery), Lead: inWords(d.Lead)}
	return d
}
