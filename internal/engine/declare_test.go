package engine_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/incidents"
	"github.com/slowburn-sre/slowburn/postmortem"
	"github.com/slowburn-sre/slowburn/slo"
)

// incident is the incident of an ID, as the store has it.
func (w *world) incident(id string) alerting.Incident {
	w.t.Helper()
	for _, i := range w.incidents() {
		if i.ID == id {
			return i
		}
	}
	w.t.Fatalf("there is no incident %s", id)
	return alerting.Incident{}
}

func TestADeclaredIncidentLivesFromItsActToItsEnd(t *testing.T) {
	// One request in fifty fails: far too few for an alert.
	w := oneService(t, func(budget.Minute) (int, int) { return 49, 1 })
	w.steps(20)
	act := alerting.Act{
		Key: "d", Kind: alerting.Declare, By: "Ada", SLO: "shop/availability", Level: alerting.Page,
		Text: "Card payments hang", Since: w.now().Add(-10 * time.Minute),
	}
	w.mustDo(act)
	id := alerting.DeclaredID(act)
	i := w.incident(id)
	if !i.Open || i.Rule != alerting.RuleDeclared || i.Title() != "Card payments hang" || i.TimeToDetect() < 9*time.Minute || i.Bad() == 0 {
		t.Fatalf("it was declared as %+v", i)
	}
	if got := w.rootsWith("Page"); len(got) != 1 || !strings.Contains(got[0].Text, "shop/availability has an incident: Card payments hang") {
		t.Errorf("the channel reads %q", w.roots())
	}
	w.restart()
	w.mustDo(act) // told again by somebody who heard no answer
	w.mustDo(alerting.Act{Key: "a", Kind: alerting.Acknowledge, By: "Ben", Incident: id})
	w.mustDo(alerting.Act{Key: "m", Kind: alerting.Mitigated, By: "Ben", Incident: id})
	w.steps(10)
	w.mustDo(alerting.Act{Key: "t", Kind: alerting.Escalate, Level: alerting.Ticket, By: "Ben", Incident: id})
	w.steps(10)
	ended := w.now()
	w.mustDo(alerting.Act{Key: "c", Kind: alerting.Close, By: "Ben", Incident: id, Text: "The bank is back"})
	w.restart()
	w.steps(5)
	i = w.incident(id)
	_, acked := i.Acknowledged()
	if i.Open || !acked || i.Severity != alerting.Page || w.engine.Snapshot().Open.Len() != 0 || len(w.incidents()) != 1 {
		t.Errorf("it ended as %+v", i)
	}
	// Its account is what the ledger holds from its onset to its end, although that came in only
	// after the end.
	var want budget.Sum
	w.engine.Snapshot().WithLedger("shop/availability", func(_ *slo.Spec, l *budget.Ledger) {
		want = l.Sum(budget.MinuteOf(i.Onset), budget.MinuteOf(ended))
	})
	if i.Bad() != want.Bad || i.Last.Burn.Total != want.Total || want.Bad < 29*2*budget.Unit {
		t.Errorf("it took %d of %d, the ledger holds %+v", i.Bad(), i.Last.Burn.Total, want)
	}
	if got := w.roots(); len(got) != 1 || !strings.HasPrefix(got[0], "✅") {
		t.Errorf("the channel reads %q", got)
	}
	replies := strings.Join(w.replies(), "\n")
	for _, part := range []string{"Acknowledged by Ben", "Mitigated by Ben", "Made a ticket by Ben", "is over after"} {
		if strings.Count(replies, part) != 1 {
			t.Errorf("the thread tells %q %d times:\n%s", part, strings.Count(replies, part), replies)
		}
	}
	w.checkOncePerKey()
}

func TestAServiceAsAWholeMayHaveAnIncidentOfUnknownCost(t *testing.T) {
	w := oneService(t, outage(50))
	w.steps(3)
	act := alerting.Act{Key: "d", Kind: alerting.Declare, By: "Ada", Service: "shop", Level: alerting.Ticket, Text: "The logo is upside down"}
	w.mustDo(act)
	w.restart()
	w.steps(40)
	id := alerting.DeclaredID(act)
	if i := w.incident(id); i.Last.Burn != nil || i.SLO != "shop" || i.SLO.Service() != "shop" {
		t.Errorf("it is %+v", i)
	}
	if got := w.rootsWith("shop has an incident: The logo is upside down"); len(got) != 1 {
		t.Errorf("the channel reads %q", w.roots())
	}
	w.mustDo(alerting.Act{Key: "c", Kind: alerting.Close, By: "Ada", Incident: id})
	w.steps(3)
	if i := w.incident(id); i.Open || i.Bad() != 0 || i.Duration() < 40*time.Minute {
		t.Errorf("it ended as %+v", i)
	}
}

