package postmortem

import (
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/ranking"
	"github.com/slowburn-sre/slowburn/slo"
)

// Facts is everything a draft is made of. Incident, Spec and Ledger are needed. The rest is
// optional: nil evidence was not collected, an empty list was collected and nothing was found.
type Facts struct {
	Incident alerting.Incident
	Spec     *slo.Spec
	Ledger   *budget.Ledger
	Limit    int64 // share of a four-week budget that requires a postmortem, in basis points; 0 is DefaultLimit

	Zone    *time.Location      // times are also shown in this zone; nil shows UTC alone
	Page    string              // address of the incident's page
	Links   map[string]string   // address of the message that told an event, by alerting.Event.Key
	Earlier []alerting.Incident // of the same SLO; later ones are ignored
	Reviews []Review            // the postmortems there are, of any incident

	Steps    []alerting.Input    // of a journey, in its order
	Depends  []slo.ID            // what the SLO depends on, by the files
	Upstream []alerting.Upstream // what of it burned meanwhile

	Signals  *Signals
	FoundAt  time.Time        // the end of the time that Where counts
	Where    *ranking.Ranking // which label values the bad events had
	Traces   []ranking.Trace
	Changes  []ranking.Suspect // that somebody saw; those that were recorded are taken from Acts, which say more
	Acts     []alerting.Act    // that are not about a single incident: changes and experiments are picked from them
	Problems []string          // what could not be found out, and why
}

// Signals are the golden signals of the incident's service at four times.
type Signals struct {
	Before, Onset, Peak, After time.Time // when they were taken
	All                        []Signal
}

// Signal is one golden signal, at each time already written with its unit; "" is not known.
type Signal struct {
	Kind  string // latency, traffic, errors or saturation
	Name  string
	Query string

	Before, Onset, Peak, After string
	Curve                      *Curve // nil was not collected
}

// Curve is a signal over the time around the incident, for a small chart.
type Curve struct {
	From      time.Time
	Step      time.Duration
	Values    []float64 // one per step, the first at From; NaN is not known
	Low, High string    // the lowest and the highest of them, written with the unit
}

// SuspectCost is something that was changed near the onset, with what went wrong after it.
type SuspectCost struct {
	ranking.Suspect
	Cost string // what went wrong after it, as a sentence; "" is not known
}

// id returns the budget the incident is about.
func (f Facts) id() slo.ID {
	if f.Incident.SLO != "" {
		return f.Incident.SLO
	}
	return f.Spec.ID()
}

// span returns the time that is counted: from the onset to the newest event. It is longer than the
// burn, as an alert is resolved some time after the last bad minute, and it is what the incident's
// own account covers.
func (f Facts) span() (from, to budget.Minute) {
	from = budget.MinuteOf(f.Incident.Onset)
	return from, max(end(f.Incident), from+1)
}
