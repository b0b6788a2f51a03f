package counting

import (
	"math"
	"slices"

	"github.com/slowburn-sre/slowburn/budget"
)

// Where good events are counted, a total without its counterpart looks like an outage. It is one if
// there never was a good series in the process, as in a new pod of which every request fails: a
// counter is born with its first event. It is a question if the series was there and is gone, for
// counters do not die in a process that lives; then the samples are missing, not the events.
//
// The rule, for one target and one budget: a scrape that shows total and no good series is a
// question if
//
//   - the target has shown a good series before, and has not restarted since;
//   - the total goes on in series that were there before;
//   - the good events were growing when they were last seen. Where they stood still while the total
//     grew, they had ended before they were gone, as an exporter forgets what is idle.
//
// Bucket and count of one histogram are always there together, so a count alone is always a
// question.
//
// What is in question counts neither as good nor as bad. A minute of which it is the greater part
// has failed. If the good series is back, its difference tells how many there were: then they are
// booked.

// Orphan is events of a target's total in a minute, of which nobody says whether they were good.
type Orphan struct {
	Account, Target int32
	At              budget.Minute
	MS              int64 // newest scrape of them
	Total           float64
	Scrapes         int32
	Asked           bool  // the minute was decided without them
	Failed          bool  // nothing was said of it
	Rest            Tally // what else it held; one orphan of a failed minute has it
}

const (
	// keepOrphans is for how long it is remembered what is in question, minutes.
	keepOrphans = 6 * 60
	// maxOrphans is how many are remembered.
	maxOrphans = 20_000
)

// pair is what one scrape of a target shows of a budget that counts good events.
type pair struct {
	touched     bool
	goodShown   bool
	goes        bool // a series of the total went on
	total, good float64
	both        float64 // what counts as both
	prev        int64   // when a good series was last shown before
}

// note adds what a scrape shows of a series to the pair of its account.
func (c *Counter) note(series int32, r Route, ms int64, n float64, gap int64) {
	for len(c.pairs) <= int(r.Account) {
		c.pairs = append(c.pairs, pair{})
	}
	p := &c.pairs[r.Account]
	if !p.touched {
		*p = pair{touched: true}
		c.paired = append(c.paired, r.Account)
	}
	switch r.Role {
	case Good:
		p.goodShown = true
		p.good += n
		if slices.Contains(c.index.Series[series].Routes, Route{r.Account, Total}) {
			p.both += n
		}
		if gap > 0 {
			p.prev = max(p.prev, ms-gap)
		}
	case Total:
		p.total += n
		p.goes = p.goes || gap > 0
	case Bad, Up:
	}
}

// counterparts judges what a scrape of a target showed.
func (c *Counter) counterparts(target int32, ms int64) {
	for _, a := range c.paired {
		p := c.pairs[a]
		c.pairs[a] = pair{}
		switch {
		case p.goodShown:
			if p.good == 0 && p.total > 0 {
				c.eachGood(a, target, func(s int32) { c.Cursors[s].Flags |= Still })
			}
			if len(c.Orphans) > 0 {
				c.answer(a, target, ms, p)
			}
		case p.total > 0 && p.goes && SlotOf(ms) > c.Accounts[a].through() && c.inQuestion(a, target, ms):
			c.orphan(Orphan{Account: a, Target: target, At: SlotOf(ms), MS: ms, Total: p.total, Scrapes: 1})
		}
	}
	c.paired = c.paired[:0]
}

// eachGood calls f with every good series of an account that the target has shown.
func (c *Counter) eachGood(a, target int32, f func(series int32)) {
	for _, s := range c.index.byTarget[target] {
		if c.Cursors[s].MS > 0 && slices.Contains(c.index.Series[s].Routes, Route{a, Good}) {
			f(s)
		}
	}
}

// inQuestion applies the rule to a scrape that shows no good series.
func (c *Counter) inQuestion(a, target int32, ms int64) bool {
	if c.index.Accounts[a].Twin {
		return true
	}
	last, grew := int64(0), false
	c.eachGood(a, target, func(s int32) {
		if cur := &c.Cursors[s]; cur.MS >= last {
			grew = cur.Flags&Still == 0 || cur.MS == last && grew
			last = cur.MS
		}
	})
	return last > 0 && last < ms && grew && !c.Targets[target].restarted(last, ms)
}

// orphan remembers what is in question, by minutes.
func (c *Counter) orphan(o Orphan) {
	for i := range c.Orphans {
		if old := &c.Orphans[i]; old.Account == o.Account && old.Target == o.Target && old.At == o.At {
			old.MS, old.Total, old.Scrapes = max(old.MS, o.MS), old.Total+o.Total, old.Scrapes+o.Scrapes
			return
		}
	}
	if len(c.Orphans) >= maxOrphans {
		c.Orphans = slices.Delete(c.Orphans, 0, 1)
	}
	c.Orphans = append(c.Orphans, o)
}

