package outbox

import (
	"context"
	"encoding/json"
	"slices"
	"time"
)

// worker does what one channel has to do at one moment.
type worker struct {
	*Pump
	place
	room     *room
	receiver Receiver
	now      time.Time // the time of the pass
	began    time.Time // when that was on the machine's own clock

	slowly   bool // it has one of the slots of places in trouble
	troubled bool // the newest call failed in a way that may have taken long
	again    bool // the store failed: there is more to do as soon as it works
	// beyond is how many posts and replies wait here that this worker does not look at.
	beyond map[Op]int
}

// at returns the time of the pass plus what has gone by since: a call may take seconds, and a
// Retry-After counts from its answer.
func (w *worker) at() time.Time { return w.now.Add(time.Since(w.began)) }

func (w *worker) work(ctx context.Context) {
	pending, err := w.pending(ctx)
	if err != nil {
		w.storeFailed(err)
		return
	}
	if w.receiver == nil {
		w.orphans(ctx, pending)
		return
	}
	pending, roots := w.rooted(ctx, pending)
	pending, untold := w.untold(pending, roots)
	q := plan(pending, roots, w.receiver, w.opts.Storm, w.now)
	q.needless = append(q.needless, untold...)
	for _, o := range q.needless {
		w.settle(ctx, o, Result{State: Superseded, At: w.at()})
	}
	for _, o := range q.expired {
		w.giveUp(ctx, o)
	}
	w.lookUp(ctx, &q)
	slices.SortStableFunc(q.posts, byUrgency)
	w.sendAll(ctx, w.opts.Storm.fold(q.posts, w.receiver), toPost, w.opts.Post)
	w.sendAll(ctx, line{single: q.edits}, toEdit, w.opts.Edit)
	w.mendAll(ctx, q.mends)
}

