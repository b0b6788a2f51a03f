package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/incidents"
	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/slo"
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

// clock is what is known of our own clock.
type clock struct {
	*Options // Skew, Sampled, Log

	skew atomic.Int64 // the correction in force, 0 if none is needed

	// Of the newest tick that could ask: our time, and the source's as it was believed.
	ours, theirs time.Time
	claim        time.Duration // a skew that is not believed yet
	claims       int           // how many ticks in a row it was said
	agreed       bool          // there was an answer, and it is believed

	newest time.Time // of the minutes of which samples were read
	ahead  time.Time // up to where it was ahead when it was last put right; zero if nobody knows
	behind int       // how many ticks in a row the believed time was before what is decided
}

// Corrected turns our time into the source's, as the newest tick has found it. What else goes by
// time, such as the outbox, should go by it too: messages carry it.
func (e *Engine) Corrected(now time.Time) time.Time { return e.clock.corrected(now) }

func (c *clock) corrected(now time.Time) time.Time { return now.Add(time.Duration(c.skew.Load())) }

// correct turns our time into the source's, where the two are further apart than can be tolerated.
// A source that cannot be asked because it is out fails the tick; one that only refuses the
// question leaves the correction as it was.
func (c *clock) correct(ctx context.Context, specs []*slo.Spec, now time.Time) (time.Time, *prom.Error) {
	switch since := now.Sub(c.ours); {
	case c.Skew == nil:
		return now, nil
	case since >= 0 && since < complete && c.agreed: // it was asked lately
		return c.corrected(now), nil
	}
	c.agreed = false
	skew, err := c.Skew(ctx, now)
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
	at, expected := now.Add(skew), c.corrected(now)
	jumps := at.Sub(expected).Abs() > toleratedSkew
	if c.judge(now, skew) && !(jumps && c.contradicts(ctx, specs, at, expected)) {
		if c.skew.Store(int64(skew)); jumps {
			c.Log.Warn("our clock and the source's differ; the source's counts", "ours", now.UTC(), "theirs", at.UTC())
		}
		if at.Add(toleratedSkew).Before(c.newest) { // it went back, and was said often enough
			c.newest, c.behind = at, claimsToBelieve
		}
		c.claims, c.agreed = 0, true
	} else {
		if c.claims <= 1 {
			c.Log.Warn("the source's clock has jumped; it is not believed yet", "theirs", at.UTC(), "expected", expected.UTC())
		}
		at = expected
	}
	c.ours, c.theirs = now, at
	return at, nil
}

const (
	// claimsToBelieve is how many ticks in a row a source must say that its clock has jumped. One
	// bad replica behind a load balancer says it, too.
	claimsToBelieve = 5
	// longestTurn is how far a clock moves between two ticks without having jumped.
	longestTurn = 5 * time.Minute
)

// judge reports whether a skew is believed, if the samples do not contradict it. It is at once at
// the start, if it is what it was, if both clocks agree, or if ours has not gone on as clocks do
// from tick to tick. If only the source's has not, or if it is before the newest sample, it is a
// claim, which must be made several times.
func (c *clock) judge(now time.Time, skew time.Duration) bool {
	goesOn := func(step time.Duration) bool { return step >= -toleratedSkew && step <= longestTurn }
	switch {
	case now.Add(skew + toleratedSkew).Before(c.newest):
	case c.ours.IsZero(), skew == 0, (skew - time.Duration(c.skew.Load())).Abs() <= toleratedSkew:
		return true
	case goesOn(now.Add(skew).Sub(c.theirs)), !goesOn(now.Sub(c.ours)):
		return true
	}
	if (skew - c.claim).Abs() > toleratedSkew {
		c.claims = 0
	}
	c.claim = skew
	c.claims++
	return c.claims >= claimsToBelieve
}

// lookBack is how far back the source looks for samples of a time.
const lookBack = 5 * time.Minute

// contradicts reports whether the samples of the source say that it is not the time that it says it
// is: it has none of that time and some of the time that we take it for, or it says that it is
// earlier and has some that are later. Time goes back against those that were read before only if
// the samples end where it says: the past of a source that lags behind has others after it. One
// that cannot be asked is not believed either.
func (c *clock) contradicts(ctx context.Context, specs []*slo.Spec, said, expected time.Time) bool {
	back := said.Add(toleratedSkew).Before(c.newest)
	if c.Sampled == nil || said.Sub(expected).Abs() <= lookBack {
		return back
	}
	now, err := c.Sampled(ctx, specs, expected)
	switch {
	case err != nil, now && said.Before(expected):
		return true
	case back:
		return !c.endsAt(ctx, specs, said)
	case !now:
		return false
	}
	then, err := c.Sampled(ctx, specs, said)
	return err != nil || !then
}

// endsAt reports whether the samples of the source go up to a time, and not on from there.
func (c *clock) endsAt(ctx context.Context, specs []*slo.Spec, at time.Time) bool {
	then, err := c.Sampled(ctx, specs, at)
	if err != nil || !then {
		return false
	}
	later, err := c.Sampled(ctx, specs, at.Add(lookBack+time.Minute))
	return err == nil && !later
}

