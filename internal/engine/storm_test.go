package engine_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/internal/engine/enginetest"
	"github.com/slowburn-sre/slowburn/internal/incidents"
	"github.com/slowburn-sre/slowburn/internal/notify/slack"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/slo"
)

// storm is a fleet of which every budget burns, ten of them in each service and so in each thread.
// Its source and its store cost nothing, so what is measured is the engine.
type storm struct {
	specs []*slo.Spec
	down  bool
}

// newStorm makes an engine with n budgets that burn since ten minutes, ten in a thread.
func newStorm(t testing.TB, n int) (*storm, *engine.Engine, time.Time) {
	t.Helper()
	return newStormOf(t, n, 10)
}

// newStormOf is newStorm with so many budgets in each service.
func newStormOf(t testing.TB, n, each int) (*storm, *engine.Engine, time.Time) {
	t.Helper()
	s := &storm{}
	for i := range n {
		spec := promise(fmt.Sprintf("service%04d", i/each))
		spec.Name = fmt.Sprintf("slo%04d", i%each)
		s.specs = append(s.specs, spec)
	}
	e := engine.New(engine.Options{
		Source: s, Store: forgetful{}, Composer: enginetest.Mute{}, Log: slog.New(slog.DiscardHandler),
	}, slo.NewSet(s.specs, nil, nil), store.Snapshot{})
	e.Tick(t.Context(), t0)
	at := t0.Add(10 * time.Minute)
	e.Tick(t.Context(), at)
	if open := e.Snapshot().Open.Len(); open != n {
		t.Fatalf("%d of %d budgets have an incident", open, n)
	}
	return s, e, at
}

// Read returns bad minutes since t0 for every budget, or nothing but failures.
func (s *storm) Read(_ context.Context, specs []*slo.Spec, now time.Time) *prom.Batch {
	to := budget.MinuteOf(now) - 1
	b := &prom.Batch{Readings: map[slo.ID]prom.Reading{}}
	for _, spec := range specs {
		if s.down {
			b.Failures = append(b.Failures, prom.Failure{SLOs: []slo.ID{spec.ID()}, Err: &prom.Error{Kind: prom.Unreachable, Op: "query", Err: errors.New("no answer")}})
			continue
		}
		var slots []budget.SlotAt
		for m := max(budget.MinuteOf(t0)-1, to-10); m <= to; m++ {
			slots = append(slots, budget.SlotAt{At: m, Slot: budget.Count(500_000, 1_000_000)})
		}
		b.Readings[spec.ID()] = prom.Reading{Slots: slots}
	}
	return b
}

// Commit forgets the batch.
func (*storm) Commit(*prom.Batch) {}

// Backfill reads no history.
func (*storm) Backfill([]*slo.Spec, prom.Plan) *prom.Backfill { return nil }

// Backfills finds none unfinished.
func (*storm) Restart() map[string][]byte                                { return nil }
func (*storm) Backfills(map[string][]byte, []*slo.Spec) []*prom.Backfill { return nil }

// forgetful is a store that keeps nothing.
type forgetful struct{ engine.Store }

// Commit succeeds.
func (forgetful) Commit(context.Context, store.Tick) error { return nil }

// Fold succeeds.
func (forgetful) Fold(context.Context, map[slo.ID]*budget.Ledger) error { return nil }

// DropDays succeeds.
func (forgetful) DropDays(context.Context, time.Time) error { return nil }

// Prune succeeds.
func (forgetful) Prune(context.Context, time.Time) error { return nil }

// Incident finds none.
func (forgetful) Incident(context.Context, string) (alerting.Incident, bool, error) {
	return alerting.Incident{}, false, nil
}

// Incidents finds none.
func (forgetful) Incidents(context.Context, store.IncidentFilter) ([]alerting.Incident, error) {
	return nil, nil
}

// TestWorkGrowsWithTheNumberOfIncidents: four times the incidents in one thread are about four
// times the work, when they open, while they burn, for those who are reminded of them, and when
// each is looked into. Work is told by what is allocated, which no busy machine changes.
func TestWorkGrowsWithTheNumberOfIncidents(t *testing.T) {
	const few, many = 250, 1000
	work := func(n int) map[string]float64 {
		var e *engine.Engine
		var at time.Time
		cost := func(f func()) float64 {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			f()
			runtime.ReadMemStats(&after)
			return float64(after.TotalAlloc - before.TotalAlloc)
		}
		return map[string]float64{
			"1 open":  cost(func() { _, e, at = newStormOf(t, n, n) }),
			"2 tick":  cost(func() { e.Tick(t.Context(), at.Add(time.Minute)) }),
			"3 told":  cost(func() { e.Open(at) }),
			"4 later": cost(func() { e.Tick(t.Context(), at.Add(20*time.Minute)) }),
		}
	}
	a, b := work(few), work(many)
	for what, cost := range b {
		if growth := cost / a[what]; growth > 1.5*many/few {
			t.Errorf("%s: %d incidents cost %.1f times as much as %d (%.0f and %.0f bytes)", what, many, growth, few, cost, a[what])
		}
	}
}

