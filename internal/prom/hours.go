package prom

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/counting"
)

// This file counts history by the hour. It does no I/O and knows no clock.
//
// For an hour in which nothing began, ended or fell, the difference of the last value of the hour
// and the last one of the hour before is what happened in it: exactly, for differences telescope.
// So two values per series and hour are enough, where raw samples are a hundred times as many. Only
// the hours of a target in which something else happened are read raw ([hourCount.irregular]), and
// are counted from the positions before them as live reading does, by package counting.

// hourSeries is what a server says of one series: its last value in each hour.
type hourSeries struct {
	*entry
	metric string // its labels, as the server writes them
	job    string
	last   []float64 // by column; NaN = no sample in that hour
	parsed map[string]string
}

// labels returns the labels of the series.
func (s *hourSeries) labels() map[string]string {
	if s.parsed == nil {
		s.parsed = map[string]string{}
		_ = eachLabel([]byte(s.metric), func(n, v string) { s.parsed[n] = v }) // they were read before
	}
	return s.parsed
}

func (s *hourSeries) has(col int) bool {
	return col >= 0 && col < len(s.last) && !math.IsNaN(s.last[col])
}

// known returns the value of a column, 0 where there is none.
func (s *hourSeries) known(col int) float64 {
	if s.has(col) {
		return s.last[col]
	}
	return 0
}

// targetHour is an hour of a target, by its column.
type targetHour struct {
	target int32
	col    int
}

// hourTable is what a server says of some hours of a bundle.
type hourTable struct {
	first     int64 // hour of column 0, since the Unix epoch
	from      int   // the first column that is wanted; those before it, of which there is one at least, lead to it
	end       int   // one past the last column that is counted
	ahead     bool  // the column at end is known, too: what has no value there has ended
	series    []*hourSeries
	instances map[int32]string    // by target
	resets    map[targetHour]bool // some counter fell in that hour, or at its edge
	pace      map[string]int64    // scrape interval by job, ms

	byTarget  map[int32][]*hourSeries
	byAccount map[int32][]*hourSeries
	present   map[int32][]bool // by account and column: its total has samples
}

func (t *hourTable) startOf(col int) int64 { return (t.first + int64(col)) * 60 * minuteMs }

// index finds what belongs together. Series are put in the order of their numbers.
func (t *hourTable) index() {
	slices.SortFunc(t.series, func(a, b *hourSeries) int { return cmp.Compare(a.series, b.series) })
	t.byTarget, t.byAccount, t.present = map[int32][]*hourSeries{}, map[int32][]*hourSeries{}, map[int32][]bool{}
	for _, s := range t.series {
		t.byTarget[s.target] = append(t.byTarget[s.target], s)
		for i, r := range s.routes {
			if !slices.ContainsFunc(s.routes[:i], func(o counting.Route) bool { return o.Account == r.Account }) {
				t.byAccount[r.Account] = append(t.byAccount[r.Account], s)
			}
			if r.Role != counting.Total {
				continue
			}
			p := t.present[r.Account]
			if p == nil {
				p = make([]bool, t.end+1)
				t.present[r.Account] = p
			}
			for col := range p {
				p[col] = p[col] || s.has(col)
			}
		}
	}
}

// is reports whether an account's total has samples in a column. What lies ahead and is not known
// is taken for a yes.
func (t *hourTable) is(account int32, col int) bool {
	if col == t.end && !t.ahead {
		return true
	}
	p := t.present[account]
	return col >= 0 && col < len(p) && p[col]
}

// gone reports whether a series has no sample after a column, as far as that is known.
func (t *hourTable) gone(s *hourSeries, col int) bool {
	return s.has(col) && !s.has(col+1) && (col+1 < t.end || t.ahead)
}

func (t *hourTable) interval(s *hourSeries) int64 { return cmp.Or(t.pace[s.job], minuteMs) }

// hourTally is what an hour holds of an account.
type hourTally struct {
	sum     counting.Tally
	partial int
	first   int64 // first and last sample of its total that was read raw
	last    int64
}

// hourCount moves positions over the hours of a bundle.
type hourCount struct {
	index *counting.Index
	state *counting.State
	last  map[int32]int64 // by account: newest sample of its total; of an hour that was not read raw its end
	hole  map[int32]int64 // by account: its newest sample before the hole that ends in this hour
	sums  map[int32]map[int64]*hourTally
}

