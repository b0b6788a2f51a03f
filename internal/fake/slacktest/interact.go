package slacktest

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// ackTimeout is how long Slack waits for the answer to an interaction, and a socket for a write.
const ackTimeout = 3 * time.Second

// A response_url may be used that often, for that long.
const (
	responseUses = 5
	responseLife = 30 * time.Minute
)

// An Ack is what the app answered to a callback.
type Ack struct {
	Status int
	Body   string
}

// ErrNoCallbackURL is returned by [Server.Press] and [Server.Command] while no URL is set for them.
var ErrNoCallbackURL = errors.New("slacktest: no request URL is set for this kind of callback")

// SetCallbacks sets where button presses and slash commands are sent, for an app that is started
// after the stand-in. An empty URL switches that kind off.
func (s *Server) SetCallbacks(interactionsURL, commandsURL string) {
	s.locked(func(w *workspace) {
		w.opts.InteractionsURL, w.opts.CommandsURL = interactionsURL, commandsURL
		w.version++
	})
}

// SigningSecret returns the secret that callbacks are signed with.
func (s *Server) SigningSecret() string { return s.ws.opts.SigningSecret }

// Press presses the button with that action ID on a message, as a user, and returns what the app
// answered. Like Slack it gives up after three seconds. Each change may alter the signed request
// before it is sent, to try what a forger would.
//
// It goes over Socket Mode if the app is connected that way, else to the request URL; the changes
// matter only there.
func (s *Server) Press(messageTS, actionID, user string, change ...func(*http.Request)) (Ack, error) {
	return s.Choose(messageTS, actionID, "", user, change...)
}

// Choose chooses an option of a menu, by the option's value. An empty value presses a button.
func (s *Server) Choose(messageTS, actionID, value, user string, change ...func(*http.Request)) (Ack, error) {
	var payload map[string]any
	var target string
	var err error
	s.locked(func(w *workspace) {
		target = w.opts.InteractionsURL
		payload, err = w.pressPayload(messageTS, actionID, value, user)
	})
	if err != nil {
		return Ack{}, err
	}
	raw, err := json.Marshal(payload)
	if err != nil {
		return Ack{}, fmt.Errorf("encode the interaction: %w", err)
	}
	if s.connected() {
		return s.envelope("interactive", raw)
	}
	return s.callback(target, url.Values{"payload": {string(raw)}}, change)
}

// Command types a slash command ("/slowburn", "status") into a channel as a user.
func (s *Server) Command(channel, command, text, user string, change ...func(*http.Request)) (Ack, error) {
	var target string
	var form url.Values
	s.onChannel(channel, func(w *workspace, c *Channel) {
		target = w.opts.CommandsURL
		form = url.Values{
			"command": {command}, "text": {text}, "channel_id": {c.ID}, "channel_name": {c.Name},
			"user_id": {user}, "user_name": {w.opts.user(user).Name}, "team_id": {w.opts.TeamID},
			"api_app_id": {w.opts.AppID}, "trigger_id": {w.id("trigger")}, "response_url": {w.newResponseURL(c.ID, "", user)},
		}
	})
	ack, err := s.typed(target, form, change)
	if err == nil {
		s.showAnswer(channel, user, ack)
	}
	return ack, err
}

// typed delivers a command by whichever way the app listens.
func (s *Server) typed(target string, form url.Values, change []func(*http.Request)) (Ack, error) {
	if !s.connected() {
		return s.callback(target, form, change)
	}
	raw, err := json.Marshal(flat(form))
	if err != nil {
		return Ack{}, fmt.Errorf("encode the command: %w", err)
	}
	return s.envelope("slash_commands", raw)
}

// showAnswer shows what the acknowledgement of a command says: to the person, or to the channel if
// it wants that.
func (s *Server) showAnswer(channel, user string, a Ack) {
	args := url.Values{}
	if a.Status != http.StatusOK || jsonArgs(strings.NewReader(a.Body), args) != nil {
		return
	}
	s.onChannel(channel, func(w *workspace, c *Channel) {
		r := &request{args: args}
		w.respond(r, &responseHook{channel: c.ID, user: user})
	})
}

