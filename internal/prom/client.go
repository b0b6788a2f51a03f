package prom

import (
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/common/config"

	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/httpclient"
)

// Defaults of [Options].
const (
	DefaultTimeout     = 30 * time.Second
	DefaultConcurrency = 8
	DefaultMaxBytes    = 32 << 20
)

// ClientOptions says where Prometheus is and how to talk to it. The zero value of every field but
// URL stands for its default.
type ClientOptions struct {
	URL  string                  // base address, such as http://127.0.0.1:9090
	HTTP config.HTTPClientConfig // credentials, TLS, proxy, headers
	// Timeout bounds one request from its start, waiting for a free place excluded.
	Timeout time.Duration
	// Concurrency caps the requests in flight; Prometheus itself runs 20 at a time.
	Concurrency int
	// MaxBytes caps one answer after decompression.
	MaxBytes int64
	// Stats asks the server how many samples each query read.
	Stats bool
	// UserAgent is sent with every request; empty means "slowburn".
	UserAgent string
}

// Client asks a Prometheus-compatible server. It never retries: the next tick does, losslessly. It
// is safe for concurrent use.
type Client struct {
	opts ClientOptions
	base *url.URL
	http *http.Client
	gate chan struct{}
	gzip bool

	queries, samples, bytes atomic.Int64
	dated                   atomic.Int64 // the Date header of the newest answer, in seconds since 1970
}

// NewClient prepares a client; nothing is sent yet.
func NewClient(o ClientOptions) (*Client, error) {
	base, err := url.Parse(strings.TrimRight(o.URL, "/"))
	if err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https") {
		return nil, errors.New("prometheus.url must be an http or https address such as http://127.0.0.1:9090")
	}
	o.Timeout = cmp.Or(o.Timeout, DefaultTimeout)
	o.Concurrency = cmp.Or(o.Concurrency, DefaultConcurrency)
	o.MaxBytes = cmp.Or(o.MaxBytes, DefaultMaxBytes)
	o.UserAgent = cmp.Or(o.UserAgent, "slowburn")
	transport, err := httpclient.Transport(o.HTTP, "prometheus", config.WithUserAgent(o.UserAgent))
	if err != nil {
		return nil, fmt.Errorf("prometheus: %w", err)
	}
	return &Client{
		opts: o, base: base,
		http: &http.Client{Transport: transport, CheckRedirect: httpclient.SameHost},
		gate: make(chan struct{}, o.Concurrency),
		gzip: !loopback(base.Hostname()),
	}, nil
}

// loopback reports whether the host is this machine, where compressing costs more than it saves.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// CloseIdle closes connections that are not in use.
func (c *Client) CloseIdle() { c.http.CloseIdleConnections() }

// Usage counts what was asked since the client was made.
type Usage struct {
	Queries int64 // requests sent
	Samples int64 // samples in the answers; with ClientOptions.Stats, samples the server read
	Bytes   int64 // bytes of the answers, decompressed
}

// Usage returns the counters so far.
func (c *Client) Usage() Usage {
	return Usage{c.queries.Load(), c.samples.Load(), c.bytes.Load()}
}

// call sends one request and hands the answer's body to read. Every failure is an *Error.
func (c *Client) call(ctx context.Context, method, path string, form url.Values, read func(io.Reader) error) *Error {
	op := strings.TrimPrefix(path, "/api/v1/")
	fail := func(k Kind, hint string, err error) *Error {
		return &Error{Kind: k, Op: op, URL: c.base.Redacted(), Hint: hint, Err: err}
	}
	select {
	case c.gate <- struct{}{}:
		defer func() { <-c.gate }()
	case <-ctx.Done():
		return fail(Timeout, "gave up waiting for a free place", ctx.Err())
	}
	ctx, cancel := context.WithTimeout(ctx, c.opts.Timeout)
	defer cancel()
	req, err := c.request(ctx, method, path, form)
	if err != nil {
		return fail(Refused, "the request cannot be built", err)
	}
	c.queries.Add(1)
	resp, err := c.http.Do(req)
	if err != nil {
		return c.transportError(ctx, fail, err)
	}
	defer resp.Body.Close()
	if at, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		c.dated.Store(at.Unix())
	}
	body, err := c.body(resp)
	if err != nil {
		return fail(BadAnswer, "the answer is not what it says it is (gzip)", err)
	}
	if resp.StatusCode/100 != 2 {
		return statusError(fail, resp.StatusCode, body)
	}
	return c.readError(ctx, fail, body, read(body))
}

func (c *Client) request(ctx context.Context, method, path string, form url.Values) (*http.Request, error) {
	u := *c.base
	u.Path += path
	var body io.Reader
	if method == http.MethodGet {
		u.RawQuery = form.Encode()
	} else {
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	req.Header.Set("Cache-Control", "no-store")
	if c.gzip {
		req.Header.Set("Accept-Encoding", "gzip")
	}
	return req, nil
}

// limited is a body that is cut off, loudly, after so many bytes.
type limited struct {
	r    io.Reader
	left int64
	read int64
	over bool
	err  error // the first failure of the connection, other than its regular end
}

// Read implements io.Reader.
func (l *limited) Read(p []byte) (int, error) {
	if l.left <= 0 {
		l.over = true
		return 0, errTooLarge
	}
	if int64(len(p)) > l.left {
		p = p[:l.left]
	}
	n, err := l.r.Read(p)
	l.left -= int64(n)
	l.read += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		l.err = err
	}
	return n, err
}