// keeping is a store that keeps what is owed, and acts.
type keeping struct {
	forgetful
	owed []outbox.Entry
	acts [][]alerting.Act // of each tick with some
}

// Commit notes what a tick owes, and what people did.
func (k *keeping) Commit(_ context.Context, tick store.Tick) error {
	if len(tick.Acts) > 0 {
		k.acts = append(k.acts, tick.Acts)
	}
	for _, t := range tick.Turns {
		k.owed = append(k.owed, t.Entries...)
	}
	k.owed = append(k.owed, tick.Owed...)
	return nil
}

// TestAStormOwesOneMessageAnIncident: each incident has one message, its root or a reply, and each
// thread one edit in a tick, which shows what stands at its end. Nothing else is composed. The same
// goes for what is told after a hole, when an incident has many events in one tick.
func TestAStormOwesOneMessageAnIncident(t *testing.T) {
	const n, each = 60, 20
	s, db := &storm{}, &keeping{}
	for i := range n {
		spec := promise(fmt.Sprintf("service%04d", i/each))
		spec.Name = fmt.Sprintf("slo%04d", i%each)
		s.specs = append(s.specs, spec)
	}
	e := engine.New(engine.Options{
		Source: s, Store: db, Composer: voice{slack.Composer{Channel: channel}}, Log: slog.New(slog.DiscardHandler),
	}, slo.NewSet(s.specs, nil, nil), store.Snapshot{})
	e.Tick(t.Context(), t0)
	for _, after := range []time.Duration{10, 11, 12, 30} {
		db.owed = nil
		e.Tick(t.Context(), t0.Add(after*time.Minute))
		ops := map[outbox.Op]int{}
		for _, o := range db.owed {
			ops[o.Op]++
			if o.Op == outbox.Edit && !strings.Contains(string(o.Body), "and 4 more") { // a root names fifteen others
				t.Errorf("after %d minutes an edit shows less than what is open: %s", after, o.Body)
			}
		}
		if opens := after == 10; ops[outbox.Edit] > n/each || opens && (ops[outbox.Post] != n/each || ops[outbox.Reply] != n-n/each) ||
			!opens && ops[outbox.Post]+ops[outbox.Reply] > 0 {
			t.Errorf("after %d minutes %v are owed", after, ops)
		}
	}
}

// Act knows no act.
func (forgetful) Act(context.Context, string) (alerting.Act, bool, error) {
	return alerting.Act{}, false, nil
}

// interrupted is a composer while which somebody acts, on one service after the other: twice while
// it composes everything, and then each time when something is composed anew.
type interrupted struct {
	enginetest.Mute
	t        *testing.T
	engine   *engine.Engine
	composed map[string]int // by the key of the event
	acts     int
}

func (c *interrupted) Event(n incidents.Notification, _ outbox.Shown) []outbox.Entry {
	key := n.Event.Key()
	c.composed[key]++
	if first := len(c.composed); c.acts < 6 && (c.composed[key] > 1 || first == 50 || first == 100) {
		a := alerting.Act{Key: fmt.Sprint("act", c.acts), Kind: alerting.Changed, By: "Ada", Service: fmt.Sprintf("service%04d", c.acts)}
		a.Change = &alerting.Change{Kind: "deploy", Title: "it", Start: t0}
		c.acts++
		done := make(chan error, 1)
		go func() { done <- c.engine.Do(context.Background(), a, t0.Add(10*time.Minute)) }()
		select {
		case err := <-done:
			if err != nil {
				c.t.Error(err)
			}
		case <-time.After(20 * time.Second):
			c.t.Error("an act waits while messages are composed")
		}
	}
	return nil
}

