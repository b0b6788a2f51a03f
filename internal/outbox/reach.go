package outbox

import (
	"errors"
	"sync"
	"time"
)

// Reach is what is known of whether messages get through, by receiver and channel: from what the
// pump tries to deliver, and from receivers that were asked whether they work. It is safe for
// concurrent use. The zero value knows nothing.
type Reach struct {
	mu     sync.Mutex
	places map[place]*contact
}

// contact is what is known of one channel, or of a receiver as a whole.
type contact struct {
	taken   time.Time // when the newest message was taken
	up      time.Time // since when it works, as far as that was seen
	refused refusal   // of messages
	silent  refusal   // of questions
	mended  refusal   // what was refused until a question was answered
}

// refusal is a stretch of failures. The zero value is none.
type refusal struct {
	since  time.Time
	reason string    // "class: reason" of the newest
	newest time.Time // when that was; of what is mended, when a question was answered or it came again
}

// Contact is whether messages get through to a channel.
type Contact struct {
	Receiver, Channel string
	Down              bool
	Since             time.Time // since when it is down, or works; zero if neither was seen
	Reason            string    // "class: reason" of what it is down for
	Taken             time.Time // when it took the newest message
}

// downAfter is how long a receiver may fail in other ways than by refusing what a person has to put
// right, before it is called down.
const downAfter = 2 * time.Minute

// untried is after how long without another failure nobody tries a channel any more.
const untried = 2 * slowWait

// delivered takes note of an attempt to deliver to a channel.
func (r *Reach) delivered(pl place, receipt Receipt, err error, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if errors.Is(err, ErrNeedless) {
		return
	}
	c := r.contact(pl)
	reason := receipt.Refused // it took the message, but not in this channel
	if err != nil {
		reason = FailureOf(err).Error()
	}
	switch ClassOf(reason) {
	case TargetGone, Degrade, Permanent: // the fault lies with the message
	case "":
		c.taken, c.mended = at, refusal{}
		c.works(at)
	default:
		c.refused.note(reason, at)
		if c.mended.isNot(reason, at) { // so it has lasted
			c.refused.since, c.mended.newest = c.mended.since, at
		}
	}
}

// Asked takes note of what came of asking a receiver whether it works, or whether a channel of it
// does; a nil error is good, but where messages are lost on their way it proves nothing. It reports
// whether something that was refused would be taken now, as far as the question shows.
func (r *Reach) Asked(receiver, channel string, err error, at time.Time) (mended bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.contact(place{receiver, channel})
	if err != nil {
		c.silent.note(FailureOf(err).Error(), at)
		return false
	}
	was := c.silent
	mended = c.answered(at)
	for pl, other := range r.places {
		if channel == "" && pl.receiver == receiver && was.reason != "" && other.refused.reason == was.reason {
			other.works(at)
			mended = true
		}
	}
	return mended
}

// Probed takes note of whether anybody answers where a receiver is. That somebody does says nothing
// of whether messages are taken, so what was refused stays so; that nobody does is down.
func (r *Reach) Probed(receiver string, err error, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.contact(place{receiver, ""})
	switch {
	case err != nil:
		c.silent.note(FailureOf(err).Error(), at)
	case c.silent.reason != "":
		c.up, c.silent = at, refusal{}
	}
}

// Forget knows nothing any more: others may have seen since what is so.
func (r *Reach) Forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.places)
}

// Recall takes over, at a time, what a process before has known of a channel that was down.
func (r *Reach) Recall(receiver, channel, reason string, since, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.contact(place{receiver, channel}).refused = refusal{since, reason, at}
}

// Of returns how a channel stands at a time.
func (r *Reach) Of(receiver, channel string, now time.Time) Contact {
	r.mu.Lock()
	defer r.mu.Unlock()
	c, whole := r.contact(place{receiver, channel}), r.contact(place{receiver, ""})
	out := Contact{Receiver: receiver, Channel: channel, Since: c.up, Taken: c.taken}
	for _, f := range []refusal{c.refused, c.silent, whole.silent} {
		if f.down(now) && (!out.Down || f.since.Before(out.Since)) {
			out.Down, out.Since, out.Reason = true, f.since, f.reason
		}
	}
	return out
}

// contact returns a destination's contact. The lock is held.
func (r *Reach) contact(pl place) *contact {
	if r.places == nil {
		r.places = map[place]*contact{}
	}
	c := r.places[pl]
	if c == nil {
		c = &contact{}
		r.places[pl] = c
	}
	return c
}

func (c *contact) works(at time.Time) {
	if c.up.IsZero() || c.refused.reason != "" || c.silent.reason != "" {
		c.up = at
	}
	c.refused, c.silent = refusal{}, refusal{}
}

// answered takes note of a channel that would take messages, as far as a question shows: what a
// person had to put right is mended. Why else messages do not arrive, no question shows, nor what
// is refused again after it; that lasts until one is taken, or nobody tries any more.
func (c *contact) answered(at time.Time) (mended bool) {
	r := c.refused
	switch lasts := ClassOf(r.reason) != Misconfigured || c.mended.isNot(r.reason, r.newest); {
	case r.reason == "", at.Sub(r.newest) > untried:
		c.works(at)
	case !lasts:
		c.works(at)
		c.mended = refusal{r.since, r.reason, at}
		return true
	case c.silent.reason != "":
		c.silent = refusal{}
	}
	return false
}

// isNot reports whether what was taken for mended was refused again at a time, before long.
func (f refusal) isNot(reason string, at time.Time) bool {
	return f.reason != "" && f.reason == reason && at.Sub(f.newest) <= untried
}

func (f *refusal) note(reason string, at time.Time) {
	if f.reason == "" {
		f.since = at
	}
	f.reason, f.newest = reason, at
}

// down reports whether a stretch of failures is more than a hiccup.
func (f refusal) down(now time.Time) bool {
	return f.reason != "" && (ClassOf(f.reason) == Misconfigured || now.Sub(f.since) >= downAfter)
}
