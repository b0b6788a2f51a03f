package report_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/report"
	"github.com/slowburn-sre/slowburn/postmortem"
	"github.com/slowburn-sre/slowburn/slo"
)

// outages is a service that fails for 20 minutes now and then.
func outages(id string, at ...string) string {
	text := "slo " + id + " 99 28d team\n2026-10-18T00:00Z 2026-11-23T00:00Z 0/1000\n"
	for _, begin := range at {
		t, err := time.Parse("2006-01-02T15:04Z", begin)
		if err != nil {
			panic(err)
		}
		text += begin + " " + t.Add(20*time.Minute).Format("2006-01-02T15:04Z") + " 900/1000\n"
	}
	return text
}

var fiveNights = outages("checkout/availability", "2026-11-16T02:10Z", "2026-11-17T02:12Z", "2026-11-18T02:10Z", "2026-11-19T02:20Z", "2026-11-20T02:10Z")

// What is alike is one decision, and what is not is none.
func TestWhatRepeatsIsOneDecision(t *testing.T) {
	for _, c := range []struct {
		what, lives  string
		contributors []string // of the incidents in their order
		people       []string // who acknowledged them
		want         string   // the decisions that see something repeat
	}{
		{
			"a night job that failed in five nights, always in one pool, is found", fiveNights,
			[]string{`pool="batch"`, `pool="batch"`, `pool="batch"`, `pool="batch"`, `pool="batch"`},
			nil,
			`checkout/availability: burned at 02:10–02:40 on 5 nights running, each time by pool="batch"; together they took 22.4 % of the budget: move or fix the night job, and write one postmortem for all?`,
		},
		{
			"the evidence of one night is missing", fiveNights,
			[]string{`pool="batch"`, "", `pool="batch"`, `pool="batch"`, `pool="batch"`},
			nil,
			`checkout/availability: burned at 02:10–02:40 on 5 nights running, each time by pool="batch"; together they took 22.4 % of the budget: move or fix the night job, and write one postmortem for all?`,
		},
		{
			"one night was another pool's", fiveNights,
			[]string{`pool="batch"`, `pool="web"`, `pool="batch"`, `pool="batch"`, `pool="batch"`},
			nil,
			`checkout/availability: burned at 02:10–02:40 on 5 nights running; together they took 22.4 % of the budget: move or fix what runs at that hour, and write one postmortem for all?`,
		},
		{
			"the same person was called each time", fiveNights, nil,
			[]string{"Ada", "Ada", "Ada", "Ada", "Ada"},
			`checkout/availability: burned at 02:10–02:40 on 5 nights running; Ada took all 5; together they took 22.4 % of the budget: move or fix what runs at that hour, and write one postmortem for all?`,
		},
		{
			"somebody else was called once", fiveNights, nil,
			[]string{"Ada", "Bob", "Ada", "Ada", "Ada"},
			`checkout/availability: burned at 02:10–02:40 on 5 nights running; together they took 22.4 % of the budget: move or fix what runs at that hour, and write one postmortem for all?`,
		},
		{
			"an hour that midnight is in, with a day left out", outages("a/b", "2026-11-16T23:50Z", "2026-11-18T00:20Z", "2026-11-19T23:55Z"), nil, nil,
			`a/b: burned at 23:50–00:40 on 3 nights; together they took 13.4 % of the budget: move or fix what runs at that hour, and write one postmortem for all?`,
		},
		{"two nights may be chance", outages("a/b", "2026-11-16T02:10Z", "2026-11-17T02:12Z"), nil, nil, ""},
		{"three times in one night are one night", outages("a/b", "2026-11-16T00:10Z", "2026-11-16T04:12Z", "2026-11-16T20:10Z"), nil, nil, ""},
		{"three of seven at any hour may be chance", outages("a/b", "2026-11-16T02:10Z", "2026-11-17T02:12Z", "2026-11-18T02:12Z",
			"2026-11-19T07:00Z", "2026-11-20T10:00Z", "2026-11-21T13:00Z", "2026-11-22T16:00Z"), nil, nil, ""},
		{
			"the same place at any hour", outages("a/b", "2026-11-16T02:10Z", "2026-11-17T09:12Z", "2026-11-18T17:12Z"),
			[]string{`zone="b"`, `zone="b"`, `zone="b"`},
			nil,
			`a/b: 3 incidents, each by zone="b"; together they took 13.4 % of the budget: one fix for all of them, and write one postmortem for all?`,
		},
		{"another place each time", outages("a/b", "2026-11-16T02:10Z", "2026-11-17T09:12Z", "2026-11-18T17:12Z"), []string{`zone="b"`, `zone="a"`, `zone="c"`}, nil, ""},
		{
			"one person was called at night by what has nothing in common", outages("a/b", "2026-11-16T02:10Z", "2026-11-17T22:12Z", "2026-11-19T04:12Z"), nil,
			[]string{"Ada", "Ada", "Ada"},
			`Ada acknowledged out of hours in 3 shifts: who takes some of them?`,
		},
	} {
		in := input(t, "2026-W47 UTC", c.lives)
		in.Contributors = map[string]string{}
		for n, i := range in.Subjects[0].Incidents {
			if n < len(c.contributors) {
				in.Contributors[i.ID] = c.contributors[n]
			}
			if n < len(c.people) {
				in.Acts = append(in.Acts, done(alerting.Acknowledge, i.ID, c.people[n], i.Detected.Add(5*time.Minute), nil))
			}
		}
		var got []string
		for _, d := range report.Build(in).Decisions {
			if d.Topic == report.Repeated || d.Topic == report.Nights {
				got = append(got, strings.TrimPrefix(string(d.ID)+": "+d.Text, ": "))
			}
		}
		if strings.Join(got, "\n") != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.what, strings.Join(got, "\n"), c.want)
		}
	}
}

