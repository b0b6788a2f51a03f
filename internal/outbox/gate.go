package outbox

import "time"

// verb is a kind of call that receivers count apart.
type verb string

const (
	toPost verb = "post" // counted per channel
	toEdit verb = "edit" // counted for the whole workspace, as is
	toFind verb = "find" // looking up
)

// gateKey names a gate. Its channel is empty for what is counted for the whole workspace.
type gateKey struct {
	place
	verb verb
}

func gateOf(pl place, v verb) gateKey {
	if v != toPost {
		pl.channel = ""
	}
	return gateKey{pl, v}
}

// gate lets calls through at a pace, and holds them back while the receiver is in trouble, so that
// one entry finds out for all when the trouble is over.
type gate struct {
	bucket bucket
	until  time.Time // held back until then
	reason string    // why
	since  time.Time // when it was shut
	fails  int       // in a row
}

// longestHold bounds how long a failing receiver is left alone.
const longestHold = 30 * time.Second

// held reports whether the gate is shut for trouble. A time beyond any that it is ever shut for is
// not believed: the clock has been set back since.
func (g *gate) held(now time.Time) bool {
	return now.Before(g.until) && g.until.Sub(now) <= longestAsked+longestWait
}

// take lets one call through, if pace and trouble allow.
func (g *gate) take(p Pace, now time.Time) bool { return !g.held(now) && g.bucket.take(p, now) }

// worked opens the gate after a call that went through it at the given time and succeeded. What
// another call has been told since then stands.
func (g *gate) worked(began time.Time) {
	if g.since.After(began) || g.held(began) {
		return
	}
	g.fails, g.until, g.reason = 0, time.Time{}, ""
}

// failed holds the gate after a failure that will meet the next message as well.
func (g *gate) failed(key gateKey, f *Failure, next, now time.Time) {
	switch f.Class {
	case RateLimited, Misconfigured:
		g.hold(next, now, f.Error())
	case Retry, Ambiguous:
		d := min(backoff(key.receiver+key.channel, g.fails), longestHold)
		g.hold(now.Add(d), now, f.Error())
	default:
		return // the fault lies with the one message
	}
	g.fails++
}

func (g *gate) hold(until, now time.Time, reason string) {
	if until.After(g.until) || !g.held(now) {
		g.until, g.since, g.reason = until, now, reason
	}
}

// next returns when a call may go through, as far as that is known now.
func (g *gate) next(p Pace, now time.Time) time.Time {
	if g.held(now) {
		return g.until
	}
	return g.bucket.next(p, now)
}
