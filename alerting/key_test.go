package alerting

import (
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
)

// TestKeysOfOneMinuteDiffer: an incident may be told of twice in a minute, as what it burned and
// because nobody has acknowledged it. Each has a key of its own, or one would be taken for the
// other, and not sent.
func TestKeysOfOneMinuteDiffer(t *testing.T) {
	spec, together := fullSpec(t), 0
	for after := time.Minute; after <= 30*time.Minute; after += time.Minute {
		spec.Slack.Escalate.After = after
		in := Input{ID: spec.ID(), Spec: spec, Ledger: &budget.Ledger{}}
		for m := start; m < start+budget.Minutes(5*time.Hour); m++ {
			bad := int64(0)
			if m >= start+120 {
				bad = 500
			}
			in.Ledger.Put(m, budget.Count(bad*budget.Unit, 1000*budget.Unit))
		}
		_, events := Advance(in, State{Through: start}, in.Ledger.End())
		keys, minutes := map[string]Reason{}, map[budget.Minute]bool{}
		for _, e := range events {
			if was, ok := keys[e.Key()]; ok {
				t.Errorf("reminded after %s: %s and %s are both %s", after, was, e.Reason, e.Key())
			}
			keys[e.Key()] = e.Reason
			if e.Kind == Updated && minutes[e.At] {
				together++
			}
			minutes[e.At] = minutes[e.At] || e.Kind == Updated
		}
	}
	if together == 0 {
		t.Error("no two updates fall into one minute")
	}
}
