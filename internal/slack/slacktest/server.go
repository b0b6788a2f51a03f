package slacktest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Options describe the workspace. The zero value is a workspace with two public
// channels, "general" and "reliability", and a bot that may do everything
// slowburn can make use of.
type Options struct {
	Addr string           // listen address; default "127.0.0.1:0"
	Now  func() time.Time // the workspace's clock; default time.Now

	Team     string // workspace name
	TeamID   string
	AppName  string // the bot's display name
	AppID    string
	BotID    string
	BotUser  string // the bot's user ID
	Token    string // the bot token
	Scopes   []string
	Channels []Channel
	Users    []User

	// Unpaced switches the rate limits off, for tests about something else.
	// A 429 that was injected must still be waited out.
	Unpaced bool
	// NoCharts makes a workspace that data_visualization has not reached yet:
	// it answers invalid_blocks to every message with a chart.
	NoCharts bool

	// Where signed button presses and slash commands are sent; see [Server.Press].
	// Empty: buttons are shown but cannot be pressed. Can be set later with
	// [Server.SetCallbacks].
	InteractionsURL string
	CommandsURL     string
	SigningSecret   string
	// SignedAt is the clock of the request signatures; default Now. A receiver
	// that judges their age by the real clock wants time.Now here.
	SignedAt func() time.Time
}

// AllScopes is every scope the stand-in knows, and the default of
// [Options].Scopes.
func AllScopes() []string {
	return []string{
		"chat:write", "chat:write.public", "chat:write.customize",
		"channels:history", "groups:history", "channels:read", "groups:read", "channels:join",
		"files:write", "users:read", "reactions:write", "commands", "incoming-webhook",
	}
}

// withDefaults fills what was left out.
func (o Options) withDefaults() Options {
	set := func(s *string, v string) { *s = cmp.Or(*s, v) }
	set(&o.Addr, "127.0.0.1:0")
	set(&o.Team, "Acme Shop")
	set(&o.TeamID, "T0SLOW0001")
	set(&o.AppName, "slowburn")
	set(&o.AppID, "A0SLOW0001")
	set(&o.BotID, "B0SLOW0001")
	set(&o.BotUser, "U0SLOWBOT")
	set(&o.Token, "xoxb-stand-in-token")
	set(&o.SigningSecret, "stand-in-signing-secret")
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.SignedAt == nil {
		o.SignedAt = o.Now
	}
	if o.Scopes == nil {
		o.Scopes = AllScopes()
	}
	if o.Channels == nil {
		o.Channels = []Channel{
			{Name: "general", Purpose: "Company-wide announcements", Joined: true},
			{Name: "reliability", Purpose: "What our error budgets are doing", Joined: true},
		}
	}
	if o.Users == nil {
		o.Users = []User{{ID: "U0ANA", Name: "ana", Real: "Ana Sousa"}, {ID: "U0BEN", Name: "ben", Real: "Ben Okafor"}}
	}
	return o
}

// A Server is a running stand-in.
type Server struct {
	Token string // the bot token of [Options]

	mu      sync.Mutex
	changed *sync.Cond // any change of ws
	ws      *workspace

	base    string
	http    *http.Server
	calls   sync.WaitGroup // handlers and callbacks under way
	closing chan struct{}
	callout *http.Client // for interaction callbacks
	last    lastCallback
}

// Start runs a stand-in and panics if it cannot listen. For a given address
// that may be taken, use [Listen].
func Start(opts Options) *Server {
	s, err := Listen(opts)
	if err != nil {
		panic("slacktest: " + err.Error())
	}
	return s
}

// Listen runs a stand-in. The error is that of net.Listen.
func Listen(opts Options) (*Server, error) {
	opts = opts.withDefaults()
	ln, err := net.Listen("tcp", opts.Addr)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	s := &Server{
		Token:   opts.Token,
		ws:      newWorkspace(opts),
		base:    "http://" + ln.Addr().String(),
		closing: make(chan struct{}),
		callout: &http.Client{Timeout: ackTimeout, Transport: &http.Transport{DisableKeepAlives: true}},
	}
	s.ws.url = s.base
	s.changed = sync.NewCond(&s.mu)
	s.http = &http.Server{Handler: s.counted(s.routes()), ReadHeaderTimeout: 10 * time.Second}
	s.calls.Go(func() { _ = s.http.Serve(ln) })
	return s, nil
}