func newHourCount(index *counting.Index, promises int) *hourCount {
	return &hourCount{
		index: index, state: &counting.State{Promises: make([]counting.Promise, promises), Primed: true},
		last: map[int32]int64{}, hole: map[int32]int64{}, sums: map[int32]map[int64]*hourTally{},
	}
}

const (
	// birthSlack and birthFactor bound a first value: so many events, and so many times what its
	// target has served in the time since the scrape before.
	birthSlack  = 5
	birthFactor = 10
)

// begin takes positions from the first column, as far as there are none from the tables before.
func (c *hourCount) begin(t *hourTable) {
	count := counting.NewCounter(c.state, c.index, nil)
	for _, s := range t.series {
		for _, r := range s.routes {
			if p := &c.state.Accounts[r.Account].Pace; p.Interval == 0 {
				p.Interval = int32(t.interval(s))
			}
		}
		if s.has(0) && c.state.Cursors[s.series].MS == 0 {
			count.Stand(s.series, s.last[0], t.startOf(1), t.interval(s))
			c.state.Targets[s.target].Rate = t.rate(s.target, 1)
		}
	}
	for a := range t.present {
		if t.is(a, 0) {
			c.last[a] = max(c.last[a], t.startOf(1))
		}
	}
}

// rate is how many events a second a target has shown in an hour in which nothing fell.
func (t *hourTable) rate(target int32, col int) float64 {
	sum := 0.0
	for _, s := range t.byTarget[target] {
		if s.has(col) && s.has(col-1) {
			sum += max(0, s.last[col]-s.last[col-1])
		}
	}
	return sum / 3600
}

// irregular returns the hours of targets that the last values do not tell: something fell, began or
// came back in them, or a budget has data for a part of them.
func (c *hourCount) irregular(t *hourTable) map[targetHour]bool {
	raw := maps.Clone(t.resets)
	if raw == nil {
		raw = map[targetHour]bool{}
	}
	for col := 1; col < t.end; col++ {
		born := map[int32][]*hourSeries{}
		for _, s := range t.series {
			switch {
			case !s.has(col):
			case s.has(col - 1):
				if s.last[col] < s.last[col-1] {
					raw[targetHour{s.target, col}] = true
				}
			case c.known(s) || slices.ContainsFunc(s.last[:col], func(v float64) bool { return !math.IsNaN(v) }):
				raw[targetHour{s.target, col}] = true // it was away
			default:
				born[s.target] = append(born[s.target], s)
			}
		}
		for _, target := range slices.Sorted(maps.Keys(born)) {
			t.judge(target, col, born[target], raw)
		}
		for a := range t.present {
			if t.is(a, col) && (!t.is(a, col-1) || !t.is(a, col+1)) {
				for _, s := range t.byAccount[a] {
					if s.has(col) {
						raw[targetHour{s.target, col}] = true
					}
				}
			}
		}
	}
	return raw
}

// known reports whether a series had a position before this table.
func (c *hourCount) known(s *hourSeries) bool { return c.state.Cursors[s.series].MS > 0 }

// judge decides whether the first values of a target in an hour can be told from their last ones:
// if they are so small that they are new whatever happened, or if nothing has vanished whose place
// they could have taken. What else is needed for a judgement is read raw beside it.
func (t *hourTable) judge(target int32, col int, born []*hourSeries, raw map[targetHour]bool) {
	sum, young := 0.0, true
	for _, s := range born {
		sum += s.last[col]
	}
	for _, s := range t.byTarget[target] {
		young = young && !s.has(col-1)
	}
	if sum < birthSlack {
		return
	}
	rate := max(t.rate(target, col), t.rate(target, col-1))
	neighbours := t.neighbours(target, born)
	if young {
		n := 0.0
		for _, other := range neighbours {
			if r := t.rate(other, col); r > 0 {
				rate, n = rate+r, n+1
			}
		}
		rate /= max(n, 1)
	}
	vanished := map[int32]bool{}
	witness := int32(-1)
	for _, other := range append(neighbours, target) {
		for _, s := range t.byTarget[other] {
			if t.gone(s, col) || t.gone(s, col-1) {
				vanished[other] = true
			}
			if other != target && s.has(col-1) && s.has(col) {
				witness = other
			}
		}
	}
	if !young {
		for other := range vanished {
			if other != target {
				delete(vanished, other)
			}
		}
	}
	bound := birthSlack + birthFactor*rate*float64(t.interval(born[0]))/1000
	if young { // of a process that began within the hour
		bound = max(bound, birthSlack+rate*1.5*3600)
	}
	if sum <= bound && (len(vanished) == 0 || young && t.fallen(col, born, vanished)) {
		return
	}
	raw[targetHour{target, col}] = true
	for other := range vanished {
		raw[targetHour{other, col}] = true
	}
	if young && witness >= 0 { // it tells whether Prometheus was down before
		raw[targetHour{witness, col}] = true
	}
}

