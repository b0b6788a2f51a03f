package prom

import (
	"math"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/sentences"
)

// The value of an expression does not tell whether all of its samples are in. So minutes are asked
// for again, together with new ones: an answer that differs was incomplete before. That is how late
// samples come, and minutes are evaluated as much later. Those that had been evaluated before are
// evaluated again. It takes steps of a query that is asked anyway, and none of its own.
//
// Every half hour it goes further back than anything is waited for, which finds what always comes
// later than that: nobody waits for it, but it is asked for from then on, and told. Where the
// oldest minutes of a question differ, older ones may: the next one goes back six hours, as after a
// stall of writes.

const (
	// settle is how long after its end a minute of an expression is evaluated at least.
	settle = 30 * time.Second
	// reask is after how many minutes they are asked for again; as long as samples come late, and
	// for the first few times, it is one.
	reask, firstAsks = 5, 3
	// exprLateHalf is after how long the lateness of an expression that was learned has halved.
	exprLateHalf = 10 * time.Minute
	// quietAsks is after how many answers in which nothing was later than quietLate a stall is
	// over.
	quietAsks = 3
	quietLate = 2 * time.Minute
	// deepEvery is how often, and deep how far back samples are looked for that come later than
	// anything is waited for, minutes: what is an hour late is found.
	deepEvery, deep = 30, 90
	// farthest is how far back is asked where the oldest minutes have changed, minutes.
	farthest = 6 * 60
	// beyondFor is for how long samples must have come later than they are waited for to be told,
	// and how long they are; beyondKept is how long they are asked for.
	beyondFor, beyondKept = 10 * time.Minute, time.Hour
)

// said is what a server said of an expression in a minute: of all budgets, series by series.
type said struct {
	sum    [2]float64 // of the total, and of the rest
	asked  int64      // when it was said last, in seconds; zero if never
	since  int64      // and first, if something else was said before
	series int32
	absent bool // at first there was nothing
}

// add adds a value.
func (a *said) add(rest bool, v float64) {
	a.series++
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
	case rest:
		a.sum[1] += v
	default:
		a.sum[0] += v
	}
}

// same reports whether two answers agree, but for the order in which a server adds up.
func (a *said) same(b *said) bool {
	near := func(a, b float64) bool { return math.Abs(a-b) <= 1e-9*max(math.Abs(a), math.Abs(b)) }
	return a.series == b.series && near(a.sum[0], b.sum[0]) && near(a.sum[1], b.sum[1])
}

// exprLate is how late the samples of an expression come.
type exprLate struct {
	late    time.Duration // when it was seen, of what is waited for
	seen    time.Time
	beyond  beyond
	from    budget.Minute // of the first answer
	answers []said        // to the newest minutes; not kept
	at      budget.Minute // when they were asked for again
	times   int           // how often they were
	dear    int           // how often in a row that was too much for the server
	stalled bool          // the lateness is that of a stall, in which there was nothing at all
	quiet   int           // how often in a row nothing was late, and the newest minute had an answer
	lately  time.Duration // and how late it was
	looked  budget.Minute // when it was asked for what comes later than it is waited for
	far     budget.Minute // how far back the next question goes; 0 if no farther than usual
}

// beyond is how late samples come that come later than they are waited for.
type beyond struct {
	late        time.Duration
	at          time.Time // when they came as late as that
	first, last time.Time // and at all, without a pause
}

// see notes that samples came so late.
func (b *beyond) see(late time.Duration, now time.Time) {
	if now.Sub(b.last) > 2*beyondFor {
		b.first = now
	}
	if late >= b.late || now.Sub(b.at) > beyondKept {
		b.late, b.at = late, now
	}
	b.last = now
}

// lasts reports whether they go on to come so late, unlike what a stall has kept back.
func (b *beyond) lasts(now time.Time) bool {
	return b.last.Sub(b.first) >= beyondFor && now.Sub(b.last) <= beyondFor
}

