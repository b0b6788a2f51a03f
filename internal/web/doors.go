package web

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// What each door takes at once. Slow or many requests at one of them leave the others alone: the
// door for Slack is open to the internet, and a probe that is turned away restarts the pod.
const (
	maxInFlight = 64  // pages and the API
	maxOfOne    = 32  // of them, those of one asker
	maxProbes   = 32  // health and readiness
	maxScrapes  = 4   // metrics
	maxPresses  = 16  // Slack
	maxLive     = 256 // pages that are kept current
	maxArriving = 512 // bodies on their way, at each door
)

// bodyIn is how long a body may take to arrive, maxBody how much of it is awaited: a press carries
// the message that it was made on.
const (
	bodyIn  = 3 * time.Second
	maxBody = 1 << 20
)

// door is one of the ways in, with bounds of its own.
type door struct {
	places   chan struct{} // requests that are worked on
	arriving chan struct{} // requests whose body is on its way

	ofOne int // how many places one asker may have
	mu    sync.Mutex
	have  map[string]int // how many each has
}

func newDoor(places, ofOne int) *door {
	return &door{places: make(chan struct{}, places), arriving: make(chan struct{}, maxArriving), ofOne: ofOne, have: map[string]int{}}
}

// count adds to the places that an asker has, and reports whether they are not too many.
func (d *door) count(asker string, more int) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.have[asker]+more > d.ofOne {
		return false
	}
	if d.have[asker] += more; d.have[asker] == 0 {
		delete(d.have, asker)
	}
	return true
}

// enter awaits the body, then takes a place for an asker. It has answered if it returns nil; else
// leave gives the place back.
func (d *door) enter(w http.ResponseWriter, r *http.Request, asker string) (leave func()) {
	if hasBody(r) {
		if !take(d.arriving) {
			turnAway(w)
			return nil
		}
		err := arrive(w, r)
		<-d.arriving
		if err != nil {
			w.Header().Set("Connection", "close")
			http.Error(w, "The body did not arrive in time.", http.StatusRequestTimeout)
			return nil
		}
	}
	if !d.count(asker, 1) {
		w.Header().Set("Retry-After", "1")
		http.Error(w, "Too many of your requests are being answered at once.", http.StatusTooManyRequests)
		return nil
	}
	if !take(d.places) {
		d.count(asker, -1)
		turnAway(w)
		return nil
	}
	return func() { <-d.places; d.count(asker, -1) }
}

func hasBody(r *http.Request) bool {
	return r.Body != nil && r.Body != http.NoBody && r.ContentLength != 0
}

// hurry bounds how long the body of a request may take from now on, also if it is refused unread.
func hurry(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyIn)) // a recorder in a test has none
}

func take(places chan struct{}) bool {
	select {
	case places <- struct{}{}:
		return true
	default:
		return false
	}
}

func turnAway(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "1")
	http.Error(w, "Too many requests at once.", http.StatusServiceUnavailable)
}

// arrive reads the body, or as much of it as anybody wants, and puts it in its place.
func arrive(w http.ResponseWriter, r *http.Request) error {
	hurry(w)
	rest := r.Body
	start, err := io.ReadAll(io.LimitReader(rest, maxBody+1))
	if err != nil {
		return err
	}
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(start), rest), rest}
	if len(start) <= maxBody { // the server looks whether the client is still there
		_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	}
	return nil
}

// doors are all ways in.
type doors struct{ pages, probes, scrapes, presses, live *door }

func newDoors() doors {
	return doors{
		newDoor(maxInFlight, maxOfOne), newDoor(maxProbes, maxProbes), newDoor(maxScrapes, maxScrapes),
		newDoor(maxPresses, maxPresses), newDoor(maxLive, maxLive/2),
	}
}

// of returns the door to a path.
func (d doors) of(path string) *door {
	switch {
	case path == "/-/healthy" || path == "/-/ready":
		return d.probes
	case path == "/metrics":
		return d.scrapes
	case path == livePath:
		return d.live
	case strings.HasPrefix(path, "/slack/"):
		return d.presses
	}
	return d.pages
}

// After so many wrong tokens, signatures or passwords in a row, an address may try again once in a
// second.
const (
	freeTries   = 10
	tryEvery    = time.Second
	maxSuspects = 4096
	tellEvery   = 10 * time.Second // at most, in the log
)

