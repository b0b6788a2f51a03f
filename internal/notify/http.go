package notify

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/slowburn-sre/slowburn/internal/outbox"
)

var errRedirected = errors.New("redirected")

// NewClient returns an HTTP client that waits for a bounded time and follows no redirect: a request
// may carry a secret, and is meant for the configured address only. It never tries again; only the
// outbox knows whether that is safe.
func NewClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.ResponseHeaderTimeout = answerTimeout
	return Stay(&http.Client{Timeout: 2 * answerTimeout, Transport: transport})
}

// Stay makes a client follow no redirect.
func Stay(c *http.Client) *http.Client {
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return errRedirected }
	return c
}

const (
	answerTimeout = 15 * time.Second
	answerLimit   = 64 << 10 // bytes that are read of an answer
)

// ParseAddress reads a web address. The error does not repeat it, as it may be a secret.
func ParseAddress(what, address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("%s is not an http or https address; write one that begins with https://", what)
	}
	return u, nil
}

// Encrypted refuses addresses to which no secret may be sent: anything but https, except on this
// machine. The error does not repeat the address, which may itself be the secret.
func Encrypted(what, address string) error {
	u, err := ParseAddress(what, address)
	switch {
	case err != nil:
		return err
	case u.Scheme == "https" || isLoopback(u.Hostname()):
		return nil
	}
	return fmt.Errorf("%s must begin with https://; without encryption everybody on the way could read its secret", what)
}

func isLoopback(host string) bool {
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Answer is what a receiver said, as much of it as matters.
type Answer struct {
	Status int
	Body   []byte // at most 64 KiB
	After  time.Duration
}

// Post sends a JSON body once. The error is an [outbox.Failure], and only of what went wrong below
// HTTP: whatever status came back is an Answer.
func Post(ctx context.Context, c *http.Client, address string, header http.Header, body []byte) (Answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return Answer{}, Fail(outbox.Misconfigured, "the address is malformed")
	}
	for name, values := range header {
		req.Header[name] = values
	}
	req.Header.Set("Content-Type", "application/json")
	return do(c, req)
}

// Get asks once for what stands at an address. Its error is that of [Post].
func Get(ctx context.Context, c *http.Client, address string) (Answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return Answer{}, Fail(outbox.Misconfigured, "the address is malformed")
	}
	return do(c, req)
}

// Probe asks whether anybody answers at an address to which messages are posted, by a HEAD, which
// changes nothing there. Whatever the status, somebody does. Its error is that of [Post].
func Probe(ctx context.Context, c *http.Client, address string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, address, http.NoBody)
	if err != nil {
		return Fail(outbox.Misconfigured, "the address is malformed")
	}
	if _, err = do(c, req); outbox.FailureOf(err).Class == outbox.Misconfigured {
		return nil // it sends who asks so elsewhere, which is an answer
	}
	return err
}

func do(c *http.Client, req *http.Request) (Answer, error) {
	req.Header.Set("User-Agent", "slowburn")
	resp, err := c.Do(req)
	if err != nil {
		return Answer{}, NetworkFailure(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, answerLimit))
	if err != nil && resp.StatusCode/100 != 2 {
		return Answer{}, NetworkFailure(err) // the status of a success is an answer enough
	}
	return Answer{Status: resp.StatusCode, Body: text, After: Seconds(resp.Header.Get("Retry-After"))}, nil
}

// Seconds reads a Retry-After in seconds, also a fraction such as 1.5. Zero means that it makes no
// sense, or is a date.
func Seconds(s string) time.Duration {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || !(f > 0) {
		return 0
	}
	return time.Duration(min(f, 1e6) * float64(time.Second))
}

// Failure sorts a status as most receivers mean it; nil is a success. What a receiver documents
// otherwise, its package sorts before it asks here.
func (a Answer) Failure() error {
	reason := "http " + strconv.Itoa(a.Status)
	switch s := a.Status; {
	case s/100 == 2:
		return nil
	case s == http.StatusTooManyRequests:
		return &outbox.Failure{Class: outbox.RateLimited, Reason: reason, After: a.After}
	case s == http.StatusRequestTimeout, s == http.StatusTooEarly:
		return Fail(outbox.Retry, reason)
	case s >= 500:
		return Fail(outbox.Ambiguous, reason) // it may have been taken before it went wrong
	case s == http.StatusBadRequest, s == http.StatusRequestEntityTooLarge, s == http.StatusUnprocessableEntity:
		return Fail(outbox.Permanent, reason) // this message will never be taken
	}
	return Fail(outbox.Misconfigured, reason) // a wrong address, credentials, a redirect
}

// Fail returns a failure of a class. The reason is short, stable and free of secrets.
func Fail(class outbox.Class, reason string) *outbox.Failure {
	return &outbox.Failure{Class: class, Reason: reason}
}

// NetworkFailure sorts what went wrong below HTTP. Before the request was written, nothing can have
// been delivered; after that, everything can. The reason is made here, word by word: an error's own
// text may hold the address.
func NetworkFailure(err error) *outbox.Failure {
	var (
		op     *net.OpError
		dns    *net.DNSError
		cert   *tls.CertificateVerificationError
		x      x509.UnknownAuthorityError
		record tls.RecordHeaderError
		netErr net.Error
	)
	switch {
	case errors.As(err, &dns):
		return Fail(outbox.Retry, "no such host")
	case errors.As(err, &cert), errors.As(err, &x), errors.As(err, &record):
		return Fail(outbox.Retry, "tls")
	case errors.As(err, &op) && op.Op == "dial":
		return Fail(outbox.Retry, "cannot connect")
	case errors.Is(err, errRedirected):
		return Fail(outbox.Misconfigured, "redirected")
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &netErr) && netErr.Timeout():
		return Fail(outbox.Ambiguous, "timeout")
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return Fail(outbox.Ambiguous, "connection lost")
	}
	return Fail(outbox.Ambiguous, "no answer")
}
