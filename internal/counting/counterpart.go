package counting

import (
	"iter"
	"math"
	"slices"

	"github.com/slowburn-sre/slowburn/budget"
)

// Where good events are counted, a total without its counterpart looks like an outage. It is one if
// there never was a good series in the process, as in a new pod of which every request fails: a
// counter is born with its first event. It is a question if the series was there and is gone, for
// counters do not die in a process that lives; then the samples are missing, not the events.
//
// The rule, for one target and one budget: a scrape that shows total is a question if some good
// series is gone, that is, was shown before and is not shown now, unless
//
//   - the process has begun anew since: it may have had no good event yet. But what was in question
//     before stays so, also where another target comes in place of the one that was;
//   - no series of the total was there before;
//   - the good events stood still while the total grew when they were last seen: they had ended
//     before they were gone, as an exporter forgets what is idle;
//   - other good series are shown, and a series of the total went with the one that is gone.
//
// Bucket and count of one histogram are always there together, so a count alone is always a
// question.
//
// What is in question counts neither as good nor as bad. A minute of which it is the greater part
// has failed. If the good series is back, its difference tells how many there were: then they are
// booked. So they are where a scrape was no question, but had missed a series that comes back: it
// counts as it came meanwhile.
//
// Good events without the total of their target are early: they count in the minute of the sample
// of the total that shows them.

// Orphan is what scrapes of a target tell of an account in a minute while a good series of it is
// gone.
type Orphan struct {
	Account, Target int32
	At              budget.Minute
	MS              int64   // newest scrape of them
	Total           float64 // events that are not good themselves
	Good            float64 // those of them of which is known that they were good
	Scrapes         int32
	Counted         bool  // they count as they came: they are no question
	Early           bool  // good events, of which no total was shown
	Asked           bool  // the minute was decided without them
	Failed          bool  // nothing was said of it
	Rest            Tally // what else it held; one orphan of a failed minute has it
}

const (
	// keepOrphans is for how long it is remembered what is in question, minutes.
	keepOrphans = 6 * 60
	// missFor is for how long a good series is missed while others are shown, ms.
	missFor = 30 * minuteMs
	// maxOrphans is how many are remembered.
	maxOrphans = 20_000
)

// asking is a counter that asks what has become of counterparts.
type asking struct{ *Counter }

// pair is what one scrape of a target shows of a budget that counts good events.
type pair struct {
	touched     bool
	goodShown   bool
	totalShown  bool
	goes        bool // a series of the total went on
	total, good float64
	both        float64 // what counts as both
}

// back is what a good series shows since it was last shown.
type back struct {
	account int32
	n       float64
	prev    int64 // when that was, ms
	both    bool
	from    int32 // the target that showed it then
}

// note adds what a scrape shows of a series to the pair of its account.
func (c asking) note(series int32, r Route, ms int64, n float64, gap int64) {
	for len(c.pairs) <= int(r.Account) {
		c.pairs = append(c.pairs, pair{})
	}
	p := &c.pairs[r.Account]
	if !p.touched {
		*p = pair{touched: true}
		c.paired = append(c.paired, r.Account)
	}
	both := r.Role == Good && slices.Contains(c.index.Series[series].Routes, Route{r.Account, Total})
	p.add(r.Role, n, both, gap > 0)
	if r.Role == Good && n == 0 {
		c.idle = append(c.idle, series)
	}
	if r.Role == Good && gap > 0 && len(c.Orphans) > 0 {
		c.backs = append(c.backs, back{r.Account, n, ms - gap, both, c.index.targetOf(series)})
	}
}

// add adds what a scrape shows of a series.
func (p *pair) add(r Role, n float64, both, goesOn bool) {
	switch r {
	case Good:
		p.goodShown = true
		if p.good += n; both {
			p.both += n
		}
	case Total:
		p.totalShown = true
		p.total += n
		p.goes = p.goes || goesOn
	case Bad, Up:
	}
}