// URL is the address of the page, without a trailing slash.
func (s *Server) URL() string { return s.base }

// APIURL is what a client takes for https://slack.com/api/, with the trailing
// slash.
func (s *Server) APIURL() string { return s.base + "/api/" }

// Close ends all connections, hanging ones too, and waits for the handlers.
func (s *Server) Close() {
	select {
	case <-s.closing:
		return
	default:
	}
	close(s.closing)
	_ = s.http.Close()
	s.mu.Lock()
	s.changed.Broadcast()
	s.mu.Unlock()
	s.calls.Wait()
	s.callout.CloseIdleConnections()
}

// counted lets Close wait for every handler.
func (s *Server) counted(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.calls.Add(1)
		defer s.calls.Done()
		h.ServeHTTP(w, r)
	})
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/api/{method}", s.api)
	mux.HandleFunc("POST /services/{team}/{bot}/{secret}", s.webhook)
	mux.HandleFunc("POST /upload/v1/{id}", s.upload)
	mux.HandleFunc("POST /response/{id}", s.responseURL)
	s.pageRoutes(mux)
	return mux
}

// locked runs f on the workspace, then wakes everyone who waits for a change.
func (s *Server) locked(f func(*workspace)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s.ws)
	s.changed.Broadcast()
}

// A method of the Web API: what it needs, how often it may be called, and what
// it does.
type method struct {
	scope func(*Channel) string // "" when none is needed
	pace  pace
	do    func(*workspace, *request) reply
}

// request is a call on its way through a method.
type request struct {
	args  url.Values
	token *token
	call  Call
	// committed says that the workspace was changed.
	committed bool
}

func (r *request) arg(name string) string { return r.args.Get(name) }

func (r *request) flag(name string) bool {
	v := r.arg(name)
	return v == "1" || v == "true"
}

// reply is an answer before it is written.
type reply struct {
	status  int // default 200
	outcome string
	body    map[string]any // JSON, unless text is set
	text    string         // a plain text answer
	wait    int            // Retry-After in seconds; 0 for none
	header  http.Header
}

// okay is the answer {"ok":true, …}.
func okay(fields map[string]any) reply {
	body := map[string]any{"ok": true}
	maps.Copy(body, fields)
	return reply{outcome: "ok", body: body}
}

// refuse is the answer {"ok":false,"error":code}.
func refuse(code string) reply {
	return reply{outcome: code, body: map[string]any{"ok": false, "error": code}}
}

// refused is the answer for a payload that [Limits] do not allow, with the
// places in errors and response_metadata.messages as Slack gives them.
func refused(r *refusal) reply {
	out := refuse(r.code)
	if len(r.problems) == 0 {
		return out
	}
	messages := make([]string, len(r.problems))
	for i, p := range r.problems {
		messages[i] = "[ERROR] " + p
	}
	out.body["errors"] = r.problems
	out.body["response_metadata"] = map[string]any{"messages": messages}
	return out
}

// tooMany is a 429.
func tooMany(wait int) reply {
	r := refuse("ratelimited")
	r.status, r.wait = http.StatusTooManyRequests, wait
	return r
}