// rewind takes what is decided back to the believed time, before to, if it is ahead of it: the
// source was, and has gone back, here or before a restart. The minutes that have not happened are
// dropped, and what they opened ends; what was open before goes on. If that cannot be written down,
// nothing changes until the next tick.
func (e *Engine) rewind(ctx context.Context, now time.Time, to budget.Minute) {
	e.deciding.Lock()
	defer e.deciding.Unlock()
	var ahead []*account
	farthest := to
	for _, a := range e.budgets.all() {
		if a.state.Through > to {
			ahead, farthest = append(ahead, a), max(farthest, a.state.Through)
		}
	}
	far := farthest > to+budget.Minutes(longestTurn)
	if !far || !e.clock.agreed || e.Sampled == nil {
		if e.clock.behind = 0; e.clock.agreed && !far {
			e.redate(ctx, now)
		}
		return
	}
	if e.clock.behind++; e.clock.behind < claimsToBelieve || !e.clock.endsAt(ctx, e.budgets.set.Specs, now) {
		return
	}
	ctx = context.WithoutCancel(ctx)
	var all []story
	e.hold(func() {
		for _, a := range ahead {
			e.budgets.guard(a.id, func() { all = append(all, e.judge().rewound(a, to)) })
		}
	})
	if err := e.tell(ctx, all, now, func(told told) error { return e.goBack(ctx, told, now) }); err != nil {
		e.Log.Error("cannot go back to the time of the source; it is tried again with the next tick", "err", err)
		return
	}
	e.Log.Warn("the source's clock was ahead; the minutes that have not happened are dropped", "from", to.Time(), "slos", len(all))
	e.clock.behind, e.nextFold = 0, now.Truncate(foldEvery).Add(foldEvery)
	e.publish()
	e.clock.ahead = farthest.Time()
	e.redate(ctx, now)
}

// redate lets silences that were told while the clock was ahead hold now, for what was left of them
// when it was put right, and takes back the later ones: they would mute what nobody has seen. Acts
// are never changed, so what does that are others, on behalf of the same person. What cannot be
// written down is tried again with the next tick.
func (e *Engine) redate(ctx context.Context, now time.Time) {
	e.mu.RLock()
	all := e.book.Ahead(now.Add(toleratedSkew))
	e.mu.RUnlock()
	ours := now.Add(-time.Duration(e.clock.skew.Load()))
	for _, a := range all {
		const via = "slowburn"
		key := "clock/" + shortKey(a.Key)
		again := alerting.Act{Key: key, Kind: alerting.Silence, By: a.By, Via: via, Incident: a.Incident, Text: a.Text, Until: e.clock.left(a, now)}
		undo := alerting.Act{Key: key + "/undo", Kind: alerting.Undo, By: a.By, Via: via, Incident: a.Incident, Text: "It was told while the clock was ahead.", Other: a.Key}
		if a.Incident == "" {
			again.SLO, again.Service, undo.SLO, undo.Service = a.SLO, a.Service, a.SLO, a.Service
		}
		for _, act := range []alerting.Act{again, undo} {
			refused := new(incidents.ActError)
			switch err := e.Do(ctx, act, ours); {
			case errors.As(err, &refused): // it is over by now
			case err != nil:
				e.Log.Error("cannot put right a silence that was told while the clock was ahead", "key", a.Key, "err", err)
				return
			}
		}
		e.Log.Warn("a silence was told while the clock was ahead", "by", a.By, "key", a.Key, "dated", a.At, "until", again.Until)
	}
}

// longestKey is how many bytes of a key leave room for what is put around it.
const longestKey = 280

// shortKey returns a key, or of one that is too long its beginning, in whole characters, and a hash
// of all of it.
func shortKey(key string) string {
	if len(key) <= longestKey {
		return key
	}
	sum := sha256.Sum256([]byte(key))
	hash := hex.EncodeToString(sum[:8])
	n := longestKey - len(hash) - 1
	for n > 0 && !utf8.RuneStart(key[n]) {
		n--
	}
	return key[:n] + "/" + hash
}

// left returns until when a silence holds that was told while the clock was ahead: for as long as
// it still would have by that clock.
func (c *clock) left(a alerting.Act, now time.Time) time.Time {
	told := a.At // nobody knows how long ago
	if told.Before(c.ahead) {
		told = c.ahead
	}
	if a.Until.IsZero() || !a.Received.IsZero() && !a.Received.After(now.Add(toleratedSkew)) { // it was told by the right clock
		return a.Until
	}
	return now.Add(a.Until.Sub(told))
}

// goBack takes budgets back to a minute, and writes that down.
func (e *Engine) goBack(ctx context.Context, told told, now time.Time) error {
	tick := store.Tick{At: now, Marks: e.Source.Restart(), Facts: map[string]string{}}
	e.budgets.stopAll(told.faults)
	told.enter(&tick, &Summary{})
	if err := e.backlog.write(ctx, tick); err != nil {
		return err
	}
	for _, turn := range tick.Turns {
		e.budgets.write(e.budgets.byID[turn.SLO], turn.Apply)
	}
	e.close(told.book, tick.Turns)
	if e.began.After(now) {
		e.began = now
	}
	return nil
}

// sampled takes note of what was read: it was known then, so the time is not before it.
func (c *clock) sampled(batch *prom.Batch) {
	for _, r := range batch.Readings {
		if n := len(r.Slots); n > 0 && r.Slots[n-1].Slot.State.Known() && r.Slots[n-1].At.Time().After(c.newest) {
			c.newest = r.Slots[n-1].At.Time()
		}
	}
}
