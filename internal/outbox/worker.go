package outbox

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
)

// worker does what one channel has to do at one moment.
type worker struct {
	*Pump
	place
	receiver Receiver
	now      time.Time // the time of the pass
	began    time.Time // when that was on the machine's own clock
}

// at returns the time of the pass plus what has gone by since: a call may take seconds, and a
// Retry-After counts from its answer.
func (w *worker) at() time.Time { return w.now.Add(time.Since(w.began)) }

func (w *worker) work(ctx context.Context, pending []Owed) {
	if w.receiver == nil {
		w.orphans(ctx, pending)
		return
	}
	roots, err := w.roots(ctx, pending)
	if err != nil {
		w.storeFailed(err)
		return
	}
	pending, untold := w.untold(pending, roots)
	q := plan(pending, roots, w.receiver, w.now)
	q.needless = append(q.needless, untold...)
	for _, o := range q.needless {
		w.settle(ctx, o.Key, Result{State: Superseded, At: w.at()})
	}
	for _, o := range q.expired {
		w.settle(ctx, o.Key, Result{State: Dead, At: w.at(), Err: o.LastErr})
		w.opts.Logger.Error("a message is given up: it is too old to be worth sending", "receiver", w.place.receiver, "channel", w.channel,
			"key", o.Key, "attempts", o.Attempts, "err", o.LastErr)
	}
	w.lookUp(ctx, &q)
	w.sendAll(ctx, w.opts.Storm.fold(q.posts, w.receiver), toPost, w.opts.Post)
	w.sendAll(ctx, q.edits, toEdit, w.opts.Edit)
}

