package prom

import (
	"cmp"
	"math"

	"github.com/slowburn-sre/slowburn/budget"
)

// This file is the counting itself: from raw samples of counters to events per minute. It does no
// I/O and knows no clock.
//
// A [state] is moved forward one minute at a time by [stepper.step], and what a step does depends
// on nothing but the state before it and the samples of its minute. That is why the outcome cannot
// depend on how time was cut into reads.
//
// The rules, in the order in which a sample meets them:
//
//   - A sample at or before the series' cursor was counted already. Values that are not finite
//     or below zero never count.
//   - increment = value − previous value, or the value itself when it fell (a reset).
//   - A first sample is a birth: it counts whole, for its target was scraped without it just
//     before, or the target is itself new. When the SLO is seen for the very first time
//     nothing is a birth, for the counter may be years old.
//   - A series that was missing from a scrape of its own target and returns is a new counter.
//   - An increment belongs to the minute of the later sample. If that minute ends a stretch in
//     which the whole SLO had no sample, it is spread evenly over the stretch: as known, when
//     the stretch is as long as scrapes are apart; as partial (sum known, time not), when it is a hole.

// role is what a series is to an SLO.
type role uint8

const (
	roleTotal role = iota
	roleBad
	roleGood
	roleUp // a gauge, 1 while up
)

// route leads from a series to an account: the budget it counts for.
type route struct {
	account int32
	role    role
}

// sample is one raw sample: milliseconds since 1970 and its value.
type sample struct {
	ms int64
	v  float64
}

// run is the samples of one series in one answer, oldest first.
type run struct {
	*entry
	samples []sample
}

// cursor is the last sample of a series that was counted. The zero value means none.
type cursor struct {
	ms   int64
	v    float64
	seen int64 // newest sample of any kind: one that is not a number is still a sign of life
}

// target is a process that is scraped: job and instance.
type target struct {
	last int64 // newest scrape that was seen, ms
	pace pace
}

// account is the reading state of one budget.
type account struct {
	last  int64 // newest sample of any series of its total, ms
	pace  pace
	told  budget.Minute // newest minute reported as absent
	done  budget.Minute // newest minute written for good
	carry tally         // bad or good events of a minute in which the total had no sample
	hole  hole
}

// empty returns the first minute of which nothing is known yet.
func (a *account) empty() budget.Minute { return max(slotOf(a.last), a.done) + 1 }

// hole is a stretch without samples that has just ended. It is kept open for one scrape interval,
// until every target had the chance to come back with its difference across it.
type hole struct {
	from, until budget.Minute // minutes to spread over, both included
	sum         tally
	open        bool
}

// promise is the reading state of one SLO.
type promise struct {
	since budget.Minute // no slot before this one is written
	sight int64         // newest sample of any of its totals so far; 0 = never seen
}

// state is everything that counting remembers. Its slices are indexed by the registry of the
// bundle.
type state struct {
	cursors  []cursor
	targets  []target
	accounts []account
	promises []promise
	last     int64         // newest sample of the bundle, ms
	pos      budget.Minute // newest minute with a sample; everything up to it is counted
	read     budget.Minute // newest minute that was asked for
	primed   bool          // asked at least once
}

// clone copies the state, so that a read can be thrown away.
func (s *state) clone() *state {
	c := *s
	c.cursors = append([]cursor(nil), s.cursors...)
	c.targets = append([]target(nil), s.targets...)
	c.accounts = append([]account(nil), s.accounts...)
	c.promises = append([]promise(nil), s.promises...)
	return &c
}

// grow makes room for what the registry has learned since.
func (s *state) grow(cursors, targets, accounts int) {
	s.cursors = append(s.cursors, make([]cursor, max(0, cursors-len(s.cursors)))...)
	s.targets = append(s.targets, make([]target, max(0, targets-len(s.targets)))...)
	s.accounts = append(s.accounts, make([]account, max(0, accounts-len(s.accounts)))...)
}

