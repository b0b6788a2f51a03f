package slacktest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// Socket Mode: the app opens a WebSocket and gets its callbacks as envelopes, each of which it
// acknowledges.

const (
	maxSockets    = 10       // connections of one app
	largestAnswer = 20 << 10 // bytes of an acknowledgement; Slack drops longer ones without a word
)

// sockets are the open connections, oldest first.
type sockets struct {
	mu      sync.Mutex
	open    []*socket
	pending map[string]chan Ack // by envelope_id
	serial  int
	last    []byte // the newest envelope, for Redeliver
	stalled bool
}

// socket is one connection. Writes take turns.
type socket struct {
	mu   sync.Mutex
	conn *websocket.Conn
}

func (c *socket) send(v any) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.conn.SetWriteDeadline(time.Now().Add(ackTimeout))
	return c.conn.WriteJSON(v)
}

func (c *socket) ping() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.conn.WriteControl(websocket.PingMessage, []byte("Ping from the stand-in"), time.Now().Add(ackTimeout))
}

// openConnection returns apps.connections.open: an address that is good for one connection.
func openConnection(w *workspace, _ *request) reply {
	ticket := w.id("L")
	w.tickets[ticket] = true
	return okay(map[string]any{"url": strings.Replace(w.url, "http://", "ws://", 1) + "/link/" + ticket})
}

var upgrader = websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }} // the ticket is the proof

// socket serves one connection, from the hello to its end.
func (s *Server) socket(w http.ResponseWriter, r *http.Request) {
	known, app := false, ""
	s.locked(func(ws *workspace) {
		app, known = ws.opts.AppID, ws.tickets[r.PathValue("ticket")]
		delete(ws.tickets, r.PathValue("ticket"))
	})
	if !known {
		http.Error(w, "invalid_ticket", http.StatusForbidden)
		return
	}
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer conn.Close()
	c := &socket{conn: conn}
	n := s.sockets.add(c)
	if n > maxSockets {
		_ = c.send(map[string]any{"type": "disconnect", "reason": "too_many_websockets"})
	} else {
		_ = c.send(map[string]any{
			"type": "hello", "num_connections": n, "connection_info": map[string]any{"app_id": app},
			"debug_info": map[string]any{"host": "stand-in", "approximate_connection_time": 18060},
		})
	}
	s.listening(+1)
	stop := make(chan struct{})
	s.calls.Go(func() { s.keepAlive(c, stop) })
	s.sockets.listen(conn)
	close(stop)
	s.sockets.remove(c)
	s.listening(-1)
}

func (s *Server) listening(change int) {
	s.locked(func(w *workspace) {
		w.listening += change
		w.greeted += max(change, 0)
		w.version++
	})
}

// keepAlive pings, until the connection falls silent or ends.
func (s *Server) keepAlive(c *socket, stop chan struct{}) {
	tick := time.NewTicker(s.ws.opts.PingEvery)
	defer tick.Stop()
	for {
		if !s.sockets.silent() && c.ping() != nil {
			return
		}
		select {
		case <-stop:
			return
		case <-tick.C:
		}
	}
}

// listen takes acknowledgements until the connection ends. One that is too long is dropped.
func (s *sockets) listen(conn *websocket.Conn) {
	for {
		_, text, err := conn.ReadMessage()
		if err != nil {
			return
		}
		var ack struct {
			ID      string          `json:"envelope_id"`
			Payload json.RawMessage `json:"payload"`
		}
		if json.Unmarshal(text, &ack) != nil || len(text) >= largestAnswer {
			continue
		}
		s.mu.Lock()
		waiting := s.pending[ack.ID]
		delete(s.pending, ack.ID)
		s.mu.Unlock()
		if waiting != nil {
			waiting <- Ack{Status: http.StatusOK, Body: string(ack.Payload)}
		}
	}
}

func (s *sockets) add(c *socket) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open, s.stalled = append(s.open, c), false
	return len(s.open)
}

func (s *sockets) remove(c *socket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open = slices.DeleteFunc(s.open, func(o *socket) bool { return o == c })
}

func (s *sockets) silent() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stalled
}

func (s *sockets) all() []*socket {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.open)
}

func (s *sockets) closeAll() {
	for _, c := range s.all() {
		_ = c.conn.Close()
	}
}

func (s *Server) connected() bool { return len(s.sockets.all()) > 0 }

// envelope delivers a callback over the oldest connection and waits for its acknowledgement.
func (s *Server) envelope(kind string, payload json.RawMessage) (Ack, error) {
	s.sockets.mu.Lock()
	s.sockets.serial++
	id := fmt.Sprintf("envelope-%d", s.sockets.serial)
	s.sockets.mu.Unlock()
	raw, err := json.Marshal(map[string]any{
		"envelope_id": id, "type": kind, "payload": payload, "accepts_response_payload": kind == "slash_commands",
	})
	if err != nil {
		return Ack{}, fmt.Errorf("encode the envelope: %w", err)
	}
	return s.deliver(id, raw)
}

// Redeliver sends the newest envelope once more, as Slack may.
func (s *Server) Redeliver() (Ack, error) {
	s.sockets.mu.Lock()
	raw := s.sockets.last
	s.sockets.mu.Unlock()
	var e struct {
		ID string `json:"envelope_id"`
	}
	if err := json.Unmarshal(raw, &e); err != nil {
		return Ack{}, fmt.Errorf("nothing was delivered yet: %w", err)
	}
	return s.deliver(e.ID, raw)
}

func (s *Server) deliver(id string, raw json.RawMessage) (Ack, error) {
	answer := make(chan Ack, 1)
	s.sockets.mu.Lock()
	if s.sockets.pending == nil {
		s.sockets.pending = map[string]chan Ack{}
	}
	s.sockets.pending[id], s.sockets.last = answer, raw
	stalled, open := s.sockets.stalled, slices.Clone(s.sockets.open)
	s.sockets.mu.Unlock()
	if len(open) == 0 {
		return Ack{}, ErrNoCallbackURL
	}
	if !stalled {
		if err := open[0].send(raw); err != nil {
			return Ack{}, fmt.Errorf("deliver the envelope: %w", err)
		}
	}
	timer := time.NewTimer(s.within)
	defer timer.Stop()
	select {
	case a := <-answer:
		return a, nil
	case <-timer.C:
		return Ack{}, fmt.Errorf("the envelope was not acknowledged within %s", s.within)
	case <-s.closing:
		return Ack{}, fmt.Errorf("slacktest: the server was closed")
	}
}

// Disconnect tells the app to connect again, for a reason such as "refresh_requested" or "warning",
// as Slack does every few hours.
func (s *Server) Disconnect(reason string) {
	for _, c := range s.sockets.all() {
		_ = c.send(map[string]any{"type": "disconnect", "reason": reason, "debug_info": map[string]any{"host": "stand-in"}})
	}
}

// Stall lets the open connections fall silent: they stay open, and nothing comes over them, no ping
// either, until the app connects anew.
func (s *Server) Stall() {
	s.sockets.mu.Lock()
	defer s.sockets.mu.Unlock()
	s.sockets.stalled = true
}

// Cut ends the open connections without a word.
func (s *Server) Cut() { s.sockets.closeAll() }

// Connections returns how many connections by Socket Mode the app has open, and how many it ever
// had.
func (st State) Connections() (open, ever int) { return st.w.listening, st.w.greeted }
