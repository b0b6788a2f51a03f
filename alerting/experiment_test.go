package alerting

import (
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/slo"
)

// chaos is an experiment of an hour on the shop that may spend 2 % of its budget: about two hundred
// events.
func chaos(after int, more ...func(*Act)) Act {
	a := deploy("chaos", after, until(time.Hour))
	a.Kind, a.Change.Kind, a.Change.Spend, a.Change.Title = Experiment, "experiment", 200, "one pod dies"
	for _, f := range more {
		f(&a)
	}
	return a
}

func TestMayAnExperimentRun(t *testing.T) {
	calm, burnt := shopFloor(t, 0), weekly(t, 1120)
	ada := Act{Key: "o", Kind: Override, By: "ada", Text: "x", Service: "shop", At: start.Time(), Until: start.Time().Add(slo.Day)}
	at := start + 90
	for _, c := range []struct {
		name  string
		in    Input
		at    budget.Minute
		acts  []Act
		burn  bool
		spend int64
		goes  bool
		why   Ground
	}{
		{"a calm service", calm, at, nil, false, 500, true, MaySpend},
		{"what would be left is the line of caution", calm, at, nil, false, 7100, true, MaySpend},
		{"less would be left", calm, at, nil, false, 7300, false, TooDear},
		{"a frozen one", burnt, start + 1120, nil, false, 100, false, ByBudget},
		{"a frozen one, with an override for releases", burnt, start + 1120, []Act{ada}, false, 100, false, ByBudget},
		{"an incident is open", calm, at, nil, true, 100, false, AlertOpen},
		{"another experiment runs", calm, at, []Act{chaos(60)}, false, 100, false, OtherRuns},
		{"it runs elsewhere", calm, at, []Act{chaos(60, func(a *Act) { a.Service = "search" })}, false, 100, true, MaySpend},
		{"it is over", calm, at, []Act{chaos(20)}, false, 100, true, MaySpend},
	} {
		t.Run(c.name, func(t *testing.T) {
			st := c.in.at(c.at)
			if c.burn {
				st.Burn = &Open{Incident: "shop/availability/page/1"}
			}
			if v := Ask(c.in, st, c.acts, c.spend, c.at.Time()); v.Go != c.goes || v.Ground != c.why {
				t.Errorf("go %v: %s", v.Go, v.Ground)
			}
		})
	}
}

func TestAnExperimentIsStoppedOnce(t *testing.T) {
	for _, c := range []struct {
		name string
		in   Input
		acts []Act
		want string // reason and minute after the start
	}{
		{"one that keeps within its plan goes on", shopFloor(t, 0), []Act{chaos(0)}, ""},
		{"one that spends more does not", shopFloor(t, 8), []Act{chaos(0)}, "experiment_spent 22"},
		{"what burned before it is not its own", shopFloor(t, 8), []Act{chaos(30)}, "experiment_spent 52"},
		{"what was told too late was not known", shopFloor(t, 8), []Act{chaos(0, func(a *Act) { a.At = (start + 40).Time() })}, "experiment_spent 39"},
		{"when it is over nobody is told", shopFloor(t, 8), []Act{chaos(0, until(20*time.Minute))}, ""},
		{"one that was taken back is none", shopFloor(t, 8), []Act{chaos(0), {Key: "u", Kind: Undo, Other: "chaos", At: start.Time()}}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.in.Acts = c.acts
			st, events := Advance(c.in, State{Through: start - 60}, start+200)
			got := ""
			for _, e := range events {
				if e.Rule == RuleExperiment {
					got += strings.TrimSpace(string(e.Reason) + " " + time.Duration(e.At - start).String()[:len(time.Duration(e.At-start).String())-2])
				}
			}
			if got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
			if (st.Aborted == "chaos") != (c.want != "") {
				t.Errorf("remembered: %q", st.Aborted)
			}
		})
	}
	in := shopFloor(t, 50) // an alert fires within minutes, long before the plan is used up
	in.Spec.Alerts.Page = []slo.Pair{{Budget: 50, Long: time.Hour, Short: 5 * time.Minute}}
	in.Acts = []Act{chaos(0, func(a *Act) { a.Change.Spend = 9000 })}
	_, events := Advance(in, State{Through: start - 60}, start+100)
	if n := len(events); n < 2 || events[1].Reason != ExperimentBurns && events[0].Reason != ExperimentBurns {
		t.Errorf("an alert does not end an experiment: %+v", events)
	}
}

func TestHowAnExperimentStands(t *testing.T) {
	in := shopFloor(t, 8)
	for _, c := range []struct {
		at    budget.Minute
		phase Phase
		bad   int64
		why   Reason
	}{
		{start - 1, Planned, 0, ""},
		{start + 10, Running, 90, ""},
		{start + 30, Abort, 270, ExperimentSpent},
		{start + 60, Over, 540, ExperimentSpent},
	} {
		x := chaos(0)
		trial := Look(x, []Input{in}, []State{{Through: c.at}}, c.at.Time())
		bad := int64(0)
		for _, cost := range trial.Costs {
			bad += cost.Excess / budget.Unit
		}
		if trial.Phase != c.phase || bad != c.bad || trial.Reason != c.why {
			t.Errorf("at +%d it is %s with %d bad events: %s", c.at-start, trial.Phase, bad, trial.Reason)
		}
	}
}
