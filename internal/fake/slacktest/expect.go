package slacktest

import (
	"context"
	"slices"
	"strings"
	"time"
)

// TB is what an expectation needs of a test; *testing.T has it.
type TB interface {
	Helper()
	Context() context.Context
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// patience bounds how long an expectation waits. It only ever passes when a test fails.
const patience = 30 * time.Second

// An Expectation says in a few lines what a person should have seen:
//
//	x := srv.Expect(t)
//	root := x.Message("#payments", "checkout", "14.4×")
//	root.Buttons("Acknowledge", "Silence")
//	root.Press("ack", "U0ANA")
//	root.Edited("acknowledged by ana")
//	root.Reply("acknowledged")
//	x.NothingElse()
//
// Every expectation waits until it holds or fails the test with the whole workspace printed. A
// message that was expected is crossed off; NothingElse fails if one is left over.
type Expectation struct {
	t    TB
	s    *Server
	seen map[string]bool // by TS
}

// Expect starts to say what should be seen.
func (s *Server) Expect(t TB) *Expectation {
	return &Expectation{t: t, s: s, seen: map[string]bool{}}
}

// A Seen message was expected and found.
type Seen struct {
	x       *Expectation
	Channel string // ID
	TS      string
}

// Message waits for a message in the channel, not a reply and not yet crossed off, that shows all
// these words.
func (x *Expectation) Message(channel string, words ...string) Seen {
	x.t.Helper()
	return x.find("a message in "+channel, words, func(st State) []Message { return st.Roots(channel) })
}

// Reply waits for a reply in the message's thread.
func (m Seen) Reply(words ...string) Seen {
	m.x.t.Helper()
	return m.x.find("a reply", words, func(st State) []Message { return st.Thread(m.Channel, m.TS) })
}

// Broadcast waits for a reply that the channel shows as well.
func (m Seen) Broadcast(words ...string) Seen {
	m.x.t.Helper()
	return m.x.find("a broadcast reply", words, func(st State) []Message {
		return slices.DeleteFunc(st.Thread(m.Channel, m.TS), func(r Message) bool { return !r.Broadcast })
	})
}

func (x *Expectation) find(what string, words []string, among func(State) []Message) (found Seen) {
	x.t.Helper()
	x.until(what+" with "+strings.Join(words, ", "), func(st State) bool {
		for _, m := range among(st) {
			if !x.seen[m.TS] && shows(m, words) {
				found = Seen{x, m.Channel, m.TS}
				return true
			}
		}
		return false
	})
	x.seen[found.TS] = true
	return found
}

// Edited waits until the message's newest version, which must be an edit, shows all these words.
func (m Seen) Edited(words ...string) {
	m.x.t.Helper()
	m.x.until("an edit with "+strings.Join(words, ", "), func(st State) bool {
		now, ok := st.Message(m.Channel, m.TS)
		return ok && now.EditedTS != "" && shows(now, words)
	})
}

// Buttons asserts the texts of the message's buttons, in order.
func (m Seen) Buttons(texts ...string) {
	m.x.t.Helper()
	var got []string
	for _, b := range m.Now().Buttons() {
		got = append(got, b.Text)
	}
	if !slices.Equal(got, texts) {
		m.x.t.Errorf("buttons are %q, want %q", got, texts)
	}
}

// Color asserts the colour bar.
func (m Seen) Color(want string) {
	m.x.t.Helper()
	if got := m.Now().Color(); got != want {
		m.x.t.Errorf("colour is %q, want %q", got, want)
	}
}

// Press presses a button and fails unless the app acknowledges it.
func (m Seen) Press(actionID, user string) {
	m.x.t.Helper()
	ack, err := m.x.s.Press(m.TS, actionID, user)
	if err != nil || ack.Status/100 != 2 {
		m.x.t.Fatalf("press %q: status %d, %v", actionID, ack.Status, err)
	}
}

// Now returns the message as it is now.
func (m Seen) Now() Message {
	m.x.t.Helper()
	now, ok := m.x.s.Message(m.Channel, m.TS)
	if !ok {
		m.x.t.Fatalf("message %s is gone", m.TS)
	}
	return now
}

// NothingElse fails if the app posted a message that nobody expected, or did what no well-behaved
// app does. It looks once: a test that wants to know that nothing more is to come has to wait for
// the app to be idle first.
func (x *Expectation) NothingElse() {
	x.t.Helper()
	st := x.s.State()
	for _, c := range st.Channels() {
		for _, m := range st.All(c.ID) {
			if !x.seen[m.TS] && !m.Deleted && m.User == st.w.opts.BotUser {
				x.t.Errorf("nobody expected this in #%s: %s", c.Name, m.Visible())
			}
		}
	}
	for _, v := range st.Violations() {
		x.t.Errorf("violation: %s", v)
	}
}

func (x *Expectation) until(what string, ok func(State) bool) {
	x.t.Helper()
	ctx, cancel := context.WithTimeout(x.t.Context(), patience)
	defer cancel()
	if err := x.s.Wait(ctx, ok); err != nil {
		x.t.Fatalf("did not see %s: %v", what, err)
	}
}

// shows reports whether a person would read all these words in the message.
func shows(m Message, words []string) bool {
	text := m.Visible()
	return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) })
}
