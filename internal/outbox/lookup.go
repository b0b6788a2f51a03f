package outbox

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
)

// lookUp finds out which of the ambiguous entries arrived. Those are settled; those that did not
// are set back to pending; those that cannot be asked for are sent again, saying that they may be a
// repeat.
func (w *worker) lookUp(ctx context.Context, q *queue) {
	for _, group := range byRoot(q.lookups) {
		lane := group[0].lane
		w.asks(lane == LanePage)
		if ctx.Err() != nil || w.opts.left() == 0 || w.yields(q, lane) || !w.take(toFind, w.opts.Find) {
			return
		}
		begun := w.at()
		found, err := w.find(ctx, group)
		switch {
		case errors.Is(err, ErrNoLookup):
			w.repeat(q, group, false)
		case err != nil:
			w.repeat(q, w.notFoundOut(ctx, group, FailureOf(err)), true)
		default:
			w.foundOut(ctx, q, group, found, begun)
		}
	}
	w.asks(false)
}

// asks notes whether a page waits here for nothing but its turn to be looked up.
func (w *worker) asks(page bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.room.asks = page
}

// yields reports whether a look-up waits because a page goes first: one that can be sent here now,
// or one that is to be looked up, wherever at the receiver, whose pace is one for all. After a long
// downtime there are many ends to be looked up.
func (w *worker) yields(q *queue, lane Lane) bool {
	if lane == LanePage {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.shelf.rooms {
		if r.asks && r.receiver == w.place.receiver {
			return true
		}
	}
	isPage := func(s step) bool { return s.lane == LanePage }
	return slices.ContainsFunc(q.posts, isPage) && !w.gate(gateOf(w.place, toPost)).held(w.at())
}

// find asks the receiver for the messages of a group of one root.
func (w *worker) find(ctx context.Context, group []step) (map[string][]Receipt, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.opts.Attempt)
	defer cancel()
	owed := make([]Owed, len(group))
	for i, s := range group {
		owed[i] = s.owed
	}
	found, err := w.receiver.Find(ctx, owed, group[0].root, reach(owed, w.at()))
	w.troubled = err != nil && !errors.Is(err, ErrNoLookup)
	return found, err
}

// Bounds of how far back a look-up goes.
const (
	// reachMargin is how much our clock may have been set forward since an entry was decided.
	reachMargin = 30 * time.Minute
	// reachBlind is how far back is looked for what our clock says is still to be decided: it has
	// been set back since, nobody knows by how much.
	reachBlind = 24 * time.Hour
)

// reach returns how long ago the first of the entries may have been sent. It is a duration, because
// the receiver's clock is not ours; of ours, only what went by since is believed, and a time in the
// future is not.
func reach(owed []Owed, now time.Time) time.Duration {
	var back time.Duration
	for _, o := range owed {
		first := o.Created
		if !o.Begun.IsZero() && o.Begun.Before(first) {
			first = o.Begun
		}
		age := now.Sub(first)
		if o.Created.After(now) || o.Begun.After(now) {
			age = max(age, reachBlind)
		}
		back = max(back, age)
	}
	return back + reachMargin
}

func (w *worker) foundOut(ctx context.Context, q *queue, group []step, found map[string][]Receipt, begun time.Time) {
	w.mu.Lock()
	w.gate(gateOf(w.place, toFind)).worked(begun)
	w.mu.Unlock()
	for _, s := range group {
		copies := found[s.owed.Key]
		if len(copies) == 0 && s.owed.suspected() {
			w.requeue(q, s) // the suspicion was unfounded
			continue
		}
		r := Result{State: Pending, At: w.at(), NextTry: w.at(), Err: (&Failure{Class: Retry, Reason: "looked up: it had not arrived"}).Error()}
		if n := len(copies); n > 0 {
			r = Result{State: Sent, At: w.at(), Receipt: copies[n-1]}
			if n > 1 && s.owed.Op == Post {
				r.Receipt.Repeat, r.Then = true, mendOf(s.owed.Entry, w.at())
			}
		}
		w.settle(ctx, s.owed, r)
		if len(copies) > 0 && s.owed.Attempts > 0 { // it was sent by an attempt of ours
			w.settleStale(ctx, s.untold)
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
		w.settle(ctx, s.owed, NextTry(s.owed, unclear(s.owed), w.at()))
	}
	return enough
}

// repeat queues steps to be sent although they may have arrived. findable says that the first copy
// may be found later.
func (w *worker) repeat(q *queue, steps []step, findable bool) {
	for _, s := range steps {
		s.owed.Repeat = !s.owed.suspected() // a mere suspicion is not worth a remark
		s.findable = findable && s.owed.Op == Post
		w.requeue(q, s)
	}
}

// requeue queues a step that was looked up.
func (w *worker) requeue(q *queue, s step) {
	w.mu.Lock()
	if i := w.shelf.items[s.owed.Key]; i != nil {
		i.Inherited = false
	}
	w.mu.Unlock()
	s.owed.Inherited = false
	q.posts = append(q.posts, s)
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
	if copies := found[s.owed.Key]; len(copies) > 0 {
		return copies[len(copies)-1], nil
	}
	return Receipt{}, nil
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