const (
	minuteMs = 60_000
	// forget is after how long without a sample, while others had some, a series, target or budget
	// is forgotten.
	forget = 25 * 60 * minuteMs
	// unknownPace stands in until an interval is known.
	unknownPace = 60_000
)

// slotOf returns the minute whose slot (m, m+1] holds the sample.
func slotOf(ms int64) budget.Minute {
	ms--
	if ms < 0 {
		ms -= minuteMs - 1
	}
	return budget.Minute(ms / minuteMs)
}

func endOf(m budget.Minute) int64 { return int64(m+1) * minuteMs }

// pace learns a scrape interval. One odd gap does not change it, five alike do.
type pace struct {
	interval, candidate int32 // ms
	votes               uint8
}

const votesToChange = 5

func (p *pace) learn(gap int64) {
	g := int32(min(gap, math.MaxInt32))
	switch {
	case g <= 0:
	case p.interval == 0:
		p.interval = g
	case near(g, p.interval):
		p.votes = 0
	case near(g, p.candidate):
		if p.votes++; p.votes >= votesToChange {
			*p = pace{interval: p.candidate}
		}
	default:
		p.candidate, p.votes = g, 1
	}
}

func near(a, b int32) bool { return math.Abs(float64(a-b)) <= 0.2*float64(b) }

// ms returns the learned interval, or a stand-in.
func (p *pace) ms() int64 { return int64(cmp.Or(p.interval, unknownPace)) }

// isHole reports whether a gap is longer than scrapes are apart, with one missed scrape forgiven.
func (p *pace) isHole(gap int64) bool { return 2*gap > 5*p.ms() }

// tally is a number of events. Sums of integers are exact up to 2^53.
type tally struct{ total, bad, good float64 }

func (t *tally) add(r role, n float64) {
	switch r {
	case roleTotal:
		t.total += n
	case roleBad:
		t.bad += n
	case roleGood:
		t.good += n
	}
}

func (t tally) plus(o tally) tally { return tally{t.total + o.total, t.bad + o.bad, t.good + o.good} }

// verdict says whether the counts of a minute could be taken as they came.
type verdict uint8

const (
	asCounted verdict = iota
	cutOff            // more bad or good events than events at all
	beyond            // more than any minute can hold, as where a counter wrapped round
)

// events turns a tally into thousandths of bad and total events, rounded once. Beyond what a minute
// can hold, the total is such that [budget.Count] makes a failed slot of it.
func (t tally) events(byGood bool) (bad, total int64, v verdict) {
	total, ok := budget.Thousandths(t.total)
	part := t.bad
	if byGood {
		part = t.good
	}
	bad, fits := budget.Thousandths(part)
	if !ok || !fits {
		return 0, budget.MaxCount + 1, beyond
	}
	if byGood {
		bad = total - bad
	}
	if bad < 0 || bad > total {
		return min(max(bad, 0), total), total, cutOff
	}
	return bad, total, asCounted
}

// outcome receives what a step decides.
type outcome interface {
	slot(account int32, at budget.Minute, s budget.Slot)
	clamped(account int32)
	beyond(account int32)
	dropped(account int32)
	reborn(account int32)
}

// facts about accounts that do not change while counting.
type accountInfo struct {
	promise int32
	byGood  bool
	up      bool
	grouped bool // one of several budgets of its SLO; it begins when it is first seen
}

// stepper moves a state over the minutes of one answer.
type stepper struct {
	*state
	info []accountInfo
	out  outcome
	runs []run
	next []int // per run, its first sample not yet stepped over

	scrapes  []scrape // per target
	touched  []int32  // targets with a scrape in this minute
	sums     []minute // per account
	accounts []int32  // accounts with anything in this minute
}

// scrape is what one minute showed of a target.
type scrape struct {
	times []int64
	gap   int64
}

// minute is what one minute showed of an account.
type minute struct {
	sum         tally
	first, last int64 // samples of its total
	gap         int64 // shortest between two samples of a series of its total
	any         bool
	continues   bool // some counter went on where the account's last sample stood
	down        bool // of an uptime gauge: some sample was not 1
}

