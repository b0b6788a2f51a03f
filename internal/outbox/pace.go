package outbox

import "time"

// Pace is how often something may be done: Burst at once, then one every Every.
type Pace struct {
	Every time.Duration
	Burst int
}

// bucket counts against a Pace, on whatever clock it is given. The zero value is full.
type bucket struct {
	spent float64 // tokens that are missing
	last  time.Time
}

// grain is how exact tokens are counted, for rounding.
const grain = 1e-6

// setBack is from how far on a step back is a clock that was set right, and not one of two workers
// that is a little behind.
const setBack = time.Minute

// take takes a token at the given time and reports whether there was one. A clock that steps back
// refills nothing and takes nothing away; from there it goes on.
func (b *bucket) take(p Pace, now time.Time) bool {
	switch gone := now.Sub(b.last); {
	case gone < -setBack:
		b.last = now
	case gone > 0:
		if !b.last.IsZero() {
			b.spent = max(0, b.spent-float64(gone)/float64(p.Every))
		}
		b.last = now
	}
	if b.spent+1 > float64(p.Burst)+grain {
		return false
	}
	b.spent++
	return true
}

// next returns when there is a token, on the clock that take was given.
func (b *bucket) next(p Pace, now time.Time) time.Time {
	missing := b.spent + 1 - float64(p.Burst)
	if b.last.IsZero() || missing <= grain || now.Sub(b.last) < -setBack {
		return now
	}
	return b.last.Add(time.Duration(missing * float64(p.Every)))
}
