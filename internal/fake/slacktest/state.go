package slacktest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Channel of the workspace.
type Channel struct {
	ID       string // "C0SLOW0001"; made up by [Start] when empty
	Name     string // without "#"
	Purpose  string
	Private  bool // invisible to an app that is not a member
	Archived bool
	Joined   bool // the app is a member
}

// A User of the workspace; the page and [Server.Press] need one to act as.
type User struct {
	ID   string // "U0ANA"
	Name string // shown after "@"
	Real string // full name
	// Team and Enterprise are the workspace and the organisation of somebody from elsewhere, "" if
	// they are of this one, or of none.
	Team, Enterprise string
}

// Metadata is the machine-readable part of a message.
type Metadata struct {
	EventType string         `json:"event_type"`
	Payload   map[string]any `json:"event_payload"`
}

// A Message as the workspace holds it. Values handed out are snapshots: later edits do not change
// them.
type Message struct {
	Channel     string // channel ID
	TS          string // unique in the workspace, "sec.micro"
	ThreadTS    string // the parent's TS for a reply, "" otherwise
	Broadcast   bool   // a reply that the channel shows as well
	Text        string
	Blocks      []any // decoded JSON, numbers as json.Number
	Attachments []any
	Metadata    *Metadata // nil when none was sent
	Files       []string  // file IDs
	User        string    // who wrote it
	Username    string    // the app's name on this message
	Webhook     bool      // came through an incoming webhook
	Posted      time.Time
	EditedTS    string    // "" when never edited
	Edits       []Message // earlier versions, oldest first
	Deleted     bool      // a tombstone: kept so that tests and threads can see it
	Reactions   []Reaction
}

// A Reaction is an emoji under a message, and who put it there.
type Reaction struct {
	Name  string
	Users []string
}

// An Ephemeral message is seen by one person only and never stored by Slack.
type Ephemeral struct {
	Channel, User, Text string
	Blocks              []any
	At                  time.Time
}

// A File that was uploaded; shared once the upload was completed.
type File struct {
	ID, Name, Title string
	Size            int
	Content         []byte
	Uploaded        bool
	Shared          []string // channel IDs
}

// A Call is one line of the log of everything that was asked of the stand-in.
type Call struct {
	N         int       // 1 for the first call
	At        time.Time // on the workspace's clock
	Method    string    // "chat.postMessage", "webhook", "upload"
	Channel   string    // channel ID, or what was sent when no such channel exists
	TS        string    // the message it was about, where there is one
	ThreadTS  string
	Text      string
	Status    int    // HTTP status; 0 when the connection was cut or hung
	Outcome   string // "ok", Slack's error code, or what the fault did: "reset"
	Fault     string // name of the injected effect, "" when none
	Committed bool   // the workspace changed, whatever the caller was told
	blocks    []any
}

// HasBlock reports whether the call carried a block of that type.
func (c Call) HasBlock(kind string) bool { return hasBlock(c.blocks, kind) }

// A Violation is something no well-behaved app does. A call is judged by when it arrives: one that
// was already on its way while the 429 was sent counts too, as an app with one queue per channel
// has none of those.
type Violation struct {
	At      time.Time
	Kind    string // "early": called before Retry-After had passed; "reply-to-reply"
	Method  string
	Channel string
	Detail  string
}

// String says it in one line.
func (v Violation) String() string {
	return fmt.Sprintf("%s %s %s %s: %s", v.At.UTC().Format("15:04:05.000"), v.Kind, v.Method, v.Channel, v.Detail)
}

// workspace is all state. Its methods expect the server's lock to be held.
//
// Messages are never changed in place: an edit puts a new value at the same index of a copied
// slice. So a snapshot is a copy of the slice headers.
type workspace struct {
	opts       Options
	url        string // of the server, for links
	tokens     map[string]*token
	channels   []Channel
	messages   map[string][]*Message // by channel ID, oldest first
	files      map[string]*File
	fileOrder  []string
	ephemerals []Ephemeral
	calls      []Call
	violations []Violation
	faults     []*planted
	pacer      pacer
	notBefore  map[string]time.Time // when a caller told to wait may call again
	hooks      map[string]*responseHook
	tickets    map[string]bool // of Socket Mode, good for one connection each
	listening  int             // connections by Socket Mode
	greeted    int             // all that there ever were
	lastMicro  int64
	version    int // grows with everything a page could show
	serial     int // for generated identifiers
}

