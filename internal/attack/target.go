package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// target is a daemon that is attacked.
type target struct {
	url   *url.URL
	token string // that may read; "" reads without
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

// stranger trusts any certificate, follows nothing, and keeps no connection: an attacker does not
// care, and a probe must not see the connection of another.
var stranger = &http.Client{
	Timeout:       30 * time.Second,
	Transport:     &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true, DialContext: dialFrom}, //nolint:gosec // it is the attacker
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// dialFrom connects to this machine from an address of its own for each probe, where the system has
// them (Linux has all of 127.0.0.0/8): the daemon is wary of an address from which wrong proofs
// came, and each probe is to be met by an unprejudiced one.
func dialFrom(ctx context.Context, network, address string) (net.Conn, error) {
	if from, ok := ctx.Value(origin{}).(int); ok && strings.HasPrefix(address, "127.") {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 7, byte(from>>8), byte(from)|1)}}
		if conn, err := d.DialContext(ctx, network, address); err == nil {
			return conn, nil
		}
	}
	return (&net.Dialer{}).DialContext(ctx, network, address)
}

// origin is where a context keeps the number of the probe.
type origin struct{}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 8 << 20

// send sends a request with headers "Name: value"; "Host: x" asks for another host. The path is
// sent as it is.
func (t *target) send(ctx context.Context, method, path, body string, headers ...string) (answer, error) {
	r, err := http.NewRequestWithContext(ctx, method, t.url.String(), strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	path, query, _ := strings.Cut(path, "?")
	r.URL.Opaque, r.URL.RawQuery = "//"+t.url.Host+t.url.Path+path, query
	if body == "" {
		r.Body, r.ContentLength = http.NoBody, 0
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ":")
		switch value = strings.TrimSpace(value); name {
		case "Host":
			r.Host = value
		case "Content-Type":
			r.Header.Set(name, value)
		default:
			r.Header[http.CanonicalHeaderKey(name)] = append(r.Header[http.CanonicalHeaderKey(name)], value)
		}
	}
	resp, err := stranger.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusTooManyRequests && ctx.Value(impatient{}) == nil {
		return t.later(ctx, method, path+"?"+query, body, headers)
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	return answer{resp.StatusCode, resp.Header, string(text)}, err
}

// impatient marks a context in which it matters that the daemon is wary of too many wrong proofs.
type impatient struct{}

// later sends a request again when the daemon is less wary of this address: it asks for a second,
// and forgets a wrong proof in each.
func (t *target) later(ctx context.Context, method, path, body string, headers []string) (answer, error) {
	for range 3 {
		select {
		case <-ctx.Done():
			return answer{}, ctx.Err()
		case <-time.After(1100 * time.Millisecond):
		}
		a, err := t.send(context.WithValue(ctx, impatient{}, true), method, strings.TrimSuffix(path, "?"), body, headers...)
		if err != nil || a.status != http.StatusTooManyRequests {
			return a, err
		}
	}
	return answer{status: http.StatusTooManyRequests, body: "too many wrong proofs came from this address"}, nil
}

// get reads a path, with the token to read if there is one.
func (t *target) get(ctx context.Context, path string, headers ...string) (answer, error) {
	return t.send(ctx, http.MethodGet, path, "", append(headers, t.reading()...)...)
}

func (t *target) reading() []string {
	if t.token == "" {
		return nil
	}
	return []string{"X-Slowburn-Token: " + t.token}
}

// dial connects.
func (t *target) dial(ctx context.Context) (net.Conn, error) {
	host := t.url.Host
	if t.url.Port() == "" {
		host = net.JoinHostPort(t.url.Hostname(), map[string]string{"http": "80", "https": "443"}[t.url.Scheme])
	}
	if t.url.Scheme == "https" {
		conn, err := dialFrom(ctx, "tcp", host)
		if err != nil {
			return nil, err
		}
		return tls.Client(conn, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}}), nil //nolint:gosec // it is the attacker
	}
	return dialFrom(ctx, "tcp", host)
}

// raw sends bytes as they are, and returns what comes back until the daemon hangs up, or for as
// long as is given.
func (t *target) raw(ctx context.Context, text string, wait time.Duration) (string, error) {
	conn, err := t.dial(ctx)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(wait))
	if _, err := io.WriteString(conn, text); err != nil && wait < time.Second {
		return "", err
	}
	got, _ := io.ReadAll(io.LimitReader(conn, maxAnswer))
	return string(got), nil
}

// statusOf returns the status of a raw answer, 0 if there was none.
func statusOf(raw string) (status int) {
	_, _ = fmt.Sscanf(raw, "HTTP/1.1 %d", &status)
	return status
}
