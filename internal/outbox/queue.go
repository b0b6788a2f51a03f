package outbox

import (
	"cmp"
	"slices"
	"time"
)

// place is one queue: a channel of a receiver.
type place struct{ receiver, channel string }

// step is one message to send and the entries it settles.
type step struct {
	owed   Owed     // what is sent
	root   Receipt  // of its thread
	named  []step   // what a digest names
	crowd  []step   // of a thread in which many replies wait, the first of them, which a digest may name
	folded []Owed   // entries that the same message settles: the rest of a digest
	edit   *Owed    // a later state of a root message, in which it is sent at once
	stale  []string // keys of edits that become needless once it is sent
	untold []string // of these, those that matter if a process before has sent it
	lane   Lane     // its thread's most urgent
	// findable says that it is a repeat of what may be found later.
	findable bool
}

// posts reports whether the step puts a new message into the channel, rather than editing one.
func (s step) posts() bool { return s.owed.Op != Edit || s.root.None() }

func (s step) verb() verb {
	if s.posts() {
		return toPost
	}
	return toEdit
}

// all returns every entry that the step settles.
func (s step) all() []Owed { return append([]Owed{s.owed}, s.folded...) }

// queue is what one place has to do now, in order.
type queue struct {
	posts    []step
	edits    []step
	lookups  []step // may have arrived already: ask before sending
	mends    []Owed // first copies to be found
	needless []Owed // edits that a newer one of the same message replaced
	expired  []Owed // too old, and failing
	storm    Storm  // when replies of one thread are told in digests; zero is never
}

// thread is what is pending about one thread.
type thread struct {
	root           Receipt
	post           *Owed
	replies, edits []Owed
	lane           Lane
}

// plan decides, without doing anything, what one place sends next. pending are its entries in the
// order of Seq, roots the root messages that exist.
//
// Within a thread nothing is reordered: the root comes before the replies, the replies come in
// their order, and one that must wait holds up those behind it. Threads overtake each other by
// lane; a thread is as urgent as the most urgent message it holds, so an escalation pulls its root
// along.
func plan(pending []Owed, roots map[string]Receipt, receiver Receiver, storm Storm, now time.Time) queue {
	q := queue{storm: storm}
	if _, ok := receiver.(Digester); !ok {
		q.storm = Storm{}
	}
	for _, t := range threads(pending, roots, now, &q) {
		t.plan(&q, receiver, now)
	}
	for _, steps := range [][]step{q.posts, q.edits, q.lookups} {
		slices.SortStableFunc(steps, byUrgency)
	}
	return q
}

func byUrgency(a, b step) int {
	return cmp.Or(cmp.Compare(a.lane, b.lane), cmp.Compare(a.owed.Seq, b.owed.Seq))
}

// threads groups entries by thread, in the order of first appearance.
func threads(pending []Owed, roots map[string]Receipt, now time.Time, q *queue) []*thread {
	byName := map[string]*thread{}
	var order []*thread
	for _, o := range pending {
		switch {
		case o.Attempts > 0 && o.expired(now):
			q.expired = append(q.expired, o)
			continue
		case o.Op == Mend:
			if !o.waits(now) {
				q.mends = append(q.mends, o)
			}
			continue
		}
		t := byName[o.Thread]
		if t == nil {
			t = &thread{root: roots[o.Thread], lane: LaneReport}
			byName[o.Thread] = t
			order = append(order, t)
		}
		t.add(o)
	}
	return order
}

func (t *thread) add(o Owed) {
	switch {
	case o.Op == Edit:
		t.edits = append(t.edits, o)
		return
	case o.Op == Post && t.post == nil:
		t.post = &o
	default:
		t.replies = append(t.replies, o)
	}
	t.lane = min(t.lane, o.Lane)
}

// plan adds to the queue what the thread may send now: its root before its replies, and of its
// edits the newest.
func (t *thread) plan(q *queue, receiver Receiver, now time.Time) {
	edit := t.newestEdit(q)
	switch {
	case t.post != nil:
		t.planPost(q, receiver, edit, now)
	case len(t.replies) > 0 && t.replies[0].Ambiguous():
		t.planReply(q, now) // it is looked for under this root, so the root must not change meanwhile
	case edit != nil && t.root.Shared:
		q.needless = append(q.needless, *edit) // a digest is nobody's own to edit; the replies tell
		t.planReply(q, now)
	case edit != nil && t.root.None():
		t.planEdit(q, &q.posts, edit, now) // the root was never sent: this becomes one, and replies wait for it
	case edit != nil:
		t.planEdit(q, &q.edits, edit, now)
		t.planReply(q, now)
	default:
		t.planReply(q, now)
	}
}

// newestEdit returns the edit that matters; older ones are needless. Only one that may have become
// a fresh root message, its old one being gone, has to be cleared up first.
func (t *thread) newestEdit(q *queue) *Owed {
	for i := range t.edits {
		if t.edits[i].Ambiguous() {
			return &t.edits[i]
		}
	}
	if len(t.edits) == 0 {
		return nil
	}
	last := len(t.edits) - 1
	q.needless = append(q.needless, t.edits[:last]...)
	return &t.edits[last]
}