// now returns how late samples are expected.
func (l *exprLate) now(now time.Time) time.Duration {
	late := time.Duration(float64(l.late) * math.Exp2(-float64(max(now.Sub(l.seen), 0))/float64(exprLateHalf)))
	return late.Truncate(time.Second)
}

// settle returns how long after its end a minute is evaluated.
func (l *exprLate) settle(now time.Time, most time.Duration) time.Duration {
	return max(settle, min(l.now(now), most))
}

// wait returns what is waited for by minutes that are decided up to one, or what is not; false if
// all is in time.
func (l *exprLate) wait(through budget.Minute, now time.Time, most time.Duration) (sentences.Wait, bool) {
	after := l.settle(now, most)
	w := sentences.Wait{Through: through.End().UTC(), Behind: after, Late: after}
	if l.beyond.lasts(now) {
		w.Late, w.Most = l.beyond.late, most
	}
	return w, w.Most > 0 || after >= time.Minute
}

// hurries reports whether older minutes are to be asked for again though there is no new one: what
// comes late comes now.
func (l *exprLate) hurries(now time.Time) bool {
	return (l.far > 0 || l.now(now) > settle) && l.due(now)
}

// due reports whether new minutes are to be asked for together with older ones.
func (l *exprLate) due(now time.Time) bool {
	wait := budget.Minute(reask) << l.dear
	if l.dear == 0 && (l.times < firstAsks || l.now(now) > settle || l.far > 0) {
		wait = 1
	}
	since := budget.MinuteOf(now) - l.at
	return since < 0 || since >= wait
}

// next returns when older minutes are to be asked for again though there is no new one: with the
// newest one that may be complete.
func (l *exprLate) next(now time.Time) (time.Time, bool) {
	return l.at.End().Add(settle), l.dear == 0 && (l.far > 0 || l.now(now) > settle)
}

// asked notes that older minutes were asked for, and whether that was too much: then it is done
// half as often, and half as far back.
func (l *exprLate) asked(now time.Time, err *Error) {
	l.at, l.times = budget.MinuteOf(now), l.times+1
	if l.deepDue(now) {
		l.looked = l.at
	}
	switch {
	case err == nil:
		l.dear, l.far = 0, 0
	case err.Kind == Timeout || err.Kind == TooLarge:
		l.dear = min(l.dear+1, 4)
		if l.far /= 2; l.far < deep {
			l.far = 0
		}
	}
}

// deepDue reports whether it is time to look for what comes later than it is waited for.
func (l *exprLate) deepDue(now time.Time) bool {
	since := budget.MinuteOf(now) - l.looked
	return since < 0 || since >= deepEvery
}

// again returns the first minute that is asked for again: as far back as anything is waited for, or
// comes, and what was answered for the first time since then, for it may be incomplete.
func (l *exprLate) again(now time.Time, most time.Duration) budget.Minute {
	old := now.Add(-max(most, DefaultMaxLateness) - time.Minute)
	first, this := budget.MinuteOf(old), budget.MinuteOf(now)
	if now.Sub(l.beyond.last) <= beyondKept {
		first = min(first, budget.MinuteOf(now.Add(-l.beyond.late))-reask-2)
	}
	if l.far > 0 {
		first = min(first, this-l.far)
	} else if l.deepDue(now) {
		first = min(first, this-deep)
	}
	for i := range l.answers {
		if m := l.from + budget.Minute(i); m < first && l.answers[i].series > 0 && l.answers[i].absent && l.answers[i].since > old.Unix() {
			first = m
		}
	}
	return max(first, this-farthest)
}

// question is what was asked of an expression: minutes, at a time, by somebody who waits so long
// for samples at most.
type question struct {
	from, to budget.Minute
	cut      bool // older minutes were answered before, too, or given up
	again    bool // older minutes are among them
	now      time.Time
	most     time.Duration
}

