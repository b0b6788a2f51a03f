package sentences

import (
	"cmp"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/figures"
)

// Act says what somebody did about the incident, which is as it stands after it. others is how many
// more incidents are told in the same thread. What the person wrote comes last, if anything.
func (f Facts) Act(a alerting.Act, others int) []Text {
	who := strong(a.By)
	var t Text
	switch a.Kind {
	case alerting.Acknowledge:
		t = say(who, " has acknowledged this ", f.Tier())
		if others > 0 {
			t = say(t, " and the ", figures.Plural(others, "other incident"), " of this thread")
		}
		t = say(t, ", ", moment(a.At), ".")
	case alerting.Silence:
		t = say(who, " has silenced this ", Until(a.Until), ". It is still counted, and this thread goes on.")
	case alerting.Mitigated:
		t = say(who, " says that "+Mitigated+", since ", moment(a.At), ".")
	case alerting.Undo:
		t = say(who, " has taken back what was done: ", undone(f.Incident.Acts, a))
	case alerting.Merge:
		t = say(who, " has merged this into ", foreign(a.Other), ".")
	case alerting.Split:
		t = say(who, " has taken this out of the thread of another incident.")
	case alerting.Escalate:
		t = say(who, " has made this a ticket.")
		if a.Level == alerting.Page {
			t = say(who, " has made this a ", strong("page"), ".")
			if s, ok := alerting.Silent(f.Incident.Acts, a.At); ok && s.Incident != "" {
				t = say(t, " ", EndsSilence(s))
			}
		}
	case alerting.Classify:
		return []Text{say(who, " has classed this as ", strong(a.Text), approved(a), ".")}
	case alerting.Asked:
		return []Text{say(who, " asks to ", asksTo(a), ". It counts when somebody else approves it, until ", moment(a.Expires), ".")}
	case alerting.Reject:
		t = say(who, " has rejected what was asked for.")
	default:
		t = say(who, " says:")
	}
	if a.Text == "" {
		return []Text{t}
	}
	return []Text{t, {{Words: a.Text, Quote: true}}}
}

// EndsSilence says of a ticket that somebody has silenced that it is silent no more, for it is a
// page.
func EndsSilence(silence alerting.Act) Text {
	return say("That ends the silence by ", strong(silence.By), ", which was given to a ticket.")
}

// Moved says that an incident is told in another thread from now on, to those who read the thread
// that it comes into, or the one that it leaves.
func (f Facts) Moved(here bool) Text {
	thread := "another"
	if here {
		thread = "this"
	}
	return say(strong(string(f.Event.SLO)), " is told in "+thread+" thread from now on.")
}

// Past says of a thread whose incident was merged into another one what it is from now on.
func Past() Text { return say("It goes on in that thread; this one is its history.") }

// ToldIn says in whose thread an incident is told; nil if in its own.
func ToldIn(i alerting.Incident) Text {
	if into := i.MergedInto(); into != "" {
		return say("It was merged into ", incident(into), ", in whose thread it is told.")
	}
	if i.Group != "" {
		return say("It burned together with ", incident(i.Group), ", in whose thread it is told.")
	}
	return nil
}

// approved says who has approved an act, if it took that.
func approved(a alerting.Act) Text {
	if a.ApprovedBy == "" {
		return nil
	}
	return say(", approved by ", foreign(a.ApprovedBy))
}

// Asked says what somebody asks for that takes the approval of a second person. It is without the
// reason.
func Asked(a alerting.Act) Text {
	return say(strong(About(a)), ": ", foreign(a.By), " asks to ", asksTo(a), ". It takes effect when somebody else approves it, until ", moment(a.Expires), ".")
}

// About names what an act is about: an incident, an SLO or a service.
func About(a alerting.Act) string { return cmp.Or(a.Incident, string(a.SLO), a.Service) }

// Decided says what became of what somebody asked for, by the decision of another one.
func Decided(asked, decision alerting.Act) Text {
	verb := " has rejected what "
	if decision.Kind == alerting.Approve {
		verb = " has approved what "
	}
	return say(strong(About(asked)), ": ", foreign(decision.By), verb, foreign(asked.By), " asked for: to ", asksTo(asked), ".")
}

// asksTo says what an act asks for, as what follows "asks to".
func asksTo(a alerting.Act) Text {
	switch a.Asks {
	case alerting.Override:
		return say("release against the error-budget policy ", Until(a.Until))
	case alerting.Exempt:
		return say("be exempt from the error-budget policy ", Until(a.Until))
	case alerting.Classify:
		return say("class this as ", strong(a.Text))
	case alerting.Undo:
		return say("take back how this is classed")
	}
	return say("do: ", foreign(string(a.Asks)))
}

// AsksTo says the same, in plain words.
func AsksTo(a alerting.Act) string { return asksTo(a).String() }

// ApproveBy returns the command that approves what was asked for by a key. A key that a shell might
// take for something else is left for the person to look up.
func ApproveBy(key string) string {
	odd := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("._/:@-", r)
	}
	if strings.HasPrefix(key, "-") || strings.ContainsFunc(key, odd) {
		key = "KEY"
	}
	return "slowburn approvals approve " + key
}

// AwaitsApproval says of what somebody asked for that it is not done, and until when it may be.
func AwaitsApproval(a alerting.Act) string {
	return "It has no effect yet: it waits until " + figures.UTC(a.Expires) + " for the approval of somebody else."
}

// Abort says which experiment has to end, and why.
func (f Facts) Abort() Text {
	return say("The experiment ", foreign(f.Event.Act), " "+f.experiment()+". End it now.")
}

// Until says how long a silence lasts.
func Until(t time.Time) Text {
	if t.IsZero() {
		return say("until the budget recovers")
	}
	return say("until ", moment(t))
}

// undone says what it means that an act was taken back.
func undone(acts []alerting.Act, a alerting.Act) string {
	for _, b := range acts {
		if b.Key != a.Other {
			continue
		}
		switch b.Kind {
		case alerting.Acknowledge:
			return "nobody has it."
		case alerting.Silence:
			return "it is not silent any more."
		case alerting.Escalate:
			return "it is as loud as its rule says."
		}
	}
	return "it does not count."
}
