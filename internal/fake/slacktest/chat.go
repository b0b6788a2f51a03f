package slacktest

import (
	"fmt"
	"slices"
	"unicode/utf8"
)

// content is what a message says, as far as a call gave it. A nil slice means that the argument was
// left out, an empty one that it was given empty.
type content struct {
	text        string
	blocks      []any
	attachments []any
	metadata    *Metadata
	clearsMeta  bool
}

// readContent decodes and checks the arguments that make up a message.
func readContent(r *request) (content, *refusal) {
	c := content{text: r.arg("text")}
	var err error
	if raw := r.arg("blocks"); raw != "" {
		if c.blocks, err = decodeList(raw); err != nil {
			return c, &refusal{code: "invalid_blocks_format"}
		}
		if bad := checkBlocks(c.blocks, "/blocks"); bad != nil {
			return c, bad
		}
	}
	if raw := r.arg("attachments"); raw != "" {
		if c.attachments, err = decodeList(raw); err != nil {
			return c, &refusal{code: "invalid_attachments"}
		}
		if bad := checkAttachments(c.attachments); bad != nil {
			return c, bad
		}
	}
	raw := r.arg("metadata")
	meta, code := parseMetadata(raw)
	if code != "" {
		return c, &refusal{code: code}
	}
	c.metadata, c.clearsMeta = meta, raw != "" && meta == nil
	return c, nil
}

func (c content) empty() bool {
	return c.text == "" && len(c.blocks) == 0 && len(c.attachments) == 0
}

// writable finds the channel a message may be posted to, or the reason why not.
func (w *workspace) writable(r *request) (*Channel, string) {
	c := w.channel(r.call.Channel, true)
	switch {
	case c == nil, c.Private && !c.Joined:
		return nil, "channel_not_found"
	case c.Archived:
		return nil, "is_archived"
	case !c.Joined && !r.token.may("chat:write.public"):
		return nil, "not_in_channel"
	}
	return c, ""
}

func postMessage(w *workspace, r *request) reply {
	c, code := w.writable(r)
	if code != "" {
		return refuse(code)
	}
	said, bad := readContent(r)
	if bad != nil {
		return refused(bad)
	}
	if said.empty() {
		return refuse("no_text")
	}
	m := Message{
		Channel: c.ID, User: w.opts.BotUser, Text: said.text, Blocks: said.blocks,
		Attachments: said.attachments, Metadata: said.metadata, Username: w.opts.AppName,
	}
	if name := r.arg("username"); name != "" && r.token.may("chat:write.customize") {
		m.Username = name
	}
	if code := w.threadOf(&m, r); code != "" {
		return refuse(code)
	}
	truncated := truncate(&m)
	posted := w.add(m)
	r.committed, r.call.TS = true, posted.TS
	out := okay(map[string]any{"channel": c.ID, "ts": posted.TS, "message": w.wire(posted, true)})
	if truncated {
		out.body["warning"] = "message_truncated"
		out.body["response_metadata"] = map[string]any{"warnings": []string{"message_truncated"}}
	}
	return out
}

// threadOf puts m into the thread that the call names. Where the parent is gone and left no thread
// behind, the reply lands in the channel without one.
func (w *workspace) threadOf(m *Message, r *request) string {
	ts := r.arg("thread_ts")
	if ts == "" {
		return ""
	}
	var sec, micro int64
	if n, err := fmt.Sscanf(ts, "%d.%d", &sec, &micro); n != 2 || err != nil {
		return "invalid_thread_ts"
	}
	parent := w.find(m.Channel, ts)
	if parent != nil && parent.ThreadTS != "" {
		w.violate("reply-to-reply", r.call, "thread_ts %s is itself a reply", ts)
		parent = w.find(m.Channel, parent.ThreadTS)
	}
	if parent == nil || parent.Deleted && len(w.replies(m.Channel, parent.TS)) == 0 {
		return ""
	}
	m.ThreadTS = parent.TS
	m.Broadcast = r.flag("reply_broadcast")
	return ""
}

// truncate cuts a text that is too long, as chat.postMessage does.
func truncate(m *Message) bool {
	limit := LimitOf("message.text").Max
	if utf8.RuneCountInString(m.Text) <= limit {
		return false
	}
	m.Text = string([]rune(m.Text)[:limit])
	return true
}

