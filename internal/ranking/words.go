package ranking

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/markdown"
)

// The sentences are plain text with foreign names in them: whoever shows them escapes them as a
// whole.

// Name returns the label with its value, as PromQL writes it.
func (c Contributor) Name() string {
	if c.Value == "" {
		return "no " + c.Label
	}
	return c.Label + "=" + strconv.Quote(markdown.Cut(c.Value, 60))
}

// Most names the label value that most of the excess is in, "" if there is none.
func (r Ranking) Most() string {
	if r.Verdict != StandsOut || len(r.Contributors) == 0 || r.Contributors[0].Share < most {
		return ""
	}
	return r.Contributors[0].Name()
}

// Headline returns the ranking in a few words, for the middle of a sentence.
func (r Ranking) Headline() string {
	switch r.Verdict {
	case StandsOut:
		if name := r.Most(); name != "" {
			return "most of the excess is in " + name
		}
		return "a part of the excess is in " + r.Contributors[0].Name()
	case Spread:
		return "no single label value stands out"
	case Moved:
		return "traffic moved to " + r.Contributors[0].Name()
	case TooFew:
		return "too few events to say where it burns"
	case NoLabels, NotKnown:
	}
	return "it is not known where it burns"
}

// Sentences say what burns, one line each, the most important first.
func (r Ranking) Sentences() []string {
	switch r.Verdict {
	case TooFew:
		return []string{"Too few events to say: " + figures.Events(r.Now.Bad) + " bad ones since the onset."}
	case Spread:
		return []string{"No single value stands out; it got worse alike over " + strings.Join(r.Looked, ", ") + "."}
	case Moved:
		c := r.Contributors[0]
		return []string{fmt.Sprintf("Traffic moved: %s took %s of the events, before it was %s, and %s of its events were bad before already. No value got worse by itself.",
			c.Name(), figures.Share(c.Now.Total, r.Now.Total), figures.Share(c.Before.Total, r.Before.Total), figures.Share(c.Before.Bad, c.Before.Total))}
	case StandsOut:
		var lines []string
		for i, c := range r.Contributors {
			lines = append(lines, c.sentence(i == 0))
		}
		return lines
	case NoLabels, NotKnown:
	}
	return []string{"Not known: " + r.Reason + "."}
}

// most is the share of the excess from which on a value is said to be most of it.
const most = 0.5

func (c Contributor) sentence(first bool) string {
	s := c.Name() + " accounts for " + figures.Ratio(c.Share) + " of it"
	if first && c.Share >= most {
		s = "Most of the excess is in " + c.Name() + ": " + figures.Ratio(c.Share) + " of it"
	} else if first {
		s = "A part of the excess is in " + c.Name() + ": " + figures.Ratio(c.Share) + " of it"
	}
	s += "; " + figures.Share(c.Now.Bad, c.Now.Total) + " of its events are bad"
	if c.Before.Total == 0 {
		s += ", and it is new"
	} else {
		s += ", before it was " + figures.Share(c.Before.Bad, c.Before.Total)
	}
	if len(c.Also) > 0 {
		s += " (the same events: " + strings.Join(c.Also, ", ") + ")"
	}
	return s + "."
}

// Sentence says what changed, how long before or after the onset, and how that is known.
func (c Suspect) Sentence(onset time.Time) string {
	s := c.What
	if strings.Contains(s, "→") {
		s += " rolled out"
	}
	if c.Who != "" {
		s += " by " + c.Who
	}
	switch gap := c.At.Sub(onset).Truncate(time.Minute); {
	case gap < 0:
		s += " " + figures.Duration(-gap) + " before the onset"
	case gap > 0:
		s += " " + figures.Duration(gap) + " after the onset"
	default:
		s += " at the onset"
	}
	return s + " (" + c.Seen + ")."
}
