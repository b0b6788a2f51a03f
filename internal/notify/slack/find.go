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
	pageSize  = 200
	maxPages  = 10
	clockSkew = 10 * time.Minute // between slowburn and Slack
)

// Find looks for the messages of the given entries by the key in their metadata, from when they
// were decided. For that it must be allowed to read the channel (channels:history, groups:history);
// if it is not, the error is ErrNoLookup.
func (c *Client) Find(ctx context.Context, owed []outbox.Owed, root outbox.Receipt) (map[string]outbox.Receipt, error) {
	found := map[string]outbox.Receipt{}
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
			err = c.search(ctx, id, root.TS, owed, found)
		}
		// A reply whose root was deleted stands in the channel, so that is searched as well.
		if err == nil && len(found) < len(owed) {
			err = c.search(ctx, id, "", owed, found)
		}
		if err != nil {
			return nil, lookupFailure(err)
		}
	}
	for key, r := range found {
		found[key], _ = c.linked(r, nil)
	}
	return found, nil
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

// search walks through a channel, or a thread of it, and notes what it finds.
func (c *Client) search(ctx context.Context, channel, thread string, owed []outbox.Owed, found map[string]outbox.Receipt) error {
	cursor := ""
	for range maxPages {
		messages, next, err := c.page(ctx, channel, thread, oldest(owed), cursor)
		if err != nil {
			return err
		}
		for _, m := range messages {
			match(channel, m, owed, found)
		}
		if next == "" || len(found) == len(owed) {
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

// oldest returns the time from which on to search, as Slack writes it.
func oldest(owed []outbox.Owed) string {
	first := owed[0].Created
	for _, o := range owed {
		if o.Created.Before(first) {
			first = o.Created
		}
	}
	return fmt.Sprintf("%d.000000", first.Add(-clockSkew).Unix())
}

func match(channel string, m goslack.Message, owed []outbox.Owed, found map[string]outbox.Receipt) {
	meta := metadata{Type: m.Metadata.EventType, Payload: map[string]string{}}
	for k, v := range m.Metadata.EventPayload {
		if s, ok := v.(string); ok {
			meta.Payload[k] = s
		}
	}
	for _, o := range owed {
		if meta.names(o.Key) {
			found[o.Key] = outbox.Receipt{Channel: channel, TS: m.Timestamp, Shared: meta.Payload["folded"] != ""}
		}
	}
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
