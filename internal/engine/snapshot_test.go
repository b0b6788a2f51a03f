package engine_test

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/internal/engine/enginetest"
	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/internal/report"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/internal/web"
	"github.com/slowburn-sre/slowburn/slo"
)

// page is what somebody reads under a path now. A page that does not come within some seconds fails
// the test.
func (w *world) page(path string) string {
	w.t.Helper()
	h := web.New(web.Options{Source: w.engine, Archive: w.store, Now: w.daemonNow})
	answer := make(chan *httptest.ResponseRecorder, 1)
	go func() {
		r := httptest.NewRecorder()
		h.ServeHTTP(r, httptest.NewRequest("GET", "http://localhost"+path, nil))
		answer <- r
	}()
	select {
	case r := <-answer:
		if r.Code != 200 {
			w.t.Errorf("%s: %d %s", path, r.Code, r.Body)
		}
		return r.Body.String()
	case <-time.After(20 * time.Second):
		w.t.Fatalf("%s does not answer", path)
		return ""
	}
}

// TestPagesAnswerWhileTheStoreIsStuck: the disk hangs in the commit of a tick, or of an act.
// Whoever looks sees what stood before.
func TestPagesAnswerWhileTheStoreIsStuck(t *testing.T) {
	for name, begin := range map[string]func(*world){
		"tick": func(w *world) { w.engine.Tick(context.Background(), w.daemonNow()) },
		"act": func(w *world) {
			_ = w.do(alerting.Act{Key: "s", Kind: alerting.Silence, By: "Ada", Service: "shop", Until: w.now().Add(time.Hour)})
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, i := burning(t)
			stuck, free, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
			first := true
			w.point = func(string) error {
				if first {
					first = false
					close(stuck)
					<-free
				}
				return nil
			}
			w.pass(time.Minute)
			go func() { begin(w); close(done) }()
			<-stuck
			week, _ := report.ParsePeriod("2026-W45")
			for path, want := range map[string]string{
				"/":                                      "shop/availability",
				"/slo/shop/availability":                 i.ID,
				"/services/shop":                         i.ID,
				"/incidents/" + i.ID:                     "Failing share",
				"/api/v1/slos":                           i.ID,
				"/api/v1/gate/shop":                      `"unknown"`,
				"/api/v1/status":                         `"healthy":true`,
				"/metrics":                               `slowburn_slo_alert_firing{group="",service="shop",severity="page",slo="availability"} 1`,
				"/-/healthy":                             "",
				"/api/v1/incidents?open=1":               i.ID,
				"/api/v1/changes":                        "[]",
				"/api/v1/slos/shop/availability/history": `"points"`,
			} {
				if got := w.page(path); !strings.Contains(got, want) {
					t.Errorf("%s lacks %q: %s", path, want, got)
				}
			}
			if _, ok, err := w.engine.MakeReport(t.Context(), "weekly", week, w.now()); !ok || err != nil {
				t.Error("no report:", ok, err)
			}
			select {
			case <-done:
				t.Error("the store was not stuck")
			default:
			}
			close(free)
			<-done
		})
	}
}

// TestAnActIsSeenAtOnce: whoever acknowledges and looks sees it, before the next tick.
func TestAnActIsSeenAtOnce(t *testing.T) {
	w, i := burning(t)
	before := w.engine.Snapshot()
	w.mustDo(alerting.Act{Key: "a", Kind: alerting.Acknowledge, By: "Ada", Incident: i.ID})
	for _, path := range []string{"/incidents/" + i.ID, "/api/v1/incidents"} {
		if !strings.Contains(w.page(path), "Ada") {
			t.Errorf("%s does not know who has it", path)
		}
	}
	seen := w.engine.Snapshot()
	b, _ := seen.Budget(i.SLO)
	if _, acked := b.Open[0].Acknowledged(); !acked {
		t.Error("the budget shows the incident as it was")
	}
	if now, _ := seen.Open.Find(i.ID); !now.Knows("a") {
		t.Error("the open incident is as it was")
	}
	if old, _ := before.Budget(i.SLO); old.Open[0].Knows("a") {
		t.Error("what was seen before has changed")
	}
	w.mustDo(alerting.Act{Key: "c", Kind: alerting.Changed, By: "ci", Service: "shop", Change: &alerting.Change{Kind: "deploy", Title: "cart 42", Start: w.now()}})
	if !strings.Contains(w.page("/api/v1/changes"), "cart 42") {
		t.Error("a deploy is not seen")
	}
}

// TestAJourneyShowsWhatIsDeclaredOnItsSteps at once, however deep.
func TestAJourneyShowsWhatIsDeclaredOnItsSteps(t *testing.T) {
	order, all := journey("order", slo.Weakest, "shop"), journey("all", slo.Product, "order")
	w := newWorld(t, specsOf(promise("shop"), order, all), &service{name: "shop", load: steady(50)})
	w.steps(3)
	w.mustDo(alerting.Act{Key: "d", Kind: alerting.Declare, By: "Ada", SLO: "shop/availability", Level: alerting.Ticket, Text: "It is slow"})
	if b, _ := w.engine.Snapshot().Budget(order.ID()); len(b.Journey.Steps[0].Open) != 1 {
		t.Errorf("%+v", b.Journey)
	}
}

