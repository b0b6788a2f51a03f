package counting

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/slowburn-sre/slowburn/budget"
)

// aloneWorld is an hour of a few processes whose good events are counted, in series that may be
// missing while the total goes on.
type aloneWorld struct {
	name    string
	apart   bool // total is a series of its own: else every good series counts for it, too
	twin    bool // both are of one histogram
	goods   int  // good series of a process
	targets int
	rate    float64 // events of a good series between two scrapes
	failing float64 // share of errors
	outage  [2]int  // minutes in which all requests of all targets fail

	// What befalls the first target, by minutes; 0 is never.
	hidden   [2]int // its good series are not shown
	only     bool   // but for the first of them, which is
	lost     float64
	noTotal  float64 // share of its samples of the total that are lost
	restart  int
	relabel  int // its series have other labels from then on
	renamed  int // it has another name from then on
	markers  bool
	disturbs [2]int // minutes in which any of this can be felt
}

// The minutes of an aloneWorld: what comes before the first one that can be disturbed is as usual.
const (
	aloneBegins = 15
	aloneLength = 80
)

func randomAlone(seed uint64) aloneWorld {
	r := rand.New(rand.NewPCG(seed, 21))
	w := aloneWorld{goods: 1 + r.IntN(3), targets: 1 + r.IntN(3), rate: []float64{0.3, 3, 50, 1000}[r.IntN(4)], failing: []float64{0, 0.01, 0.2}[r.IntN(3)], markers: r.IntN(2) == 0}
	w.apart = r.IntN(3) > 0
	w.twin = w.apart && r.IntN(2) == 0
	from := aloneBegins + 5 + r.IntN(10)
	near := func() int { return max(aloneBegins, from-2+r.IntN(10)) }
	if w.hidden = [2]int{from, from + 1 + r.IntN(12)}; r.IntN(4) == 0 {
		w.hidden = [2]int{}
		w.lost = 0.05
	}
	if w.goods > 1 {
		w.only = r.IntN(3) == 0
	}
	for range r.IntN(3) {
		switch at := near(); r.IntN(4) {
		case 0:
			w.restart = at
		case 1:
			w.relabel = at
		case 2:
			w.renamed = at
		case 3:
			w.outage = [2]int{67, 71}
		}
	}
	if w.restart > 0 && w.restart == w.hidden[0] { // then nobody can tell it from one that fails
		w.restart++
	}
	if w.apart && r.IntN(5) == 0 {
		w.noTotal = 0.05
	}
	w.disturbs = [2]int{from - 3, from + 35}
	w.name = fmt.Sprintf("world %d: %+v", seed, w)
	return w
}

// aloneRead is how a world was read: what was said, and what is right.
type aloneRead struct {
	got   notes
	want  map[budget.Minute]Tally
	state *State
}

