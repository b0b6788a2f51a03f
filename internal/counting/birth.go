package counting

import "slices"

// Group is the first values that one scrape of a target shows. They are judged together: whole if
// they can have happened since the scrape before, as differences if other series have gone on in
// them under new names, else as positions.
type Group struct {
	Target  int32
	MS      int64
	From    int64   // the scrape before, or since when a new target could have been seen
	Since   int64   // since when the events may have happened
	Next    int64   // when more is known of its forerunners
	Bound   float64 // how many events one series can have had
	Fresh   bool    // the target is new
	Old     bool    // its process may be any age
	Start   int64   // when its process began, or by when it had begun; 0 = not known
	Alone   bool    // its target showed nothing else
	Series  []int32
	Values  []float64
	Created []int64 // when its counters were created; 0 = not known
}

// since returns since when what is first seen now was not counted by anybody: a target is found up
// to some minutes after it began.
func (g *Group) since() int64 {
	if g.Fresh {
		return min(g.From, g.MS-forgive)
	}
	return g.From
}

// Tells reports whether anything is known of when it began.
func (g *Group) Tells() bool {
	return g.Start > 0 || g.Alone || slices.ContainsFunc(g.Created, func(at int64) bool { return at > 0 })
}

// wasThere reports whether the process of a group is known to have been there at a time, and shows
// nothing else now.
func (g *Group) wasThere(ms int64) bool {
	return g.Start > 0 && g.Start <= ms && (g.Fresh || g.Alone)
}

// createdSince reports whether a counter of the group is known to have been created since a time.
func (g *Group) createdSince(i int, since int64) bool {
	return g.Created[i] > since && g.Created[i] <= g.MS+startSkew
}

// birth books the presence of a series that is seen for the first time and puts it into the group
// of its scrape, if any of its accounts has begun.
func (c *Counter) birth(g *Group, s shown, target int32, ms, before int64, fresh bool, last int64) *Group {
	begun := c.begun(s.series, ms)
	c.book(s.series, ms, 0, nothing, 0, s.v)
	if !begun || s.v == 0 || !c.Primed { // before the first question is answered there is no before
		return g
	}
	if g == nil {
		g = &Group{Target: target, MS: ms, From: before, Since: before, Fresh: fresh}
		if fresh {
			g.Since = last
			g.From = ms - c.Targets[target].interval() - minuteMs
			if last > 0 && last < ms {
				g.From = min(g.From, last-minuteMs)
			}
			g.Old = c.q.Since > 0 && ms <= c.q.Since && c.young(s.series, ms)
		}
	}
	g.Series, g.Values = append(g.Series, s.series), append(g.Values, s.v)
	g.Created = append(g.Created, c.q.Created.at(s.series, ms))
	return g
}

// open begins to judge a group: at once, if nothing can have gone on in it.
func (c *Counter) open(g *Group, sc *scrape) {
	g.Bound = c.bound(g.Target, g.MS, g.From)
	sc.startBound(g)
	p := c.pairing(g)
	g.Alone = p.replaced()
	sum := 0.0
	for _, v := range g.Values {
		sum += v
	}
	switch {
	case sum < slack && !p.mayGoOn():
		c.verdict(g, nil)
	case !c.tryVerdict(g, g.MS):
		c.Groups = append(c.Groups, *g)
	}
}

// pairing asks about a group by the question that is being counted.
func (c *Counter) pairing(g *Group) pairing { return pairing{view: c.view, g: g, now: c.q.Now} }

// judge gives their verdict to the groups that can have one when the samples up to a time are in.
func (c *Counter) judge(upto int64, all bool) {
	if !slices.ContainsFunc(c.Groups, func(g Group) bool { return all || g.Next <= upto }) {
		return
	}
	left := make([]Group, 0, len(c.Groups))
	for i := range c.Groups {
		if g := &c.Groups[i]; g.Next > upto && !all || !c.tryVerdict(g, upto) {
			left = append(left, *g)
		}
	}
	c.Groups = left
}