func postEphemeral(w *workspace, r *request) reply {
	c, code := w.writable(r)
	if code != "" {
		return refuse(code)
	}
	if !slices.ContainsFunc(w.opts.Users, func(u User) bool { return u.ID == r.arg("user") }) {
		return refuse("user_not_in_channel")
	}
	said, bad := readContent(r)
	if bad != nil {
		return refused(bad)
	}
	if said.empty() {
		return refuse("no_text")
	}
	w.whisper(Ephemeral{Channel: c.ID, User: r.arg("user"), Text: said.text, Blocks: said.blocks})
	r.committed = true
	return okay(map[string]any{"message_ts": w.nextTS()})
}

func (w *workspace) whisper(e Ephemeral) {
	e.At = w.now()
	w.ephemerals = append(w.ephemerals, e)
	w.version++
}

// own finds the message that the call wants to change. Unlike posting, this takes a channel ID
// only.
func (w *workspace) own(r *request) (*Message, string) {
	c := w.channel(r.arg("channel"), false)
	switch {
	case c == nil, c.Private && !c.Joined:
		return nil, "channel_not_found"
	case c.Archived:
		return nil, "is_inactive"
	}
	m := w.find(c.ID, r.arg("ts"))
	if m == nil || m.Deleted {
		return nil, "message_not_found"
	}
	return m, ""
}

func updateMessage(w *workspace, r *request) reply {
	m, code := w.own(r)
	if code != "" {
		return refuse(code)
	}
	if m.User != w.opts.BotUser || m.Webhook {
		return refuse("cant_update_message")
	}
	said, bad := readContent(r)
	switch {
	case bad != nil:
		return refused(bad)
	case runes(said.text) > LimitOf("update.text").Max:
		return refuse("msg_too_long")
	case said.text == "" && said.blocks == nil && said.attachments == nil && r.arg("metadata") == "":
		return refuse("no_text")
	}
	m = w.edit(m, said.applyTo(r))
	r.committed = true
	return okay(map[string]any{"channel": m.Channel, "ts": m.TS, "text": m.Text, "message": w.wire(m, true)})
}

// applyTo returns an edit: what was given replaces, what was left out stays.
func (c content) applyTo(r *request) func(*Message) {
	return func(m *Message) {
		if c.text != "" {
			m.Text = c.text
		}
		if c.blocks != nil {
			m.Blocks = c.blocks
		}
		if c.attachments != nil {
			m.Attachments = c.attachments
		}
		if c.metadata != nil || c.clearsMeta {
			m.Metadata = c.metadata
		}
		if m.ThreadTS != "" && r.flag("reply_broadcast") {
			m.Broadcast = true
		}
	}
}

func deleteMessage(w *workspace, r *request) reply {
	m, code := w.own(r)
	if code != "" {
		return refuse(code)
	}
	if m.User != w.opts.BotUser {
		return refuse("cant_delete_message")
	}
	w.remove(m)
	r.committed = true
	return okay(map[string]any{"channel": m.Channel, "ts": m.TS})
}

// remove turns a message into a tombstone.
func (w *workspace) remove(m *Message) {
	gone := *m
	gone.Deleted = true
	w.replace(gone)
}

func getPermalink(w *workspace, r *request) reply {
	c := w.channel(r.arg("channel"), false)
	if c == nil {
		return refuse("channel_not_found")
	}
	m := w.find(c.ID, r.arg("message_ts"))
	if m == nil || m.Deleted {
		return refuse("message_not_found")
	}
	return okay(map[string]any{"channel": c.ID, "permalink": w.permalink(m)})
}

func addReaction(w *workspace, r *request) reply {
	m := w.find(r.arg("channel"), r.arg("timestamp"))
	if m == nil || m.Deleted {
		return refuse("message_not_found")
	}
	if !w.react(m, r.arg("name"), w.opts.BotUser) {
		return refuse("already_reacted")
	}
	r.committed = true
	return okay(nil)
}

// react adds a reaction and reports whether it is new.
func (w *workspace) react(old *Message, name, user string) bool {
	m := *old
	m.Reactions = slices.Clone(m.Reactions)
	i := slices.IndexFunc(m.Reactions, func(r Reaction) bool { return r.Name == name })
	if i < 0 {
		m.Reactions = append(m.Reactions, Reaction{Name: name})
		i = len(m.Reactions) - 1
	}
	if slices.Contains(m.Reactions[i].Users, user) {
		return false
	}
	m.Reactions[i].Users = append(slices.Clone(m.Reactions[i].Users), user)
	w.replace(m)
	return true
}
