package alerting

import (
	"slices"
	"time"
)

// This file is what people did about an incident, as the incident tells it.

// Take adds an act to the story of the incident; one that it knows already changes nothing.
func (i Incident) Take(a Act) Incident {
	if !i.Knows(a.Key) {
		i.Acts = append(slices.Clone(i.Acts), a)
	}
	return i
}

// Knows reports whether the act with the key is part of the story.
func (i Incident) Knows(key string) bool {
	return slices.ContainsFunc(i.Acts, func(a Act) bool { return a.Key == key })
}

// forever is after every act.
var forever = time.Date(9999, time.December, 31, 0, 0, 0, 0, time.UTC)

// of returns the acts of a kind that were not taken back.
func (i Incident) of(kind ActKind) []Act {
	return slices.DeleteFunc(InForce(i.Acts, forever), func(a Act) bool { return a.Kind != kind })
}

// Acknowledged returns the act by which somebody took the incident, the first if several did, and
// false while nobody has it. So who has it and how long that took are told of the same person.
func (i Incident) Acknowledged() (Act, bool) {
	all := i.of(Acknowledge)
	if len(all) == 0 {
		return Act{}, false
	}
	return all[0], true
}

// AcknowledgedBy reports whether somebody of that name is among those who took the incident.
func (i Incident) AcknowledgedBy(name string) bool {
	return slices.ContainsFunc(i.of(Acknowledge), func(a Act) bool { return a.By == name })
}

// Silenced returns the silence that is in force at a time, and false if there is none. A silence
// that was given to a ticket ends when the ticket becomes a page.
func (i Incident) Silenced(at time.Time) (Act, bool) { return silentOn(i.Acts, at, i.Escalated) }

// silentOn returns the silence in force at a time on an incident that became a page then, or never
// if that is zero.
func silentOn(acts []Act, at, escalated time.Time) (Act, bool) {
	a, ok := Silent(acts, at)
	if broken := a.Incident != "" && !escalated.IsZero() && a.At.Before(escalated) && !at.Before(escalated); broken {
		return Act{}, false
	}
	return a, ok
}

// Unheard reports whether every event so far fell into a silence, so that nothing was said about
// the incident.
func (i Incident) Unheard() bool {
	for _, e := range i.Log {
		if _, silent := i.Silenced(e.Time()); !silent {
			return false
		}
	}
	return len(i.Log) > 0
}

// TimeToAcknowledge returns the time from the alert to the first acknowledgement; it is false while
// there is none.
func (i Incident) TimeToAcknowledge() (time.Duration, bool) {
	return since(i.Alerted(), i.of(Acknowledge))
}

// TimeToMitigate returns the time from the onset to when a person said that users no longer feel
// it; it is false while nobody has.
func (i Incident) TimeToMitigate() (time.Duration, bool) { return since(i.Onset, i.of(Mitigated)) }

// since returns the time from a beginning to the first of some acts.
func since(from time.Time, acts []Act) (time.Duration, bool) {
	if len(acts) == 0 {
		return 0, false
	}
	return max(acts[0].At.Sub(from), 0), true
}

// MergedInto returns the incident into which a person merged this one, "" if nobody did or somebody
// took them apart again.
func (i Incident) MergedInto() string {
	into := ""
	for _, a := range InForce(i.Acts, forever) {
		switch a.Kind {
		case Merge:
			into = a.Other
		case Split:
			into = ""
		}
	}
	return into
}

// Thread returns the incident in whose thread this one is told.
func (i Incident) Thread() string {
	if i.Group != "" {
		return i.Group
	}
	return i.ID
}
