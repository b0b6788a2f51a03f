package prom

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/counting"
	"github.com/slowburn-sre/slowburn/internal/selectors"
	"github.com/slowburn-sre/slowburn/internal/sentences"
)

// This file asks for the samples of a bundle; package counting counts them.
//
//   - One contiguous window for all, from where the last one ended to a second ago: a sample that
//     is in time is read once.
//   - Series that owe a sample are asked for by target, from their own cursor on. The answer is
//     empty until something comes.
//   - An instant vector tells which of those have ended. A range selector never shows stale
//     markers.
//   - Every few minutes the list of series tells of those that no window will ever show, for their
//     samples come late. It reads no samples.
//   - Where the samples do not tell whether a process has begun anew, it is asked (see start.go).
//   - Where half of the targets are late, the window stays behind by as much, and is tried without
//     every few minutes; where their series come one by one, a look beyond it tells how late they
//     are.

// state is the reading state of a bundle.
type state struct {
	*counting.State
	lag    int64                    // how far the window stays behind, because half of the samples are late, ms
	apart  bool                     // the series of a target come one by one; not kept
	listed int64                    // when the series were listed, ms
	next   int64                    // when a question can complete another minute, ms
	kept   int64                    // up to where the newest mark had read, ms
	behind map[int32]sentences.Wait // accounts that are behind, or wait in vain

	beginnings
}

// clone copies the state, so that a read can be thrown away.
func (s *state) clone() *state {
	c := *s
	c.State = s.State.Clone()
	return &c
}

// due reports whether a question at a time is worth it: another minute can have become complete, or
// the clock has gone back.
func (s *state) due(now int64) bool { return now >= s.next || now < s.Asked }

const (
	secondMs = 1000
	minuteMs = 60 * secondMs
	// arrival is how long a sample takes from its time stamp into an answer, ms.
	arrival = secondMs
	// reach is how much is read at once, ms.
	reach = 60 * minuteMs
	// lead is how much is read at first sight to learn positions, intervals and rates, ms.
	lead = 20 * minuteMs
	// glance is how much of it is read at first, when nobody knows how many series there are, ms.
	glance = 5 * minuteMs
	// inLead stands for the time of a list where the lead has shown all series that are in time.
	inLead = -1
	// listEvery is how often the series are listed, ms, and listLarge where there are many.
	listEvery  = 5 * minuteMs
	listLarge  = 15 * minuteMs
	manySeries = 20_000
	// listReach is how late samples may always have been and be found, ms.
	listReach = 60 * minuteMs
	// vectorReach is how far back an instant query sees, less a second, ms.
	vectorReach = 5*minuteMs - secondMs
	// samplesPerQuery bounds an answer to about two thirds of the default cap in bytes.
	samplesPerQuery = 600_000
)

// follower asks a server for the samples of bundles and has them counted. It remembers no position:
// it is handed the state of a bundle, and moves it.
type follower struct {
	client *Client
	large  *large // what was found to be too large
}

// follow reads what is new at a time, and what has become of what was overdue. If a piece fails,
// what came before it stands. It begins none after until, and reports whether there is more.
func (f *follower) follow(ctx context.Context, b *bundle, s *state, now, until time.Time, got *collected) (more bool, err *Error) {
	ms, first := now.UnixMilli(), !s.Primed
	try := ms-s.listed >= b.listEvery() || ms < s.listed
	if try && !s.apart {
		s.lag = 0
	}
	from, upto := s.Read, (ms-arrival-s.lag)/secondMs*secondMs
	switch {
	case first: // from before the first slot that is owed, even if the first attempts have failed
		s.listed = inLead
		from = min(s.Owed().Time().UnixMilli(), upto) - lead
	case ms-arrival < from-minuteMs: // time has gone back: beyond the newest sample nothing was there
		from = min(s.Last, upto)
		s.Read = from
	default:
		upto = max(upto, from) // what is late is asked for though the window stays
	}
	if s.listed == 0 && !first { // a mark holds positions without names
		if err := f.listed(ctx, b, min(s.listFrom(ms), from-lead), ms, &lister{b: b}); err != nil {
			return false, err
		}
	}
	c := counting.NewCounter(s.State, &b.reg.Index, got)
	var asked []counting.Ask
	if !first {
		if asked, err = f.askOverdue(ctx, b, s, c, ms, from); err != nil {
			return false, err
		}
	}
	more, err = f.pieces(ctx, b, s, from, upto, until, func(runs []counting.Run, from, to int64) *Error {
		q := counting.Question{Since: from, To: to, Now: ms}
		var before []counting.Run
		if first {
			q.Since = 0
		} else if err := f.askReturned(ctx, b, s, c, runs, ms, from); err != nil {
			return err
		} else if before, err = f.holes(ctx, b, s, c, runs, from, ms, asked); err != nil {
			return err
		}
		if err := f.count(ctx, b, s, c, append(before, runs...), q); err != nil {
			return err
		}
		if to < upto {
			c.Decide(min(ms, to+arrival+s.lag))
		}
		return nil
	})
	if err != nil || more {
		s.next = ms
		return more, err
	}
	return false, f.wind(ctx, b, s, c, ms, from, upto, try)
}

