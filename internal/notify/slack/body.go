package slack

import (
	"bytes"
	"encoding/json"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/sentences"
)

// Body is a composed message, in the form in which the outbox keeps it.
type Body struct {
	// Text is the sentence of the notification and for screen readers, state first, mrkdwn-escaped.
	// With Blocks it is not shown in the channel; without it is the message.
	Text   string  `json:"text"`
	Blocks []Block `json:"blocks,omitempty"`
	// Mention are the people to notify, as the configuration names them: <!subteam^S…>, <@U…>,
	// <!here>. They stand in Blocks as well; this is for the plain form.
	Mention []string `json:"mention,omitempty"`
	// Broadcast shows a reply in the channel, too.
	Broadcast bool `json:"broadcast,omitempty"`
	// Name is what a digest calls the message: "🔥 Page · checkout/availability", plain text.
	Name     string `json:"name,omitempty"`
	Incident string `json:"incident,omitempty"`
	SLO      string `json:"slo,omitempty"`
	// Delete, of an edit, takes the message out of the channel.
	Delete bool `json:"delete,omitempty"`
	// Folded are the hashes of the keys that a digest stands for.
	Folded []string `json:"folded,omitempty"`
	// Wait is what the minutes wait for that the message is about, for a digest.
	Wait *sentences.Wait `json:"wait,omitempty"`
}

func (b Body) marshal() json.RawMessage { return block(b) }

func parseBody(raw json.RawMessage) (Body, error) {
	var b Body
	err := json.Unmarshal(raw, &b)
	return b, err
}

// EventType is the type of the metadata that every message carries, by which it is found again.
const EventType = "slowburn_incident"

// metadata is what other programs, and slowburn after a crash, know a message by. Everybody in the
// workspace may read it.
type metadata struct {
	Type    string            `json:"event_type"`
	Payload map[string]string `json:"event_payload"`
}

func (b Body) metadata(key string) metadata {
	m := metadata{EventType, map[string]string{"key": shortKey(key), "incident": b.Incident, "slo": b.SLO}}
	if len(b.Folded) > 0 {
		m.Payload["folded"] = strings.Join(b.Folded, " ")
	}
	return m
}

// hashKey returns a short stand-in for a key where hundreds have to be named.
func hashKey(key string) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(key))
	return strconv.FormatUint(h.Sum64(), 36)
}

// shortKey returns a key as metadata hold it: itself, or its hash if it is too long for them.
func shortKey(key string) string {
	if len(key) > 500 {
		return hashKey(key)
	}
	return key
}

// noted puts small print before the n-th block, if there are blocks and room for one more.
func (b Body) noted(n int, text string) Body {
	if len(b.Blocks) > 0 && len(b.Blocks) < limitOf("message.blocks") {
		b.Blocks = slices.Insert(slices.Clone(b.Blocks), n, contextBlock(plainText(plain(text, foreignLimit))))
	}
	return b
}

// repeated says that the message may have been sent before.
func (b Body) repeated() Body {
	b.Text = "(may be a repeat) " + b.Text
	return b.noted(0, "This may be a repeat: it is not known whether an earlier attempt arrived.")
}

// continued returns what is left of a message that was sent a second time, because nobody could
// find out whether it had arrived.
func continued(link string) Body {
	text := "🔁 Sent again below, because it was not known whether this message had arrived. What follows is said there."
	if address, ok := safeURL(link); ok {
		text = "🔁 Continued in <" + address + "|the same message, sent again> because it was not known whether this one had arrived."
	}
	return Body{Text: text}
}

// instead says that the message was meant for another channel.
func (b Body) instead(channel, reason string) Body {
	b.Text = "(meant for " + escape(channel) + ") " + b.Text
	return b.noted(0, "Meant for "+channel+", which Slack refuses: "+reason)
}

// instead marks composed messages as sent in place of those of another receiver, which is down.
func instead(entries []outbox.Entry, down string) []outbox.Entry {
	for i := range entries {
		b, err := parseBody(entries[i].Body)
		if err != nil {
			continue
		}
		b.Text = clip("("+escape(down)+" is down) "+b.Text, limitOf("message.text"))
		entries[i].Body = b.noted(1, sentences.Instead(down)).marshal()
	}
	return entries
}

// forms returns the message in ever plainer forms, best first: without charts; without controls,
// and with tables and Markdown as text; the header and the first words; no blocks at all; the
// sentence alone. The sentence always arrives.
func (b Body) forms() []Body {
	var out []Body
	for _, form := range []Body{b, b.without("data_visualization"), b.without("data_visualization", "actions").asText(), b.headline(), b.unblocked()} {
		same := len(out) > 0 && slices.EqualFunc(out[len(out)-1].Blocks, form.Blocks, func(x, y Block) bool { return bytes.Equal(x, y) }) && out[len(out)-1].Text == form.Text
		if !same && len(form.Validate()) == 0 {
			out = append(out, form)
		}
	}
	return append(out, b.sentence())
}

func (b Body) has(kind string) bool {
	return slices.ContainsFunc(b.Blocks, func(raw Block) bool { return kindOf(raw) == kind })
}

func (b Body) without(kinds ...string) Body {
	b.Blocks = slices.DeleteFunc(slices.Clone(b.Blocks), func(raw Block) bool { return slices.Contains(kinds, kindOf(raw)) })
	return b
}

// asText turns tables and Markdown into sections.
func (b Body) asText() Body {
	var out []Block
	for _, raw := range b.Blocks {
		out = append(out, plainer(raw)...)
	}
	b.Blocks = out
	return b
}

// headline keeps the header and the first words of the first section.
func (b Body) headline() Body {
	var kept []Block
	for _, raw := range b.Blocks {
		var m struct {
			Type string `json:"type"`
			Text *Text  `json:"text"`
		}
		if json.Unmarshal(raw, &m) != nil || m.Text == nil || m.Type != "header" && m.Type != "section" {
			continue
		}
		kept = append(kept, raw)
		if m.Type == "section" {
			kept[len(kept)-1] = section(m.Text.Text)
			break
		}
	}
	b.Blocks = kept
	return b
}

// unblocked returns the message as mere text: the sentence and what the sections say, as far as it
// fits.
func (b Body) unblocked() Body {
	short := b.sentence()
	for _, raw := range b.asText().Blocks {
		var m struct {
			Text *Text `json:"text"`
		}
		if kindOf(raw) != "section" || json.Unmarshal(raw, &m) != nil || m.Text == nil {
			continue
		}
		if longer := short.Text + "\n" + m.Text.Text; utf8.RuneCountInString(longer) <= limitOf("message.text") {
			short.Text = longer
		}
	}
	return short
}

// sentence returns the barest form: the sentence, and whom it is for.
func (b Body) sentence() Body {
	b.Blocks = nil
	if len(b.Mention) > 0 {
		b.Text = strings.Join(b.Mention, " ") + " " + b.Text
	}
	return b
}

func kindOf(raw Block) string {
	var m struct {
		Type string `json:"type"`
	}
	_ = json.Unmarshal(raw, &m)
	return m.Type
}

// Fold brings a root message that was not yet sent up to date with a later edit.
func (c *Client) Fold(_, edit outbox.Entry) json.RawMessage { return edit.Body }

// Fold brings a message that was not yet sent up to date with a later edit.
func (w *Webhook) Fold(_, edit outbox.Entry) json.RawMessage { return edit.Body }
