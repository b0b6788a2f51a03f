// Package outbox is a durable queue of outgoing messages, and the loop that delivers them. A
// message that was written down and is not delivered yet is owed.
//
// A decision and the messages it owes are written down in one transaction, before anything is sent.
// Each message is an [Entry] under a unique key, and that key is both the schedule and the
// de-duplication: what is owed once cannot be owed twice. A second loop, the pump, claims what is
// due, sends what it got through a receiver (Slack first) and writes the result down. A crash
// between the two leaves an entry that was begun and not settled: its outcome is ambiguous, and it
// is looked up at the receiver before it is sent again.
//
// # Claim, then send
//
// The pump knows keys and times of what is pending, by channel, and reads of the store only what is
// new. What a message says it is given when it has begun it: the store's Begin returns what is the
// claimant's from then on, and whoever has read something older than what is true gets nothing. So
// two pumps over one store never send the same message, whatever they have read. Where several may
// send, each asks its lease right before it does, see Options.Lease.
//
// # A store that cannot be written
//
// If the disk is full, what is owed goes out nevertheless, from memory and with the same queue,
// pace and retries; the outcomes are written down when there is space again. Only reports wait.
//
// # What holds
//
// The promises of delivery, and the tests that hold them (packages outbox, slack, engine, web and
// report). Random lives take -lives.
//
//	I1  no loss            slack: TestRandomFaultsLoseNothingAndDoubleNothing; engine: TestRandomLives, TestKillAtEveryStep, TestEveryStepMayFail;
//	                       on a full disk engine and slack: TestAFullDiskSilencesNothing
//	I2  effectively once   the same, by the keys that stand in the channel; slack: TestAWebhookRepeatsOnceAndSaysSoForEachKill;
//	                       TestUnderLoadNothingIsDoubled, TestPumpsThatShareAStore;
//	                       slack: TestALookUpDoesNotTrustOurClock, TestAFirstCopyIsFoundLaterAndLeadsToTheSecond
//	I3  order              TestOrder; slack: TestRandomFaultsLoseNothingAndDoubleNothing
//	I4  rate, Retry-After  TestOnePostASecond; slack: TestRetryAfterIsHonouredAndConcernsTheWholeChannel; the stand-in refuses whoever is faster
//	I5  pages first        slack: TestAPageOvertakesEverything, TestAStormIsNamedWithinSeconds, TestAStormInOneThreadIsNamedWithinSeconds,
//	                       TestTheEndOfAStormIsToldWithinSeconds
//	I6  one bad channel    slack: TestAHangingChannelDelaysNoOther; TestDeadChannelsStarveNobody, TestWhatWaitsElsewhereCostsNothing
//	I7  payload, mentions  slack: TestNoInputBreaksAMessage, TestForeignTextStaysText, TestSlackTakesWhatWeCompose
//	I8  secrets            slack: TestTheTokenIsNowhere, TestSecretsGoToNobodyElse
//	I9  a report once      the key is the period; engine: the tests of reports
//	I10 interactions       slack: the tests of the desk
//	I11 degradation        slack: TestRefusedFormsDegradeToASentence
//	I12 no feedback loop   the pump reports its trouble by Summary alone
//	I13 it can be seen     slack: TestMisconfigurationWaitsVisiblyForAPerson, TestWhatIsNeverMendedDiesVisibly
package outbox

import (
	"encoding/json"
	"time"
)

// Lane orders what waits for the same channel: a page never queues behind a report.
type Lane int

// The lanes, most urgent first.
const (
	LanePage Lane = iota
	LaneTicket
	LaneResolve
	LaneReport
)

// Op is what an entry does to its thread.
type Op string

// The operations.
const (
	Post  Op = "post"  // the root message of a thread
	Edit  Op = "edit"  // brings the root message to a newer state; of several, only the newest matters
	Reply Op = "reply" // a message in the thread
	// Mend looks for the first copy of a message that was repeated, and lets it lead to the second.
	// It is owed by the pump itself, see mend.go; nobody composes it.
	Mend Op = "mend"
)

