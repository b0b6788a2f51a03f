package engine_test

import (
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
)

// TestSpine: a healthy service, an outage of eight minutes, recovery. One page with its numbers,
// its thread, one resolve that the channel sees, and a ledger that is exact.
func TestSpine(t *testing.T) {
	w := oneService(t, outage(50, [2]int{20, 28}))
	w.steps(44)
	if sum := w.step(); sum.Stats.Samples > 5 || sum.Stats.Queries != 1 {
		t.Errorf("a tick reads %+v; two series have four samples a minute, in one query", sum.Stats)
	}
	incidents := w.incidents()
	if len(incidents) != 1 {
		t.Fatalf("%d incidents, want one: %+v", len(incidents), incidents)
	}
	i := incidents[0]
	if i.Severity != alerting.Page || i.Open || !i.Onset.Equal(t0.Add(20*time.Minute)) || !i.Ended.Equal(t0.Add(28*time.Minute)) {
		t.Errorf("the incident is %+v", i)
	}
	if i.Bad() != 800_000 {
		t.Errorf("%d thousandths of bad events, want 800 events", i.Bad())
	}
	if d := i.TimeToDetect(); d > 3*time.Minute {
		t.Errorf("detected after %s", d)
	}
	roots := w.slack.State().Roots(channel)
	if len(roots) != 1 {
		t.Fatalf("roots: %q", w.roots())
	}
	if !strings.Contains(roots[0].Text, "Resolved") || !strings.Contains(roots[0].Edits[0].Text, "Page") {
		t.Errorf("the root reads %q, at first %q", roots[0].Text, roots[0].Edits[0].Text)
	}
	thread := w.slack.Thread(channel, roots[0].TS)
	if len(thread) != 1 || !thread[0].Broadcast || !strings.Contains(thread[0].Visible(), "800 of ") {
		t.Errorf("the thread is %v", thread)
	}
	if late := roots[0].Posted.Sub(i.Detected); late > 2*time.Minute {
		t.Errorf("the page came %s after it was decided", late)
	}
	w.checkBudgets()
	w.checkOncePerKey()
	if p := w.pending(); len(p) > 0 {
		t.Errorf("still owed: %v", p)
	}
}
