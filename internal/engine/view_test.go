package engine

import (
	"slices"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/slo"
)

// TestEveryAlertWindowIsShownOnce: of the default pairs, two share the window of six hours.
func TestEveryAlertWindowIsShownOnce(t *testing.T) {
	objective, err := slo.ParseObjective("99.9")
	if err != nil {
		t.Fatal(err)
	}
	spec := &slo.Spec{Service: "shop", Name: "availability", Objective: objective, Windows: []slo.Window{{Rolling: 28 * slo.Day}}}
	spec.Alerts, _ = slo.DefaultAlerts(spec.Window(), objective)
	l, at := &budget.Ledger{}, budget.Minute(4*24*60)
	for m := range at {
		l.Put(m, budget.Count(int64(m), budget.Unit*10_000))
	}
	var want []WindowBurn
	for _, d := range []time.Duration{5 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 6 * time.Hour, slo.Day, 3 * slo.Day} {
		rate, known := budget.Burn(l.Sum(at-budget.Minutes(d), at), objective)
		want = append(want, WindowBurn{Window: d, Rate: rate, Known: known})
	}
	in := alerting.Input{ID: spec.ID(), Spec: spec, Ledger: l}
	if got := burns(spec, alerting.Standings(in, alerting.State{Through: at}, at)); !slices.Equal(got, want) {
		t.Errorf("the burns are %v, want %v", got, want)
	}
}