// wind ends a turn of which the window (since, upto] was read: it asks which series have ended and
// for those that no window shows, and decides.
func (f *follower) wind(ctx context.Context, b *bundle, s *state, c *counting.Counter, now, since, upto int64, try bool) *Error {
	if err := f.askEnded(ctx, b, &c.Waiting, now, upto); err != nil {
		return err
	}
	if try {
		if s.listed != inLead {
			if err := f.list(ctx, b, s, c, now, since, upto); err != nil {
				return err
			}
		}
		var ahead []counting.Run
		for _, span := range c.Waiting.Beyond(upto, (now-arrival)/secondMs*secondMs) {
			some, err := f.rawBit(ctx, b, s, b.selector, span[0], span[1])
			if err != nil {
				return err
			}
			ahead = append(ahead, some...)
		}
		s.lag, s.apart = c.Waiting.Lag(now, upto, ahead, s.apart && s.lag > 0)
		s.listed = now
	}
	c.Decide(now)
	s.next = c.Waiting.Next(now, arrival+s.lag)
	told := s.behind
	s.behind = nil
	for a := range b.reg.Accounts {
		w, behind := c.Waiting.Of(int32(a)), int64(2*minuteMs)
		if _, ok := told[int32(a)]; ok { // what comes about as late as that is not told every other time
			behind = minuteMs
		}
		if vain := w.Nobody && w.Late > 0; vain || w.Most > 0 || w.Through < now-arrival-behind {
			if s.behind == nil {
				s.behind = map[int32]sentences.Wait{}
			}
			s.behind[int32(a)] = sentences.Wait{
				Through: time.UnixMilli(w.Through).UTC(), Behind: time.Duration(now-counting.EndOf(counting.SlotOf(w.Through+1)-1)) * time.Millisecond,
				Late: time.Duration(w.Late) * time.Millisecond, Targets: w.Targets, Vain: vain,
				Most: time.Duration(w.Most) * time.Millisecond,
			}
		}
	}
	return nil
}

// cover reads and counts the minutes after from, up to to, of history: all that will ever come has
// come.
func (f *follower) cover(ctx context.Context, b *bundle, s *state, from, to budget.Minute, got *collected) *Error {
	_, err := f.pieces(ctx, b, s, counting.EndOf(from), counting.EndOf(to), time.Time{}, func(runs []counting.Run, _, to int64) *Error {
		c := counting.NewCounter(s.State, &b.reg.Index, got)
		if err := f.count(ctx, b, s, c, runs, counting.Question{To: to, Now: to}); err != nil {
			return err
		}
		c.DecideAll(counting.SlotOf(to), false)
		return nil
	})
	return err
}

// conclude ends a stretch of history after which nothing follows.
func (b *bundle) conclude(s *state, to budget.Minute, got *collected) {
	counting.NewCounter(s.State, &b.reg.Index, got).DecideAll(to, true)
}

// pieces reads the window (from, to] in pieces that an answer can hold. It begins none after until,
// if there is one, and reports whether there is more.
func (f *follower) pieces(ctx context.Context, b *bundle, s *state, from, to int64, until time.Time, take func(runs []counting.Run, from, to int64) *Error) (more bool, err *Error) {
	for first := true; from < to; first = false {
		if !first && !until.IsZero() && time.Now().After(until) {
			return true, nil
		}
		end := min(from+min(int64(b.meal.most())*minuteMs, b.affordable(s)), to)
		began := time.Now()
		runs, err := f.rawOf(ctx, b, b.selector, from, end)
		f.keepUp(ctx, b, err, time.Since(began), time.UnixMilli(from), time.UnixMilli(end))
		fits := func(most budget.Minute) budget.Minute { return f.fits(ctx, b, time.UnixMilli(end), most) }
		tooMuch := func() bool { return f.tooMuch(ctx, err, b.selector, time.UnixMilli(end)) }
		if b.meal.digest(err, budget.Minute((end-from+minuteMs-1)/minuteMs), fits, tooMuch) {
			continue
		}
		if err != nil {
			return false, err
		}
		if err := take(runs, from, end); err != nil {
			return false, err
		}
		from = end
	}
	return false, nil
}

