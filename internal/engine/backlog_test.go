package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"

	"github.com/slowburn-sre/slowburn/internal/logtest"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/store"
)

// mute is a store that cannot be asked what it owes.
type mute struct {
	Store
	asked int
}

func (m *mute) Owes(context.Context, string) (bool, error) {
	m.asked++
	return false, errors.New("no answer")
}

// refusing is a store that takes nothing, and holds nothing.
type refusing struct {
	Store
	err error
}

func (r refusing) Commit(context.Context, store.Tick) error   { return r.err }
func (r refusing) Owes(context.Context, string) (bool, error) { return false, nil }

// What the store refuses because it is full is owed in memory. What it refuses because another
// process leads is that one's to tell, also where this one's lease has not run out yet.
func TestWhatAnotherLeaderDecidesIsNotOwed(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{{errors.New("full"), 1}, {fmt.Errorf("commit: %w", store.ErrDeposed), 0}} {
		owed := 0
		b := backlog{store: refusing{err: c.err}, owe: func(all []outbox.Entry) { owed += len(all) }}
		b.add(store.Tick{Owed: []outbox.Entry{{Key: "page"}}})
		for range 2 {
			if err := b.save(t.Context()); !errors.Is(err, c.err) {
				t.Errorf("%v", err)
			}
		}
		if owed != c.want {
			t.Errorf("%v: %d messages are owed in memory, want %d", c.err, owed, c.want)
		}
	}
}

// TestOnlyAStoreThatFailsIsLogged: who has lost the lead says so where it stands by.
func TestOnlyAStoreThatFailsIsLogged(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want int
	}{"a full disk is told": {errors.New("full"), 1}, "a lost lead is not": {fmt.Errorf("commit: %w", store.ErrDeposed), 0}} {
		var log logtest.Log
		e := &Engine{Options: Options{Log: slog.New(slog.NewTextHandler(&log, nil))}}
		e.backlog.store = refusing{err: c.err}
		var sum Summary
		if e.commit(t.Context(), store.Tick{}, &sum); !errors.Is(sum.StoreErr, c.err) || log.Count("level=ERROR") != c.want {
			t.Errorf("%s: the tick says %v, the log %q", name, sum.StoreErr, log.String())
		}
	}
}

// A store that does not say whether it has the messages of a tick that it has refused is asked
// once, because the engine is locked meanwhile: all of them are owed.
func TestAStoreThatDoesNotAnswerIsAskedOnceWhatItOwes(t *testing.T) {
	s := &mute{}
	b := backlog{store: s, ticks: []store.Tick{
		{Owed: []outbox.Entry{{Key: "1"}, {Key: "2"}}},
		{Turns: []store.Turn{{Entries: []outbox.Entry{{Key: "3"}}}}},
	}}
	if all := b.unsent(t.Context()); len(all) != 3 || s.asked != 1 {
		t.Errorf("asked %d times: %+v", s.asked, all)
	}
}
