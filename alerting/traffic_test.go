package alerting

import (
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/slo"
)

// quietLife is five weeks of a load, given by the minute, and the notices of missing traffic in it.
func quietLife(t *testing.T, thin bool, cut budget.Minute, load func(m budget.Minute) int64) []budget.Minute {
	t.Helper()
	objective, err := slo.ParseObjective("99.9")
	if err != nil {
		t.Fatal(err)
	}
	spec := &slo.Spec{Service: "shop", Name: "pay", Objective: objective, Windows: []slo.Window{{Rolling: 28 * slo.Day}}}
	spec.Alerts = slo.Alerts{Traffic: 30 * time.Minute}
	l := &budget.Ledger{}
	begin, end := budget.Minute(29_000_000/60*60), budget.Minute(29_000_000/60*60)+5*week
	st := State{Through: begin}
	var told []budget.Minute
	for m := begin; m < end; m += cut {
		for i := m; i < min(m+cut, end); i++ {
			l.Put(i, budget.Count(0, load(i-begin)*budget.Unit))
		}
		next, events := Advance(Input{ID: spec.ID(), Spec: spec, Ledger: l}, st, min(m+cut, end))
		st = next
		if thin {
			l.Thin(st.Through - 3*24*60)
		}
		for _, e := range events {
			if e.Rule != RuleTraffic || e.Kind != Noticed || e.Severity != Notice {
				t.Fatalf("something else is told: %+v", e)
			}
			told = append(told, e.At-begin)
		}
	}
	return told
}

func TestSilenceOfTheUsersIsToldOnce(t *testing.T) {
	gone := 4*week + 3*24*60 + 10*60 // a Thursday of the fifth week at ten
	const hour = budget.Minute(60)
	night := func(m budget.Minute) bool { return m%(24*hour) < 6*hour }
	for _, c := range []struct {
		name string
		load func(budget.Minute) int64
		want int
	}{
		{"steady traffic says nothing", func(budget.Minute) int64 { return 2 }, 0},
		{"two hours without anybody are told once", func(m budget.Minute) int64 {
			if m >= gone && m < gone+2*hour {
				return 0
			}
			return 2
		}, 1},
		{"a second silence of the same day is not told again", func(m budget.Minute) int64 {
			if m >= gone && m < gone+2*hour || m >= gone+5*hour && m < gone+7*hour {
				return 0
			}
			return 2
		}, 1},
		{"twenty minutes are not told", func(m budget.Minute) int64 {
			if m >= gone && m < gone+20 {
				return 0
			}
			return 100
		}, 0},
		{"a night that is always silent is not told", func(m budget.Minute) int64 {
			if night(m) {
				return 0
			}
			return 100
		}, 0},
		{"a morning on which nobody comes is", func(m budget.Minute) int64 {
			if night(m) || m/(24*hour) == 31 {
				return 0
			}
			return 100
		}, 1},
		{"a few requests an hour prove nothing", func(m budget.Minute) int64 {
			if m%10 != 0 || m >= gone && m < gone+2*hour {
				return 0
			}
			return 1
		}, 0},
		{"a batch once an hour has pauses of its own", func(m budget.Minute) int64 {
			if m%hour > 2 {
				return 0
			}
			return 1000
		}, 0},
		{"a young ledger knows nothing of the weeks before", func(m budget.Minute) int64 {
			if m >= 10*24*hour && m < 11*24*hour {
				return 0
			}
			return 100
		}, 0},
	} {
		whole := quietLife(t, false, 5*week, c.load)
		if len(whole) != c.want {
			t.Errorf("%s: told at %v", c.name, whole)
		}
		if cut := quietLife(t, true, 7, c.load); len(cut) != len(whole) || len(cut) == 1 && cut[0] != whole[0] {
			t.Errorf("%s: told at %v, and at %v with short ticks and thinned minutes", c.name, whole, cut)
		}
	}
}
