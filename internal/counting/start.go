package counting

import (
	"math"
	"slices"
)

// Starts are when processes or counters began: per target, or per series, a sample for each scrape
// that showed it, of which the value is the start in seconds since 1970, oldest first.
type Starts map[int32][]Sample

// at returns the start that a scrape showed, ms; 0 if it did not say.
func (s Starts) at(of int32, ms int64) int64 {
	list := s[of]
	i, found := slices.BinarySearchFunc(list, Sample{MS: ms}, byTime)
	if !found || unusable(list[i].V) || list[i].V > tooHigh {
		return 0
	}
	return int64(list[i].V * 1000)
}

const (
	// startSkew is how far the starts that one process shows may lie apart, ms: some compute theirs
	// from a clock that is being set.
	startSkew = 2000
	// startTimes is how many times as much as else a process can have had that began since the
	// scrape before. More is no counter of its own: an exporter shows those of another process.
	startTimes = 100
)

// Unsure lists the targets of which samples may hide that a process began anew, or show first
// values that only the start of a process explains. It names too many rather than too few. Which
// those are does not depend on how samples are cut, but for times at which it makes no difference.
func (c *Counter) Unsure(runs []Run) []int32 {
	if !c.Primed {
		return nil
	}
	c.Grow(len(c.index.Series), len(c.index.Scraped), len(c.index.Accounts))
	type look struct {
		scrapes           int
		high, some, asked bool // high: a series in as many scrapes stood higher than slack all the time
	}
	seen := map[int32]*look{}
	for _, r := range runs {
		target := c.index.targetOf(r.Series)
		if target < 0 || !c.index.Scraped[target] || c.index.isUp(r.Series) {
			continue
		}
		l := seen[target]
		if l == nil {
			l = &look{}
			seen[target] = l
		}
		known, before := c.known(r.Series), c.Cursors[r.Series].MS
		n, low := 0, math.Inf(1)
		for _, s := range r.Samples {
			if known && s.MS <= before || unusable(s.V) {
				continue
			}
			switch {
			case n == 0 && !known:
				l.asked = l.asked || s.V > slack && c.begun(r.Series, s.MS)
			case c.Targets[target].isGap(s.MS - before):
				l.asked = true
			}
			n, low, before = n+1, min(low, s.V), s.MS
			l.some = l.some || s.V > 0
		}
		switch {
		case n > l.scrapes:
			l.scrapes, l.high = n, low > slack
		case n > 0 && n == l.scrapes:
			l.high = l.high || low > slack
		}
	}
	var out []int32
	for target, l := range seen {
		if l.some && (l.asked || !l.high) {
			out = append(out, target)
		}
	}
	slices.Sort(out)
	return out
}

// isGap reports whether scrapes of a target have been missed between two that are so far apart, ms.
func (t *Target) isGap(d int64) bool { return 2*d > 5*t.interval() }

// oldest returns when the oldest counter of a scrape was created, ms, of those that have been seen
// before or of all; 0 if none says so. Its process is at least as old.
func (sc *scrape) oldest(seen bool) int64 {
	first := int64(0)
	for _, s := range sc.shown {
		if at := sc.created.at(s.series, sc.ms); at > 0 && (!seen || sc.known(s.series)) {
			first = shorter(first, at)
		}
	}
	return first
}

// beganAnew notes a restart that no value tells: the process that a scrape shows began after the
// scrape before, or all its counters were created since, and what it shows can be its own. A start
// in the future says only which process it is, by a clock that is ahead.
func (sc *scrape) beganAnew() {
	target, ms, before := sc.target, sc.ms, sc.before
	t, at := &sc.Targets[target], sc.starts.at(target, ms)
	if at == 0 {
		at = sc.oldest(true)
	}
	if at == 0 {
		return
	}
	other := at > t.Start+startSkew
	t.Start = max(t.Start, at)
	if !other || at <= before || at > ms+startSkew || t.Last == 0 || t.restarted(before, ms) {
		return
	}
	limit := float64(slack)
	if t.isGap(ms - before) {
		limit = sc.bound(target, ms, before)
	}
	for _, s := range sc.shown {
		if !unusable(s.v) && s.v > limit && sc.known(s.series) {
			return
		}
	}
	t.restart(ms)
}

// createdAnew reports whether a counter that was away is another one now, by its creation.
func (sc *scrape) createdAnew(series int32, before int64) bool {
	ms, at := sc.ms, sc.created.at(series, sc.ms)
	return at > before && at <= ms+startSkew && sc.Targets[sc.index.Series[series].Target].isGap(ms-before)
}

// startBound takes up what is known of the process of a group. It widens the bound of the first
// values of one that began since they can have happened, unless they are more than it can have had.
func (sc *scrape) startBound(g *Group) {
	at := sc.starts.at(g.Target, g.MS)
	if at == 0 {
		at = sc.oldest(false)
		if at > g.since() { // only the counters are known to be new, each by itself
			at = 0
		}
	}
	switch {
	case at == 0 || at > g.MS+startSkew:
		return
	case at <= g.since():
		g.Start = at
		return
	case slices.Max(g.Values) <= g.Bound: // else they may be those of another process
		g.Start = at
	}
	g.Old = false
	if sc.rate(g.Target) == 0 { // nobody knows what its target serves
		g.Bound = math.Inf(1)
		return
	}
	g.Bound *= startTimes
}
