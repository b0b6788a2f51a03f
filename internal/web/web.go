package web

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/internal/login"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/ranking"
	"github.com/slowburn-sre/slowburn/internal/register"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/internal/trouble"
	"github.com/slowburn-sre/slowburn/postmortem"
)

// Source is the memory of whoever evaluates; *engine.Engine is one.
type Source interface {
	// Snapshot is the newest one. It is there at once, whatever the engine is busy with.
	Snapshot() *engine.Snapshot
}

// Archive is what was written down; *store.DB is one.
type Archive interface {
	Incidents(context.Context, store.IncidentFilter) ([]alerting.Incident, error)
	Incident(ctx context.Context, id string) (alerting.Incident, bool, error)
	Evidence(ctx context.Context, incident string) ([]store.Evidence, error)
	Reports(ctx context.Context, name string, n int) ([]store.Report, error)
	Report(ctx context.Context, name, period string) (store.Report, bool, error)
	Depth(context.Context) (store.Depth, error)
	Deliveries(context.Context) ([]store.Delivery, error)
	Outbox(context.Context, store.OutboxFilter) ([]outbox.Owed, error)
	Acts(context.Context, store.ActFilter) ([]alerting.Act, error)
	Act(ctx context.Context, key string) (alerting.Act, bool, error)
	// Silent is since when it has not answered, zero while it does.
	Silent() time.Time
}

// Options are what the pages, the API and the metrics are made of. Source and Archive are required.
type Options struct {
	Source  Source
	Archive Archive
	// Reload reads the configuration again; nil answers that nothing can be reloaded. Reloaded says
	// how the newest one went, and when the last good one was. who is the identity that was proven.
	Reload   func(ctx context.Context, who string) error
	Reloaded func() api.Reloaded
	// Paging says where pages go, and how those destinations stand; nil knows of none.
	Paging func() api.Paging
	// Audit says how the log of acts stands; nil, also of its answer, is not known.
	Audit func() *api.Audit
	// Drill begins a drill at every destination; nil makes none.
	Drill func(context.Context, api.NewDrill) error
	// Do takes what somebody does, and returns it as it was written down; nil takes nothing. Both
	// are store.ErrWaiting if another daemon has not answered yet; Answer says later, by the key,
	// what became of it. It is false for a key that nobody knows.
	Do     func(context.Context, alerting.Act) (alerting.Act, error)
	Answer func(ctx context.Context, key string) (known bool, err error)
	// WaitsFor says what a daemon that stands by waits for; nil is another one.
	WaitsFor func() string
	// Postmortem is the review of an incident as Markdown: its file, or else a draft; nil offers
	// none.
	Postmortem func(context.Context, alerting.Incident) (markdown string, err error)
	// Signals takes the golden signals of a service now; it is false for one that nobody knows. Nil
	// knows none.
	Signals func(ctx context.Context, service string) (ranking.Snapshot, bool)
	// Register makes the entries of the incidents that were open in [from, to), for regulators; nil
	// has none.
	Register func(ctx context.Context, from, to time.Time) ([]register.Entry, error)
	// Report builds the report of a period that was never sent; it is false for one that cannot be.
	// Nil builds none.
	Report func(ctx context.Context, name, period string) (store.Report, bool, error)
	// Reviews are the postmortems as people have them; nil means that none are kept.
	Reviews func() []postmortem.Review
	// Slack takes what is posted below /slack/; nil takes nothing. It checks by itself who asks.
	Slack http.Handler
	// Now is the time that the evaluation goes by; nil is time.Now. Interval is the time between
	// two ticks on that clock, a minute if zero.
	Now      func() time.Time
	Interval time.Duration
	// MaxLateness is how long samples are waited for at most, where an SLO says nothing else, and
	// Lag how far behind the clock they are read at least.
	MaxLateness, Lag time.Duration
	// Registry takes slowburn's metrics beside those of SLOs, which are served with it as /metrics;
	// nil makes one.
	Registry *prometheus.Registry
	Version  string
	// ExternalURL is the address under which people reach the pages. Its host may be asked for on
	// the loopback interface, and its path is put before every link.
	ExternalURL string
	// Tokens are by which people and programs prove who they are; nil has none. Trust says who else
	// is known, and may change something; nil trusts nobody.
	Tokens func() []Token
	Trust  func() Trust
	// Login lets people sign in to the pages; nil does not.
	Login *login.Door
	Log   *slog.Logger // nil discards
}