var errTooLarge = errors.New("answer is too large")

// body returns the answer's body, decompressed and limited.
func (c *Client) body(resp *http.Response) (*limited, error) {
	var r io.Reader = resp.Body
	if resp.Header.Get("Content-Encoding") == "gzip" {
		zr, err := gzip.NewReader(resp.Body)
		if err != nil {
			return nil, err
		}
		r = zr
	}
	return &limited{r: r, left: c.opts.MaxBytes}, nil
}

// readError sorts what went wrong while an answer was read.
func (c *Client) readError(ctx context.Context, fail failer, body *limited, err error) *Error {
	c.bytes.Add(body.read)
	var e *Error
	switch {
	case err == nil:
		return nil
	case body.over:
		return fail(TooLarge, fmt.Sprintf("more than %d MiB; narrow the selector", c.opts.MaxBytes>>20), errTooLarge)
	case ctx.Err() != nil:
		return fail(Timeout, "the answer did not arrive in time", ctx.Err())
	case body.err != nil:
		return fail(Unreachable, "the connection broke in mid-answer", body.err)
	case errors.As(err, &e):
		return fail(e.Kind, e.Hint, e.Err)
	}
	return fail(BadAnswer, "not an answer of the Prometheus API; is there a proxy or a login page in between?", err)
}

// transportError sorts the failures before an answer.
func (c *Client) transportError(ctx context.Context, fail failer, err error) *Error {
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err // the url in it may hold a password
	}
	var ne net.Error
	switch {
	case errors.Is(err, httpclient.ErrRedirected):
		return fail(Refused, "the server redirects to another host or turns POST into GET; give its final address as prometheus.url", err)
	case ctx.Err() != nil || errors.As(err, &ne) && ne.Timeout():
		return fail(Timeout, fmt.Sprintf("no answer within %s", figures.Duration(c.opts.Timeout)), err)
	}
	return fail(Unreachable, "is Prometheus running and the address right?", err)
}

// statusError sorts answers other than 2xx, with the server's own words if it gave any.
func statusError(fail failer, code int, body io.Reader) *Error {
	said := errorText(body)
	err := fmt.Errorf("HTTP status %d", code)
	if said != "" {
		err = fmt.Errorf("HTTP status %d: %s", code, said)
	}
	switch {
	case code != http.StatusTooManyRequests && code != http.StatusServiceUnavailable && tellsOfSize(said):
		return fail(TooLarge, "the query would load more into the server's memory than it allows", err)
	case code != http.StatusTooManyRequests && tellsOfTime(said):
		return fail(Timeout, "the server has given up the query", err)
	case code == http.StatusTooManyRequests || code >= 500:
		return fail(Overloaded, "the server cannot serve this now", err)
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return fail(Refused, "the server wants other credentials", err)
	case code == http.StatusNotFound:
		return fail(Refused, "there is no Prometheus API under this address", err)
	}
	return fail(Refused, "the server refuses the query", err)
}

// errorText returns the server's explanation: short, printable, and only if it is in the API's
// form.
func errorText(body io.Reader) string {
	b, _ := io.ReadAll(io.LimitReader(body, 4<<10))
	a := answer{}
	if err := decode(strings.NewReader(string(b)), nil, &a); err == nil || a.errorText == "" {
		return printable(a.errorText)
	}
	return printable(a.errorText)
}

// printable makes foreign text safe to show on one line.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if !strconv.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
	if len(s) > 300 {
		s = s[:300] + "…"
	}
	return strings.ToValidUTF8(s, "")
}

// query asks for one instant. Samples go to the sink as they are decoded; after an error what the
// sink got is worthless.
func (c *Client) query(ctx context.Context, q string, at time.Time, to sink) (answer, *Error) {
	return c.ask(ctx, "/api/v1/query", url.Values{"query": {q}, "time": {unix(at)}}, to)
}

// queryRange asks for every step of [from, to]. An answer that a cache has kept would be without
// what has come since: `nocache` is how VictoriaMetrics is told so, and the header of
// [Client.request] how the front ends of Mimir and Cortex are.
func (c *Client) queryRange(ctx context.Context, q string, from, to time.Time, step time.Duration, s sink) (answer, *Error) {
	return c.ask(ctx, "/api/v1/query_range", url.Values{
		"query": {q}, "start": {unix(from)}, "end": {unix(to)}, "step": {strconv.FormatFloat(step.Seconds(), 'f', -1, 64)}, "nocache": {"1"},
	}, s)
}

func (c *Client) ask(ctx context.Context, path string, form url.Values, to sink) (answer, *Error) {
	form.Set("timeout", strconv.FormatFloat(c.opts.Timeout.Seconds(), 'f', -1, 64))
	if c.opts.Stats {
		form.Set("stats", "all")
	}
	var a answer
	err := c.call(ctx, http.MethodPost, path, form, func(r io.Reader) error {
		if err := decode(r, to, &a); err != nil {
			return err
		}
		return a.problem()
	})
	c.samples.Add(max(a.samplesRead, a.samples))
	return a, err
}

func unix(t time.Time) string { return strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', -1, 64) }
