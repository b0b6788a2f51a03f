package counting

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/slowburn-sre/slowburn/budget"
)

// ledger is what a test keeps of the minutes.
type ledger map[budget.Minute]budget.Slot

// Slot implements Outcome.
func (l ledger) Slot(_ int32, at budget.Minute, s budget.Slot) { l[at] = s }

// Late implements Outcome.
func (l ledger) Late(_ int32, _, at budget.Minute, bad, total int64) {
	s := l[at]
	l[at] = budget.Slot{Bad: s.Bad + bad, Total: s.Total + total, State: budget.OK}
}

// TestHoweverReadsAreCut: the same minutes come out of the same samples in steps of any length,
// through restarts of the reader as well, with everything that happens to data that are in time.
func TestHoweverReadsAreCut(t *testing.T) {
	worlds := []scenario{
		{name: "restarts and misses", restartEvery: 7, missed: 0.05, lost: 0.02, dips: 0.02},
		{name: "renames", relabelAt: 50, renameTargets: 70, missed: 0.02},
		{name: "births and holes", badAway: 0.05, deployEvery: 10, noMarkers: true, downFrom: 60, downTo: 71},
		{name: "old targets, slow ones", oldTargetAt: 55, interval: func(i int) int64 { return []int64{15, 60, 120, 300}[i%4] * second }},
	}
	for _, sc := range worlds {
		for _, tier := range tiers[:3] {
			sc.rate = tier.rate
			w := newWorld(sc, 3)
			var want ledger
			for seed := range uint64(4) {
				got := cutAt(w, rand.New(rand.NewPCG(seed, 1)), seed)
				if want == nil {
					want = got
					continue
				}
				for m := SlotOf(begin) + 30; m < SlotOf(begin)+w0; m++ {
					if got[m] != want[m] {
						t.Fatalf("%s at %s, cut by %d: minute %d is %+v, was %+v", sc.name, tier.name, seed, m-SlotOf(begin), got[m], want[m])
					}
				}
			}
		}
	}
}

// w0 is how many minutes of a world are compared: those that every cut has decided.
const w0 = 140

// cutAt reads a world in steps: of a quarter of a minute, or of up to half an hour.
func cutAt(w *simWorld, rnd *rand.Rand, seed uint64) ledger {
	r, out := newSim(w), ledger{}
	r.state.Promises[0].Since = SlotOf(begin) + 30
	end := begin + 160*minute + second
	for now := begin + 30*minute + second; ; {
		state := r.state.Clone()
		c := NewCounter(state, r.index, out)
		from := state.Read
		var runs []Run
		r.now = now
		for _, s := range w.series {
			if got := r.window(s, from, now-second); len(got) > 0 {
				runs = append(runs, Run{r.meet(s), got})
			}
		}
		c.Take(runs, Question{Since: from, To: now - second, Now: now, Starts: r.startsOf(c.Unsure(runs))})
		c.Decide(now)
		r.state = state
		step := 15 * second
		if seed > 0 {
			step *= 1 + rnd.Int64N(120)
		}
		if now >= end {
			return out
		}
		now = min(now+step, end)
	}
}

// TestHistoryIsAsLive: what is decided piece by piece with everything in is what live reading says.
func TestHistoryIsAsLive(t *testing.T) {
	sc := scenario{rate: 1, restartEvery: 7, missed: 0.05, relabelAt: 60, downFrom: 80, downTo: 95}
	w := newWorld(sc, 5)
	live := cutAt(w, nil, 0)
	r, out := newSim(w), ledger{}
	r.state.Promises[0].Since = SlotOf(begin) + 30
	r.now = math.MaxInt64
	for from, to := int64(0), begin+30*minute; to <= begin+150*minute; from, to = to, to+10*minute {
		c := NewCounter(r.state, r.index, out)
		var runs []Run
		for _, s := range w.series {
			if got := r.window(s, from, to); len(got) > 0 {
				runs = append(runs, Run{r.meet(s), got})
			}
		}
		c.Take(runs, Question{To: to, Starts: r.startsOf(c.Unsure(runs))})
		c.DecideAll(SlotOf(to), to == begin+150*minute)
	}
	for m := SlotOf(begin) + 30; m < SlotOf(begin)+w0; m++ {
		if out[m] != live[m] {
			t.Errorf("minute %d is %+v, live %+v", m-SlotOf(begin), out[m], live[m])
		}
	}
}

