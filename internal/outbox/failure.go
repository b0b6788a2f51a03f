package outbox

import (
	"errors"
	"hash/fnv"
	"strings"
	"time"
)

// Class is what a failure means for the next attempt. A receiver sorts every error into one of
// them.
type Class string

// The classes.
const (
	// Retry: certainly not delivered, and likely to work soon.
	Retry Class = "retry"
	// RateLimited: certainly not delivered; the receiver said how long to wait.
	RateLimited Class = "rate_limited"
	// Ambiguous: it may have been delivered; look it up before sending it again.
	Ambiguous Class = "ambiguous"
	// Degrade: this form of the message is refused; a plainer one may pass. A receiver deals with
	// it inside Deliver and returns it only when it refuses even a mere sentence, which is odd
	// enough to try again.
	Degrade Class = "degrade"
	// TargetGone: the message to edit does not exist any more.
	TargetGone Class = "target_gone"
	// Misconfigured: nothing will help until a person changes something: a revoked token, an
	// archived channel. It is tried again slowly, so that nothing is lost when it is put right.
	Misconfigured Class = "misconfigured"
	// Unknown: an answer that nobody has documented.
	Unknown Class = "unknown"
	// Permanent: this message will never be taken.
	Permanent Class = "permanent"
)

// Failure is an error of a receiver with its class. Reason is short, stable and free of secrets
// ("is_archived", "timeout"): it is counted, stored and shown.
type Failure struct {
	Class  Class
	Reason string
	After  time.Duration // of RateLimited: what the receiver asked for; 0 if it did not say, or nothing sensible
	// Op is the kind of call that failed when it was not the entry's own: a fresh post in place of
	// an edit. Empty means the entry's.
	Op Op
}

// Error returns "class: reason", the form that Owed.LastErr keeps.
func (f *Failure) Error() string { return string(f.Class) + ": " + f.Reason }

// FailureOf returns the failure in err; an error that is none may have happened at any time, so it
// counts as ambiguous.
func FailureOf(err error) *Failure {
	var f *Failure
	if errors.As(err, &f) {
		return f
	}
	return &Failure{Class: Ambiguous, Reason: "unexpected error"}
}

// ClassOf returns the class in a stored "class: reason".
func ClassOf(lastErr string) Class {
	class, _, _ := strings.Cut(lastErr, ": ")
	return Class(class)
}

// Bounds of the schedule.
const (
	firstWait     = time.Second
	longestWait   = time.Minute     // between tries that may soon work
	longestAsked  = 5 * time.Minute // a Retry-After beyond it is not believed
	slowWait      = 5 * time.Minute // between tries that wait for a person
	ambiguousWait = 5 * time.Second // a request that timed out may still be on its way in
	unknownTries  = 3               // of an answer that makes no sense, before it is tried slowly
)

// maxAge is how long a message is worth sending. What is older than that and still failing is dead:
// shown and counted.
var maxAge = map[Lane]time.Duration{
	LanePage:    24 * time.Hour,
	LaneTicket:  3 * 24 * time.Hour,
	LaneResolve: 24 * time.Hour,
	LaneReport:  7 * 24 * time.Hour,
}

// expired reports whether the entry is too old to be tried again.
func (o Owed) expired(now time.Time) bool { return now.Sub(o.Created) > maxAge[o.Lane] }

// NextTry returns what a failed attempt leads to: another try at a later time, or the end. It is a
// pure function; its jitter comes from the entry's key, so that entries that failed together do not
// come back together and yet every replay is the same.
func NextTry(o Owed, f *Failure, now time.Time) Result {
	r := Result{State: Pending, Err: f.Error(), At: now, NextTry: now.Add(wait(o, f))}
	if f.Class == Permanent || o.expired(now) {
		r.State, r.NextTry = Dead, time.Time{}
	}
	return r
}

// waits reports whether the next try is still to come. A wait beyond any that NextTry makes is not
// believed: the clock has been set back since.
func (o Owed) waits(now time.Time) bool {
	return o.NextTry.After(now) && o.NextTry.Sub(now) <= longestAsked+longestWait
}

// wait returns the time until the next try.
func wait(o Owed, f *Failure) time.Duration {
	switch {
	case f.Class == RateLimited && f.After > 0:
		return min(max(f.After, firstWait), longestAsked)
	case f.Class == Misconfigured, (f.Class == Unknown || f.Class == Degrade) && o.Attempts >= unknownTries:
		return slowWait
	case f.Class == Ambiguous:
		return max(ambiguousWait, backoff(o.Key, o.Attempts))
	}
	return backoff(o.Key, o.Attempts)
}

// backoff doubles from a second to a minute, then takes off up to a quarter; it is never below a
// second.
func backoff(key string, attempts int) time.Duration {
	d := longestWait
	if attempts < 6 {
		d = firstWait << max(attempts, 0)
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(key))
	_, _ = h.Write([]byte{byte(attempts)})
	off := time.Duration(uint64(d) / 4 * uint64(h.Sum32()) >> 32)
	return max(d-off, firstWait)
}
