package sentences_test

import (
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/sentences"
	"github.com/slowburn-sre/slowburn/slo"
)

// TestWhyAGateIsAsItIs: the reason of every verdict, and what would clear it.
func TestWhyAGateIsAsItIs(t *testing.T) {
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	left := func(bad int64) budget.Status {
		o, _ := slo.ParseObjective("99")
		l := &budget.Ledger{}
		for m := budget.MinuteOf(noon) - 7*1440; m < budget.MinuteOf(noon); m++ {
			l.Put(m, budget.Count(0, 1000*budget.Unit))
		}
		l.Put(budget.MinuteOf(noon)-1, budget.Count(bad*budget.Unit, 1000*budget.Unit))
		return budget.StatusAt(l, o, slo.Window{Rolling: 7 * slo.Day}, budget.MinuteOf(noon))
	}
	month := budget.Status{Window: slo.Window{Calendar: slo.Month}}
	chaos := &alerting.Act{By: "ci", Change: &alerting.Change{Title: "one pod dies", End: noon}}
	for name, c := range map[string]struct {
		of            alerting.Verdict
		because, then string
	}{
		"no policy":        {alerting.Verdict{Ground: alerting.NoPolicy}, "There is no error-budget policy to judge by: add policy: to the configuration.", ""},
		"no budget":        {alerting.Verdict{Ground: alerting.NoBudget}, "There is no budget to judge by.", ""},
		"nothing was read": {alerting.Verdict{Ground: alerting.NothingKnown}, "Nothing is known of this budget yet.", ""},
		"little was read": {
			alerting.Verdict{Ground: alerting.LittleKnown, Budget: budget.Status{Coverage: 0.31}},
			"Only 31.0 % of the minutes of the window are known.", "Data for at least half of the window.",
		},
		"a young month": {
			alerting.Verdict{Ground: alerting.TooYoung, Budget: month},
			"The data are too young to tell how large the budget of this month will be.", "Data for at least a tenth of a month.",
		},
		"old data": {
			alerting.Verdict{Ground: alerting.Stale, AsOf: noon, Age: 20*time.Minute + time.Second, StaleAfter: 15 * time.Minute},
			"The newest data are 20 min old: they end at 2026-11-23 12:00 UTC.", "Data that are newer than 15 min.",
		},
		"broken": {alerting.Verdict{Ground: alerting.Broken, Problem: "out of range"}, "out of range", ""},
		"whole":  {alerting.Verdict{Ground: alerting.ByBudget, Gate: alerting.GateOpen, Budget: left(0)}, "100 % of the error budget of 7 d is left.", ""},
		"a page is open": {
			alerting.Verdict{Ground: alerting.ByBudget, Gate: alerting.GateCaution, Paged: true, Since: noon, Budget: left(0)},
			"A page is open since 2026-11-23 12:00 UTC; 100 % of the error budget of 7 d is left.", "The page is resolved.",
		},
		"low": {
			alerting.Verdict{Ground: alerting.ByBudget, Gate: alerting.GateCaution, Low: alerting.GateCaution, Line: 9990, Back: 10000, ClearsAt: noon, Budget: left(500)},
			"99.5 % of the error budget of 7 d is left; the policy is cautious below 99.9 %, until 100 % are left.",
			"At 100 % left: about 2026-11-23 12:00 UTC if nothing goes wrong until then, as old errors leave the window.",
		},
		"a page holds back more than a low budget": {
			alerting.Verdict{Ground: alerting.ByBudget, Gate: alerting.GateFrozen, Low: alerting.GateCaution, Paged: true, Since: noon, Line: 9990, Back: 10000, Budget: left(500)},
			"A page is open since 2026-11-23 12:00 UTC; 99.5 % of the error budget of 7 d is left; the policy is cautious below 99.9 %, until 100 % are left.",
			"The page is resolved.",
		},
		"no experiment while something burns": {alerting.Verdict{Ground: alerting.AlertOpen, Incident: "a/b/page/1"}, "An incident is open: a/b/page/1.", "Its end."},
		"nor beside another one": {
			alerting.Verdict{Ground: alerting.OtherRuns, Running: chaos},
			"Another experiment runs: one pod dies, by ci.", "Its end, at 2026-11-23 12:00 UTC.",
		},
		"nor one that is too dear": {
			alerting.Verdict{Ground: alerting.TooDear, Spend: 7300, Line: 2500, Budget: left(0)},
			"100 % of the error budget is left: after 73 % it would be below 25 %, the line of caution.", "A smaller experiment, or more budget.",
		},
		"else it may spend": {
			alerting.Verdict{Ground: alerting.MaySpend, Spend: 500, Budget: left(0)},
			"The experiment may spend 5 % of the error budget, of which 100 % is left. Nothing burns, and no other experiment runs.", "",
		},
	} {
		if got, then := sentences.GateReason(c.of), sentences.Clearing(c.of); got != c.because || then != c.then {
			t.Errorf("%s: %q, %q", name, got, then)
		}
	}
}

// TestWhyAnExperimentMustEnd: by what it cost, or by an alert.
func TestWhyAnExperimentMustEnd(t *testing.T) {
	act := alerting.Act{Change: &alerting.Change{Spend: 200}}
	at := alerting.Cost{SLO: "shop/availability", Excess: 27 * budget.Unit, Known: true, Budget: alerting.Account{Allowed: 1000 * budget.Unit}}
	for want, of := range map[string]alerting.Trial{
		"": {},
		"shop/availability: it has spent 2.7 % of the error budget; 2 % were planned.": {Reason: alerting.ExperimentSpent},
		"shop/availability: an alert fired: shop/availability/page/1.":                 {Reason: alerting.ExperimentBurns, Incident: "shop/availability/page/1"},
		"shop/availability: an alert had fired.":                                       {Reason: alerting.ExperimentBurns},
	} {
		of.Act, of.At = act, at
		if got := sentences.Stops(of); got != want {
			t.Errorf("%q; want %q", got, want)
		}
	}
}