// affordable returns how much time of the bundle one answer may hold, ms.
func (b *bundle) affordable(s *state) int64 {
	return min(max(samplesPerQuery/max(b.perMinute(s), 1), 1), reach/minuteMs) * minuteMs
}

// perMinute returns about how many samples a minute of the bundle holds.
func (b *bundle) perMinute(s *state) int64 {
	interval := int64(minuteMs)
	for i := range s.Targets {
		if iv := int64(s.Targets[i].Pace.Interval); iv > 0 {
			interval = min(interval, iv)
		}
	}
	return int64(len(s.Cursors)) * max(1, minuteMs/interval)
}

func (b *bundle) listEvery() int64 {
	if len(b.reg.seriesHash) > manySeries {
		return listLarge
	}
	return listEvery
}

// rawOf asks for the raw samples of a bundle, or of some of its targets, in (from, to], in the
// parts that answers can hold.
func (f *follower) rawOf(ctx context.Context, b *bundle, whole string, from, to int64) (runs []counting.Run, err *Error) {
	err = f.inParts(ctx, b, whole, time.UnixMilli(from), time.UnixMilli(to), func(selector string) *Error {
		some, err := f.raw(ctx, b, selector, from, to)
		runs = append(runs, some...)
		return err
	})
	return runs, err
}

// raw asks for the raw samples in (from, to].
func (f *follower) raw(ctx context.Context, b *bundle, selector string, from, to int64) ([]counting.Run, *Error) {
	c := &gather{b: b}
	a, err := f.client.query(ctx, selector+"["+milliseconds(to-from)+"]", time.UnixMilli(to), c)
	if err != nil {
		return nil, err
	}
	if c.err != nil || a.resultType != "matrix" {
		return nil, &Error{Kind: BadAnswer, Op: "query", URL: f.client.base.Redacted(), Hint: "a range selector must be answered with a matrix", Err: cmp.Or(c.err, errShape)}
	}
	return c.done(), nil
}

// milliseconds writes a duration as PromQL does.
func milliseconds(ms int64) string {
	if ms%secondMs == 0 {
		return strconv.FormatInt(ms/secondMs, 10) + "s"
	}
	return strconv.FormatInt(ms, 10) + "ms"
}

var errShape = errors.New("the answer has the wrong shape")

// gather is the sink that collects runs.
type gather struct {
	b       *bundle
	numbers []int32
	starts  []int
	samples []counting.Sample
	err     error
}

// series implements sink.
func (g *gather) series(metric []byte) bool {
	i, err := g.b.series(metric)
	if err != nil || i < 0 {
		g.err = cmp.Or(g.err, err)
		return false
	}
	g.numbers = append(g.numbers, i)
	g.starts = append(g.starts, len(g.samples))
	return true
}

// sample implements sink.
func (g *gather) sample(ms int64, v float64) {
	g.samples = append(g.samples, counting.Sample{MS: ms, V: v})
}

func (g *gather) done() []counting.Run {
	runs := make([]counting.Run, len(g.numbers))
	for i, s := range g.numbers {
		end := len(g.samples)
		if i+1 < len(g.starts) {
			end = g.starts[i+1]
		}
		runs[i] = counting.Run{Series: s, Samples: g.samples[g.starts[i]:end]}
	}
	return runs
}

// part is some targets of a bundle that are asked together, and since when.
type part struct {
	from     int64
	asks     []counting.Ask
	selector string
}

const (
	// maxParts bounds the questions of one kind in a turn.
	maxParts = 10
	// maxNamed is how many targets are named in a question; for more the whole bundle is asked.
	maxNamed = 100
)

