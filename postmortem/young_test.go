package postmortem_test

import (
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/postmortem"
	"github.com/slowburn-sre/slowburn/slo"
)

// TestAYoungBudgetHasOneBasis: a service of 600 requests a minute is born at 16:42, and its SLO
// with it or days before. What an outage cost of one day and of four weeks, what is left, the
// forecast, notices, the gate, the coverage and whether a postmortem is required rest on the
// minutes since 16:42; neither on the hour that they began in, nor on what was looked for before in
// vain.
func TestAYoungBudgetHasOneBasis(t *testing.T) {
	born := time.Date(2026, 11, 28, 16, 42, 0, 0, time.UTC)
	for _, c := range []struct {
		name    string
		window  time.Duration
		at      time.Duration // of the day
		bad     int64         // in the fifth minute after the birth and those after it, 300 each
		before  int           // minutes that were read before the birth, and held nothing
		cost    string
		allowed int64 // events
		sized   bool
		gate    alerting.Gate
	}{
		// 600 a minute over 1,440 minutes allow 864 bad; over 28 days and the hour that a window
		// begins in, 24,192 and a few.
		{"s1d at 17:26", slo.Day, 17*time.Hour + 26*time.Minute, 1800, 0, "about 204.7 %", 879, false, alerting.GateUnknown},
		{"s1d at 19:42", slo.Day, 19*time.Hour + 42*time.Minute, 1800, 0, "202.5 %", 889, true, alerting.GateUnknown},
		{"s1d the next day", slo.Day, 40*time.Hour + 42*time.Minute, 1800, 0, "202.5 %", 889, true, alerting.GateFrozen},
		{"s28d at 17:00", 28 * slo.Day, 17 * time.Hour, 1800, 0, "about 7.5 %", 24_192, false, alerting.GateUnknown},
		{"s28d at 17:26", 28 * slo.Day, 17*time.Hour + 26*time.Minute, 4500, 0, "about 18.6 %", 24_207, false, alerting.GateUnknown},
		{"s28d, loaded three days before its service existed", 28 * slo.Day, 17*time.Hour + 26*time.Minute, 4500, 3 * 1440, "about 18.6 %", 24_207, false, alerting.GateUnknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			begin, at := budget.MinuteOf(born), budget.MinuteOf(born.Truncate(slo.Day).Add(c.at))
			objective, _ := slo.ParseObjective("99.9")
			spec := &slo.Spec{
				Service: "probe", Name: "s", Objective: objective, Windows: []slo.Window{{Rolling: c.window}},
				SLI:    slo.Indicator{Kind: slo.Events},
				Alerts: slo.Alerts{Page: []slo.Pair{{Budget: 200, Long: time.Hour, Short: 5 * time.Minute}}, Spent: []int64{500}},
			}
			l := &budget.Ledger{}
			for m := begin - budget.Minute(c.before); m < begin; m++ {
				l.Put(m, budget.Slot{State: budget.Absent})
			}
			for m, bad := begin, c.bad; m < at; m++ {
				slot := budget.Count(0, 600*budget.Unit)
				if m >= begin+4 && bad > 0 {
					slot.Bad, bad = 300*budget.Unit, bad-300
				}
				l.Put(m, slot)
			}
			policy := alerting.DefaultPolicy()
			in := alerting.Input{ID: spec.ID(), Spec: spec, Ledger: l, Policy: &policy}
			st, events := alerting.Advance(in, alerting.State{Through: begin - budget.Minute(c.before)}, at)
			all, spent := alerting.Fold(nil, events), 0
			for _, e := range events {
				if e.Reason == alerting.BudgetSpent {
					spent++
				}
			}
			if len(all) != 1 {
				t.Fatalf("%d incidents", len(all))
			}
			now := budget.StatusAt(l, objective, spec.Window(), at)
			if got := now.CostOf(all[0].Bad()); got != c.cost || all[0].Bad() != c.bad*budget.Unit {
				t.Errorf("%d bad events cost %s, want %d and %s", all[0].Bad()/budget.Unit, got, c.bad, c.cost)
			}
			if now.Allowed/budget.Unit != c.allowed || now.Sized != c.sized || (now.LeftText() == "—") == c.sized {
				t.Errorf("%d allowed, sized %v, %s left, want %d, %v", now.Allowed/budget.Unit, now.Sized, now.LeftText(), c.allowed, c.sized)
			}
			if account := alerting.AccountOf(now); account.CostOf(all[0].Bad()) != c.cost || account.Projected == c.sized {
				t.Errorf("the account says %+v", account)
			}
			known := float64(at-begin) / float64(at-budget.MinuteOf(now.From))
			if v := alerting.Judge(in, st, nil, at.Time()); v.Gate != c.gate || v.Budget.Allowed != now.Allowed || v.Budget.Coverage != min(known, 1) {
				t.Errorf("the gate is %s, of %d allowed, %.4f known, want %s, %.4f", v.Gate, v.Budget.Allowed, v.Budget.Coverage, c.gate, known)
			}
			if (spent > 0) && !c.sized {
				t.Errorf("%d notices of a share of a budget whose size nobody knows", spent)
			}
			if o := alerting.Outlook(in, in.StatusAt(at), all[0].Burnt()...); !c.sized && o.In > 0 {
				t.Errorf("it is said to last %v", o.In)
			}
			if c.window != 28*slo.Day {
				return
			}
			v := postmortem.Judge(all[0], objective, l, 0)
			then := budget.StatusAt(l, objective, spec.Window(), all[0].Last.At+1)
			if v.Budget.Allowed != then.Allowed || v.Budget.Allowed != all[0].Last.Budget.Allowed || v.Budget.Projected == then.Sized || v.Required != (5*v.Bad > v.Budget.Allowed) {
				t.Errorf("the verdict is %+v, with %d allowed by the status", v, then.Allowed)
			}
		})
	}
}
