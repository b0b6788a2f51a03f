package report_test

import (
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/report"
)

func deploy(service, title string, start time.Time) alerting.Act {
	return alerting.Act{
		Key: title, Kind: alerting.Changed, By: "ci", At: start, Service: service,
		Change: &alerting.Change{Kind: "deploy", Title: title, Start: start, End: start},
	}
}

func TestChangesAreHeldAgainstWhatWentWrongAfterThem(t *testing.T) {
	in := input(t, "2026-W47 UTC", paged)
	wednesday := time.Date(2026, 11, 18, 11, 58, 0, 0, time.UTC)
	in.Acts = []alerting.Act{
		deploy("shop", "v1", wednesday.AddDate(0, 0, -1)), deploy("shop", "v2", wednesday), deploy("other", "v9", wednesday), deploy("shop", "v0", wednesday.AddDate(0, 0, -20)),
	}
	r := report.Build(in)
	if len(r.Changes) == 0 || r.Changes[0].Change.Key != "v2" || r.Changes[0].Excess != 30_000_000 {
		t.Fatalf("the dearest change comes first: %+v", r.Changes)
	}
	if r.Delivery.Deploys != 2 || r.Delivery.Failed != 1 {
		t.Errorf("deploys of the period and of these services count: %+v", r.Delivery)
	}
	text := r.Markdown()
	for _, want := range []string{"2 deploys (2 a week), of which 1 failed: change failure rate 50 %", "lead time n/a", "| v2 |", "not proven"} {
		if !strings.Contains(text, want) {
			t.Errorf("the report does not say %q:\n%s", want, text)
		}
	}
	for _, c := range r.Changes {
		if c.Change.Key == "v9" || c.Change.Key == "v0" {
			t.Errorf("%s is none of this report's", c.Change.Key)
		}
	}
}

func TestWithoutAFeedNothingIsClaimedOfDeploys(t *testing.T) {
	text := report.Build(input(t, "2026-W47 UTC", paged)).Markdown()
	if !strings.Contains(text, "None was recorded") || strings.Contains(text, "failure rate") {
		t.Error(text)
	}
}

func TestWhatWillBeFullSoonAsksForADecision(t *testing.T) {
	in := quiet(t, "2026-W47 UTC", paged)
	in.Services = []report.Service{
		{Name: "shop", Owner: "payments", Signals: []report.Signal{
			{Kind: "latency", What: "p99", Now: "0.3 s"},
			{Kind: "saturation", What: "disk", Now: "80 GB", Used: "80 %", Forecast: "between 2026-12-01 and 2026-12-09", Soon: true},
		}},
		{Name: "web", Owner: "front", Signals: []report.Signal{{Kind: "saturation", What: "cpu", Used: "20 %", Forecast: "no trend"}}},
		{Name: "mute", Owner: "front"},
	}
	in.Undelivered = 2
	r := report.Build(in)
	var about []string
	for _, d := range r.Decisions {
		if d.Topic == report.Capacity {
			about = append(about, d.Text)
		}
	}
	if len(about) != 1 || !strings.HasPrefix(about[0], "shop: disk is at 80 % and will be full between 2026-12-01") {
		t.Errorf("decisions: %q", about)
	}
	text := r.Markdown()
	if !strings.Contains(text, "| `shop` | latency | p99 | 0.3 s | — |") || strings.Contains(text, "mute") || !strings.Contains(text, "2 messages could not be delivered**; the page /status says") {
		t.Error(text)
	}
	in.Team = "front"
	if r := report.Build(in); len(r.Services) != 1 || r.Services[0].Name != "web" {
		t.Errorf("services of the team: %+v", r.Services)
	}
}
