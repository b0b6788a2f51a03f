package incidents

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/ranking"
	"github.com/slowburn-sre/slowburn/slo"
)

// interruption is a book of four services, of which one depends on another, the events of a tick,
// and what people have done while these were told.
type interruption struct {
	*rand.Rand
	world *world
	ids   []slo.ID
	book  Book
	turns []Turn
}

func newInterruption(seed uint64) *interruption {
	x := &interruption{Rand: rand.New(rand.NewPCG(seed, 1))}
	for service := range 4 {
		for name := range 3 {
			x.ids = append(x.ids, slo.ID(fmt.Sprintf("service%d/slo%d", service, name)))
		}
	}
	x.world = newWorld(x.ids...)
	x.world.set = slo.NewSet(x.world.set.Specs, []*slo.Service{{Name: "service1", DependsOn: []slo.Dependency{{Service: "service0"}}}}, nil)
	x.Shuffle(len(x.ids), func(i, j int) { x.ids[i], x.ids[j] = x.ids[j], x.ids[i] })
	x.book = burning(x.world, x.ids[:6]...)
	if x.IntN(3) == 0 {
		x.book, _ = x.book.Tell(x.world, []Turn{x.world.turn(x.ids[6], missing(9, 1, x.ids[6]))}, nil, t0.Add(10*time.Minute))
	}
	for range x.IntN(3) {
		x.act()
	}
	for _, id := range x.ids {
		at := 11 + x.IntN(3)
		events := []alerting.Event{event(at, id, alerting.Updated)}
		switch open := len(x.book.OnBudget(id)) > 0; {
		case x.IntN(3) == 0:
			continue
		case !open:
			events[0].Kind = alerting.Opened
			if x.IntN(3) == 0 {
				events = append(events, event(at+1, id, alerting.Resolved))
			}
		case x.IntN(3) == 0:
			events[0].Kind = alerting.Resolved
		case x.IntN(3) == 0:
			events[0].Reason = alerting.Unacknowledged
		}
		if x.IntN(4) == 0 {
			events = append(events, missing(at, 1+x.IntN(4), id))
		}
		x.turns = append(x.turns, x.world.turn(id, events...))
	}
	return x
}

// act lets somebody do something, if it can be done, or finds something out.
func (x *interruption) act() {
	open := x.book.IDs()
	on := open[x.IntN(len(open))]
	a := alerting.Act{Key: fmt.Sprint("act", x.Uint32()), By: "Ada", Incident: on}
	scope := slo.ID(on).Service()
	switch x.IntN(9) {
	case 0, 1:
		a.Kind, a.Other = alerting.Merge, open[x.IntN(len(open))]
	case 2:
		a.Kind = alerting.Split
	case 3, 4:
		a.Kind = alerting.Acknowledge
	case 5:
		a.Kind, a.Text = alerting.Remark, "looking"
	case 6:
		a.Kind, a.Incident, a.Service, a.Until = alerting.Silence, "", scope, t0.Add(3*time.Hour)
	case 7:
		a.Kind, a.Incident, a.Service, a.Text = alerting.Declare, "", scope, "odd"
	case 8:
		x.book = x.book.WithEvidence(&ranking.Evidence{Incident: on})
		return
	}
	if after, _, err := x.book.Act(x.world, a, nil, t0.Add(11*time.Minute)); err == nil {
		x.book = after
	}
}

