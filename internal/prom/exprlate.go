package prom

import (
	"math"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
)

// The value of an expression does not tell whether all of its samples are in. So minutes are asked
// for again, together with new ones: an answer that differs was incomplete before. That is how late
// samples come, and minutes are evaluated as much later. Those that had been evaluated before are
// evaluated again. It takes steps of a query that is asked anyway, and none of its own.

const (
	// settle is how long after its end a minute of an expression is evaluated at least.
	settle = 30 * time.Second
	// reask is after how many minutes they are asked for again; as long as samples come late, and
	// for the first few times, it is one.
	reask, firstAsks = 5, 3
	// exprLateHalf is after how long the lateness of an expression that was learned has halved.
	exprLateHalf = 10 * time.Minute
)

// said is what a server said of an expression in a minute: of all budgets, series by series.
type said struct {
	series int
	sum    [2]float64 // of the total, and of the rest
	asked  time.Time  // when it was said last; zero if never
	since  time.Time  // and first
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
	late    time.Duration // when it was seen
	seen    time.Time
	from    budget.Minute // of the first answer
	answers []said        // to the newest minutes; not kept
	at      budget.Minute // when they were asked for again
	times   int           // how often they were
	dear    int           // how often in a row that was too much for the server
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

// due reports whether new minutes are to be asked for together with older ones.
func (l *exprLate) due(now time.Time) bool {
	wait := budget.Minute(reask) << l.dear
	if l.dear == 0 && (l.times < firstAsks || l.now(now) > settle) {
		wait = 1
	}
	since := budget.MinuteOf(now) - l.at
	return since < 0 || since >= wait
}

// asked notes that older minutes were asked for, and whether that was too much: then it is done
// half as often.
func (l *exprLate) asked(now time.Time, err *Error) {
	l.at, l.times = budget.MinuteOf(now), l.times+1
	switch {
	case err == nil:
		l.dear = 0
	case err.Kind == Timeout || err.Kind == TooLarge:
		l.dear = min(l.dear+1, 4)
	}
}

// again returns the first minute that is asked for again: as far back as anything is waited for,
// and what was answered for the first time since then, for it may be incomplete.
func (l *exprLate) again(now time.Time, most time.Duration) budget.Minute {
	old := now.Add(-max(most, DefaultMaxLateness) - time.Minute)
	first := budget.MinuteOf(old)
	for i := range l.answers {
		if m := l.from + budget.Minute(i); m < first && l.answers[i].series > 0 && l.answers[i].since.After(old) {
			return m
		}
	}
	return first
}

// learn compares the answers to the minutes [from, to] with those of before, and remembers them. It
// returns the first minute that has another one, or had none; to+1 if there is none. Nothing is
// taken to be later than most. Where there is no answer any more, the server has lost samples: what
// it says now is no better than what it said before.
func (l *exprLate) learn(got map[budget.Minute]*said, from, to budget.Minute, now time.Time, most time.Duration) (first budget.Minute) {
	start := max(min(from, l.again(now, most)), to-2*reachBack)
	answers := make([]said, to-start+1)
	first, late, lost := to+1, time.Duration(0), false
	for m := to; m >= min(from, start); m-- {
		old := l.of(m)
		if m < from {
			answers[m-start] = old
			continue
		}
		is := said{asked: now, since: now}
		if a := got[m]; a != nil {
			is.series, is.sum = a.series, a.sum
		}
		switch known := !old.asked.IsZero(); {
		case known && old.same(&is):
			is.since = old.since
		case known:
			late = max(late, min(now.Sub(m.End()), old.asked.Sub(m.End())+time.Minute, most))
			lost = lost || is.series == 0
			fallthrough
		default:
			first = m
		}
		if m >= start {
			answers[m-start] = is
		}
	}
	l.from, l.answers = start, answers
	if lost {
		return to + 1
	}
	if late > 0 && late >= l.now(now) {
		l.late, l.seen = late, now
	}
	return first
}

// of returns the answer to a minute.
func (l *exprLate) of(m budget.Minute) said {
	if i := m - l.from; i >= 0 && i < budget.Minute(len(l.answers)) {
		return l.answers[i]
	}
	return said{}
}
