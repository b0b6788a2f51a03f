package alerting

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/slo"
)

// weekly is an SLO of 99 % over a week with nothing but a policy, and a ledger of two weeks with a
// hundred events a minute: ten thousand and eighty may go bad. From start on, ten a minute do, for
// as long as is said.
func weekly(t testing.TB, burns budget.Minute) Input {
	spec := workbookSpec(t, "99", nil, nil)
	spec.Windows = []slo.Window{{Rolling: 7 * slo.Day}}
	l := &budget.Ledger{}
	for m := start - 8*1440; m < start+10*1440; m++ {
		bad := int64(0)
		if m >= start && m < start+burns {
			bad = 10
		}
		l.Put(m, budget.Count(bad*budget.Unit, 100*budget.Unit))
	}
	p := DefaultPolicy()
	return Input{ID: spec.ID(), Spec: spec, Ledger: l, Policy: &p}
}

// at is the state of the machine at a minute.
func (in Input) at(m budget.Minute) State {
	st, _ := Advance(in, State{Through: start - 60}, m)
	return st
}

// TestAnOpenPageHoldsReleasesBack: a budget that is nearly whole lets nothing pass as usual while
// it burns fast enough to wake somebody, unless the policy says so.
func TestAnOpenPageHoldsReleasesBack(t *testing.T) {
	in := weekly(t, 0)
	at := start + 2*1440
	burning := State{Through: at, Burn: &Open{Rule: RulePage, Severity: Page, Opened: at - 10}}
	for name, c := range map[string]struct {
		policy Gate
		change func(*State)
		want   Gate
		paged  bool
	}{
		"by default it asks for caution":         {GateCaution, func(*State) {}, GateCaution, true},
		"a policy may freeze":                    {GateFrozen, func(*State) {}, GateFrozen, true},
		"or look at the budget only":             {"", func(*State) {}, GateOpen, false},
		"a ticket holds nothing back":            {GateCaution, func(s *State) { s.Burn.Severity = Ticket }, GateOpen, false},
		"nor a page that somebody made a ticket": {GateCaution, func(s *State) { s.Burn.Set = Ticket }, GateOpen, false},
		"nor one that is over":                   {GateCaution, func(s *State) { s.Burn = nil }, GateOpen, false},
	} {
		t.Run(name, func(t *testing.T) {
			st := burning.clone()
			c.change(&st)
			in.Policy.OpenPage = c.policy
			v := Judge(in, st, nil, at.Time())
			if v.Gate != c.want || v.Go != (c.want == GateOpen) || v.Ground != ByBudget || v.Paged != c.paged {
				t.Errorf("%s, %v: %s, %v", v.Gate, v.Go, v.Ground, v.Paged)
			}
		})
	}
}

