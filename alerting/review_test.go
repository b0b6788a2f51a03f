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

// TestWhatIsAlwaysLaterIsDecidedAsIfInTime: every minute is unknown when it is walked, and known
// twenty minutes later. The burns are those of data in time, and end; each event comes that much
// later.
func TestWhatIsAlwaysLaterIsDecidedAsIfInTime(t *testing.T) {
	const late = budget.Minute(20)
	spec := workbookSpec(t, "99.9", []slo.Pair{fast}, []slo.Pair{slow})
	good, bad := budget.Count(0, 1000*budget.Unit), budget.Count(500*budget.Unit, 1000*budget.Unit)
	slot := func(m budget.Minute) budget.Slot {
		if n := m - start; n >= 60 && n < 80 || n >= 200 && n < 215 {
			return bad
		}
		return good
	}
	run := func(late budget.Minute) (all []Incident) {
		l, st := &budget.Ledger{}, State{Through: start}
		var events []Event
		for m := start; m < start+400; m++ {
			l.Put(m, budget.Slot{State: budget.Absent})
			if at := m - late; at >= start {
				l.Put(at, slot(at))
				if late > 0 {
					st = st.Amend(budget.SlotAt{At: at, Slot: slot(at)})
				}
			}
			var found []Event
			st, found = Advance(Input{ID: spec.ID(), Spec: spec, Ledger: l}, st, m+1)
			for _, e := range found {
				if e.Late != (late > 0) {
					t.Errorf("%s of minute %d, %d late, is late: %v", e.Kind, e.At-start, late, e.Late)
				}
				if m-e.At > late+unsettled+settled {
					t.Errorf("minute %d is decided in minute %d", e.At-start, m-start)
				}
			}
			events = append(events, found...)
		}
		return Fold(nil, events)
	}
	want, got := run(0), run(late)
	if len(want) != 2 || len(got) != 2 {
		t.Fatalf("%d incidents in time, %d late", len(want), len(got))
	}
	for n, i := range got {
		if w := want[n]; i.ID != w.ID || i.Open || !i.Onset.Equal(w.Onset) || !i.Ended.Equal(w.Ended) || !i.Resolved.Equal(w.Resolved) || i.Bad() != w.Bad() || len(i.Log) != len(w.Log) {
			t.Errorf("late %s from %s to %s, %d bad; in time %s from %s to %s, %d bad", i.ID, i.Onset, i.Ended, i.Bad(), w.ID, w.Onset, w.Ended, w.Bad())
		}
	}
}

// TestWhatBurnedOnIsNoOtherBurn: a third of the events of an outage of twenty minutes comes half an
// hour late. The burn is told, and over, by its first minutes; by the others it went on. That is
// the same one.
func TestWhatBurnedOnIsNoOtherBurn(t *testing.T) {
	const late = budget.Minute(30)
	spec := workbookSpec(t, "99.9", []slo.Pair{fast, {Budget: 500, Long: 6 * time.Hour, Short: 30 * time.Minute}}, nil)
	early := budget.Count(0, 1000*budget.Unit)
	whole := func(m budget.Minute) budget.Slot {
		if n := m - start; n >= 60 && n < 80 {
			return budget.Count(500*budget.Unit, 1500*budget.Unit)
		}
		return budget.Count(0, 1500*budget.Unit)
	}
	l, st := &budget.Ledger{}, State{Through: start}
	var events []Event
	for m := start; m < start+300; m++ {
		l.Put(m, early)
		if m%5 == 0 { // what is late is asked for now and then
			for at := max(m-late-5, start); at < m-late; at++ {
				l.Put(at, whole(at))
				st = st.Amend(budget.SlotAt{At: at, Slot: whole(at)})
			}
		}
		var found []Event
		st, found = Advance(Input{ID: spec.ID(), Spec: spec, Ledger: l}, st, m+1)
		events = append(events, found...)
	}
	if all := Fold(nil, events); len(all) != 1 || all[0].Bad() != 20*500*budget.Unit || !all[0].Ended.Equal((start + 80).Time()) {
		t.Errorf("%d incidents: %+v", len(all), all)
	}
}
