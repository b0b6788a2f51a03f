package counting

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/slowburn-sre/slowburn/budget"
)

// This file is a server in miniature: series whose samples arrive when a scenario says so, and the
// asking of package prom over it.

const (
	second = int64(1000)
	minute = 60 * second
)

// begin is when the worlds begin, a whole minute.
const begin = int64(1_790_000_000_000) / minute * minute

// simSample is a sample with the time at which the server has it.
type simSample struct {
	ms, arrives int64
	v           float64
	stale       bool
}

type simSeries struct {
	target  int32
	labels  string // name=value pairs, comma separated
	bad     bool
	samples []simSample
}

// scenario is what goes on in a world beside traffic. Times are offsets in minutes.
type scenario struct {
	name     string
	targets  int
	interval func(target int) int64
	rate     float64 // per second and target
	length   int64

	restartEvery, deployEvery int64 // minutes
	missed, lost, dips        float64
	failed                    float64 // scrapes that fail, which a server marks
	noMarkers                 bool
	startless                 bool  // processes do not show when they began
	relabelAt, relabelTo      int64 // a label is added, and taken away again
	renameTargets, renameTo   int64 // instances change their names, and not their processes; and back
	slowAt                    int64 // from then on it is scraped every minute
	oldTargetAt               int64 // half of the targets are found by the server then
	downFrom, downTo          int64 // the server scrapes nothing
	late                      func(w *simWorld, target int, bad bool, ms int64) int64
	quiet                     float64 // what may be lost at the lowest traffic, percent
	badAway                   float64 // error series away for three scrapes
}

type simWorld struct {
	*scenario
	rnd    *rand.Rand
	series []*simSeries
	byName map[string]*simSeries
	truth  map[budget.Minute]Tally
	starts Starts           // of all targets
	skip   map[[2]int64]int // scrapes a series is still away for
}

// process is a process with a counter per code.
type process struct {
	target, generation int
	instance           string
	began              int64
	v, told            [4]float64
	seen               [4]bool
}

func newWorld(sc scenario, seed uint64) *simWorld {
	w := &simWorld{scenario: &sc, rnd: rand.New(rand.NewPCG(seed, 7)), byName: map[string]*simSeries{}, truth: map[budget.Minute]Tally{}, starts: Starts{}, skip: map[[2]int64]int{}}
	if w.targets == 0 {
		w.targets = 10
	}
	if w.interval == nil {
		w.interval = func(int) int64 { return 15 * second }
	}
	if w.length == 0 {
		w.length = 150
	}
	for i := range w.targets {
		w.play(i)
	}
	return w
}

// play lives the life of one target: traffic, scrapes, arrivals.
func (w *simWorld) play(i int) {
	iv := w.interval(i)
	p := &process{target: i, instance: fmt.Sprint("i", i), began: begin - 30*24*60*minute}
	for k := range p.v { // it has run for a month
		p.v[k] = math.Floor(w.rate * 2_000_000 / []float64{1, 4, 100, 300}[k])
	}
	offset := w.rnd.Int64N(iv)
	found := int64(0)
	if w.oldTargetAt > 0 && i >= w.targets/2 {
		found = w.oldTargetAt
	}
	for at := begin + offset; at < begin+w.length*minute; at += iv {
		now := (at - begin) / minute
		if w.slowAt > 0 && now >= w.slowAt {
			iv = minute
		}
		every := func(n int64) bool {
			return n > 0 && now > 30 && (at-begin)%(n*minute) < iv && int(now/n)%w.targets == i%min(w.targets, 5)
		}
		switch {
		case every(w.restartEvery):
			w.end(p, at)
			p.v, p.told, p.seen, p.began = [4]float64{}, [4]float64{}, [4]bool{true, true, true, true}, at-second
		case every(w.deployEvery):
			w.end(p, at)
			p = &process{target: i, generation: p.generation + 1, instance: fmt.Sprintf("i%d-%d", i, p.generation+1), began: at - second, seen: [4]bool{true, true, true, true}}
		case w.renameTo > 0 && now >= w.renameTo:
			if strings.HasSuffix(p.instance, "n") {
				w.end(p, at)
				p.instance = strings.TrimSuffix(p.instance, "n")
			}
		case w.renameTargets > 0 && now >= w.renameTargets && !strings.HasSuffix(p.instance, "n"):
			w.end(p, at)
			p.instance += "n"
		}
		for k := range p.v {
			p.v[k] += w.poisson(w.rate * float64(iv) / 1000 * []float64{0.8, 0.17, 0.02, 0.01}[k])
		}
		if w.failed > 0 && w.rnd.Float64() < w.failed {
			w.end(p, at)
			continue
		}
		if w.downTo > 0 && now >= w.downFrom && now < w.downTo || now < found || w.rnd.Float64() < w.missed {
			continue
		}
		w.scrape(p, at)
	}
}