// checked fails on what no outcome may be, and adds up.
type checked struct {
	t          *testing.T
	bad, total int64
	slots      map[string]budget.Slot
}

// Slot implements Outcome.
func (c *checked) Slot(a int32, at budget.Minute, s budget.Slot) {
	if s.Bad < 0 || s.Total < s.Bad {
		c.t.Fatalf("minute %d is %+v", at, s)
	}
	c.slots[fmt.Sprint(a, at)] = s
}

// Late implements Outcome.
func (c *checked) Late(_ int32, _, _ budget.Minute, bad, total int64) {
	if total < 0 {
		c.t.Fatalf("%d events less", total)
	}
	c.bad, c.total = c.bad+max(bad, 0), c.total+total
}

// FuzzCounting: whatever values come in whatever order, with whatever gaps and markers, nothing
// panics, nothing is negative, and no more is counted than the samples can show.
func FuzzCounting(f *testing.F) {
	f.Add([]byte("counters rise, and fall, and come too late"), uint64(1))
	f.Add([]byte{0, 255, 1, 254, 3, 3, 3, 9, 77, 200, 201, 202, 0, 0, 0, 128, 127}, uint64(2))
	f.Fuzz(func(t *testing.T, data []byte, seed uint64) { throw(t, data, seed) })
}

// throw lets a counter take samples made of bytes.
func throw(t *testing.T, data []byte, seed uint64) {
	const series = 6
	x := &Index{}
	x.AddAccount(Info{})
	x.AddAccount(Info{Promise: 1, ByGood: true})
	x.AddAccount(Info{Promise: 1, Up: true})
	for i := range int32(series) {
		routes := []Route{{0, Total}, {1, Good}, {1, Total}}
		switch i {
		case 2, 3:
			routes = append(routes[:1], Route{0, Bad}, Route{1, Total})
		case 5:
			routes = []Route{{2, Up}}
		}
		x.Meet(i, i/2, i < 4, routes)
	}
	out := &checked{t: t, slots: map[string]budget.Slot{}}
	state := &State{Promises: []Promise{{Since: SlotOf(begin)}, {Since: SlotOf(begin)}}}
	rnd := rand.New(rand.NewPCG(seed, 1))
	var most float64 // what the samples can show: every value is above zero by so much
	now, last := begin, int64(0)
	for len(data) >= 4 {
		var runs []Run
		for n := int(data[0]%4) + 1; n > 0 && len(data) >= 4; n-- {
			run := Run{Series: int32(data[1] % series)}
			for k := int(data[2] % 5); k >= 0; k-- {
				v := []float64{float64(data[3]), float64(data[3]) * 1000, math.NaN(), -1, 1e300, math.Inf(1), 0, math.Ldexp(1, int(data[3]%64))}[rnd.IntN(8)]
				run.Samples = append(run.Samples, Sample{now - rnd.Int64N(1+20*minute*int64(data[2]%3)), v})
				if !unusable(v) && v < 1e30 {
					most += v
				}
			}
			runs, data = append(runs, run), data[4:]
		}
		s := state.Clone()
		c := NewCounter(s, x, out)
		c.Waiting.Overdue(now, now)
		starts := Starts{}
		for _, r := range runs {
			for _, s := range r.Samples {
				starts[r.Series/2] = append(starts[r.Series/2], Sample{s.MS, float64(now)/1000 - rnd.Float64()*120})
			}
			slices.SortFunc(starts[r.Series/2], byTime)
		}
		c.Unsure(runs)
		c.Take(runs, Question{Since: last, To: now, Now: now, Starts: starts})
		c.Waiting.End(c.Waiting.Overdue(now, now), func(i int32) bool { return rnd.IntN(2) == 0 }, now, now)
		c.Waiting.Lag(now, now, nil, false)
		c.Decide(now)
		state, last = s, now
		now += rnd.Int64N(3 * minute)
	}
	c := NewCounter(state, x, out)
	c.DecideAll(SlotOf(now)+1, true)
	var total int64 = out.total
	for _, s := range out.slots {
		total += s.Total
	}
	if float64(total) > (2*most+float64(len(out.slots)))*budget.Unit*1.000001 { // every sample leads to two totals, and a gauge to one event a minute
		t.Fatalf("%d thousandths were counted; the samples show %g events", total, most)
	}
}