// fallen reports whether some first values of an hour stand lower at its end than all that they could
// have gone on from, so that none of them goes on.
func (t *hourTable) fallen(col int, born []*hourSeries, vanished map[int32]bool) bool {
	return slices.ContainsFunc(born, func(b *hourSeries) bool {
		lowest := math.Inf(1)
		for other := range vanished {
			for _, s := range t.byTarget[other] {
				if (t.gone(s, col) || t.gone(s, col-1)) && slices.Equal(s.routes, b.routes) {
					lowest = min(lowest, max(s.known(col), s.known(col-1)))
				}
			}
		}
		return b.last[col] < lowest && !math.IsInf(lowest, 1)
	})
}

// neighbours returns the targets that have series of the same accounts, sorted, without the target
// itself.
func (t *hourTable) neighbours(target int32, series []*hourSeries) []int32 {
	found := map[int32]bool{}
	for _, s := range series {
		for _, r := range s.routes {
			for _, o := range t.byAccount[r.Account] {
				found[o.target] = true
			}
		}
	}
	delete(found, target)
	return slices.Sorted(maps.Keys(found))
}

// count moves over the hours of a table. What was read raw is given by target and column.
func (c *hourCount) count(t *hourTable, raw map[targetHour][]counting.Run) {
	count := counting.NewCounter(c.state, c.index, nil)
	for col := 1; col < t.end; col++ {
		clear(c.hole)
		for a := range t.present {
			if last := c.last[a]; t.is(a, col) && !t.is(a, col-1) && last > 0 {
				c.hole[a] = last
			}
		}
		var runs []counting.Run
		for _, target := range slices.Sorted(maps.Keys(t.byTarget)) {
			if there, ok := raw[targetHour{target, col}]; ok {
				runs = append(runs, there...)
			} else if values := t.values(target, col); len(values) > 0 {
				count.Hour(target, values, t.startOf(col+1), t.interval(t.byTarget[target][0]))
			}
		}
		c.sight(t, runs)
		c.state.Last = max(c.state.Last, t.startOf(col))
		count.Take(runs, counting.Question{To: t.startOf(col + 1), Now: t.startOf(col + 1)})
		if col == t.end-1 { // whatever still waits for its verdict gets it
			end := t.startOf(t.end) + 10*minuteMs
			count.Take(nil, counting.Question{To: end, Now: end})
		}
		c.drain(t, col)
	}
}

// values lists the last values of a target in an hour.
func (t *hourTable) values(target int32, col int) (all []counting.Value) {
	for _, s := range t.byTarget[target] {
		if s.has(col) {
			all = append(all, counting.Value{Series: s.series, V: s.last[col]})
		}
	}
	return all
}

// sight dates the first sight of SLOs: what comes up to a scrape later than the first sample is only
// scraped at another moment.
func (c *hourCount) sight(t *hourTable, runs []counting.Run) {
	for _, r := range runs {
		for _, route := range c.index.Series[r.Series].Routes {
			p := &c.state.Promises[c.index.Accounts[route.Account].Promise]
			if route.Role != counting.Total || len(r.Samples) == 0 || p.Sight > 0 {
				continue
			}
			begun := counting.EndOf(counting.SlotOf(r.Samples[0].MS + int64(c.state.Accounts[route.Account].Pace.Interval)))
			if p.Begun == 0 || begun < p.Begun {
				p.Begun = begun
			}
		}
	}
}

// drain adds what was counted up to the end of an hour to the sums of the hours. Events that
// happened since before a hole in which their account had no samples are spread over it.
func (c *hourCount) drain(t *hourTable, col int) {
	for a := range c.state.Accounts {
		account := int32(a)
		since, hole := c.hole[account]
		c.state.Drain(account, func(m counting.Minute) {
			h := c.tally(account, m.At.Hour())
			if m.First > 0 {
				if h.first == 0 || m.First < h.first {
					h.first = m.First
				}
				h.last = max(h.last, m.Last)
				c.last[account] = max(c.last[account], m.Last)
			}
			if hole && m.Since > 0 && m.Since-1 <= since+int64(c.state.Accounts[a].Pace.Interval) {
				c.bridge(t, account, since, counting.EndOf(m.At), m.Sum)
				return
			}
			h.sum = h.sum.Plus(m.Sum)
		})
	}
	c.state.Empty()
	for a := range t.present {
		if t.is(a, col) && t.is(a, col+1) {
			c.last[a] = t.startOf(col + 1)
		}
	}
}

