package promfake

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// Fault is one thing that goes wrong. The zero values of When, After and Times mean: every request,
// at once, for ever.
type Fault struct {
	// When selects the requests; nil selects all of them. The form has been parsed, so r.FormValue
	// works for GET and POST.
	When func(r *http.Request) bool
	// After lets this many selected requests pass before the first failure.
	After int
	// Times is how many requests fail; 0 means all.
	Times int
	// Do answers in place of the server. It may call next for the true answer.
	Do Failure
}

// Failure writes a wrong answer to w. The true one is to be had from next.
type Failure func(w http.ResponseWriter, r *http.Request, next http.Handler)

// Faults is a plan of failures. The first fault that selects a request answers it. The zero value
// is an empty plan; it is safe for concurrent use.
type Faults struct {
	mu   sync.Mutex
	plan []*planned
}

type planned struct {
	Fault
	seen, hits int
}

// Add puts a fault at the end of the plan. The returned function tells how many requests it has
// hit.
func (f *Faults) Add(fault Fault) (hits func() int) {
	p := &planned{Fault: fault}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.plan = append(f.plan, p)
	return func() int {
		f.mu.Lock()
		defer f.mu.Unlock()
		return p.hits
	}
}

// Fail stands for Add with a failure of every request.
func (f *Faults) Fail(do Failure) { f.Add(Fault{Do: do}) }

// Clear empties the plan: the server is healthy again.
func (f *Faults) Clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.plan = nil
}

// pick returns the failure for this request, or nil.
func (f *Faults) pick(r *http.Request) Failure {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.plan {
		if p.When != nil && !p.When(r) {
			continue
		}
		p.seen++
		if p.seen <= p.After || p.Times > 0 && p.hits >= p.Times {
			continue
		}
		p.hits++
		return p.Do
	}
	return nil
}

// Wrap puts the plan in front of a handler.
func (f *Faults) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm() // the handler parses again and reports
		if do := f.pick(r); do != nil {
			do(w, r, next)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// OnPath selects requests whose path ends in one of the suffixes, such as "/query".
func OnPath(suffixes ...string) func(*http.Request) bool {
	return func(r *http.Request) bool {
		return slices.ContainsFunc(suffixes, func(s string) bool { return strings.HasSuffix(r.URL.Path, s) })
	}
}

// OnQuery selects requests whose `query` contains the text.
func OnQuery(text string) func(*http.Request) bool {
	return func(r *http.Request) bool { return strings.Contains(r.FormValue("query"), text) }
}

// Status fails with a status code and an error in the form of Prometheus, with an error type that
// fits the code.
func Status(code int) Failure {
	typ := map[int]string{400: errBadData, 404: errNotFound, 422: errExec, 499: errCanceled, 503: errTimeout}[code]
	if typ == "" {
		typ = errInternal
	}
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		writeErrorBody(w, code, typ, "injected: "+http.StatusText(code))
	}
}

// ErrorBody answers 200 with `"status":"error"`, which some proxies produce.
func ErrorBody(typ, text string) Failure {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		writeErrorBody(w, http.StatusOK, typ, text)
	}
}

// HTML answers with a page, as a gateway or a login form does, under any code.
func HTML(code int) Failure {
	return Body(code, "text/html; charset=utf-8", "<!DOCTYPE html><html><head><title>Sign in</title></head><body><h1>Please sign in</h1></body></html>\n")
}

// Body answers with this text.
func Body(code int, contentType, body string) Failure {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(code)
		_, _ = w.Write([]byte(body))
	}
}

// Truncated sends the first half of the true answer and ends in good order.
func Truncated() Failure {
	return Rewrite(func(body []byte) []byte { return body[:len(body)/2] })
}

// Hang says nothing until the client gives up or the server is closed.
func Hang() Failure {
	return func(_ http.ResponseWriter, r *http.Request, _ http.Handler) { <-r.Context().Done() }
}

// Delay answers truthfully after d, unless the client gives up before.
func Delay(d time.Duration) Failure {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if pause(r, d) {
			next.ServeHTTP(w, r)
		}
	}
}

// SlowBody sends the true answer in pieces with a pause before each.
func SlowBody(pieces int, gap time.Duration) Failure {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		a := record(r, next)
		a.writeHead(w)
		flush := http.NewResponseController(w)
		for part := range slices.Chunk(a.body.Bytes(), a.body.Len()/max(pieces, 1)+1) {
			if !pause(r, gap) {
				return
			}
			_, _ = w.Write(part)
			_ = flush.Flush()
		}
	}
}

