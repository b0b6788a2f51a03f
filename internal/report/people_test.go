package report_test

import (
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/report"
	"github.com/slowburn-sre/slowburn/postmortem"
	"github.com/slowburn-sre/slowburn/slo"
)

// paged is a week with two pages of one SLO, on Wednesday noon and on Saturday night.
const paged = `slo shop/pay 99.9 28d payments
2026-10-18T00:00Z 2026-11-23T00:00Z 0/1000
2026-11-18T12:00Z 2026-11-18T13:00Z 500/1000
2026-11-21T23:00Z 2026-11-21T23:30Z 500/1000
slo shop/search 99 28d search
2026-10-18T00:00Z 2026-11-23T00:00Z 1/1000
`

func done(kind alerting.ActKind, incident, by string, at time.Time, facts map[string]string) alerting.Act {
	return alerting.Act{Key: string(kind) + by + at.String(), Kind: kind, Incident: incident, By: by, At: at, Facts: facts}
}

func TestWhatPeopleDidIsCounted(t *testing.T) {
	in := input(t, "2026-W47 UTC", paged)
	pages := in.Subjects[0].Incidents
	if len(pages) != 2 {
		t.Fatalf("%d incidents", len(pages))
	}
	noon, night := pages[0], pages[1]
	in.Acts = []alerting.Act{
		done(alerting.Acknowledge, noon.ID, "Bob", noon.Detected.Add(9*time.Minute), nil),
		done(alerting.Acknowledge, noon.ID, "Ada", noon.Detected.Add(4*time.Minute), nil),
		done(alerting.Mitigated, noon.ID, "Ada", noon.Onset.Add(30*time.Minute), nil),
		done(alerting.Worked, "", "Ada", noon.Detected, map[string]string{"kind": "toil", "minutes": "600"}),
		done(alerting.Worked, "", "Bob", noon.Detected, map[string]string{"kind": "project", "minutes": "400"}),
		done(alerting.Worked, "", "Bob", noon.Detected.AddDate(0, 0, -30), map[string]string{"kind": "project", "minutes": "9999"}),
	}
	r := report.Build(in)
	if r.Load.Pages != 2 || r.Load.Acknowledged != 1 || r.Load.Judged != 2 || r.Load.Precise != 2 {
		t.Errorf("load: %+v", r.Load)
	}
	if len(r.People) != 1 || r.People[0].Name != "Ada" || r.People[0].OutOfHours != 0 {
		t.Errorf("only the first to acknowledge has taken it: %+v", r.People)
	}
	if share, ok := r.Toil.Share(); !ok || share != 0.6 {
		t.Errorf("toil: %v %v", share, ok)
	}
	i := r.Incidents[0]
	ack, acked := i.TimeToAcknowledge()
	mitigate, mitigated := i.TimeToMitigate()
	if !acked || ack != 4*time.Minute || !mitigated || mitigate != 30*time.Minute {
		t.Errorf("the incident: %+v", i)
	}
	text := r.Markdown()
	for _, want := range []string{"60 % of the", "**above** the line", "1 page nobody acknowledged"} {
		if !strings.Contains(text, want) {
			t.Errorf("the report does not say %q:\n%s", want, text)
		}
	}
	in.Acts = append([]alerting.Act{done(alerting.Acknowledge, night.ID, "Bob", night.Detected.Add(time.Minute), nil)}, in.Acts...)
	if r := report.Build(in); len(r.People) != 2 || r.People[1].OutOfHours != 1 {
		t.Errorf("a page at night is out of hours: %+v", r.People)
	}
}

func TestWithoutAnyAcknowledgementNobodyIsBlamed(t *testing.T) {
	r := report.Build(input(t, "2026-W47 UTC", paged))
	for _, d := range r.Decisions {
		if d.Topic == report.Unanswered {
			t.Errorf("decides on %q", d.Text)
		}
	}
}

func TestOpenActionItemsStayUntilTheyAreDone(t *testing.T) {
	in := input(t, "2026-W47 UTC", paged)
	day := func(d int) time.Time { return time.Date(2026, 11, d, 0, 0, 0, 0, time.UTC) }
	in.Reviews = []postmortem.Review{{
		Incident: in.Subjects[0].Incidents[0].ID, Service: "shop", Owner: "payments", Status: postmortem.StatusInReview,
		Actions: []postmortem.Action{
			{What: "no date"}, {What: "late", Priority: "P0", Owner: "Ada", Due: day(20)}, {What: "soon", Due: day(28)}, {What: "done", Due: day(1), Done: true},
		},
	}}
	r := report.Build(in)
	var order []string
	for _, a := range r.Actions {
		order = append(order, a.What)
	}
	if got := strings.Join(order, ", "); got != "late, soon, no date" || !r.Actions[0].Overdue || r.Actions[1].Overdue {
		t.Errorf("action items: %s, %+v", got, r.Actions)
	}
	if r.Incidents[0].Review != "in review" || r.Incidents[0].Missing() {
		t.Errorf("the review is not seen: %+v", r.Incidents[0])
	}
	if !strings.Contains(r.Markdown(), "1 action item is overdue: P0 “late” (Ada") {
		t.Error("nobody is asked about the overdue item")
	}
	in.Team = "search"
	if r := report.Build(in); len(r.Actions) != 0 || len(r.Rows) != 1 || r.Rows[0].ID != "shop/search" || r.Load.Pages != 0 {
		t.Errorf("the report of one team holds another's: %+v", r)
	}
}

func TestAClassOfOutagesIsWeighedOverAQuarter(t *testing.T) {
	in := input(t, "2026-Q4 UTC", paged)
	for _, i := range in.Subjects[0].Incidents {
		in.Reviews = append(in.Reviews, postmortem.Review{Incident: i.ID, Class: "deploy", Status: postmortem.StatusClosed})
	}
	found := false
	for _, d := range report.Build(in).Decisions {
		found = found || d.Topic == report.Recurring && strings.Contains(d.Text, "class deploy")
	}
	if !found {
		t.Error("the class is not named")
	}
}

func TestTheWorstWindowTellsAnOutageFromBlips(t *testing.T) {
	r := report.Build(quiet(t, "2026-W47 UTC", paged))
	for _, row := range r.Rows {
		if row.ID != "shop/pay" {
			continue
		}
		if len(row.Worst) != 5 || row.Worst[1].Length != time.Hour || row.Worst[1].Bad*2 != row.Worst[1].Total || !row.Worst[4].Whole || row.Worst[4].Length != 7*slo.Day {
			t.Errorf("worst windows: %+v", row.Worst)
		}
	}
}