// parts puts asks of about the same time together.
func (b *bundle) parts(asks []counting.Ask) []part {
	asks = slices.DeleteFunc(slices.Clone(asks), func(a counting.Ask) bool { return !b.reg.met(a.Target) })
	slices.SortFunc(asks, func(a, b counting.Ask) int {
		return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.Target, b.Target))
	})
	for width := int64(30 * secondMs); ; width *= 2 {
		var out []part
		for _, a := range asks {
			if n := len(out); n == 0 || a.From > out[n-1].from+width {
				out = append(out, part{from: a.From})
			}
			p := &out[len(out)-1]
			p.asks = append(p.asks, a)
		}
		if len(out) <= maxParts {
			for i := range out {
				out[i].selector = b.only(out[i].asks)
			}
			return out
		}
	}
}

// only narrows the selector of the bundle to some targets.
func (b *bundle) only(asks []counting.Ask) string {
	if len(asks) > maxNamed {
		return b.selector
	}
	names := make([]string, len(asks))
	for i, a := range asks {
		names[i] = b.reg.instances[a.Target]
	}
	slices.Sort(names)
	return selectors.And(b.selector, selectors.Any("instance", slices.Compact(names)...))
}

// askOverdue reads what has come for those that owed something before the window began, and returns
// who was asked.
func (f *follower) askOverdue(ctx context.Context, b *bundle, s *state, c *counting.Counter, now, to int64) ([]counting.Ask, *Error) {
	if s.apart { // a question for the last of the series of a scrape reads the others again
		to = min(to, now-s.lag)
	}
	asks := c.Waiting.Owing(now, to)
	parts := b.parts(asks)
	if len(parts) == 0 {
		return nil, nil
	}
	for from := parts[0].from; from < to; from += reach { // the oldest
		var runs []counting.Run
		end := min(from+reach, to)
		for _, p := range parts {
			some, err := f.rawBit(ctx, b, s, p.selector, max(p.from, from), end)
			if err != nil {
				return nil, err
			}
			runs = append(runs, some...)
		}
		if len(runs) == 0 {
			continue
		}
		if c.Waiting.BackFromHole(runs) {
			found, err := f.unlisted(ctx, b, s, now, end)
			if err != nil {
				return nil, err
			}
			runs = append(runs, found...)
		}
		before, err := f.holes(ctx, b, s, c, runs, end, now, asks)
		if err == nil {
			err = f.count(ctx, b, s, c, append(before, runs...), counting.Question{Since: to, To: end, Now: now})
		}
		if err != nil {
			return nil, err
		}
	}
	return asks, nil
}

// holes reads what has come meanwhile before an answer, of series that were not asked for it.
func (f *follower) holes(ctx context.Context, b *bundle, s *state, c *counting.Counter, answer []counting.Run, to, now int64, asked []counting.Ask) (runs []counting.Run, _ *Error) {
	for _, p := range b.parts(c.Waiting.Holes(answer, to, now, asked)) {
		some, err := f.rawBit(ctx, b, s, p.selector, p.from, to)
		if err != nil {
			return nil, err
		}
		runs = append(runs, some...)
	}
	return runs, nil
}

// askReturned reads what has come for those that the window shows again, from since on, after so
// long that they were not asked for this time: else what lies between would be taken for a hole.
func (f *follower) askReturned(ctx context.Context, b *bundle, s *state, c *counting.Counter, shown []counting.Run, now, since int64) *Error {
	for _, p := range b.parts(c.Waiting.Returned(shown, now, since)) {
		for from := p.from; from < since; from += reach {
			end := min(since, from+reach)
			runs, err := f.rawBit(ctx, b, s, p.selector, from, end)
			if err != nil {
				return err
			}
			if err := f.count(ctx, b, s, c, runs, counting.Question{Since: since, To: end, Now: now}); err != nil {
				return err
			}
		}
	}
	return nil
}

// rawBit asks for the samples of some targets in (from, to], bit by bit.
func (f *follower) rawBit(ctx context.Context, b *bundle, s *state, selector string, from, to int64) (runs []counting.Run, _ *Error) {
	for piece := b.affordable(s); from < to; {
		upto := min(from+piece, to)
		some, err := f.rawOf(ctx, b, selector, from, upto)
		if err != nil && err.Kind == TooLarge && piece > minuteMs {
			piece /= 2
			continue
		}
		if err != nil {
			return nil, err
		}
		runs, from = append(runs, some...), upto
	}
	return runs, nil
}