// What burns on one day of the week is found over the weeks.
func TestTheSameHourOfTheWeekIsSeen(t *testing.T) {
	in := input(t, "2026-W47 UTC", outages("a/b", "2026-11-17T10:05Z"))
	i := in.Subjects[0].Incidents[0]
	for week := 1; week <= 2; week++ {
		old := i
		old.ID = fmt.Sprintf("a/b/page/%d", week)
		old.Onset, old.Detected, old.Ended, old.Resolved = i.Onset.AddDate(0, 0, -7*week), i.Detected.AddDate(0, 0, -7*week), i.Ended.AddDate(0, 0, -7*week), i.Resolved.AddDate(0, 0, -7*week)
		old.Log, old.Last.Burn = nil, nil
		old.Last.At -= budget.Minutes(7 * slo.Day * time.Duration(week))
		in.Subjects[0].Incidents = append(in.Subjects[0].Incidents, old)
		r := report.Build(in)
		if found := len(r.Repetitions) > 0; found != (week == 2) {
			t.Fatalf("in %d weeks: %+v", week+1, r.Repetitions)
		}
		if week == 2 && !strings.HasPrefix(r.Repetitions[0].Text(), "burned on Tuesday at 10:05–10:25 again, and 2 times in the weeks before") {
			t.Errorf("it says %s", r.Repetitions[0].Text())
		}
	}
}

// A budget that lost much, and a postmortem in which nobody has written, are decisions.
func TestLossesAndEmptyDraftsAreDecisions(t *testing.T) {
	lives := outages("a/b", "2026-11-18T10:00Z") + "2026-11-18T10:00Z 2026-11-18T12:10Z 900/1000\n"
	for _, c := range []struct {
		what    string
		reviews []postmortem.Review
		want    string
	}{
		{"no postmortem was begun", nil, "lost 29.1 points of its budget, 70.9 % left; the incident of 2026-11-18 10:00 UTC took 29.0 %: who writes its postmortem, and what is its P0 item?"},
		{
			"its draft is empty",
			[]postmortem.Review{{Status: postmortem.StatusDraft, Blank: true}},
			"lost 29.1 points of its budget, 70.9 % left; the incident of 2026-11-18 10:00 UTC took 29.0 %, and its postmortem is an empty draft: who finishes it by 2026-11-25, and what is its P0 item?",
		},
		{
			"somebody has written",
			[]postmortem.Review{{Status: postmortem.StatusDraft}},
			"lost 29.1 points of its budget, 70.9 % left; the incident of 2026-11-18 10:00 UTC took 29.0 %: what keeps it from happening again?",
		},
		{
			"an older one is empty, too",
			[]postmortem.Review{
				{Status: postmortem.StatusInReview},
				{Incident: "a/b/page/1", SLO: "a/b", Status: postmortem.StatusDraft, Blank: true, Required: true, Resolved: time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)},
			},
			"lost 29.1 points of its budget, 70.9 % left; the incident of 2026-11-18 10:00 UTC took 29.0 %: what keeps it from happening again?\n" +
				"the draft of the incident that ended 2026-11-02 12:00 UTC is still empty: who finishes it?",
		},
	} {
		in := input(t, "2026-W47 UTC", lives)
		for n := range c.reviews {
			if c.reviews[n].Incident == "" {
				c.reviews[n].Incident = in.Subjects[0].Incidents[0].ID
			}
		}
		in.Reviews = c.reviews
		var got []string
		for _, d := range report.Build(in).Decisions {
			got = append(got, d.Text)
		}
		if strings.Join(got, "\n") != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.what, strings.Join(got, "\n"), c.want)
		}
	}
}

// A ticket that became a page is one page and no ticket; a ticket that did not is one.
func TestATicketThatBecameAPageIsCountedOnce(t *testing.T) {
	in := input(t, "2026-W47 UTC", fiveNights)
	in.Subjects[0].Incidents = in.Subjects[0].Incidents[:5]
	for n := range in.Subjects[0].Incidents {
		i := &in.Subjects[0].Incidents[n]
		if n > 2 {
			i.Log = i.Log[:1]
			i.Log[0].Severity = alerting.Ticket
			continue
		}
		ticket, page := i.Log[0], i.Log[0]
		ticket.Severity = alerting.Ticket
		page.Severity, page.Kind, page.At = alerting.Page, alerting.Escalated, page.At+2
		i.Log = []alerting.Event{ticket, page}
	}
	if l := report.Build(in).Load; l.Pages != 3 || l.Tickets != 2 {
		t.Errorf("%d pages and %d tickets", l.Pages, l.Tickets)
	}
}
