package sentences_test

import (
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/sentences"
)

// TestWaiting: how late samples come and what that means for the decisions, as far as it is known.
func TestWaiting(t *testing.T) {
	through := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	late := func(change func(*sentences.Wait)) sentences.Facts {
		w := sentences.Wait{Through: through, Behind: 9*time.Minute + 40*time.Second, Late: 9*time.Minute + 4*time.Second, Targets: 3}
		change(&w)
		return sentences.Facts{Wait: w, Incident: alerting.Incident{Open: true}}
	}
	for want, f := range map[string]sentences.Facts{
		"": {},
		"Samples of 3 targets come about 9 min late; minutes are decided about 10 min after they end.":                                                                 late(func(*sentences.Wait) {}),
		"Samples come about 9 min late; minutes are decided about 10 min after they end.":                                                                              late(func(w *sentences.Wait) { w.Targets = 0 }),
		"Samples are overdue; minutes since 2026-11-23 12:00 UTC wait for them.":                                                                                       late(func(w *sentences.Wait) { w.Late, w.Targets = 0, 0 }),
		"Samples of 3 targets came about 9 min late before. They are not waited for any longer; what still comes is added to its own minutes.":                         late(func(w *sentences.Wait) { w.Vain = true }),
		"Samples of 3 targets come about 9 min late, later than max_lateness (5 min): minutes are decided without them, and again when they come. Raise max_lateness.": late(func(w *sentences.Wait) { w.Vain, w.Most = true, 5*time.Minute }),
	} {
		if got := f.Waiting().String(); got != want {
			t.Errorf("says %q\n   want %q", got, want)
		}
	}
	gone := late(func(*sentences.Wait) {})
	gone.Incident.Open, gone.Event.Reason = false, alerting.SLORemoved
	if got := gone.Waiting().String(); got != "" {
		t.Errorf("of what nobody watches: %q", got)
	}
}

// TestWaits: of incidents that are told together it is said how many wait, and how late at most.
func TestWaits(t *testing.T) {
	through := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	wait := func(late time.Duration) sentences.Wait {
		return sentences.Wait{Through: through, Behind: late + 50*time.Second, Late: late, Targets: 2}
	}
	vain := wait(4 * time.Minute)
	vain.Vain = true
	beyond := wait(20 * time.Minute)
	beyond.Most = 15 * time.Minute
	for want, all := range map[string][]sentences.Wait{
		"": nil,
		"Samples of 1 incident come up to about 3 min late; minutes are decided up to about 4 min after they end.":                                                               {wait(3 * time.Minute)},
		"Samples of 3 incidents come up to about 9 min late; minutes are decided up to about 10 min after they end.":                                                             {wait(3 * time.Minute), vain, wait(9 * time.Minute)},
		"Samples of 2 incidents came up to about 4 min late before. They are not waited for any longer; what still comes is added to its own minutes.":                           {vain, vain},
		"Samples of 2 incidents come up to about 20 min late, later than max_lateness (15 min): minutes are decided without them, and again when they come. Raise max_lateness.": {vain, beyond},
		"Samples of 2 incidents are overdue; minutes since 2026-11-23 12:00 UTC wait for them.":                                                                                  {wait(0), wait(0)},
	} {
		if got := sentences.Waits(all).String(); got != want {
			t.Errorf("says %q\n   want %q", got, want)
		}
	}
}