// TestAPermitEndsByItself: nobody has to publish anything for that, and for data to become too old.
func TestAPermitEndsByItself(t *testing.T) {
	w := oneService(t, steady(50))
	w.steps(30)
	policy := alerting.DefaultPolicy()
	if err := w.engine.Reload(t.Context(), engine.Terms{Set: w.set, Policy: &policy}, w.now()); err != nil {
		t.Fatal(err)
	}
	w.mustDo(alerting.Act{Key: "e", Kind: alerting.Exempt, By: "Ada", Service: "shop", Text: "Launch", Until: w.now().Add(5 * time.Minute)})
	seen := w.engine.Snapshot()
	var got []string
	for _, later := range []time.Duration{0, 6 * time.Minute, time.Hour} {
		v := seen.Verdicts("shop", "availability", w.now().Add(later))[0]
		got = append(got, string(v.Gate)+": "+string(v.Ground))
	}
	if want := []string{
		"exempt: little_known", "unknown: little_known", "unknown: stale",
	}; !slices.Equal(got, want) {
		t.Errorf("the gate is %v", got)
	}
}

// script is a source that reads what it is told to.
type script struct {
	storm
	next map[slo.ID][]budget.SlotAt
}

// Read returns what is next.
func (s *script) Read(context.Context, []*slo.Spec, time.Time) *prom.Batch {
	b := &prom.Batch{Readings: map[slo.ID]prom.Reading{}}
	for id, slots := range s.next {
		b.Readings[id] = prom.Reading{Slots: slots}
	}
	return b
}

// engine makes one over budgets that were never read.
func (s *script) engine(specs ...*slo.Spec) *engine.Engine {
	return engine.New(engine.Options{
		Source: s, Store: forgetful{}, Composer: enginetest.Mute{}, Log: slog.New(slog.DiscardHandler),
	}, slo.NewSet(specs, nil, nil), store.Snapshot{})
}

// TestAJourneyFollowsItsSteps also where they change and it does not.
func TestAJourneyFollowsItsSteps(t *testing.T) {
	order, source := journey("order", slo.Weakest, "shop", "till"), &script{}
	e := source.engine(promise("shop"), promise("till"), order)
	for n, bad := range []int64{0, 1} { // of ten in the shop, where five fail in the till
		source.next = map[slo.ID][]budget.SlotAt{"shop/availability": {{At: budget.MinuteOf(t0), Slot: budget.Count(bad, 10)}}}
		if n == 0 {
			source.next["till/availability"] = []budget.SlotAt{{At: budget.MinuteOf(t0), Slot: budget.Count(5, 10)}}
		}
		e.Tick(t.Context(), t0.Add(time.Duration(n+1)*time.Minute))
		b, _ := e.Snapshot().Budget(order.ID())
		if got := b.Journey.Steps[0].Sum.Bad; got != bad || b.Windows[0].Sum.Bad != 5 {
			t.Errorf("%d bad events of the journey, %d of its step, want 5 and %d", b.Windows[0].Sum.Bad, got, bad)
		}
	}
}

// TestHistoryIsSeenAsItIsRead, piece by piece.
func TestHistoryIsSeenAsItIsRead(t *testing.T) {
	w := oneService(t, steady(50))
	w.steps(2)
	b, _ := w.engine.Snapshot().Budget("shop/availability")
	if err := w.engine.FillAll(t.Context(), w.now()); err != nil {
		t.Fatal(err)
	}
	if now, _ := w.engine.Snapshot().Budget("shop/availability"); !now.Since.Before(b.Since) || b.Filling != 0 || now.Filling != 1 {
		t.Errorf("from %s, %v read; before that from %s, %v read", now.Since, now.Filling, b.Since, b.Filling)
	}
}

