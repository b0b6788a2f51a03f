package counting

import (
	"slices"

	"github.com/slowburn-sre/slowburn/budget"
)

// Decide settles the minutes of every account that are complete.
func (c *Counter) Decide(now int64) {
	c.Waiting.usual(now)
	c.judge(c.Read, true)
	c.Waiting.frontiers(now)
	for a := range c.Accounts {
		c.advance(int32(a), SlotOf(c.Waiting.Of(int32(a)).Through+1)-1)
	}
}

// DecideAll settles every minute up to and including to: nobody is waited for, for everything is
// in. What is still open then is closed if it is the last; else a minute with first values waits
// for what comes next to say what they are.
func (c *Counter) DecideAll(to budget.Minute, last bool) {
	pending := map[int32]budget.Minute{}
	for i := range c.Groups {
		g := &c.Groups[i]
		if last {
			p := c.pairing(g)
			gone, _ := p.forerunners(c.Read)
			c.verdict(g, p.succession(gone))
			continue
		}
		for _, s := range g.Series {
			for _, r := range c.index.Series[s].Routes {
				if at, waits := pending[r.Account]; !waits || SlotOf(g.MS) < at {
					pending[r.Account] = SlotOf(g.MS)
				}
			}
		}
	}
	if last {
		c.Groups = nil
	}
	for a := range c.Accounts {
		through := to
		if at, waits := pending[int32(a)]; waits {
			through = min(to, at-1)
		}
		c.advance(int32(a), through)
		if acc := &c.Accounts[a]; last {
			acc.Hole.Until = min(acc.Hole.Until, to)
			c.closeHole(int32(a), to)
			if acc.Last > 0 {
				c.absent(int32(a), acc.empty(), to)
			}
		}
	}
}

// advance settles the minutes of an account up to and including to.
func (c *Counter) advance(a int32, to budget.Minute) {
	acc := &c.Accounts[a]
	for acc.open > 0 && c.minutes[acc.open-1].At <= to {
		m := c.minutes[acc.open-1]
		acc.open = m.next
		c.settle(a, m.At, &m)
	}
	c.closeHole(a, to)
	switch info := c.index.Accounts[a]; {
	case acc.Hole.Open || acc.Last > 0 && acc.Last < c.Last-Forget && c.Promises[info.Promise].Sight > acc.Last:
	case acc.Last == 0 && info.Grouped:
	case acc.Last == 0:
		c.absent(a, c.Promises[info.Promise].Since, to)
	case acc.Pace.isHole(EndOf(to) - acc.Last):
		c.absent(a, acc.empty(), to)
	}
}

// settle closes the minute of one account.
func (c *Counter) settle(a int32, m budget.Minute, sum *Minute) {
	acc, info := &c.Accounts[a], c.index.Accounts[a]
	all := sum.Sum.plus(acc.Carry)
	if sum.Last == 0 {
		acc.Carry = all
		return
	}
	acc.Carry = Tally{}
	c.closeHole(a, m-1)
	failed := info.ByGood && asking{c}.question(a, m, sum.Guess, &all)
	switch {
	case failed && !acc.Hole.Open:
		from := min(max(acc.empty(), m-between(acc)), m)
		c.absent(a, acc.empty(), from-1)
		for at := from; at <= m; at++ {
			c.put(a, at, budget.Slot{State: budget.Failed})
		}
	case info.Up:
		c.settleUp(a, m, sum)
	case !acc.Hole.Open && 2*sum.Guess > all.Total && acc.empty() >= m:
		c.spread(a, all, m, m, true)
	case acc.Hole.Open:
		acc.Hole.Sum = acc.Hole.Sum.plus(all)
	default:
		c.settleCount(a, m, sum, all)
	}
	acc.Pace.learn(sum.Gap)
	acc.Last = max(acc.Last, sum.Last)
}

// between returns how many whole minutes lie between two scrapes of an account.
func between(acc *Account) budget.Minute { return budget.Minute(max(acc.Pace.ms()/minuteMs-1, 0)) }

// settleCount books a minute of counters, and the empty minutes before it.
func (c *Counter) settleCount(a int32, m budget.Minute, sum *Minute, all Tally) {
	acc := &c.Accounts[a]
	empty := acc.empty()
	switch {
	case acc.Last == 0 || empty >= m:
		c.spread(a, all, m, m, false)
	case sum.Since == 0 || sum.Since-1 > acc.Last+acc.Pace.ms(): // nothing says what happened in between
		c.absent(a, empty, m-1)
		c.spread(a, all, m, m, false)
	case !acc.Pace.isHole(sum.First - acc.Last):
		c.spread(a, all, empty, m, false)
	default:
		until := max(m, SlotOf(sum.First+acc.Pace.ms()*11/10))
		acc.Hole = Hole{From: empty, Until: until, Sum: all, Open: true}
	}
}

