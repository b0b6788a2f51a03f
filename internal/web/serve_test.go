package web

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/slowburn-sre/slowburn/internal/logtest"
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

func TestGuards(t *testing.T) {
	for _, c := range []struct {
		what, text    string
		auth, tls, ok bool
	}{
		{"passwords", "basic_auth_users: {ada: $2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi}\n", true, false, true},
		{"nothing", "{}\n", false, false, true},
		{"a mistake", "basic_auth_user: {}\n", false, false, false},
		{"nobody", "basic_auth_users: {}\n", false, false, true},
		{"a user by an alias, which is read nowhere", "http_server_config: {headers: &h {X-Frame-Options: deny}}\nbasic_auth_users: *h\n", false, false, false},
	} {
		file := filepath.Join(t.TempDir(), "web.yml")
		must(t, os.WriteFile(file, []byte(c.text), 0o600))
		if auth, tls, err := Guards(file); auth != c.auth || tls != c.tls || (err == nil) != c.ok {
			t.Errorf("%s: %v, %v, %v", c.what, auth, tls, err)
		}
	}
	if auth, tls, err := Guards(""); auth || tls || err != nil {
		t.Errorf("no file: %v, %v, %v", auth, tls, err)
	}
}

// Links in messages must lead to something: over TLS if that is spoken, and to no address that
// means all of them.
func TestTheAddressThatIsTold(t *testing.T) {
	name, err := os.Hostname()
	must(t, err)
	for _, c := range []struct {
		listens string
		tls     bool
		want    string
	}{
		{"127.0.0.1:7569", false, "http://127.0.0.1:7569"},
		{"127.0.0.1:7569", true, "https://127.0.0.1:7569"},
		{"[::1]:1", false, "http://[::1]:1"},
		{"[::]:7569", true, "https://" + name + ":7569"},
		{"0.0.0.0:7569", false, "http://" + name + ":7569"},
	} {
		addr, err := net.ResolveTCPAddr("tcp", c.listens)
		must(t, err)
		if got := Address(addr, c.tls); got != c.want {
			t.Errorf("%s: %s, want %s", c.listens, got, c.want)
		}
	}
}

// A page elsewhere whose name resolves to this machine must not be able to read what is served
// here.
func TestHostCheck(t *testing.T) {
	h := guard(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), hosts{"reliability.example.org", "host7"}, "", anybody(), quiet)
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
		{"a name that was bound to an address in a container", "172.17.0.2:7569", "evil.example", 421},
		{"a name that was bound to an address on the network", "192.0.2.1:7569", "anything.example:7569", 421},
		{"a name that ends like a private one", "192.0.2.1:7569", "svc.evil.example", 421},
		{"no name on the network", "192.0.2.1:7569", "", 421},
		{"the external URL on the network", "192.0.2.1:7569", "reliability.example.org", 200},
		{"the external URL with a dot at its end", "192.0.2.1:7569", "reliability.example.org.", 200},
		{"the name of the machine", "192.0.2.1:7569", "Host7:7569", 200},
		{"an address on the network", "192.0.2.1:7569", "192.0.2.1:7569", 200},
		{"another address, of a port that is passed on", "172.17.0.2:7569", "127.0.0.1:7569", 200},
		{"an address over loopback", "127.0.0.1:7569", "192.0.2.1:7569", 421},
		{"a container by its name", "172.17.0.2:7569", "slowburn:7569", 200},
		{"a service of Kubernetes", "10.1.0.2:7569", "slowburn.monitoring.svc:7569", 200},
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
	}), nil, "", anybody(), quiet)
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

