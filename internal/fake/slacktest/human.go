package slacktest

import "slices"

// What people do to a workspace while an app is not looking. All of these take channels by ID or
// name and panic if there is no such channel: a test that names the wrong one should not go on.

// Say posts as a user, into the channel or, with a threadTS, into a thread, and returns the
// message.
func (s *Room) Say(channel, user, text, threadTS string) Message {
	var m Message
	s.onChannel(channel, func(w *workspace, c *Channel) {
		m = *w.add(Message{Channel: c.ID, User: user, Text: text, ThreadTS: threadTS})
	})
	return m
}

// DeleteMessage deletes a message, whoever wrote it, and reports whether it was there.
func (s *Room) DeleteMessage(channel, ts string) (found bool) {
	s.onChannel(channel, func(w *workspace, c *Channel) {
		if m := w.find(c.ID, ts); m != nil && !m.Deleted {
			w.remove(m)
			found = true
		}
	})
	return found
}

// React puts an emoji under a message as a user.
func (s *Room) React(channel, ts, emoji, user string) {
	s.onChannel(channel, func(w *workspace, c *Channel) {
		if m := w.find(c.ID, ts); m != nil {
			w.react(m, emoji, user)
		}
	})
}

// SetArchived archives a channel or brings it back.
func (s *Room) SetArchived(channel string, archived bool) {
	s.onChannel(channel, func(_ *workspace, c *Channel) { c.Archived = archived })
}

// SetJoined invites the app to a channel or removes it.
func (s *Room) SetJoined(channel string, joined bool) {
	s.onChannel(channel, func(_ *workspace, c *Channel) { c.Joined = joined })
}

// RevokeToken makes a token answer token_revoked from now on.
func (s *Room) RevokeToken(value string) {
	s.locked(func(w *workspace) {
		if t := w.tokens[value]; t != nil {
			t.revoked = true
		}
	})
}

// SetToken adds a token with those scopes, or gives a known one new scopes and lifts its
// revocation.
func (s *Room) SetToken(value string, scopes ...string) {
	s.locked(func(w *workspace) { w.tokens[value] = &token{scopes: slices.Clone(scopes)} })
}

func (s *Room) onChannel(ref string, f func(*workspace, *Channel)) {
	s.locked(func(w *workspace) {
		c := w.channel(ref, true)
		if c == nil {
			panic("slacktest: no channel " + ref)
		}
		w.version++
		f(w, c)
	})
}