// TestTheCountNeverFalls: what is counted of a budget grows by what happens, while its ledger grows
// at its old end, and shrinks there.
func TestTheCountNeverFalls(t *testing.T) {
	start, spec, source := budget.MinuteOf(t0), promise("shop"), &script{}
	slot := func(after budget.Minute, n int64) budget.SlotAt {
		return budget.SlotAt{At: start + after, Slot: budget.Count(n*budget.Unit, 10*n*budget.Unit)}
	}
	ledger := &budget.Ledger{}
	ledger.Put(start-1, slot(0, 5).Slot)
	e := engine.New(engine.Options{
		Source: source, Store: forgetful{}, Composer: enginetest.Mute{}, Log: slog.New(slog.DiscardHandler), KeepFor: time.Hour,
	}, slo.NewSet(specsOf(spec), nil, nil), store.Snapshot{Accounts: map[slo.ID]store.Account{
		spec.ID(): {Ledger: ledger, State: alerting.State{Through: start}},
	}})
	for n, step := range []struct {
		what  string
		slots []budget.SlotAt
		after time.Duration
		want  int64
	}{
		{"nothing is read", nil, 0, 5},
		{"a new minute is added", []budget.SlotAt{slot(0, 3)}, time.Minute, 8},
		{"a minute that comes late is not", []budget.SlotAt{slot(-20, 100)}, 2 * time.Minute, 8},
		{"another minute", []budget.SlotAt{slot(2, 1)}, 3 * time.Minute, 9},
		{"what is read anew is not counted again", []budget.SlotAt{slot(2, 1), slot(3, 2)}, 4 * time.Minute, 11},
		{"what is forgotten stays counted", []budget.SlotAt{slot(300, 1)}, 301 * time.Minute, 12},
	} {
		source.next = map[slo.ID][]budget.SlotAt{spec.ID(): step.slots}
		e.Tick(t.Context(), t0.Add(step.after))
		b, _ := e.Snapshot().Budget(spec.ID())
		if b.Counted.Bad != step.want*budget.Unit || b.Counted.Total != 10*step.want*budget.Unit {
			t.Errorf("step %d, %s: %d of %d, want %d", n, step.what, b.Counted.Bad/budget.Unit, b.Counted.Total/budget.Unit, step.want)
		}
	}
	e.Tick(t.Context(), t0.Add(302*time.Minute))
	if b, _ := e.Snapshot().Budget(spec.ID()); !b.Since.After(t0) {
		t.Error("nothing was forgotten")
	}
}

// TestABudgetIsFoundAmongItsNeighbours: names may begin alike.
func TestABudgetIsFoundAmongItsNeighbours(t *testing.T) {
	minute := []budget.SlotAt{{At: budget.MinuteOf(t0), Slot: budget.Count(0, 1)}}
	source := &script{next: map[slo.ID][]budget.SlotAt{
		"shop/api": minute, "shop/api2": minute, `shop/api-2{route="a"}`: minute, `shop/api-2{route="b"}`: minute,
		"shop-2/api": minute, "shopping/api": minute,
	}}
	specs := specsOf(promise("shop")) // which is never read
	for id := range source.next {
		spec := *promise(id.Service())
		if spec.Name = id.Name(); id.Group() != "" {
			spec.By = []string{"route"}
		}
		if id.Group() != `{route="b"}` {
			specs = append(specs, &spec)
		}
	}
	e := source.engine(specs...)
	e.Tick(t.Context(), t0.Add(time.Minute))
	seen := e.Snapshot()
	var judged []engine.Budget
	for _, v := range seen.Verdicts("shop", "", t0) {
		judged = append(judged, engine.Budget{Figures: &engine.Figures{ID: v.SLO}})
	}
	for name, c := range map[string]struct {
		got  []engine.Budget
		want string
	}{
		"one budget":        {seen.BudgetsOf("shop/api"), "shop/api"},
		"one for each":      {seen.BudgetsOf("shop/api-2"), `shop/api-2{route="a"} shop/api-2{route="b"}`},
		"not read":          {seen.BudgetsOf("shop/availability"), ""},
		"part of a name":    {seen.BudgetsOf("shop/ap"), ""},
		"a service":         {seen.InService("shop"), `shop/api shop/api-2{route="a"} shop/api-2{route="b"} shop/api2`},
		"a service of one":  {seen.InService("shop-2"), "shop-2/api"},
		"no service":        {seen.InService("sho"), ""},
		"verdicts, unknown": {judged, `shop/api shop/api-2{route="a"} shop/api-2{route="b"} shop/api2 shop/availability`},
	} {
		var got []string
		for _, b := range c.got {
			got = append(got, string(b.ID))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// TestASnapshotSaysThatItIsReplaced: by a tick, a reload or an act alike, and none has the number
// of another.
func TestASnapshotSaysThatItIsReplaced(t *testing.T) {
	w, i := burning(t)
	for name, do := range map[string]func(){
		"tick":   func() { w.step() },
		"reload": func() { _ = w.engine.Reload(t.Context(), engine.Terms{Set: w.engine.Snapshot().Set}, w.daemonNow()) },
		"act":    func() { w.mustDo(alerting.Act{Key: "a", Kind: alerting.Acknowledge, By: "Ada", Incident: i.ID}) },
	} {
		before := w.engine.Snapshot()
		select {
		case <-before.Replaced():
			t.Fatalf("before the %s the newest one is replaced", name)
		default:
		}
		do()
		select {
		case <-before.Replaced():
		default:
			t.Errorf("the %s is not told", name)
		}
		if after := w.engine.Snapshot(); after.Number <= before.Number {
			t.Errorf("%s: %d follows %d", name, after.Number, before.Number)
		}
	}
}