// serve serves a handler until the test ends, and returns its address.
func serve(t *testing.T, h http.Handler, webConfig string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- Serve(ctx, l, h, webConfig, quiet) }()
	t.Cleanup(func() {
		stop()
		http.DefaultClient.CloseIdleConnections()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// raw sends a request line as it is, which a client would tidy up, and returns the status.
func raw(t *testing.T, address, line string, headers ...string) int {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	must(t, err)
	defer conn.Close()
	must(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	_, err = io.WriteString(conn, line+" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"+strings.Join(headers, "\r\n")+strings.Repeat("\r\n", min(len(headers), 1))+"\r\n")
	must(t, err)
	var code int
	if _, err := fmt.Fscanf(conn, "HTTP/1.1 %d", &code); err != nil {
		t.Errorf("%s: %v", line, err)
	}
	return code
}

func withPassword(t *testing.T) (file string) {
	file = filepath.Join(t.TempDir(), "web.yml")
	must(t, os.WriteFile(file, []byte("basic_auth_users: {ada: $2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi}\n"), 0o600))
	return file
}

// Probes have no password, and Slack proves who it is by its signature; nothing else gets by, in
// whatever way its path is written.
func TestOnlyProbesAndSlackGetByThePassword(t *testing.T) {
	for _, prefix := range []string{"", "/reliability"} {
		s := newShopOf(t, nil)
		s.options.ExternalURL = "https://example.org" + prefix
		s.options.Slack = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
		address := serve(t, s.handler(), withPassword(t))
		for line, want := range map[string]int{
			"GET /-/healthy": 200, "GET /-/ready": 200, "POST /slack/interactions": http.StatusTeapot, "POST /slack/commands": http.StatusTeapot,
			"GET /": 401, "GET /metrics": 401, "GET /api/v1/slos": 401, "POST /-/reload": 401, "POST /-/healthy": 401, "GET /slack/commands": 401,
			"POST /slack/other": 401, "POST /slack/": 401, "GET /-/healthy/": 401, "GET //-/healthy": 401, "GET /slack/../api/v1/slos": 401,
			"GET /-/healthy/../../metrics": 401, "GET /-/healthy%2f..%2f..%2fmetrics": 401, "GET /-/Healthy": 401, "POST /slack/commands/../../api/v1/acts": 401,
			"GET http://localhost/metrics": 401, "GET /reliabilitymetrics": 401, "GET /reliability/metrics": 401,
		} {
			method, path, _ := strings.Cut(line, " ")
			lines := []string{line}
			if prefix != "" && want != 401 {
				lines = append(lines, method+" "+prefix+path)
			}
			for _, line := range lines {
				if got := raw(t, address, line); got != want {
					t.Errorf("%s with the prefix %q: %d, want %d", line, prefix, got, want)
				}
			}
		}
	}
}

// Whoever guesses is counted, told of in the log, and slowed down, at each door.
func TestWrongProofsAreCountedToldAndSlowedDown(t *testing.T) {
	for _, c := range []struct{ reason, line, header string }{
		{"password", "GET /", "Authorization: Basic YWRhOng="},
		{"token", "POST /-/reload", "X-Slowburn-Token: wrong"},
		{"token", "POST /api/v1/acts", "Authorization: bearer wrong"},
		{"signature", "POST /slack/commands", "X-Slack-Signature: v0=wrong"},
		{"password", "GET /", "Authorization: Basic YWRhOng=\r\nX-Slack-Signature: v0=1"}, // no proof hides another
		{"password", "GET /slack/nothing", "Authorization: Basic YWRhOng="},
		{"signature", "POST /slack/commands", "X-Slack-Signature: v0=wrong\r\nAuthorization: Basic YWRhOng="},
		{"token", "POST /approvals", "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 16\r\n\r\nby=A&token=wrong"},
	} {
		s := newShopOf(t, nil)
		log := &logtest.Log{}
		s.options.Log = slog.New(slog.NewTextHandler(log, nil))
		s.options.Tokens = tokens("right")
		s.options.Registry = prometheus.NewRegistry()
		s.options.Slack = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })
		s.options.Reload = func(context.Context, string) error { return nil }
		config := ""
		if c.reason == "password" {
			config = withPassword(t)
		}
		var later atomic.Int64
		s.options.Now = func() time.Time { return now.Add(time.Duration(later.Load())) }
		address := serve(t, s.handler(), config)
		codes := map[int]int{}
		for range freeTries + 5 {
			codes[raw(t, address, c.line, c.header)]++
		}
		if codes[http.StatusTooManyRequests] != 5 {
			t.Errorf("%s: answers %v", c.reason, codes)
		}
		if got := get(s.lastHandler, "/metrics").Body.String(); !strings.Contains(got, fmt.Sprintf("slowburn_http_refused_total{reason=%q} %d\n", c.reason, freeTries)) ||
			!strings.Contains(got, `slowburn_http_refused_total{reason="too_many"} 5`) {
			t.Errorf("%s: the metric does not say so", c.reason)
		}
		if strings.Count(log.String(), "could not prove") != 1 || !strings.Contains(log.String(), "reason="+c.reason) || strings.Contains(log.String(), "wrong") {
			t.Errorf("%s: the log says %s", c.reason, log.String())
		}
		if got := raw(t, address, "GET /-/healthy"); got != 200 {
			t.Errorf("%s: health answers %d to the same address", c.reason, got)
		}
		later.Store(int64(2 * tryEvery))
		if got := raw(t, address, c.line, c.header); got == http.StatusTooManyRequests {
			t.Errorf("%s: two seconds later it is still too early", c.reason)
		}
	}
}

func TestTheTokenHasAHeaderOfItsOwn(t *testing.T) {
	s := newShopOf(t, nil)
	s.options.Tokens = tokens("right")
	s.options.Reload = func(context.Context, string) error { return nil }
	h := s.handler()
	for header, want := range map[string]int{"Authorization: Bearer right": 200, "Authorization: bearer right": 200, "X-Slowburn-Token: right": 200, "X-Slowburn-Token: wrong": 403, "Authorization: Basic right": 403} {
		r := httptest.NewRequest(http.MethodPost, "/-/reload", nil)
		r.RemoteAddr = "192.0.2.1:1"
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Set(name, value)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%s: %d, want %d", header, w.Code, want)
		}
	}
}

