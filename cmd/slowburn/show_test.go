package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/ranking"
)

// Whoever is called at night by a terminal sees what burns and what changed, the newest of it.
func TestAnIncidentIsShownWithItsEvidence(t *testing.T) {
	onset := time.Date(2026, 11, 23, 8, 26, 0, 0, time.UTC)
	old, _ := json.Marshal(ranking.Evidence{Onset: onset, Problems: []string{"the first look"}})
	found, _ := json.Marshal(ranking.Evidence{
		Onset: onset, Burns: ranking.Ranking{Verdict: ranking.NotKnown, Reason: "no label was looked at"},
		Changes:  []ranking.Suspect{{What: "deploy checkout v2.4.1", At: onset.Add(-3 * time.Minute), Link: "https://ci.example.org/812"}},
		Traces:   []ranking.Trace{{ID: "4bf92f35", Where: "payments"}},
		Problems: []string{"golden signals: Prometheus timed out\nand more"},
	})
	i := api.IncidentDetail{Incident: api.Incident{ID: "checkout/availability/page/1", Onset: onset, Open: true}, Evidence: []json.RawMessage{old, found}, Links: api.Links{Slack: "https://slack.example.org/p1"}}
	data, _ := json.Marshal(i)
	out, errs := runAgainst(t, daemonOf(t, string(data)), "incidents", "show", "x")
	for _, want := range []string{
		"\nWhat burns\n", "\nWhat changed. Correlated in time, not proven to be the cause.\n  deploy checkout v2.4.1", "https://ci.example.org/812",
		"\nTraces\n  4bf92f35 payments\n", "\nNot known\n  golden signals: Prometheus timed out", "\nSlack: https://slack.example.org/p1\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("there is no %q in\n%s%s", want, out, errs)
		}
	}
	if strings.Contains(out, "the first look") || strings.Contains(out, "\nand more") {
		t.Errorf("what is older, or a line of its own, is shown:\n%s", out)
	}
}
