package outbox

import (
	"context"
	"errors"
	"strings"
	"time"
)

// When nobody can find out whether a message arrived, it is sent again after a while, marked as
// maybe a repeat. If the first copy had arrived, it would say for ever what it said then. So the
// pump owes itself to look for it when look-ups work again. What it finds is made to lead to the
// second; then, or if there is nothing, the mark is taken off.

// mendKey is what the key of a mend has in addition to that of its message.
const mendKey = "/first"

// mendOf returns the mend of a message that was repeated.
func mendOf(e Entry, now time.Time) *Entry {
	created := e.Created
	if created.After(now) {
		created = now
	}
	return &Entry{
		Key: e.Key + mendKey, Receiver: e.Receiver, Lane: LaneReport, Channel: e.Channel, Thread: e.Thread, Op: Mend,
		Body: []byte("{}"), Created: created,
	}
}

// mendAll looks for first copies, as far as the pace allows.
func (w *worker) mendAll(ctx context.Context, mends []Owed) {
	for _, o := range mends {
		if ctx.Err() != nil || w.opts.left() == 0 || w.yields(&queue{}, o.Lane) || !w.take(toFind, w.opts.Find) {
			return
		}
		r, err := w.mend(ctx, o)
		switch {
		case errors.Is(err, ErrNoLookup):
			r = Result{State: Superseded} // nobody will ever know; the mark stays
		case err != nil:
			f := FailureOf(err)
			w.hold(toFind, o, f, w.at())
			r = NextTry(o, &Failure{Class: Retry, Reason: f.Reason}, w.at())
		}
		r.At = w.at()
		w.settle(ctx, o, r)
	}
}

// mend looks for the copies of a message and lets all but the newest lead to that one.
func (w *worker) mend(ctx context.Context, o Owed) (Result, error) {
	shown, there, err := w.store.Root(ctx, w.place.receiver, o.Thread)
	pointer, able := w.receiver.(Pointer)
	if err != nil || !there || !able {
		return Result{State: Superseded}, err
	}
	first := o
	first.Key = strings.TrimSuffix(o.Key, mendKey)
	found, err := w.find(ctx, []step{{owed: first}})
	if err != nil {
		return Result{}, err
	}
	root := shown.Receipt
	for _, c := range found[first.Key] {
		if c.TS == root.TS && c.Channel == root.Channel {
			continue
		}
		if err := w.point(ctx, pointer, c, root); err != nil {
			return Result{}, err
		}
	}
	return w.unmark(ctx, o, shown)
}

// point lets one message lead to another, while this process may send. One that is gone leads
// nowhere.
func (w *worker) point(ctx context.Context, p Pointer, from, to Receipt) error {
	limit := w.opts.left()
	if limit == 0 {
		return notOurs
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	err := p.Point(ctx, from, to)
	if err != nil && FailureOf(err).Class == TargetGone {
		return nil
	}
	return err
}

// unmark shows the root message as it is, without saying that it may be a repeat.
func (w *worker) unmark(ctx context.Context, o, shown Owed) (Result, error) {
	root := shown.Receipt
	root.Repeat = false
	bodies, err := w.bodies(ctx, []string{shown.Key})
	if err != nil {
		return Result{}, err
	}
	if body := bodies[shown.Key]; body != nil && shown.Op != Mend && !root.Shared {
		o.Op, o.Body = Edit, body
		if root, err = w.deliver(ctx, step{owed: o, root: root}); err != nil && FailureOf(err).Class != TargetGone {
			return Result{}, err
		}
		if err != nil {
			return Result{State: Superseded}, nil // a person deleted it
		}
	}
	return Result{State: Sent, Receipt: root}, nil
}
