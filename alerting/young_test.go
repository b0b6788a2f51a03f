package alerting

import (
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/slo"
)

// young is an SLO of 99.9 % over four weeks whose data began so many minutes before start, after
// days in which they were looked for in vain: a thousand events a minute, and of ten minutes from
// start on all are bad.
func young(t testing.TB, age budget.Minute) Input {
	spec := workbookSpec(t, "99.9", []slo.Pair{fast, slow}, []slo.Pair{day, threeD})
	spec.Windows = []slo.Window{{Rolling: 28 * slo.Day}}
	spec.Alerts.Spent = []int64{1000, 5000, 10000}
	l := &budget.Ledger{}
	for m := start - age - 3*1440; m < start+180; m++ {
		slot := budget.Slot{State: budget.Absent}
		if m >= start-age {
			slot = budget.Count(0, 1000*budget.Unit)
		}
		if m >= start && m < start+10 {
			slot.Bad = slot.Total
		}
		l.Put(m, slot)
	}
	p := DefaultPolicy()
	return Input{ID: spec.ID(), Spec: spec, Ledger: l, Policy: &p}
}

// Ten minutes of outage are a quarter of four weeks' budget, at whatever age of the ledger. While
// less than a tenth of the window is known, no share of the budget is acted upon, and while less
// than half is, there is no verdict.
func TestWhatAnOutageCostsAtEveryAge(t *testing.T) {
	for _, c := range []struct {
		name    string
		age     budget.Minute
		cost    string
		notices int // that a share of the budget is spent
		gate    Gate
		left    string
	}{
		{"an hour", 60, "about 24.8 %", 0, GateUnknown, "—"},
		{"a day", 1440, "about 24.8 %", 0, GateUnknown, "—"},
		{"three days", 3 * 1440, "24.8 %", 1, GateUnknown, "75.1 %"},
		{"three weeks", 21 * 1440, "24.8 %", 1, GateOpen, "75.1 %"},
	} {
		t.Run(c.name, func(t *testing.T) {
			in, end := young(t, c.age), start+180
			st, events := Advance(in, State{Through: max(start-c.age, start-1440)}, end)
			var i Incident
			notices := 0
			for _, e := range events {
				switch e.Rule {
				case RulePage:
					i = i.Apply(e)
				case RulePolicy:
					t.Errorf("the gate is told: %+v", e)
				}
				if e.Reason == BudgetSpent {
					notices++
				}
			}
			if got := i.Last.Budget.CostOf(i.Bad()); i.Open || got != c.cost || notices != c.notices {
				t.Errorf("it cost %s, with %d notices, open %v; want %s, %d", got, notices, i.Open, c.cost, c.notices)
			}
			v := Judge(in, st, nil, end.Time())
			if v.Gate != c.gate || v.Budget.LeftText() != c.left {
				t.Errorf("the gate is %s (%s), %s left; want %s, %s", v.Gate, v.Ground, v.Budget.LeftText(), c.gate, c.left)
			}
		})
	}
}

// A month that the data began with is wholly known from its first minute on; how much its budget
// will be is not.
func TestAYoungMonthHasNoVerdict(t *testing.T) {
	in := young(t, 0)
	in.Spec.Windows = []slo.Window{{Calendar: slo.Month}}
	in.Ledger = &budget.Ledger{}
	begin := budget.MinuteOf(time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC))
	for m := begin; m < begin+4*1440; m++ {
		in.Ledger.Put(m, budget.Count(0, 1000))
	}
	for age, want := range map[budget.Minute]Gate{60: GateUnknown, 4 * 1440: GateOpen} {
		at := begin + age
		st, _ := Advance(in, State{Through: begin}, at)
		if v := Judge(in, st, nil, at.Time()); v.Gate != want || v.Budget.Coverage != 1 {
			t.Errorf("after %v: %s, coverage %v: %s", age, v.Gate, v.Budget.Coverage, v.Ground)
		}
	}
}

// What is shown as firing has fired: with few minutes known, a burn that is above the threshold in
// them is held back.
func TestWhatHasNotFiredIsHeldBack(t *testing.T) {
	in := young(t, 0)
	in.Ledger = &budget.Ledger{}
	for m := start; m < start+4; m++ {
		in.Ledger.Put(m, budget.Count(20*budget.Unit, 1000*budget.Unit))
	}
	for name, c := range map[string]struct {
		st   State
		want string
	}{
		"nothing has fired": {State{}, tooLittleSeen},
		"a page is open":    {State{Burn: &Open{Severity: Page}}, ""},
	} {
		_, events := Advance(in, State{Through: start}, start+4)
		if got := Standings(in, c.st, start+4)[0]; len(events) > 0 || !got.Over || got.HeldBack != c.want {
			t.Errorf("%s: over %v, held back %q, %d events; want %q", name, got.Over, got.HeldBack, len(events), c.want)
		}
	}
}
