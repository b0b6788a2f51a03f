package slacktest

import (
	"bytes"
	"embed"
	"encoding/json"
	"html/template"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
)

//go:embed page.html page.css page.js
var assets embed.FS

// policy lets the page load its own style sheet and script, and nothing from anywhere else.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// pages are what a person sees of the server.
type pages struct{ *Server }

// routes serves the channels as pages, and takes what is pressed and written there.
func (s pages) routes(mux *http.ServeMux) {
	mux.HandleFunc("GET /{$}", s.page)
	mux.HandleFunc("GET /-/version", s.versionPage)
	mux.HandleFunc("GET /page.css", asset("page.css", "text/css; charset=utf-8"))
	mux.HandleFunc("GET /page.js", asset("page.js", "text/javascript; charset=utf-8"))
	mux.HandleFunc("GET /archives/{channel}/{message}", s.permalinkPage)
	mux.HandleFunc("GET /files/{id}", s.filePage)
	sameOrigin := http.NewCrossOriginProtection()
	mux.Handle("POST /press", sameOrigin.Handler(http.HandlerFunc(s.pressPage)))
	mux.Handle("POST /say", sameOrigin.Handler(http.HandlerFunc(s.sayPage)))
}

func asset(name, kind string) http.HandlerFunc {
	content, err := assets.ReadFile(name)
	if err != nil {
		panic(err) // embedded
	}
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		_, _ = w.Write(content)
	}
}

// versionPage tells the script whether there is anything new.
func (s pages) versionPage(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(map[string]int{"version": s.State().Version()})
}

// permalinkPage leads from Slack's form of a link to the message on the page.
func (s pages) permalinkPage(w http.ResponseWriter, r *http.Request) {
	digits := strings.TrimPrefix(r.PathValue("message"), "p")
	if len(digits) < 7 {
		http.NotFound(w, r)
		return
	}
	ts := digits[:len(digits)-6] + "." + digits[len(digits)-6:]
	q := url.Values{"channel": {r.PathValue("channel")}}
	if thread := r.URL.Query().Get("thread_ts"); thread != "" {
		q.Set("thread", thread)
	}
	http.Redirect(w, r, "/?"+q.Encode()+"#m"+url.PathEscape(ts), http.StatusFound)
}

// pictures are the kinds of files the page may show rather than offer.
var pictures = []string{"image/png", "image/jpeg", "image/gif", "image/webp"}