// methodTable is the Web API. Socket Mode's apps.connections.open belongs here too,
// once somebody needs it.
func methodTable() map[string]method {
	none := func(*Channel) string { return "" }
	always := func(scope string) func(*Channel) string { return func(*Channel) string { return scope } }
	byKind := func(suffix string) func(*Channel) string {
		return func(c *Channel) string {
			if c != nil && c.Private {
				return "groups:" + suffix
			}
			return "channels:" + suffix
		}
	}
	write := always("chat:write")
	return map[string]method{
		"auth.test":                    {none, tier4, authTest},
		"chat.postMessage":             {write, tier4, postMessage},
		"chat.postEphemeral":           {write, tier4, postEphemeral},
		"chat.update":                  {write, tier3, updateMessage},
		"chat.delete":                  {write, tier3, deleteMessage},
		"chat.getPermalink":            {none, permalinkPace, getPermalink},
		"conversations.history":        {byKind("history"), tier3, history},
		"conversations.replies":        {byKind("history"), tier3, replies},
		"conversations.info":           {byKind("read"), tier3, channelInfo},
		"conversations.list":           {byKind("read"), tier2, listChannels},
		"conversations.join":           {always("channels:join"), tier3, joinChannel},
		"files.getUploadURLExternal":   {always("files:write"), tier4, getUploadURL},
		"files.completeUploadExternal": {always("files:write"), tier4, completeUpload},
		"reactions.add":                {always("reactions:write"), tier3, addReaction},
		"users.info":                   {always("users:read"), tier4, userInfo},
	}
}

var webAPI = methodTable()

// api takes one Web API call through its gates.
func (s *Server) api(w http.ResponseWriter, r *http.Request) {
	req, err := readRequest(r)
	if err != nil {
		s.send(w, refuse("invalid_form_data"))
		return
	}
	s.serve(w, r, req, func(ws *workspace) reply { return ws.invoke(req) })
}

// serve is the way of every call, whether API, webhook or upload: the log, the
// early-call check, the fault plan, then handle, which runs under the lock.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, req *request, handle func(*workspace) reply) {
	x := &exchange{w: w, r: r, server: s, req: req, handle: handle}
	var effect *Effect
	var early int
	s.locked(func(ws *workspace) {
		req.call.At = ws.now()
		req.call.Channel = ws.resolve(req.call.Channel)
		early = ws.early(req)
		if early == 0 {
			effect = ws.fault(req.call)
		}
	})
	switch {
	case early > 0:
		x.answer(tooMany(early))
	case effect != nil:
		req.call.Fault = effect.Name
		effect.play(x)
	default:
		x.answer(x.run())
	}
}

// readRequest collects the arguments from the query, a form or a JSON body.
func readRequest(r *http.Request) (*request, error) {
	args := r.URL.Query()
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		if err := jsonArgs(r.Body, args); err != nil {
			return nil, err
		}
	} else {
		if err := r.ParseMultipartForm(1 << 20); err != nil && err != http.ErrNotMultipart {
			return nil, err
		}
		maps.Copy(args, r.Form)
	}
	if bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		args.Set("token", bearer)
	}
	req := &request{args: args}
	blocks, _ := decodeList(args.Get("blocks"))
	req.call = Call{
		Method:   r.PathValue("method"),
		Channel:  cmp.Or(args.Get("channel"), args.Get("channel_id")),
		TS:       cmp.Or(args.Get("ts"), args.Get("message_ts")),
		ThreadTS: args.Get("thread_ts"),
		Text:     args.Get("text"),
		blocks:   blocks,
	}
	return req, nil
}

// jsonArgs spreads a JSON object over args; what is not a string stays JSON.
func jsonArgs(r io.Reader, args url.Values) error {
	var body map[string]json.RawMessage
	if err := json.NewDecoder(r).Decode(&body); err != nil {
		return err
	}
	for k, raw := range body {
		var text string
		if json.Unmarshal(raw, &text) == nil {
			args.Set(k, text)
		} else {
			args.Set(k, string(raw))
		}
	}
	return nil
}

// invoke checks token, scope and pace, and runs the method.
func (w *workspace) invoke(req *request) reply {
	m, known := webAPI[req.call.Method]
	if !known {
		out := refuse("unknown_method")
		out.status = http.StatusNotFound
		out.body["req_method"] = req.call.Method
		return out
	}
	code := ""
	if req.token, code = w.authenticate(req.arg("token")); code != "" {
		return refuse(code)
	}
	out := w.invokeAs(m, req)
	out.header = http.Header{}
	out.header.Set("X-OAuth-Scopes", strings.Join(req.token.scopes, ","))
	if need := m.scope(w.channel(req.call.Channel, false)); need != "" {
		out.header.Set("X-Accepted-OAuth-Scopes", need)
	}
	return out
}