// flat returns a form as Socket Mode sends it: a JSON object.
func flat(form url.Values) map[string]string {
	out := map[string]string{}
	for k := range form {
		out[k] = form.Get(k)
	}
	return out
}

// pressPayload returns the block_actions payload of a button press, or of a choice.
func (w *workspace) pressPayload(ts, actionID, value, user string) (map[string]any, error) {
	m := w.findAnywhere(ts)
	if m == nil {
		return nil, fmt.Errorf("slacktest: no message %s to press a button on", ts)
	}
	action, err := m.action(actionID, value)
	if err != nil {
		return nil, err
	}
	c, at := w.channel(m.Channel, false), w.now()
	action["action_ts"] = fmt.Sprintf("%d.%06d", at.Unix(), at.Nanosecond()/1000)
	payload := map[string]any{
		"type": "block_actions", "api_app_id": w.opts.AppID, "token": "deprecated",
		"team":       map[string]any{"id": w.opts.TeamID, "domain": "acme"},
		"user":       map[string]any{"id": user, "username": w.opts.user(user).Name, "name": w.opts.user(user).Name, "team_id": cmp.Or(w.opts.user(user).Team, w.opts.TeamID)},
		"channel":    map[string]any{"id": c.ID, "name": c.Name},
		"container":  map[string]any{"type": "message", "message_ts": ts, "channel_id": c.ID, "thread_ts": m.ThreadTS, "is_ephemeral": false},
		"trigger_id": w.id("trigger"), "response_url": w.newResponseURL(c.ID, ts, user),
		"message": w.wire(m, true),
		"state":   map[string]any{"values": map[string]any{}},
		"actions": []any{action},
	}
	if w.opts.Enterprise != "" {
		payload["enterprise"] = map[string]any{"id": w.opts.Enterprise, "name": "acme"}
	}
	return payload, nil
}

// action returns the entry of "actions" for a control of the message.
func (m Message) action(id, value string) (map[string]any, error) {
	if value == "" {
		buttons := m.Buttons()
		i := slices.IndexFunc(buttons, func(b Button) bool { return b.ActionID == id })
		if i < 0 {
			return nil, fmt.Errorf("slacktest: message %s has no button %q", m.TS, id)
		}
		b := buttons[i]
		return map[string]any{
			"type": "button", "action_id": id, "block_id": b.BlockID, "value": b.Value,
			"text": map[string]any{"type": "plain_text", "text": b.Text},
		}, nil
	}
	for _, menu := range m.Menus() {
		if menu.ActionID == id {
			if option, ok := menu.Options[value]; ok {
				return map[string]any{"type": "static_select", "action_id": id, "block_id": menu.BlockID, "selected_option": option}, nil
			}
		}
	}
	return nil, fmt.Errorf("slacktest: message %s has no menu %q with an option %q", m.TS, id, value)
}

func (w *workspace) findAnywhere(ts string) *Message {
	for _, c := range w.channels {
		if m := w.find(c.ID, ts); m != nil && !m.Deleted {
			return m
		}
	}
	return nil
}

// user returns the person of an ID; of one that nobody has, the ID is the name.
func (o Options) user(id string) User {
	for _, u := range o.Users {
		if u.ID == id {
			return u
		}
	}
	return User{ID: id, Name: id}
}

// lastCallback remembers one request, so that it can be replayed.
type lastCallback struct {
	sync.Mutex
	url    string
	body   string
	header http.Header
}

