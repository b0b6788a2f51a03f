package sentences

import (
	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/figures"
)

// MustReview says that the policy requires a postmortem of an incident, and why, as a clause.
func MustReview(why string) Text {
	return say(strong("A postmortem is required"), ": ", foreign(why), ". A draft with the facts is ready; what only people know is left open in it.")
}

// Unreviewed says that a postmortem should have been reviewed by a day.
func Unreviewed(by string) Text {
	return say(strong("The postmortem is still a draft"), "; it should have been reviewed by ", by, ".")
}

// OverdueActions says that action items of reviews are late.
func OverdueActions(n int) Text { return say(strong(figures.Plural(n, "action item") + " overdue")) }

// OfReview says in one line, without markup, what there is to do about the postmortems of an SLO:
// one is required, one is late, or so many action items are.
func OfReview(name string, required, late bool, overdue int) string {
	switch {
	case required:
		return "A postmortem of " + name + " is required; a draft is ready."
	case late:
		return "The postmortem of " + name + " is still a draft."
	}
	return figures.Plural(overdue, "action item") + " of " + name + " overdue."
}

// ReviewBy says until when a postmortem should be reviewed.
func ReviewBy(day string) string { return "To be reviewed by " + day + "." }

// NothingToDo answers whoever does something about an incident that is over.
func NothingToDo(i alerting.Incident) Text {
	return say("This incident is over since ", moment(i.Resolved), "; there is nothing left to do here but the postmortem.")
}

// TakenAlready answers whoever acknowledges what somebody else has.
func TakenAlready(a alerting.Act) Text {
	return say(foreign(a.By), " has acknowledged it already, ", moment(a.At), ".")
}

// NoSuchIncident answers whoever does something about an incident that nobody knows.
const NoSuchIncident = "slowburn does not know this incident. It may be older than what is kept."