func newStepper(s *state, info []accountInfo, out outcome, runs []run) *stepper {
	return &stepper{
		state: s, info: info, out: out, runs: runs, next: make([]int, len(runs)),
		scrapes: make([]scrape, len(s.targets)), sums: make([]minute, len(s.accounts)),
	}
}

// walk steps over every minute up to and including to that has a sample.
func (t *stepper) walk(to budget.Minute) {
	for {
		m, ok := t.upcoming()
		if !ok || m > to {
			return
		}
		t.step(m)
	}
}

// upcoming returns the first minute after pos that has a sample.
func (t *stepper) upcoming() (first budget.Minute, ok bool) {
	for i, r := range t.runs {
		for t.next[i] < len(r.samples) && slotOf(r.samples[t.next[i]].ms) <= t.pos {
			t.next[i]++
		}
		if t.next[i] == len(r.samples) {
			continue
		}
		if m := slotOf(r.samples[t.next[i]].ms); !ok || m < first {
			first, ok = m, true
		}
	}
	return first, ok
}

// step counts the samples of minute m.
func (t *stepper) step(m budget.Minute) {
	end := endOf(m)
	t.noteScrapes(end)
	newest := t.last
	for i, r := range t.runs {
		for ; t.next[i] < len(r.samples) && r.samples[t.next[i]].ms <= end; t.next[i]++ {
			s := r.samples[t.next[i]]
			t.count(r.entry, s)
			newest = max(newest, s.ms)
		}
	}
	for _, a := range t.accounts {
		t.settle(a, m)
	}
	t.learnTargets()
	t.accounts = t.accounts[:0]
	t.last, t.pos = newest, m
}

// noteScrapes writes down when each target was scraped in this minute.
func (t *stepper) noteScrapes(end int64) {
	for i, r := range t.runs {
		sc := &t.scrapes[r.target]
		for _, s := range r.samples[t.next[i]:] {
			if s.ms > end {
				break
			}
			if len(sc.times) == 0 {
				t.touched = append(t.touched, r.target)
			}
			sc.note(s.ms)
		}
	}
}

const maxScrapes = 128 // a minute; more can only be series that are not scraped together

func (s *scrape) note(ms int64) {
	for i := len(s.times) - 1; i >= 0; i-- {
		if s.times[i] == ms {
			return
		}
	}
	if len(s.times) < maxScrapes {
		s.times = append(s.times, ms)
	}
}

func (t *stepper) learnTargets() {
	for _, i := range t.touched {
		tg, sc := &t.targets[i], &t.scrapes[i]
		for _, ms := range sc.times {
			tg.last = max(tg.last, ms)
		}
		tg.pace.learn(sc.gap)
		sc.times, sc.gap = sc.times[:0], 0
	}
	t.touched = t.touched[:0]
}

// lastScrape returns when the target was last scraped before ms, 0 if it never was.
func (t *stepper) lastScrape(target int32, ms int64) int64 {
	last := t.targets[target].last
	if last < t.last-forget {
		last = 0
	}
	for _, at := range t.scrapes[target].times {
		if at < ms {
			last = max(last, at)
		}
	}
	return last
}

// missing reports whether the target of a series was scraped without it between its cursor and ms.
func (t *stepper) missing(e *entry, since, ms int64) bool {
	if !e.scraped {
		return false // without an instance there is nothing to say who was asked
	}
	interval := t.targets[e.target].pace.ms()
	if 2*(ms-since) <= 3*interval {
		return false
	}
	between := func(at int64) bool { return at > since+interval/2 && at < ms-interval/2 }
	if between(t.targets[e.target].last) {
		return true
	}
	for _, at := range t.scrapes[e.target].times {
		if between(at) {
			return true
		}
	}
	return false
}

