package slack

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	goslack "github.com/slack-go/slack"

	"github.com/slowburn-sre/slowburn/internal/notify"
	"github.com/slowburn-sre/slowburn/internal/outbox"
)

const (
	pageSize = 200
	maxPages = 10
)

// Find looks for the messages of the given entries by the key in their metadata, as far back as
// reach says on Slack's own clock. For that it must be allowed to read the channel
// (channels:history, groups:history); if it is not, the error is ErrNoLookup.
func (c *Client) Find(ctx context.Context, owed []outbox.Owed, root outbox.Receipt, reach time.Duration) (map[string][]outbox.Receipt, error) {
	now, err := c.slackTime(ctx)
	if err != nil {
		return nil, lookupFailure(err)
	}
	s := newSearch(owed, now.Add(-reach))
	channels := []string{root.Channel}
	if root.None() {
		channels = []string{owed[0].Channel}
		if c.fallback != "" && c.fallback != owed[0].Channel {
			channels = append(channels, c.fallback)
		}
	}
	for _, name := range channels {
		id, err := c.channelID(ctx, name)
		if err == nil && root.TS != "" {
			err = c.search(ctx, id, root.TS, s)
		}
		// A reply whose root was deleted stands in the channel, so that is searched as well.
		if err == nil && !s.done() {
			err = c.search(ctx, id, "", s)
		}
		if err != nil {
			return nil, lookupFailure(err)
		}
	}
	for key, copies := range s.found {
		for i, r := range copies {
			copies[i], _ = c.linked(r, nil)
		}
		slices.SortFunc(s.found[key], func(a, b outbox.Receipt) int { return strings.Compare(a.TS, b.TS) })
	}
	return s.found, nil
}

// slackTime returns what time it is for Slack, as its answers say.
func (c *Client) slackTime(ctx context.Context) (time.Time, error) {
	if now, known := c.clock.Now(); known {
		return now, nil
	}
	_, err := c.api.AuthTestContext(ctx) // any answer says it; this one needs no permission
	if now, known := c.clock.Now(); known {
		return now, nil
	}
	return time.Time{}, failureOf(err)
}

// unreadable are the errors that say that slowburn may post to a channel and not read it.
var unreadable = []string{
	"missing_scope", "not_in_channel", "channel_not_found", "no_permission", "not_allowed_token_type", "access_denied", tooMany,
}

const tooMany = "too many messages to look through"

// lookupFailure tells a look-up that is not allowed from one that failed.
func lookupFailure(err error) error {
	f := outbox.FailureOf(err)
	if slices.Contains(unreadable, f.Reason) {
		return fmt.Errorf("%w: %s", outbox.ErrNoLookup, f.Reason)
	}
	return f
}

// search is what is looked for: entries by what stands for them in metadata, and what was found.
type search struct {
	oldest string // as Slack writes it
	all    bool   // every copy is wanted, not the newest only
	keys   map[string]string
	hashes map[string]string
	found  map[string][]outbox.Receipt
}

func newSearch(owed []outbox.Owed, oldest time.Time) *search {
	s := &search{
		oldest: fmt.Sprintf("%d.000000", oldest.Unix()),
		keys:   map[string]string{}, hashes: map[string]string{}, found: map[string][]outbox.Receipt{},
	}
	for _, o := range owed {
		s.keys[shortKey(o.Key)], s.hashes[hashKey(o.Key)] = o.Key, o.Key
		s.all = s.all || o.Op == outbox.Mend
	}
	return s
}

// done reports whether nothing more is to be found.
func (s *search) done() bool { return !s.all && len(s.found) == len(s.keys) }