// learn compares answers with those of before, and remembers them. It returns the first minute that
// has another one, or had none; to+1 if there is none. Where there is no answer any more, the
// server has lost samples: what it says now is no better than what it said before.
func (l *exprLate) learn(got map[budget.Minute]*said, q question) (first budget.Minute) {
	keep := min(q.from, budget.MinuteOf(q.now)-deep, l.again(q.now, q.most))
	start := max(keep, q.to-farthest)
	answers := make([]said, q.to-start+1)
	var news news
	first = q.to + 1
	for m := q.to; m >= min(q.from, start); m-- {
		old := l.of(m)
		if m < q.from {
			answers[m-start] = old
			continue
		}
		is := said{asked: q.now.Unix(), absent: old.absent}
		if a := got[m]; a != nil {
			is.series, is.sum = a.series, a.sum
		}
		switch known := old.asked > 0; {
		case known && old.same(&is):
			is.since = old.since
		case known:
			is.since, is.absent = is.asked, old.absent || old.series == 0
			news.add(m, &old, &is, q, &l.beyond)
			fallthrough
		default:
			first = m
		}
		if m >= start {
			answers[m-start] = is
		}
	}
	l.from, l.answers = start, answers
	if news.lost {
		return q.to + 1
	}
	l.take(&news, q)
	return first
}

// news is what answers tell that differ from those of before.
type news struct {
	late   time.Duration // how late samples came that are waited for
	beyond time.Duration // and others
	seen   bool          // some minute of which something was known has changed
	lost   bool          // some minute has no answer any more
	edge   bool          // older minutes than were asked for may have changed, too
}

// add adds the answer to a minute. What has come since it was asked for before may be as late as
// its age; whether it is later than it is waited for is as it was before.
func (n *news) add(m budget.Minute, old, is *said, q question, before *beyond) {
	oldest := q.now.Sub(m.End())
	age := min(oldest, time.Unix(old.asked, 0).Sub(m.End())+time.Minute)
	if age > q.most || oldest > q.most && q.now.Sub(before.last) <= beyondFor {
		n.beyond = max(n.beyond, age)
	} else {
		n.late = max(n.late, age)
	}
	n.seen = n.seen || !is.absent
	n.lost = n.lost || is.series == 0
	n.edge = n.edge || q.cut && m <= q.from+1 && q.now.Sub(m.End()) >= DefaultMaxLateness
}

// take learns how late samples come.
func (l *exprLate) take(n *news, q question) {
	if n.late > 0 && n.late >= l.now(q.now) {
		l.late, l.seen, l.stalled = n.late, q.now, !n.seen
	}
	if n.beyond > 0 {
		l.beyond.see(n.beyond, q.now)
	}
	if n.edge {
		l.far = farthest
	}
	newest := l.of(q.to)
	switch {
	case n.late > quietLate || n.beyond > 0 || newest.series == 0:
		l.quiet, l.lately = 0, 0
	case q.again:
		l.quiet, l.lately = l.quiet+1, max(l.lately, n.late)
	}
	if l.stalled && l.quiet >= quietAsks { // what is new comes in time
		l.late, l.seen, l.stalled = min(l.late, l.lately), q.now, false
	}
}

// of returns the answer to a minute.
func (l *exprLate) of(m budget.Minute) said {
	if i := m - l.from; i >= 0 && i < budget.Minute(len(l.answers)) {
		return l.answers[i]
	}
	return said{}
}

// save writes what is kept of it.
func (l *exprLate) save(e *encoder) {
	e.int(int64(l.late))
	e.int(l.seen.Unix())
	e.int(int64(l.beyond.late))
	e.int(l.beyond.at.Unix())
	e.int(l.beyond.first.Unix())
	e.int(l.beyond.last.Unix())
}

// exprLate reads it. Marks of old end in between.
func (d *reader) exprLate() exprLate {
	l := exprLate{late: time.Duration(d.int()), seen: time.Unix(d.int(), 0)}
	if d.err == nil && len(d.b) > 0 {
		l.beyond = beyond{late: time.Duration(d.int()), at: time.Unix(d.int(), 0), first: time.Unix(d.int(), 0), last: time.Unix(d.int(), 0)}
	}
	return l
}