// counterparts judges what a scrape of a target showed.
func (c asking) counterparts(target int32, ms int64) {
	if len(c.paired) == 0 {
		return
	}
	for _, s := range c.idle {
		if slices.ContainsFunc(c.index.Series[s].Routes, func(r Route) bool { return r.Role == Good && c.pairs[r.Account].total > 0 }) {
			c.Cursors[s].Flags |= Still
		}
	}
	c.findGone(target, ms)
	for _, a := range c.paired {
		p := c.pairs[a]
		c.pairs[a] = pair{}
		if p.goodShown && len(c.Orphans) > 0 {
			p.good -= c.answer(a, target, ms, c.room(a, p), c.backs)
		}
		if p.goes {
			c.late(a, target, ms)
		}
		if SlotOf(ms) <= c.Accounts[a].through() {
			continue
		}
		if p.good > 0 && !p.totalShown && c.totalIsGone(a, ms) {
			c.orphan(Orphan{Account: a, Target: target, At: SlotOf(ms), MS: ms, Good: p.good, Scrapes: 1, Counted: true, Early: true})
			continue
		}
		if p.total <= p.both {
			continue
		}
		if missing, asks := c.missing(a, target, ms, p); missing {
			c.orphan(Orphan{Account: a, Target: target, At: SlotOf(ms), MS: ms, Total: p.total - p.both, Good: p.good - p.both, Scrapes: 1, Counted: !asks})
		}
	}
	c.paired, c.idle, c.backs = c.paired[:0], c.idle[:0], c.backs[:0]
}

// totalIsGone reports whether a scrape shows no total of an account that its target has shown
// before.
func (c asking) totalIsGone(a int32, ms int64) bool {
	return slices.ContainsFunc(c.gone, func(s int32) bool {
		return c.Cursors[s].MS >= ms-keepOrphans*minuteMs && slices.Contains(c.index.Series[s].Routes, Route{a, Total})
	})
}

// late books the good events that were early of a target, in the minute of a scrape that shows the
// total.
func (c asking) late(a, target int32, ms int64) {
	good := 0.0
	c.Orphans = slices.DeleteFunc(c.Orphans, func(o Orphan) bool {
		if !o.Early || o.Account != a || o.MS > ms || !c.isOf(target, o.Target) {
			return false
		}
		if good += o.Good; !o.Asked {
			c.change(a, o.At, Tally{Good: -o.Good})
		}
		return true
	})
	c.change(a, SlotOf(ms), Tally{Good: good})
}

// room returns how many events of the total of a scrape are neither good by a series that was in
// the scrape before nor by one of which nothing is in question.
func (c asking) room(a int32, p pair) float64 {
	room := p.total - p.good
	for _, b := range c.backs {
		if b.account == a && !b.both {
			room += b.n
		}
	}
	return room
}

// findGone lists the series of a target that a scrape does not show.
func (c asking) findGone(target int32, ms int64) {
	c.gone = c.gone[:0]
	for s := range c.seriesOf(target) {
		if cur := &c.Cursors[s]; cur.MS > 0 && cur.MS < ms && cur.Flags&Heir == 0 {
			c.gone = append(c.gone, s)
		}
	}
}

// seriesOf yields the series of a target, and of those that it has gone on from.
func (v view) seriesOf(target int32) iter.Seq[int32] {
	return func(yield func(int32) bool) {
		for range names {
			if int(target) < len(v.index.byTarget) {
				for _, s := range v.index.byTarget[target] {
					if !yield(s) {
						return
					}
				}
			}
			if target = v.Targets[target].From - 1; target < 0 {
				return
			}
		}
	}
}

// restarted reports whether the process of a target, under any name, began anew in (from, to].
func (v view) restarted(target int32, from, to int64) bool {
	for range names {
		if v.Targets[target].restarted(from, to) {
			return true
		}
		if target = v.Targets[target].From - 1; target < 0 {
			break
		}
	}
	return false
}

// names is of how many names of a process, one after another, anything is known.
const names = 3

// isOf reports whether a target has gone on from another, or is the same.
func (v view) isOf(target, other int32) bool {
	for range names {
		if target == other || target < 0 {
			return target == other
		}
		target = v.Targets[target].From - 1
	}
	return false
}