// bridge spreads events over a hole in which an account had no samples. Hours that were handed out
// before the hole are over.
func (c *hourCount) bridge(t *hourTable, account int32, from, to int64, sum counting.Tally) {
	first, last := counting.SlotOf(from)+1, counting.SlotOf(to)
	if h := counting.SlotOf(from).Hour(); h < t.first+int64(t.from) {
		first = max(first, budget.Minute((h+1)*60))
	}
	all := float64(last - first + 1)
	for m := first; m <= last; {
		end := min(budget.Minute((m.Hour()+1)*60), last+1)
		h, share := c.tally(account, m.Hour()), float64(end-m)/all
		h.sum = h.sum.Plus(counting.Tally{Total: sum.Total * share, Bad: sum.Bad * share, Good: sum.Good * share})
		h.partial = max(h.partial, int(end-m))
		m = end
	}
}

func (c *hourCount) tally(account int32, hour int64) *hourTally {
	if c.sums[account] == nil {
		c.sums[account] = map[int64]*hourTally{}
	}
	h := c.sums[account][hour]
	if h == nil {
		h = &hourTally{}
		c.sums[account][hour] = h
	}
	return h
}

// hours returns the sums of a table's hours, by account. An hour in which the good events are
// missing beside the total is left out: that is a question, not an outage.
func (c *hourCount) hours(t *hourTable) map[int32][]budget.HourAt {
	out := map[int32][]budget.HourAt{}
	for _, a := range slices.Sorted(maps.Keys(t.present)) {
		for hour, h := range c.sums[a] {
			if h.partial > 0 && !t.is(a, int(hour-t.first)) {
				out[a] = append(out[a], c.sumOf(a, hour, h, 0))
			}
		}
		for col := t.from; col < t.end; col++ {
			if t.is(a, col) && c.complete(t, a, col) {
				h := c.tally(a, t.first+int64(col))
				out[a] = append(out[a], c.sumOf(a, t.first+int64(col), h, t.known(a, col, h)))
			}
		}
		slices.SortFunc(out[a], func(a, b budget.HourAt) int { return cmp.Compare(a.Hour, b.Hour) })
		delete(c.sums, a)
	}
	return out
}

// known returns how many minutes of an hour an account has data of.
func (t *hourTable) known(account int32, col int, h *hourTally) int {
	known := 60
	if !t.is(account, col-1) && h.first > 0 {
		known -= int(counting.SlotOf(h.first) - budget.Minute((t.first+int64(col))*60))
	}
	if !t.is(account, col+1) && h.last > 0 {
		known -= int(budget.Minute((t.first+int64(col)+1)*60) - 1 - counting.SlotOf(h.last))
	}
	return max(known, 0)
}

// complete reports whether an hour of an account that counts good events has them all the time that
// its total is there.
func (c *hourCount) complete(t *hourTable, account int32, col int) bool {
	if !c.index.Accounts[account].ByGood {
		return true
	}
	good := func(col int) bool {
		return slices.ContainsFunc(t.byAccount[account], func(s *hourSeries) bool {
			return s.has(col) && slices.Contains(s.routes, counting.Route{Account: account, Role: counting.Good})
		})
	}
	for at := col - 1; at <= col+1; at++ {
		if at >= 0 && (at < t.end || t.ahead) && t.is(account, at) && !good(at) {
			return false
		}
	}
	return true
}

func (c *hourCount) sumOf(account int32, hour int64, h *hourTally, known int) budget.HourAt {
	bad, total, v := h.sum.Events(c.index.Accounts[account].ByGood)
	if v == counting.TooMany {
		return budget.HourAt{Hour: hour, Sum: budget.Sum{Unknown: 60}}
	}
	s := budget.Sum{Bad: bad, Total: total, Known: known, Partial: min(h.partial, 60-known)}
	s.BadSlots = int(min(int64(known), bad/budget.Unit+min(1, bad%budget.Unit)))
	return budget.HourAt{Hour: hour, Sum: s}
}
