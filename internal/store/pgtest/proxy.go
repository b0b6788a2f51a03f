package pgtest

import (
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
)

// Proxy stands between a client and a server, and can hold what they send: a network that is cut,
// where nobody is told that it is.
type Proxy struct {
	Port   int
	server string
	mu     sync.Mutex
	free   sync.Cond
	held   bool
	conns  map[net.Conn]bool
}

// NewProxy makes a proxy to the server for the length of the test.
func (s *Server) NewProxy(t testing.TB) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Port: l.Addr().(*net.TCPAddr).Port, server: s.endpoint(), conns: map[net.Conn]bool{}}
	p.free.L = &p.mu
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { p.connect(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		p.Hold(false)
		p.Reset()
		all.Wait()
	})
	return p
}

func (s *Server) endpoint() string { return fmt.Sprint("127.0.0.1:", s.Port) }

// Hold keeps what is sent from now on, in both directions, or lets it go in the order in which it
// came.
func (p *Proxy) Hold(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = on
	p.free.Broadcast()
}

// To lets what connects from now on reach another server, as when an address moves.
func (p *Proxy) To(s *Server) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.server = s.endpoint()
}

// Reset breaks every connection.
func (p *Proxy) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.Close()
	}
}

func (p *Proxy) connect(client net.Conn) {
	defer p.forget(client)
	p.remember(client)
	p.wait()
	p.mu.Lock()
	to := p.server
	p.mu.Unlock()
	server, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer p.forget(server)
	p.remember(server)
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{client, server}, {server, client}} {
		both.Go(func() {
			defer way[0].Close()
			defer way[1].Close()
			_, _ = io.Copy(holding{way[1], p}, way[0])
			p.wait() // the end of a connection is held too
		})
	}
	both.Wait()
}

// holding is a connection whose writes wait while the proxy holds.
type holding struct {
	net.Conn
	p *Proxy
}

func (h holding) Write(b []byte) (int, error) {
	h.p.wait()
	return h.Conn.Write(b)
}

func (p *Proxy) wait() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.held {
		p.free.Wait()
	}
}

func (p *Proxy) remember(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns[c] = true
}

func (p *Proxy) forget(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
	c.Close()
}