// token is a bot token and what it may do.
type token struct {
	scopes  []string
	revoked bool
}

func newWorkspace(opts Options) *workspace {
	w := &workspace{
		opts:      opts,
		tokens:    map[string]*token{opts.Token: {scopes: slices.Clone(opts.Scopes)}, opts.AppToken: {scopes: []string{"connections:write"}}},
		tickets:   map[string]bool{},
		channels:  slices.Clone(opts.Channels),
		messages:  map[string][]*Message{},
		files:     map[string]*File{},
		notBefore: map[string]time.Time{},
		hooks:     map[string]*responseHook{},
	}
	for i := range w.channels {
		c := &w.channels[i]
		c.Name = strings.TrimPrefix(c.Name, "#")
		if c.ID == "" {
			c.ID = fmt.Sprintf("C0SLOW%04d", i+1)
		}
	}
	if opts.NoCharts {
		w.faults = append(w.faults, &planted{Fault: RefuseCharts()})
	}
	return w
}

// channel finds a channel by ID, and by name ("#alerts" or "alerts") if byName.
func (w *workspace) channel(ref string, byName bool) *Channel {
	for i := range w.channels {
		c := &w.channels[i]
		if c.ID == ref || byName && c.Name == strings.TrimPrefix(ref, "#") {
			return c
		}
	}
	return nil
}

// resolve turns a channel's name into its ID and leaves anything else as it is.
func (w *workspace) resolve(ref string) string {
	if c := w.channel(ref, true); c != nil {
		return c.ID
	}
	return ref
}

// find returns the message, or nil.
func (w *workspace) find(channel, ts string) *Message {
	list := w.messages[channel]
	i, ok := slices.BinarySearchFunc(list, ts, func(m *Message, ts string) int { return strings.Compare(m.TS, ts) })
	if !ok {
		return nil
	}
	return list[i]
}

// add stores a new message and gives it its time stamp.
func (w *workspace) add(m Message) *Message {
	m.Posted = w.now()
	m.TS = w.nextTS()
	m.Blocks = w.withBlockIDs(m.Blocks)
	w.messages[m.Channel] = append(w.messages[m.Channel], &m)
	w.version++
	return &m
}

// replace puts a new version of a message where the old one was.
func (w *workspace) replace(m Message) *Message {
	list := slices.Clone(w.messages[m.Channel])
	for i := range list {
		if list[i].TS == m.TS {
			list[i] = &m
		}
	}
	w.messages[m.Channel] = list
	w.version++
	return &m
}

// edit replaces the message by change(copy of it) and keeps the old version in its history.
func (w *workspace) edit(old *Message, change func(*Message)) *Message {
	m, before := *old, *old
	before.Edits = nil
	m.Edits = append(slices.Clone(old.Edits), before)
	change(&m)
	m.EditedTS = w.nextTS()
	m.Blocks = w.withBlockIDs(m.Blocks)
	return w.replace(m)
}

// nextTS returns the time as Slack writes it, unique and rising even if the clock stands still or
// steps back.
func (w *workspace) nextTS() string {
	micro := max(w.now().UnixMicro(), w.lastMicro+1)
	w.lastMicro = micro
	return fmt.Sprintf("%d.%06d", micro/1e6, micro%1e6)
}

func (w *workspace) now() time.Time { return w.opts.Now() }

// withBlockIDs gives every block that has none a block_id, as Slack does.
func (w *workspace) withBlockIDs(blocks []any) []any {
	for _, b := range blocks {
		if m, ok := b.(map[string]any); ok && str(m["block_id"]) == "" {
			m["block_id"] = w.id("b")
		}
	}
	return blocks
}

// id makes up an identifier, the same ones in every run.
func (w *workspace) id(prefix string) string {
	w.serial++
	return fmt.Sprintf("%s0SLOW%05d", prefix, w.serial)
}

