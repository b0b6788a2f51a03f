package main

import (
	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/api"
)

// backtestAsFacts returns what JSON and YAML show; labels are nil without a list of incidents.
func backtestAsFacts(replays []replay, labels []alerting.Span, from, to budget.Minute) api.Backtest {
	facts := api.Backtest{From: from.Time(), To: to.Time(), SLOs: []api.Replay{}}
	for _, r := range replays {
		one := api.Replay{ID: string(r.ID), Coverage: r.Known, Incidents: []api.Incident{}, Notices: []api.Notice{}, Problems: r.Problems}
		for _, i := range r.Incidents {
			one.Incidents = append(one.Incidents, api.IncidentOf(i, nil, to.Time()).WithOldNames())
		}
		for _, n := range r.Notices {
			notice := api.Notice{At: n.Time(), Rule: string(n.Rule), Spent: float64(n.Level) / 10_000}
			if n.Rule == alerting.RuleTraffic {
				notice.Since = new(n.Since.Time())
			}
			one.Notices = append(one.Notices, notice)
		}
		facts.SLOs = append(facts.SLOs, one)
	}
	if labels != nil {
		facts.Score = new(api.ScoreOf(alerting.ScoreAgainst(pagesOf(replays, to), labels)))
	}
	return facts
}

// pagesOf returns the spans of all pages; one that is still open lasts to the end of the replay.
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