// TestOnlyWhatAnActTouchesIsToldAnew: people act again and again while a tick composes what it has
// to tell of many services. What is told of those on which nobody acts is composed once.
func TestOnlyWhatAnActTouchesIsToldAnew(t *testing.T) {
	const n, each = 200, 10
	s, c := &storm{}, &interrupted{t: t, composed: map[string]int{}}
	for i := range n {
		spec := promise(fmt.Sprintf("service%04d", i/each))
		spec.Name = fmt.Sprintf("slo%04d", i%each)
		s.specs = append(s.specs, spec)
	}
	c.engine = engine.New(engine.Options{
		Source: s, Store: forgetful{}, Composer: c, Log: slog.New(slog.DiscardHandler),
	}, slo.NewSet(s.specs, nil, nil), store.Snapshot{})
	c.engine.Tick(t.Context(), t0)
	c.engine.Tick(t.Context(), t0.Add(10*time.Minute))
	if open := c.engine.Snapshot().Open; open.Len() != n || len(open.Acts()) != 6 || c.acts != 6 {
		t.Fatalf("%d incidents are open, with %d of %d acts", open.Len(), len(open.Acts()), c.acts)
	}
	for id, composed := range c.composed {
		if acted := id < "service0006"; acted != (composed > 1) || composed > 2 {
			t.Errorf("what is told of %s was composed %d times", id, composed)
		}
	}
}

// pager is a composer that tells an act of each incident of a thread, and while which others act:
// when it has composed so many echoes, they do what stands there.
type pager struct {
	enginetest.Mute
	t         *testing.T
	do        func(alerting.Act) error
	meanwhile map[int]alerting.Act
	composed  map[string]int // by the key of the act
}

func (*pager) TellsEach(alerting.Act) bool { return true }

func (p *pager) Act(d incidents.Done) []outbox.Entry {
	if p.composed[d.Act.Key]++; !d.Echo {
		return nil
	}
	if a, ok := p.meanwhile[len(p.composed)]; ok {
		delete(p.meanwhile, len(p.composed))
		done := make(chan error, 1)
		go func() { done <- p.do(a) }()
		select {
		case err := <-done:
			if err != nil {
				p.t.Error(err)
			}
		case <-time.After(20 * time.Second):
			p.t.Error("an act waits while messages about another are composed")
		}
	}
	return []outbox.Entry{{Key: d.Act.Key, Op: outbox.Edit, Body: []byte("{}")}}
}

// TestAThreadIsToldOfAnActWithoutTheLock: while what is told of each of many incidents is composed,
// which somebody has acknowledged at once, others act. If it is not on the same thread, all is
// composed once, and written down at once. If it is, all is composed anew, once.
func TestAThreadIsToldOfAnActWithoutTheLock(t *testing.T) {
	const n = 200
	elsewhere := alerting.Act{Key: "else", Kind: alerting.Changed, By: "Bob", Service: "service0001", Change: &alerting.Change{Kind: "deploy", Title: "it", Start: t0}}
	for name, c := range map[string]struct {
		meanwhile func(ids []string) alerting.Act
		composed  int // how often, what follows from the act
		acts      int // on the incident that the others act on
	}{
		"another service": {func([]string) alerting.Act { return elsewhere }, 1, 1},
		"an incident of the thread": {func(ids []string) alerting.Act {
			return alerting.Act{Key: "k2", Kind: alerting.Remark, By: "Bob", Text: "looking", Incident: ids[7]}
		}, 2, 2},
		"the thread as a whole, also": {func(ids []string) alerting.Act {
			return alerting.Act{Key: "k2", Kind: alerting.Acknowledge, By: "Bob", Incident: ids[9]}
		}, 2, 2},
	} {
		s, db := &storm{}, &keeping{}
		for i := range n + 1 {
			spec := promise(fmt.Sprintf("service%04d", i/n))
			spec.Name = fmt.Sprintf("slo%04d", i%n)
			s.specs = append(s.specs, spec)
		}
		p := &pager{t: t, composed: map[string]int{}}
		e := engine.New(engine.Options{Source: s, Store: db, Composer: p, Log: slog.New(slog.DiscardHandler)}, slo.NewSet(s.specs, nil, nil), store.Snapshot{})
		e.Tick(t.Context(), t0)
		at := t0.Add(10 * time.Minute)
		e.Tick(t.Context(), at)
		ids := e.Snapshot().Open.IDs()
		p.do = func(a alerting.Act) error { return e.Do(context.Background(), a, at) }
		p.meanwhile = map[int]alerting.Act{n / 2: c.meanwhile(ids)}
		if err := p.do(alerting.Act{Key: "k1", Kind: alerting.Acknowledge, By: "Ada", Incident: ids[3]}); err != nil {
			t.Fatal(name, err)
		}
		echoes, last := 0, len(db.acts[len(db.acts)-1])
		for key, composed := range p.composed {
			if strings.HasPrefix(key, "k1@") {
				if echoes++; composed > c.composed {
					t.Errorf("%s: what is told of %s was composed %d times", name, key, composed)
				}
			}
		}
		if echoes != n-1 || last != n || len(p.meanwhile) > 0 {
			t.Errorf("%s: %d echoes were composed, and %d acts written down at once", name, echoes, last)
		}
		book := e.Snapshot().Open
		for _, id := range ids[:n] {
			if i, _ := book.Find(id); !i.Knows("k1") && !i.Knows("k1@"+id) {
				t.Errorf("%s: %s is not acknowledged: %+v", name, id, i.Acts)
			}
		}
		if i, _ := book.Find(ids[7]); len(i.Acts) != c.acts {
			t.Errorf("%s: it has the acts %+v", name, i.Acts)
		}
	}
}

