package slack

import (
	"context"
	"errors"
	"time"

	goslack "github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"
)

// Place is a channel as the bot sees it.
type Place struct {
	Private, Member, Archived bool
}

// Writable reports whether the bot may post there, with these scopes.
func (p Place) Writable(can func(scope string) bool) bool {
	return !p.Archived && (p.Member || !p.Private && can("chat:write.public"))
}

// Place looks a channel up by name or ID, without posting. It needs channels:read or groups:read,
// else the error is a failure with the reason missing_scope. An archived channel is found by its ID
// only.
func (c *Client) Place(ctx context.Context, name string) (Place, error) {
	id, err := c.channelID(ctx, name)
	if err != nil {
		return Place{}, err
	}
	ch, err := c.api.GetConversationInfoContext(ctx, &goslack.GetConversationInfoInput{ChannelID: id})
	if err != nil || ch.ID == "" {
		return Place{}, failureOf(err)
	}
	return Place{Private: ch.IsPrivate, Member: ch.IsMember, Archived: ch.IsArchived}, nil
}

// TrySocket connects by Socket Mode, waits for Slack's greeting and leaves again, within ten
// seconds. It returns how many connections the app has, this one included.
func TrySocket(ctx context.Context, c *Client, token Secret) (connections int, err error) {
	ctx, cancel := context.WithTimeout(ctx, trySocketFor)
	defer cancel()
	client := newSocket(token, c.address, usualTiming)
	ended := make(chan error, 1)
	go func() { ended <- client.RunContext(ctx) }()
	for {
		select {
		case err := <-ended:
			return 0, failureOf(err)
		case e := <-client.Events:
			switch e.Type {
			case socketmode.EventTypeHello:
				connections = e.Request.NumConnections
			case socketmode.EventTypeConnectionError:
				failed, _ := e.Data.(*goslack.ConnectionErrorEvent)
				err = failureOf(errors.Join(failed.ErrorObj))
			default:
				continue
			}
			cancel()
			<-ended
			return connections, err
		}
	}
}

const trySocketFor = 10 * time.Second
