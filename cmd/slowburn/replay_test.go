package main

import (
	"strings"
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

// TestABacktestTellsOfTheSilenceOfTheUsers: after five weeks of steady traffic nobody comes for an
// hour. The list has it once, as live has a notice; it is no notice about the budget.
func TestABacktestTellsOfTheSilenceOfTheUsers(t *testing.T) {
	const from, to = budget.Minute(28_800_000), budget.Minute(28_800_000 + 36*1440)
	objective, err := slo.ParseObjective("99.9")
	if err != nil {
		t.Fatal(err)
	}
	spec := &slo.Spec{
		Service: "shop", Name: "pay", Objective: objective, Windows: []slo.Window{{Rolling: 28 * slo.Day}},
		SLI: slo.Indicator{Kind: slo.Events}, Alerts: slo.Alerts{Traffic: 30 * time.Minute},
	}
	silent := to - 300
	ledger := &budget.Ledger{}
	for m := from; m < to; m++ {
		events := int64(1000)
		if m >= silent && m < silent+60 {
			events = 0
		}
		ledger.Put(m, budget.Count(0, events*budget.Unit))
	}
	r := replayOne(alerting.Input{ID: spec.ID(), Spec: spec, Ledger: ledger}, to-1440, to)
	if len(r.Notices) != 1 || r.Notices[0].Since != silent || len(r.Incidents) != 0 {
		t.Fatalf("%+v", r)
	}
	var out strings.Builder
	e := &env{surroundings: surroundings{out: &out}}
	if err := (&backtestCmd{}).tell(e, []replay{r}, nil, to-1440, to); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"no traffic  shop/pay  30 min", "1 stretch without traffic, 0 notices about the budget"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, &out)
		}
	}
	if n := backtestAsFacts([]replay{r}, nil, to-1440, to).SLOs[0].Notices; len(n) != 1 || n[0].Rule != "traffic" || !n[0].Since.Equal(silent.Time()) {
		t.Errorf("%+v", n)
	}
}
