package outbox

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

// send writes down that it begins, delivers what it owns from then on, and writes down what came of
// it.
func (w *worker) send(ctx context.Context, s step) {
	if !w.begin(ctx, &s) {
		return
	}
	begun := w.at()
	receipt, err := w.deliver(ctx, s)
	if f := FailureOf(err); err != nil && f.Class == TargetGone && !s.root.None() {
		receipt, err = w.sendAfresh(ctx, &s)
	}
	switch {
	case errors.Is(err, ErrNeedless):
		w.settle(ctx, s.owed, Result{State: Superseded, At: w.at()})
	case err != nil:
		w.failed(ctx, s, FailureOf(err))
	default:
		w.delivered(ctx, s, receipt, begun)
	}
}

// begin claims the entries of a step and reads what they say. What somebody else has begun or
// settled is left out; it is false if nothing is to be sent.
func (w *worker) begin(ctx context.Context, s *step) bool {
	bodies, err := w.claim(ctx, s)
	switch {
	case err != nil:
		w.storeFailed(err)
		w.unclaim(s.all())
		return false
	case s.named != nil:
		return w.narrow(ctx, s, bodies)
	}
	if _, ours := bodies[s.owed.Key]; !ours {
		return false
	}
	if s.edit != nil {
		edit, err := w.bodies(ctx, []string{s.edit.Key})
		if bodies[s.edit.Key] = edit[s.edit.Key]; err != nil || edit[s.edit.Key] == nil {
			s.edit = nil // it is sent by itself
		}
	}
	var folded bool
	if s.owed.Entry, folded = w.upToDate(*s, bodies); folded {
		s.stale = append(s.stale, s.edit.Key)
	}
	if s.owed.Op == Edit && s.root.Repeat {
		s.owed.Repeat = true // until the first copy is found
	}
	return true
}

// claim begins the entries of a step, as far as the store has them, and returns what those say that
// are this worker's from now on. What is owed in memory alone is nobody else's; but
// where others may send too, the store is asked about it as well: whether this process still leads.
//
// If they cannot be begun because the store cannot be written, they are this worker's nevertheless:
// a full disk must not silence them.
func (w *worker) claim(ctx context.Context, s *step) (map[string]json.RawMessage, error) {
	own := map[string]json.RawMessage{}
	var claims []Claim
	w.mu.Lock()
	for _, o := range s.all() {
		i := w.shelf.items[o.Key]
		i.mine = true
		if i.stored {
			claims = append(claims, Claim{o.Key, i.begun, i.tries})
			continue
		}
		own[o.Key] = i.Body
		s.maybe(w.opts.Lease != nil)
	}
	w.mu.Unlock()
	if len(claims) == 0 && w.opts.Lease == nil {
		return own, nil
	}
	at := w.at()
	begun, err := w.store.Begin(ctx, claims, at)
	if err == nil {
		for _, o := range begun {
			own[o.Key] = o.Body
		}
		w.claimed(claims, own, at)
		return own, nil
	}
	if errors.Is(err, ErrDeposed) || !w.opts.unwritten(s.lane) {
		return nil, err
	}
	w.storeFailed(err)
	s.maybe(w.opts.Lease != nil)
	var keys []string
	for _, o := range s.all() {
		keys = append(keys, o.Key)
	}
	return w.bodies(ctx, keys)
}

// maybe marks a step as maybe repeated, because somebody else may send it as well.
func (s *step) maybe(repeated bool) {
	if repeated {
		s.owed.Repeat, s.findable = true, s.owed.Op == Post
	}
}

// unwritten reports whether messages of a lane go out although that cannot be written down: all but
// reports, which can wait. Where others may send as well, only pages do, marked as maybe repeated.
func (o Options) unwritten(lane Lane) bool {
	return lane == LanePage || o.Lease == nil && lane < LaneReport
}

// narrow leaves out of a digest what turned out to be somebody else's.
func (w *worker) narrow(ctx context.Context, s *step, own map[string]json.RawMessage) bool {
	var named []step
	for _, n := range s.named {
		if _, ours := own[n.owed.Key]; ours {
			named = append(named, n)
		}
	}
	if len(named) == len(s.named) || len(named) == 0 {
		return len(named) > 0
	}
	fewer, n := w.digest(ctx, named, len(named))
	fewer.owed.Repeat, fewer.findable = s.owed.Repeat, s.findable
	*s = fewer
	return n == len(named) // it held more names before
}

// claimed notes what the store said to claims.
func (p *Pump) claimed(claims []Claim, own map[string]json.RawMessage, at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range claims {
		i := p.shelf.items[c.Key]
		if _, ours := own[c.Key]; ours {
			i.begun = at
			continue
		}
		p.shelf.distrust(i)
	}
}

// unclaim gives up entries of which nothing was sent.
func (w *worker) unclaim(all []Owed) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.again = true
	for _, o := range all {
		if i := w.shelf.items[o.Key]; i != nil {
			i.mine = false
		}
	}
}

// left returns how long a send may take: zero if this process may not send any more.
func (o Options) left() time.Duration {
	if o.Lease == nil {
		return o.Attempt
	}
	left := time.Until(o.Lease())
	if left < o.Attempt/attemptPart {
		return 0
	}
	return min(left, o.Attempt)
}

// attemptPart is the part of an attempt for which it is not worth beginning: the answer would come
// too late.
const attemptPart = 8