func (w *workspace) violate(kind string, c Call, format string, args ...any) {
	w.violations = append(w.violations, Violation{
		At: w.now(), Kind: kind, Method: c.Method, Channel: c.Channel, Detail: fmt.Sprintf(format, args...),
	})
}

// replies returns the replies of a thread, oldest first, without deleted ones.
func (w *workspace) replies(channel, root string) []*Message {
	var out []*Message
	for _, m := range w.messages[channel] {
		if m.ThreadTS == root && !m.Deleted {
			out = append(out, m)
		}
	}
	return out
}

// permalink returns the address of a message. It has Slack's path, on the stand-in's own host, and
// leads to the page.
func (w *workspace) permalink(m *Message) string {
	link := w.url + "/archives/" + m.Channel + "/p" + strings.ReplaceAll(m.TS, ".", "")
	if m.ThreadTS != "" {
		link += "?thread_ts=" + m.ThreadTS + "&cid=" + m.Channel
	}
	return link
}

// wire returns the message as the Web API shows it.
func (w *workspace) wire(m *Message, withMetadata bool) map[string]any {
	out := map[string]any{
		"type": "message", "ts": m.TS, "user": m.User, "text": m.Text,
		"team": w.opts.TeamID, "bot_id": w.opts.BotID, "app_id": w.opts.AppID,
	}
	put := func(key string, v any, present bool) {
		if present {
			out[key] = v
		}
	}
	put("username", m.Username, m.Username != "")
	put("blocks", m.Blocks, len(m.Blocks) > 0)
	put("attachments", m.Attachments, len(m.Attachments) > 0)
	put("edited", map[string]any{"user": m.User, "ts": m.EditedTS}, m.EditedTS != "")
	put("subtype", "thread_broadcast", m.Broadcast)
	put("thread_ts", m.ThreadTS, m.ThreadTS != "")
	put("files", w.wireFiles(m.Files), len(m.Files) > 0)
	if m.Deleted {
		out["subtype"], out["text"], out["hidden"] = "tombstone", "This message was deleted.", true
		delete(out, "blocks")
	}
	if m.Metadata != nil && withMetadata && !m.Deleted {
		out["metadata"] = m.Metadata
	}
	if m.ThreadTS == "" {
		w.wireThread(out, m)
	}
	return out
}

// wireThread adds what a parent knows about its replies.
func (w *workspace) wireThread(out map[string]any, m *Message) {
	replies := w.replies(m.Channel, m.TS)
	if len(replies) == 0 {
		return
	}
	out["thread_ts"] = m.TS
	out["reply_count"] = len(replies)
	out["latest_reply"] = replies[len(replies)-1].TS
	out["reply_users_count"] = 1
}

func (w *workspace) wireFiles(ids []string) []map[string]any {
	var out []map[string]any
	for _, id := range ids {
		f := w.files[id]
		out = append(out, map[string]any{
			"id": f.ID, "name": f.Name, "title": f.Title, "size": f.Size,
			"url_private": w.url + "/files/" + f.ID, "permalink": w.url + "/files/" + f.ID,
		})
	}
	return out
}

// parseMetadata decodes the metadata argument. An empty object means none.
func parseMetadata(raw string) (*Metadata, string) {
	if raw == "" {
		return nil, ""
	}
	if len(raw) > LimitOf("metadata.size").Max {
		return nil, "metadata_too_large"
	}
	var m Metadata
	if err := json.Unmarshal([]byte(raw), &m); err != nil {
		return nil, "invalid_metadata_format"
	}
	if m.EventType == "" && m.Payload == nil {
		return nil, ""
	}
	limit := LimitOf("metadata.event_type")
	if n := runes(m.EventType); n < limit.Min || n > limit.Max || m.Payload == nil {
		return nil, "invalid_metadata_schema"
	}
	return &m, ""
}

func hasBlock(blocks []any, kind string) bool {
	return slices.ContainsFunc(blocks, func(b any) bool {
		m, _ := b.(map[string]any)
		return str(m["type"]) == kind
	})
}
