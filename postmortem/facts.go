package postmortem

import (
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/slo"
)

// Facts is everything a draft is made of. Incident, Spec and Ledger are needed. The rest is optional: nil evidence was
// not collected, an empty list was collected and nothing was found.
type Facts struct {
	Incident alerting.Incident
	Spec     *slo.Spec
	Ledger   *budget.Ledger
	Limit    int64 // share of a four-week budget that requires a postmortem, in basis points; 0 is DefaultLimit

	Zone    *time.Location      // times are also shown in this zone; nil shows UTC alone
	Page    string              // address of the incident's page
	Links   map[string]string   // address of the message that told an event, by alerting.Event.Key
	Earlier []alerting.Incident // of the same SLO; later ones are ignored

	Signals      []Signal
	Contributors []Contributor
	Changes      []Change
}

// Signal is one golden signal at four times, each already written with its unit; "" is not known.
type Signal struct {
	Kind  string // latency, traffic, errors or saturation
	Name  string
	Query string

	Before, Onset, Peak, After string
}

// Contributor is one label value with its share of the bad events.
type Contributor struct {
	Labels string // `route="/pay"`
	Bad    int64  // thousandths of events
	Total  int64  // thousandths of events, good and bad, with these labels
	AllBad int64  // bad events of all labels in the time in which these were counted; 0 if that is the whole incident
	Query  string
}

// Change is something that was changed near the onset: a deployment, a configuration, an experiment.
type Change struct {
	At    time.Time
	What  string
	Who   string
	Link  string
	Where string // the service
}

// id is the budget the incident is about.
func (f Facts) id() slo.ID {
	if f.Incident.SLO != "" {
		return f.Incident.SLO
	}
	return f.Spec.ID()
}

// span is the time that is counted: from the onset to the newest event. It is longer than the burn, as an alert is resolved
// some time after the last bad minute, and it is what the incident's own account covers.
func (f Facts) span() (from, to budget.Minute) {
	from = budget.MinuteOf(f.Incident.Onset)
	return from, max(end(f.Incident), from+1)
}
