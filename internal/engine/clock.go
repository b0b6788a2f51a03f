package engine

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/slowburn-sre/slowburn/internal/prom"
)

// A machine's clock can be wrong: it steps by an hour, or wakes up in 1970. Samples are stamped by
// the source's clock, so that one decides which minutes are over. Reading beyond it would find
// minutes empty that have not happened yet, take them for missing data, and never look at them
// again; staying behind it would be blind without saying so.

const (
	// toleratedSkew is how far the clocks may be apart before ours is corrected: more than a slow
	// answer or a source that answers a little in the past.
	toleratedSkew = 45 * time.Second
)

// A source that says it is another time than between these does not know.
var (
	plausibleFrom = time.Date(2020, time.January, 1, 0, 0, 0, 0, time.UTC)
	plausibleTo   = time.Date(2200, time.January, 1, 0, 0, 0, 0, time.UTC)
)

// clock is what is known of our own clock: the correction in force, 0 if none is needed.
type clock struct{ skew atomic.Int64 }

// Corrected turns our time into the source's, as the newest tick has found it. What else goes by
// time, such as the outbox, should go by it too: messages carry it.
func (e *Engine) Corrected(now time.Time) time.Time { return e.clock.corrected(now) }

func (c *clock) corrected(now time.Time) time.Time { return now.Add(time.Duration(c.skew.Load())) }

// correct turns our time into the source's, where the two are further apart than can be tolerated.
// A source that cannot be asked because it is out fails the tick; one that only refuses the
// question leaves the correction as it was.
func (c *clock) correct(ctx context.Context, now time.Time, ask func(context.Context, time.Time) (time.Duration, *prom.Error), log *slog.Logger) (time.Time, *prom.Error) {
	if ask == nil {
		return now, nil
	}
	skew, err := ask(ctx, now)
	switch at := now.Add(skew); {
	case err != nil && (err.Kind == prom.Refused || err.Kind == prom.Partial):
		return c.corrected(now), nil
	case err != nil:
		return c.corrected(now), err
	case at.Before(plausibleFrom) || at.After(plausibleTo):
		return c.corrected(now), &prom.Error{Kind: prom.BadAnswer, Op: "query", Err: fmt.Errorf("the server says it is %s", at.UTC().Format(time.RFC3339))}
	}
	if skew.Abs() <= toleratedSkew {
		skew = 0
	}
	if old := time.Duration(c.skew.Swap(int64(skew))); (skew - old).Abs() > toleratedSkew {
		log.Warn("our clock and the source's differ; the source's counts", "ours", now.UTC(), "theirs", now.Add(skew).UTC())
	}
	return now.Add(skew), nil
}