// TestMessagesTellWhatTheSnapshotShows: what is told of a minute that the tick has just decided has
// the figures that are shown of the budget, which are computed once for both. What is told of an
// earlier minute, after a hole, has those of that minute.
func TestMessagesTellWhatTheSnapshotShows(t *testing.T) {
	for name, minutes := range map[string][]int{"live": {0, 1, 2, 3, 4, 5}, "after a hole": {0, 9}} {
		s := &storm{specs: []*slo.Spec{promise("shop"), promise("till")}}
		var told []incidents.Notification
		e := engine.New(engine.Options{
			Source: s, Store: forgetful{}, Composer: listener{enginetest.Mute{}, &told}, Log: slog.New(slog.DiscardHandler),
		}, slo.NewSet(s.specs, nil, nil), store.Snapshot{})
		seen := 0
		for _, m := range minutes {
			told = nil
			e.Tick(t.Context(), t0.Add(time.Duration(m)*time.Minute))
			for _, n := range told {
				seen++
				b, _ := e.Snapshot().Budget(n.Event.SLO)
				want := incidents.Figures{At: n.Event.At + 1, Status: b.Windows[0], Outlook: b.Outlook, Standings: b.Standings}
				if n.Event.Time().Before(b.AsOf) {
					e.Snapshot().WithSteps(b.ID, func(in alerting.Input, _ []alerting.Input) {
						want.Status = budget.StatusAt(in.Ledger, in.Spec.Objective, in.Spec.Window(), n.Event.At+1)
					})
					want.Outlook, want.Standings = n.Outlook, n.Standings
				}
				got := incidents.Figures{At: n.Event.At + 1, Status: n.Status, Outlook: n.Outlook, Standings: n.Standings}
				if !reflect.DeepEqual(want, got) {
					t.Errorf("%s, %s at %s: %+v is told, and shown is %+v", name, n.Event.Kind, n.Event.Time(), got, want)
				}
			}
		}
		if seen == 0 {
			t.Errorf("%s: nothing was told", name)
		}
	}
}

// sizes are the numbers of open incidents that are measured.
var sizes = []int{1_000, 3_000, 10_000}

// BenchmarkOpen tells of every open incident, as the receivers that are reminded by the minute ask.
func BenchmarkOpen(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			_, e, at := newStorm(b, n)
			for b.Loop() {
				if len(e.Open(at)) != n {
					b.Fatal("an incident is missing")
				}
			}
		})
	}
}

// BenchmarkOneThread is BenchmarkTick where all of them are told in one thread.
func BenchmarkOneThread(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			_, e, at := newStormOf(b, n, n)
			for b.Loop() {
				at = at.Add(time.Minute)
				if sum := e.Tick(b.Context(), at); !sum.Good() || sum.SLOs != n {
					b.Fatal(sum)
				}
			}
		})
	}
}

// BenchmarkTick is a minute in which every budget burns on.
func BenchmarkTick(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			_, e, at := newStorm(b, n)
			for b.Loop() {
				at = at.Add(time.Minute)
				if sum := e.Tick(b.Context(), at); !sum.Good() || sum.SLOs != n {
					b.Fatal(sum)
				}
			}
		})
	}
}

// BenchmarkTickOutage is a minute in which Prometheus answers for no budget.
func BenchmarkTickOutage(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s, e, at := newStorm(b, n)
			s.down = true
			for b.Loop() {
				at = at.Add(time.Minute)
				if sum := e.Tick(b.Context(), at); len(sum.Failures) != n {
					b.Fatal(sum)
				}
			}
		})
	}
}

// BenchmarkBudgets is what a page that lists every budget asks for.
func BenchmarkBudgets(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			_, e, _ := newStorm(b, n)
			for b.Loop() {
				if len(e.Snapshot().Budgets) != n {
					b.Fatal("a budget is missing")
				}
			}
		})
	}
}