func (w *workspace) invokeAs(m method, req *request) reply {
	need := m.scope(w.channel(req.call.Channel, false))
	if need != "" && !req.token.may(need) {
		return missingScope(need, req.token.scopes)
	}
	if wait := w.pace(req.call, m.pace); wait > 0 {
		return tooMany(wait)
	}
	return m.do(w, req)
}

func missingScope(needed string, provided []string) reply {
	out := refuse("missing_scope")
	out.body["needed"] = needed
	out.body["provided"] = strings.Join(provided, ",")
	return out
}

func (w *workspace) authenticate(value string) (*token, string) {
	t := w.tokens[value]
	switch {
	case value == "":
		return nil, "not_authed"
	case t == nil:
		return nil, "invalid_auth"
	case t.revoked:
		return nil, "token_revoked"
	}
	return t, ""
}

func (t *token) may(scope string) bool { return slices.Contains(t.scopes, scope) }

// pace takes the call from its buckets; a wait in seconds means it was refused,
// and the caller is now expected to keep it.
func (w *workspace) pace(c Call, p pace) (wait int) {
	if w.opts.Unpaced {
		return 0
	}
	wants := []want{{c.Method, p}}
	if posts(c.Method) {
		wants = []want{{"post " + c.Channel, postPace}, {"posts", workspacePostPace}}
	}
	if d := w.pacer.take(w.now(), wants); d > 0 {
		wait = wholeSeconds(d)
		w.holdOff(c, time.Duration(wait)*time.Second)
	}
	return wait
}

func posts(method string) bool { return method == "chat.postMessage" || method == "webhook" }

// lane is what a Retry-After applies to: a channel for posts, a method for
// everything else.
func lane(c Call) string {
	if posts(c.Method) {
		return c.Method + " " + c.Channel
	}
	return c.Method
}

// holdOff remembers that the caller was told to wait.
func (w *workspace) holdOff(c Call, d time.Duration) { w.notBefore[lane(c)] = w.now().Add(d) }

// early records a violation and returns the seconds left if the caller was told
// to wait longer than it did.
func (w *workspace) early(req *request) int {
	left := w.notBefore[lane(req.call)].Sub(w.now())
	if left <= 0 {
		return 0
	}
	w.violate("early", req.call, "called %s before Retry-After had passed", left.Round(time.Millisecond))
	return wholeSeconds(left)
}

// send writes a reply.
func (s *Server) send(w http.ResponseWriter, rep reply) {
	maps.Copy(w.Header(), rep.header)
	if rep.wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(rep.wait))
	}
	w.Header().Set("Content-Type", rep.contentType())
	w.WriteHeader(rep.code())
	_, _ = w.Write(rep.bytes())
}

func (rep reply) code() int { return cmp.Or(rep.status, http.StatusOK) }

func (rep reply) contentType() string {
	if rep.body == nil {
		return "text/plain; charset=utf-8"
	}
	return "application/json; charset=utf-8"
}

func (rep reply) bytes() []byte {
	if rep.body == nil {
		return []byte(rep.text)
	}
	b, err := json.Marshal(rep.body)
	if err != nil {
		panic(err) // all bodies are made of decoded JSON
	}
	return b
}

func authTest(w *workspace, _ *request) reply {
	o := w.opts
	return okay(map[string]any{
		"url": w.url + "/", "team": o.Team, "team_id": o.TeamID, "user": o.AppName,
		"user_id": o.BotUser, "bot_id": o.BotID, "is_enterprise_install": false,
	})
}

func userInfo(w *workspace, r *request) reply {
	for _, u := range w.opts.Users {
		if u.ID == r.arg("user") {
			return okay(map[string]any{"user": map[string]any{
				"id": u.ID, "name": u.Name, "real_name": u.Real, "team_id": w.opts.TeamID,
				"profile": map[string]any{"display_name": u.Name, "real_name": u.Real},
			}})
		}
	}
	return refuse("user_not_found")
}
