package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/crontime"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/incidents"
	"github.com/slowburn-sre/slowburn/internal/notify"
	"github.com/slowburn-sre/slowburn/internal/notify/notifytest"
	"github.com/slowburn-sre/slowburn/internal/report"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/slo"
)

const everyWay = "pagerduty: {routing_key_file: k, url: OTHER/v2/enqueue}\nwebhooks: [{url: OTHER/hook}]\nalertmanagers: [{url: OTHER/am}]\n"

// drill makes a drill and goes on with it until it is over, or for so many minutes.
func (w *wired) runDrill(t *testing.T, loud bool, minutes int) map[string]*api.Drill {
	t.Helper()
	if err := w.inbox.drill(t.Context(), api.NewDrill{Loud: loud}); err != nil {
		t.Fatal(err)
	}
	return w.tend(t, minutes)
}

func (w *wired) tend(t *testing.T, minutes int) map[string]*api.Drill {
	t.Helper()
	for range minutes * 6 {
		if _, err := w.Pump.Pass(t.Context(), w.at); err != nil {
			t.Fatal(err)
		}
		w.at = w.at.Add(10 * time.Second)
		if err := w.drills.tendAll(t.Context(), w.at); err != nil {
			t.Fatal(err)
		}
	}
	all := map[string]*api.Drill{}
	for _, way := range w.arrival.standing().Destinations {
		all[way.Name()] = way.Drill
	}
	return all
}

// drilled returns the texts of a channel's messages that are drills.
func (w *wired) drillsIn(channel string) (all []string) {
	for _, m := range w.slack.Messages(channel) {
		if strings.Contains(m.Text, "Drill") {
			all = append(all, m.Text)
		}
	}
	return all
}

// TestASilentDrillProvesEveryWayAndLeavesNothing: it is taken by every receiver, wakes nobody,
// leaves no message in the channel, and no trace in what is reported.
func TestASilentDrillProvesEveryWayAndLeavesNothing(t *testing.T) {
	w := wire(t, everyWay)
	w.pass(t, 1)
	sent := len(w.other.Got())
	before, err := w.db.Incidents(t.Context(), store.IncidentFilter{})
	if err != nil {
		t.Fatal(err)
	}
	if d := w.drills.reported(w.at); d != nil {
		t.Errorf("before the first drill: %+v", d)
	}
	for way, d := range w.runDrill(t, false, 1) {
		if d == nil || !d.Proven || d.Running || d.LastProven == nil {
			t.Errorf("%s: %+v", way, d)
		}
	}
	if all := w.drillsIn(oncall); len(all) != 0 {
		t.Errorf("the channel reads %q", all)
	}
	posted := 0
	for _, c := range w.slack.Calls("chat.postMessage") {
		if strings.Contains(c.Text, "Drill") {
			posted++
			if strings.Contains(c.Text, "<!") || c.HasBlock("actions") {
				t.Errorf("it calls somebody: %q", c.Text)
			}
		}
	}
	if posted != 1 {
		t.Errorf("%d messages in Slack", posted)
	}
	paths := map[string]int{}
	for _, r := range w.other.Got()[sent:] {
		if !strings.Contains(string(r.Body), "Drill") {
			continue
		}
		paths[r.Path]++
		switch r.Path {
		case "/v2/change/enqueue":
			if strings.Contains(string(r.Body), "event_action") || !strings.Contains(string(r.Body), testKey) {
				t.Errorf("the pager is told %s", r.Body)
			}
		case "/am/api/v2/alerts":
			var all []struct{ StartsAt, EndsAt time.Time }
			if err := json.Unmarshal(r.Body, &all); err != nil || len(all) != 1 || all[0].EndsAt.After(w.at) {
				t.Errorf("an alert that fires: %s", r.Body)
			}
		}
	}
	if paths["/v2/change/enqueue"] != 1 || paths["/am/api/v2/alerts"] != 1 || paths["/hook"] != 1 || len(paths) != 3 {
		t.Errorf("requests: %v", paths)
	}
	if d := w.drills.reported(w.at); d == nil || d.Proven != d.Routes || d.Routes != 8 || d.Destinations != 4 || len(d.Unproven) != 0 {
		t.Errorf("a report says %+v", d)
	}
	if d := w.drills.reported(w.at.Add(8 * 24 * time.Hour)); d.Proven != 0 || len(d.Unproven) != 4 {
		t.Errorf("eight days later it says %+v", d)
	}
	after, err := w.db.Incidents(t.Context(), store.IncidentFilter{})
	acts, err2 := w.db.Acts(t.Context(), store.ActFilter{})
	if err := errors.Join(err, err2); err != nil || len(after) != len(before) || len(acts) != 0 {
		t.Errorf("%v: %d incidents, %d before, %d acts", err, len(after), len(before), len(acts))
	}
}