// read lives a world and reads it, some minutes at a time.
func (w aloneWorld) read(seed uint64) aloneRead {
	r := rand.New(rand.NewPCG(seed, 22))
	sim := &simWorld{rnd: r}
	index, out := &Index{}, aloneRead{got: notes{}, want: map[budget.Minute]Tally{}}
	index.AddAccount(Info{ByGood: true, Twin: w.twin})
	out.state = &State{Promises: []Promise{{Since: 2001}}}
	var names []string
	index.Differ = func(a, b int32) int { return differ(names[a], names[b]) }
	index.Name = func(i int32) string { return names[i] }
	targets := map[string]int32{}
	meet := func(target, labels string, routes ...Route) int32 {
		name := "instance=" + target + "," + labels
		if i := slices.Index(names, name); i >= 0 {
			return int32(i)
		}
		if _, ok := targets[target]; !ok {
			targets[target] = int32(len(targets))
		}
		names = append(names, name)
		index.Meet(int32(len(names)-1), targets[target], true, routes)
		return int32(len(names) - 1)
	}
	c := NewCounter(out.state, index, out.got)
	values := make([][]float64, w.targets) // bad, good series, total
	for i := range values {
		values[i] = make([]float64, w.goods+2)
		for k := range values[i] {
			values[i][k] = float64(int(w.rate * 10_000))
		}
	}
	asked, next := EndOf(2000-1), 1
	var runs []Run
	shownAt := map[int32]int64{}
	for m := range aloneLength {
		minute := budget.Minute(2000 + m)
		for q := range 4 {
			ms := EndOf(minute-1) + int64(q)*15_000 + 5_000
			for i := range values {
				v := values[i]
				if i == 0 && m > 0 && m == w.restart && q == 0 {
					clear(v)
				}
				bad := sim.poisson(w.rate * float64(w.goods) * w.failing)
				all := bad
				for k := range w.goods {
					n := sim.poisson(w.rate)
					if all += n; m >= w.outage[0] && m < w.outage[1] {
						bad += n
						continue
					}
					v[1+k] += n
				}
				v[0] += bad
				v[w.goods+1] += all
				out.want[minute] = out.want[minute].plus(Tally{Total: all, Bad: bad})
				target, labels := fmt.Sprint("t", i), ""
				if i == 0 && w.renamed > 0 && m >= w.renamed {
					target += "n"
				}
				if i == 0 && w.relabel > 0 && m >= w.relabel {
					labels = ",cluster=eu"
				}
				show := func(v float64, labels string, routes ...Route) {
					if v == 0 {
						return
					}
					s := meet(target, labels, routes...)
					runs = append(runs, Run{s, []Sample{{ms, v}}})
					shownAt[s] = ms
				}
				for k := range w.goods {
					gone := m >= w.hidden[0] && m < w.hidden[1] && !(w.only && k == 0)
					if i == 0 && (gone || m >= aloneBegins && r.Float64() < w.lost) {
						continue
					}
					if w.apart {
						show(v[1+k], fmt.Sprint("good=", k)+labels, Route{0, Good})
					} else {
						show(v[1+k], fmt.Sprint("code=", k)+labels, Route{0, Total}, Route{0, Good})
					}
				}
				if w.apart && i == 0 && m >= aloneBegins && r.Float64() < w.noTotal {
					continue
				}
				if w.apart {
					show(v[w.goods+1], "all"+labels, Route{0, Total})
				} else {
					show(v[0], "code=500"+labels, Route{0, Total})
				}
			}
		}
		if m+1 >= next || m+1 == aloneLength {
			to := EndOf(minute)
			c.Take(runs, Question{Since: asked, To: to, Now: to})
			if w.markers {
				at := to
				c.Waiting.End(c.Waiting.Overdue(to, to), func(i int32) bool { return shownAt[i] > at-15_000 }, at, to)
			}
			c.Decide(to)
			asked, runs, next = to, nil, m+1+1+r.IntN(3)
		}
	}
	end := EndOf(2000+aloneLength-1) + 20*60_000
	c.Take(nil, Question{Since: asked, To: end, Now: end})
	c.Decide(end)
	return out
}

// TestFaultsAtOnceWithoutCounterpart: whatever befalls a process whose good series are missing
// while its total goes on, nobody hears of errors that it did not have. Its minutes are right or
// unknown, and where nothing is missing they are right.
func TestFaultsAtOnceWithoutCounterpart(t *testing.T) {
	unknown := 0
	for seed := range uint64(*lives) {
		w := randomAlone(seed)
		read := w.read(seed)
		spare := 25 + 4*w.rate
		if w.rate < 1 { // a series that is idle for a minute may have ended
			spare = 50
		}
		var told, right Tally
		var odd []string
		for m := budget.Minute(2000 + aloneBegins - 5); m < 2000+aloneLength-3; m++ {
			want, got := read.want[m], read.got[m]
			felt := int(m-2000) >= w.disturbs[0] && int(m-2000) < w.disturbs[1]
			if got.State == budget.Failed || got.State == budget.Absent {
				if unknown++; !felt && w.lost+w.noTotal == 0 {
					odd = append(odd, fmt.Sprintf("minute %d is unknown", m-2000))
				}
				continue
			}
			is := Tally{Total: float64(got.Total) / 1000, Bad: float64(got.Bad) / 1000}
			told, right = told.plus(is), right.plus(want)
			if (!felt && w.lost+w.noTotal == 0) && is != want {
				odd = append(odd, fmt.Sprintf("minute %d has %g bad of %g, want %g of %g", m-2000, is.Bad, is.Total, want.Bad, want.Total))
			}
		}
		if told.Bad > 1.05*right.Bad+spare || told.Total > 1.1*right.Total+10 {
			odd = append(odd, fmt.Sprintf("%g bad of %g were told, there were %g of %g", told.Bad, told.Total, right.Bad, right.Total))
		}
		if len(odd) > 0 {
			t.Errorf("%s:\n%s\n%s", w.name, strings.Join(odd, "\n"), read.got)
		}
	}
	t.Logf("%d minutes of %d worlds are unknown", unknown, *lives)
}
