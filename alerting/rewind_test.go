package alerting

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slowburn-sre/slowburn/budget"
)

// TestTheCutLawWhereTimeWentBack: a life is walked up to a minute, then some hours that never
// happen, in cuts, and then on from that minute. From there on the same events come out as without
// those hours: what was open before is open, as it was, and its story is the same but for being
// counted again. What opened in those hours is over.
func TestTheCutLawWhereTimeWentBack(t *testing.T) {
	spec := fullSpec(t)
	spec.Slack.Escalate.After = 7 * time.Minute
	seen := map[string]int{}
	for seed := range 2 * *lives {
		rng := rand.New(rand.NewPCG(uint64(seed), 7))
		in := Input{ID: spec.ID(), Spec: spec, Ledger: life(rng, daysOfLife), Policy: &lawful}
		_, all := Advance(in, State{Through: start}, in.Ledger.End())
		var returnTo []budget.Minute
		for _, i := range Fold(nil, all) {
			opened := i.Log[0].At
			to := opened + 1 + budget.Minute(rng.IntN(20+int(min(i.Log[len(i.Log)-1].At-opened, 300))))
			if to < in.Ledger.End()-1440 && (i.Rule == RuleNoData || in.Ledger.At(to-1).State.Known()) {
				returnTo = append(returnTo, to)
			}
		}
		slices.Sort(returnTo)
		st, before := State{Through: start}, []Event(nil)
		for _, to := range returnTo {
			var es []Event
			st, es = Advance(in, st, to)
			before = append(before, es...)
			returns(t, rng, in, st, before, seen)
		}
	}
	for _, what := range []string{"open before", "ticket again", "opened ahead", "ended ahead", "over before", "no data before", "no data ahead", "opened again"} {
		if seen[what] == 0 {
			t.Errorf("no case of %q among %v", what, seen)
		}
	}
}

// TestTimeGoesBackIntoMissingData: the minutes without data before the return are counted as they
// were, so that an incident opens when it would have.
func TestTimeGoesBackIntoMissingData(t *testing.T) {
	spec := fullSpec(t)
	limit := budget.Minutes(spec.Alerts.NoData)
	ledger := &budget.Ledger{}
	for m := start; m < start+60; m++ {
		ledger.Put(m, budget.Count(0, 100))
	}
	for m := start + 60; m < start+180; m++ {
		ledger.Put(m, budget.Slot{State: budget.Absent})
	}
	in := Input{ID: spec.ID(), Spec: spec, Ledger: ledger, Policy: &lawful}
	for missing := range limit + 3 {
		to := start + 60 + missing
		st, told := Advance(in, State{Through: start}, to)
		ahead, more := Advance(in, st, start+150)
		back, taken := Rewind(in, ahead, to)
		_, es := Advance(in, back, start+180)
		opened := budget.Minute(0)
		for _, i := range Fold(nil, slices.Concat(told, more, taken, es)) {
			if i.Open {
				opened = i.Log[0].At
			}
		}
		if back.Missing != int(missing) || opened != start+60+limit-1 {
			t.Errorf("after a return to the %d. minute without data, %d are known of, and no data are told at %d, want %d", missing, back.Missing, opened, start+60+limit-1)
		}
	}
}

// firstWalk names events as if no minute had been walked before.
func firstWalk(events []Event) []Event {
	all := slices.Clone(events)
	for n := range all {
		e := &all[n]
		e.Walk, e.Incident, e.Follows = 0, strings.TrimSuffix(e.Incident, "-2"), strings.TrimSuffix(e.Follows, "-2")
	}
	return all
}

