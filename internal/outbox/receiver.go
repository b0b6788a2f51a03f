package outbox

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

// Store is what the pump needs of the place where entries are kept.
type Store interface {
	// Due returns every pending entry, oldest Seq first, the ones that wait for their NextTry too:
	// a reply must not overtake a root that failed a moment ago.
	Due(ctx context.Context, now time.Time) ([]Owed, error)
	// Begin writes down that a send of these entries starts now.
	Begin(ctx context.Context, keys []string, at time.Time) error
	// Settle writes down what an attempt came to: it sets state, error, next try and receipt, adds
	// one to Attempts and clears Begun.
	Settle(ctx context.Context, key string, r Result) error
	// Root is the newest receipt of a sent post or edit of the thread: where its root message is
	// now. It is false if nothing of the thread was sent.
	Root(ctx context.Context, receiver, thread string) (Receipt, bool, error)
}

// Receiver delivers entries to one place. Its errors are Failures. It must be safe for concurrent
// use; the pump never uses it twice at a time for one channel.
type Receiver interface {
	// Deliver sends one message. root is where the thread's root message is, the zero Receipt if it
	// has none: then a reply or an edit is posted as a message of its own. The receipt of an edit
	// is that of the root.
	Deliver(ctx context.Context, o Owed, root Receipt) (Receipt, error)
	// Find looks among the messages of the root's thread, or of the channel if root is zero, for
	// those of the given entries, which are all of one channel. ErrNoLookup says that this receiver
	// cannot be asked.
	Find(ctx context.Context, owed []Owed, root Receipt) (map[string]Receipt, error)
}

// ErrNoLookup says that a receiver cannot find out whether a message arrived.
var ErrNoLookup = errors.New("the receiver cannot be asked what arrived")

// ErrNeedless is what Deliver answers for an entry that this receiver has no use for, such as an
// edit where nothing can be edited. The entry is settled as superseded.
var ErrNeedless = errors.New("the receiver has no use for this")

// Folder is a receiver that can bring a root message up to date before it is sent first: Fold is
// the body of the post with the state of a later edit.
type Folder interface {
	Fold(post, edit Entry) json.RawMessage
}

// Digester is a receiver that can name many messages in one. Digest makes one message of the first
// entries, which are all root messages or all replies, and says how many it names, at least one.
type Digester interface {
	Digest(entries []Entry) (body json.RawMessage, named int)
}
