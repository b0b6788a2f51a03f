// Package trouble logs what is tried again and again and goes on failing: when that begins, once a
// minute while it lasts, and when it is over. So a log of an outage can be read, and no line of it
// is missing.
package trouble

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"sync"
	"time"
)

// Again is how often trouble that lasts is logged.
const Again = time.Minute

// Spell is one kind of trouble, from when it begins until it is over. The zero value is none. It
// may be used from any goroutine.
type Spell struct {
	mu          sync.Mutex
	since, said time.Time // zero while there is none
	silent      int       // tries that have failed since it was last logged
}

// Known is an error that is logged where it arises: wherever else it comes up it is no trouble of
// its own, and says nothing of one that lasts.
type Known string

func (k Known) Error() string { return string(k) }

// Tried takes how a try went, and logs it where somebody has to know. The words say what cannot be
// done, in the same way each time.
func (s *Spell) Tried(log *slog.Logger, words string, err error) {
	if errors.As(err, new(Known)) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	switch {
	case err == nil && s.since.IsZero():
	case err == nil:
		say(log, slog.LevelInfo, "over: "+words, "since", s.since.UTC().Truncate(time.Second))
		s.since, s.said, s.silent = time.Time{}, time.Time{}, 0
	case s.since.IsZero():
		say(log, slog.LevelError, words, "err", err)
		s.since, s.said = now, now
	case now.Sub(s.said) >= Again:
		say(log, slog.LevelError, words, "err", err, "since", s.since.UTC().Truncate(time.Second), "tries", s.silent+1)
		s.said, s.silent = now, 0
	default:
		s.silent++
	}
}

// say logs as the caller of Tried does: a log may name the line of the program.
func say(log *slog.Logger, level slog.Level, words string, args ...any) {
	if !log.Enabled(context.Background(), level) {
		return
	}
	var caller [1]uintptr
	runtime.Callers(3, caller[:])
	r := slog.NewRecord(time.Now(), level, words, caller[0])
	r.Add(args...)
	_ = log.Handler().Handle(context.Background(), r)
}