func (s pages) filePage(w http.ResponseWriter, r *http.Request) {
	f := s.State().w.files[r.PathValue("id")]
	if f == nil || !f.Uploaded {
		http.NotFound(w, r)
		return
	}
	kind := http.DetectContentType(f.Content)
	if !slices.Contains(pictures, kind) {
		kind = "application/octet-stream"
		w.Header().Set("Content-Disposition", `attachment; filename="`+fileName.ReplaceAllString(f.Name, "_")+`"`)
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; sandbox")
	_, _ = w.Write(f.Content)
}

var fileName = regexp.MustCompile(`[^A-Za-z0-9._ -]`)

// pressPage presses a button, or chooses from a menu, for the person looking at the page.
func (s pages) pressPage(w http.ResponseWriter, r *http.Request) {
	ack, err := s.Choose(r.PostFormValue("ts"), r.PostFormValue("action"), r.PostFormValue("value"), s.ws.opts.Users[0].ID)
	s.back(w, r, err == nil && ack.Status < 300)
}

// sayPage says something for the person looking at the page; what begins with a slash is a command.
func (s pages) sayPage(w http.ResponseWriter, r *http.Request) {
	channel, text, user := r.PostFormValue("channel"), r.PostFormValue("text"), s.ws.opts.Users[0].ID
	if c := s.State().w.channel(channel, false); c == nil || text == "" {
		http.NotFound(w, r)
		return
	}
	if !strings.HasPrefix(text, "/") {
		s.Say(channel, user, text, "")
		s.back(w, r, true)
		return
	}
	command, rest, _ := strings.Cut(text, " ")
	ack, err := s.Command(channel, command, rest, user)
	s.back(w, r, err == nil && ack.Status < 300)
}

// back leads to the page that a form was on.
func (s pages) back(w http.ResponseWriter, r *http.Request, answered bool) {
	q := url.Values{"channel": {r.PostFormValue("channel")}}
	if thread := r.PostFormValue("thread"); thread != "" {
		q.Set("thread", thread)
	}
	if !answered {
		q.Set("notice", "unanswered")
	}
	http.Redirect(w, r, "/?"+q.Encode(), http.StatusSeeOther)
}

// view is all the page template is given.
type view struct {
	Team, Viewer string
	Version      int
	Channels     []channelLink
	Channel      Channel
	Items        []item
	Thread       *threadView
	Failed       bool // the last button press was not answered
	Commands     bool // the app takes commands
}

type channelLink struct {
	Channel
	Current bool
	Count   int
}

type threadView struct {
	TS    string
	Items []item
}

// item is one entry of a list: a day, a message, or something only the viewer sees.
type item struct {
	Day        string
	Message    *Message
	Whisper    *Ephemeral
	ID         string // for anchors and for the script
	Author     string
	Bot        bool
	At         time.Time
	Replies    int
	LastReply  time.Time
	Parent     *Message // of a broadcast reply
	InThread   bool
	Thread     string // of the open thread, for links back
	CanPress   bool
	Open       bool // its thread is the open one
	FileList   []File
	ReplyAfter bool // the divider between parent and replies follows
}

// page shows a channel, and a thread beside it.
func (s pages) page(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	st, now := s.ws.snapshot(), s.ws.now()
	s.mu.Unlock()
	q := r.URL.Query()
	c := st.w.channel(q.Get("channel"), true)
	if c == nil {
		c = st.busiest()
	}
	if c == nil {
		http.NotFound(w, r)
		return
	}
	v := st.view(*c, q.Get("thread"))
	v.Failed = q.Get("notice") == "unanswered"
	w.Header().Set("Content-Security-Policy", policy)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	st.w.opts.Now = func() time.Time { return now }
	var b bytes.Buffer
	if err := templateOf(st.w).Execute(&b, v); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_, _ = w.Write(b.Bytes())
}

// busiest returns the channel to open when none was asked for: the one that was last written to.
func (st State) busiest() *Channel {
	var best *Channel
	last := ""
	for i := range st.w.channels {
		c := &st.w.channels[i]
		ts := ""
		if list := st.w.messages[c.ID]; len(list) > 0 {
			ts = list[len(list)-1].TS
		}
		if best == nil || ts > last {
			best, last = c, ts
		}
	}
	return best
}

func (st State) view(c Channel, thread string) view {
	v := view{
		Team: st.w.opts.Team, Viewer: first(st.w.opts.Users[0].Real, st.w.opts.Users[0].Name),
		Version: st.w.version, Channel: c, Commands: st.w.opts.CommandsURL != "" || st.w.listening > 0,
	}
	for _, other := range st.w.channels {
		v.Channels = append(v.Channels, channelLink{other, other.ID == c.ID, len(st.Roots(other.ID))})
	}
	v.Items = st.channelItems(c, thread)
	if root, ok := st.Message(c.ID, thread); ok {
		t := &threadView{TS: thread, Items: []item{st.item(root, thread, true)}}
		for _, m := range st.Thread(c.ID, thread) {
			t.Items = append(t.Items, st.item(m, thread, true))
		}
		t.Items[0].ReplyAfter = true
		v.Thread = t
	}
	return v
}

// channelItems returns messages and whispers by time, with a line for each day.
func (st State) channelItems(c Channel, thread string) []item {
	var items []item
	for _, m := range st.w.messages[c.ID] {
		gone := m.Deleted && len(st.w.replies(c.ID, m.TS)) == 0
		if !gone && (m.ThreadTS == "" || m.Broadcast) {
			items = append(items, st.item(*m, thread, false))
		}
	}
	for i, e := range st.w.ephemerals {
		if e.Channel == c.ID {
			items = append(items, item{
				Whisper: &st.w.ephemerals[i], At: e.At.UTC(), Author: st.w.opts.AppName, Bot: true,
				ID: "w" + e.At.UTC().Format("150405.000000"),
			})
		}
	}
	slices.SortStableFunc(items, func(a, b item) int { return a.At.Compare(b.At) })
	var out []item
	day := ""
	for _, it := range items {
		if d := it.At.Format("Monday, 2 January 2006"); d != day {
			day = d
			out = append(out, item{Day: d, ID: "d" + it.At.Format(time.DateOnly)})
		}
		out = append(out, it)
	}
	return out
}

func (st State) item(m Message, thread string, inThread bool) item {
	author := st.w.opts.user(m.User)
	it := item{
		Message: &m, At: m.Posted.UTC(), ID: "m" + m.TS, InThread: inThread, Thread: thread,
		Bot: m.User == st.w.opts.BotUser, Open: m.TS == thread && !inThread,
		Author:   first(m.Username, author.Real, author.Name),
		CanPress: st.w.opts.InteractionsURL != "" || st.w.listening > 0,
	}
	if inThread {
		it.ID = "t" + m.TS
	}
	for _, id := range m.Files {
		it.FileList = append(it.FileList, *st.w.files[id])
	}
	if m.ThreadTS != "" {
		it.Parent = st.w.find(m.Channel, m.ThreadTS)
		return it
	}
	if replies := st.w.replies(m.Channel, m.TS); len(replies) > 0 {
		it.Replies, it.LastReply = len(replies), replies[len(replies)-1].Posted.UTC()
	}
	return it
}

var pageTemplate = template.Must(template.New("page.html").Funcs(drawing{}.funcs()).ParseFS(assets, "page.html"))

// templateOf returns the page's template with functions that know this workspace's names.
func templateOf(w *workspace) *template.Template {
	t := template.Must(pageTemplate.Clone())
	return t.Funcs(drawing{names: w.names(), url: w.url}.funcs())
}

// markdown renders markdown blocks. Raw HTML and dangerous links are left out by goldmark unless
// told otherwise.
var markdown = goldmark.New(goldmark.WithExtensions(
	extension.Strikethrough,
	extension.NewTable(extension.WithTableCellAlignMethod(extension.TableCellAlignAttribute)),
))
