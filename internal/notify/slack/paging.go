package slack

import (
	"context"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/internal/notify"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/sentences"
)

// Notice composes a message about a destination that takes no pages; when it does again, an edit of
// it and a reply.
func (h Composer) Notice(n notify.Notice) []outbox.Entry {
	icon := "📵"
	if n.Over {
		icon = "✅"
	}
	state := icon + " " + n.State()
	b := Body{Text: clip(state+": "+escapeLong(n.Summary())+".", maxSentence), Name: state + " · " + plain(n.Destination, 80), Incident: clip(n.Thread(), 500)}
	said := section(dressAll(n.Lines()))
	b.Blocks = []Block{header(state + " · " + plain(n.Destination, 100)), said, contextBlock(mrkdwn(h.signature()))}
	if !n.Over {
		return []outbox.Entry{n.Entry(outbox.Post, b)}
	}
	edit, reply := n.Entry(outbox.Edit, b), n.Entry(outbox.Reply, Body{Text: b.Text, Blocks: []Block{said}, Broadcast: true, Incident: b.Incident})
	edit.Key, reply.Key = edit.Key+"/edit", reply.Key+"/reply"
	return []outbox.Entry{edit, reply}
}

// Drill composes a drill. A silent one mentions nobody and is deleted as soon as it is there. A
// loud one mentions those who are woken by a page, with a button to acknowledge it, and stays.
func (h Composer) Drill(d notify.Drill) []outbox.Entry {
	b := Body{Text: clip("🧪 "+d.State()+": "+escapeLong(d.Summary())+".", maxSentence), Name: "🧪 " + d.State(), Incident: clip(d.ID, 500)}
	if d.Over && !d.Loud {
		b.Delete = true
		return []outbox.Entry{d.Entry(outbox.Edit, b)}
	}
	text := dressAll(d.Lines())
	if d.Loud && !d.Over {
		b.Mention = d.Mention
	}
	b.Blocks = append([]Block{header("🧪 " + d.State() + " · nothing is wrong"), section(text)}, sectionIf(forWhom(b.Mention))...)
	op := outbox.Post
	switch {
	case d.Over:
		op = outbox.Edit
	case d.Loud && h.Interactive:
		id := controlID(d.ID)
		b.Blocks = append(b.Blocks, actions(id, newButton(ActionAck, "Acknowledge", id, "primary")))
	}
	b.Blocks = append(b.Blocks, contextBlock(mrkdwn(h.signature())))
	return []outbox.Entry{d.Entry(op, b)}
}

// dressAll puts texts into mrkdwn, one a line.
func dressAll(all []sentences.Text) string {
	var lines []string
	for _, t := range all {
		lines = append(lines, dress(t))
	}
	return strings.Join(lines, "\n")
}

var (
	_ notify.Checker        = (*Client)(nil)
	_ notify.ChannelChecker = (*Client)(nil)
)

// checkLimit bounds one question of whether something works.
const checkLimit = 10 * time.Second

// Check asks whether Slack takes the token.
func (c *Client) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	if _, err := c.api.AuthTestContext(ctx); err != nil {
		return failureOf(err)
	}
	return nil
}

// CheckChannel asks whether a channel is archived, or closed to the bot. That cannot be found out
// without the permission to read channels.
func (c *Client) CheckChannel(ctx context.Context, channel string) (known bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	p, err := c.Place(ctx, channel)
	switch {
	case err != nil: // a bot sees no private channel that it is not in, and no name of an archived one
		return outbox.FailureOf(err).Reason == "channel_not_found", err
	case p.Archived:
		return true, notify.Fail(outbox.Misconfigured, "is_archived")
	case !p.Member && p.Private:
		return true, notify.Fail(outbox.Misconfigured, "not_in_channel")
	}
	return p.Member, nil
}
