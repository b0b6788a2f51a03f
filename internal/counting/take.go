package counting

import (
	"cmp"
	"math"
	"slices"

	"github.com/slowburn-sre/slowburn/budget"
)

// Outcome receives what is decided.
type Outcome interface {
	// Slot is a minute of an account: new, or one that was absent and is known now.
	Slot(account int32, at budget.Minute, s budget.Slot)
	// Late is events, in thousandths and signed, that belong to a minute that was decided before.
	// If since is not 0, scrapes are further apart than a minute, and the events happened in the
	// minutes up to at that no other sample tells of: back to since, if nothing is known of them.
	Late(account int32, since, at budget.Minute, bad, total int64)
}

// Question is what samples were asked for.
type Question struct {
	Since int64 // samples after it could not be seen by an earlier question, ms
	To    int64 // the newest time asked for
	Now   int64 // when it was asked
	// Starts are those of the processes of the targets that [Counter.Unsure] named, and Created
	// those of their series, as far as they show them.
	Starts, Created Starts
}

// Counter moves a state by the samples of answers and decides minutes.
type Counter struct {
	view
	out     Outcome
	Waiting Waiting // who is waited for before a minute is decided

	q     Question
	runs  []Run
	next  []int32 // per run, its first sample not yet counted
	shown []shown

	pairs  []pair  // per account, of the scrape that is being counted
	paired []int32 // accounts of which it shows anything
	idle   []int32 // good series that it shows, and that have not grown
	gone   []int32 // series of its target that it does not show
	backs  []back  // what it shows of good series since they were last shown
}

// NewCounter counts for a state.
func NewCounter(s *State, index *Index, out Outcome) *Counter {
	s.Grow(len(index.Series), len(index.Scraped), len(index.Accounts))
	return &Counter{view: view{s, index}, out: out, Waiting: Waiting{view: view{s, index}}}
}

// What a first value may be: slack plus times the target's rate by the time since its last scrape.
const (
	slack = 5
	times = 10
	// forgive is how long a series may be away, ms, before its return may be that of a new counter.
	forgive = 5 * minuteMs
	// rateHalf is after how long a rate has halved, ms.
	rateHalf = 10 * minuteMs
	// glitchFor is after how many samples below its height a counter goes on from there.
	glitchFor = 10
	// tooHigh is a step up that no minute can hold, as where a counter runs below zero and wraps
	// round.
	tooHigh = budget.MaxCount / budget.Unit
)

// moment is one scrape of a target: runs[lo:hi] in the order of targets have a sample at ms.
type moment struct {
	ms     int64
	target int32
	lo, hi int32
}

// Take counts samples, of any series and in any order: scrape by scrape of a target, oldest first.
// What was counted before is passed over.
func (c *Counter) Take(runs []Run, q Question) {
	c.Grow(len(c.index.Series), len(c.index.Scraped), len(c.index.Accounts))
	c.q, c.runs = q, runs
	order, moments := c.moments()
	c.next = slices.Grow(c.next[:0], len(runs))[:len(runs)]
	clear(c.next)
	for _, m := range moments {
		c.judge(m.ms-1, false)
		c.shown = c.shown[:0]
		for _, i := range order[m.lo:m.hi] {
			r := &runs[i]
			for int(c.next[i]) < len(r.Samples) && r.Samples[c.next[i]].MS < m.ms {
				c.next[i]++
			}
			for ; int(c.next[i]) < len(r.Samples) && r.Samples[c.next[i]].MS == m.ms; c.next[i]++ {
				c.shown = append(c.shown, shown{r.Series, r.Samples[c.next[i]].V})
			}
		}
		numbersFirst(c.shown)
		if len(c.shown) > 0 {
			c.count(&scrape{view: c.view, target: m.target, ms: m.ms, shown: c.shown, starts: q.Starts, created: q.Created})
		}
	}
	c.judge(q.To, false)
	c.runs = nil
	c.Read, c.Asked, c.Primed = max(c.Read, q.To), q.Now, true
}

// numbersFirst puts what is no number behind the others: where a label is written anew, the marker
// by which the series ends under its old spelling stands at the time of the first sample of the
// new one, and both are the same series.
func numbersFirst(all []shown) {
	next := 0
	for i, s := range all {
		if !math.IsNaN(s.v) {
			all[next], all[i] = s, all[next]
			next++
		}
	}
}