func TestAGateFreezesAndThawsOnce(t *testing.T) {
	in := weekly(t, 1120)
	_, events := Advance(in, State{Through: start - 60}, in.Ledger.End())
	type turn struct {
		Reason Reason
		Left   int64 // events
	}
	var got []turn
	for _, e := range events {
		if e.Rule != RulePolicy || e.Kind != Noticed || e.Severity != Notice {
			t.Fatalf("an event that is not the policy's: %+v", e)
		}
		got = append(got, turn{e.Reason, (e.Budget.Allowed - e.Budget.Bad) / budget.Unit})
	}
	want := []turn{
		{PolicyCaution, 2529}, // the first below a quarter of what 7d 19min allow
		{PolicyFrozen, -6},    // the first below none
		{PolicyThawed, 680},   // errors leave by the hour; 5 % are 504
		{PolicyOpen, 3080},    // 30 % are 3024
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
}

func TestWhenAGateClearsIsWhenItDoes(t *testing.T) {
	in := weekly(t, 1120)
	_, events := Advance(in, State{Through: start - 60}, in.Ledger.End())
	thawed, open := events[2].Time(), events[3].Time()
	for _, c := range []struct {
		at   budget.Minute
		gate Gate
		want time.Time
	}{
		{start + 1120, GateFrozen, thawed},
		{start + 4000, GateFrozen, thawed},
		{budget.MinuteOf(thawed), GateCaution, open},
		{budget.MinuteOf(open), GateOpen, time.Time{}},
	} {
		v := Judge(in, in.at(c.at), nil, c.at.Time())
		if v.Gate != c.gate || v.ClearsAt.Sub(c.want).Abs() > time.Hour {
			t.Errorf("at +%d the gate is %s and clears at %v, want %s and %v", c.at-start, v.Gate, v.ClearsAt, c.gate, c.want)
		}
	}
}

func TestVerdicts(t *testing.T) {
	in, at := weekly(t, 1120), start+1120
	frozen := in.at(at)
	act := func(kind ActKind, more func(*Act)) Act {
		a := Act{Key: string(kind), Kind: kind, By: "ada", Text: "the fix must go out", Service: "shop", At: at.Time().Add(-time.Hour)}
		if more != nil {
			more(&a)
		}
		return a
	}
	calendar := in
	spec := *in.Spec
	calendar.Spec = &spec
	spec.Windows = []slo.Window{{Calendar: slo.Week}}
	for _, c := range []struct {
		name string
		in   Input
		st   State
		acts []Act
		now  time.Time
		gate Gate
		goes bool
		why  Ground
	}{
		{"an overspent budget freezes", in, frozen, nil, at.Time(), GateFrozen, false, ByBudget},
		{"a budget with room is open", in, in.at(start), nil, start.Time(), GateOpen, true, ByBudget},
		{"no policy is unknown", Input{ID: in.ID, Spec: in.Spec, Ledger: in.Ledger}, frozen, nil, at.Time(), GateUnknown, false, NoPolicy},
		{"nothing read yet is unknown", Input{ID: in.ID, Spec: in.Spec, Ledger: &budget.Ledger{}, Policy: in.Policy}, State{}, nil, at.Time(), GateUnknown, false, NothingKnown},
		{"old data are unknown", in, frozen, nil, at.Time().Add(20 * time.Minute), GateUnknown, false, Stale},
		{"minutes without data are old data", in, State{Through: at, Missing: 16}, nil, at.Time(), GateUnknown, false, Stale},
		{"data a few minutes old are not", in, frozen, nil, at.Time().Add(10 * time.Minute), GateFrozen, false, ByBudget},
		{"an exemption lets pass", in, frozen, []Act{act(Exempt, nil)}, at.Time(), GateExempt, true, ByBudget},
		{"also what nobody knows", in, frozen, []Act{act(Exempt, nil)}, at.Time().Add(time.Hour), GateExempt, true, Stale},
		{"an exemption that has ended does not", in, frozen, []Act{act(Exempt, func(a *Act) { a.Until = at.Time() })}, at.Time(), GateFrozen, false, ByBudget},
		{"nor does one that was taken back", in, frozen, []Act{act(Exempt, nil), {Key: "u", Kind: Undo, Other: "exempt"}}, at.Time(), GateFrozen, false, ByBudget},
		{"nor one of another service", in, frozen, []Act{act(Exempt, func(a *Act) { a.Service = "search" })}, at.Time(), GateFrozen, false, ByBudget},
		{"an override goes and stays frozen", in, frozen, []Act{act(Override, func(a *Act) { a.Until = at.Time().Add(time.Minute) })}, at.Time(), GateFrozen, true, ByBudget},
		{"a calendar window clears with its period", calendar, frozen, nil, at.Time(), GateFrozen, false, ByBudget},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := Judge(c.in, c.st, c.acts, c.now)
			if v.Gate != c.gate || v.Go != c.goes || v.Ground != c.why {
				t.Errorf("%s, go %v: %s", v.Gate, v.Go, v.Ground)
			}
			if v.Go && v.Gate != GateOpen && v.Permit == nil {
				t.Error("nobody is named who lets it pass")
			}
		})
	}
	if v := Judge(calendar, frozen, nil, at.Time()); !v.ClearsAt.Equal(spec.Window().Reset(at.Time())) {
		t.Errorf("a calendar window clears at %v", v.ClearsAt)
	}
}

func TestTheWorstVerdictCounts(t *testing.T) {
	verdict := func(g Gate) Verdict { return Verdict{Gate: g, Go: g == GateOpen || g == GateExempt} }
	for _, c := range []struct{ all, want string }{
		{"", "unknown"},
		{"open open", "open"},
		{"open exempt", "exempt"},
		{"exempt caution open", "caution"},
		{"open unknown caution", "unknown"},
		{"unknown frozen open", "frozen"},
	} {
		var all []Verdict
		for _, g := range strings.Fields(c.all) {
			all = append(all, verdict(Gate(g)))
		}
		if got := Worst(all).Gate; string(got) != c.want {
			t.Errorf("the worst of %q is %s, want %s", c.all, got, c.want)
		}
	}
}