// missing applies the rule to a scrape: whether a good series of an account may be missing in it,
// and whether that is a question.
func (c asking) missing(a, target int32, ms int64, p pair) (missing, asks bool) {
	if p.goodShown {
		for _, s := range c.gone {
			if cur := &c.Cursors[s]; cur.MS >= ms-missFor && c.onlyGood(s, a) {
				missing = true
				asks = asks || (cur.Flags&Still == 0 || c.index.Accounts[a].Twin) && (!c.restarted(target, cur.MS, ms) || c.stillAsks(a, target, cur.MS)) && !c.wentTogether(a, cur.MS)
			}
		}
		return missing, asks && p.goes
	}
	if c.index.Accounts[a].Twin {
		return true, true
	}
	last, grew := c.lastGood(a, target)
	asks = p.goes && (grew && !c.restarted(target, last, ms) || c.stillAsks(a, target, last))
	mayAsk := last >= max(1, ms-missFor) || slices.ContainsFunc(c.Groups, func(g Group) bool { return g.Target == target })
	return asks || mayAsk, asks
}

// lastGood returns when a target last showed good events of an account, and whether they grew then.
func (v view) lastGood(a, target int32) (last int64, grew bool) {
	for s := range v.seriesOf(target) {
		if cur := &v.Cursors[s]; cur.MS > 0 && cur.MS >= last && slices.Contains(v.index.Series[s].Routes, Route{a, Good}) {
			grew = cur.Flags&Still == 0 || cur.MS == last && grew
			last = cur.MS
		}
	}
	return last, grew
}

// onlyGood reports whether a series counts for the good events of an account, and not for its
// total.
func (v view) onlyGood(series, a int32) bool {
	routes := v.index.Series[series].Routes
	return slices.Contains(routes, Route{a, Good}) && !slices.Contains(routes, Route{a, Total})
}

// wentTogether reports whether a series of the total of an account was last shown at a time, too.
func (c asking) wentTogether(a int32, ms int64) bool {
	return slices.ContainsFunc(c.gone, func(s int32) bool {
		return c.Cursors[s].MS == ms && slices.Contains(c.index.Series[s].Routes, Route{a, Total})
	})
}

// stillAsks reports whether a target was in question before, since it last showed a good series,
// or if it never did, whether it came in place of another that was in question to its end.
func (v view) stillAsks(a, target int32, last int64) bool {
	t := &v.Targets[target]
	return slices.ContainsFunc(v.Orphans, func(o Orphan) bool {
		switch of := &v.Targets[o.Target]; {
		case o.Account != a || o.Counted:
			return false
		case v.isOf(target, o.Target):
			return o.MS > last
		default:
			return last == 0 && of.Last < t.Born && t.Born-of.Last < missFor && o.MS >= of.Last-of.interval()/2
		}
	})
}

// orphan remembers what is in question, by minutes.
func (c asking) orphan(o Orphan) {
	t := &c.Targets[o.Target]
	for i := range c.Orphans {
		if old := &c.Orphans[i]; old.Account == o.Account && old.Target == o.Target && old.At == o.At && old.Counted == o.Counted && old.Early == o.Early && old.Asked == o.Asked && !t.restarted(old.MS, o.MS) {
			old.MS, old.Total, old.Good, old.Scrapes = max(old.MS, o.MS), old.Total+o.Total, old.Good+o.Good, old.Scrapes+o.Scrapes
			return
		}
	}
	c.Orphans = slices.DeleteFunc(c.Orphans, func(o Orphan) bool {
		return o.Counted && !o.Early && o.MS < c.Last-missFor || (o.Asked || o.Early) && o.At < SlotOf(c.Last)-keepOrphans
	})
	if len(c.Orphans) >= maxOrphans {
		c.Orphans = slices.Delete(c.Orphans, 0, 1)
	}
	c.Orphans = append(c.Orphans, o)
}

// question takes what is in question out of a minute that is to be decided, and reports whether it
// was the greater part.
func (c asking) question(a int32, m budget.Minute, guess float64, all *Tally) (failed bool) {
	if guess > 0 {
		c.trouble(a, Unpaired, -1)
	}
	if len(c.Orphans) == 0 {
		return false
	}
	asked, first := Tally{}, -1
	for i := range c.Orphans {
		if o := &c.Orphans[i]; o.Account == a && o.At == m && !o.Asked && (o.Early || !o.Counted) {
			o.Asked = true
			asked.Total, asked.Good = asked.Total+o.Total, asked.Good+o.Good
			if first < 0 && !o.Early {
				first = i
			}
		}
	}
	all.Total, all.Good = all.Total-asked.Total, all.Good-asked.Good
	if first < 0 {
		return false
	}
	if guess == 0 {
		c.trouble(a, Unpaired, c.witness(&c.Orphans[first]))
	}
	if failed = asked.Total > all.Total; failed {
		for i := range c.Orphans {
			if o := &c.Orphans[i]; o.Account == a && o.At == m {
				o.Failed = o.Asked && !o.Early
			}
		}
		c.Orphans[first].Rest = *all
	}
	return failed
}

