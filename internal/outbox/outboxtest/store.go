// Package outboxtest has a naive store of what is owed, for tests of the pump and of its receivers.
// It keeps everything in memory, can be told to fail, and can crash at a chosen write.
package outboxtest

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/slowburn-sre/slowburn/internal/outbox"
)

// ErrDown is what a store answers that was told to fail.
var ErrDown = errors.New("the store is down")

// Store is the naive twin of the real one: a list, and where to find things in it. It is safe for
// concurrent use.
type Store struct {
	mu      sync.Mutex
	entries []*outbox.Owed
	keys    map[string]*outbox.Owed
	threads map[string][]*outbox.Owed
	// fail, if set, is asked before every operation ("due", "bodies", "begin", "settle", "root").
	fail func(op, key string) error
}

// Add commits entries as a tick does. A key that is known already changes nothing.
func (s *Store) Add(entries ...outbox.Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keys == nil {
		s.keys, s.threads = map[string]*outbox.Owed{}, map[string][]*outbox.Owed{}
	}
	for _, e := range entries {
		s.add(e)
	}
}

// add commits one entry. The mutex is held.
func (s *Store) add(e outbox.Entry) {
	o := s.keys[e.Key]
	if o == nil {
		o = &outbox.Owed{Entry: e, Seq: int64(len(s.entries) + 1), State: outbox.Pending}
		s.entries, s.keys[e.Key], s.threads[e.Thread] = append(s.entries, o), o, append(s.threads[e.Thread], o)
	}
	if e.Tried && o.State == outbox.Pending && o.Begun.IsZero() {
		o.Begun = e.Created
	}
}

// FailWith makes every operation ask f first; nil makes the store whole again.
func (s *Store) FailWith(f func(op, key string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = f
}

// All returns every entry in the order of Seq.
func (s *Store) All() []outbox.Owed {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]outbox.Owed, len(s.entries))
	for i, o := range s.entries {
		out[i] = *o
	}
	return out
}

// Get returns one entry, the zero value if there is none.
func (s *Store) Get(key string) outbox.Owed {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o := s.keys[key]; o != nil {
		return *o
	}
	return outbox.Owed{}
}

// Open returns how many entries are pending.
func (s *Store) Open() int {
	n := 0
	for _, o := range s.All() {
		if o.State == outbox.Pending {
			n++
		}
	}
	return n
}

// Due returns the pending entries above a number, without their bodies.
func (s *Store) Due(_ context.Context, after int64) ([]outbox.Owed, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.check("due", ""); err != nil {
		return nil, err
	}
	var due []outbox.Owed
	for _, o := range s.entries[min(int(after), len(s.entries)):] { // the n-th has the number n
		if o.State == outbox.Pending {
			due = append(due, header(o))
		}
	}
	return due, nil
}

// header returns an entry without its body.
func header(o *outbox.Owed) outbox.Owed {
	h := *o
	h.Body = nil
	return h
}

// Bodies returns what entries say.
func (s *Store) Bodies(_ context.Context, keys []string) (map[string]json.RawMessage, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.check("bodies", keys[0]); err != nil {
		return nil, err
	}
	bodies := map[string]json.RawMessage{}
	for _, key := range keys {
		if o := s.keys[key]; o != nil {
			bodies[key] = o.Body
		}
	}
	return bodies, nil
}

// Begin marks the entries that are as the claimant has read them, and returns those.
func (s *Store) Begin(_ context.Context, claims []outbox.Claim, at time.Time) ([]outbox.Owed, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var first outbox.Claim
	if len(claims) > 0 {
		first = claims[0]
	}
	if err := s.check("begin", first.Key); err != nil {
		return nil, err
	}
	var own []outbox.Owed
	for _, c := range claims {
		if o := s.keys[c.Key]; o != nil && o.State == outbox.Pending && o.Begun.Equal(c.Begun) && o.Attempts == c.Attempts {
			o.Begun = at
			own = append(own, *o)
		}
	}
	return own, nil
}

// Settle writes a result down.
func (s *Store) Settle(_ context.Context, key string, r outbox.Result) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.check("settle", key); err != nil {
		return err
	}
	o := s.keys[key]
	switch {
	case o == nil:
		return outbox.ErrTaken
	case o.State == outbox.Sent:
		return nil
	case r.State != outbox.Sent && (!o.Begun.Equal(r.Begun) || o.Attempts != r.Attempts):
		return outbox.ErrTaken
	}
	o.State, o.NextTry, o.LastErr, o.Begun = r.State, r.NextTry, r.Err, time.Time{}
	o.Attempts++
	if r.State != outbox.Pending {
		o.Settled, o.Receipt = r.At, r.Receipt
	}
	if r.Then != nil {
		s.add(*r.Then)
	}
	return nil
}

// Root returns the newest sent post, edit or mend.
func (s *Store) Root(_ context.Context, receiver, thread string) (outbox.Owed, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.check("root", thread); err != nil {
		return outbox.Owed{}, false, err
	}
	var newest *outbox.Owed
	for _, o := range s.threads[thread] {
		root := o.Receiver == receiver && o.Op != outbox.Reply && o.State == outbox.Sent
		if root && (newest == nil || !o.Settled.Before(newest.Settled)) {
			newest = o
		}
	}
	if newest == nil {
		return outbox.Owed{}, false, nil
	}
	return header(newest), true, nil
}

func (s *Store) check(op, key string) error {
	if s.fail == nil {
		return nil
	}
	return s.fail(op, key)
}
