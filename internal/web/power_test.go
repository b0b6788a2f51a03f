package web

import (
	"testing"

	"github.com/slowburn-sre/slowburn/slo"
)

// TestAlertsArePlayedToOneAtATime: whoever asks what alerts can catch while that of others is found
// out is told so at once and keeps no place. What is known is told meanwhile, also to whoever asks
// for another group of the SLO with about the same traffic.
func TestAlertsArePlayedToOneAtATime(t *testing.T) {
	spec := func() *slo.Spec { return new(slo.Spec) } // without alerts, so nothing is played to
	one, other := spec(), spec()
	var c powerCache
	ask := func(what string, spec *slo.Spec, rate float64, want bool) {
		t.Helper()
		if _, ok := c.of(spec, rate); ok != want {
			t.Errorf("%s: told: %v", what, ok)
		}
	}
	ask("alone", one, 100, true)
	c.busy.Lock()
	ask("another while one is found out", other, 100, false)
	ask("what is known meanwhile", one, 100, true)
	ask("another group of about the same traffic", one, 105, true)
	ask("the same at ten times the traffic", one, 1000, false)
	c.busy.Unlock()
	ask("the same at ten times the traffic, afterwards", one, 1000, true)
	ask("the first again", one, 100, true)
	if len(c.known) != 2 {
		t.Errorf("%d are kept", len(c.known))
	}
}
