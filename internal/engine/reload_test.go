package engine_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/slo"
)

// reload swaps the SLOs and delivers what follows.
func (w *world) reload(specs ...*slo.Spec) error {
	w.t.Helper()
	set := slo.NewSet(specs, nil, nil)
	err := w.engine.Reload(context.Background(), engine.Terms{Set: set, Reports: w.reports}, w.now())
	if err == nil {
		w.set = set
	}
	w.deliver()
	return err
}

// during is a world in the midst of an incident.
func during(t *testing.T) *world {
	w := oneService(t, outage(50, [2]int{10, 40}))
	w.steps(15)
	if open := w.engine.Snapshot().Open.All(); len(open) != 1 {
		t.Fatalf("open: %+v", open)
	}
	return w
}

// TestRemoveDuringIncident (fault 36): an SLO that is taken out is closed with that as the reason;
// when it comes back, it starts anew and still knows its past.
func TestRemoveDuringIncident(t *testing.T) {
	w := during(t)
	if err := w.reload(); err != nil {
		t.Fatal(err)
	}
	is := w.incidents()
	if len(is) != 1 || is[0].Open || is[0].Last.Reason != alerting.SLORemoved {
		t.Fatalf("incidents: %+v", is)
	}
	if roots := w.rootsWith("No longer watched"); len(roots) != 1 || strings.Contains(roots[0].Text, "✅") || !strings.Contains(roots[0].Visible(), "Closed because the SLO was removed") {
		t.Errorf("the channel reads %q", w.roots())
	}
	w.steps(12) // longer than no_data
	if err := w.reload(promise("shop")); err != nil {
		t.Fatal(err)
	}
	w.steps(30)
	is = w.incidents()
	if len(is) != 2 || is[1].Open || is[1].Rule != alerting.RulePage {
		t.Errorf("incidents: %+v", is)
	}
	b, _ := w.engine.Snapshot().Budget("shop/availability")
	if b.Since.Before(t0) || b.Since.After(t0.Add(2*time.Minute)) {
		t.Errorf("its past begins at %s", b.Since)
	}
	w.restart()
	w.steps(2)
	if got := w.engine.Snapshot().Open.Len(); got != 0 {
		t.Errorf("%d open incidents", got)
	}
	w.checkOncePerKey()
}

// TestRemoveThread: two SLOs that burn in one thread are taken out. What is said last in the thread
// shows none of them as open.
func TestRemoveThread(t *testing.T) {
	second := promise("shop")
	second.Name = "second"
	w := newWorld(t, specsOf(promise("shop"), second), &service{name: "shop", load: outage(50, [2]int{10, 40})})
	w.steps(15)
	if open := w.engine.Snapshot().Open.All(); len(open) != 2 || open[0].Thread() != open[1].Thread() {
		t.Fatalf("open: %+v", open)
	}
	if err := w.reload(); err != nil {
		t.Fatal(err)
	}
	roots := w.slack.State().Roots(channel)
	if len(roots) != 1 || !strings.Contains(roots[0].Text, "No longer watched") || strings.Contains(roots[0].Visible(), "Also burning") {
		t.Errorf("the channel reads %q", roots[0].Visible())
	}
}

// TestRemovedWhileAway: the SLO is taken out of the files while slowburn does not run. Its incident
// does not stay open for ever.
func TestRemovedWhileAway(t *testing.T) {
	w := during(t)
	w.close()
	w.set = slo.NewSet(specsOf(promise("other")), nil, nil)
	w.open()
	w.steps(3)
	is := w.burns()
	if len(is) != 1 || is[0].Open || is[0].Last.Reason != alerting.SLORemoved {
		t.Errorf("incidents: %+v", is)
	}
	if roots := w.rootsWith("No longer watched"); len(roots) != 1 {
		t.Errorf("the channel reads %q", w.roots())
	}
	if open := w.engine.Snapshot().Open.All(); len(open) != 0 {
		t.Errorf("open: %+v", open)
	}
	w.restart()
	w.steps(2)
	w.checkOncePerKey()
}

// TestReloadFails: the disk refuses the reload. Everything stays as it was, the incident too.
func TestReloadFails(t *testing.T) {
	w := during(t)
	w.point = func(name string) error {
		if name == "store commit.incidents" {
			return errors.New("disk full")
		}
		return nil
	}
	if err := w.reload(); err == nil {
		t.Fatal("the reload went through")
	}
	w.point = nil
	if open := w.engine.Snapshot().Open.All(); len(open) != 1 {
		t.Errorf("open: %+v", open)
	}
	w.steps(40)
	if is := w.incidents(); len(is) != 1 || is[0].Last.Reason != alerting.BurnLow {
		t.Errorf("incidents: %+v", is)
	}
	w.checkTold()
	w.checkBudgets()
}

// TestReloadFailsWithEvidence: what was found out about an incident is still known after a reload
// that the disk refuses.
func TestReloadFailsWithEvidence(t *testing.T) {
	w := during(t)
	w.looks = true
	w.step()
	w.point = func(name string) error {
		if name == "store commit.incidents" {
			return errors.New("disk full")
		}
		return nil
	}
	if err := w.reload(); err == nil {
		t.Fatal("the reload went through")
	}
	if open := w.engine.Open(w.now()); len(open) != 1 || open[0].Found == nil {
		t.Errorf("%d open incidents, or no evidence", len(open))
	}
}

