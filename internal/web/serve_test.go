package web

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

var quiet = slog.New(slog.DiscardHandler)

func TestCheckAddress(t *testing.T) {
	for _, c := range []struct {
		what, addr     string
		auth, insecure bool
		ok             bool
	}{
		{"the loopback interface", "127.0.0.1:7569", false, false, true},
		{"any address of it", "127.1.2.3:80", false, false, true},
		{"by name", "localhost:80", false, false, true},
		{"IPv6", "[::1]:80", false, false, true},
		{"IPv4 inside IPv6", "[::ffff:127.0.0.1]:80", false, false, true},
		{"every interface", ":7569", false, false, false},
		{"every interface by number", "0.0.0.0:7569", false, false, false},
		{"every interface of IPv6", "[::]:7569", false, false, false},
		{"a host name, whatever it resolves to", "localhost.example:80", false, false, false},
		{"with authentication", ":7569", true, false, true},
		{"when it is meant", ":7569", false, true, true},
		{"no port", "127.0.0.1", false, false, false},
	} {
		if err := CheckAddress(c.addr, c.auth, c.insecure); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.what, err)
		}
	}
}

func TestHasAuth(t *testing.T) {
	for _, c := range []struct {
		what, text string
		auth, ok   bool
	}{
		{"passwords", "basic_auth_users: {ada: $2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi}\n", true, true},
		{"nothing", "{}\n", false, true},
		{"a mistake", "basic_auth_user: {}\n", false, false},
	} {
		file := filepath.Join(t.TempDir(), "web.yml")
		must(t, os.WriteFile(file, []byte(c.text), 0o600))
		if auth, err := HasAuth(file); auth != c.auth || (err == nil) != c.ok {
			t.Errorf("%s: %v, %v", c.what, auth, err)
		}
	}
	if auth, err := HasAuth(""); auth || err != nil {
		t.Errorf("no file: %v, %v", auth, err)
	}
}

// A page elsewhere whose name resolves to this machine must not be able to read what is served
// here.
func TestHostCheck(t *testing.T) {
	h := guard(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), "reliability.example.org", quiet)
	for _, c := range []struct {
		what, local, host string
		code              int
	}{
		{"localhost", "127.0.0.1:7569", "localhost:7569", 200},
		{"a loopback address", "127.0.0.1:7569", "127.0.0.1:7569", 200},
		{"another loopback address", "127.0.0.1:7569", "127.9.9.9", 200},
		{"IPv6", "[::1]:7569", "[::1]:7569", 200},
		{"IPv6 without a port", "[::1]:7569", "[::1]", 200},
		{"the external URL, behind a proxy", "127.0.0.1:7569", "Reliability.example.org", 200},
		{"a name that was bound to the loopback address", "127.0.0.1:7569", "evil.example:7569", 421},
		{"a name that looks like localhost", "127.0.0.1:7569", "localhost.evil.example", 421},
		{"a name that begins like an address", "127.0.0.1:7569", "127.0.0.1.evil.example", 421},
		{"no name", "127.0.0.1:7569", "", 421},
		{"on the network authentication decides", "192.0.2.1:7569", "anything.example", 200},
	} {
		addr, err := net.ResolveTCPAddr("tcp", c.local)
		must(t, err)
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Host = c.host
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, net.Addr(addr))))
		if w.Code != c.code {
			t.Errorf("%s: %d, want %d", c.what, w.Code, c.code)
		}
	}
}

func TestGuardTurnsAwayAndRecovers(t *testing.T) {
	release, entered := make(chan struct{}), make(chan struct{})
	h := guard(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/wait":
			entered <- struct{}{}
			<-release
		case "/panic":
			panic("oh")
		}
	}), "", quiet)
	if code := get(h, "/panic").Code; code != http.StatusInternalServerError {
		t.Errorf("a panic answers %d", code)
	}
	done := make(chan int)
	for range maxInFlight {
		go func() { done <- get(h, "/wait").Code }()
		<-entered
	}
	if w := get(h, "/"); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("one too many answers %d", w.Code)
	}
	close(release)
	for range maxInFlight {
		<-done
	}
	if code := get(h, "/").Code; code != http.StatusOK {
		t.Errorf("afterwards it answers %d", code)
	}
}

// A stop lets the request in flight finish, takes no new one, and leaves nothing running.
func TestServeStopsGracefully(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	entered, release := make(chan struct{}), make(chan struct{})
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(entered)
		<-release
		_, _ = io.WriteString(w, "whole")
	})
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- Serve(ctx, l, h, "", quiet) }()
	body := make(chan string, 1)
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	go func() {
		resp, err := client.Get("http://" + l.Addr().String())
		if err != nil {
			body <- err.Error()
			return
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		body <- string(text)
	}()
	<-entered
	stop()
	close(release)
	if text := <-body; text != "whole" {
		t.Errorf("the request in flight got %q", text)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", l.Addr().String()); err == nil {
		t.Error("the listener is still open")
	}
}

func TestServeAsksForAPassword(t *testing.T) {
	file := filepath.Join(t.TempDir(), "web.yml")
	must(t, os.WriteFile(file, []byte("basic_auth_users: {ada: $2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi}\n"), 0o600))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- Serve(ctx, l, newShopOf(t, nil).handler(), file, quiet) }()
	resp, err := http.Get("http://" + l.Addr().String() + "/")
	must(t, err)
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a password: %d", resp.StatusCode)
	}
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestServeSaysWhatIsWrong(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	err = Serve(t.Context(), l, http.NotFoundHandler(), filepath.Join(t.TempDir(), "none.yml"), quiet)
	if err == nil || !strings.Contains(err.Error(), "none.yml") {
		t.Errorf("a missing web configuration: %v", err)
	}
	if _, err := net.Dial("tcp", l.Addr().String()); err == nil {
		t.Error("the listener is still open")
	}
}

// Headers beyond the bound are refused over a real connection.
func TestServeBoundsHeaders(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- Serve(ctx, l, http.NotFoundHandler(), "", quiet) }()
	conn, err := net.Dial("tcp", l.Addr().String())
	must(t, err)
	defer conn.Close()
	must(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	go func() {
		_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\nX: "+strings.Repeat("a", 64<<10)+"\r\n\r\n")
	}()
	answer := make([]byte, 64)
	n, _ := io.ReadAtLeast(conn, answer, 12)
	if !strings.HasPrefix(string(answer[:n]), "HTTP/1.1 431") {
		t.Errorf("64 KiB of headers: %q", answer[:n])
	}
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
}