// orphans are entries of a receiver that is not configured any more. They wait, visibly, and die of
// age.
func (w *worker) orphans(ctx context.Context, pending []Owed) {
	f := &Failure{Class: Misconfigured, Reason: "no receiver named " + w.place.receiver}
	for _, o := range pending {
		if !o.NextTry.After(w.now) {
			w.settle(ctx, o.Key, NextTry(o, f, w.now))
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.gate(gateOf(w.place, toPost)).failed(gateOf(w.place, toPost), f, w.now.Add(slowWait), w.now)
}

// roots finds the root messages of the threads whose root is not itself waiting.
func (w *worker) roots(ctx context.Context, pending []Owed) (map[string]Receipt, error) {
	waiting := map[string]bool{}
	for _, o := range pending {
		waiting[o.Thread] = waiting[o.Thread] || o.Op == Post
	}
	roots := map[string]Receipt{}
	for _, o := range pending {
		if _, known := roots[o.Thread]; known || waiting[o.Thread] || o.NextTry.After(w.now) {
			continue
		}
		root, _, err := w.store.Root(ctx, w.place.receiver, o.Thread)
		if err != nil {
			return nil, err
		}
		roots[o.Thread] = root
	}
	return roots, nil
}

// untold takes out what only follows up on a thread of which nothing was sent, and nothing waits to
// be. While outcomes are not written down, nobody can be sure of that.
func (w *worker) untold(pending []Owed, roots map[string]Receipt) (rest, untold []Owed) {
	w.mu.Lock()
	sure := len(w.unsaved) == 0
	w.mu.Unlock()
	for _, o := range pending {
		// A root that was looked for and not found: one that waits is not in roots.
		if root, known := roots[o.Thread]; sure && o.IfTold && known && root.None() {
			untold = append(untold, o)
			continue
		}
		rest = append(rest, o)
	}
	return rest, untold
}

// sendAll sends in order, as far as the pace allows.
func (w *worker) sendAll(ctx context.Context, steps []step, v verb, pace Pace) {
	for _, s := range steps {
		if ctx.Err() != nil || !w.take(v, pace) {
			return
		}
		w.send(ctx, s)
	}
}

func (w *worker) take(v verb, pace Pace) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.gate(gateOf(w.place, v)).take(pace, w.at())
}

// send writes down that it begins, delivers, and writes down what came of it.
func (w *worker) send(ctx context.Context, s step) {
	if err := w.store.Begin(ctx, s.keys(), w.at()); err != nil {
		w.storeFailed(err)
		if s.lane != LanePage {
			return
		}
		// A page goes out even when nothing can be written down: a full disk must not silence it.
	}
	begun := w.at()
	receipt, err := w.deliver(ctx, s)
	if f := FailureOf(err); err != nil && f.Class == TargetGone && !s.root.None() {
		receipt, err = w.sendAfresh(ctx, &s)
	}
	switch {
	case errors.Is(err, ErrNeedless):
		w.settle(ctx, s.owed.Key, Result{State: Superseded, At: w.at()})
	case err != nil:
		w.failed(ctx, s, FailureOf(err))
	default:
		w.delivered(ctx, s, receipt, begun)
	}
}

// deliver returns one bounded attempt. It outlives ctx, so that a stop lets it finish.
func (w *worker) deliver(ctx context.Context, s step) (Receipt, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.opts.Attempt)
	defer cancel()
	return w.receiver.Deliver(ctx, s.owed, s.root)
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

// findAfresh looks for a message that may have been posted afresh before; the zero receipt says
// that it has not, or that it is to be repeated.
func (w *worker) findAfresh(ctx context.Context, s *step) (Receipt, error) {
	if !w.take(toFind, w.opts.Find) {
		return Receipt{}, notLookedUp
	}
	found, err := w.find(ctx, []step{*s})
	switch {
	case errors.Is(err, ErrNoLookup):
		s.owed.Repeat = true
	case err != nil:
		w.hold(toFind, s.owed, FailureOf(err), w.at())
		if !w.impatient(s.owed) {
			return Receipt{}, unclear(s.owed)
		}
		s.owed.Repeat = true
	}
	return found[s.owed.Key], nil
}

func (w *worker) delivered(ctx context.Context, s step, receipt Receipt, begun time.Time) {
	receipt.Shared = len(s.folded) > 0
	w.mu.Lock()
	w.gate(gateOf(w.place, s.verb())).worked(begun)
	w.tally.Folded += len(s.folded)
	if s.owed.Repeat {
		w.tally.Repeats++
	}
	w.mu.Unlock()
	for _, key := range s.keys() {
		w.settle(ctx, key, Result{State: Sent, Receipt: receipt, At: w.at()})
	}
	for _, key := range s.stale {
		w.settle(ctx, key, Result{State: Superseded, At: w.at()})
	}
}

func (w *worker) failed(ctx context.Context, s step, f *Failure) {
	at := w.at()
	if s.owed.Repeat && f.Class == Ambiguous {
		f = &Failure{Class: Ambiguous, Reason: f.Reason + repeated, Op: f.Op}
	}
	for _, o := range append([]Owed{s.owed}, s.folded...) {
		r := NextTry(o, f, at)
		if o.Op == Edit && o.Ambiguous() && f.Op != Post {
			// An earlier attempt may have become a fresh post; that this edit failed says nothing
			// about it.
			r.Err = (&Failure{Class: Ambiguous, Reason: f.Reason}).Error()
		}
		w.settle(ctx, o.Key, r)
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
func (w *worker) settle(ctx context.Context, key string, r Result) {
	err := w.store.Settle(context.WithoutCancel(ctx), key, r)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tally.settled(r)
	delete(w.inherited, key)
	if err != nil {
		w.unsaved[key] = r
		w.tally.StoreError = err.Error()
	}
}

func (w *worker) storeFailed(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tally.StoreError = err.Error()
}

// lookUp finds out which of the ambiguous entries arrived. Those are settled; those that did not
// are set back to pending; those that cannot be asked for are sent again, saying that they may be a
// repeat.
func (w *worker) lookUp(ctx context.Context, q *queue) {
	for _, group := range byRoot(q.lookups) {
		if ctx.Err() != nil || !w.take(toFind, w.opts.Find) {
			return
		}
		begun := w.at()
		found, err := w.find(ctx, group)
		switch {
		case errors.Is(err, ErrNoLookup):
			w.repeat(q, group)
		case err != nil:
			w.repeat(q, w.notFoundOut(ctx, group, FailureOf(err)))
		default:
			w.foundOut(ctx, q, group, found, begun)
		}
	}
}

// find asks the receiver for the messages of a group of one root.
func (w *worker) find(ctx context.Context, group []step) (map[string]Receipt, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.opts.Attempt)
	defer cancel()
	owed := make([]Owed, len(group))
	for i, s := range group {
		owed[i] = s.owed
	}
	return w.receiver.Find(ctx, owed, group[0].root)
}

func (w *worker) foundOut(ctx context.Context, q *queue, group []step, found map[string]Receipt, begun time.Time) {
	w.mu.Lock()
	w.gate(gateOf(w.place, toFind)).worked(begun)
	w.mu.Unlock()
	for _, s := range group {
		if _, ok := found[s.owed.Key]; !ok && s.owed.suspected() {
			w.again(q, s) // the suspicion was unfounded
			continue
		}
		r := Result{State: Pending, At: w.at(), NextTry: w.at(), Err: (&Failure{Class: Retry, Reason: "looked up: it had not arrived"}).Error()}
		receipt, ok := found[s.owed.Key]
		if ok {
			r = Result{State: Sent, At: w.at(), Receipt: receipt}
		}
		w.settle(ctx, s.owed.Key, r)
		if ok && s.owed.Attempts > 0 { // it was sent by an attempt of ours
			for _, key := range s.untold {
				w.settle(ctx, key, Result{State: Superseded, At: w.at()})
			}
		}
	}
}

// notLookedUp keeps an entry ambiguous.
var notLookedUp = &Failure{Class: Ambiguous, Reason: "look-up failed"}

// repeated marks a failure of an entry that was sent again although it may have arrived. That is
// done once: if the second outcome is unclear as well, it waits until it can be looked up.
const repeated = " after a repeat"

// unclear returns why an entry stays ambiguous when its look-up failed.
func unclear(o Owed) *Failure {
	if strings.HasSuffix(o.LastErr, repeated) {
		return &Failure{Class: Ambiguous, Reason: notLookedUp.Reason + repeated}
	}
	return notLookedUp
}

// patience is how old a message may grow while look-ups fail; then it is rather sent twice than not
// at all.
const patience = 5 * time.Minute

func (w *worker) impatient(o Owed) bool {
	return w.at().Sub(o.Created) > patience && o.LastErr == notLookedUp.Error()
}

// notFoundOut keeps entries ambiguous whose look-up failed, and returns those that have waited
// enough.
func (w *worker) notFoundOut(ctx context.Context, group []step, f *Failure) []step {
	w.hold(toFind, group[0].owed, f, w.at())
	var enough []step
	for _, s := range group {
		if w.impatient(s.owed) {
			enough = append(enough, s)
			continue
		}
		w.settle(ctx, s.owed.Key, NextTry(s.owed, unclear(s.owed), w.at()))
	}
	return enough
}

// repeat queues steps to be sent although they may have arrived.
func (w *worker) repeat(q *queue, steps []step) {
	for _, s := range steps {
		s.owed.Repeat = !s.owed.suspected() // a mere suspicion is not worth a remark
		w.again(q, s)
	}
}

// again queues a step that was looked up.
func (w *worker) again(q *queue, s step) {
	w.mu.Lock()
	delete(w.inherited, s.owed.Key)
	w.mu.Unlock()
	s.owed.Inherited = false
	q.posts = append(q.posts, s)
	slices.SortStableFunc(q.posts, byUrgency)
}

// byRoot groups steps that one look-up answers.
func byRoot(steps []step) [][]step {
	at := map[Receipt]int{}
	var groups [][]step
	for _, s := range steps {
		i, seen := at[s.root]
		if !seen {
			i = len(groups)
			at[s.root] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], s)
	}
	return groups
}