// notOurs is what becomes of a message when, between its beginning and its sending, the lease ran
// out.
var notOurs = &Failure{Class: Retry, Reason: "not sent: another may lead"}

// deliver returns one bounded attempt. It outlives ctx, so that a stop lets it finish, but not the
// time in which this process may send.
func (w *worker) deliver(ctx context.Context, s step) (Receipt, error) {
	limit := w.opts.left()
	if limit == 0 {
		return Receipt{}, notOurs
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	receipt, err := w.receiver.Deliver(ctx, s.owed, s.root)
	w.Reach.delivered(w.place, receipt, err, w.at())
	return receipt, err
}

// sendAfresh posts a message whose place is gone, because a person deleted the root. If an earlier
// attempt may have done so already, it looks first.
func (w *worker) sendAfresh(ctx context.Context, s *step) (Receipt, error) {
	s.root = Receipt{}
	if s.owed.Ambiguous() {
		receipt, err := w.findAfresh(ctx, s)
		if err != nil || !receipt.None() {
			return receipt, err
		}
	}
	w.mu.Lock()
	g := w.gate(gateOf(w.place, toPost))
	if g.held(w.at()) {
		defer w.mu.Unlock()
		return Receipt{}, &Failure{Class: RateLimited, Reason: "the root is gone and posting is held back", After: g.until.Sub(w.at()), Op: Post}
	}
	g.bucket.spent++ // a token that may not be there; later ones wait for it
	w.mu.Unlock()
	r, err := w.deliver(ctx, *s)
	if err != nil {
		f := *FailureOf(err)
		f.Op = Post
		return r, &f
	}
	return r, nil
}

func (w *worker) delivered(ctx context.Context, s step, receipt Receipt, begun time.Time) {
	receipt.Shared = len(s.folded) > 0
	_, able := w.receiver.(Pointer)
	receipt.Repeat = s.owed.Repeat && s.owed.Op != Reply && able
	w.troubled = false
	w.mu.Lock()
	w.gate(gateOf(w.place, s.verb())).worked(begun)
	w.tally.Folded += len(s.folded)
	if s.owed.Repeat && s.posts() {
		w.tally.Repeats++
	}
	w.mu.Unlock()
	for n, o := range s.all() {
		r := Result{State: Sent, Receipt: receipt, At: w.at()}
		if n == 0 && receipt.Repeat && s.posts() && s.findable {
			r.Then = mendOf(s.owed.Entry, w.at())
		}
		w.settle(ctx, o, r)
	}
	w.settleStale(ctx, s.stale)
}

// settleStale settles edits in whose state the root message was sent.
func (w *worker) settleStale(ctx context.Context, keys []string) {
	for _, key := range keys {
		w.settle(ctx, Owed{Entry: Entry{Key: key}}, Result{State: Superseded, At: w.at()})
	}
}

func (w *worker) failed(ctx context.Context, s step, f *Failure) {
	at := w.at()
	w.troubled = f.Class == Ambiguous || f.Class == Retry
	if s.owed.Repeat && f.Class == Ambiguous {
		f = &Failure{Class: Ambiguous, Reason: f.Reason + repeated, Op: f.Op}
	}
	for _, o := range s.all() {
		r := NextTry(o, f, at)
		if o.Op == Edit && o.Ambiguous() && f.Op != Post {
			// An earlier attempt may have become a fresh post; that this edit failed says nothing
			// about it.
			r.Err = (&Failure{Class: Ambiguous, Reason: f.Reason}).Error()
		}
		w.settle(ctx, o, r)
	}
	v := s.verb()
	if f.Op == Post {
		v = toPost
	}
	w.hold(v, s.owed, f, at)
	w.opts.Logger.Warn("delivery failed", "receiver", w.place.receiver, "channel", w.channel,
		"key", s.owed.Key, "attempt", s.owed.Attempts+1, "err", f.Error())
}

// hold counts a failure and keeps the gate shut as long as it asks for.
func (w *worker) hold(v verb, o Owed, f *Failure, at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tally.Failures[f.Error()]++
	key := gateOf(w.place, v)
	w.gate(key).failed(key, f, at.Add(wait(o, f)), at)
}

// settle writes an outcome down, or keeps it until that is possible. It outlives ctx: what was sent
// is to be known after a stop as well.
func (w *worker) settle(ctx context.Context, o Owed, r Result) {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := w.shelf.items[o.Key]
	if i == nil {
		return
	}
	w.tally.settled(r)
	w.shelf.apply(i, r)
	if i.unclear() {
		i.over = w.opts.clock(w.at()).Add(ambiguousWait)
	}
	if !i.stored {
		w.shelf.keep(i, r)
		return
	}
	r.Begun, r.Attempts = i.begun, i.tries
	i.mine = true // an outcome that is kept is older than this one: it may not be told first
	w.mu.Unlock()
	err := w.store.Settle(context.WithoutCancel(ctx), i.Key, r)
	w.mu.Lock()
	i.mine = false
	switch {
	case err == nil:
		w.shelf.settled(i, r)
	case errors.Is(err, ErrTaken), errors.Is(err, ErrDeposed):
		w.shelf.distrust(i)
	default:
		w.shelf.keep(i, r)
		w.tally.StoreError = err.Error()
	}
}

func (w *worker) storeFailed(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.again = true
	w.tally.StoreError = err.Error()
}
