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
