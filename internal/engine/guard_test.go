package engine_test

import (
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/internal/incidents"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/slo"
)

// TestAPanicInOneBudgetStopsThatBudget: the others page and resolve, also after a restart with the
// same figures on the disk; the one says what happened, it is counted, and told as one that cannot
// be judged.
func TestAPanicInOneBudgetStopsThatBudget(t *testing.T) {
	broken := promise("broken")
	broken.Windows = nil // nobody can write such a file; every look at its window panics
	load := outage(100, [2]int{20, 28})
	w := newWorld(t, []*slo.Spec{broken, promise("shop")}, &service{name: "broken", load: load}, &service{name: "shop", load: load})
	w.steps(23)
	w.restart()
	w.steps(22)
	sum := w.step()
	if sum.Panics == 0 || sum.Good() {
		t.Errorf("%d panics were counted, of a tick that is good: %v", sum.Panics, sum.Good())
	}
	pages := w.burns()
	if len(pages) != 1 || pages[0].SLO != "shop/availability" || pages[0].Open || !pages[0].Onset.Equal(t0.Add(20*time.Minute)) {
		t.Errorf("the incidents are %+v", pages)
	}
	if got := w.rootsWith("cannot be reached"); len(got) != 1 {
		t.Errorf("it is told %d times: %q", len(got), w.roots())
	}
	b, ok := w.engine.Snapshot().Budget("broken/availability")
	if !ok || b.Data != "error" || !strings.Contains(strings.Join(b.Problems, " "), "slowburn has failed") || len(b.Windows) != 1 {
		t.Errorf("it is shown as %+v", b)
	}
}

// clumsy panics when it is to compose what is about one SLO.
type clumsy struct{ voice }

func (c clumsy) Event(n incidents.Notification, shown outbox.Shown) []outbox.Entry {
	if n.Event.SLO == "broken/availability" {
		panic("no words")
	}
	return c.voice.Event(n, shown)
}

// TestAMessageThatCannotBeComposedSilencesNoOther: the incident is kept, and what is said of others
// goes out.
func TestAMessageThatCannotBeComposedSilencesNoOther(t *testing.T) {
	load := outage(100, [2]int{20, 28})
	w := newWorld(t, []*slo.Spec{promise("broken"), promise("shop")}, &service{name: "broken", load: load}, &service{name: "shop", load: load})
	w.engine.Composer = clumsy{w.engine.Composer.(voice)}
	w.steps(45)
	if n := len(w.burns()); n != 2 {
		t.Errorf("%d incidents, want both", n)
	}
	if roots := w.rootsWith("Resolved", "shop"); len(roots) != 1 {
		t.Errorf("the messages are %q", w.roots())
	}
}