// callback signs a form and posts it.
func (s *Server) callback(target string, form url.Values, change []func(*http.Request)) (Ack, error) {
	if target == "" {
		return Ack{}, ErrNoCallbackURL
	}
	body := form.Encode()
	stamp := strconv.FormatInt(s.ws.opts.SignedAt().Unix(), 10)
	header := http.Header{
		"Content-Type":              {"application/x-www-form-urlencoded"},
		"X-Slack-Request-Timestamp": {stamp},
		"X-Slack-Signature":         {Sign(s.SigningSecret(), stamp, body)},
	}
	s.last.Lock()
	s.last.url, s.last.body, s.last.header = target, body, header
	s.last.Unlock()
	return s.post(target, body, header, change)
}

// Replay sends the last callback again, byte for byte, as a network that duplicates or somebody who
// listened would.
func (s *Server) Replay(change ...func(*http.Request)) (Ack, error) {
	s.last.Lock()
	target, body, header := s.last.url, s.last.body, s.last.header
	s.last.Unlock()
	if target == "" {
		return Ack{}, ErrNoCallbackURL
	}
	return s.post(target, body, header, change)
}

func (s *Server) post(target, body string, header http.Header, change []func(*http.Request)) (Ack, error) {
	req, err := http.NewRequest(http.MethodPost, target, strings.NewReader(body))
	if err != nil {
		return Ack{}, fmt.Errorf("callback: %w", err)
	}
	req.Header = header.Clone()
	for _, f := range change {
		f(req)
	}
	resp, err := s.callout.Do(req)
	if err != nil {
		return Ack{}, fmt.Errorf("callback: %w", err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return Ack{}, fmt.Errorf("callback: read the answer: %w", err)
	}
	return Ack{Status: resp.StatusCode, Body: string(answer)}, nil
}

// Sign returns Slack's v0 request signature of a body at a time (Unix seconds as text).
func Sign(secret, timestamp, body string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	_, _ = io.WriteString(mac, "v0:"+timestamp+":"+body)
	return "v0=" + hex.EncodeToString(mac.Sum(nil))
}

// responseHook is a response_url that was handed out.
type responseHook struct {
	channel, ts, user string
	uses              int
	expires           time.Time
}

func (w *workspace) newResponseURL(channel, ts, user string) string {
	id := w.id("R")
	w.hooks[id] = &responseHook{channel: channel, ts: ts, user: user, expires: w.now().Add(responseLife)}
	return w.url + "/response/" + id
}

// responseURL takes what an app answers later to a press or a command.
func (s *Server) responseURL(rw http.ResponseWriter, r *http.Request) {
	args := url.Values{}
	err := jsonArgs(r.Body, args)
	req := &request{args: args, call: Call{Method: "response_url", Text: args.Get("text")}}
	s.serve(rw, r, req, func(w *workspace) reply {
		h := w.hooks[r.PathValue("id")]
		switch {
		case err != nil:
			return plain(http.StatusBadRequest, "invalid_payload")
		case h == nil, h.uses >= responseUses, w.now().After(h.expires):
			return plain(http.StatusNotFound, "used_url")
		}
		h.uses++
		return w.respond(req, h)
	})
}

func (w *workspace) respond(r *request, h *responseHook) reply {
	said, bad := readContent(r)
	if bad != nil {
		return plain(http.StatusBadRequest, bad.code)
	}
	r.committed, r.call.Channel = true, h.channel
	original := w.find(h.channel, h.ts)
	switch {
	case r.flag("delete_original") && original != nil:
		w.remove(original)
	case r.flag("replace_original") && original != nil:
		w.edit(original, said.applyTo(r))
	case r.arg("response_type") == "in_channel":
		w.add(Message{
			Channel: h.channel, User: w.opts.BotUser, Username: w.opts.AppName,
			Text: said.text, Blocks: said.blocks, Attachments: said.attachments, ThreadTS: r.arg("thread_ts"),
		})
	default:
		w.whisper(Ephemeral{Channel: h.channel, User: cmp.Or(h.user, w.opts.Users[0].ID), Text: said.text, Blocks: said.blocks})
	}
	return plain(http.StatusOK, "ok")
}
