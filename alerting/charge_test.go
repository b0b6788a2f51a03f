package alerting

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/slowburn-sre/slowburn/budget"
)

// backlog is a service of some targets. Outages of some share befall them, and the samples of one
// target reach the ledger late for a while: by a constant, or all at once in the end.
func backlog(rng *rand.Rand) (whole, early func(budget.Minute) budget.Slot, arrives func(budget.Minute) budget.Minute, until budget.Minute) {
	type stretch struct {
		from, to budget.Minute
		share    float64
	}
	var outages []stretch
	at := budget.Minute(60)
	for range 1 + rng.IntN(3) {
		at += budget.Minute(rng.IntN(120))
		end := at + budget.Minute(5+rng.IntN(200))
		outages = append(outages, stretch{at, end, []float64{0.02, 0.2, 1}[rng.IntN(3)]})
		at = end + 1
	}
	targets := int64(2 + rng.IntN(4))
	alone := rng.IntN(2) == 0 // only the target that is late fails
	lateFrom, lateTo, by := budget.Minute(rng.IntN(150)), at+budget.Minute(rng.IntN(60)), budget.Minute(2+rng.IntN(60))
	burst := rng.IntN(3) == 0
	if burst {
		lateTo = lateFrom + budget.Minute(10+rng.IntN(180))
	}
	each := int64(100+rng.IntN(1000)) * budget.Unit
	part := func(m budget.Minute, of int64, only bool) budget.Slot {
		bad := int64(0)
		for _, o := range outages {
			if n := m - start; n >= o.from && n < o.to && only {
				bad = int64(o.share * float64(each))
			}
		}
		return budget.Count(bad*of, each*of)
	}
	sum := func(a, b budget.Slot) budget.Slot { return budget.Count(a.Bad+b.Bad, a.Total+b.Total) }
	early = func(m budget.Minute) budget.Slot { return part(m, targets-1, !alone) }
	whole = func(m budget.Minute) budget.Slot { return sum(early(m), part(m, 1, true)) }
	arrives = func(m budget.Minute) budget.Minute {
		switch n := m - start; {
		case n < lateFrom || n >= lateTo:
			return m
		case burst:
			return start + lateTo
		default:
			return m + by
		}
	}
	return whole, early, arrives, start + at + 240
}

// TestNoEventIsChargedTwice: outages of several hours, of which the samples of one target come
// late, by minutes or by an hour. Whatever is told of them and when, what the incidents of an SLO
// cost adds up to no more than the bad events that there were.
func TestNoEventIsChargedTwice(t *testing.T) {
	spec := fullSpec(t)
	late, burns := 0, 0
	for seed := range *lives {
		rng := rand.New(rand.NewPCG(uint64(seed), 31))
		whole, early, arrives, end := backlog(rng)
		l, st, events := &budget.Ledger{}, State{Through: start}, []Event(nil)
		waiting := map[budget.Minute][]budget.Minute{}
		every := budget.Minute(1 + rng.IntN(5))
		for m := start; m < end; m++ {
			slot := whole(m)
			if then := arrives(m); then > m {
				slot = early(m)
				then += (every - then%every) % every
				waiting[then] = append(waiting[then], m)
			}
			l.Put(m, slot)
			for _, at := range waiting[m] {
				l.Put(at, whole(at))
				st = st.Amend(budget.SlotAt{At: at, Slot: whole(at)})
			}
			var found []Event
			st, found = Advance(Input{ID: spec.ID(), Spec: spec, Ledger: l}, st, m+1)
			events = append(events, found...)
		}
		var told []string
		var charged int64
		covered := map[budget.Minute]bool{}
		all := slices.DeleteFunc(Fold(nil, events), func(i Incident) bool { return !i.Rule.Burns() })
		for _, i := range all {
			charged += i.Bad()
			for m := i.Last.Burn.Onset; m <= max(i.Last.At, i.Log[len(i.Log)-1].At); m++ {
				covered[m] = true
			}
			told = append(told, fmt.Sprintf("%s onset %d opened %d last %d ended %s: %d bad, late %v", i.ID, i.Last.Burn.Onset-start, i.Log[0].At-start, i.Last.At-start, i.Ended.Format("15:04"), i.Bad()/budget.Unit, i.Late))
			if burns++; i.Late {
				late++
			}
		}
		bad := int64(0)
		for m := range covered {
			bad += l.At(m).Bad
		}
		if charged > bad {
			t.Errorf("seed %d: %d bad events are charged, there were %d:\n%s", seed, charged/budget.Unit, bad/budget.Unit, strings.Join(told, "\n"))
		}
	}
	if late == 0 {
		t.Error("nothing was late; the test proves little")
	}
	t.Logf("%d of %d burns were late", late, burns)
}