// witness returns a series that names what is missing: a good one or, without any, one of the
// total.
func (v view) witness(o *Orphan) int32 {
	witness := int32(-1)
	for _, s := range v.index.byTarget[o.Target] {
		routes := v.index.Series[s].Routes
		if slices.Contains(routes, Route{o.Account, Good}) {
			return s
		}
		if slices.Contains(routes, Route{o.Account, Total}) {
			witness = s
		}
	}
	return witness
}

// answer books what good series tell that are shown again. Their difference since they were last
// shown belongs to all the minutes between: like the total or, where good events are a part of the
// total and so were missing there, too, evenly. What is in question is answered once none is gone
// any more; where a series is back with a value that tells nothing, it stays so. Room is how many
// events of the scrape itself nothing else says of that they were good. It returns how many of them
// were good in scrapes before, beside those that count for the total, too.
func (c asking) answer(a, target int32, ms int64, room float64, backs []back) float64 {
	moved, over := Tally{}, -room // over: what the scrape itself cannot hold
	for i := range backs {
		if b := &backs[i]; b.account == a {
			m := c.hand(b, target, ms, room)
			if moved = moved.plus(m); !b.both {
				over += b.n - m.Good
			}
		}
	}
	for i := range c.Orphans {
		if o := &c.Orphans[i]; over > 0 && slices.ContainsFunc(backs, func(b back) bool { return b.account == a && c.tells(&b, target, ms, o) }) {
			share := Tally{Good: min(over, o.Total-o.Good)}
			moved, over = moved.plus(share), over-share.Good
			c.give(o, share)
		}
	}
	c.change(a, SlotOf(ms), Tally{Total: -moved.Total, Good: -moved.Good})
	for i := 0; i < len(c.Orphans); {
		o, tells, guessed := &c.Orphans[i], false, false
		for j := range backs {
			if b := &backs[j]; b.account == a && c.tells(b, target, ms, o) {
				tells, guessed = true, guessed || c.Accounts[a].Pace.isHole(ms-b.prev)
			}
		}
		if !tells || c.isGone(o, ms) {
			i++
			continue
		}
		c.answered(o, guessed)
		c.Orphans = slices.Delete(c.Orphans, i, i+1)
	}
	return moved.Good - moved.Total
}

// tells reports whether what a scrape of a target shows of a good series tells of an orphan.
func (v view) tells(b *back, target int32, ms int64, o *Orphan) bool {
	return !o.Early && o.Account == b.account && (o.Target == b.from || v.isOf(target, o.Target)) && o.MS > b.prev && o.MS <= ms && !v.restarted(target, o.MS-1, ms)
}

// isGone reports whether a good series is gone that was gone in an orphan.
func (v view) isGone(o *Orphan, ms int64) bool {
	return slices.ContainsFunc(v.index.byTarget[o.Target], func(s int32) bool {
		cur := &v.Cursors[s]
		return cur.MS > 0 && cur.MS < o.MS && cur.MS >= ms-missFor && cur.Flags&Heir == 0 && slices.Contains(v.index.Series[s].Routes, Route{o.Account, Good})
	})
}

// hand hands what a good series has shown to the orphans in question that it was missing in, and
// returns how much that is.
func (c asking) hand(b *back, target int32, ms int64, room float64) (moved Tally) {
	var to []*Orphan
	all, scrapes := max(0, room), 1.0
	for i := range c.Orphans {
		if o := &c.Orphans[i]; !o.Counted && c.tells(b, target, ms, o) {
			to, all, scrapes = append(to, o), all+o.Total-o.Good, scrapes+float64(o.Scrapes)
		}
	}
	before := 0.0 // of all; what is rounded off in one orphan is the next one's
	for _, o := range to {
		share := Tally{}
		switch left := o.Total - o.Good; {
		case b.both:
			share.Total = math.Floor(b.n * float64(o.Scrapes) / scrapes)
			share.Good = share.Total
		case all > 0:
			share.Good = min(left, math.Floor(b.n*(before+left)/all)-math.Floor(b.n*before/all))
			before += left
		}
		moved = moved.plus(share)
		c.give(o, share)
	}
	return moved
}