func (w *simWorld) poisson(mean float64) float64 {
	if mean > 50 {
		return math.Round(max(0, mean+math.Sqrt(mean)*w.rnd.NormFloat64()))
	}
	n, p := 0.0, w.rnd.Float64()
	for limit := math.Exp(-mean); p > limit; n++ {
		p *= w.rnd.Float64()
	}
	return n
}

func (w *simWorld) find(p *process, k int, at int64) *simSeries {
	labels := fmt.Sprintf("instance=%s,code=%d", p.instance, []int{200, 404, 500, 503}[k])
	if w.relabelAt > 0 && at >= begin+w.relabelAt*minute && (w.relabelTo == 0 || at < begin+w.relabelTo*minute) {
		labels += ",cluster=eu"
	}
	s := w.byName[labels]
	if s == nil {
		n := slices.IndexFunc(w.series, func(o *simSeries) bool { return strings.HasPrefix(o.labels, "instance="+p.instance+",") })
		target := int32(0)
		if n >= 0 {
			target = w.series[n].target
		} else {
			for _, o := range w.series {
				target = max(target, o.target+1)
			}
		}
		s = &simSeries{target: target, labels: labels, bad: k >= 2}
		w.byName[labels], w.series = s, append(w.series, s)
	}
	return s
}

// end marks all series of a process stale.
func (w *simWorld) end(p *process, at int64) {
	for k := range p.v {
		w.stale(w.find(p, k, at), at)
	}
}

func (w *simWorld) stale(s *simSeries, at int64) {
	if n := len(s.samples); n > 0 && !w.noMarkers && !s.samples[n-1].stale {
		s.samples = append(s.samples, simSample{ms: at, arrives: max(at+500, s.samples[n-1].arrives), stale: true})
	}
}

func (w *simWorld) scrape(p *process, at int64) {
	for k := range p.v {
		if p.v[k] == 0 {
			continue // a series is born with its first event
		}
		s := w.find(p, k, at)
		if list := w.starts[s.target]; len(list) == 0 || list[len(list)-1].MS < at {
			w.starts[s.target] = append(list, Sample{at, float64(p.began) / 1000})
		}
		if w.relabelAt > 0 && at >= begin+w.relabelAt*minute && at < begin+w.relabelAt*minute+w.interval(p.target) {
			for _, o := range w.series {
				if strings.HasPrefix(s.labels, o.labels+",") {
					w.stale(o, at)
				}
			}
		}
		if w.relabelTo > 0 && at >= begin+w.relabelTo*minute && at < begin+w.relabelTo*minute+w.interval(p.target) {
			for _, o := range w.series {
				if strings.HasPrefix(o.labels, s.labels+",") {
					w.stale(o, at)
				}
			}
		}
		key := [2]int64{int64(p.target), int64(k)}
		if w.skip[key] == 0 && k >= 2 && w.rnd.Float64() < w.badAway {
			w.skip[key] = 3
		}
		if w.skip[key] > 0 {
			w.skip[key]--
			w.stale(s, at)
			continue
		}
		if w.rnd.Float64() < w.lost {
			continue
		}
		v := p.v[k]
		if w.rnd.Float64() < w.dips && v > 100 {
			v -= 3
		}
		arrives := at + 200
		if w.late != nil {
			arrives += w.late(w, p.target, s.bad, at)
		}
		if n := len(s.samples); n > 0 {
			arrives = max(arrives, s.samples[n-1].arrives) // a series arrives in order
		}
		s.samples = append(s.samples, simSample{ms: at, arrives: arrives, v: v})
		n := p.v[k] - p.told[k]
		if !p.seen[k] { // an old process: its first value is a position
			n = 0
			if p.generation == 0 && slices.Contains(p.seen[:], true) && p.told[k] == 0 {
				n = 0
			}
		}
		if v == p.v[k] {
			p.told[k] = p.v[k]
		} else {
			n = max(v-p.told[k], 0) // a glitch shows nothing
			p.told[k] = max(p.told[k], v)
		}
		p.seen[k] = true
		t := w.truth[SlotOf(at)]
		t.Total += n
		if s.bad {
			t.Bad += n
		}
		w.truth[SlotOf(at)] = t
	}
}