// match notes a message that delivered one of the entries, or names some of them.
func (s *search) match(channel string, m goslack.Message) {
	if m.Metadata.EventType != EventType {
		return
	}
	text := func(name string) string { t, _ := m.Metadata.EventPayload[name].(string); return t }
	r := outbox.Receipt{Channel: channel, TS: m.Timestamp, Shared: text("folded") != ""}
	add := func(key string, known bool) {
		if known && !slices.Contains(s.found[key], r) {
			s.found[key] = append(s.found[key], r)
		}
	}
	key, known := s.keys[text("key")]
	add(key, known)
	for _, hash := range strings.Fields(text("folded")) {
		key, known := s.hashes[hash]
		add(key, known)
	}
}

// search walks through a channel, or a thread of it, and notes what it finds.
func (c *Client) search(ctx context.Context, channel, thread string, s *search) error {
	cursor := ""
	for range maxPages {
		messages, next, err := c.page(ctx, channel, thread, s.oldest, cursor)
		if err != nil {
			return err
		}
		for _, m := range messages {
			s.match(channel, m)
		}
		if next == "" || s.done() {
			return nil
		}
		cursor = next
	}
	return notify.Fail(outbox.Misconfigured, tooMany)
}

func (c *Client) page(ctx context.Context, channel, thread, oldest, cursor string) ([]goslack.Message, string, error) {
	if thread != "" {
		messages, more, next, err := c.api.GetConversationRepliesContext(ctx, &goslack.GetConversationRepliesParameters{
			ChannelID: channel, Timestamp: thread, Oldest: oldest, Cursor: cursor, Limit: pageSize, IncludeAllMetadata: true,
		})
		switch {
		case err != nil:
			if f := failureOf(err); f.Class != outbox.TargetGone {
				return nil, "", f
			}
			return nil, "", nil // a thread that does not exist holds nothing
		case len(messages) == 0 && cursor == "":
			return nil, "", failureOf(nil) // a thread holds at least its root
		}
		return messages, nextCursor(more, next), nil
	}
	h, err := c.api.GetConversationHistoryContext(ctx, &goslack.GetConversationHistoryParameters{
		ChannelID: channel, Oldest: oldest, Cursor: cursor, Limit: pageSize, IncludeAllMetadata: true,
	})
	switch {
	case err != nil:
		return nil, "", failureOf(err)
	case !h.Ok:
		return nil, "", failureOf(nil)
	}
	return h.Messages, nextCursor(h.HasMore, h.ResponseMetaData.NextCursor), nil
}

func nextCursor(more bool, cursor string) string {
	if !more {
		return ""
	}
	return cursor
}

var idPattern = regexp.MustCompile(`^[CGD][A-Z0-9]{6,}$`)

// channelID turns a channel's name into its ID, which reading needs and posting does not.
func (c *Client) channelID(ctx context.Context, name string) (string, error) {
	if idPattern.MatchString(name) {
		return name, nil
	}
	c.mu.Lock()
	id, known := c.ids[name]
	c.mu.Unlock()
	if known {
		return id, nil
	}
	for _, kinds := range [][]string{{"public_channel"}, {"private_channel"}} {
		id, err := c.findChannel(ctx, strings.TrimPrefix(name, "#"), kinds)
		if err != nil {
			return "", err
		}
		if id != "" {
			c.learn(name, id)
			return id, nil
		}
	}
	return "", notify.Fail(outbox.Misconfigured, "channel_not_found")
}

func (c *Client) findChannel(ctx context.Context, name string, kinds []string) (string, error) {
	cursor := ""
	for range maxPages {
		list, next, err := c.api.GetConversationsContext(ctx, &goslack.GetConversationsParameters{
			Types: kinds, ExcludeArchived: true, Limit: pageSize, Cursor: cursor,
		})
		if err != nil || len(list) == 0 && cursor == "" && kinds[0] == "public_channel" {
			return "", failureOf(err) // there is no workspace without a public channel
		}
		for _, ch := range list {
			if ch.Name == name || ch.NameNormalized == name {
				return ch.ID, nil
			}
		}
		if cursor = next; next == "" {
			break
		}
	}
	return "", nil
}
