package api

import (
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/slo"
)

// Backtest is what `slowburn backtest` found out.
type Backtest struct {
	From  time.Time `json:"from"`
	To    time.Time `json:"to"`
	SLOs  []Replay  `json:"slos"`
	Score *Score    `json:"score,omitempty"` // with --incidents only
}

// Replay is what would have been said about one budget.
type Replay struct {
	ID        string     `json:"id"`
	Coverage  float64    `json:"coverage"` // share of the minutes whose events are known
	Incidents []Incident `json:"incidents"`
	Notices   []Notice   `json:"notices"` // about the budget
	Problems  []string   `json:"problems,omitempty"`
}

// Notice is what is said once and opens no incident: a level of the budget that was reached, or
// that nobody comes any more.
type Notice struct {
	At    time.Time  `json:"at"`
	Rule  string     `json:"rule"`            // spent, or traffic
	Spent float64    `json:"spent"`           // share of the budget; 0 of traffic
	Since *time.Time `json:"since,omitempty"` // of traffic: the first minute without an event
}

// Score holds pages against incidents that people know of.
type Score struct {
	Incidents      int      `json:"incidents"`
	Found          int      `json:"found"`
	Pages          int      `json:"pages"`
	True           int      `json:"true"` // pages about an incident
	Recall         *float64 `json:"recall"`
	Precision      *float64 `json:"precision"`
	MedianToDetect *float64 `json:"medianTimeToDetectSeconds"` // null without an incident that was found, as the next
	MedianToReset  *float64 `json:"medianTimeToResetSeconds"`

	// The same as Prometheus writes it, for one more release.
	OldToDetect string `json:"medianTimeToDetect,omitempty"`
	OldToReset  string `json:"medianTimeToReset,omitempty"`
}

// ScoreOf converts a score.
func ScoreOf(s alerting.Score) Score {
	out := Score{
		Incidents: s.Incidents, Found: s.Found, Pages: s.Alerts, True: s.True,
		Recall: IfKnown(s.Recall()), Precision: IfKnown(s.Precision()),
	}
	if s.Found > 0 {
		detect, reset := alerting.Median(s.DetectedIn), alerting.Median(s.ResetIn)
		out.MedianToDetect, out.MedianToReset = seconds(detect, true), seconds(reset, true)
		out.OldToDetect, out.OldToReset = slo.ShortDuration(detect), slo.ShortDuration(reset)
	}
	return out
}
