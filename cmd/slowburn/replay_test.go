package main

import (
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/slo"
)

// A backtest over a time before the metric existed begins with it: nothing was missing before, and
// an outage costs what it costs of four weeks, not of the hours that there are.
func TestABacktestBeginsWithTheData(t *testing.T) {
	const from, begun, to = budget.Minute(28_800_000), budget.Minute(28_810_000), budget.Minute(28_811_560)
	objective, err := slo.ParseObjective("99.9")
	if err != nil {
		t.Fatal(err)
	}
	spec := &slo.Spec{
		Service: "shop", Name: "pay", Objective: objective, Windows: []slo.Window{{Rolling: 28 * slo.Day}},
		SLI: slo.Indicator{Kind: slo.Events},
		Alerts: slo.Alerts{
			Page: []slo.Pair{{Budget: 200, Long: time.Hour, Short: 5 * time.Minute}}, Spent: []int64{1000}, NoData: 10 * time.Minute,
		},
	}
	ledger := &budget.Ledger{}
	for m := from; m < to; m++ {
		slot := budget.Slot{State: budget.Absent}
		switch {
		case m >= begun+1000 && m < begun+1010:
			slot = budget.Count(1000*budget.Unit, 1000*budget.Unit)
		case m >= begun:
			slot = budget.Count(0, 1000*budget.Unit)
		}
		ledger.Put(m, slot)
	}
	r := replayOne(alerting.Input{ID: spec.ID(), Spec: spec, Ledger: ledger}, from, to)
	if len(r.Incidents) != 1 || len(r.Notices) != 0 || !r.Begun.Equal(begun.Time()) {
		t.Fatalf("%+v", r)
	}
	if i := r.Incidents[0]; i.Rule != alerting.RulePage || i.Last.Budget.CostOf(i.Bad()) != "about 24.8 %" {
		t.Errorf("%s cost %s", i.Rule, i.Last.Budget.CostOf(i.Bad()))
	}
	if r := replayOne(alerting.Input{ID: spec.ID(), Spec: spec, Ledger: ledger}, from, begun); !r.Begun.IsZero() || len(r.Incidents) != 0 {
		t.Errorf("of a time without data: %+v", r)
	}
}