// sim reads a world as package prom does.
type sim struct {
	w       *simWorld
	index   *Index
	numbers map[*simSeries]int32
	state   *State
	got     map[budget.Minute]Tally
	delays  []int64
	read    int64 // samples
	seen    int64 // samples that arrived while reading
	amended float64
	lag     int64
	apart   bool
	listed  int64
	now     int64
	partial int
	turns   int
	asked   int // targets, for the start of their processes
}

func newSim(w *simWorld) *sim {
	r := &sim{w: w, index: &Index{}, numbers: map[*simSeries]int32{}, got: map[budget.Minute]Tally{}}
	r.index.AddAccount(Info{})
	var names []*simSeries
	r.index.Name = func(i int32) string { return names[i].labels }
	r.index.Differ = func(a, b int32) int { return differ(names[a].labels, names[b].labels) }
	for i, s := range w.series {
		names = append(names, s)
		r.numbers[s] = int32(i)
	}
	r.state = &State{Promises: []Promise{{}}}
	return r
}

func differ(a, b string) (n int) {
	as, bs := strings.Split(a, ","), strings.Split(b, ",")
	for _, l := range as {
		if !slices.Contains(bs, l) {
			n++
		}
	}
	for _, l := range bs {
		if name, _, _ := strings.Cut(l, "="); !strings.Contains(a, name+"=") {
			n++
		}
	}
	return n
}

func (r *sim) Slot(_ int32, at budget.Minute, s budget.Slot) {
	if s.State != budget.Absent {
		r.got[at] = Tally{Total: float64(s.Total) / 1000, Bad: float64(s.Bad) / 1000}
		if s.State == budget.Partial {
			r.partial++
		} else {
			r.delays = append(r.delays, r.now-EndOf(at))
		}
	}
}

func (r *sim) Late(_ int32, _, at budget.Minute, bad, total int64) {
	r.got[at] = r.got[at].plus(Tally{Total: float64(total) / 1000, Bad: float64(bad) / 1000})
	r.amended += float64(total) / 1000
}

// after is the first sample later than a time.
func (s *simSeries) after(ms int64) int {
	i, _ := slices.BinarySearchFunc(s.samples, ms+1, func(x simSample, ms int64) int { return cmp.Compare(x.ms, ms) })
	return i
}

// window is what the server has of a series in (from, to] by now.
func (r *sim) window(s *simSeries, from, to int64) (out []Sample) {
	for _, x := range s.samples[s.after(from):] {
		if x.ms > to {
			break
		}
		if x.arrives <= r.now && !x.stale {
			out = append(out, Sample{x.ms, x.v})
		}
	}
	r.read += int64(len(out))
	return out
}

// shows reports whether an instant query at a time shows the series.
func (r *sim) shows(s *simSeries, at int64) bool {
	shows := false
	for _, x := range s.samples[s.after(at-5*minute):] {
		if x.ms <= at && x.arrives <= r.now {
			shows = !x.stale
		}
	}
	return shows
}

// startsOf is what the server says of when the processes of some targets began.
func (r *sim) startsOf(targets []int32) Starts {
	out := Starts{}
	for _, t := range targets {
		if !r.w.startless {
			out[t] = r.w.starts[t]
			r.asked++
		}
	}
	return out
}

func (r *sim) meet(s *simSeries) int32 {
	i := r.numbers[s]
	routes := []Route{{0, Total}}
	if s.bad {
		routes = append(routes, Route{0, Bad})
	}
	r.index.Meet(i, s.target, true, routes)
	return i
}

// behind is up to where overdue samples are asked for.
func behind(now, from, lag int64) int64 {
	if lag > 0 {
		return min(from, now-lag)
	}
	return from
}

