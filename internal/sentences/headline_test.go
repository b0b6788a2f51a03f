package sentences_test

import (
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/ranking"
	"github.com/slowburn-sre/slowburn/internal/sentences"
	"github.com/slowburn-sre/slowburn/slo"
)

// TestHeadlines: the first line of every message, page and list.
func TestHeadlines(t *testing.T) {
	const unit = budget.Unit
	onset := time.Date(2026, 11, 23, 8, 26, 0, 0, time.UTC)
	at := budget.MinuteOf(onset) + 1
	card := ranking.Contributor{
		Label: "payment", Value: "card", Share: 1,
		Before: ranking.Count{Bad: 9 * unit, Total: 45_000 * unit}, Fails: ranking.Count{Bad: 732 * unit, Total: 740 * unit},
	}
	found := func(c ranking.Contributor, changes ...ranking.Suspect) *ranking.Evidence {
		return &ranking.Evidence{Onset: onset, At: at.End(), Burns: ranking.Ranking{Verdict: ranking.StandsOut, Contributors: []ranking.Contributor{c}}, Changes: changes}
	}
	deploy := ranking.Suspect{At: onset.Add(-3 * time.Minute), What: "deploy v2.4.1", Kind: "deploy", Version: "v2.4.1", From: "v2.4.0"}
	for name, c := range map[string]struct {
		change func(*sentences.Facts)
		want   string
	}{
		"without evidence it is of all": {
			func(*sentences.Facts) {}, "61 % of payments on checkout /pay fail since 08:26 UTC (usually 0.020 %); budget gone in 37 min at 453×",
		},
		"with evidence it is of the value that most of it is in, beside what changed": {
			func(f *sentences.Facts) { f.Found = found(card, deploy) },
			"99 % of card payments on checkout /pay fail since 08:26 UTC (usually 0.020 %); v2.4.1 was deployed 3 min before; budget gone in 37 min at 453×",
		},
		"evidence of an earlier minute has no figure of this one": {
			func(f *sentences.Facts) { f.Found = found(card); f.Found.At = onset.Add(time.Minute) },
			"61 % of payments on checkout /pay, mostly card, fail since 08:26 UTC (usually 0.020 %); budget gone in 37 min at 453×",
		},
		"a value that is no word stands behind": {
			func(f *sentences.Facts) {
				odd := card
				odd.Label, odd.Value, odd.Before = "version", "v2.4.1", ranking.Count{}
				f.Found = found(odd)
			},
			`99 % of payments with version="v2.4.1" on checkout /pay fail since 08:26 UTC; budget gone in 37 min at 453×`,
		},
		"a value that has less than half of it is not named": {
			func(f *sentences.Facts) { less := card; less.Share = 0.4; f.Found = found(less) },
			"61 % of payments on checkout /pay fail since 08:26 UTC (usually 0.020 %); budget gone in 37 min at 453×",
		},
		"a change of an hour before is no suspect": {
			func(f *sentences.Facts) { old := deploy; old.At = onset.Add(-time.Hour); f.Found = found(card, old) },
			"99 % of card payments on checkout /pay fail since 08:26 UTC (usually 0.020 %); budget gone in 37 min at 453×",
		},
		"nor is one that came after": {
			func(f *sentences.Facts) {
				late := deploy
				late.At = onset.Add(2 * time.Minute)
				f.Found = found(card, late)
			},
			"99 % of card payments on checkout /pay fail since 08:26 UTC (usually 0.020 %); budget gone in 37 min at 453×",
		},
		"the minute of the onset is marked": {
			func(f *sentences.Facts) { f.Failing.SoFar = true },
			"So far 61 % of payments on checkout /pay fail since 08:26 UTC (usually 0.020 %); budget gone in 37 min at 453×",
		},
		"what usually fails is left out where nobody knows": {
			func(f *sentences.Facts) { f.Failing.Usual = budget.Sum{} },
			"61 % of payments on checkout /pay fail since 08:26 UTC; budget gone in 37 min at 453×",
		},
		"without a noun in the file they are requests, and slow ones are slow": {
			func(f *sentences.Facts) { f.Spec.SLI = slo.Indicator{Kind: slo.Latency, LimitText: "300ms"} },
			"61 % of requests on checkout /pay are slower than 300 ms since 08:26 UTC (usually 0.020 %); budget gone in 37 min at 453×",
		},
		"a budget of unknown size is not spoken of": {
			func(f *sentences.Facts) { f.Outlook, f.Status.Sized = budget.Outlook{}, false },
			"61 % of payments on checkout /pay fail since 08:26 UTC (usually 0.020 %)",
		},
		"a minute without a failure proves nothing": {
			func(f *sentences.Facts) { f.Failing.Now.Bad = 0 },
			"payments on checkout /pay fail since 08:26 UTC (usually 0.020 %); budget gone in 37 min at 453×",
		},
		"one that goes on since yesterday says which day": {
			func(f *sentences.Facts) { f.Incident.Onset = onset.AddDate(0, 0, -1) },
			"61 % of payments on checkout /pay fail since 2026-11-22 08:26 UTC (usually 0.020 %); budget gone in 37 min at 453×",
		},
		"errors that have stopped": {
			func(f *sentences.Facts) {
				f.Incident.Last.Burn.Stopped, f.Incident.Last.Burn.Closes = budget.MinuteOf(onset)+20, budget.MinuteOf(onset)+50
			},
			"Errors have stopped 08:46 UTC, closes about 09:16 UTC: payments on checkout /pay",
		},
		"what is over": {
			func(f *sentences.Facts) {
				f.Incident.Open, f.Incident.Ended, f.Incident.Last.Reason = false, onset.Add(20*time.Minute), alerting.BurnLow
			},
			"payments on checkout /pay failed for 20 min, 13,893 of them (34.8 % of the budget)",
		},
		"a closed one whose SLO was removed did not get better": {
			func(f *sentences.Facts) {
				f.Incident.Open, f.Incident.Ended = false, onset.Add(20*time.Minute)
				f.Incident.Last.Reason, f.Event.Reason = alerting.SLORemoved, alerting.SLORemoved
			},
			`checkout/availability{route="/pay"} is no longer watched: its SLO was removed or renamed while it burned for 20 min`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := alerting.Event{
				SLO: `checkout/availability{route="/pay"}`, At: at, Kind: alerting.Opened, Severity: alerting.Page, Rule: alerting.RulePage,
				Burn: &alerting.Burning{Onset: budget.MinuteOf(onset), Last: at, Bad: 13_893 * unit}, Budget: alerting.Account{Allowed: 40_000 * unit},
			}
			f := sentences.Facts{
				Spec: &slo.Spec{SLI: slo.Indicator{Kind: slo.Events, Called: "payments"}}, Event: e, Now: e.Time(),
				Incident: alerting.Incident{ID: "i", SLO: e.SLO, Rule: e.Rule, Open: true, Severity: e.Severity, Onset: onset, Detected: e.Time(), Last: e},
				Status:   budget.Status{Sized: true}, Outlook: budget.Outlook{Known: true, In: 37 * time.Minute, Early: 30 * time.Minute, Late: 40 * time.Minute, Rate: 453.4},
				Failing: sentences.Failing{Now: budget.Sum{Bad: 610 * unit, Total: 1000 * unit}, Usual: budget.Sum{Bad: unit, Total: 5_000 * unit}},
			}
			c.change(&f)
			if got := f.Summary(); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if short := f.Headline().Within(120); len([]rune(f.Summary())) > 120 && len([]rune(short)) >= len([]rune(f.Summary())) && f.Headlined() && f.Found != nil && len(f.Found.Changes) > 0 {
				t.Errorf("with little room it is still %s", short)
			}
		})
	}
}
