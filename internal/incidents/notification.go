package incidents

import (
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/sentences"
	"github.com/slowburn-sre/slowburn/slo"
)

// Notification is an event with everything a message about it may show. What there is to say, and
// in which words, it has from its Facts.
type Notification struct {
	sentences.Facts
	Trail []Point // how a burn went, from just before its onset on; nil for what is no burn
	Paged bool    // another incident of the same thread was a page already
	Led   bool    // another one was louder, or as loud and older, so that the root message was about that
	// Root is what the root message of the thread shows instead, because it is louder; nil if it
	// shows this. It stands as all that is told together leaves it, and may be shared. So do
	// Others: what else is open in the thread, the loudest first, at most maxOthers; and More: how
	// many there are beyond.
	Root      *Notification
	Others    []alerting.Incident
	More      int
	Silenced  bool // somebody wants to hear no more for now; what is composed must not call anybody
	Standings []alerting.Standing
	Gate      alerting.Verdict // of the error-budget policy, at the event
	Notify    slo.SlackRoute   // who is told of a change of it
}

// Done is an act with everything that a message about it may show. Notification is of the incident
// that it is about, after the act, and its Event is the incident's newest.
type Done struct {
	Notification
	Act alerting.Act
	// Echo says that the act follows from one on another incident of the same thread, which has
	// told it there.
	Echo bool
	// From is, of a merge and a split, the thread in which the incident was told before, and Left
	// the loudest that is still told there; nil if nothing is.
	From string
	Left *Notification
}

// Point is the sum of one step of a budget's history.
type Point struct {
	At    time.Time // where the step begins
	Sum   budget.Sum
	Gross budget.Sum // the same before corrections
}
