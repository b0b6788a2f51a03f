package outbox

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/slowburn-sre/slowburn/internal/trouble"
)

// Store is what the pump needs of the place where entries are kept. An error that is [ErrDeposed]
// says that somebody else sends now.
type Store interface {
	// Due returns the pending entries with a Seq above a number, oldest first and without their
	// bodies, the ones that wait for their NextTry too: a reply must not overtake a root that
	// failed a moment ago.
	Due(ctx context.Context, after int64) ([]Owed, error)
	// Bodies returns what entries say, by key. Keys that are unknown are left out.
	Bodies(ctx context.Context, keys []string) (map[string]json.RawMessage, error)
	// Begin writes down that a send of these entries starts now, in one transaction, and returns
	// those that the claimant owns from now on, with their bodies: the ones that are pending and as
	// it has read them. Without claims it only says whether this process may send.
	Begin(ctx context.Context, claims []Claim, at time.Time) ([]Owed, error)
	// Settle writes down what an attempt came to: it sets state, error, next try and receipt, adds
	// one to Attempts and clears Begun. It is ErrTaken if somebody else had a hand in the
	// entry since it was read.
	Settle(ctx context.Context, key string, r Result) error
	// Root is the newest sent post, edit or mend of the thread, without its body: its receipt says
	// where the root message is now. It is false if nothing of the thread was sent.
	Root(ctx context.Context, receiver, thread string) (Owed, bool, error)
}

// ErrTaken says that somebody else had a hand in the entry.
var ErrTaken = errors.New("somebody else had a hand in it")

// ErrDeposed says that somebody else leads: nothing may be written or sent any more. The daemon
// logs that it stands by.
var ErrDeposed error = trouble.Known("this process leads no longer")

// Receiver delivers entries to one place. Its errors are Failures. It must be safe for concurrent
// use; the pump never uses it twice at a time for one channel.
type Receiver interface {
	// Deliver sends one message. root is where the thread's root message is, the zero Receipt if it
	// has none: then a reply or an edit is posted as a message of its own. The receipt of an edit
	// is that of the root.
	Deliver(ctx context.Context, o Owed, root Receipt) (Receipt, error)
	// Find looks among the messages of the root's thread, or of the channel if root is zero, for
	// those of the given entries, which are all of one channel, and returns all copies of each,
	// oldest first. It goes back as far as reach says, on the receiver's own clock. ErrNoLookup
	// says that this receiver cannot be asked.
	Find(ctx context.Context, owed []Owed, root Receipt, reach time.Duration) (map[string][]Receipt, error)
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
// entries, which are all root messages or all replies, and says how many it names, at least one;
// waiting is how many there are in all. It is given at most DigestMost.
type Digester interface {
	Digest(entries []Entry, waiting int) (body json.RawMessage, named int)
}

// DigestMost is how many entries a digest names at most.
const DigestMost = 200

// Pointer is a receiver whose messages can lead on: Point changes the one at from, so that it says
// nothing but that it goes on at to.
type Pointer interface {
	Point(ctx context.Context, from, to Receipt) error
}