// Bodies that do not come take nobody's place: not at their own door, and not at the others.
func TestSlowBodiesTakeNoPlace(t *testing.T) {
	s := newShopOf(t, nil)
	s.options.Slack = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	address := serve(t, s.handler(), "")
	var slow []net.Conn
	for n := range 2 * maxInFlight {
		conn, err := net.Dial("tcp", address)
		must(t, err)
		defer conn.Close()
		path := []string{"/slack/interactions", "/api/v1/acts"}[n%2]
		_, err = io.WriteString(conn, "POST "+path+" HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\na")
		must(t, err)
		slow = append(slow, conn)
	}
	for line, want := range map[string]int{"GET /-/healthy": 200, "GET /metrics": 200, "GET /": 200, "POST /slack/interactions": http.StatusTeapot} {
		if got := raw(t, address, line); got != want {
			t.Errorf("%s beside slow bodies: %d, want %d", line, got, want)
		}
	}
	for _, conn := range slow[:2] {
		must(t, conn.SetDeadline(time.Now().Add(bodyIn+20*time.Second)))
		var code int
		if _, err := fmt.Fscanf(conn, "HTTP/1.1 %d", &code); err != nil || code != http.StatusRequestTimeout {
			t.Errorf("a body that never comes gets %d, %v", code, err)
		}
	}
}

// A body that the password turned away unread is awaited no longer than another.
func TestASlowBodyWithoutAPasswordIsCutOff(t *testing.T) {
	t.Parallel()
	conn, err := net.Dial("tcp", serve(t, newShopOf(t, nil).handler(), withPassword(t)))
	must(t, err)
	defer conn.Close()
	must(t, conn.SetDeadline(time.Now().Add(bodyIn+9*time.Second)))
	_, err = io.WriteString(conn, "POST /api/v1/acts HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\na")
	must(t, err)
	got, err := io.ReadAll(conn)
	if !strings.HasPrefix(string(got), "HTTP/1.1 401") || err != nil {
		t.Errorf("%s, %v", got, err)
	}
}

