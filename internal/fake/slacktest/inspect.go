package slacktest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// A State is the workspace at one moment. It does not change any more, so a test can look at
// several things in it without a race.
//
// Channels are given by ID or by name, with or without "#".
type State struct {
	w *workspace
}

// State returns the workspace as it is now.
func (s *Room) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ws.snapshot()
}

func (w *workspace) snapshot() State {
	c := &workspace{
		opts: w.opts, url: w.url, version: w.version, listening: w.listening, greeted: w.greeted,
		channels: slices.Clone(w.channels), calls: slices.Clip(w.calls), violations: slices.Clip(w.violations),
		ephemerals: slices.Clip(w.ephemerals), messages: make(map[string][]*Message, len(w.messages)),
		files: make(map[string]*File, len(w.files)), fileOrder: slices.Clip(w.fileOrder),
	}
	for id, list := range w.messages {
		c.messages[id] = slices.Clip(list)
	}
	for id, f := range w.files {
		c.files[id] = f
	}
	return State{c}
}

// Wait blocks until ok is true of the state, and returns nil then; it asks after every change of
// the workspace and does not poll. The error is that of ctx, with the newest calls added, or says
// that the server was closed.
func (s *Room) Wait(ctx context.Context, ok func(State) bool) error {
	stop := context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.changed.Broadcast()
	})
	defer stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		now := s.ws.snapshot()
		if ok(now) {
			return nil
		}
		select {
		case <-s.closing:
			return fmt.Errorf("slacktest: the server was closed")
		default:
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("%w while waiting for Slack\n%s", err, now)
		}
		s.changed.Wait()
	}
}

// Channels returns the channels in their order.
func (st State) Channels() []Channel { return slices.Clone(st.w.channels) }

// Messages returns what the channel shows, oldest first: messages and broadcast replies that were
// not deleted.
func (st State) Messages(channel string) []Message {
	return st.filter(channel, func(m *Message) bool { return !m.Deleted && (m.ThreadTS == "" || m.Broadcast) })
}

// Roots returns the messages that are not replies, oldest first.
func (st State) Roots(channel string) []Message {
	return st.filter(channel, func(m *Message) bool { return !m.Deleted && m.ThreadTS == "" })
}

// Thread returns the replies to the message with that TS, oldest first.
func (st State) Thread(channel, ts string) []Message {
	return st.filter(channel, func(m *Message) bool { return !m.Deleted && m.ThreadTS == ts })
}

// All returns every message of the channel ever posted, replies and deleted ones included.
func (st State) All(channel string) []Message {
	return st.filter(channel, func(*Message) bool { return true })
}

// Message returns one message, deleted or not.
func (st State) Message(channel, ts string) (Message, bool) {
	m := st.w.find(st.w.resolve(channel), ts)
	if m == nil {
		return Message{}, false
	}
	return *m, true
}

// ByMetadata returns the messages of all channels, not deleted, whose metadata payload holds that
// value under key. Two messages for one key are what a delivery without duplicates never leaves
// behind.
func (st State) ByMetadata(key, value string) []Message {
	var out []Message
	for _, c := range st.w.channels {
		out = append(out, st.filter(c.ID, func(m *Message) bool {
			return !m.Deleted && m.Metadata != nil && fmt.Sprint(m.Metadata.Payload[key]) == value
		})...)
	}
	return out
}

func (st State) filter(channel string, keep func(*Message) bool) []Message {
	var out []Message
	for _, m := range st.w.messages[st.w.resolve(channel)] {
		if keep(m) {
			out = append(out, *m)
		}
	}
	return out
}

// Ephemerals returns what was shown to single people, oldest first.
func (st State) Ephemerals() []Ephemeral { return slices.Clone(st.w.ephemerals) }

// Files returns the files, in the order they were announced.
func (st State) Files() []File {
	var out []File
	for _, id := range st.w.fileOrder {
		out = append(out, *st.w.files[id])
	}
	return out
}

// Calls returns the log of calls, in the order in which they were decided. With names of methods,
// only those.
func (st State) Calls(methods ...string) []Call {
	var out []Call
	for _, c := range st.w.calls {
		if len(methods) == 0 || slices.Contains(methods, c.Method) {
			out = append(out, c)
		}
	}
	return out
}

// Violations returns what no well-behaved app does. A test that is not about misbehaviour ends by
// asking that it is empty.
func (st State) Violations() []Violation { return slices.Clone(st.w.violations) }

// Version grows with every change that a page could show.
func (st State) Version() int { return st.w.version }

// String shows the workspace as text, for failure messages: channels, messages with their threads,
// and the last calls.
func (st State) String() string {
	var b strings.Builder
	for _, c := range st.w.channels {
		fmt.Fprintf(&b, "#%s\n", c.Name)
		for _, m := range st.All(c.ID) {
			b.WriteString(m.line())
		}
	}
	calls := st.w.calls
	for _, c := range calls[max(0, len(calls)-10):] {
		fmt.Fprintf(&b, "call %d %s %s %s -> %d %s %s\n", c.N, c.At.UTC().Format(time.TimeOnly), c.Method, c.Channel, c.Status, c.Outcome, c.Fault)
	}
	return b.String()
}

