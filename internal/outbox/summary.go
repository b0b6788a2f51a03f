package outbox

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// Summary is how delivery stands: what metrics, health and pages show.
type Summary struct {
	At          time.Time // of the newest look
	StoreError  string    // why the store could not be read or written, "" if all is well
	Waiting     map[Lane]int
	Ambiguous   int       // of those waiting, which may have arrived
	Retrying    int       // of those waiting, which have failed before
	Unwritten   int       // messages and outcomes that only memory has, because the store cannot be written
	Oldest      time.Time // when the oldest waiting entry was decided; zero if none waits
	LastSuccess time.Time
	Channels    []ChannelHealth

	// Counts since the pump was made.
	Sent, Superseded, Dead, Repeats int
	Folded                          int            // messages that went out in a digest
	Failures                        map[string]int // by "class: reason"
}

// ChannelHealth is one channel that is being held back.
type ChannelHealth struct {
	Receiver, Channel string // Channel is empty when the whole receiver is concerned
	Until             time.Time
	Reason            string
}

// Healthy reports whether nothing is wrong that a person should know of: nothing misconfigured, the
// store at work, and nothing waiting for longer than five minutes.
func (s Summary) Healthy() bool {
	for _, c := range s.Channels {
		if ClassOf(c.Reason) == Misconfigured {
			return false
		}
	}
	return s.StoreError == "" && (s.Oldest.IsZero() || s.At.Sub(s.Oldest) < 5*time.Minute)
}

// tally is the running account behind the Summary.
type tally struct{ Summary }

// settled counts an outcome.
func (t *tally) settled(r Result) {
	switch r.State {
	case Sent:
		t.Sent++
		t.LastSuccess = r.At
	case Superseded:
		t.Superseded++
	case Dead:
		t.Dead++
	case Pending:
	}
}

// Summary returns how delivery stands now. It is safe to call at any time.
func (p *Pump) Summary() Summary {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.tally.Summary
	s.Failures, s.Unwritten = maps.Clone(s.Failures), len(p.shelf.kept)
	s.count(p.shelf.items)
	for key, g := range p.gates {
		if g.held(s.At) {
			s.Channels = append(s.Channels, ChannelHealth{key.receiver, key.channel, g.until, g.reason})
		}
	}
	slices.SortFunc(s.Channels, func(a, b ChannelHealth) int {
		return cmp.Or(cmp.Compare(a.Receiver, b.Receiver), cmp.Compare(a.Channel, b.Channel), cmp.Compare(a.Reason, b.Reason))
	})
	return s
}

// count counts what waits.
func (s *Summary) count(items map[string]*item) {
	s.Waiting = map[Lane]int{}
	for _, o := range items {
		if o.State != Pending || o.Op == Mend {
			continue
		}
		s.Waiting[o.Lane]++
		switch {
		case o.Ambiguous():
			s.Ambiguous++
		case o.Attempts > 0:
			s.Retrying++
		}
		if s.Oldest.IsZero() || o.Created.Before(s.Oldest) {
			s.Oldest = o.Created
		}
	}
}