// judgeReturning gives their verdict to the groups from before a scrape that shows a series again
// which was away when they came: they may have gone on from it, and it from them now.
func (c *Counter) judgeReturning(sc *scrape) {
	if len(c.Groups) == 0 {
		return
	}
	t := &c.Targets[sc.target]
	c.Groups = slices.DeleteFunc(c.Groups, func(g Group) bool {
		p := c.pairing(&g)
		for _, s := range sc.shown {
			if ms := c.Cursors[s.series].MS; ms < g.MS && g.MS < sc.ms && t.isGap(sc.ms-ms) {
				p.back = append(p.back, s.series)
			}
		}
		if len(p.back) == 0 {
			return false
		}
		gone, _ := p.forerunners(sc.ms - 1)
		if !slices.ContainsFunc(gone, func(o int32) bool { return slices.Contains(p.back, o) }) {
			return false
		}
		c.verdict(&g, p.succession(gone))
		return true
	})
}

// tryVerdict judges a group if it is known by now what has become of its forerunners.
func (c *Counter) tryVerdict(g *Group, upto int64) bool {
	p := c.pairing(g)
	gone, next := p.forerunners(upto)
	if next > upto {
		g.Next = next
		return false
	}
	c.verdict(g, p.succession(gone))
	return true
}

// verdict books a group.
func (c *Counter) verdict(g *Group, pairs map[int32]int32) {
	t := &c.Targets[g.Target]
	t.Old = t.Old || g.Fresh && len(pairs) == 0 && (g.Old || slices.Max(g.Values) > g.Bound)
	apart := t.Old && g.MS <= t.Born+2*t.interval()
	if len(pairs) == 0 && g.Alone && !g.Fresh { // an old process that was away shows itself under other names
		apart = apart || g.wasThere(g.From) || slices.Max(g.Values) > g.Bound
	}
	p, base := c.pairing(g), map[int32]float64{}
	for _, o := range pairs {
		base[o] = p.base(o)
	}
	for i, s := range g.Series {
		o, renamed := pairs[s]
		switch {
		case renamed:
			old := &c.Cursors[o]
			c.blame(s, Renamed)
			c.goOn(s, g.MS, g.Values[i], base[o], old.MS)
			old.Flags |= Heir | Ended
		case g.createdSince(i, g.since()):
			c.born(s, g.MS, g.Values[i], g.Since)
		case apart || g.Values[i] > g.Bound:
			c.blame(s, Position)
		default:
			c.born(s, g.MS, g.Values[i], g.Since)
		}
	}
	if len(pairs) > 0 {
		asking{c}.renamed(g, pairs, base)
	}
}

// goOn books the events of a first value of a series that has gone on from a height. If it is a
// little below, it is there for a moment, and its height stays.
func (c *Counter) goOn(series int32, ms int64, v, height float64, since int64) {
	cur := &c.Cursors[series]
	if v >= height {
		c.born(series, ms, v-height, since)
		return
	}
	c.blame(series, Glitch)
	if risen := min(cur.Value, height) - v; risen > 0 { // it was counted from there meanwhile
		c.born(series, cur.MS, -risen, since)
	}
	if cur.Value < height {
		cur.Value, cur.Low, cur.Dips = height, cur.Value, max(cur.Dips, 1)
	}
}

// born books the events of a first value. Its presence is booked already.
func (c *Counter) born(series int32, ms int64, n float64, since int64) {
	at := SlotOf(ms)
	for _, r := range c.index.Series[series].Routes {
		acc, p := &c.Accounts[r.Account], &c.Promises[c.index.Accounts[r.Account].Promise]
		switch {
		case r.Role == Up || p.Begun == 0 || ms <= p.Begun || n == 0:
		case at <= acc.through():
			c.amend(series, r, at, ms, n, nothing, 0)
		default:
			m := c.minute(r.Account, at)
			m.Since = shorter(m.Since, since+1)
			m.Sum.Add(r.Role, n)
		}
	}
}