func (m Message) line() string {
	indent, marks := "  ", ""
	if m.ThreadTS != "" {
		indent = "    ↳ "
	}
	if m.Deleted {
		marks += " (deleted)"
	}
	if m.EditedTS != "" {
		marks += fmt.Sprintf(" (edited %d×)", len(m.Edits))
	}
	if m.Broadcast {
		marks += " (broadcast)"
	}
	return indent + m.TS + " " + m.Text + marks + "\n"
}

// The same questions, asked of the workspace as it is now.

// Messages returns [State.Messages] now.
func (s *Room) Messages(channel string) []Message { return s.State().Messages(channel) }

// Thread returns [State.Thread] now.
func (s *Room) Thread(channel, ts string) []Message { return s.State().Thread(channel, ts) }

// Message returns [State.Message] now.
func (s *Room) Message(channel, ts string) (Message, bool) { return s.State().Message(channel, ts) }

// ByMetadata returns [State.ByMetadata] now.
func (s *Room) ByMetadata(key, value string) []Message { return s.State().ByMetadata(key, value) }

// Calls returns [State.Calls] now.
func (s *Room) Calls(methods ...string) []Call { return s.State().Calls(methods...) }

// Violations returns [State.Violations] now.
func (s *Room) Violations() []Violation { return s.State().Violations() }

// HasBlock reports whether the message has a block of that type.
func (m Message) HasBlock(kind string) bool { return hasBlock(m.Blocks, kind) }

// Visible returns all text a person could read in the message, one piece per line, as it was sent
// (mrkdwn and entities are left alone).
func (m Message) Visible() string {
	lines := []string{m.Text}
	visible(m.Blocks, &lines)
	visible(m.Attachments, &lines)
	return strings.Join(lines, "\n")
}

// unseen are fields whose strings nobody reads.
var unseen = []string{"type", "block_id", "action_id", "value", "url", "image_url", "style", "color", "id"}

func visible(v any, lines *[]string) {
	switch v := v.(type) {
	case string:
		*lines = append(*lines, v)
	case []any:
		for _, e := range v {
			visible(e, lines)
		}
	case map[string]any:
		keys := make([]string, 0, len(v))
		for k := range v {
			if !slices.Contains(unseen, k) {
				keys = append(keys, k)
			}
		}
		slices.Sort(keys)
		for _, k := range keys {
			visible(v[k], lines)
		}
	}
}

// A Button of a message.
type Button struct {
	BlockID, ActionID, Text, Value, URL, Style string
}

// Buttons returns the buttons of the message, in reading order.
func (m Message) Buttons() []Button {
	var out []Button
	m.elements("button", func(block, b map[string]any) {
		text, _ := b["text"].(map[string]any)
		out = append(out, Button{
			BlockID: str(block["block_id"]), ActionID: str(b["action_id"]), Text: str(text["text"]),
			Value: str(b["value"]), URL: str(b["url"]), Style: str(b["style"]),
		})
	})
	return out
}

// A Menu of a message.
type Menu struct {
	BlockID, ActionID string
	Options           map[string]any // by value, as they were sent
}

// Menus returns the menus of the message, in reading order.
func (m Message) Menus() []Menu {
	var out []Menu
	m.elements("static_select", func(block, e map[string]any) {
		menu := Menu{str(block["block_id"]), str(e["action_id"]), map[string]any{}}
		options, _ := e["options"].([]any)
		for _, o := range options {
			if option, ok := o.(map[string]any); ok {
				menu.Options[str(option["value"])] = option
			}
		}
		out = append(out, menu)
	})
	return out
}

// elements visits the controls of one type, in reading order.
func (m Message) elements(kind string, visit func(block, element map[string]any)) {
	for _, v := range m.allBlocks() {
		block, _ := v.(map[string]any)
		elements, _ := block["elements"].([]any)
		for _, e := range append([]any{block["accessory"]}, elements...) {
			if element, _ := e.(map[string]any); str(element["type"]) == kind {
				visit(block, element)
			}
		}
	}
}

// allBlocks returns the blocks of the message and of its attachments.
func (m Message) allBlocks() []any {
	out := slices.Clone(m.Blocks)
	for _, a := range m.Attachments {
		am, _ := a.(map[string]any)
		blocks, _ := am["blocks"].([]any)
		out = append(out, blocks...)
	}
	return out
}

// Color returns the colour bar of the first attachment, "" without one.
func (m Message) Color() string {
	for _, a := range m.Attachments {
		am, _ := a.(map[string]any)
		return str(am["color"])
	}
	return ""
}

// Mentions returns the control sequences of the message that notify people: "<@U0ANA>", "<!here>",
// "<!subteam^S1>". An untrusted name that smuggles one in shows here.
func (m Message) Mentions() []string {
	return mentionPattern.FindAllString(m.Visible(), -1)
}

var mentionPattern = regexp.MustCompile(`<(@[UW][A-Z0-9]*|!(here|channel|everyone|subteam\^[A-Z0-9]+))(\|[^>]*)?>`)

// JSON returns the blocks as indented JSON, for goldens.
func (m Message) JSON() string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	_ = enc.Encode(m.Blocks)
	return b.String()
}