// pending returns what is to be sent here. The place is this worker's alone, so nobody in this
// process changes any of it; where another one did, it is read again first.
func (w *worker) pending(ctx context.Context) ([]Owed, error) {
	w.mu.Lock()
	stale, known := w.room.stale, w.shelf.after
	w.mu.Unlock()
	if stale {
		due, err := w.store.Due(ctx, 0)
		if err != nil {
			return nil, err
		}
		w.mu.Lock()
		w.shelf.reread(w.room, due, known, w.opts.othersOver(w.now))
		w.mu.Unlock()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []Owed
	all, w.beyond = w.shelf.pending(w.room, w.opts, w.now)
	return all, nil
}

// wake returns when something can be done here, as far as that is known, and notes what is most
// urgent. The mutex is held.
func (w *worker) wake() time.Time {
	at := w.at()
	open := map[verb]time.Time{
		toPost: w.gate(gateOf(w.place, toPost)).next(w.opts.Post, at),
		toEdit: w.gate(gateOf(w.place, toEdit)).next(w.opts.Edit, at),
		toFind: w.gate(gateOf(w.place, toFind)).next(w.opts.Find, at),
	}
	next := at.Add(longestAsked)
	w.room.lane = LaneReport
	for _, i := range w.room.items {
		if !i.sendable(w.opts) {
			continue
		}
		w.room.lane = min(w.room.lane, i.Lane)
		if due := i.due(open, w.opts, at); due.Before(next) {
			next = due
		}
	}
	if w.again || w.room.stale {
		return time.Time{}
	}
	return next.Add(-wakeEarly)
}

// wakeEarly is how much before its time a place is looked at: the pace decides exactly.
const wakeEarly = 20 * time.Millisecond

// due returns when something can be done about an entry, with the times at which calls may go
// through.
func (i *item) due(open map[verb]time.Time, opts Options, at time.Time) time.Time {
	next := open[toPost]
	later := func(t time.Time) {
		if t.After(next) {
			next = t
		}
	}
	switch {
	case i.Op == Edit:
		next = open[toEdit]
	case i.Op == Mend:
		next = open[toFind]
	case i.Ambiguous():
		later(i.Owed.Begun.Add(ambiguousWait))
		later(open[toFind])
	}
	o := i.Owed
	if o.NextTry = i.nextTry(opts, at); o.waits(at) {
		later(o.NextTry)
	}
	return next
}

// orphans lists entries of a receiver that is not configured any more. They wait, visibly, and die
// of age.
func (w *worker) orphans(ctx context.Context, pending []Owed) {
	f := &Failure{Class: Misconfigured, Reason: "no receiver named " + w.place.receiver}
	for _, o := range pending {
		if !o.NextTry.After(w.now) {
			w.settle(ctx, o, NextTry(o, f, w.now))
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.gate(gateOf(w.place, toPost)).failed(gateOf(w.place, toPost), f, w.now.Add(slowWait), w.now)
}

// rooted finds the root messages of the threads whose root is not itself waiting. Threads whose
// root the store cannot tell are left out for now.
func (w *worker) rooted(ctx context.Context, pending []Owed) ([]Owed, map[string]Receipt) {
	waiting := map[string]bool{}
	for _, o := range pending {
		waiting[o.Thread] = waiting[o.Thread] || o.Op == Post
	}
	roots, unknown := map[string]Receipt{}, map[string]bool{}
	for _, o := range pending {
		if _, known := roots[o.Thread]; known || waiting[o.Thread] || unknown[o.Thread] || o.NextTry.After(w.now) {
			continue
		}
		root, err := w.root(ctx, topic{w.place.receiver, o.Thread})
		if err != nil {
			w.storeFailed(err)
			unknown[o.Thread] = true
			continue
		}
		roots[o.Thread] = root
	}
	if len(unknown) > 0 {
		pending = slices.DeleteFunc(pending, func(o Owed) bool { return unknown[o.Thread] })
	}
	return pending, roots
}

// root returns where a thread's root message is. What this process has sent it knows by itself.
func (p *Pump) root(ctx context.Context, name topic) (Receipt, error) {
	p.mu.Lock()
	root, known := p.shelf.roots[name]
	p.mu.Unlock()
	if known {
		return root, nil
	}
	o, _, err := p.store.Root(ctx, name.receiver, name.thread)
	if err != nil {
		return Receipt{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if known, ok := p.shelf.roots[name]; ok {
		return known, nil // it was sent meanwhile
	}
	p.shelf.roots[name] = o.Receipt
	return o.Receipt, nil
}

// untold takes out what only follows up on a thread of which nothing was sent, and nothing waits to
// be.
func (w *worker) untold(pending []Owed, roots map[string]Receipt) (rest, untold []Owed) {
	for _, o := range pending {
		// A root that was looked for and not found: one that waits is not in roots.
		if root, known := roots[o.Thread]; o.IfTold && known && root.None() {
			untold = append(untold, o)
			continue
		}
		rest = append(rest, o)
	}
	return rest, untold
}

// giveUp lets an entry die of age. The first copy of a message that was never found is no loss.
func (w *worker) giveUp(ctx context.Context, o Owed) {
	if o.Op == Mend {
		w.settle(ctx, o, Result{State: Superseded, At: w.at(), Err: o.LastErr})
		return
	}
	w.settle(ctx, o, Result{State: Dead, At: w.at(), Err: o.LastErr})
	w.opts.Logger.Error("a message is given up: it is too old to be worth sending", "receiver", w.place.receiver, "channel", w.channel,
		"key", o.Key, "attempts", o.Attempts, "err", o.LastErr)
}

// sendAll sends in order, as far as the pace allows.
func (w *worker) sendAll(ctx context.Context, l line, v verb, pace Pace) {
	for !l.empty() {
		if ctx.Err() != nil || w.opts.left() == 0 || !w.take(v, pace) {
			return
		}
		of, waiting, took := l.next()
		s, n := of[0], 1
		switch {
		case waiting > 0:
			if s, n = w.digest(ctx, of, waiting+w.beyond[s.owed.Op]); n == 0 {
				return
			}
		case len(s.crowd) > 1: // the rest of its thread waits for what comes of it
			if s, n = w.digest(ctx, s.crowd, len(s.crowd)); n == 0 {
				return
			}
			n = 1
		}
		took(n)
		w.send(ctx, s)
	}
}

func (w *worker) take(v verb, pace Pace) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.gate(gateOf(w.place, v)).take(pace, w.at())
}

// digest makes one step of the first of a group, and says how many it took: none if they cannot be
// read.
func (w *worker) digest(ctx context.Context, of []step, waiting int) (step, int) {
	var keys []string
	for _, s := range of {
		keys = append(keys, s.owed.Key)
		if s.edit != nil {
			keys = append(keys, s.edit.Key)
		}
	}
	bodies, err := w.bodies(ctx, keys)
	if err != nil {
		w.storeFailed(err)
		return step{}, 0
	}
	entries := make([]Entry, len(of))
	for i := range of {
		entries[i], _ = w.upToDate(of[i], bodies)
	}
	body, n := w.receiver.(Digester).Digest(entries, waiting)
	n = min(max(n, 1), len(of))
	s := step{owed: of[0].owed, root: of[0].root, lane: of[0].lane, named: of[:n]}
	s.owed.Body = body
	for i, f := range s.named {
		s.stale = append(s.stale, f.stale...)
		if f.edit != nil {
			s.stale = append(s.stale, f.edit.Key)
		}
		if i > 0 {
			s.folded = append(s.folded, f.owed)
		}
	}
	return s, n
}

// upToDate returns what a step sends, in the state of its edit if the receiver can do that.
func (w *worker) upToDate(s step, bodies map[string]json.RawMessage) (e Entry, folded bool) {
	e = s.owed.Entry
	e.Body = bodies[e.Key]
	if s.edit == nil {
		return e, false
	}
	edit := s.edit.Entry
	edit.Body = bodies[edit.Key]
	if body := w.receiver.(Folder).Fold(e, edit); body != nil {
		e.Body, folded = body, true
	}
	return e, folded
}

// bodies returns what entries say: from memory what is owed there alone, the rest from the store.
func (p *Pump) bodies(ctx context.Context, keys []string) (map[string]json.RawMessage, error) {
	here := map[string]json.RawMessage{}
	var there []string
	p.mu.Lock()
	for _, key := range keys {
		if i := p.shelf.items[key]; i != nil && (!i.stored || i.Body != nil) {
			here[key] = i.Body
		} else {
			there = append(there, key)
		}
	}
	p.mu.Unlock()
	if len(there) == 0 {
		return here, nil
	}
	read, err := p.store.Bodies(ctx, there)
	for key, body := range read {
		here[key] = body
	}
	return here, err
}
