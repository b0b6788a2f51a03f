package main

import (
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/slo"
)

// backtestFacts is a backtest as JSON and YAML show it. Incidents look as they do in the API of the
// daemon: times in UTC, counts in events, ratios with 1 for the whole.
type backtestFacts struct {
	From  time.Time     `json:"from"`
	To    time.Time     `json:"to"`
	SLOs  []replayFacts `json:"slos"`
	Score *scoreFacts   `json:"score,omitempty"` // with --incidents only
}

type replayFacts struct {
	ID        slo.ID         `json:"id"`
	Coverage  float64        `json:"coverage"` // share of the minutes whose events are known
	Incidents []api.Incident `json:"incidents"`
	Notices   []noticeFacts  `json:"notices"` // about the budget
	Problems  []string       `json:"problems,omitempty"`
}

type noticeFacts struct {
	At    time.Time `json:"at"`
	Spent float64   `json:"spent"` // the level of the budget that was reached
}

type scoreFacts struct {
	Incidents      int      `json:"incidents"` // that people know of
	Found          int      `json:"found"`
	Pages          int      `json:"pages"`
	True           int      `json:"true"` // pages about an incident
	Recall         *float64 `json:"recall"`
	Precision      *float64 `json:"precision"`
	MedianToDetect string   `json:"medianTimeToDetect,omitempty"`
	MedianToReset  string   `json:"medianTimeToReset,omitempty"`
}

// backtestAsFacts is what JSON and YAML show; labels are nil without a list of incidents.
func backtestAsFacts(replays []replay, labels []alerting.Span, from, to budget.Minute) backtestFacts {
	facts := backtestFacts{From: from.Time(), To: to.Time(), SLOs: []replayFacts{}}
	for _, r := range replays {
		one := replayFacts{ID: r.ID, Coverage: r.Known, Incidents: []api.Incident{}, Notices: []noticeFacts{}, Problems: r.Problems}
		for _, i := range r.Incidents {
			one.Incidents = append(one.Incidents, api.IncidentOf(i, nil, to.Time()).WithOldNames())
		}
		for _, n := range r.Notices {
			one.Notices = append(one.Notices, noticeFacts{At: n.Time(), Spent: float64(n.Level) / 10_000})
		}
		facts.SLOs = append(facts.SLOs, one)
	}
	if labels != nil {
		facts.Score = scoreAsFacts(alerting.ScoreAgainst(pagesOf(replays, to), labels))
	}
	return facts
}

func scoreAsFacts(s alerting.Score) *scoreFacts {
	part := func(v float64, ok bool) *float64 {
		if !ok {
			return nil
		}
		return &v
	}
	facts := &scoreFacts{
		Incidents: s.Incidents, Found: s.Found, Pages: s.Alerts, True: s.True,
		Recall: part(s.Recall()), Precision: part(s.Precision()),
	}
	if s.Found > 0 {
		facts.MedianToDetect, facts.MedianToReset = slo.ShortDuration(alerting.Median(s.DetectedIn)), slo.ShortDuration(alerting.Median(s.ResetIn))
	}
	return facts
}

// pagesOf are the spans of all pages; one that is still open lasts to the end of the replay.
func pagesOf(replays []replay, to budget.Minute) []alerting.Span {
	var pages []alerting.Span
	for _, r := range replays {
		for _, i := range r.Incidents {
			span := alerting.Span{From: i.Detected, To: i.Resolved}
			if i.Open {
				span.To = to.Time()
			}
			if i.Severity == alerting.Page {
				pages = append(pages, span)
			}
		}
	}
	return pages
}
