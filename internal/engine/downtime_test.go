package engine_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
)

// TestDowntime (faults 8, 27): slowburn is away for six hours, stopped or suspended. The ledger is
// exact afterwards; what is over is told calmly, what still burns pages at once.
func TestDowntime(t *testing.T) {
	for n, tc := range []struct {
		name   string
		outage [2]int // minutes after t0; slowburn is away from 15 to 375
		missed int
		pages  int
	}{
		{"nothing happened", [2]int{0, 0}, 0, 0},
		{"an incident began and ended", [2]int{100, 120}, 1, 0},
		{"an incident began and ended within the last ten minutes", [2]int{366, 370}, 0, 1},
		{"an incident still burns", [2]int{300, 380}, 0, 1},
		{"an incident burns since the very first minute away", [2]int{15, 380}, 0, 1},
	} {
		for _, suspended := range []bool{false, true} {
			if sampled(n, 6) {
				continue
			}
			t.Run(fmt.Sprintf("%s, suspended %t", tc.name, suspended), func(t *testing.T) {
				t.Parallel()
				w := oneService(t, outage(50, tc.outage))
				w.steps(15)
				if !suspended {
					w.close()
				}
				w.pass(6 * time.Hour)
				if !suspended {
					w.open()
				}
				w.step()
				if got := len(w.rootsWith("Page")) + len(w.rootsWith("Resolved")); got != tc.pages {
					t.Errorf("%d pages in the first minute, want %d: %q", got, tc.pages, w.roots())
				}
				w.steps(20)
				if got := len(w.rootsWith("Missed live")); got != tc.missed {
					t.Errorf("%d missed, want %d: %q", got, tc.missed, w.roots())
				}
				for _, i := range w.incidents() {
					if i.Open || !i.Onset.Equal(t0.Add(time.Duration(tc.outage[0])*time.Minute)) {
						t.Errorf("the incident is %+v", i)
					}
				}
				w.checkBudgets()
				w.checkOncePerKey()
			})
		}
	}
}

// TestWhatWasToldLiveWasNotMissed: a page was sent, and the process ended without having been able
// to write it down, as on a full disk. The next one finds it in the channel. It began and ended
// before that one looked, and was not missed.
func TestWhatWasToldLiveWasNotMissed(t *testing.T) {
	w := oneService(t, outage(50, [2]int{10, 20}))
	w.steps(8)
	before := w.copyDisk()
	w.steps(8)
	if len(w.rootsWith("Page")) != 1 {
		t.Fatalf("the channel reads %q", w.roots())
	}
	w.close()
	w.path = before
	w.pass(2 * time.Hour)
	w.open()
	w.steps(5)
	if all := w.rootsWith("on shop failed"); len(all) != 1 || len(w.rootsWith("Missed live")) != 0 || len(w.rootsWith("Resolved")) != 1 {
		t.Errorf("the channel reads %q", w.roots())
	}
	w.checkBudgets()
	w.checkOncePerKey()
}

// TestClockSteps (fault 26): the daemon's clock jumps, stays wrong for a while, and is put right.
// The source's clock decides, so nothing is paged that did not happen and nothing that happens is
// overlooked.
func TestClockSteps(t *testing.T) {
	n := 0
	for name, step := range map[string]time.Duration{
		"an hour ahead": time.Hour, "an hour back": -time.Hour,
		"a day ahead": 24 * time.Hour, "a day back": -24 * time.Hour,
		"two minutes ahead": 2 * time.Minute, "two minutes back": -2 * time.Minute,
		"1970": -t0.Sub(time.Unix(0, 0)),
	} {
		if n++; sampled(n, 5) {
			continue
		}
		t.Run("the clock is "+name, func(t *testing.T) {
			t.Parallel()
			w := oneService(t, outage(50, [2]int{20, 26}, [2]int{65, 71}))
			w.steps(10)
			w.wrong = step
			w.steps(7)
			if is := w.incidents(); len(is) != 0 {
				t.Fatalf("false: %+v", is)
			}
			w.steps(23) // an outage while the clock is wrong
			w.wrong = 0
			w.steps(40) // and one when it is right again
			is := w.incidents()
			if len(is) != 2 || is[0].Open || is[1].Open {
				t.Fatalf("incidents: %+v", is)
			}
			for n, minutes := range []int{20, 65} {
				if !is[n].Onset.Equal(t0.Add(time.Duration(minutes)*time.Minute)) || is[n].TimeToDetect() > 3*time.Minute {
					t.Errorf("the incident is %+v", is[n])
				}
			}
			if len(w.rootsWith("Resolved")) != 2 || len(w.roots()) != 2 {
				t.Errorf("the channel reads %q", w.roots())
			}
			if p := w.pending(); len(p) > 0 {
				t.Errorf("still owed: %+v", p)
			}
			w.checkBudgets()
			w.checkOncePerKey()
		})
	}
}

// TestStartWithAWrongClock: the very first tick is at a wrong time.
func TestStartWithAWrongClock(t *testing.T) {
	for name, step := range map[string]time.Duration{"a day ahead": 24 * time.Hour, "a day back": -24 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			w := oneService(t, outage(50, [2]int{20, 26}))
			w.wrong = step
			w.steps(10)
			w.wrong = 0
			w.restart()
			w.steps(30)
			if is := w.incidents(); len(is) != 1 || is[0].Rule != alerting.RulePage || is[0].Open {
				t.Errorf("incidents: %+v", is)
			}
			w.checkBudgets()
		})
	}
}

// TestClockCannotBeAsked: the clock steps and Prometheus is out at that moment. Nothing is read on
// a guess.
func TestClockCannotBeAsked(t *testing.T) {
	w := oneService(t, outage(50, [2]int{20, 26}))
	w.steps(10)
	w.wrong = time.Hour
	w.db.Faults.Add(promfake.Fault{When: promfake.OnQuery("time()"), Times: 3, Do: promfake.Status(503)})
	w.steps(30)
	if is := w.incidents(); len(is) != 1 || is[0].Rule != alerting.RulePage || is[0].Open {
		t.Errorf("incidents: %+v", is)
	}
	w.checkBudgets()
	// A server that refuses the question is read by the daemon's own clock.
	v := oneService(t, outage(50, [2]int{20, 26}))
	v.db.Faults.Add(promfake.Fault{When: promfake.OnQuery("time()"), Do: promfake.Status(403)})
	v.steps(40)
	if is := v.incidents(); len(is) != 1 || is[0].Open {
		t.Errorf("incidents: %+v", is)
	}
	v.checkBudgets()
}

// TestStopWhileReading: a tick whose context ends while Prometheus is read decides nothing and
// loses nothing.
func TestStopWhileReading(t *testing.T) {
	w := oneService(t, outage(50, [2]int{10, 16}))
	w.steps(11)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	w.pass(time.Minute)
	w.engine.Tick(ctx, w.now())
	w.restart()
	w.steps(20)
	if is := w.incidents(); len(is) != 1 || is[0].Open {
		t.Errorf("incidents: %+v", is)
	}
	w.checkBudgets()
	w.checkOncePerKey()
}