// refusals counts those who could not prove who they are, tells of them, and slows them down.
type refusals struct {
	log   *slog.Logger
	now   func() time.Time
	count *prometheus.CounterVec

	mu       sync.Mutex
	suspects map[string]suspect // by network
	told     time.Time
	untold   int
}

// suspect is an address from which something wrong came.
type suspect struct {
	tries int
	last  time.Time
}

func newRefusals(log *slog.Logger, now func() time.Time) *refusals {
	return &refusals{log: log, now: now, suspects: map[string]suspect{}, count: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "slowburn_http_refused_total", Help: "Requests whose token, signature or password was wrong, those that were turned away because too many were, and those that named a user without being a trusted proxy.",
	}, []string{"reason"})}
}

// The kinds of proof that a request may bring, each beside the others.
var proofs = []string{"password", "token", "signature"}

// tries reports whether a request tries to prove who it comes from by a kind of proof.
func tries(r *http.Request, kind string) bool {
	scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	switch basic := strings.EqualFold(scheme, "Basic"); kind {
	case "password":
		return basic
	case "token":
		return scheme != "" && !basic || r.Header.Get(TokenHeader) != ""
	default:
		return r.Header.Get("X-Slack-Signature") != "" || strings.HasPrefix(r.URL.Path, "/slack/")
	}
}

// tooManyTries answers an address that has to wait.
const tooManyTries = "Too many wrong tokens, signatures or passwords came from this address."

// mustWait reports whether the address of a request has to wait before it tries again, and counts
// that it has tried too early.
func (f *refusals) mustWait(r *http.Request) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	s, known := f.suspects[networkOf(r)]
	if !known || s.tries-int(f.now().Sub(s.last)/tryEvery) < freeTries {
		return false
	}
	f.count.WithLabelValues("too_many").Inc()
	return true
}

// wrong notes that a proof was none.
func (f *refusals) wrong(r *http.Request, reason string) {
	f.count.WithLabelValues(reason).Inc()
	f.mu.Lock()
	defer f.mu.Unlock()
	address, now := networkOf(r), f.now()
	s := f.suspects[address]
	s.tries = max(s.tries-int(now.Sub(s.last)/tryEvery), 0) + 1
	s.last = now
	if len(f.suspects) >= maxSuspects {
		clear(f.suspects) // whoever uses so many addresses is not slowed down by any
	}
	f.suspects[address] = s
	f.tell(now, "somebody could not prove who they are", r, reason)
}

// ignored notes that something was said of who sent a request by somebody who may not say so. That
// is no guess, so it slows nobody down.
func (f *refusals) ignored(r *http.Request, reason string) {
	f.count.WithLabelValues(reason).Inc()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tell(f.now(), "the name of a user was ignored: it came from no trusted proxy, or was none", r, reason)
}

// tell logs a request, with how many came since the last line.
func (f *refusals) tell(now time.Time, what string, r *http.Request, reason string) {
	if f.untold++; now.Sub(f.told) < tellEvery {
		return
	}
	f.log.Warn(what, "reason", reason, "address", addressOf(r), "path", r.URL.Path, "times", f.untold)
	f.told, f.untold = now, 0
}

func addressOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// networkOf returns from where a request comes: its address, or of IPv6 the network of 64 bits, all
// of whose addresses one machine may have.
func networkOf(r *http.Request) string {
	ip, err := netip.ParseAddr(addressOf(r))
	if err != nil || ip.Unmap().Is4() {
		return addressOf(r)
	}
	network, _ := ip.WithZone("").Prefix(64)
	return network.String()
}

// slowDown turns away an address that has tried too often. Only requests that try to prove
// something are looked at: pages stay there for everybody else behind the same proxy.
func (f *refusals) slowDown(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if slices.ContainsFunc(proofs, func(kind string) bool { return tries(r, kind) }) && f.mustWait(r) {
			w.Header().Set("Retry-After", "1")
			http.Error(w, tooManyTries, http.StatusTooManyRequests)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// watch notes the requests that a handler refuses because their proof, of that kind, is none.
func (f *refusals) watch(kind string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !tries(r, kind) {
			next.ServeHTTP(w, r)
			return
		}
		seen := &statusWriter{ResponseWriter: w}
		next.ServeHTTP(seen, r)
		if seen.status == http.StatusUnauthorized {
			f.wrong(r, kind)
		}
	})
}

// statusWriter remembers the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader writes and remembers the status.
func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap gives the writer to http.ResponseController.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
