package sentences

import (
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/slo"
)

// Wait is what the minutes of a budget wait for: samples that come late. The zero value waits for
// nothing.
type Wait struct {
	Through time.Time     // minutes that end up to here are decided
	Behind  time.Duration // how far that is behind the time at which it was looked at
	Late    time.Duration // how late samples come, by experience; below a minute nobody knows yet
	Targets int           // of how many targets; 0 if that is not known
	Vain    bool          // they were waited for, and minutes are decided without them now
	Most    time.Duration // they come, later than this, which is how long they are waited for; 0 if they do not
}

// Text says what is waited for; it is empty if nothing is.
func (w Wait) Text() Text {
	whose := "Samples"
	if w.Targets > 0 {
		whose += " of " + figures.Plural(w.Targets, "target")
	}
	return w.text(whose, "about ")
}

// text says what is waited for of those whose samples they are; about stands before each figure.
func (w Wait) text(whose, about string) Text {
	late := about + figures.Duration(w.Late.Truncate(time.Minute))
	switch {
	case w.Through.IsZero():
		return nil
	case w.Most > 0:
		return say(whose, " come ", late, " late, later than max_lateness (", figures.Duration(w.Most), "): minutes are decided without them, and again when they come. Raise max_lateness.")
	case w.Vain:
		return say(whose, " came ", late, " late before. They are not waited for any longer; what still comes is added to its own minutes.")
	case w.Late < time.Minute:
		return say(whose, " are overdue; minutes since ", moment(w.Through), " wait for them.")
	}
	return say(whose, " come ", late, " late; minutes are decided ", about, figures.Duration((w.Behind + time.Minute - 1).Truncate(time.Minute)), " after they end.")
}

// Found says how late the samples of an SLO are found to come, which are waited for so long at
// most, as a problem of the data. Who looks once cannot tell them from those of a series that ended
// without a stale marker, as while Prometheus was restarted.
func Found(id slo.ID, late, most time.Duration) string {
	w := Wait{Late: late, Behind: late, Through: time.Unix(0, 0)}
	if late > most {
		w.Most = most
	}
	return problem(w.text("Unless series of it have ended, samples of "+string(id), "about "))
}

// Waits says what the minutes of several incidents wait for that are told together; it is empty if
// none waits.
func Waits(all []Wait) Text {
	if len(all) == 0 {
		return nil
	}
	most := Wait{Vain: true}
	for _, w := range all {
		most.Most = max(most.Most, w.Most)
		if most.Through.IsZero() || w.Through.Before(most.Through) {
			most.Through = w.Through
		}
		most.Behind, most.Late, most.Vain = max(most.Behind, w.Behind), max(most.Late, w.Late), most.Vain && w.Vain
	}
	return most.text("Samples of "+figures.Plural(len(all), "incident"), "up to about ")
}

// Waiting says what the minutes of the budget wait for; it is empty if that is nothing, or if
// nobody watches it any more.
func (f Facts) Waiting() Text { return f.Awaited().Text() }

// Awaited returns what the minutes of the budget wait for: nothing, if nobody watches it any more.
func (f Facts) Awaited() Wait {
	if !f.Incident.Open && f.Event.Reason == alerting.SLORemoved {
		return Wait{}
	}
	return f.Wait
}