// count takes one sample to the accounts of its series.
func (t *stepper) count(e *entry, s sample) {
	if len(e.routes) == 0 {
		return
	}
	cur := &t.cursors[e.series]
	if math.IsNaN(s.v) || math.IsInf(s.v, 0) || s.v < 0 {
		for _, r := range e.routes {
			t.out.dropped(r.account)
		}
		if cur.ms > 0 {
			cur.seen = max(cur.seen, s.ms)
		}
		return
	}
	if s.ms <= cur.ms {
		return
	}
	n, from, birth := t.increment(e, cur, s)
	gap := int64(0)
	if cur.ms > 0 && !birth {
		gap = s.ms - cur.ms
		sc := &t.scrapes[e.target]
		sc.gap = shorter(sc.gap, gap)
	}
	for _, r := range e.routes {
		t.add(r, s, n, from, gap, birth)
	}
	*cur = cursor{s.ms, s.v, s.ms}
}

func shorter(a, b int64) int64 {
	if a == 0 || b < a {
		return b
	}
	return a
}

// increment returns how many events a sample shows, since when they may have happened, and whether
// the whole value counts because the counter is new.
func (t *stepper) increment(e *entry, cur *cursor, s sample) (n float64, from int64, birth bool) {
	switch {
	case cur.ms == 0 || cur.ms < t.last-forget:
		from = t.lastScrape(e.target, s.ms)
		if from == 0 {
			from = t.last
		}
		return s.v, from, true
	case t.missing(e, cur.seen, s.ms):
		if s.v > cur.v {
			for _, r := range e.routes {
				t.out.reborn(r.account)
			}
		}
		return s.v, t.lastScrape(e.target, s.ms), true
	case s.v < cur.v:
		return s.v, cur.ms, false
	}
	return s.v - cur.v, cur.ms, false
}

// add books an increment in the minute's sum of one account.
func (t *stepper) add(r route, s sample, n float64, from, gap int64, birth bool) {
	sum, acc := &t.sums[r.account], &t.state.accounts[r.account]
	if !sum.any {
		*sum = minute{any: true}
		t.accounts = append(t.accounts, r.account)
	}
	if r.role == roleTotal || r.role == roleUp {
		sum.last = max(sum.last, s.ms)
		sum.first = shorter(sum.first, s.ms)
		if gap > 0 {
			sum.gap = shorter(sum.gap, gap)
		}
	}
	if r.role == roleUp {
		sum.down = sum.down || s.v != 1
		return
	}
	if birth && t.promises[t.info[r.account].promise].sight == 0 {
		return // the first sight of this SLO: the value is a position, not a birth
	}
	sum.continues = sum.continues || from <= acc.last+acc.pace.ms()
	sum.sum.add(r.role, n)
}

// settle closes the minute of one account.
func (t *stepper) settle(a int32, m budget.Minute) {
	sum, acc, info := &t.sums[a], &t.state.accounts[a], t.info[a]
	sum.any = false
	all := sum.sum.plus(acc.carry)
	if sum.last == 0 {
		acc.carry = all
		return
	}
	acc.carry = tally{}
	t.closeHole(a, m-1)
	switch {
	case info.up:
		t.settleUp(a, m, sum)
	case acc.hole.open:
		acc.hole.sum = acc.hole.sum.plus(all)
	default:
		t.settleCount(a, m, sum, all)
	}
	acc.pace.learn(sum.gap)
	acc.last = max(acc.last, sum.last)
	p := &t.promises[info.promise]
	p.sight = max(p.sight, sum.last)
}

// settleCount books a minute of counters, and the empty minutes before it.
func (t *stepper) settleCount(a int32, m budget.Minute, sum *minute, all tally) {
	acc := &t.state.accounts[a]
	empty := acc.empty()
	switch {
	case acc.last == 0 || empty >= m:
		t.spread(a, all, m, m, false)
	case !sum.continues: // nothing says what happened in between
		t.absent(a, empty, m-1)
		t.spread(a, all, m, m, false)
	case !acc.pace.isHole(sum.first - acc.last):
		t.spread(a, all, empty, m, false)
	default:
		until := max(m, slotOf(sum.first+acc.pace.ms()*11/10))
		acc.hole = hole{from: empty, until: until, sum: all, open: true}
	}
}

