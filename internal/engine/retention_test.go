package engine

import (
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/slo"
)

// A quarter and ninety days stand in the ledger although nobody could read them from Prometheus any
// more.
func TestTheLedgerOutlivesTheRetentionOfPrometheus(t *testing.T) {
	db, err := store.Open(t.TempDir()+"/slowburn.db", store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	objective, _ := slo.ParseObjective("99.9")
	spec := &slo.Spec{
		Service: "shop", Name: "up", Objective: objective,
		Windows: []slo.Window{{Rolling: 90 * slo.Day}, {Calendar: slo.Quarter}},
		Alerts:  slo.Alerts{Page: []slo.Pair{{Budget: 200, Long: time.Hour, Short: 5 * time.Minute}}},
	}
	ledger := &budget.Ledger{}
	now := time.Date(2026, 9, 30, 12, 0, 0, 0, time.UTC)
	first, end := budget.MinuteOf(now.Add(-120*slo.Day)), budget.MinuteOf(now)
	turn := store.Turn{SLO: spec.ID(), State: alerting.State{Through: end}}
	for h := first.Hour(); h < end.Hour(); h++ {
		turn.Hours = append(turn.Hours, budget.HourAt{Hour: h, Sum: budget.Sum{Bad: 6 * budget.Unit, Total: 60_000 * budget.Unit, Known: 60, BadSlots: 6}})
	}
	turn.Apply(ledger)
	if err := db.Commit(t.Context(), store.Tick{At: now, Turns: []store.Turn{turn}}); err != nil {
		t.Fatal(err)
	}
	for range 3 { // three days of hourly tidying
		ledger.Thin(end - alerting.Horizon(spec))
		if err := db.Fold(t.Context(), map[slo.ID]*budget.Ledger{spec.ID(): ledger}); err != nil {
			t.Fatal(err)
		}
		if err := db.DropDays(t.Context(), now.Add(-400*slo.Day)); err != nil {
			t.Fatal(err)
		}
	}
	snap, err := db.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	kept := snap.Accounts[spec.ID()].Ledger
	for _, w := range spec.Windows {
		s := budget.StatusAt(kept, objective, w, end)
		hours := int64(end-budget.MinuteOf(s.From)) / 60
		if s.Sum.Bad != hours*6*budget.Unit || s.Coverage != 1 {
			t.Errorf("%s: %d bad events of %d hours, coverage %v", w, s.Sum.Bad/budget.Unit, hours, s.Coverage)
		}
	}
}
