package engine

import (
	"context"
	"errors"
	"testing"

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

// A store that does not say whether it has the messages of a tick that it has refused is asked once,
// because the engine is locked meanwhile: all of them are owed.
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