// settleUp books a minute of an uptime gauge: one event, good if every sample was 1 and nobody is
// down who is scraped less than once a minute. A minute between two scrapes of all that are
// regularly further apart is as the later one says; a hole is absent, for a gauge has no memory.
func (c *Counter) settleUp(a int32, m budget.Minute, sum *Minute) {
	acc := &c.Accounts[a]
	s := budget.Count(0, budget.Unit)
	if sum.Down || c.isDown(a, m) {
		s = budget.Count(budget.Unit, budget.Unit)
	}
	empty := m
	if acc.Last > 0 {
		empty = min(acc.empty(), m)
	}
	if acc.Pace.isHole(sum.First - acc.Last) {
		c.absent(a, empty, m-1)
		empty = m
	}
	for at := empty; at <= m; at++ {
		c.write(a, at, m, share(s, at < m))
	}
}

// isDown reports whether any gauge of an account showed no 1 when it was last scraped, before a
// minute, and is not due again within it.
func (c *Counter) isDown(a int32, m budget.Minute) bool {
	return slices.ContainsFunc(c.index.byAccount[a], func(s int32) bool {
		cur := &c.Cursors[s]
		return cur.MS > 0 && SlotOf(cur.MS) < m && m <= cur.downTo()
	})
}

// downTo returns the last minute that ends before a gauge that is down is due again.
func (cur *Cursor) downTo() budget.Minute {
	if cur.Dips == 0 {
		return 0
	}
	return SlotOf(int64(cur.Low)+1) - 1
}

// held notes the minutes between two scrapes of a gauge that was down at the first, of those that
// are not decided yet.
func (c *Counter) held(series int32, ms int64) {
	cur := &c.Cursors[series]
	for at := SlotOf(cur.MS) + 1; at < SlotOf(ms) && at <= cur.downTo(); at++ {
		for _, r := range c.index.Series[series].Routes {
			if r.Role == Up && at > c.Accounts[r.Account].through() {
				c.minute(r.Account, at).Down = true
			}
		}
	}
}

// share marks a slot whose events were shown by a sample in a later minute.
func share(s budget.Slot, shared bool) budget.Slot {
	s.Shared = shared
	return s
}

// closeHole writes a hole whose time to settle is over at the end of minute m.
func (c *Counter) closeHole(a int32, m budget.Minute) {
	if h := c.Accounts[a].Hole; h.Open && h.Until <= m {
		c.Accounts[a].Hole = Hole{}
		c.spread(a, h.Sum, h.From, h.Until, true)
	}
}

// events returns the events of an account's tally, in thousandths, and notes what is wrong with
// them. It is false where there are more than can be known.
func (c *Counter) events(a int32, sum Tally) (bad, total int64, known bool) {
	bad, total, v := sum.Events(c.index.Accounts[a].ByGood)
	switch v {
	case AsCounted:
	case CutOff:
		c.trouble(a, Clamped, -1)
	case TooMany:
		c.trouble(a, Beyond, -1)
	}
	return bad, total, v != TooMany
}

// spread writes a tally evenly over [from, to]; what does not divide goes to the first minutes.
func (c *Counter) spread(a int32, sum Tally, from, to budget.Minute, partial bool) {
	bad, total, known := c.events(a, sum)
	if !known {
		for at := from; at <= to; at++ {
			c.put(a, at, budget.Count(bad, total))
		}
		return
	}
	n := int64(to - from + 1)
	for i := range n {
		s, at := budget.Count(budget.Part(bad, i, n), budget.Part(total, i, n)), from+budget.Minute(i)
		if partial {
			s.State = budget.Partial
		}
		c.write(a, at, to, share(s, !partial && at < to))
	}
}

// absent reports minutes without data that were not reported yet.
func (c *Counter) absent(a int32, from, to budget.Minute) {
	acc := &c.Accounts[a]
	for at := max(from, acc.Told+1, c.Promises[c.index.Accounts[a].Promise].Since); at <= to; at++ {
		c.put(a, at, budget.Slot{State: budget.Absent})
	}
	acc.Told = max(acc.Told, to)
}

func (c *Counter) put(a int32, at budget.Minute, s budget.Slot) { c.write(a, at, at, s) }

// write hands out a minute of which a sample in the minute shown tells. Those before the first one
// that is owed are, too, if it is a sample of what is owed that shows them: no history before has
// it.
func (c *Counter) write(a int32, at, shown budget.Minute, s budget.Slot) {
	if acc := &c.Accounts[a]; s.State != budget.Absent {
		acc.Done = max(acc.Done, at)
	}
	if shown >= c.Promises[c.index.Accounts[a].Promise].Since {
		c.out.Slot(a, at, s)
	}
}
