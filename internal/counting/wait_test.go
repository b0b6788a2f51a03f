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
	c.Waiting.End([]Ask{{Target: 0, From: start + 15_000}}, func(series int32) bool { return series == 1 }, now, now)
	if state.Cursors[0].Flags&Ended == 0 {
		t.Error("the old series has not ended")
	}
	if state.Cursors[1].Flags&Ended != 0 {
		t.Error("the new series has ended")
	}
}

// A scrape that is stamped just before a window ended, and arrives after it was read, is in neither
// window: its target is asked for beside the next one, though it is not late by its interval.
func TestASampleBetweenTwoWindowsIsAskedFor(t *testing.T) {
	index := &Index{}
	index.AddAccount(Info{})
	index.Meet(0, 0, true, []Route{{0, Total}})
	c := NewCounter(&State{Promises: make([]Promise, 1)}, index, notes{})
	at := func(seconds int64) int64 { return EndOf(2000) + seconds*1000 }
	c.Take([]Run{{0, []Sample{{at(0), 10}, {at(60), 20}, {at(120), 30}}}}, Question{Since: at(0), To: at(179), Now: at(180)})
	for _, tc := range []struct {
		about  string
		window int64 // begins, in seconds
		asked  int
	}{
		{"the next scrape lies in the window", 178, 0},
		{"the scrape of 180 s is stamped before it", 183, 1},
	} {
		if got := c.Waiting.Overdue(at(tc.window), at(tc.window)); len(got) != tc.asked {
			t.Errorf("%s: asked for %+v", tc.about, got)
		}
	}
}