// TestObjectiveChanged (fault 36): new terms hold from the next minute on. The incident goes on,
// and ends when the new terms say so.
func TestObjectiveChanged(t *testing.T) {
	w := during(t)
	looser := promise("shop")
	looser.Objective, _ = slo.ParseObjective("98")
	if err := w.reload(looser); err != nil {
		t.Fatal(err)
	}
	w.step()
	if open := w.engine.Snapshot().Open.All(); len(open) != 1 {
		t.Fatalf("open: %+v", open)
	}
	w.steps(40)
	if is := w.incidents(); len(is) != 1 || is[0].Open || is[0].Last.Reason != alerting.BurnLow {
		t.Errorf("incidents: %+v", is)
	}
	b, _ := w.engine.Snapshot().Budget("shop/availability")
	if b.Spec.Objective.Percent() != "98" {
		t.Errorf("the objective is %s", b.Spec.Objective.Percent())
	}
	w.checkTold()
	w.checkBudgets()
}

// TestWhatTheFilesEndIsNotResolved: an SLO that promises less while it burns, or has no such alert
// any more, does not recover by that, and nobody is told that it did.
func TestWhatTheFilesEndIsNotResolved(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*slo.Spec)
		reason alerting.Reason
		says   string
	}{
		"easier":    {func(s *slo.Spec) { s.Objective, _ = slo.ParseObjective("20") }, alerting.PromiseChanged, "by what it promised when this began, the budget still burns"},
		"longer":    {func(s *slo.Spec) { s.Windows = []slo.Window{{Rolling: 300 * slo.Day}} }, alerting.PromiseChanged, "Closed because the SLO promises something else now"},
		"later":     {func(s *slo.Spec) { s.Alerts.Page = []slo.Pair{{Budget: 9000, Long: time.Hour, Short: 5 * time.Minute}} }, alerting.PromiseChanged, "Closed because the SLO promises something else now"},
		"no alerts": {func(s *slo.Spec) { s.Alerts.Page, s.Alerts.Ticket = nil, nil }, alerting.RuleRemoved, "Closed because the SLO has no such alert any more"},
	} {
		t.Run(name, func(t *testing.T) {
			w := during(t)
			changed := promise("shop")
			c.change(changed)
			if err := w.reload(changed); err != nil {
				t.Fatal(err)
			}
			w.steps(2)
			is := w.incidents()
			if len(is) != 1 || is[0].Open || is[0].Last.Reason != c.reason {
				t.Fatalf("incidents: %+v", is)
			}
			roots := w.rootsWith("No longer an alert")
			if len(roots) != 1 || strings.Contains(roots[0].Visible(), "✅") || strings.Contains(roots[0].Visible(), "It is over") || !strings.Contains(roots[0].Visible(), c.says) {
				t.Errorf("the channel reads %q", w.roots())
			}
		})
	}
}

// TestManyReloads (fault 35): two hundred reloads in the midst of an incident say nothing and
// forget nothing.
func TestManyReloads(t *testing.T) {
	w := during(t)
	before := w.told()
	for n := range 200 {
		if err := w.reload(promise("shop")); err != nil {
			t.Fatal(err)
		}
		if n%20 == 0 {
			w.step()
		}
	}
	for key := range w.told().Keys {
		if before.Keys[key] == "" && !strings.Contains(key, "/updated/") {
			t.Errorf("a reload owes %s", key)
		}
	}
	w.steps(40)
	if is := w.incidents(); len(is) != 1 || !is[0].Detected.Equal(before.Incidents[0].Detected) {
		t.Errorf("incidents: %+v", is)
	}
	w.checkTold()
	w.checkBudgets()
}

// TestAddedSLO: an SLO that is added gets its history, also when the daemon is killed before it is
// read.
func TestAddedSLO(t *testing.T) {
	for _, killed := range []bool{false, true} {
		w := newWorld(t, specsOf(promise("shop")), &service{name: "shop", load: steady(50)}, &service{name: "new", load: outage(50, [2]int{5, 8})})
		w.steps(20)
		if err := w.reload(promise("shop"), promise("new")); err != nil {
			t.Fatal(err)
		}
		w.steps(3)
		if killed {
			w.kill()
			w.revive()
		}
		if err := w.engine.FillAll(t.Context(), w.now()); err != nil {
			t.Fatal(err)
		}
		w.steps(3)
		b, ok := w.engine.Snapshot().Budget("new/availability")
		if !ok || b.Filling != 1 || b.Windows[0].Sum.Bad != 300*1000 || b.Since.After(t0.Add(-50*time.Minute)) {
			t.Errorf("killed %t: the budget is %+v", killed, b)
		}
		if is := w.incidents(); len(is) != 0 {
			t.Errorf("what was spent before is no news: %+v", is)
		}
		w.checkBudgets()
	}
}
