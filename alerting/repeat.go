package alerting

import (
	"maps"
	"time"
)

// sameWithin is how much an end that is so long after the telling may differ in an act that is told
// again: what is said as "for an hour" is counted from a moment later each time.
const sameWithin = time.Minute

// Differs names what an act says that the one that is stored under its key does not say; nothing if
// it is the same act, told again. What was filled in when it was stored is left out of it, and by
// which way it came.
func (a Act) Differs(stored Act) []string {
	var all []string
	if stored.Kind == Asked && a.Kind != Asked {
		stored.Kind = stored.Asks // it was recorded as an ask
	}
	decides := a.Kind == Approve || a.Kind == Reject // which is about what the ask is about
	say := func(what string, differs bool) {
		if differs {
			all = append(all, what)
		}
	}
	say("kind", a.Kind != stored.Kind)
	say("by", a.By != stored.By)
	say("who", a.Who != "" && stored.Who != "" && a.Who != stored.Who)
	say("at", !a.At.IsZero() && !a.At.Equal(stored.At) && !a.At.Equal(stored.Said))
	say("incident", a.Incident != stored.Incident && (a.Incident != "" || a.Kind != Declare && !decides))
	say("slo", a.SLO != stored.SLO && (a.SLO != "" || stored.Incident == "" && !decides))
	say("service", a.Service != stored.Service && (a.Service != "" || !decides))
	say("text", a.Text != stored.Text)
	say("since", !sameMoment(a.Since, stored.Since, a, stored))
	say("until", !sameMoment(a.Until, stored.Until, a, stored))
	say("other", a.Other != stored.Other)
	say("level", a.Level != stored.Level)
	say("facts", !maps.Equal(a.Facts, stored.Facts))
	if a.Change == nil || stored.Change == nil {
		say("change", a.Change != stored.Change)
		return all
	}
	c, was := a.Change, stored.Change
	say("change kind", c.Kind != was.Kind)
	say("title", c.Title != was.Title)
	say("version", c.Version != was.Version)
	say("link", c.Link != was.Link)
	say("start", !c.Start.IsZero() && !c.Start.Equal(was.Start))
	say("end", !c.End.Equal(was.End))
	say("failed", c.Failed != was.Failed)
	say("commit", !c.Commit.Equal(was.Commit))
	say("spend", c.Spend != was.Spend)
	return all
}

// sameMoment compares a time that two acts name: the same time, or as long after each was told.
func sameMoment(t, was time.Time, a, stored Act) bool {
	if t.IsZero() || was.IsZero() || t.Equal(was) {
		return t.Equal(was)
	}
	return !stored.Received.IsZero() && (t.Sub(a.Received)-was.Sub(stored.Received)).Abs() <= sameWithin
}

// ToldLate reports whether an act was told later than it counts from, by so much that people are
// shown both times.
func (a Act) ToldLate() bool { return a.Received.Sub(a.At) > sameWithin && !a.At.IsZero() }