// server is what all parts share: the options, what is looked up in the engine and the archive. By
// itself it answers whether slowburn is well.
type server struct {
	Options
	began    time.Time
	unread   trouble.Spell // while the outbox cannot be read
	refusals *refusals
	stopping chan struct{}          // is closed when no page is kept current any more
	stop     func()                 // closes it
	dear     *turns                 // of what takes long to work out
	asks     *turns                 // of what asks Prometheus
	users    func(name string) bool // of the web configuration, "" is any; nil before it is served
}

// isUser reports whether a name is that of a user whose password is asked for before ours is asked.
func (s *server) isUser(name string) bool { return name != "" && s.users != nil && s.users(name) }

// asksForPassword reports whether the web configuration has users.
func (s *server) asksForPassword() bool { return s.users != nil && s.users("") }

// New makes the handler for everything that slowburn serves. It registers slowburn's metrics.
func New(o Options) http.Handler {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Interval <= 0 {
		o.Interval = time.Minute
	}
	if o.Registry == nil {
		o.Registry = prometheus.NewRegistry()
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Paging == nil {
		o.Paging = func() api.Paging { return api.Paging{OK: true, Destinations: []api.Destination{}} }
	}
	if o.Tokens == nil {
		o.Tokens = func() []Token { return nil }
	}
	if o.Trust == nil {
		o.Trust = func() Trust { return Trust{} }
	}
	if o.Audit == nil {
		o.Audit = func() *api.Audit { return nil }
	}
	if o.WaitsFor == nil {
		o.WaitsFor = func() string { return "another slowburn leads" }
	}
	if o.Reloaded == nil {
		o.Reloaded = func() api.Reloaded { return api.Reloaded{OK: true} }
	}
	s := &server{Options: o, began: o.Now(), stopping: make(chan struct{}), dear: newTurns(), asks: newTurns()}
	s.stop = sync.OnceFunc(func() { close(s.stopping) })
	host, prefix := "", ""
	if u, err := url.Parse(o.ExternalURL); err == nil {
		host, prefix = u.Hostname(), strings.TrimSuffix(u.EscapedPath(), "/")
	}
	s.refusals = newRefusals(o.Log, o.Now)
	registerMetrics(s)
	served := s.refusals.slowDown(underPrefix(prefix, s.routes(prefix)))
	return &front{Handler: s.onlyFromProxies(guard(served, hostsOf(host), prefix, s.asker, o.Log)), free: s.free(prefix), prefix: prefix, server: s}
}

// routes serves health, metrics, the API and the pages, whose links begin with the prefix.
func (s *server) routes(prefix string) http.Handler {
	mux := http.NewServeMux()
	s.routeFree(mux)
	mux.Handle("POST /-/reload", http.NewCrossOriginProtection().Handler(http.HandlerFunc(s.reload)))
	mux.HandleFunc("GET /metrics", s.metrics())
	(&jsonAPI{s}).routes(mux)
	(&site{server: s, links: links{prefix}, pages: newPages(prefix), powers: powerCache{play: alerting.PowerOf}}).routes(mux)
	return mux
}

// routeFree serves what asks for no password: probes have none, and Slack proves by its signature
// that it is Slack.
func (s *server) routeFree(mux *http.ServeMux) {
	mux.HandleFunc("GET /-/healthy", s.healthy)
	mux.HandleFunc("GET /-/ready", s.ready)
	if s.Slack != nil {
		mux.Handle("POST /slack/", s.refusals.watch("signature", s.Slack))
	}
}

// free returns what tells the requests that routeFree serves: by their very path, with or without
// the prefix, so that no other spelling of another path is one of them.
func (s *server) free(prefix string) func(*http.Request) bool {
	return func(r *http.Request) bool {
		path := r.URL.EscapedPath()
		if prefix != "" {
			path = "/" + strings.TrimPrefix(strings.TrimPrefix(path, prefix), "/")
		}
		switch path {
		case "/-/healthy", "/-/ready":
			return r.Method == http.MethodGet || r.Method == http.MethodHead
		case login.LoginPath, login.CallbackPath, "/style.css":
			return s.Login != nil && (r.Method == http.MethodGet || r.Method == http.MethodHead)
		case "/slack/interactions", "/slack/commands":
			return r.Method == http.MethodPost && s.Slack != nil
		}
		return false
	}
}

// front is everything that slowburn serves. What free knows needs no password.
type front struct {
	http.Handler
	free   func(*http.Request) bool
	prefix string // of the links
	server *server
}

// behind returns the handler of which all but what is free asks for the password that asks wants to
// see first, or for another proof if there are ways to give one.
func (f *front) behind(password http.Handler) http.Handler {
	refusals := f.server.refusals
	asks := f.orProof(password)
	watched := refusals.slowDown(refusals.watch("password", asks))
	unknown := refusals.watch("token", asks)
	byToken := refusals.slowDown(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch t := f.server.tokenFor(tokenOf(r)); {
		case t == nil:
			unknown.ServeHTTP(w, r)
		case t.passes(r):
			f.Handler.ServeHTTP(w, r)
		default:
			asks.ServeHTTP(w, r)
		}
	}))
	return f.server.onlyFromProxies(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if hasBody(r) {
			hurry(w) // the server awaits also what nobody reads
		}
		switch {
		case f.free(r):
			f.Handler.ServeHTTP(w, r)
		case tries(r, "password"):
			watched.ServeHTTP(w, r)
		case tokenOf(r) != "":
			byToken.ServeHTTP(w, r)
		default:
			asks.ServeHTTP(w, r)
		}
	}))
}

