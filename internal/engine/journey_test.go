package engine_test

import (
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/internal/incidents"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/slo"
)

// journey is an SLO over the availability of the services.
func journey(name string, combine slo.Combine, services ...string) *slo.Spec {
	j := promise(name)
	j.SLI = slo.Indicator{Kind: slo.Composed, Journey: &slo.Journey{Combine: combine}}
	for _, s := range services {
		j.SLI.Journey.Steps = append(j.SLI.Journey.Steps, slo.Step{SLO: slo.ID(s + "/availability"), Weight: 1000})
	}
	return j
}

// ledger is a copy-free look at a ledger; the tests tick in between only.
func (w *world) ledger(id slo.ID) *budget.Ledger {
	w.t.Helper()
	var out *budget.Ledger
	if !w.engine.Snapshot().WithLedger(id, func(_ *slo.Spec, l *budget.Ledger) { out = l }) {
		w.t.Fatalf("there is no ledger of %s", id)
	}
	return out
}

// checkJourney compares every minute of a journey with what its steps' ledgers make of it.
func (w *world) checkJourney(j *slo.Spec) (minutes int) {
	w.t.Helper()
	var steps []*budget.Ledger
	for _, s := range j.SLI.Journey.Steps {
		steps = append(steps, w.ledger(s.SLO))
	}
	own, want := w.ledger(j.ID()), budget.ComposeAll(j.SLI.Journey, steps)
	if own.End() != want.End() {
		w.t.Errorf("%s ends at %s, its steps at %s", j.ID(), own.End().Time(), want.End().Time())
	}
	for m := want.Begin(); m < want.End(); m++ {
		if got := own.At(m); got != want.At(m) {
			w.t.Errorf("%s at %s: %+v, its steps make %+v", j.ID(), m.Time(), got, want.At(m))
		}
		minutes++
	}
	return minutes
}

// TestAJourneyBurnsWithItsSteps: the till is out for a while. It pages, the journey pages, the shop
// does not; also when the daemon is killed in between.
func TestAJourneyBurnsWithItsSteps(t *testing.T) {
	for name, again := range map[string]func(*world){
		"without interruption": func(*world) {},
		"with a restart":       (*world).restart,
		"killed":               func(w *world) { w.kill(); w.revive() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			order, all := journey("order", slo.Weakest, "shop", "till"), journey("all", slo.Product, "order", "till")
			w := newWorld(t, specsOf(promise("shop"), promise("till"), order, all),
				&service{name: "shop", load: steady(500)}, &service{name: "till", load: outage(5, [2]int{20, 40})})
			w.steps(30)
			again(w)
			w.steps(40)
			burned := map[slo.ID]int{}
			for _, i := range w.burns() {
				burned[i.SLO]++
				if i.Open || !i.Onset.Equal(t0.Add(20*time.Minute)) {
					t.Errorf("%s began at %s, open %t", i.SLO, i.Onset, i.Open)
				}
			}
			if len(burned) != 3 || burned["till/availability"] != 1 || burned["order/availability"] != 1 || burned["all/availability"] != 1 {
				t.Errorf("burned: %v", burned)
			}
			for _, j := range []*slo.Spec{order, all} {
				if n := w.checkJourney(j); n < 68 {
					t.Errorf("%d minutes of %s", n, j.ID())
				}
			}
			if got := w.ledger(order.ID()).At(budget.MinuteOf(t0) + 30); got != budget.Count(1000*budget.Unit, 1000*budget.Unit) {
				t.Errorf("in the outage of the quiet till: %+v", got)
			}
			w.checkOncePerKey()
		})
	}
}

// listener keeps what the engine says to its composer.
type listener struct {
	engine.Composer
	all *[]incidents.Notification
}

func (r listener) Event(t incidents.Notification, shown outbox.Shown) []outbox.Entry {
	*r.all = append(*r.all, t)
	return r.Composer.Event(t, shown)
}

// Both begin to burn in the same minute; whoever depends on the other knows it at once, although
// its name comes first.
func TestWhatBurnsUpstreamIsTold(t *testing.T) {
	services := []*slo.Service{{Name: "app", DependsOn: []slo.Dependency{{Service: "shop"}}}, {Name: "shop", DependsOn: []slo.Dependency{{Service: "till"}}}}
	order := journey("all", slo.Weakest, "shop", "till")
	burns := outage(50, [2]int{10, 30})
	w := newWorld(t, specsOf(promise("app"), promise("shop"), promise("till"), order),
		&service{name: "app", load: burns}, &service{name: "shop", load: steady(50)}, &service{name: "till", load: burns})
	w.set = slo.NewSet(w.set.Specs, services, nil)
	w.restart()
	var all []incidents.Notification
	w.engine.Composer = listener{w.engine.Composer, &all}
	w.steps(20)
	seen := 0
	for _, e := range all {
		if e.Event.Kind != alerting.Opened {
			continue
		}
		seen++
		switch e.Spec.Service {
		case "till":
			if len(e.Upstream) != 0 || e.Worst != nil {
				t.Errorf("till depends on %v", e.Upstream)
			}
		case "app", "all":
			if len(e.Upstream) != 1 || e.Upstream[0].SLO != "till/availability" || !e.Upstream[0].Open {
				t.Errorf("%s depends on %+v", e.Spec.Service, e.Upstream)
			}
		}
		if e.Spec.Service == "all" && (e.Worst == nil || e.Worst.SLO != "till/availability" || e.Worst.Over != 2*time.Minute) {
			t.Errorf("the worst step is %+v", e.Worst)
		}
	}
	if seen != 3 {
		t.Errorf("%d incidents", seen)
	}
}

