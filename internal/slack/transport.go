package slack

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

var errRedirected = errors.New("redirected")

// httpClient is a client that waits for a bounded time, follows no redirect (the request carries a token) and reads
// a bounded answer. It never tries again: only the outbox knows whether that is safe.
func httpClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.ResponseHeaderTimeout = answerTimeout
	transport.MaxIdleConnsPerHost = 16
	return &http.Client{
		Timeout:       2 * answerTimeout,
		Transport:     bounded{transport},
		CheckRedirect: func(*http.Request, []*http.Request) error { return errRedirected },
	}
}

const (
	answerTimeout = 15 * time.Second
	answerLimit   = 8 << 20 // bytes; a page of history is far below
)

// bounded cuts answers off that are too long.
type bounded struct{ next http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(resp.Body, answerLimit), resp.Body}
	return resp, nil
}

// checkAddress refuses addresses to which no secret may be sent: anything but https, except on this machine. The
// error does not repeat the address, which may itself be the secret.
func checkAddress(what, address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "":
		return fmt.Errorf("%s is not an address; write for example https://slack.com/api/", what)
	case u.Scheme == "https":
		return nil
	case u.Scheme == "http" && isLoopback(u.Hostname()):
		return nil
	}
	return fmt.Errorf("%s must begin with https://; without encryption everybody on the way could read the token", what)
}

func isLoopback(host string) bool {
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