// pause waits and reports whether the client is still there.
func pause(r *http.Request, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

// Redirect sends the client elsewhere: the path and query are appended to base.
func Redirect(code int, base string) Failure {
	return func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		http.Redirect(w, r, base+r.URL.RequestURI(), code)
	}
}

// Reset breaks the connection with a TCP reset before any answer.
func Reset() Failure {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(http.ErrAbortHandler) // HTTP/2: the stream ends instead
		}
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		_ = conn.Close()
	}
}

// Cut sends the first half of the true answer and then breaks the connection.
func Cut() Failure {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		a := record(r, next)
		w.Header().Set("Content-Length", fmt.Sprint(a.body.Len()))
		a.writeHead(w)
		_, _ = w.Write(a.body.Bytes()[:a.body.Len()/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}

// Warn adds warnings to the true answer, as a federated server does when a part of it did not
// respond.
func Warn(texts ...string) Failure {
	return Rewrite(func(body []byte) []byte {
		if len(body) == 0 || !bytes.HasPrefix(body, []byte(`{"status":"success"`)) {
			return body
		}
		return append(appendTexts(body[:len(body)-1], "warnings", texts), '}')
	})
}

// Partial keeps only the first n series of the true answer and warns about it.
func Partial(n int, texts ...string) Failure {
	warn := Warn(texts...)
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		r.Form.Set("limit", fmt.Sprint(n))
		plain := Rewrite(func(body []byte) []byte {
			i := bytes.LastIndex(body, []byte(`,"warnings":["results truncated`))
			if i < 0 {
				return body
			}
			return append(body[:i:i], '}')
		})
		warn(w, r, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { plain(w, r, next) }))
	}
}

// point finds the value of a sample: [1700000000.123,"42"].
var point = regexp.MustCompile(`(\[-?\d+(?:\.\d+)?,)"[^"]*"\]`)

// Values replaces every sample value of the true answer, for example by "NaN", "+Inf", "-1" or
// "1e309".
func Values(text string) Failure {
	return Rewrite(func(body []byte) []byte {
		return point.ReplaceAll(body, []byte(`${1}"`+text+`"]`))
	})
}

// Duplicate repeats the result of the true answer, so that every series is there twice.
func Duplicate() Failure {
	return Rewrite(func(body []byte) []byte {
		open := []byte(`"result":[{`)
		i, j := bytes.Index(body, open), bytes.LastIndexByte(body, ']')
		if i < 0 || j < 0 {
			return body
		}
		list := body[i+len(open)-1 : j]
		out := append(body[:j:j], ',')
		return append(append(out, list...), body[j:]...)
	})
}

// Oversized answers with a valid beginning followed by at least n bytes.
func Oversized(n int) Failure {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"status":"success","data":{"resultType":"vector","result":["`))
		filler := bytes.Repeat([]byte("x"), 64<<10)
		for sent := 0; sent < n; sent += len(filler) {
			if _, err := w.Write(filler); err != nil {
				return
			}
		}
		_, _ = w.Write([]byte(`"]}}`))
	}
}

// Rewrite changes the body of the true answer, uncompressed.
func Rewrite(change func(body []byte) []byte) Failure {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		a := record(r, next)
		a.writeHead(w)
		_, _ = w.Write(change(a.body.Bytes()))
	}
}

// recorded is a true answer held back.
type recorded struct {
	head   http.Header
	status int
	body   bytes.Buffer
}

// record lets next answer into memory, without compression.
func record(r *http.Request, next http.Handler) *recorded {
	r.Header.Del("Accept-Encoding")
	a := &recorded{head: http.Header{}, status: http.StatusOK}
	next.ServeHTTP(a, r)
	return a
}

// Header implements http.ResponseWriter.
func (a *recorded) Header() http.Header { return a.head }

// WriteHeader implements http.ResponseWriter.
func (a *recorded) WriteHeader(status int) { a.status = status }

// Write implements http.ResponseWriter.
func (a *recorded) Write(p []byte) (int, error) { return a.body.Write(p) }

// writeHead passes on headers and status.
func (a *recorded) writeHead(w http.ResponseWriter) {
	for k, v := range a.head {
		w.Header()[k] = v
	}
	w.WriteHeader(a.status)
}
