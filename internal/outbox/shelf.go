package outbox

import (
	"cmp"
	"slices"
	"time"
)

// shelf is what the pump knows of everything that is pending: keys and times, by place. The store
// is read once for each entry, when it is new; what becomes of it the pump does itself. Where it
// turns out that somebody else did something, the place is read again.
type shelf struct {
	after int64 // the newest entry that was read
	items map[string]*item
	rooms map[place]*room
	roots map[topic]Receipt // where root messages are, as far as that was asked for
	kept  map[string]*item  // of the items, those that the store does not have, or was not told about
	extra int64             // how many entries were owed in memory alone, for their order
}

// topic names a thread of a receiver.
type topic struct{ receiver, thread string }

// item is a pending entry as the pump knows it.
type item struct {
	Owed
	begun  time.Time // what the store has, as is tries; Owed.Begun and Attempts are what is true
	tries  int
	stored bool      // the store has it; if not, it is owed in memory alone, with its body
	kept   *Result   // an outcome that the store was not told yet
	gone   bool      // to be taken out of its room
	mine   bool      // it is being sent, or settled
	over   time.Time // until when an attempt of unknown outcome may still come in, by Options.Clock
}

// room is one place's part of the shelf.
type room struct {
	place
	items []*item // by Seq
	lane  Lane    // the most urgent of those pending
	// wake is before when nothing can be done here; the zero time says that something may have
	// changed.
	wake     time.Time
	served   uint64 // when it was worked on last, in turns
	busy     bool   // a worker is at it
	asks     bool   // a page waits for nothing but its turn to be looked up
	troubled bool   // the newest call failed in a way that may have taken long
	stale    bool   // somebody else did something here: it must be read again
	unsorted bool
}

func newShelf() shelf {
	return shelf{items: map[string]*item{}, rooms: map[place]*room{}, kept: map[string]*item{}, roots: map[topic]Receipt{}}
}

// extraSeq is where the numbers of what is owed in memory alone begin: after all that is written
// down.
const extraSeq = 1 << 62

// put adds an entry, or takes note that the store has now what was owed in memory alone. An attempt
// of it that is news, and of which nobody knows the outcome, may come in until over.
func (s *shelf) put(o Owed, stored bool, over time.Time) {
	if stored {
		s.after = max(s.after, o.Seq)
	}
	i := s.items[o.Key]
	switch {
	case i == nil:
		i = &item{Owed: o, begun: o.Begun, tries: o.Attempts, stored: stored}
		s.items[o.Key] = i
		r := s.room(place{o.Receiver, o.Channel})
		r.items = append(r.items, i)
		r.lane, r.wake, r.unsorted = min(r.lane, o.Lane), time.Time{}, true
		if !stored {
			s.kept[o.Key] = i
		}
	case stored && !i.stored:
		i.stored, i.begun, i.tries, i.Seq = true, o.Begun, o.Attempts, o.Seq
		switch {
		case i.kept == nil && !i.mine && !o.Begun.IsZero() && i.Owed.Begun.IsZero(): // it is marked as tried, and we know better
			i.kept = &Result{State: Pending, NextTry: i.NextTry, Err: i.LastErr}
		case i.kept == nil:
			delete(s.kept, o.Key)
		}
		r := s.room(place{i.Receiver, i.Channel})
		r.wake, r.unsorted = time.Time{}, true
	case stored: // read again
		if i.kept == nil && !i.mine {
			if i.begun.Equal(o.Begun) && i.tries == o.Attempts {
				over = time.Time{} // no news
			}
			i.begun, i.tries, i.Owed.Begun, i.State = o.Begun, o.Attempts, o.Begun, o.State
			i.Attempts, i.NextTry, i.LastErr = o.Attempts, o.NextTry, o.LastErr
		}
	}
	if i.unclear() && over.After(i.over) {
		i.over = over
	}
}

// unclear reports whether an attempt was begun, by whomever, of which nobody knows the outcome.
func (i *item) unclear() bool {
	return !i.Owed.Begun.IsZero() || ClassOf(i.LastErr) == Ambiguous
}

// room returns a place's part, and makes it if there is none.
func (s *shelf) room(pl place) *room {
	r := s.rooms[pl]
	if r == nil {
		r = &room{place: pl, lane: LaneReport}
		s.rooms[pl] = r
	}
	return r
}

// window is how many entries that could be sent a worker looks at, the most urgent threads first:
// in a storm it sends some of them, and looks again. So the work grows as the storm does, and no
// faster.
const window = 1000

// pending returns what is to be sent at a place, in order, as far as the window goes, and how many
// posts and replies are beyond it.
func (s *shelf) pending(r *room, opts Options, now time.Time) (all []Owed, beyond map[Op]int) {
	r.items = slices.DeleteFunc(r.items, func(i *item) bool { return i.gone })
	if r.unsorted {
		slices.SortFunc(r.items, func(a, b *item) int { return cmp.Compare(a.Seq, b.Seq) })
		r.unsorted = false
	}
	within := func(string) bool { return true }
	if len(r.items) > window {
		within = r.urgent(opts, now)
	}
	beyond = map[Op]int{}
	for _, i := range r.items {
		if !i.sendable(opts) {
			continue
		}
		if !within(i.Thread) {
			beyond[i.Op]++
			continue
		}
		o := i.Owed
		o.NextTry = i.nextTry(opts, now)
		all = append(all, o)
	}
	return all, beyond
}

