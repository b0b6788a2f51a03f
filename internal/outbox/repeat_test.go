package outbox

import (
	"testing"
	"time"
)

func TestAWaitBeyondAnyScheduleIsNotBelieved(t *testing.T) {
	now := time.Date(2026, 11, 16, 9, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name string
		in   time.Duration
		want bool
	}{
		{"a try that is due does not wait", 0, false},
		{"a usual wait is kept", time.Minute, true},
		{"the longest that a receiver may ask for is kept", 5 * time.Minute, true},
		{"a day is what a clock leaves behind that was set back", 24 * time.Hour, false},
	} {
		if got := (Owed{NextTry: now.Add(c.in)}).waits(now); got != c.want {
			t.Errorf("%s: waits is %v", c.name, got)
		}
	}
}

func TestAClockThatIsSetBackStopsNothing(t *testing.T) {
	now := time.Date(2026, 11, 16, 9, 0, 0, 0, time.UTC)
	ahead, pace := now.Add(6*time.Hour), Pace{Every: time.Second, Burst: 1}
	var g gate
	if !g.take(pace, ahead) || g.take(pace, now) || !g.take(pace, now.Add(time.Second)) {
		t.Error("the pace of a clock that was ahead holds for as long as it was ahead")
	}
	g.hold(ahead.Add(time.Minute), ahead, "ratelimited")
	if g.held(now) || !g.held(ahead) {
		t.Error("what was held back by a clock that was ahead stays so for as long as it was ahead")
	}
	if g.hold(now.Add(time.Minute), now, "ratelimited"); !g.held(now) {
		t.Error("after that nothing can be held back")
	}
}

func TestAMessageIsSentTwiceAtMostWhileLookUpsFail(t *testing.T) {
	now := time.Date(2026, 11, 16, 9, 0, 0, 0, time.UTC)
	w := &worker{now: now, began: time.Now(), Pump: &Pump{}}
	first := Owed{Entry: Entry{Created: now.Add(-time.Hour)}, LastErr: (&Failure{Class: Ambiguous, Reason: "timeout"}).Error()}
	first.LastErr = unclear(first).Error()
	if !w.impatient(first) {
		t.Fatal("an hour of failing look-ups does not make a repeat")
	}
	again := first
	again.LastErr = (&Failure{Class: Ambiguous, Reason: "timeout" + repeated}).Error()
	for range 3 {
		again.LastErr = unclear(again).Error()
		if w.impatient(again) {
			t.Fatalf("it is repeated a second time after %q", again.LastErr)
		}
	}
	if ClassOf(again.LastErr) != Ambiguous {
		t.Errorf("it is no longer looked up: %q", again.LastErr)
	}
}
