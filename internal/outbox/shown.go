package outbox

// Shown are the root messages that edits bring up to date which are owed together, and last of all.
// An edit that is owed before one of them would be replaced by it and never be sent, so nobody
// needs to compose it. The zero value is none, and may be asked.
type Shown map[shownRoot]bool

// shownRoot is the root message of a thread in one place.
type shownRoot struct {
	place
	thread string
}

// Add takes in the edits among entries. One that matters only under a condition replaces none.
func (s Shown) Add(entries []Entry) {
	for _, e := range entries {
		if e.Op == Edit && !e.IfTold && !e.IfFound {
			s[shownRoot{place{e.Receiver, e.Channel}, e.Thread}] = true
		}
	}
}

// Has reports whether the root message of a thread is among them.
func (s Shown) Has(receiver, channel, thread string) bool {
	return s[shownRoot{place{receiver, channel}, thread}]
}