// Of IPv6, one machine has as many addresses as it wants in a network of 64 bits.
func TestAnotherAddressOfTheSameNetworkIsNoOtherGuesser(t *testing.T) {
	for name, c := range map[string]struct {
		address string // of the nth try
		waits   bool
	}{
		"the same address":            {"192.0.2.7", true},
		"another address of IPv4":     {"192.0.2.N", false},
		"the same network of IPv6":    {"2001:db8::N", true},
		"another network of IPv6":     {"2001:db8:0:N::1", false},
		"another address by its zone": {"fe80::1%ethN", true},
		"IPv4 as IPv6":                {"::ffff:192.0.2.N", false},
	} {
		f, r := newRefusals(quiet, func() time.Time { return now }), httptest.NewRequest(http.MethodGet, "/", nil)
		for n := range freeTries + 1 {
			r.RemoteAddr = net.JoinHostPort(strings.ReplaceAll(c.address, "N", strconv.Itoa(n)), "1")
			f.wrong(r, "token")
		}
		if f.mustWait(r) != c.waits {
			t.Errorf("%s waits: %v", name, !c.waits)
		}
	}
}

// anybody returns what takes each request for that of somebody else.
func anybody() func(*http.Request) string {
	var n atomic.Int64
	return func(*http.Request) string { return fmt.Sprint(n.Add(1)) }
}

// Somebody whose requests are not answered yet, such as one who asks for much and reads it slowly,
// gets no more than a share of the door, and is told so. Others come in meanwhile.
func TestNobodyTakesADoorAlone(t *testing.T) {
	release, entered, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	asker := func(r *http.Request) string { return r.URL.Query().Get("by") }
	h := guard(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("wait") {
			entered <- struct{}{}
			<-release
		}
	}), nil, "", asker, quiet)
	for range maxOfOne {
		go func() { get(h, "/?by=mallory&wait"); done <- struct{}{} }()
		<-entered
	}
	if w := get(h, "/?by=mallory"); w.Code != http.StatusTooManyRequests || !strings.Contains(w.Body.String(), "Too many of your requests") || w.Header().Get("Retry-After") == "" {
		t.Errorf("one more by the same: %d %s", w.Code, w.Body)
	}
	for _, path := range []string{"/?by=ada", "/api/v1/gate/checkout?by=ada", "/-/healthy?by=mallory"} {
		if code := get(h, path).Code; code != http.StatusOK {
			t.Errorf("%s meanwhile: %d", path, code)
		}
	}
	for range maxOfOne {
		release <- struct{}{}
		<-done
	}
	if code := get(h, "/?by=mallory").Code; code != http.StatusOK {
		t.Errorf("the same, afterwards: %d", code)
	}
}

// A door that is full is full by itself.
func TestEachDoorHasItsOwnBounds(t *testing.T) {
	release, entered := make(chan struct{}), make(chan struct{})
	h := guard(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery == "wait" {
			entered <- struct{}{}
			<-release
		}
	}), nil, "/p", anybody(), quiet)
	doors := map[string]int{"/p/slack/commands": maxPresses, "/metrics": maxScrapes, "/p/-/healthy": maxProbes, "/api/v1/slos": maxInFlight}
	done := make(chan struct{})
	for path, places := range doors {
		for range places {
			go func() { get(h, path+"?wait"); done <- struct{}{} }()
			<-entered
		}
		for other := range doors {
			want := http.StatusOK
			if other == path {
				want = http.StatusServiceUnavailable
			}
			if got := get(h, other).Code; got != want {
				t.Errorf("%s answers %d while %s is full", other, got, path)
			}
		}
		for range places {
			release <- struct{}{}
			<-done
		}
	}
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
