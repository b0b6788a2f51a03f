package ranking

import (
	"regexp"
	"slices"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/markdown"
)

// Main returns the value that most of the excess is in; false if no value has most of it.
func (r Ranking) Main() (Contributor, bool) {
	if r.Verdict != StandsOut || len(r.Contributors) == 0 || r.Contributors[0].Share < most {
		return Contributor{}, false
	}
	return r.Contributors[0], true
}

// word is a value that reads as a word before a noun: card payments.
var word = regexp.MustCompile(`^[a-z][a-z-]{1,19}$`)

// Of names the events of the value, many of which are called by a noun: "card payments", "payments
// with version="v2.4.1"". Without a noun it is the value as it stands in a sentence.
func (c Contributor) Of(noun string) string {
	if c.Value == "" || !word.MatchString(c.Value) || slices.Contains(Replicas, c.Label) {
		if noun == "" {
			return c.Name()
		}
		return noun + " with " + c.Name()
	}
	if noun == "" {
		return c.Value
	}
	return c.Value + " " + noun
}

// suspectedFor is how long before the onset a change may lie to be named in one breath with it.
const suspectedFor = 30 * time.Minute

// Suspected returns the likeliest of the changes that came at most half an hour before the onset;
// false if none did. It came near in time: that proves nothing.
func (e Evidence) Suspected() (Suspect, bool) {
	for _, c := range e.Changes {
		if gap := e.Onset.Sub(c.At); gap > -time.Minute && gap <= suspectedFor && c.Kind != Restart {
			return c, true
		}
	}
	return Suspect{}, false
}

// After lists the changes that came after the onset, oldest first: what somebody did about it is
// among them.
func (e Evidence) After() (all []Suspect) {
	for _, c := range e.Changes {
		if c.At.Sub(e.Onset) >= time.Minute {
			all = append(all, c)
		}
	}
	slices.SortStableFunc(all, func(a, b Suspect) int { return a.At.Compare(b.At) })
	return all
}

// Done says what was done, as the beginning of a sentence: "v2.4.1 was deployed".
func (c Suspect) Done() string {
	switch {
	case c.Kind == "deploy" && c.Version != "":
		return c.version() + " was deployed"
	case c.Kind == "rollback" && c.Version != "":
		return "rolled back to " + c.version()
	case c.Kind == Rollout:
		return c.What + " rolled out"
	case c.Kind == "experiment":
		return c.What + " began"
	case c.Kind == "config", c.Kind == "flag", c.Kind == "data":
		return c.What + " was changed"
	}
	return c.What + " came"
}

func (c Suspect) version() string { return markdown.Cut(c.Version, 40) }

// Before says how long before the onset it was: "3 min before".
func (c Suspect) Before(onset time.Time) string {
	if gap := onset.Sub(c.At).Truncate(time.Minute); gap > 0 {
		return figures.Duration(gap) + " before"
	}
	return "in the same minute"
}

// Of returns a change that somebody recorded.
func Of(a alerting.Act) Suspect {
	c := a.Change
	return Suspect{At: c.Start.UTC(), What: c.Name(), Seen: Recorded, Who: a.By, Link: c.Link, Kind: c.Kind, Version: c.Version}
}

// GoBack says what to try first if the change did it: "roll back to v2.3.4". It is "" where the
// change brought nothing that can be rolled back.
func (c Suspect) GoBack() string {
	switch {
	case c.Kind != "deploy" && c.Kind != Rollout:
		return ""
	case c.From != "":
		return "roll back to " + markdown.Cut(c.From, 40)
	case c.Version != "":
		return "roll back " + c.version()
	}
	return "roll it back"
}
