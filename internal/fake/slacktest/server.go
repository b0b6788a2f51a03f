package slacktest

import (
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// A Server is a running stand-in.
type Server struct {
	Token    string // the bot token of [Options]
	AppToken string // its app-level token, for Socket Mode

	Room

	base    string
	http    *http.Server
	calls   sync.WaitGroup // handlers and callbacks under way
	callout *http.Client   // for interaction callbacks
	within  time.Duration  // in which one must be acknowledged
	last    lastCallback
	sockets sockets
}

// Start runs a stand-in and panics if it cannot listen. For a given address that may be taken, use
// [Listen].
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
		Room:  Room{ws: newWorkspace(opts), closing: make(chan struct{})},
		Token: opts.Token, AppToken: opts.AppToken,
		base:    "http://" + ln.Addr().String(),
		within:  opts.AckWithin,
		callout: &http.Client{Timeout: opts.AckWithin, Transport: &http.Transport{DisableKeepAlives: true}},
	}
	s.ws.url = s.base
	s.changed = sync.NewCond(&s.mu)
	s.http = &http.Server{Handler: s.counted(s.routes()), ReadHeaderTimeout: 10 * time.Second}
	s.calls.Go(func() { _ = s.http.Serve(ln) })
	return s, nil
}

// URL returns the address of the page, without a trailing slash.
func (s *Server) URL() string { return s.base }

// APIURL returns what a client takes for https://slack.com/api/, with the trailing slash.
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
	s.sockets.closeAll()
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
	mux.HandleFunc("GET /link/{ticket}", s.socket)
	pages{s}.routes(mux)
	return mux
}

// Room is the workspace behind its lock: what tests see of it, and what people do in it.
type Room struct {
	mu      sync.Mutex
	changed *sync.Cond // any change of ws
	ws      *workspace
	closing chan struct{}
}

// locked runs f on the workspace, then wakes everyone who waits for a change.
func (s *Room) locked(f func(*workspace)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s.ws)
	s.changed.Broadcast()
}