// tick is one turn of reading. It returns when the next one is worth it.
func (r *sim) tick(now int64) (next int64) {
	r.turns++
	r.now = now
	probe, lag := now-r.listed >= 5*minute, int64(0)
	if r.apart {
		lag = r.lag
	} else if probe {
		r.lag = 0
	}
	upto := now - second - r.lag
	first := !r.state.Primed
	c := NewCounter(r.state, r.index, r)
	from := r.state.Read
	if first {
		from = upto - 20*minute
		r.state.Promises[0].Since = SlotOf(upto)
	}
	ask := func(asks []Ask, to int64) (runs []Run) {
		asked := map[int32]int64{}
		for _, a := range asks {
			asked[a.Target] = a.From
		}
		for _, s := range r.w.series {
			if f, ok := asked[s.target]; ok {
				if got := r.window(s, f, to); len(got) > 0 {
					runs = append(runs, Run{r.meet(s), got})
				}
			}
		}
		return runs
	}
	overdue := c.Waiting.Owing(now, behind(now, from, lag))
	runs := ask(overdue, behind(now, from, lag))
	unlisted := func(to int64) (runs []Run) {
		for _, s := range r.w.series {
			if i := r.numbers[s]; int(i) >= len(r.state.Cursors) || r.state.Cursors[i].MS == 0 {
				if got := r.window(s, now-20*minute, to); len(got) > 0 {
					runs = append(runs, Run{r.meet(s), got})
				}
			}
		}
		return runs
	}
	if c.Waiting.BackFromHole(runs) {
		runs = append(runs, unlisted(behind(now, from, lag))...)
	}
	var fresh []Run
	for _, s := range r.w.series {
		if got := r.window(s, from, max(from, upto)); len(got) > 0 {
			fresh = append(fresh, Run{r.meet(s), got})
		}
	}
	runs = append(runs, fresh...)
	runs = append(runs, ask(c.Waiting.Holes(runs, from, now, overdue), from)...)
	q := Question{Since: from, To: upto, Now: now}
	if first {
		q.Since = 0
	}
	q.Starts = r.startsOf(c.Unsure(runs))
	c.Take(runs, q)
	for _, a := range c.Waiting.Overdue(now, max(from, upto)) {
		if now-a.From < 10*minute {
			at := min(now, a.From+5*minute-second)
			c.Waiting.End([]Ask{a}, func(i int32) bool { return r.shows(r.w.series[i], at) }, at, upto)
		}
	}
	if probe {
		r.listed = now
		runs = unlisted(upto)
		q.Starts = r.startsOf(c.Unsure(runs))
		c.Take(runs, q)
		var ahead []Run
		for _, span := range c.Waiting.Beyond(max(from, upto), now-second) {
			for _, s := range r.w.series {
				if i := r.numbers[s]; int(i) < len(r.state.Cursors) {
					if got := r.window(s, span[0], span[1]); len(got) > 0 {
						ahead = append(ahead, Run{i, got})
					}
				}
			}
		}
		r.lag, r.apart = c.Waiting.Lag(now, max(from, upto), ahead, r.apart && r.lag > 0)
	}
	c.Decide(now)
	return c.Waiting.Next(now, second+r.lag)
}

// live reads a world turn by turn, on every fifth second, and returns what was counted and what is
// right, from the minute in which reading began.
func (r *sim) live() (got, want Tally, wrong float64) {
	const grid = 5 * second
	start := begin + 25*minute + 5*second
	end := begin + r.w.length*minute
	for now := start; now < end+40*minute; {
		now = max(now+grid, (r.tick(now)+grid-1)/grid*grid)
	}
	first := r.state.Promises[0].Since
	for m := first; m <= SlotOf(end); m++ {
		got, want = got.plus(r.got[m]), want.plus(r.w.truth[m])
		wrong += math.Abs(r.got[m].Total - r.w.truth[m].Total)
	}
	for _, s := range r.w.series {
		for _, x := range s.samples {
			if x.ms > EndOf(first-1) && !x.stale {
				r.seen++
			}
		}
	}
	return got, want, wrong
}

// quantile of delays, in seconds.
func quantile(v []int64, q float64) int64 {
	if len(v) == 0 {
		return 0
	}
	v = slices.Sorted(slices.Values(v))
	return v[int(q*float64(len(v)-1))] / 1000
}
