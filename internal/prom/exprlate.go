package prom

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/counting"
	"github.com/slowburn-sre/slowburn/slo"
)

// The value of an expression does not tell whether all of its samples are in. So the samples of what
// it is made of are counted, minute by minute, and counted again later: a minute that has gained some
// was incomplete when it was counted before. That is how late samples come, and minutes are evaluated
// as much later. Those that had been evaluated before are evaluated again.

const (
	// settle is how long after its end a minute of an expression is evaluated at least.
	settle = 30 * time.Second
	// recount is how often samples are counted again; recountSoon as long as they come late, and for
	// the first few times.
	recount, recountSoon = 5 * time.Minute, time.Minute
	firstCounts          = 3
	// exprLateHalf is after how long the lateness of an expression that was learned has halved.
	exprLateHalf = 10 * time.Minute
)

// exprLate is how late the samples of an expression come.
type exprLate struct {
	late   time.Duration // when it was seen
	seen   time.Time
	counts map[budget.Minute]float64 // of samples, when they were counted last; not kept
	at     time.Time                 // when that was
	times  int                       // how often they were counted
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

// due reports whether it is time to count again.
func (l *exprLate) due(now time.Time) bool { return !now.Before(l.next(now)) || now.Before(l.at) }

// next returns when it is.
func (l *exprLate) next(now time.Time) time.Time {
	if l.times < firstCounts || l.now(now) > settle {
		return l.at.Add(recountSoon)
	}
	return l.at.Add(recount)
}

// learnLate counts the samples of an SLO again, if it is time to, and returns the first minute that
// has gained some since it was last counted; false if none has. Nothing is taken to be later than
// most.
func (e evaluator) learnLate(ctx context.Context, s *slo.Spec, now time.Time, most time.Duration, l *exprLate) (first budget.Minute, gained bool, err *Error) {
	if !l.due(now) {
		return 0, false, nil
	}
	to := budget.MinuteOf(now) - 1
	from := to - budget.Minute(max(most, DefaultMaxLateness)/time.Minute) - 1 // what is not waited for is put right, too
	counts := map[budget.Minute]float64{}
	for m := from; m <= to; m++ {
		counts[m] = 0
	}
	for _, text := range metricsOf(s) {
		query := fmt.Sprintf("sum(count_over_time(%s[1m]))", text)
		_, err := e.client.queryRange(ctx, query, from.End(), to.End(), time.Minute, sampleCounts(counts))
		if err != nil && err.Kind != Refused && err.Kind != TooLarge { // then nobody knows
			return 0, false, err
		}
	}
	for m := to; m >= from; m-- {
		old, counted := l.counts[m]
		if age := l.at.Sub(m.End()); counted && counts[m] > old && age >= settle {
			first, gained = m, true
			late := min(now.Sub(m.End()), age+recountSoon, most)
			if late >= l.now(now) {
				l.late, l.seen = late, now
			}
		}
	}
	l.counts, l.at, l.times = counts, now, l.times+1
	return first, gained, nil
}

// sampleCounts is the sink that adds up samples by minute.
type sampleCounts map[budget.Minute]float64

// series implements sink.
func (c sampleCounts) series([]byte) bool { return true }

// sample implements sink. Its time is the end of a minute.
func (c sampleCounts) sample(ms int64, v float64) { c[counting.SlotOf(ms)] += v }