// askEnded asks an instant vector which of the overdue series have ended: shortly before their
// look-back is over, for a target that is late would look ended now.
func (f *follower) askEnded(ctx context.Context, b *bundle, w *counting.Waiting, now, upto int64) *Error {
	asks := slices.DeleteFunc(w.Overdue(now, upto), func(a counting.Ask) bool { return !w.Missed(a, now) })
	for _, p := range b.parts(asks) {
		at := min(now, p.from+vectorReach)
		alive := &lister{b: b}
		err := f.inParts(ctx, b, p.selector, time.UnixMilli(at), time.UnixMilli(at), func(selector string) *Error {
			a, err := f.client.query(ctx, selector, time.UnixMilli(at), alive)
			if err == nil && (alive.err != nil || a.resultType != "vector") {
				err = &Error{Kind: BadAnswer, Op: "query", URL: f.client.base.Redacted(), Hint: "a selector must be answered with a vector", Err: cmp.Or(alive.err, errShape)}
			}
			return err
		})
		if err != nil {
			return err
		}
		w.End(p.asks, alive.has, at, upto)
	}
	return nil
}

// lister is the sink that collects which series there are.
type lister struct {
	b     *bundle
	found map[int32]bool
	err   error
}

// series implements sink.
func (l *lister) series(metric []byte) bool {
	i, err := l.b.series(metric)
	l.err = cmp.Or(l.err, err)
	if l.found == nil {
		l.found = map[int32]bool{}
	}
	if i >= 0 {
		l.found[i] = true
	}
	return false
}

// sample implements sink.
func (l *lister) sample(int64, float64) {}

func (l *lister) has(series int32) bool { return l.found[series] }

// retryListed is after how long a series that is listed and shows no sample is asked for again, ms.
const retryListed = 60 * minuteMs

// list finds series that no window will ever show, for their samples come late.
func (f *follower) list(ctx context.Context, b *bundle, s *state, c *counting.Counter, now, since, upto int64) *Error {
	runs, err := f.unlisted(ctx, b, s, now, upto)
	if err != nil || len(runs) == 0 {
		return err
	}
	return f.count(ctx, b, s, c, runs, counting.Question{Since: since, To: upto, Now: now})
}

// unlisted returns the samples up to a time of the targets of which a series is listed that was
// never seen.
func (f *follower) unlisted(ctx context.Context, b *bundle, s *state, now, upto int64) (runs []counting.Run, _ *Error) {
	found := &lister{b: b}
	start := s.listFrom(now)
	if err := f.listed(ctx, b, start, now, found); err != nil {
		return nil, err
	}
	s.Grow(len(b.reg.Series), len(b.reg.Scraped), len(b.reg.Accounts))
	at := map[int32]bool{}
	for i := range found.found {
		if s.Cursors[i].MS > 0 || now-b.reg.tried[i] < retryListed {
			continue
		}
		if b.reg.tried == nil {
			b.reg.tried = map[int32]int64{}
		}
		b.reg.tried[i] = now
		at[b.reg.Series[i].Target] = true
	}
	var asks []counting.Ask
	for target := range at {
		asks = append(asks, counting.Ask{Target: target, From: start})
	}
	for _, p := range b.parts(asks) {
		some, err := f.rawBit(ctx, b, s, p.selector, start, upto)
		if err != nil {
			return nil, err
		}
		runs = append(runs, some...)
	}
	return runs, nil
}

// series lists the series that a selector matches, without their samples.
func (c *Client) series(ctx context.Context, selector string, from, to time.Time, found sink) *Error {
	var a answer
	form := url.Values{"match[]": {selector}, "start": {unix(from)}, "end": {unix(to)}}
	return c.call(ctx, http.MethodGet, "/api/v1/series", form, func(body io.Reader) error {
		if err := decode(body, found, &a); err != nil {
			return err
		}
		return a.problem()
	})
}

// listed lists the series of a bundle. A list that is too large is left out: only what is always
// late is missed by that.
func (f *follower) listed(ctx context.Context, b *bundle, from, to int64, found *lister) *Error {
	err := f.inParts(ctx, b, b.selector, time.UnixMilli(from), time.UnixMilli(to), func(selector string) *Error {
		return f.client.series(ctx, selector, time.UnixMilli(from), time.UnixMilli(to), found)
	})
	if err != nil && err.Kind == TooLarge {
		return nil
	}
	return err
}

// listFrom returns since when a series must have had a sample to be listed.
func (s *state) listFrom(now int64) int64 { return now - max(listReach, s.longest()+5*minuteMs) }

// longest returns the longest time that any sample is waited for, ms.
func (s *state) longest() int64 {
	most := int64(counting.DefaultMaxLate)
	for _, p := range s.Promises {
		most = max(most, p.MaxLate)
	}
	return most
}