// moments sorts runs by target and finds the scrapes among them, oldest first.
func (c *Counter) moments() (order []int32, out []moment) {
	count := make([]int32, len(c.Targets)+1)
	for _, r := range c.runs {
		if t := c.index.targetOf(r.Series); t >= 0 && len(r.Samples) > 0 {
			count[t+1]++
		}
	}
	for i := 1; i < len(count); i++ {
		count[i] += count[i-1]
	}
	order = make([]int32, count[len(count)-1])
	fill := slices.Clone(count)
	for i, r := range c.runs {
		if t := c.index.targetOf(r.Series); t >= 0 && len(r.Samples) > 0 {
			order[fill[t]] = int32(i)
			fill[t]++
		}
	}
	var list []int64
	for t := range c.Targets {
		lo, hi := count[t], count[t+1]
		if lo == hi {
			continue
		}
		list = c.times(list[:0], order[lo:hi])
		for _, ms := range list {
			out = append(out, moment{ms, int32(t), lo, hi})
		}
	}
	slices.SortFunc(out, func(a, b moment) int { return cmp.Or(cmp.Compare(a.ms, b.ms), cmp.Compare(a.target, b.target)) })
	return order, out
}

// times lists the times at which the runs have samples. They are usually alike.
func (c *Counter) times(list []int64, runs []int32) []int64 {
	known, sorted := 0, true
	for _, i := range runs {
		samples := c.runs[i].Samples
		if !slices.IsSortedFunc(samples, byTime) {
			samples = slices.Clone(samples)
			slices.SortStableFunc(samples, byTime)
			c.runs[i].Samples = samples
		}
		at := 0
		for _, s := range samples {
			for at < known && list[at] < s.MS {
				at++
			}
			if at == known || list[at] != s.MS {
				list, sorted = append(list, s.MS), false
			}
		}
		if known == 0 {
			known, sorted = len(list), true
		}
	}
	if !sorted {
		slices.Sort(list)
	}
	return slices.Compact(list)
}

func byTime(a, b Sample) int { return cmp.Compare(a.MS, b.MS) }

// unusable reports whether a value never counts.
func unusable(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) || v < 0 }

// count counts what one scrape of a target showed.
func (c *Counter) count(sc *scrape) {
	c.judgeReturning(sc)
	target, ms := sc.target, sc.ms
	t, fresh := &c.Targets[target], false
	switch {
	case t.Last == 0 || t.Last < c.Last-Forget:
		fresh, *t = true, Target{Born: ms, StandIn: sc.standIn()}
	case ms-t.Last > 2*t.interval() && sc.wentOnElsewhere():
		fresh, *t = true, Target{Born: ms, StandIn: sc.standIn(), Pace: t.Pace, Late: t.Late, LateAt: t.LateAt}
	}
	before := t.Last
	if before == 0 || before >= ms { // a late scrape: the one before it, not the newest
		before = ms - t.interval()*3/2
	}
	sc.before = before
	sc.beganAnew()
	lives := sc.evidence()
	var sum float64
	var gap int64
	var births *Group
	fromStart := c.Last
	for _, s := range sc.shown {
		cur := &c.Cursors[s.series]
		known := c.known(s.series)
		switch {
		case known && ms <= cur.MS:
			continue
		case known && cur.Flags&Heir != 0: // another went on from it, and now it may go on from that one
			known = false
		}
		switch {
		case unusable(s.v):
			sc.drop(s, known, births)
			continue
		case c.index.isUp(s.series):
			last := ms
			if known {
				last, gap = cur.MS, shorter(gap, ms-cur.MS)
				c.held(s.series, ms)
			}
			if *cur = (Cursor{MS: ms}); s.v != 1 {
				cur.Dips, cur.Low = 1, float64(t.due(ms))
			}
			c.book(s.series, ms, 0, nothing, ms-last, s.v)
			continue
		case !known:
			*cur = Cursor{MS: ms, Value: s.v}
			births = c.birth(births, s, target, ms, before, fresh, fromStart)
			continue
		}
		if cur.Flags&Blank != 0 { // it goes on, so that was no end
			c.blame(s.series, Dropped)
		}
		n, from := sc.increment(t, cur, s, lives)
		gap = shorter(gap, ms-cur.MS)
		c.book(s.series, ms, n, from, ms-cur.MS, s.v)
		if cur.MS = ms; n > 0 {
			cur.Flags = 0
		} else {
			cur.Flags &= Still
		}
		sum += n
	}
	asking{c}.counterparts(target, ms)
	switch shows := gap > 0 || births != nil; {
	case c.q.Since > 0 && ms <= c.q.Since && shows:
		t.learnLate(c.q.Now, c.q.Now-ms, c.longest())
	case shows:
		t.Behind = 0
	}
	if births != nil {
		c.open(births, sc)
	}
	if ms > t.Last {
		t.learnRate(sum, ms)
		t.Last = ms
	}
	t.Pace.learn(gap)
	c.Last = max(c.Last, ms)
}

