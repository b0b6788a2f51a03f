package counting

import "testing"

// A query that is to tell who has ended may show a series that nobody knew when counting began.
func TestWhoHasEndedIsToldBesideASeriesThatIsNew(t *testing.T) {
	index := &Index{}
	index.AddAccount(Info{})
	index.Meet(0, 0, true, []Route{{0, Total}})
	state := &State{Promises: make([]Promise, 1)}
	c := NewCounter(state, index, notes{})
	start := EndOf(2000)
	c.Take([]Run{{0, []Sample{{start, 10}, {start + 15_000, 20}}}}, Question{Since: start, To: start + 15_000, Now: start + 15_000})

	index.Meet(1, 0, true, []Route{{0, Total}})
	now := start + 5*minuteMs
	c.End([]Ask{{Target: 0, From: start + 15_000}}, func(series int32) bool { return series == 1 }, now)
	if state.Cursors[0].Flags&Ended == 0 {
		t.Error("the old series has not ended")
	}
	if state.Cursors[1].Flags&Ended != 0 {
		t.Error("the new series has ended")
	}
}