// sendable reports whether it may be sent now or later: not what is owed in memory alone and has to
// wait for the store.
func (i *item) sendable(opts Options) bool {
	return !i.gone && i.State == Pending && (i.stored || opts.unwritten(i.Lane))
}

// nextTry returns until when it waits. What may still be on its way waits until that is certainly
// over, whatever the stored time says: whoever wrote it may go by another clock than ours, and ours
// may have been corrected since.
func (i *item) nextTry(opts Options, now time.Time) time.Time {
	if i.over.IsZero() || !i.unclear() {
		return i.NextTry
	}
	if over := now.Add(i.over.Sub(opts.clock(now))); over.After(i.NextTry) {
		return over
	}
	return i.NextTry
}

// urgent chooses the threads of a window: the most urgent, and of these the oldest. What waits for
// its time takes no room.
func (r *room) urgent(opts Options, now time.Time) func(thread string) bool {
	type about struct {
		lane  Lane
		ready int
	}
	threads := map[string]*about{}
	var order []string // by the first entry
	for _, i := range r.items {
		if !i.sendable(opts) {
			continue
		}
		t := threads[i.Thread]
		if t == nil {
			t = &about{lane: LaneReport}
			threads[i.Thread], order = t, append(order, i.Thread)
		}
		if t.lane = min(t.lane, i.Lane); !i.nextTry(opts, now).After(now) {
			t.ready++
		}
	}
	slices.SortStableFunc(order, func(a, b string) int { return cmp.Compare(threads[a].lane, threads[b].lane) })
	within, room := map[string]bool{}, window
	for _, name := range order {
		if room <= 0 && threads[name].ready > 0 {
			continue
		}
		within[name] = true
		room -= threads[name].ready
	}
	return func(thread string) bool { return within[thread] }
}

// reread replaces what is known of a place by what the store says now. What it was not told yet, or
// does not have, stays; so does what is newer than what was known when it was asked.
func (s *shelf) reread(r *room, due []Owed, known int64, over time.Time) {
	there := map[string]bool{}
	for _, o := range due {
		if (place{o.Receiver, o.Channel}) == r.place {
			there[o.Key] = true
			s.put(o, true, over)
		}
	}
	for _, i := range r.items {
		if i.stored && i.Seq <= known && !there[i.Key] && i.kept == nil && !i.mine {
			s.drop(i)
		}
	}
	s.forgetRoots()
	r.stale = false
}

// forgetRoots lets the store be asked again where root messages are, but for what it does not know.
func (s *shelf) forgetRoots() {
	clear(s.roots)
	for _, i := range s.items {
		if i.kept != nil && i.kept.State == Sent && i.Op != Reply {
			s.roots[topic{i.Receiver, i.Thread}] = i.kept.Receipt
		}
	}
}

// drop takes an entry off the shelf.
func (s *shelf) drop(i *item) {
	i.gone, i.kept = true, nil
	delete(s.items, i.Key)
	delete(s.kept, i.Key)
}

// keep notes that the store has to be told an outcome later.
func (s *shelf) keep(i *item, r Result) {
	if i.kept != nil && r.Then == nil {
		r.Then = i.kept.Then
	}
	i.kept = &r
	s.kept[i.Key] = i
}

// settled notes that the store was told an outcome.
func (s *shelf) settled(i *item, r Result) {
	if r.State != Pending {
		s.drop(i)
		return
	}
	i.begun, i.kept = time.Time{}, nil
	i.tries++
	delete(s.kept, i.Key)
}

// distrust notes that somebody else has a hand in the entry: its place is read again.
func (s *shelf) distrust(i *item) {
	i.kept, i.mine = nil, false
	delete(s.kept, i.Key)
	if r := s.rooms[place{i.Receiver, i.Channel}]; r != nil {
		r.stale, r.wake = true, time.Time{}
	}
}

// apply notes what an attempt came to.
func (s *shelf) apply(i *item, r Result) {
	i.State, i.NextTry, i.LastErr, i.Owed.Begun, i.mine, i.Inherited = r.State, r.NextTry, r.Err, time.Time{}, false, false
	i.Attempts++
	if r.State == Sent && i.Op != Reply {
		s.roots[topic{i.Receiver, i.Thread}] = r.Receipt
	}
	rm := s.rooms[place{i.Receiver, i.Channel}]
	if rm != nil {
		rm.wake = time.Time{}
	}
}

// close lets go of a room in which nothing is left, and now and then of roots that nothing asks
// for.
func (s *shelf) close(r *room) {
	r.items = slices.DeleteFunc(r.items, func(i *item) bool { return i.gone })
	if len(r.items) == 0 {
		delete(s.rooms, r.place)
	}
	if len(s.roots) > 2*len(s.items)+1000 {
		s.forgetRoots()
	}
}
