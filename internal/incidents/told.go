package incidents

import (
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/evidence"
	"github.com/slowburn-sre/slowburn/slo"
)

// Told is an event with everything a message about it may show.
type Told struct {
	// Trail is how a burn went, from just before its onset on; nil for what is no burn.
	Trail     []Point
	Event     alerting.Event
	Incident  alerting.Incident   // after the event
	Over      bool                // it began and ended before anybody could be told
	Others    []alerting.Incident // what else is open in the same thread, the loudest first
	Face      *Told               // what the root message of the thread shows instead, because it is louder; nil if it shows this
	Silenced  bool                // somebody wants to hear no more for now; what is composed must not call anybody
	Spec      *slo.Spec
	Status    budget.Status
	Outlook   budget.Outlook
	Standings []alerting.Standing
	Gate      alerting.Verdict    // of the error-budget policy, at the event
	Notify    slo.SlackRoute      // who is told of a change of it
	Upstream  []alerting.Upstream // what it depends on and burns, nearest first
	Worst     *alerting.Step      // of a journey: the step that is worst at the time of the event; nil if none is bad
	Evidence  *evidence.Evidence  // nil as long as there is none
	Now       time.Time           // when the message is composed; later than the event after a gap
}

// Done is an act with everything that a message about it may show. Told is of the incident that it is about,
// after the act, and its Event is the incident's newest.
type Done struct {
	Told
	Act alerting.Act
	// Echo says that the act follows from one on another incident of the same thread, which has told it there.
	Echo bool
	// From is, of a merge and a split, the thread in which the incident was told before, and Left the loudest that is still
	// told there; nil if nothing is.
	From string
	Left *Told
}

// Point is the sum of one step of a budget's history.
type Point struct {
	At    time.Time // where the step begins
	Sum   budget.Sum
	Gross budget.Sum // the same before corrections
}
