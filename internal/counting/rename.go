package counting

import (
	"math"
	"slices"
)

// pairing asks which series have gone on in a group under new names. It changes nothing.
type pairing struct {
	view
	g   *Group
	now int64 // of the question, ms

	back []int32 // series that are shown again now, and were away
}

// forerunners lists the series that may have gone on in the group, and the next time at which
// another may turn out to have; 0 if none can. A target that is known has them among its own, or
// those of targets by whose names it went meanwhile.
func (p pairing) forerunners(upto int64) (gone []int32, next int64) {
	seen := map[int32]bool{}
	for _, s := range p.g.Series {
		seen[s] = true
	}
	if !p.g.Fresh {
		for o := range p.seriesOf(p.g.Target) {
			if iv, ok := p.mayPrecede(o, seen); ok {
				gone = append(gone, o)
				if again := p.g.MS + iv*11/10; upto < again && p.Cursors[o].Flags&Ended == 0 {
					next = again // the target was scraped without it; its next scrape tells whether it is back
				}
			}
		}
		if next > 0 && p.replaced() {
			next = 0
		}
		if !slices.ContainsFunc(p.Targets, func(t Target) bool { return t.From > 0 && p.isOf(t.From-1, p.g.Target) }) {
			return gone, next
		}
	}
	for _, s := range p.g.Series {
		for _, r := range p.index.Series[s].Routes {
			for _, o := range p.index.byAccount[r.Account] {
				if !p.g.Fresh && !p.wentUnder(o) {
					continue
				}
				iv, ok := p.mayPrecede(o, seen)
				if !ok {
					continue
				}
				due := p.Cursors[o].MS + iv*11/10 + int64(p.lateOf(o))
				if p.Cursors[o].Flags&Ended != 0 || due <= upto || slices.Contains(p.back, o) {
					gone = append(gone, o)
				} else {
					next = shorter(next, due)
				}
			}
		}
	}
	return gone, next
}

// wentUnder reports whether a series is of another name by which the target of a group went since.
// Of a handful of events the values of several targets tell nothing.
func (p pairing) wentUnder(o int32) bool {
	t := p.index.targetOf(o)
	return t >= 0 && t != p.g.Target && p.isOf(t, p.g.Target) && p.bound(p.g.Target, p.g.MS, p.Cursors[o].MS) >= 2*slack
}

// mayPrecede reports whether a series stopped so shortly before a group that it may have gone on in
// it, and returns its interval. It says so once.
func (p pairing) mayPrecede(o int32, seen map[int32]bool) (interval int64, ok bool) {
	cur := &p.Cursors[o]
	if cur.MS == 0 || cur.MS >= p.g.MS || cur.Flags&Heir != 0 || seen[o] {
		return 0, false
	}
	t := p.index.Series[o].Target
	if p.g.Fresh && t == p.g.Target {
		return 0, false
	}
	interval = p.Targets[p.g.Target].interval()
	if t >= 0 {
		interval = p.Targets[t].interval()
	}
	if p.g.MS-cur.MS > interval*7/2+minuteMs && !p.inQuestion(o) || !slices.ContainsFunc(p.g.Series, func(s int32) bool { return p.index.shares(s, o) }) {
		return 0, false
	}
	seen[o] = true
	return interval, true
}

// inQuestion reports whether a series has been gone so long that something is in question.
func (p pairing) inQuestion(series int32) bool {
	cur := &p.Cursors[series]
	return cur.MS >= p.g.MS-keepOrphans*minuteMs && slices.ContainsFunc(p.Orphans, func(o Orphan) bool {
		return p.isOf(o.Target, p.index.targetOf(series)) && o.MS > cur.MS && !o.Counted && slices.Contains(p.index.Series[series].Routes, Route{o.Account, Good})
	})
}

// base returns where a series stood from which another goes on: at nothing, if what is in question
// lasted over a restart.
func (p pairing) base(o int32) float64 {
	cur := &p.Cursors[o]
	if p.inQuestion(o) && p.restarted(p.g.Target, cur.MS, p.g.MS) {
		return 0
	}
	return cur.Value
}

// lateOf returns how late the samples of a series are expected, ms.
func (p pairing) lateOf(series int32) float64 {
	if t := p.index.Series[series].Target; t >= 0 {
		return p.Targets[t].lateness(p.now)
	}
	return 0
}

// replaced reports whether a scrape of a real target showed none of the series it had before.
func (p pairing) replaced() bool {
	if !p.index.Scraped[p.g.Target] {
		return false
	}
	for _, o := range p.index.byTarget[p.g.Target] {
		if p.Cursors[o].MS >= p.g.MS && !slices.Contains(p.g.Series, o) {
			return false
		}
	}
	return true
}

// goesOn reports whether the process of a group is known to go on from a series: from one of the
// same target that shows nothing else now, or from one of a target whose process began at the same
// moment.
func (p pairing) goesOn(o int32) bool {
	t := p.index.Series[o].Target
	switch {
	case p.g.Start == 0 || t < 0:
		return false
	case p.isOf(p.g.Target, t):
		return p.g.wasThere(p.Cursors[o].MS)
	}
	return p.Targets[t].Start == p.g.Start
}

// mayGoOn reports whether the process of a group may turn out to go on from any series.
func (p pairing) mayGoOn() bool {
	if !p.g.Fresh {
		return p.g.wasThere(p.g.From)
	}
	for i := range p.Targets {
		if t := &p.Targets[i]; p.g.Start > 0 && t.Start == p.g.Start && int32(i) != p.g.Target {
			return true
		}
	}
	return false
}

// succession pairs the series of a group with forerunners from which they can have come as far:
// those by the fewest labels different first, then the nearest value that is not above. It is nil
// if any has fallen, for then a new process began, or if the forerunners stood so low that a new
// process can have come as far: unless the process is known to go on. What is known to have begun
// since has no forerunner.
func (p pairing) succession(gone []int32) map[int32]int32 {
	pairs, used := map[int32]int32{}, map[int32]bool{}
	sum, same := 0.0, true
	for i, s := range p.g.Series {
		best, at := int32(-1), [3]float64{}
		for _, o := range gone {
			last := p.Cursors[o].MS
			if used[o] || !p.index.shares(s, o) || p.g.Start > last || p.g.createdSince(i, last) {
				continue
			}
			d := p.g.Values[i] - p.base(o)
			if d > p.bound(p.g.Target, p.g.MS, last-minuteMs) { // more than can have happened since
				continue
			}
			rank := [3]float64{float64(p.index.differ(s, o)), 0, math.Abs(d)}
			switch {
			case d >= 0:
			case p.index.targetOf(o) == p.g.Target && -d <= slack && !isReset(p.base(o), p.g.Values[i]):
				rank[1] = 1 // the process stands a little lower for a moment
			default:
				rank[1] = 2
			}
			if best < 0 || slices.Compare(rank[:], at[:]) < 0 {
				best, at = o, rank
			}
		}
		switch {
		case best < 0 || at[1] > 1 && p.g.wasThere(p.Cursors[best].MS): // only it has fallen
		case at[1] > 1:
			return nil
		default:
			used[best], pairs[s] = true, best
			same = same && p.goesOn(best)
			sum += p.Cursors[best].Value
		}
	}
	if sum < slack && !same {
		return nil
	}
	return pairs
}
