package alerting

import (
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/slo"
)

// The account of an incident at little traffic begins with the failures that proved it, however far
// apart they are: ten requests an hour, of which every other fails from one moment on. A failure of
// the day before is no part of it.
func TestTheAccountBeginsWithTheProof(t *testing.T) {
	spec := workbookSpec(t, "99", []slo.Pair{fast, slow}, []slo.Pair{day, threeD})
	var l budget.Ledger
	for m := start - 5000; m < start+600; m++ {
		bad, total := int64(0), int64(0)
		if m%6 == 0 {
			total = budget.Unit
		}
		if m == start-1440 || m == start-200 || m >= start && m%12 == 0 {
			bad = total
		}
		l.Put(m, budget.Count(bad, total))
	}
	_, events := Advance(Input{ID: spec.ID(), Spec: spec, Ledger: &l}, State{Through: start - 720}, l.End())
	opened := first(events, Opened)
	if opened == nil {
		t.Fatal("nothing was said")
	}
	first, burn := (start+11)/12*12, opened.Burn
	if burn.Onset != first || burn.Bad < leastIndependent*budget.Unit {
		t.Errorf("the account begins at %+d with %d bad events, want %+d and three at least", burn.Onset-start, burn.Bad/budget.Unit, first-start)
	}
}

// Failures that come together count as one, and a page does not depend on how they fall into
// minutes.
func TestClumpsAreOneFailure(t *testing.T) {
	spec := workbookSpec(t, "99.9", []slo.Pair{fast, slow}, []slo.Pair{day, threeD})
	journey := *spec
	journey.SLI = slo.Indicator{Kind: slo.Composed}
	for _, c := range []struct {
		name string
		spec *slo.Spec
		bad  map[budget.Minute]int64 // by minutes, of the newest hour
		want int64
	}{
		{"one", spec, map[budget.Minute]int64{30: 1}, 1},
		{"a clump in a minute", spec, map[budget.Minute]int64{30: 9}, 1},
		{"a clump over minutes", spec, map[budget.Minute]int64{30: 3, 31: 1, 32: 2, 34: 1}, 1},
		{"failures that are apart", spec, map[budget.Minute]int64{10: 1, 15: 1, 20: 1, 24: 5}, 3},
		{"many in a minute are no clump", spec, map[budget.Minute]int64{30: 40}, 3},
		{"no more than there are failures", spec, map[budget.Minute]int64{10: 1, 55: 1}, 2},
		{"in a journey minutes count, however much went bad in them", &journey, map[budget.Minute]int64{30: 40, 31: 1}, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := incident(0, 60, 0)
			for m, bad := range c.bad {
				l.Put(start+m, budget.Count(bad*budget.Unit, rate*budget.Unit))
			}
			in := Input{ID: c.spec.ID(), Spec: c.spec, Ledger: l}
			if got := significanceOf(in, Page, read(in, fast, start+59), start+59).Independent; got != c.want {
				t.Errorf("%d count as independent, want %d", got, c.want)
			}
		})
	}
}

// With eight allowed bad events an hour, however close together they are, the test changes nothing:
// what is above the threshold of a pair is believed.
func TestAmpleTrafficIsBelieved(t *testing.T) {
	spec := workbookSpec(t, "99.9", []slo.Pair{fast, slow}, []slo.Pair{day, threeD})
	for _, perHour := range []int64{8_000, 100_000, 100_000_000} {
		for _, sev := range []Severity{Page, Ticket} {
			pairs := spec.Alerts.Page
			if sev == Ticket {
				pairs = spec.Alerts.Ticket
			}
			for _, p := range pairs {
				hours := int64(p.Long / time.Hour)
				allowed := perHour * hours / 1000
				s := budget.Sum{Total: perHour * hours * budget.Unit, BadSlots: 1}
				s.Bad = int64(p.Burn(spec.Window().Length())*float64(allowed)+1) * budget.Unit
				in := Input{ID: spec.ID(), Spec: spec, Ledger: incident(0, 60, 0)}
				if x := significanceOf(in, sev, reading{pair: p, long: s}, start+59); !x.Believed() {
					t.Errorf("%d an hour, %s over %s: %d of %d are not believed: %+v", perHour, sev, p.Long, s.Bad/budget.Unit, s.Total/budget.Unit, x)
				}
			}
		}
	}
}

func first(events []Event, kind Kind) *Event {
	for i := range events {
		if events[i].Kind == kind {
			return &events[i]
		}
	}
	return nil
}