// settleUp books a minute of an uptime gauge: one event, good if every sample was 1. A minute
// between two scrapes that are regularly further apart is as the later one says; a hole is absent,
// for a gauge has no memory.
func (t *stepper) settleUp(a int32, m budget.Minute, sum *minute) {
	acc := &t.state.accounts[a]
	s := budget.Count(0, budget.Unit)
	if sum.down {
		s = budget.Count(budget.Unit, budget.Unit)
	}
	empty := m
	if acc.last > 0 {
		empty = min(acc.empty(), m)
	}
	if acc.pace.isHole(sum.first - acc.last) {
		t.absent(a, empty, m-1)
		empty = m
	}
	for at := empty; at <= m; at++ {
		t.put(a, at, s)
	}
}

// closeHole writes a hole whose time to settle is over at the end of minute m.
func (t *stepper) closeHole(a int32, m budget.Minute) {
	if h := t.state.accounts[a].hole; h.open && h.until <= m {
		t.state.accounts[a].hole = hole{}
		t.spread(a, h.sum, h.from, h.until, true)
	}
}

// spread writes a tally evenly over [from, to]; what does not divide goes to the first minutes.
func (t *stepper) spread(a int32, sum tally, from, to budget.Minute, partial bool) {
	bad, total, v := sum.events(t.info[a].byGood)
	switch v {
	case cutOff:
		t.out.clamped(a)
	case beyond:
		t.out.beyond(a)
		for at := from; at <= to; at++ {
			t.put(a, at, budget.Count(bad, total))
		}
		return
	}
	n := int64(to - from + 1)
	for i := range n {
		s := budget.Count(part(bad, i, n), part(total, i, n))
		if partial {
			s.State = budget.Partial
		}
		t.put(a, from+budget.Minute(i), s)
	}
}

// part returns the i-th of n parts of sum, as equal as integers can be.
func part(sum, i, n int64) int64 {
	if i < sum%n {
		return sum/n + 1
	}
	return sum / n
}

// absent reports minutes without data that were not reported yet.
func (t *stepper) absent(a int32, from, to budget.Minute) {
	acc := &t.state.accounts[a]
	for at := max(from, acc.told+1, t.promises[t.info[a].promise].since); at <= to; at++ {
		t.put(a, at, budget.Slot{State: budget.Absent})
	}
	acc.told = max(acc.told, to)
}

func (t *stepper) put(a int32, at budget.Minute, s budget.Slot) {
	if acc := &t.state.accounts[a]; s.State != budget.Absent {
		acc.done = max(acc.done, at)
	}
	if at >= t.promises[t.info[a].promise].since {
		t.out.slot(a, at, s)
	}
}

// finish ends a read that went up to minute to: it writes holes that have settled and reports
// accounts that have been without samples for longer than their scrapes are apart.
func (t *stepper) finish(to budget.Minute) {
	for i := range t.state.accounts {
		a, acc := int32(i), &t.state.accounts[i]
		t.closeHole(a, to)
		switch {
		case acc.hole.open || acc.last > 0 && acc.last < t.last-forget && t.promises[t.info[a].promise].sight > acc.last:
		case acc.last == 0 && t.info[a].grouped:
		case acc.last == 0:
			t.absent(a, t.promises[t.info[a].promise].since, to)
		case acc.pace.isHole(endOf(to) - acc.last):
			t.absent(a, acc.empty(), to)
		}
	}
	t.read = max(t.read, to)
	t.primed = true
}

// conclude ends a read after which no sample will follow: what is open is closed at minute to.
func (t *stepper) conclude(to budget.Minute) {
	for i := range t.state.accounts {
		a, acc := int32(i), &t.state.accounts[i]
		acc.hole.until = min(acc.hole.until, to)
		t.closeHole(a, to)
		if acc.last > 0 {
			t.absent(a, acc.empty(), to)
		}
	}
}