// TestADrillThatIsRefusedProvesNothing: one channel is archived. The others are proven; the report
// says which way is not, and nothing of the drill arrives when the channel is back.
func TestADrillThatIsRefusedProvesNothing(t *testing.T) {
	w := wire(t, everyWay)
	w.pass(t, 1)
	w.slack.RevokeToken(w.slack.Token)
	for way, d := range w.runDrill(t, false, 3) {
		if broken := strings.HasPrefix(way, "slack"); d.Proven == broken || broken && d.Reason != "misconfigured: token_revoked" {
			t.Errorf("%s: %+v", way, d)
		}
	}
	if d := w.drills.reported(w.at); d.Proven != 6 || d.Routes != 8 || len(d.Unproven) != 1 || d.Unproven[0].Destination != "slack "+oncall {
		t.Errorf("a report says %+v", d)
	}
	w.slack.SetToken(w.slack.Token, "chat:write", "channels:history", "channels:read")
	w.tend(t, 12)
	if all := w.drillsIn(oncall); len(all) != 0 {
		t.Errorf("the channel reads %q", all)
	}
}

// TestALoudDrillIsAnsweredByAPerson: it calls those whom a page calls, over a restart too, and the
// message says who has answered, and when.
func TestALoudDrillIsAnsweredByAPerson(t *testing.T) {
	w := wire(t, everyWay)
	w.pass(t, 1)
	before, err := w.db.Incidents(t.Context(), store.IncidentFilter{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.inbox.drill(t.Context(), api.NewDrill{Loud: true}); err != nil {
		t.Fatal(err)
	}
	for way, r := range w.drills.results { // somebody is faster than the look whether it was taken
		if strings.Contains(way, "slack") {
			if err := w.drills.answer(t.Context(), alerting.Act{Kind: alerting.Acknowledge, Incident: r.ID, By: "Bo"}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for way, d := range w.tend(t, 1) {
		if !d.Proven || strings.HasPrefix(way, "slack") && d.AcknowledgedBy != "Bo" {
			t.Errorf("%s: %+v", way, d)
		}
	}
	w.at = w.at.Add(time.Hour)
	all := w.runDrill(t, true, 1)
	if d := all["slack "+oncall]; !d.Running {
		t.Fatalf("%+v", d)
	}
	if err := w.inbox.drill(t.Context(), api.NewDrill{}); !errors.Is(err, errDrilling) {
		t.Errorf("a second drill: %v", err)
	}
	if texts := w.drillsIn(oncall); len(texts) != 2 || !strings.Contains(texts[1], "please acknowledge this") {
		t.Errorf("the channel reads %q", texts)
	}
	snap, err := w.db.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.drills.recall(snap.Facts, w.at) // a restart
	var id string
	for _, r := range w.drills.results {
		if strings.Contains(r.ID, "slack") {
			id = r.ID
		}
	}
	if i, ok := (backend{w.Daemon}).Incident(t.Context(), id); !ok || !i.Open {
		t.Fatalf("Slack's button finds %+v", i)
	}
	act := alerting.Act{Kind: alerting.Acknowledge, Incident: id, By: "Ana Sousa", Key: "k"}
	if _, err := w.inbox.do(t.Context(), act); err != nil {
		t.Fatal(err)
	}
	if _, err := w.inbox.do(t.Context(), act); err != nil {
		t.Errorf("the same answer once more: %v", err)
	}
	act.Key = "another"
	var no *incidents.ActError
	if _, err := w.inbox.do(t.Context(), act); !errors.As(err, &no) || no.Problem != incidents.ActConflict {
		t.Errorf("a second answer: %v", err)
	}
	for way, d := range w.tend(t, 2) {
		slack := strings.HasPrefix(way, "slack")
		if !d.Proven || slack != (d.AcknowledgedBy == "Ana Sousa" && d.Answer != nil && *d.Answer > 30) {
			t.Errorf("%s: %+v", way, d)
		}
	}
	if texts := w.drillsIn(oncall); len(texts) != 2 || !strings.Contains(texts[1], "Ana Sousa acknowledged this drill after") {
		t.Errorf("the channel reads %q", texts)
	}
	if d := w.drills.reported(w.at); len(d.Answers) != 1 || d.Answers[0].By != "Ana Sousa" {
		t.Errorf("a report says %+v", d)
	}
	var ended bool
	for _, r := range w.other.Got() {
		ended = ended || strings.Contains(string(r.Body), `"resolve"`) && strings.Contains(string(r.Body), "drill/")
	}
	if !ended {
		t.Error("the pager's alert was not resolved")
	}
	found, err := w.db.Incidents(t.Context(), store.IncidentFilter{})
	acts, err2 := w.db.Acts(t.Context(), store.ActFilter{})
	if err := errors.Join(err, err2); err != nil || len(acts) != 0 || len(found) != len(before) {
		t.Errorf("%v: a drill and its answer count as %d acts, and there are %d incidents, %d before", err, len(acts), len(found), len(before))
	}
}

// TestNobodyAnswersALoudDrill: what was taken and not acknowledged is not proven.
func TestNobodyAnswersALoudDrill(t *testing.T) {
	w := wire(t, everyWay)
	w.pass(t, 1)
	for way, d := range w.runDrill(t, true, 17) {
		if slack := strings.HasPrefix(way, "slack"); d.Running || d.Proven == slack || slack && d.Reason != "nobody acknowledged it" {
			t.Errorf("%s: %+v", way, d)
		}
	}
}

// TestScheduledDrills: one per time, not for times long past, over a restart too.
func TestScheduledDrills(t *testing.T) {
	w := wire(t, "")
	w.pass(t, 1)
	cron, err := crontime.Parse("30 12 * * *", "")
	if err != nil {
		t.Fatal(err)
	}
	with := *w.ways.Load()
	with.drill.Schedule = &cron
	w.ways.Store(&with)
	made := func() time.Time {
		if err := w.drills.schedule(t.Context(), w.at); err != nil {
			t.Fatal(err)
		}
		w.tend(t, 1)
		return w.drills.results["slack "+oncall].At
	}
	day := w.at.Truncate(24 * time.Hour)
	w.drills.recall(nil, w.at)
	if at := made(); !at.IsZero() {
		t.Errorf("before its time, at %s", at)
	}
	w.at = day.Add(12*time.Hour + 31*time.Minute)
	first := made()
	if first.IsZero() {
		t.Fatal("not at its time")
	}
	snap, err := w.db.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.drills.recall(snap.Facts, w.at)
	if at := made(); !at.Equal(first) {
		t.Errorf("again, at %s", at)
	}
	w.at = day.Add(36*time.Hour + 40*time.Minute + 2*time.Hour)
	if at := made(); !at.Equal(first) {
		t.Errorf("two hours late, at %s", at)
	}
}

// TestADrillCountsNowhere: beside its own section, a report reads as if no drill had been made and
// none answered, and so does the register. The section tells the same as text and as data.
func TestADrillCountsNowhere(t *testing.T) {
	w := wire(t, everyWay)
	w.pass(t, 1)
	w.Engine.Drills = w.drills.reported
	snap, err := w.db.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	account := snap.Accounts[notifytest.ID]
	page := notifytest.Story("", false)[0].Incident
	if err := w.db.Commit(t.Context(), store.Tick{At: w.at, Turns: []store.Turn{{SLO: notifytest.ID, State: account.State, Incidents: []alerting.Incident{page}}}}); err != nil {
		t.Fatal(err)
	}
	period, now := report.PeriodOf(slo.Week, w.at), w.at.Add(time.Hour)
	section := regexp.MustCompile(`(?s)\n### Drills\n(.*?)\n### `)
	told := func() (rest, text string, d *api.ReportDrills) {
		t.Helper()
		r, ok, err := w.Engine.MakeReport(t.Context(), "weekly", period, now)
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		entries, err := w.Archive.register(t.Context(), w.at.AddDate(0, -1, 0), w.at.AddDate(0, 1, 0))
		if err != nil || len(entries) == 0 {
			t.Fatalf("%v: %d entries in the register", err, len(entries))
		}
		data := map[string]any{}
		if err := json.Unmarshal(r.Data, &data); err != nil {
			t.Fatal(err)
		}
		if data["drills"] != nil {
			d = &api.ReportDrills{}
			if err := json.Unmarshal(notify.JSON(data["drills"]), d); err != nil {
				t.Fatal(err)
			}
		}
		delete(data, "drills")
		if found := section.FindStringSubmatch(r.Markdown); found != nil {
			text = found[1]
		}
		rest = section.ReplaceAllString(r.Markdown, "\n### ")
		return string(notify.JSON(data)) + rest + string(notify.JSON(api.RegisterOf(entries))), text, d
	}
	before, text, d := told()
	if text != "" || d != nil {
		t.Errorf("before the first drill: %q, %+v", text, d)
	}
	w.runDrill(t, true, 1)
	for _, r := range w.drills.results {
		if strings.Contains(r.ID, "slack") {
			if _, err := w.inbox.do(t.Context(), alerting.Act{Kind: alerting.Acknowledge, Incident: r.ID, By: "Ana Sousa", Key: "k"}); err != nil {
				t.Fatal(err)
			}
			break
		}
	}
	w.tend(t, 2)
	after, text, d := told()
	if after != before {
		t.Errorf("a drill counts:\n%s\nbefore:\n%s", after, before)
	}
	if d == nil || len(d.Answers) != 1 || d.Answers[0].By != "Ana Sousa" {
		t.Fatalf("data: %+v", d)
	}
	for _, want := range []string{
		fmt.Sprintf("%d of %d routes", d.Proven, d.Routes), fmt.Sprintf("one of %d destinations", d.Destinations),
		"| Ana Sousa | " + figures.Duration(time.Duration(d.Answers[0].Seconds*float64(time.Second))) + " |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %q", want, text)
		}
	}
}