// What one step does not know, the journey does not: it neither fires nor resolves, and says so.
func TestAJourneyKnowsNoMoreThanItsSteps(t *testing.T) {
	order := journey("order", slo.Weakest, "shop", "till")
	gone := func(m budget.Minute) bool { n := m - budget.MinuteOf(t0); return n >= 30 && n < 60 }
	w := newWorld(t, specsOf(promise("shop"), promise("till"), order),
		&service{name: "shop", load: steady(50)}, &service{name: "till", load: outage(50, [2]int{25, 70}), down: gone})
	w.steps(40)
	open := 0
	for _, i := range w.engine.Snapshot().Open.All() {
		if i.SLO == order.ID() && i.Rule == alerting.RulePage {
			open++
		}
	}
	if b, _ := w.engine.Snapshot().Budget(order.ID()); open != 1 || b.Data != "absent" {
		t.Errorf("%d open, data %s: a hole in a step is a hole in the journey, and ends nothing", open, b.Data)
	}
	w.steps(50)
	if n := w.checkJourney(order); n < 80 {
		t.Errorf("%d minutes", n)
	}
}

// A source that does not answer delays the journey and loses nothing.
func TestAJourneyCatchesUp(t *testing.T) {
	order := journey("order", slo.Weighted, "shop", "till")
	w := newWorld(t, specsOf(promise("shop"), promise("till"), order),
		&service{name: "shop", load: steady(50)}, &service{name: "till", load: outage(50, [2]int{22, 24})})
	w.steps(20)
	w.db.Faults.Fail(promfake.Status(500))
	w.steps(10)
	if b, _ := w.engine.Snapshot().Budget(order.ID()); b.Data != "error" || len(b.Problems) == 0 {
		t.Errorf("data %s, %q", b.Data, b.Problems)
	}
	w.db.Faults.Clear()
	w.steps(10)
	if n := w.checkJourney(order); n < 38 {
		t.Errorf("%d minutes", n)
	}
}

// A journey that is new gets its past from the ledgers of its steps, and what was in it is no news.
func TestANewJourneyHasAPast(t *testing.T) {
	order := journey("order", slo.Product, "shop", "till")
	w := newWorld(t, specsOf(promise("shop"), promise("till")),
		&service{name: "shop", load: steady(50)}, &service{name: "till", load: outage(50, [2]int{5, 15})})
	w.steps(60)
	if err := w.reload(promise("shop"), promise("till"), order); err != nil {
		t.Fatal(err)
	}
	w.steps(5)
	if n := w.checkJourney(order); n < 64 {
		t.Errorf("%d minutes", n)
	}
	for _, i := range w.incidents() {
		if i.SLO == order.ID() {
			t.Errorf("an incident of the past was told: %s", i.ID)
		}
	}
	w.restart()
	w.steps(5)
	if n := w.checkJourney(order); n < 69 {
		t.Errorf("%d minutes", n)
	}
}

// The history of the steps is read in pieces, and that of the journey follows it, over restarts.
func TestTheHistoryOfAJourney(t *testing.T) {
	order := journey("order", slo.Weakest, "shop", "till")
	w := newWorld(t, specsOf(promise("shop"), promise("till"), order),
		&service{name: "shop", load: steady(50)}, &service{name: "till", load: outage(50, [2]int{-45, -40})})
	w.steps(2)
	w.restart()
	if err := w.engine.FillAll(t.Context(), w.now()); err != nil {
		t.Fatal(err)
	}
	w.restart()
	w.steps(2)
	if n := w.checkJourney(order); n < 62 {
		t.Errorf("%d minutes", n)
	}
	if got := w.ledger(order.ID()).At(budget.MinuteOf(t0) - 43); got.Bad != 100*budget.Unit || !got.Backfilled {
		t.Errorf("in the outage of the past: %+v", got)
	}
	if is := w.incidents(); len(is) != 0 {
		t.Errorf("what lies in the past is no news: %+v", is)
	}
}
