package alerting

import (
	"slices"
	"time"
)

// Span is a stretch of time, from its beginning up to its end.
type Span struct{ From, To time.Time }

func (s Span) overlaps(o Span) bool { return s.From.Before(o.To) && o.From.Before(s.To) }

// Score compares alerts with the incidents that people say there were. The four figures are the
// workbook's attributes of an alerting strategy.
type Score struct {
	Alerts, Incidents int
	True              int // alerts that overlap an incident
	Found             int // incidents that an alert overlaps
	// DetectedIn and ResetIn are, for each incident that was found, the time from its beginning to
	// the first alert and from its end to the end of the last; sorted.
	DetectedIn, ResetIn []time.Duration
}

// Precision returns the share of alerts that were about an incident, and false without alerts.
func (s Score) Precision() (float64, bool) { return share(s.True, s.Alerts) }

// Recall returns the share of incidents that were alerted, and false without incidents.
func (s Score) Recall() (float64, bool) { return share(s.Found, s.Incidents) }

func share(part, whole int) (float64, bool) {
	if whole == 0 {
		return 0, false
	}
	return float64(part) / float64(whole), true
}

// ScoreAgainst compares the times of alerts with those of labelled incidents.
func ScoreAgainst(alerts, incidents []Span) Score {
	s := Score{Alerts: len(alerts), Incidents: len(incidents)}
	for _, a := range alerts {
		if slices.ContainsFunc(incidents, a.overlaps) {
			s.True++
		}
	}
	for _, i := range incidents {
		var first, last time.Time
		for _, a := range alerts {
			if !a.overlaps(i) {
				continue
			}
			if first.IsZero() || a.From.Before(first) {
				first = a.From
			}
			if a.To.After(last) {
				last = a.To
			}
		}
		if !first.IsZero() {
			s.Found++
			s.DetectedIn = append(s.DetectedIn, first.Sub(i.From))
			s.ResetIn = append(s.ResetIn, last.Sub(i.To))
		}
	}
	slices.Sort(s.DetectedIn)
	slices.Sort(s.ResetIn)
	return s
}

// Median returns the middle of sorted durations, of an even number the lower of the middle two, and
// zero of none.
func Median(sorted []time.Duration) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[(len(sorted)-1)/2]
}