// give adds to what is known of an orphan.
func (c asking) give(o *Orphan, share Tally) {
	o.Total, o.Good = o.Total+share.Total, o.Good+share.Good
	if !o.Asked {
		c.change(o.Account, o.At, share)
	}
}

// renamed judges what a group shows of series that have gone on in it under other names, as if it
// were a scrape.
func (c asking) renamed(g *Group, pairs map[int32]int32, base map[int32]float64) {
	byAccount, accounts := map[int32]*pair{}, []int32(nil)
	var backs []back
	for i, s := range g.Series {
		o, goesOn := pairs[s]
		if t := c.index.targetOf(o); goesOn && g.Fresh && t >= 0 {
			c.Targets[g.Target].From = t + 1
		}
		for _, r := range c.index.Series[s].Routes {
			if !c.index.Accounts[r.Account].ByGood {
				continue
			}
			p := byAccount[r.Account]
			if p == nil {
				p = &pair{}
				byAccount[r.Account], accounts = p, append(accounts, r.Account)
			}
			n := 0.0
			if goesOn {
				n = g.Values[i] - base[o]
			}
			both := r.Role == Good && slices.Contains(c.index.Series[s].Routes, Route{r.Account, Total})
			p.add(r.Role, n, both, goesOn)
			if goesOn && r.Role == Good {
				backs = append(backs, back{r.Account, n, c.Cursors[o].MS, both, c.index.targetOf(o)})
			}
		}
	}
	c.findGone(g.Target, g.MS)
	for _, a := range accounts {
		p := byAccount[a]
		if len(c.Orphans) > 0 {
			p.good -= c.answer(a, g.Target, g.MS, p.total-p.both, backs)
		}
		missing, asks := c.missing(a, g.Target, g.MS, *p)
		if !missing || SlotOf(g.MS) <= c.Accounts[a].through() {
			continue
		}
		if p.total > p.both {
			c.orphan(Orphan{Account: a, Target: g.Target, At: SlotOf(g.MS), MS: g.MS, Total: p.total - p.both, Good: p.good - p.both, Scrapes: 1, Counted: !asks})
		}
		for i := range c.Orphans {
			if o := &c.Orphans[i]; asks && !o.Early && o.Account == a && o.Target == g.Target && o.MS > g.MS {
				o.Counted = false
			}
		}
	}
}

// answered books an orphan of which everything is known. A guess is a sum of which nobody knows how
// it lies in time.
func (c asking) answered(o *Orphan, guessed bool) {
	own := Tally{Total: o.Total, Good: o.Good}
	switch {
	case !o.Asked:
		if guessed && !o.Counted && o.At > c.Accounts[o.Account].through() {
			c.minute(o.Account, o.At).Guess += o.Total
		}
	case !o.Failed:
		c.change(o.Account, o.At, own)
	default:
		own = own.plus(o.Rest)
		o.Failed, o.Rest = false, Tally{}
		if other := c.failed(o.Account, o.At); other != nil { // of several, the last one tells
			other.Rest = other.Rest.plus(own)
			return
		}
		bad, total, v := own.Events(true)
		s := budget.Count(bad, total)
		if guessed && v != TooMany {
			s.State = budget.Partial
		}
		c.put(o.Account, o.At, s)
	}
}

// failed returns what is in question of a minute of which nothing is said.
func (v view) failed(a int32, at budget.Minute) *Orphan {
	i := slices.IndexFunc(v.Orphans, func(o Orphan) bool { return o.Failed && o.Account == a && o.At == at })
	if i < 0 {
		return nil
	}
	return &v.Orphans[i]
}

// change books events of the total and good ones in a minute.
func (c asking) change(a int32, at budget.Minute, by Tally) {
	if by == (Tally{}) {
		return
	}
	if at > c.Accounts[a].through() {
		m := c.minute(a, at)
		m.Sum = m.Sum.plus(by)
		return
	}
	if o := c.failed(a, at); o != nil {
		o.Rest = o.Rest.plus(by)
		return
	}
	signed := func(n float64) int64 {
		v, _ := budget.Thousandths(math.Abs(n))
		if n < 0 {
			return -v
		}
		return v
	}
	c.out.Late(a, 0, at, signed(by.Total)-signed(by.Good), signed(by.Total))
}
