package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Who leads is an advisory lock of a session. The server ends a session that says nothing for a
// while, and its lock with it; so the lock is a lease, which its holder prolongs by beats, and
// which it counts itself from before each beat to be sure. Keepalives of TCP would not do: the
// kernel of a process that is stopped goes on answering them. A write, however late it comes, is
// refused by the row of the term, which it locks and compares within its transaction.
const (
	sqlTryLock = `select pg_try_advisory_lock($1, hashtext(current_schema()))`
	leadsLock  = applicationID
)

func (s *server) lead(ctx context.Context, waiting func(error)) (*Term, error) {
	for {
		t, err := s.wait(ctx, waiting)
		switch {
		case err == nil, errors.Is(err, ErrNewer):
			return t, err
		case ctx.Err() != nil:
			return nil, ctx.Err()
		}
		waiting(err)
		if !pause(ctx, s.times.poll) {
			return nil, ctx.Err()
		}
	}
}

// pause waits, and reports whether ctx goes on.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// wait asks for the lock on one session until it has it.
func (s *server) wait(ctx context.Context, waiting func(error)) (*Term, error) {
	c, err := s.session(ctx)
	if err != nil {
		return nil, err
	}
	t, err := s.try(ctx, c, waiting)
	if err != nil {
		hangUp(c)
	}
	return t, err
}

func (s *server) try(ctx context.Context, c *pgx.Conn, waiting func(error)) (*Term, error) {
	for {
		start := clock()
		locked, err := s.tryLock(ctx, c)
		if err != nil {
			return nil, err
		}
		if locked {
			t := &Term{Holder: rand.Text(), lost: make(chan struct{})}
			return t, s.begin(ctx, c, t, start)
		}
		waiting(nil)
		if !pause(ctx, s.times.poll) {
			return nil, ctx.Err()
		}
	}
}

// session opens a session for the lock.
func (s *server) session(ctx context.Context) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, s.times.lease)
	defer cancel()
	c, err := pgx.ConnectConfig(ctx, s.cfg)
	if err != nil {
		return nil, err
	}
	if err = suitable(ctx, c); err == nil {
		err = understood(ctx, c)
	}
	if err == nil {
		_, err = c.Exec(ctx, fmt.Sprintf("%s; set idle_session_timeout = %d", s.settings(s.times.wait), s.times.idle.Milliseconds()))
	}
	if err != nil {
		hangUp(c)
		return nil, err
	}
	return c, nil
}

// tryLock takes the lock for a session, and is false if another one has it.
func (s *server) tryLock(ctx context.Context, c *pgx.Conn) (locked bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.times.lease)
	defer cancel()
	err = c.QueryRow(ctx, sqlTryLock, leadsLock).Scan(&locked)
	return locked, err
}

// understood refuses a schema that a newer program has made, and that this one cannot go on with.
func understood(ctx context.Context, c *pgx.Conn) error {
	var version, least int
	if err := c.QueryRow(ctx, sqlVersion).Scan(&version, &least); err != nil {
		return err
	}
	if least > schemaVersion {
		return newer(version)
	}
	return nil
}

// begin begins the term of the session that has the lock. It waits for transactions of the term
// before that have been checked already, and for a migration, which may have ended what this
// program can do here.
func (s *server) begin(ctx context.Context, c *pgx.Conn, t *Term, start int64) error {
	bounded, cancel := context.WithTimeout(ctx, s.times.lease)
	defer cancel()
	if err := c.QueryRow(bounded, sqlLead, t.Holder).Scan(&t.Number, &t.timeline); err != nil {
		return err
	}
	if err := understood(bounded, c); err != nil {
		return err
	}
	t.until.Store(start + int64(s.times.lease))
	keep, resign := context.WithCancel(context.Background())
	t.resign, t.ctx = resign, keep
	go s.keep(keep, c, t)
	return nil
}

// keep beats until the term is lost or resigned.
func (s *server) keep(ctx context.Context, c *pgx.Conn, t *Term) {
	defer close(t.lost)
	defer t.resign() // a server that is cut off must not hold up what is being written
	defer letGo(c)
	defer t.until.Store(0)
	for s.hears(ctx, c) {
		start := clock()
		// Whoever waits longer than the lease for an answer has none. Until then the session stays
		// open, because the lock would go with it.
		beat, cancel := context.WithDeadline(ctx, t.Until())
		var same int
		err := c.QueryRow(beat, sqlTerm, t.Number, t.Holder, t.timeline).Scan(&same)
		cancel()
		if s.reach.heard(err); err != nil || same != 1 {
			return
		}
		t.until.Store(start + int64(s.times.lease))
	}
}

// hears waits until the next beat, and reports whether the term goes on. A server that ends the
// session, because somebody tells it to or because it stops, says so before the lock is free:
// whoever hears that at once does not send any more when the next one begins.
func (s *server) hears(ctx context.Context, c *pgx.Conn) bool {
	quiet, cancel := context.WithTimeout(ctx, s.times.beat)
	defer cancel()
	_, err := c.WaitForNotification(quiet)
	return ctx.Err() == nil && (err == nil || quiet.Err() != nil)
}

// letGo frees the lock, if the server still hears us, and closes its session. The server would do
// so by itself, but not at once.
func letGo(c *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, _ = c.Exec(ctx, `select pg_advisory_unlock_all()`)
	_ = c.Close(ctx)
}

// hangUp closes a connection without waiting long for a server that may be gone.
func hangUp(c *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = c.Close(ctx)
}
