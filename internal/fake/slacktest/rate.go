package slacktest

import (
	"math"
	"time"
)

// A pacer counts calls against the documented rates, on the workspace's clock.
//
// Each key ("chat.update", or "chat.postMessage C0SLOW0001") has a bucket of calls that refills
// steadily. The zero value is ready to use.
type pacer struct {
	buckets map[string]*bucket
}

type bucket struct {
	tokens float64
	last   time.Time
}

// take takes one call from every bucket, or from none, and then says how long to wait until all of
// them could have given one.
func (p *pacer) take(now time.Time, wants []want) (wait time.Duration) {
	for _, w := range wants {
		b := p.fill(w, now)
		if missing := 1 - b.tokens; missing > 0 {
			wait = max(wait, time.Duration(math.Ceil(missing*float64(w.interval))))
		}
	}
	if wait > 0 {
		return wait
	}
	for _, w := range wants {
		p.buckets[w.key].tokens--
	}
	return 0
}

// want is one bucket a call draws from.
type want struct {
	key string
	pace
}

// fill brings a bucket up to now. A clock that steps back refills nothing.
func (p *pacer) fill(w want, now time.Time) *bucket {
	if p.buckets == nil {
		p.buckets = map[string]*bucket{}
	}
	b := p.buckets[w.key]
	if b == nil {
		b = &bucket{tokens: float64(w.burst), last: now}
		p.buckets[w.key] = b
	}
	if gone := now.Sub(b.last); gone > 0 {
		b.tokens = min(float64(w.burst), b.tokens+float64(gone)/float64(w.interval))
	}
	b.last = now
	return b
}

// wholeSeconds rounds a wait up to the seconds of a Retry-After header, at least one.
func wholeSeconds(d time.Duration) int {
	return max(1, int(math.Ceil(d.Seconds())))
}

// pace takes the call from its buckets; a wait in seconds means it was refused, and the caller is
// now expected to keep it.
func (w *workspace) pace(c Call, p pace) (wait int) {
	if w.opts.Unpaced {
		return 0
	}
	wants := []want{{c.Method, p}}
	if posts(c.Method) {
		wants = []want{{"post " + c.Channel, postPace}, {"posts", workspacePostPace}}
	}
	if d := w.pacer.take(w.now(), wants); d > 0 {
		wait = wholeSeconds(d)
		w.holdOff(c, time.Duration(wait)*time.Second)
	}
	return wait
}

func posts(method string) bool { return method == "chat.postMessage" || method == "webhook" }

// lane returns what a Retry-After applies to: a channel for posts, a method for everything else.
func lane(c Call) string {
	if posts(c.Method) {
		return c.Method + " " + c.Channel
	}
	return c.Method
}

// holdOff remembers that the caller was told to wait.
func (w *workspace) holdOff(c Call, d time.Duration) { w.notBefore[lane(c)] = w.now().Add(d) }

// early records a violation and returns the seconds left if the caller was told to wait longer than
// it did.
func (w *workspace) early(req *request) int {
	left := w.notBefore[lane(req.call)].Sub(w.now())
	if left <= 0 {
		return 0
	}
	w.violate("early", req.call, "called %s before Retry-After had passed", left.Round(time.Millisecond))
	return wholeSeconds(left)
}