func (t *Target) learnRate(sum float64, ms int64) {
	if _, plausible := budget.Thousandths(sum); t.Last == 0 || !plausible {
		return
	}
	d := float64(ms - t.Last)
	rate := sum / d * 1000
	if t.Last == t.Born {
		t.Rate = rate
		return
	}
	w := math.Exp2(-d / rateHalf)
	t.Rate = t.Rate*w + rate*(1-w)
}

func shorter(a, b int64) int64 {
	if a == 0 || b < a {
		return b
	}
	return a
}

// book puts the events of a sample into the minute of the sample, for every account of its series.
func (c *Counter) book(series int32, ms int64, n float64, from, gap int64, v float64) {
	at := SlotOf(ms)
	for _, r := range c.index.Series[series].Routes {
		acc, p := &c.Accounts[r.Account], &c.Promises[c.index.Accounts[r.Account].Promise]
		if r.Role == Total || r.Role == Up {
			if p.Begun == 0 {
				p.Begun = EndOf(at)
			}
			p.Sight = max(p.Sight, ms)
		}
		if c.index.Accounts[r.Account].ByGood {
			asking{c}.note(series, r, ms, n, gap)
		}
		if at <= acc.through() {
			c.amend(series, r, at, ms, n, from, v)
			continue
		}
		m := c.minute(r.Account, at)
		if r.Role == Total || r.Role == Up {
			m.Last, m.First = max(m.Last, ms), shorter(m.First, ms)
			if gap > 0 {
				m.Gap = shorter(m.Gap, gap)
			}
		}
		if r.Role == Up {
			m.Down = m.Down || v != 1
			continue
		}
		if from >= 0 {
			m.Since = shorter(m.Since, from+1)
		}
		m.Sum.Add(r.Role, n)
	}
}

// nothing is in place of the time since when events may have happened, where there are none.
const nothing = -1

// amend books what belongs to a minute of which something was said already.
func (c *Counter) amend(series int32, r Route, at budget.Minute, ms int64, n float64, from int64, v float64) {
	acc, info := &c.Accounts[r.Account], c.index.Accounts[r.Account]
	if h := &acc.Hole; h.Open && at >= h.From && at <= h.Until {
		h.Sum.Add(r.Role, n)
		return
	}
	unknown := at > max(SlotOf(acc.Last), acc.Done) // it was told absent
	since := budget.Minute(0)
	if acc.Pace.ms() > minuteMs && r.Role != Up { // a gauge has no memory
		if since = at; from > 0 && !acc.Pace.isHole(ms-from) {
			since = SlotOf(from) + 1
		}
	}
	shows := since > 0 && r.Role == Total // that no other sample tells of the minutes before
	events, ok := budget.Thousandths(n)
	if !ok {
		c.trouble(r.Account, Beyond, series)
		return
	}
	var bad, total int64
	switch r.Role {
	case Total:
		if total = events; info.ByGood {
			bad = events
		}
	case Bad:
		bad = events
	case Good:
		bad = -events
	case Up:
		if unknown {
			total = budget.Unit
		}
		if v != 1 {
			bad = budget.Unit
		}
	}
	if at >= c.Promises[info.Promise].Since && (bad != 0 || total != 0 || unknown || shows) {
		c.out.Late(r.Account, since, at, bad, total)
	}
	if n > 0 {
		c.trouble(r.Account, Behind, series)
	}
	if r.Role == Total || r.Role == Up {
		acc.Last = max(acc.Last, ms)
	}
}