// orProof returns the handler that lets in who is known by something else than a password, and asks
// others for one. Where there are no passwords but other proofs, it refuses them.
func (f *front) orProof(password http.Handler) http.Handler {
	s := f.server
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		passwords := s.asksForPassword()
		_, _, basic := r.BasicAuth() // what it says is looked at by password alone
		known := !(basic && passwords) && slices.ContainsFunc(s.proven(r), func(i identity) bool {
			return i.kind == byProxy || i.kind == byLogin || i.kind == byCertificate && !passwords // where there are passwords, a certificate comes before one
		})
		switch asked := s.Trust().asksForProof() || s.Login != nil; {
		case asked && known:
			f.Handler.ServeHTTP(w, r)
		case s.Login != nil && isPage(r) && !basic:
			http.Redirect(w, r, f.prefix+login.LoginPath+"?back="+url.QueryEscape(pathBelow(f.prefix, r)), http.StatusSeeOther)
		case asked && !passwords:
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "You have not proven who you are. Sign in, come by the proxy that says it, or bring a token that may read.", http.StatusUnauthorized)
		default:
			password.ServeHTTP(w, r)
		}
	})
}

// isPage reports whether a request is that of a browser for a page.
func isPage(r *http.Request) bool {
	return r.Method == http.MethodGet && strings.Contains(r.Header.Get("Accept"), "text/html")
}

// pathBelow returns what a request asks for, without the prefix.
func pathBelow(prefix string, r *http.Request) string {
	return "/" + strings.TrimPrefix(strings.TrimPrefix(r.URL.RequestURI(), prefix), "/")
}

// underPrefix serves the same with and without the prefix, for reverse proxies that keep the path
// and for those that cut it off.
func underPrefix(prefix string, next http.Handler) http.Handler {
	if prefix == "" {
		return next
	}
	stripped := http.StripPrefix(prefix, next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.EscapedPath(), prefix+"/") {
			stripped.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}