func (t *thread) planPost(q *queue, receiver Receiver, edit *Owed, now time.Time) {
	s := step{owed: *t.post, lane: t.lane}
	if edit != nil && edit.IfFound {
		s.stale = []string{edit.Key}
		s.untold = s.stale
		edit = nil
	}
	if _, ok := receiver.(Folder); ok {
		s.edit = edit
	}
	q.put(&q.posts, s, now)
}

func (t *thread) planReply(q *queue, now time.Time) {
	if len(t.replies) > 0 {
		q.put(&q.posts, step{owed: t.replies[0], root: t.root, lane: t.lane, crowd: t.crowd(q.storm, now)}, now)
	}
}

// crowd returns the first replies of a thread in which more wait than a storm begins with, as many
// as a digest may name; else nil. It ends before one that must wait, or that may have arrived.
func (t *thread) crowd(storm Storm, now time.Time) (crowd []step) {
	if storm.At <= 0 || len(t.replies) <= storm.At {
		return nil
	}
	for _, o := range t.replies[:min(len(t.replies), DigestMost)] {
		if o.waits(now) || o.Ambiguous() {
			break
		}
		crowd = append(crowd, step{owed: o, root: t.root, lane: t.lane})
	}
	return crowd
}

func (t *thread) planEdit(q *queue, to *[]step, edit *Owed, now time.Time) {
	s := step{owed: *edit, root: t.root, lane: min(t.lane, edit.Lane)}
	q.put(to, s, now)
}

// put adds a step whose time has come. What may have arrived is asked for first, but not sooner
// than a request that was under way could have come in; an edit needs no asking, doing it twice is
// doing it once.
func (q *queue) put(to *[]step, s step, now time.Time) {
	switch {
	case s.owed.waits(now):
	case !s.owed.Ambiguous(), !s.posts():
		*to = append(*to, s)
	case now.Sub(s.owed.Begun) >= ambiguousWait:
		q.lookups = append(q.lookups, s)
	}
}

// Storm bounds how many messages wait in one channel before they are folded.
type Storm struct {
	At   int // fold when more than this many wait: of root messages, and of replies
	Keep int // the most urgent, which still get a message of their own
}

// line is what is posted, in order: single messages, and groups that are named in digests.
type line struct {
	single []step
	groups [][]step
}

// fold lets the overflow of a storm be named in digests, before what else is as urgent: everybody
// is named within seconds. Root messages are folded apart from what follows on them. The folded
// entries share the digest's receipt; what follows about a folded root is said in the digest's
// thread.
func (s Storm) fold(posts []step, receiver Receiver) line {
	if _, ok := receiver.(Digester); !ok || s.At <= 0 {
		return line{single: posts}
	}
	roots, replies, rest := sortOut(posts)
	if len(roots) <= s.At && len(replies) <= s.At {
		return line{single: posts}
	}
	l := line{single: rest}
	for _, all := range [][]step{roots, replies} {
		if len(all) <= s.At {
			l.single = append(l.single, all...)
			continue
		}
		l.single = append(l.single, all[:s.Keep]...)
		l.groups = append(l.groups, byThread(all[s.Keep:])...)
	}
	slices.SortStableFunc(l.single, byUrgency)
	return l
}

// empty reports whether nothing is left.
func (l *line) empty() bool { return len(l.single) == 0 && len(l.groups) == 0 }

// next returns what comes first: one step to be sent by itself, or the beginning of a group and how
// many are in it. took takes as many of them out of the line.
func (l *line) next() (of []step, waiting int, took func(n int)) {
	first := -1
	for n, g := range l.groups {
		if first < 0 || g[0].lane < l.groups[first][0].lane {
			first = n
		}
	}
	if first < 0 || len(l.single) > 0 && l.single[0].lane < l.groups[first][0].lane {
		return l.single[:1], 0, func(n int) { l.single = l.single[n:] }
	}
	g := l.groups[first]
	return g[:min(len(g), DigestMost)], len(g), func(n int) {
		if l.groups[first] = g[n:]; n == len(g) {
			l.groups = slices.Delete(l.groups, first, first+1)
		}
	}
}

// sortOut tells what can be folded, messages about incidents that certainly have not arrived, from
// the rest.
func sortOut(posts []step) (roots, replies, rest []step) {
	for _, p := range posts {
		switch {
		case p.lane >= LaneReport || p.owed.Ambiguous() || p.owed.Op == Edit:
			rest = append(rest, p)
		case p.owed.Op == Post:
			roots = append(roots, p)
		default:
			replies = append(replies, p)
		}
	}
	return roots, replies, rest
}

// byThread parts replies that belong into the thread of one earlier digest from the others, which
// have a root each: those are told in the channel.
func byThread(all []step) [][]step {
	at := map[Receipt]int{}
	var groups [][]step
	for _, p := range all {
		if !p.root.Shared {
			p.root = Receipt{}
		}
		n, seen := at[p.root]
		if !seen {
			n = len(groups)
			at[p.root], groups = n, append(groups, nil)
		}
		groups[n] = append(groups[n], p)
	}
	return groups
}