func TestADeclaredPageThatNobodyTakesIsSaidAgain(t *testing.T) {
	spec := promise("shop")
	spec.Slack.Escalate.After = 10 * time.Minute
	w := newWorld(t, specsOf(spec), &service{name: "shop", load: outage(50)})
	w.steps(3)
	w.mustDo(alerting.Act{Key: "s", Kind: alerting.Silence, By: "Ada", Service: "shop", Until: w.now().Add(5 * time.Minute)})
	w.step()
	act := alerting.Act{Key: "d", Kind: alerting.Declare, By: "Ada", Service: "shop", Level: alerting.Page, Text: "Fire"}
	w.mustDo(act)
	if got := w.roots(); len(got) != 0 {
		t.Errorf("under a silence the channel reads %q", got)
	}
	w.steps(60)
	var kinds []string
	for _, e := range w.incident(alerting.DeclaredID(act)).Log {
		kinds = append(kinds, string(e.Reason))
	}
	got := strings.Join(kinds, " ")
	if strings.Count(got, "unacknowledged") != 3 || strings.Count(got, "silence_over") != 1 {
		t.Errorf("it reads %s", got)
	}
}

// twoServices is a world in which two services burn at the same time, and their incidents.
func twoServices(t *testing.T) (w *world, shop, pay alerting.Incident) {
	t.Helper()
	w = newWorld(t, specsOf(promise("pay"), promise("shop")),
		&service{name: "pay", load: outage(50, [2]int{5, 60})}, &service{name: "shop", load: outage(50, [2]int{4, 40})})
	w.steps(12)
	open := w.engine.Snapshot().Open.All()
	if len(open) != 2 || open[0].SLO != "pay/availability" {
		t.Fatalf("open are %+v", open)
	}
	return w, open[1], open[0]
}

func TestMergedIncidentsAreToldInOneThreadAndStayTheirOwn(t *testing.T) {
	w, shop, pay := twoServices(t)
	w.mustDo(alerting.Act{Key: "m", Kind: alerting.Merge, By: "Ada", Incident: pay.ID, Other: shop.ID})
	w.restart()
	got := w.incident(pay.ID)
	if got.MergedInto() != shop.ID || got.Thread() != shop.ID {
		t.Fatalf("it is %+v", got)
	}
	if roots := w.rootsWith("Merged by Ada"); len(roots) != 1 || len(w.roots()) != 2 {
		t.Errorf("the channel reads %q", w.roots())
	}
	w.steps(70)
	thread := w.thread(shop.ID)
	if !strings.Contains(strings.Join(thread, "\n"), "Resolved: requests on pay failed") {
		t.Errorf("the end is not told in the thread of the other: %q", thread)
	}
	if bad := w.incident(pay.ID).Bad(); bad != 55*100*budget.Unit {
		t.Errorf("its own cost is %d", bad)
	}
	w.checkReferenceOf()
	w.checkOncePerKey()
}

func TestSplitGivesAnIncidentAThreadOfItsOwn(t *testing.T) {
	w, shop, pay := twoServices(t)
	w.mustDo(alerting.Act{Key: "m", Kind: alerting.Merge, By: "Ada", Incident: pay.ID, Other: shop.ID})
	w.steps(2)
	w.mustDo(alerting.Act{Key: "s", Kind: alerting.Split, By: "Ben", Incident: pay.ID})
	w.steps(70)
	if got := w.incident(pay.ID); got.MergedInto() != "" || got.Thread() != pay.ID || got.Open {
		t.Errorf("it is %+v", got)
	}
	for _, root := range w.roots() {
		if !strings.HasPrefix(root, "✅") {
			t.Errorf("a root is left at %q", root)
		}
	}
	if thread := strings.Join(w.thread(pay.ID), "\n"); !strings.Contains(thread, "Resolved: requests on pay failed") {
		t.Errorf("its thread reads %q", thread)
	}
}

func TestWhoAcknowledgesOneOfAThreadHasThemAll(t *testing.T) {
	w, shop, pay := twoServices(t)
	w.mustDo(alerting.Act{Key: "m", Kind: alerting.Merge, By: "Ada", Incident: pay.ID, Other: shop.ID})
	w.mustDo(alerting.Act{Key: "a", Kind: alerting.Acknowledge, By: "Ben", Incident: shop.ID})
	w.restart()
	for _, id := range []string{shop.ID, pay.ID} {
		if a, ok := w.incident(id).Acknowledged(); !ok || a.By != "Ben" || a.Incident != id {
			t.Errorf("%s is acknowledged by %+v", id, a)
		}
	}
	if told := strings.Count(strings.Join(w.replies(), "\n"), "Acknowledged by Ben"); told != 1 {
		t.Errorf("it is told %d times: %q", told, w.replies())
	}
	w.mustDo(alerting.Act{Key: "u", Kind: alerting.Undo, By: "Ben", Incident: shop.ID, Other: "a"})
	if _, still := w.incident(pay.ID).Acknowledged(); still {
		t.Error("what was taken back still holds for the other")
	}
}

