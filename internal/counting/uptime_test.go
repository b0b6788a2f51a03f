package counting

import (
	"math/rand/v2"
	"testing"

	"github.com/slowburn-sre/slowburn/budget"
)

// TestUptimeOfMixedIntervals: beside a target that is scraped every 15 seconds, one that is scraped
// every five or ten minutes is down from a scrape that says so until its next is due, however reads
// are cut, and whether minutes are decided before or after that one.
func TestUptimeOfMixedIntervals(t *testing.T) {
	const length = 240
	for _, every := range []int64{90 * second, 5 * minute, 10 * minute} {
		for seed := range uint64(6) {
			rnd := rand.New(rand.NewPCG(seed, 5))
			offset := rnd.Int64N(every)
			down := [2]int64{every*8 + rnd.Int64N(every), every*8 + 50*minute + rnd.Int64N(every)}
			var slow, fast []Sample
			for at := offset; at < length*minute; at += every {
				v := 1.0
				if at >= down[0] && at < down[1] {
					v = 0
				}
				slow = append(slow, Sample{begin + at, v})
			}
			for at := 7 * second; at < length*minute; at += 15 * second {
				fast = append(fast, Sample{begin + at, 1})
			}
			first := begin + offset + (down[0]-offset+every-1)/every*every
			end := begin + offset + (down[1]-offset+every-1)/every*every // the first scrape that says it is up
			var want ledger
			for _, step := range []int64{5, 60, 61, 900, 100_000} {
				got := readUp(step*second, length*minute, slow, fast)
				for m := SlotOf(begin) + 30; m < SlotOf(begin)+length-15; m++ {
					bad := int64(0)
					if m >= SlotOf(first) && m < SlotOf(end) {
						bad = budget.Unit
					}
					if s := got[m]; s != budget.Count(bad, budget.Unit) {
						t.Fatalf("every %d s, seed %d, step %d s: minute %d is %+v, want %d thousandths", every/second, seed, step, m-SlotOf(begin), s, bad)
					}
					if want != nil && got[m] != want[m] {
						t.Fatalf("every %d s, step %d s: minute %d is %+v, was %+v", every/second, step, m-SlotOf(begin), got[m], want[m])
					}
				}
				want = got
			}
		}
	}
}

// readUp reads two gauges of two targets in steps.
func readUp(step, length int64, gauges ...[]Sample) ledger {
	x, out := &Index{}, ledger{}
	x.AddAccount(Info{Up: true})
	for i := range gauges {
		x.Meet(int32(i), int32(i), true, []Route{{0, Up}})
	}
	state := &State{Promises: []Promise{{Since: SlotOf(begin)}}}
	for from := begin - 1; from < begin+length; {
		to := min(from+step, begin+length)
		var runs []Run
		for i, all := range gauges {
			var some []Sample
			for _, s := range all {
				if s.MS > from && s.MS <= to {
					some = append(some, s)
				}
			}
			if some != nil {
				runs = append(runs, Run{int32(i), some})
			}
		}
		c := NewCounter(state, x, out)
		c.Take(runs, Question{Since: max(from, 0), To: to, Now: to + second})
		c.Decide(to + second)
		from = to
	}
	return out
}
