package web

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/slowburn-sre/slowburn/internal/engine"
)

// listener is a browser that is told what is new.
type listener struct {
	*http.Response
	lines *bufio.Scanner
}

func listen(t testing.TB, address string, headers ...string) *listener {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+livePath, nil)
	must(t, err)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	from := &net.Dialer{}
	if ip := r.Header.Get("From"); ip != "" {
		from.LocalAddr = &net.TCPAddr{IP: net.ParseIP(ip)}
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: from.DialContext}}).Do(r)
	must(t, err)
	t.Cleanup(func() { _ = resp.Body.Close() })
	return &listener{resp, bufio.NewScanner(resp.Body)}
}

// next returns the name of the snapshot that is told next, "" at the end.
func (l *listener) next() string {
	for l.lines.Scan() {
		if name, ok := strings.CutPrefix(l.lines.Text(), "data: "); ok {
			return name
		}
	}
	return ""
}

// Whoever listens is told of the snapshot that there is, and of one that comes. The page says which
// it was made of. When slowburn stops, everybody's line ends at once, that of those who do not
// read, too.
func TestPagesAreToldWhatIsNew(t *testing.T) {
	s := newShopOf(t, nil)
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- Serve(ctx, l, s.handler(), "", quiet) }()
	address := l.Addr().String()
	deaf, err := net.Dial("tcp", address)
	must(t, err)
	defer deaf.Close()
	_, err = fmt.Fprintf(deaf, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", livePath)
	must(t, err)
	var all []*listener
	first := ""
	for range 20 {
		one := listen(t, address)
		if got := one.Header.Get("Content-Type"); got != "text/event-stream" {
			t.Fatalf("%d %s", one.StatusCode, got)
		}
		first = one.next()
		all = append(all, one)
	}
	body := get(s.lastHandler, "/").Body.String()
	if !strings.Contains(body, `data-snapshot="`+first+`"`) {
		t.Errorf("the page is not of %s", first)
	}
	must(t, s.source.Reload(t.Context(), engine.Terms{Set: s.source.Snapshot().Set}, now))
	second := all[0].next()
	for _, one := range all[1:] {
		if got := one.next(); got == first || got != second {
			t.Errorf("after %q some are told %q and some %q", first, second, got)
		}
	}
	stop()
	for _, one := range all {
		if got := one.next(); got != "" {
			t.Errorf("after the stop one is told %q", got)
		}
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// Places to listen are bounded by themselves, and come back when somebody goes. Half of them is for
// one asker.
func TestListenersAreBounded(t *testing.T) {
	s := newShopOf(t, nil)
	address := serve(t, s.handler(), "")
	var all []*listener
	for _, from := range []string{"From: 127.0.0.1", "From: 127.0.0.2"} {
		for range maxLive / 2 {
			one := listen(t, address, from)
			one.next()
			all = append(all, one)
		}
		if one := listen(t, address, from); one.StatusCode != http.StatusTooManyRequests {
			t.Errorf("one too many of one asker gets %d", one.StatusCode)
		}
	}
	if one := listen(t, address, "From: 127.0.0.3"); one.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("one too many gets %d", one.StatusCode)
	}
	if got := raw(t, address, "GET /"); got != http.StatusOK {
		t.Errorf("a page beside them: %d", got)
	}
	_ = all[0].Body.Close()
	for listen(t, address, "From: 127.0.0.3").StatusCode != http.StatusOK {
		if t.Context().Err() != nil {
			t.Fatal("a place never comes back")
		}
	}
}

// Listening takes the proof that a page takes, and a page of slowburn.
func TestWhoMayListen(t *testing.T) {
	s := newShopOf(t, nil)
	for _, c := range []struct {
		what, config string
		headers      []string
		want         int
	}{
		{"anybody where nobody is asked", "", nil, http.StatusOK},
		{"a page of ours", "", []string{"Sec-Fetch-Site: same-origin"}, http.StatusOK},
		{"another site", "", []string{"Sec-Fetch-Site: cross-site"}, http.StatusForbidden},
		{"a page on another port", "", []string{"Sec-Fetch-Site: same-site"}, http.StatusForbidden},
		{"somebody without the password", withPassword(t), nil, http.StatusUnauthorized},
	} {
		s.options.Registry = nil
		if got := listen(t, serve(t, s.handler(), c.config), c.headers...).StatusCode; got != c.want {
			t.Errorf("%s: %d, want %d", c.what, got, c.want)
		}
	}
}

// wire is a connection whose other side never reads.
type wire struct {
	http.ResponseWriter
	header    http.Header
	deadlines int
}

func (w *wire) Header() http.Header                { return w.header }
func (w *wire) WriteHeader(int)                    {}
func (w *wire) Write([]byte) (int, error)          { return 0, context.DeadlineExceeded }
func (w *wire) SetReadDeadline(time.Time) error    { return nil }
func (w *wire) SetWriteDeadline(t time.Time) error { w.deadlines++; return nil }

// Whoever does not read gets a deadline, and is let go at it.
func TestSlowListenersAreLetGo(t *testing.T) {
	s := newShopOf(t, nil)
	w := &wire{header: http.Header{}}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, livePath, nil)
	must(t, err)
	s.handler().ServeHTTP(w, r) // returns
	if w.deadlines != 1 {
		t.Errorf("%d deadlines were set", w.deadlines)
	}
}

// Pages with a script are kept current by it, others by a refresh, unless somebody may be filling
// in a form there. Documents do not change.
func TestPagesWithoutAScriptAreRefreshed(t *testing.T) {
	s := newShop(t)
	h, paths := s.handler(), s.pagePaths(t)
	for name, want := range map[string][2]bool{
		"slo": {true, true}, "service": {true, true}, "reports": {true, false}, "status": {true, true}, "overview": {true, false}, "incidents": {true, false}, "report": {false, false},
	} {
		body := get(h, paths[name]).Body.String()
		if got := [2]bool{ours.MatchString(body), strings.Contains(body, `<noscript><meta http-equiv="refresh"`)}; got != want {
			t.Errorf("%s: script and refresh %v, want %v", name, got, want)
		}
		if live := strings.Count(body, " data-live"); name != "report" && live < 4 {
			t.Errorf("%s has %d parts that stay current", name, live)
		}
	}
}