func TestWhatCannotBeDeclaredOrMergedIsSaidClearly(t *testing.T) {
	w, shop, pay := twoServices(t)
	w.mustDo(alerting.Act{Key: "m", Kind: alerting.Merge, By: "Ada", Incident: pay.ID, Other: shop.ID})
	declare := alerting.Act{Key: "d", Kind: alerting.Declare, By: "Ada", Service: "shop", Level: alerting.Ticket, Text: "x"}
	with := func(change func(*alerting.Act)) alerting.Act { a := declare; change(&a); return a }
	for what, tc := range map[string]struct {
		act  alerting.Act
		want incidents.ActProblem
	}{
		"no words":                   {with(func(a *alerting.Act) { a.Text = "" }), incidents.ActInvalid},
		"no severity":                {with(func(a *alerting.Act) { a.Level = "" }), incidents.ActInvalid},
		"nothing that it is about":   {with(func(a *alerting.Act) { a.Service = "" }), incidents.ActInvalid},
		"tomorrow":                   {with(func(a *alerting.Act) { a.Since = w.now().Add(slo.Day) }), incidents.ActInvalid},
		"a service that never was":   {with(func(a *alerting.Act) { a.Service = "bank" }), incidents.ActUnknown},
		"to close what burns":        {alerting.Act{Key: "c", Kind: alerting.Close, By: "Ada", Incident: shop.ID}, incidents.ActConflict},
		"to split what is alone":     {alerting.Act{Key: "c", Kind: alerting.Split, By: "Ada", Incident: shop.ID}, incidents.ActConflict},
		"a merge with itself":        {alerting.Act{Key: "c", Kind: alerting.Merge, By: "Ada", Incident: shop.ID, Other: shop.ID}, incidents.ActInvalid},
		"a merge in a circle":        {alerting.Act{Key: "c", Kind: alerting.Merge, By: "Ada", Incident: shop.ID, Other: pay.ID}, incidents.ActConflict},
		"a merge with nothing":       {alerting.Act{Key: "c", Kind: alerting.Merge, By: "Ada", Incident: shop.ID, Other: "x"}, incidents.ActUnknown},
		"undoing a merge by its key": {alerting.Act{Key: "c", Kind: alerting.Undo, By: "Ada", Incident: pay.ID, Other: "m"}, incidents.ActConflict},
	} {
		var problem *incidents.ActError
		if err := w.do(tc.act); !errors.As(err, &problem) || problem.Problem != tc.want {
			t.Errorf("%s: %v, want %s", what, err, tc.want)
		}
	}
}

// thread are the replies in the thread of an incident's root message.
func (w *world) thread(incident string) []string {
	var out []string
	st := w.slack.State()
	for _, root := range st.Roots(channel) {
		if root.Metadata == nil || root.Metadata.Payload["incident"] != incident {
			continue
		}
		for _, m := range st.Thread(channel, root.TS) {
			out = append(out, m.Text)
		}
	}
	return out
}

// checkReferenceOf compares the events of the rules with the reference, whatever people did.
func (w *world) checkReferenceOf() {
	w.t.Helper()
	for n, s := range w.services {
		var to budget.Minute
		w.engine.Snapshot().WithLedger(w.set.Specs[n].ID(), func(_ *slo.Spec, l *budget.Ledger) { to = l.End() })
		for _, want := range alerting.Fold(nil, reference(w.set.Specs[n], s, budget.MinuteOf(t0)+1, to)) {
			if got := w.incident(want.ID); len(got.Log) != len(want.Log) || got.Bad() != want.Bad() {
				w.t.Errorf("%s: %d events and %d bad, want %d and %d", want.ID, len(got.Log), got.Bad(), len(want.Log), want.Bad())
			}
		}
	}
}

// TestWhatIsDeclaredAboutAnSLOWithLabelsIsDrafted: an SLO with `by:` has a budget for each value of
// the label and none of its own. What is declared about all of it is no less an incident.
func TestWhatIsDeclaredAboutAnSLOWithLabelsIsDrafted(t *testing.T) {
	spec := promise("shop")
	spec.By = []string{"route"}
	w := newWorld(t, specsOf(spec), &service{name: "shop", load: steady(10)})
	w.steps(5)
	act := alerting.Act{Key: "d", Kind: alerting.Declare, By: "Ada", SLO: spec.ID(), Level: alerting.Page, Text: "Card payments hang"}
	w.mustDo(act)
	i, drafted := w.incident(alerting.DeclaredID(act)), ""
	found := w.engine.Snapshot().WithSteps(i.SLO, func(in alerting.Input, _ []alerting.Input) {
		drafted = postmortem.Draft(postmortem.Facts{Incident: i, Spec: in.Spec, Ledger: in.Ledger}).Markdown()
	})
	if !found || !strings.Contains(drafted, "Card payments hang") {
		t.Errorf("found %v, drafted %s", found, drafted)
	}
	for _, id := range []slo.ID{"shop/elsewhere", `shop/availability{route="/gone"}`} {
		if w.engine.Snapshot().WithSteps(id, func(alerting.Input, []alerting.Input) {}) {
			t.Errorf("%s is found", id)
		}
	}
}