// Entry is one message that is owed.
type Entry struct {
	Key      string          `json:"key"`     // unique for ever, such as an event's key + "/reply", or report/weekly/2026-W48
	Receiver string          `json:"leg"`     // who delivers it: "slack"; under its old name, by which it is stored
	Lane     Lane            `json:"lane"`    //
	Channel  string          `json:"channel"` // where to, in the receiver's own terms
	Thread   string          `json:"thread"`  // what it is about: an incident's ID, or a report; all its entries share one root message
	Op       Op              `json:"op"`
	Body     json.RawMessage `json:"body"`    // the composed message, in the receiver's own form
	Created  time.Time       `json:"created"` // when it was decided
	// Tried says that it may have been sent already without being written down (the disk was full):
	// it is looked up at the receiver first.
	Tried bool `json:"tried,omitempty"`
	// IfTold says that the entry only follows up on what its receiver has been told about the
	// thread: if nothing was sent there, and no post of the thread waits, it is needless.
	IfTold bool `json:"if_told,omitempty"`
	// IfFound says of an edit that it only matters if a process before has sent the post that waits
	// with it, which is found by looking it up: then people have been told what the post tells
	// them of.
	IfFound bool `json:"if_found,omitempty"`
}

// State is how far an entry has come.
type State string

// The states of an entry.
const (
	Pending    State = "pending"    // owed; may have been tried
	Sent       State = "sent"       // delivered, the receipt is kept
	Superseded State = "superseded" // a newer state of the same message made it needless
	Dead       State = "dead"       // given up; shown, counted and never silently dropped
)

// Receipt is what the receiver answered: enough to find the message again.
type Receipt struct {
	Channel string `json:"channel"` // the receiver's own ID of the channel
	TS      string `json:"ts"`      // the receiver's ID of the message, "" if it gives none
	Link    string `json:"link,omitempty"`
	// Shared says that the message is a digest that names several threads. Replies may follow it,
	// but it is no thread's own to edit.
	Shared bool `json:"shared,omitempty"`
	// Repeat says that an earlier copy of the message may stand there, which was not found yet.
	Repeat bool `json:"repeat,omitempty"`
	// Refused is why the channel that was meant did not take it, as "class: reason", where it went
	// into another one instead.
	Refused string `json:"refused,omitempty"`
}

// None reports whether there is no message at all.
func (r Receipt) None() bool { return r == Receipt{} }

// Owed is an entry with what has happened to it so far.
type Owed struct {
	Entry
	Seq      int64     `json:"seq"` // order of commit; replies of a thread go out in this order
	State    State     `json:"state"`
	Attempts int       `json:"attempts"`
	Begun    time.Time `json:"begun,omitzero"` // a send was started then and its result was never written: ambiguous
	NextTry  time.Time `json:"next_try,omitzero"`
	LastErr  string    `json:"last_error,omitempty"` // "class: reason", see Failure; without secrets
	Settled  time.Time `json:"settled,omitzero"`
	Receipt  Receipt   `json:"receipt,omitzero"`

	// Repeat is set by the pump, never stored: an earlier attempt may have arrived, nobody can look
	// it up, and the receiver should say in the message that it may be a repeat.
	Repeat bool `json:"-"`
	// Inherited is set by the pump, never stored: the page was owed when the process began. The one
	// before may have sent it without being able to write that down, because a full disk must not
	// silence a page.
	Inherited bool `json:"-"`
}

// Ambiguous reports whether an earlier attempt may have been delivered without our knowing: a send
// was begun and its result never written, the last attempt broke off too late to be sure, or it is
// inherited.
func (o Owed) Ambiguous() bool {
	return !o.Begun.IsZero() || ClassOf(o.LastErr) == Ambiguous || o.Inherited
}

// suspected reports whether it is ambiguous only because it is inherited.
func (o Owed) suspected() bool {
	known := o
	known.Inherited = false
	return o.Inherited && !known.Ambiguous()
}

// Claim asks to begin a send. Begun and Attempts are what the claimant has read of the entry: when
// an attempt that was never settled began, or zero, and how many were settled. Whoever has read
// something older than what is true is refused.
type Claim struct {
	Key      string
	Begun    time.Time
	Attempts int
}

// Result is what an attempt came to; it is written down by the store's Settle, which also counts
// the attempt and clears Begun.
type Result struct {
	State   State // Pending to try again at NextTry
	NextTry time.Time
	Err     string
	Receipt Receipt
	At      time.Time
	// Begun and Attempts are what the sender has read of the entry, as in Claim. Only that it was
	// sent is written down whatever was read: it is true.
	Begun    time.Time
	Attempts int
	// Then is owed as well, in the same transaction.
	Then *Entry
}
