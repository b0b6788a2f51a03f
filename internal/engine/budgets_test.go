package engine

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/slo"
)

// TestBudgetsOfAnSLO opens budgets and puts them away at random. Those of an SLO are always what a
// walk over all of them finds.
func TestBudgetsOfAnSLO(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	b := newBudgets(slo.NewSet(nil, nil, nil), nil, &stops{})
	for range 500 {
		id := slo.ID(fmt.Sprintf("shop/slo%d", r.IntN(3)))
		if r.IntN(3) > 0 {
			id += slo.ID(fmt.Sprintf("{route=%d}", r.IntN(4)))
		}
		if a := b.byID[id]; a != nil && r.IntN(2) == 0 {
			b.remove(a)
		} else {
			b.put(&account{id: id})
		}
		for n := range 3 {
			base := slo.ID(fmt.Sprintf("shop/slo%d", n))
			want := slices.DeleteFunc(b.all(), func(a *account) bool { return a.id.Base() != base })
			if got := b.bySLO[base]; !slices.Equal(got, want) {
				t.Fatalf("%d budgets of %s, want %d", len(got), base, len(want))
			}
		}
	}
}

// TestWhatIsFoundLate is added to the ledger, and the turn holds the minutes as they are then:
// committing it twice, or a day later, comes to the same.
func TestWhatIsFoundLate(t *testing.T) {
	objective, err := slo.ParseObjective("99")
	if err != nil {
		t.Fatal(err)
	}
	spec := &slo.Spec{Service: "shop", Name: "pay", Objective: objective, Windows: []slo.Window{{Rolling: 28 * slo.Day}}}
	spec.Alerts.NoData = 10 * time.Minute
	b, id := newBudgets(slo.NewSet([]*slo.Spec{spec}, nil, nil), nil, &stops{}), spec.ID()
	count := func(bad, total int64) budget.Slot { return budget.Count(bad*budget.Unit, total*budget.Unit) }
	first := prom.Reading{Slots: []budget.SlotAt{{At: 600, Slot: count(1, 10)}, {At: 601, Slot: budget.Slot{State: budget.Absent}}, {At: 602, Slot: count(0, 10)}}}
	a, _ := b.read(id, first)
	judge{budgets: b}.turn(a, first)
	second := prom.Reading{
		Slots: []budget.SlotAt{{At: 603, Slot: count(0, 10)}},
		Late: []prom.Amendment{
			{At: 599, Bad: 7 * budget.Unit, Total: 7 * budget.Unit}, // before the SLO was known
			{At: 600, Bad: -budget.Unit, Total: -4 * budget.Unit}, {At: 601, Bad: 2 * budget.Unit, Total: 5 * budget.Unit},
		},
	}
	got := judge{budgets: b}.turn(a, second).turn
	want := []budget.SlotAt{{At: 603, Slot: count(0, 10)}, {At: 600, Slot: count(0, 6)}, {At: 601, Slot: count(2, 5)}}
	if d := cmp.Diff(want, got.Slots); d != "" {
		t.Errorf("the turn has other slots (-want +got):\n%s", d)
	}
	if s := a.ledger.Sum(0, 1000); s.Bad != 2*budget.Unit || s.Total != 31*budget.Unit || s.Known != 4 {
		t.Errorf("the ledger holds %+v", s)
	}
	if c := a.counted; c.Bad != 3*budget.Unit || c.Total != 35*budget.Unit {
		t.Errorf("the counters of the metrics are %+v: they must never fall", c)
	}
	a.ledger.PutHour(-30, budget.Sum{Known: 60}) // the first day of a ledger keeps its minutes
	a.ledger.Thin(660)
	got = judge{budgets: b}.turn(a, prom.Reading{Late: []prom.Amendment{{At: 601, Bad: budget.Unit, Total: budget.Unit}}}).turn
	if len(got.Slots) > 0 || len(got.Hours) != 1 || got.Hours[0].Hour != 10 || got.Hours[0].Sum != a.ledger.Sum(600, 660) || got.Hours[0].Sum.Bad != 3*budget.Unit {
		t.Errorf("of an hour without minutes the turn has %+v", got)
	}
	if a.state.Through != 604 {
		t.Errorf("what was found late moved the decisions to %d", a.state.Through)
	}
}
