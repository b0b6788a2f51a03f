package engine_test

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/incidents"
	"github.com/slowburn-sre/slowburn/internal/store"
)

// burning is a world in the middle of an outage, and its incident.
func burning(t testing.TB) (*world, alerting.Incident) {
	t.Helper()
	w := oneService(t, outage(50, [2]int{4, 20}))
	w.steps(10)
	open := w.engine.Snapshot().Open.All()
	if len(open) != 1 {
		t.Fatalf("%d incidents are open", len(open))
	}
	return w, open[0]
}

func (w *world) do(a alerting.Act) error {
	return w.engine.Do(context.Background(), a, w.daemonNow())
}

func (w *world) mustDo(a alerting.Act) {
	w.t.Helper()
	if err := w.do(a); err != nil {
		w.t.Fatal(err)
	}
	w.deliver()
}

// replies are the messages in the thread of a root, oldest first.
func (w *world) replies() []string {
	var out []string
	for _, m := range w.slack.State().All(channel) {
		if m.ThreadTS != "" && m.ThreadTS != m.TS {
			out = append(out, m.Text)
		}
	}
	return out
}

func TestAnAcknowledgementIsSeenByEverybody(t *testing.T) {
	w, i := burning(t)
	ack := alerting.Act{Key: "k1", Kind: alerting.Acknowledge, By: "Ada", Via: "api", Incident: i.ID}
	w.mustDo(ack)
	w.mustDo(ack) // a button pressed twice
	w.mustDo(alerting.Act{Key: "k2", Kind: alerting.Acknowledge, By: "Ada", Incident: i.ID})
	if got := w.replies(); len(got) != 1 || !strings.Contains(got[0], "Acknowledged by Ada") {
		t.Errorf("the thread reads %q", got)
	}
	w.restart()
	w.steps(20)
	got := w.incidents()[0]
	if a, ok := got.Acknowledged(); !ok || a.By != "Ada" || a.SLO != i.SLO || len(got.Acts) != 1 {
		t.Errorf("the incident says %+v", got.Acts)
	}
	if d, ok := got.TimeToAcknowledge(); !ok || d <= 0 || d > 6*time.Minute {
		t.Errorf("it was acknowledged after %s, %v", d, ok)
	}
	log, err := w.store.Acts(context.Background(), store.ActFilter{})
	if err != nil || len(log) != 1 {
		t.Errorf("the audit log holds %+v, %v", log, err)
	}
	w.checkOncePerKey()
}

func TestWhatCannotBeDoneIsSaidClearly(t *testing.T) {
	w, i := burning(t)
	w.steps(30)
	act := func(kind alerting.ActKind, change func(*alerting.Act)) alerting.Act {
		a := alerting.Act{Key: "k", Kind: kind, By: "Ada", Incident: i.ID}
		if change != nil {
			change(&a)
		}
		return a
	}
	for what, tc := range map[string]struct {
		act  alerting.Act
		want incidents.ActProblem
	}{
		"nobody does it":                {act(alerting.Acknowledge, func(a *alerting.Act) { a.By = "" }), incidents.ActInvalid},
		"an act that nobody knows":      {act("dance", nil), incidents.ActInvalid},
		"a silence in the past":         {act(alerting.Silence, func(a *alerting.Act) { a.Until = t0 }), incidents.ActInvalid},
		"a silence of everything":       {act(alerting.Silence, func(a *alerting.Act) { a.Incident, a.Until = "", t0.Add(99*time.Hour) }), incidents.ActInvalid},
		"a service without end":         {act(alerting.Silence, func(a *alerting.Act) { a.Incident, a.Service = "", "shop" }), incidents.ActInvalid},
		"a note without words":          {act(alerting.Remark, nil), incidents.ActInvalid},
		"an incident that never was":    {act(alerting.Acknowledge, func(a *alerting.Act) { a.Incident = "x" }), incidents.ActUnknown},
		"an SLO that never was":         {act(alerting.Silence, func(a *alerting.Act) { a.Incident, a.SLO, a.Until = "", "a/b", t0.Add(99*time.Hour) }), incidents.ActUnknown},
		"taking back what was not done": {act(alerting.Undo, func(a *alerting.Act) { a.Other = "x" }), incidents.ActUnknown},
		"an incident that is over":      {act(alerting.Acknowledge, nil), incidents.ActConflict},
	} {
		var problem *incidents.ActError
		if err := w.do(tc.act); !errors.As(err, &problem) || problem.Problem != tc.want {
			t.Errorf("%s: %v, want %s", what, err, tc.want)
		}
	}
	w.mustDo(act(alerting.Remark, func(a *alerting.Act) { a.Text = "It was the cache." }))
	if got := w.incidents()[0]; len(got.Acts) != 1 || got.Open {
		t.Errorf("a note on what is over: %+v", got)
	}
}

func TestAnActThatCannotBeWrittenDownDoesNothing(t *testing.T) {
	w, i := burning(t)
	ack := alerting.Act{Key: "k", Kind: alerting.Acknowledge, By: "Ada", Incident: i.ID}
	w.point = func(string) error { return syscall.ENOSPC }
	if err := w.do(ack); err == nil {
		t.Error("it was taken")
	}
	w.point = nil
	if _, acked := w.engine.Snapshot().Open.All()[0].Acknowledged(); acked {
		t.Error("it came to something")
	}
	w.mustDo(ack)
	if got := w.replies(); len(got) != 1 {
		t.Errorf("the thread reads %q", got)
	}
}

func TestASilenceGivenInAdvanceKeepsTheChannelQuiet(t *testing.T) {
	w := oneService(t, outage(50, [2]int{4, 20}, [2]int{120, 140}))
	w.step()
	w.mustDo(alerting.Act{Key: "k", Kind: alerting.Silence, By: "Ada", Service: "shop", Until: t0.Add(time.Hour)})
	w.restart()
	w.steps(60)
	if got := w.roots(); len(got) != 0 {
		t.Errorf("under the silence the channel reads %q", got)
	}
	w.steps(70)
	if got := w.rootsWith("Page"); len(got) != 1 {
		t.Errorf("after the silence the channel reads %q", w.roots())
	}
	if is := w.incidents(); len(is) != 2 || len(is[0].Acts) != 1 || len(is[1].Acts) != 0 {
		t.Errorf("the incidents are %+v", is)
	}
}