// question takes what is in question out of a minute that is to be decided, and reports whether it
// was the greater part.
func (c *Counter) question(a int32, m budget.Minute, guess float64, all *Tally) (failed bool) {
	if guess > 0 {
		c.trouble(a, Unpaired, -1)
	}
	if len(c.Orphans) == 0 {
		return false
	}
	asked, first := 0.0, -1
	for i := range c.Orphans {
		if o := &c.Orphans[i]; o.Account == a && o.At == m && !o.Asked {
			o.Asked = true
			if asked += o.Total; first < 0 {
				first = i
			}
		}
	}
	if first < 0 {
		return false
	}
	if guess == 0 {
		c.trouble(a, Unpaired, c.witness(&c.Orphans[first]))
	}
	all.Total -= asked
	if failed = asked > all.Total; failed {
		for i := range c.Orphans {
			if o := &c.Orphans[i]; o.Account == a && o.At == m {
				o.Failed = true
			}
		}
		c.Orphans[first].Rest = *all
	}
	c.Orphans = slices.DeleteFunc(c.Orphans, func(o Orphan) bool { return o.Asked && o.At < SlotOf(c.Last)-keepOrphans })
	return failed
}

// witness returns a series that names what is missing: a good one or, without any, one of the
// total.
func (c *Counter) witness(o *Orphan) int32 {
	witness := int32(-1)
	for _, s := range c.index.byTarget[o.Target] {
		routes := c.index.Series[s].Routes
		if slices.Contains(routes, Route{o.Account, Good}) {
			return s
		}
		if slices.Contains(routes, Route{o.Account, Total}) {
			witness = s
		}
	}
	return witness
}

// answer books what was in question, now that good series are shown again. Their difference since
// they were last shown belongs to all the minutes between: like the total or, where good events are
// a part of the total and so were missing there, too, evenly.
func (c *Counter) answer(a, target int32, ms int64, p pair) {
	t := &c.Targets[target]
	answered := func(o *Orphan) bool {
		return o.Account == a && o.Target == target && o.MS <= ms && !t.restarted(o.MS-1, ms)
	}
	total, scrapes := p.total-p.both, 1.0
	for i := range c.Orphans {
		if o := &c.Orphans[i]; answered(o) && o.MS > p.prev && o.MS < ms {
			total += o.Total
			scrapes += float64(o.Scrapes)
		}
	}
	guessed := p.prev > 0 && c.Accounts[a].Pace.isHole(ms-p.prev)
	moved := Tally{}
	before := 0.0 // of the total, in minutes that are booked; what is rounded off in one is the next one's
	for i := range c.Orphans {
		o := &c.Orphans[i]
		if !answered(o) {
			continue
		}
		share := Tally{}
		if p.prev > 0 && o.MS > p.prev && o.MS < ms {
			share.Total = math.Floor(p.both * float64(o.Scrapes) / scrapes)
			share.Good = share.Total
			if only := p.good - p.both; only > 0 && total > 0 {
				good := math.Floor(only*(before+o.Total)/total) - math.Floor(only*before/total)
				share.Good += min(o.Total, good)
				before += o.Total
			}
		}
		moved = moved.Plus(share)
		c.answered(o, share, guessed)
	}
	c.change(a, SlotOf(ms), Tally{Total: -moved.Total, Good: -moved.Good})
	c.Orphans = slices.DeleteFunc(c.Orphans, func(o Orphan) bool { return answered(&o) })
}

// answered books an orphan, now that its share of what came later is known. A guess is a sum of
// which nobody knows how it lies in time.
func (c *Counter) answered(o *Orphan, share Tally, guessed bool) {
	switch {
	case !o.Asked:
		c.change(o.Account, o.At, share)
		if guessed {
			c.minute(o.Account, o.At).Guess += o.Total + share.Total
		}
	case !o.Failed:
		c.change(o.Account, o.At, share.Plus(Tally{Total: o.Total}))
	default:
		all := o.Rest.Plus(share).Plus(Tally{Total: o.Total})
		for i := range c.Orphans { // of several, the last one tells
			if other := &c.Orphans[i]; other != o && other.Failed && other.Account == o.Account && other.At == o.At {
				other.Rest = other.Rest.Plus(all)
				o.Failed, o.Rest = false, Tally{}
				return
			}
		}
		o.Failed = false
		bad, total, v := all.Events(true)
		s := budget.Count(bad, total)
		if guessed && v != TooMany {
			s.State = budget.Partial
		}
		c.put(o.Account, o.At, s)
	}
}

// change books events of the total and good ones in a minute.
func (c *Counter) change(a int32, at budget.Minute, by Tally) {
	if by == (Tally{}) {
		return
	}
	if at > c.Accounts[a].through() {
		m := c.minute(a, at)
		m.Sum = m.Sum.Plus(by)
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
