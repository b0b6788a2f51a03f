package alerting

import (
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/slo"
)

// TestAnOpenIncidentTakesWhatComesLate: the first ten minutes of an outage arrive while its page is
// open. It began with them, and has what they cost; the page stays the one that it is.
func TestAnOpenIncidentTakesWhatComesLate(t *testing.T) {
	spec := workbookSpec(t, "99.9", []slo.Pair{fast}, nil)
	good, bad := budget.Count(0, 1000*budget.Unit), budget.Count(500*budget.Unit, 1000*budget.Unit)
	l, st := &budget.Ledger{}, State{Through: start - 300}
	put := func(from, to budget.Minute, s budget.Slot) {
		for m := from; m < to; m++ {
			l.Put(m, s)
		}
	}
	put(start-300, start, good)
	put(start, start+10, budget.Slot{State: budget.Absent})
	put(start+10, start+20, bad)
	put(start+20, start+120, good)
	var events []Event
	advance := func(to budget.Minute) {
		var es []Event
		st, es = Advance(Input{ID: spec.ID(), Spec: spec, Ledger: l}, st, to)
		events = append(events, es...)
	}
	advance(start + 15)
	put(start, start+10, bad)
	for m := start; m < start+10; m++ {
		st = st.Amend(budget.SlotAt{At: m, Slot: bad})
	}
	advance(start + 120)
	all := Fold(nil, events)
	if len(all) != 1 {
		t.Fatalf("%d incidents", len(all))
	}
	i := all[0]
	if !i.Onset.Equal(start.Time()) || i.Duration() != 20*time.Minute || i.Bad() != 20*500*budget.Unit || i.Last.Burn.Minute != 20 {
		t.Errorf("it burned for %v from %v, with %d bad in %d minutes", i.Duration(), i.Onset, i.Bad()/budget.Unit, i.Last.Burn.Minute)
	}
	if opened := i.Log[0]; opened.Burn.Onset != start+10 || i.TimeToDetect() != opened.Time().Sub(start.Time()) {
		t.Errorf("it was opened with the onset %d, and detected after %v", opened.Burn.Onset-start, i.TimeToDetect())
	}
	if st.Amended != nil || st.Burns[3].From != start || st.Burns[3].To != i.Last.At+1 {
		t.Errorf("what is remembered: %+v, %+v", st.Amended, st.Burns)
	}
}

// TestLateDataAreNoMissingData: what is known of a minute late ends "no data", as long as it is not
// as old as that.
func TestLateDataAreNoMissingData(t *testing.T) {
	for lateness, want := range map[budget.Minute]int{5: 0, 20: 1} {
		spec := workbookSpec(t, "99.9", []slo.Pair{fast}, nil)
		spec.Alerts.NoData = 10 * time.Minute
		l, st, opened := &budget.Ledger{}, State{Through: start}, 0
		for m := start; m < start+120; m++ {
			if l.Put(m, budget.Slot{State: budget.Absent}); m-lateness >= start {
				slot := budget.Count(0, 1000)
				l.Put(m-lateness, slot)
				st = st.Amend(budget.SlotAt{At: m - lateness, Slot: slot})
			}
			var events []Event
			st, events = Advance(Input{ID: spec.ID(), Spec: spec, Ledger: l}, st, m+1)
			for _, e := range events {
				if e.Kind == Opened {
					opened++
				} else if e.Rule != RuleNoData {
					t.Errorf("%+v", e)
				}
			}
		}
		if opened != want || (st.NoData != nil) != (want > 0) {
			t.Errorf("always %d minutes late: opened %d times, want %d", lateness, opened, want)
		}
	}
}
