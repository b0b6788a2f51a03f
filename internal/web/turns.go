package web

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"sync"
	"time"
)

// What is dear to answer is worked out one at a time.
const (
	maxTurns = 16               // that are waited for, with the one that somebody has
	ownTurns = 4                // of them, those of one asker
	turnIn   = 10 * time.Second // how long each is waited for
)

// turns are given one at a time, in the order in which they were asked for. Nobody can have all
// that are waited for, so whoever asks again and again keeps nobody else from getting one.
type turns struct {
	busy chan struct{} // full while somebody has the turn

	mu     sync.Mutex
	asking map[string]int // how many each asker waits for or has
	all    int
}

func newTurns() *turns { return &turns{busy: make(chan struct{}, 1), asking: map[string]int{}} }

// The answers to whoever gets no turn.
var (
	errOwnTurns = tooMany("This is dear to work out, and you wait for as much of it as one may. Please ask again when that is answered.")
	errNoTurn   = tooMany("This is dear to work out, and others have asked before. Please ask again in a few seconds.")
)

func tooMany(text string) error { return &problem{http.StatusTooManyRequests, "too_many", text} }

// await waits for the turn of an asker, who has to leave afterwards.
func (t *turns) await(ctx context.Context, asker string) (leave func(), err error) {
	if err := t.stand(asker); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, turnIn)
	defer cancel()
	select {
	case t.busy <- struct{}{}:
		return func() { t.goAway(asker); <-t.busy }, nil
	case <-ctx.Done():
		t.goAway(asker)
		return nil, errNoTurn
	}
}

// stand takes a place among those who wait.
func (t *turns) stand(asker string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.asking[asker] >= ownTurns:
		return errOwnTurns
	case t.all >= maxTurns:
		return errNoTurn
	}
	t.asking[asker]++
	t.all++
	return nil
}

// goAway gives the place back.
func (t *turns) goAway(asker string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all--
	if t.asking[asker]--; t.asking[asker] == 0 {
		delete(t.asking, asker)
	}
}

// inTurn works something out when it is the turn of whoever sends a request.
func inTurn[T any](s *server, t *turns, r *http.Request, workOut func() (T, error)) (found T, err error) {
	leave, err := t.await(r.Context(), s.asker(r))
	if err != nil {
		return found, err
	}
	defer leave()
	return workOut()
}

// asker names whoever sends a request: by what they have proven, or else by where they are.
func (s *server) asker(r *http.Request) string {
	c := caller{proven: s.proven(r)}
	if t := s.tokenFor(tokenOf(r)); t != nil {
		c.proven = slices.Insert(c.proven, 0, identity{byToken, t.Name})
	}
	return cmp.Or(c.who(), networkOf(r))
}