// returns walks beyond a minute into hours that never happen, and goes back.
func returns(t *testing.T, rng *rand.Rand, in Input, st State, before []Event, seen map[string]int) {
	t.Helper()
	to := st.Through
	wrong := Input{ID: in.ID, Spec: in.Spec, Ledger: &budget.Ledger{}, Policy: in.Policy}
	in.Ledger.Each(start, to, func(m budget.Minute, s budget.Slot) bool { return wrong.Ledger.Put(m, s) })
	hours := rng.IntN(4) // without data, as those that happen afterwards, or others
	life(rng, 1).Each(start, start+300, func(m budget.Minute, s budget.Slot) bool {
		switch hours {
		case 0:
			s = budget.Slot{State: budget.Absent}
		case 1:
			s = in.Ledger.At(to + m - start)
		}
		return wrong.Ledger.Put(to+m-start, s)
	})
	ahead, told := st, slices.Clone(before)
	for end := to + budget.Minute(6+rng.IntN(200)); ahead.Through < end; {
		var es []Event
		ahead, es = Advance(wrong, ahead, min(end, ahead.Through+1+budget.Minute(rng.IntN(60))))
		ahead, wrong.Ledger = throughDisk(t, ahead, wrong.Ledger)
		told = append(told, es...)
	}
	back, es := Rewind(wrong, ahead, to)
	told = append(told, es...)
	for _, i := range Fold(nil, told) {
		switch {
		case i.Log[0].At >= to && i.Open:
			t.Fatalf("at %d %s is open, of minutes that have not happened", to, i.ID)
		case i.Log[0].At >= to:
			seen["opened ahead"]++
			if i.Rule == RuleNoData {
				seen["no data ahead"]++
			}
		case i.Last.At >= to && i.Rule.Burns():
			t.Fatalf("at %d %s has %+v of a minute that has not happened", to, i.ID, i.Last)
		}
	}
	if ended(told, st.Burn, to) {
		seen["ended ahead"]++
		if back.Burn != nil || back.BurnEnd != to || back.BurnLast != st.Burn.Incident {
			t.Fatalf("at %d a burn that has ended is %+v", to, back)
		}
		return
	}
	if ended(told, st.NoData, to) {
		return
	}
	goesOn(t, in, st, back, before, told, seen)
}

// goesOn compares a day after a return with the same day of who was never away.
func goesOn(t *testing.T, in Input, st, back State, before, told []Event, seen map[string]int) {
	t.Helper()
	to, end := st.Through, st.Through+1440
	_, want := Advance(in, st, end)
	var got []Event
	for back.Through < end {
		var es []Event
		back, es = Advance(in, back, min(end, back.Through+97))
		got = append(got, es...)
	}
	keys := map[string]bool{}
	for _, e := range slices.Concat(told, got) {
		if keys[e.Key()] {
			t.Fatalf("after the return to %d, %s is told a second time", to, e.Key())
		}
		keys[e.Key()] = true
		if opened, ok := strings.CutSuffix(e.Incident, "-2"); ok && e.Kind == Opened && slices.ContainsFunc(told, func(old Event) bool { return old.Incident == opened }) {
			seen["opened again"]++
		}
	}
	notice := func(e Event) bool { return e.Kind == Noticed } // what was told ahead is told
	if diff := cmp.Diff(slices.DeleteFunc(firstWalk(want), notice), slices.DeleteFunc(firstWalk(got), notice)); diff != "" {
		t.Fatalf("after the return to %d, other events come out:\n%s", to, diff)
	}
	switch {
	case st.NoData != nil:
		seen["no data before"]++
	case st.Burn == nil:
		seen["over before"]++
	}
	if st.Burn == nil {
		return
	}
	seen["open before"]++
	if slices.ContainsFunc(told, func(e Event) bool { return e.Kind == Escalated && e.Incident == st.Burn.Incident && e.At >= to }) {
		seen["ticket again"]++
	}
	if diff := cmp.Diff(storyOf(st.Burn, before, want), storyOf(st.Burn, told, firstWalk(got))); diff != "" {
		t.Fatalf("after the return to %d, the story is another:\n%s", to, diff)
	}
}

// storyOf folds the events of an incident. That it was counted again, and notices, are no part of
// it.
func storyOf(o *Open, all ...[]Event) Incident {
	i := Fold(nil, slices.DeleteFunc(slices.Concat(all...), func(e Event) bool { return e.Incident != o.Incident || e.Kind == Noticed }))[0]
	i.Log = slices.DeleteFunc(slices.Clone(i.Log), func(e Event) bool { return e.Kind == Recounted })
	return i
}

func ended(told []Event, o *Open, to budget.Minute) bool {
	return o != nil && slices.ContainsFunc(told, func(e Event) bool {
		return e.Incident == o.Incident && e.Kind == Resolved && e.At >= to
	})
}