// TestToldAnewIsToldWhole: who tells anew only what acts have touched tells the same, and leaves
// the same book, as who tells all of it with the book that the acts have left.
func TestToldAnewIsToldWhole(t *testing.T) {
	byID := gocmp.Comparer(func(a, b *slo.Spec) bool { return a == b })
	now, less := t0.Add(15*time.Minute), 0
	for seed := range uint64(400) {
		x := newInterruption(seed)
		before := x.book
		told, first := before.Tell(x.world, x.turns, nil, now)
		for range 1 + x.IntN(2) {
			x.act()
		}
		wantBook, want := x.book.Tell(x.world, x.turns, nil, now)
		anew, ok := Retell(x.world, before, told, x.book)
		if !ok {
			t.Fatalf("seed %d: anything may be touched", seed)
		}
		var some []Turn
		for _, turn := range x.turns {
			if anew.Fold[turn.Budget.ID.Service()] {
				some = append(some, turn)
			}
		}
		gotBook, outcomes := anew.Book.Tell(x.world, some, nil, now)
		for n, turn := range x.turns {
			service := turn.Budget.ID.Service()
			switch {
			case anew.Tell[service]:
				first[n] = outcomes[0]
			case !anew.Fold[service]:
				less++
				continue
			}
			outcomes = outcomes[1:]
		}
		same := func(what string, want, got any) { // to compare is quick, to find out what differs is not
			if !reflect.DeepEqual(want, got) {
				if d := gocmp.Diff(want, got, byID, gocmp.AllowUnexported(Book{}), cmpopts.EquateEmpty()); d != "" {
					t.Fatalf("seed %d: %s (-whole +anew):\n%s", seed, what, d)
				}
			}
		}
		same("the book", wantBook, gotBook)
		same("what is told", want, first)
	}
	if less < 800 {
		t.Errorf("%d turns are not told anew", less)
	}
}

// TestAnActStandsBesideOthers: an act that was taken with an earlier book, and stands beside what
// others have done since, is what it is taken with the book that they have left, and leaves that
// book. It does not if they have touched its thread, or if minutes were decided for which it was to
// count.
func TestAnActStandsBesideOthers(t *testing.T) {
	now, stand, fall := t0.Add(15*time.Minute), 0, 0
	for seed := range uint64(400) {
		x := newInterruption(seed)
		open := x.book.IDs()
		a := alerting.Act{Key: "k", Kind: alerting.Acknowledge, By: "Bob", Incident: open[x.IntN(len(open))]}
		before := x.book
		_, out, err := before.Act(x.world, a, nil, now)
		if err != nil || len(out.Acts) == 0 {
			t.Fatal(out.Acts, err)
		}
		x.act()
		got, ok := out.Standing(x.world, before, x.book)
		if !ok {
			fall++
			continue
		}
		stand++
		want, whole, err := x.book.Act(x.world, a, nil, now)
		if err != nil || !reflect.DeepEqual(out.Incidents, whole.Incidents) || !reflect.DeepEqual(out.Acts, whole.Acts) {
			t.Fatalf("seed %d: taken anew it is another: %v", seed, err)
		}
		if d := gocmp.Diff(want, got, gocmp.AllowUnexported(Book{}), cmpopts.EquateEmpty()); d != "" {
			t.Fatalf("seed %d: the book (-whole +beside):\n%s", seed, d)
		}
		id := x.book.open[a.Incident].SLO
		decided := x.world.budgets[id]
		decided.State.Through++
		x.world.budgets[id] = decided
		if _, ok := out.Standing(x.world, before, x.book); ok {
			t.Fatalf("seed %d: it counts in a minute that is decided", seed)
		}
	}
	if stand < 50 || fall < 50 {
		t.Errorf("%d stand, and %d do not", stand, fall)
	}
}

// TestAnActOnNoServiceTouchesAll: who cannot say what an act is about tells everything anew.
func TestAnActOnNoServiceTouchesAll(t *testing.T) {
	w := newWorld("shop/a", "search/b")
	b := burning(w, "shop/a", "search/b")
	draft := b.edit()
	draft.setActs([]alerting.Act{{Key: "k", Kind: alerting.Undo, Other: "unknown"}})
	if touched, ok := touchedSince(b, draft.Book); ok {
		t.Errorf("only %v is touched", touched)
	}
	draft.setActs([]alerting.Act{{Key: "s", Kind: alerting.Silence, SLO: "shop/a"}})
	silenced := draft.Book
	draft = silenced.edit()
	draft.setActs(append(slices.Clone(silenced.acts), alerting.Act{Key: "k", Kind: alerting.Undo, Other: "s"}))
	if touched, ok := touchedSince(silenced, draft.Book); !ok || !touched["shop"] || len(touched) != 1 {
		t.Errorf("taking a silence back touches %v, %t", touched, ok)
	}
}
