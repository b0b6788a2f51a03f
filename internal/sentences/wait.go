package sentences

import (
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/figures"
)

// Wait is what the minutes of a budget wait for: samples that come late. The zero value waits for
// nothing.
type Wait struct {
	Through time.Time     // minutes that end up to here are decided
	Behind  time.Duration // how far that is behind the time at which it was looked at
	Late    time.Duration // how late samples come, by experience; below a minute nobody knows yet
	Targets int           // of how many targets; 0 if that is not known
	Vain    bool          // they were waited for, and minutes are decided without them now
}

// Text says what is waited for; it is empty if nothing is.
func (w Wait) Text() Text {
	whose := "Samples"
	if w.Targets > 0 {
		whose += " of " + figures.Plural(w.Targets, "target")
	}
	late := figures.Duration(w.Late.Truncate(time.Minute))
	switch {
	case w.Through.IsZero():
		return nil
	case w.Vain:
		return say(whose, " came about ", late, " late before. They are not waited for any longer; what still comes is added to its own minutes.")
	case w.Late < time.Minute:
		return say(whose, " are overdue; minutes since ", moment(w.Through), " wait for them.")
	}
	return say(whose, " come about ", late, " late; minutes are decided about ", figures.Duration((w.Behind + time.Minute - 1).Truncate(time.Minute)), " after they end.")
}

// Waiting says what the minutes of the budget wait for; it is empty if that is nothing, or if nobody
// watches it any more.
func (f Facts) Waiting() Text {
	if !f.Incident.Open && f.Event.Reason == alerting.SLORemoved {
		return nil
	}
	return f.Wait.Text()
}
