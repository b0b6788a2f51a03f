package web

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/drills"
	"github.com/slowburn-sre/slowburn/internal/incidents"
	"github.com/slowburn-sre/slowburn/internal/store"
)

// humanActs are the acts that this door takes. Changes and experiments have a door of their own.
var humanActs = []alerting.ActKind{
	alerting.Acknowledge, alerting.Silence, alerting.Escalate, alerting.Remark, alerting.Mitigated, alerting.Undo,
	alerting.Classify, alerting.Worked, alerting.Declare, alerting.Close, alerting.Merge, alerting.Split,
	alerting.Override, alerting.Exempt, alerting.Approve, alerting.Reject,
}

// viaWeb is how an act came that was done by a form on a page.
const viaWeb = "web"

// routeWrites routes the part of the API that changes something. A browser that was sent here by
// another site is refused.
func (s *jsonAPI) routeWrites(mux *http.ServeMux) {
	write := func(pattern string, f func(*http.Request, caller) (any, error)) {
		mux.Handle("POST /api/v1/"+pattern, http.NewCrossOriginProtection().Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c, known := s.callerOf(r, "")
			if !known {
				w.Header().Set("WWW-Authenticate", "Bearer")
				s.answer(w, nil, errForbidden)
				return
			}
			data, err := f(r, c)
			var waits *waiting
			if errors.As(err, &waits) {
				s.write(w, http.StatusAccepted, api.Answer{Status: "pending", Key: waits.key, Data: data, Error: problemOf(err).text})
				return
			}
			s.answer(w, data, err)
		})))
	}
	write("acts", s.apiDo)
	write("changes", s.apiChanged)
	write("drills", s.apiDrill)
	write("incidents/{id...}", s.apiAck)
}

// waiting is the answer to what waits for the daemon that leads.
type waiting struct {
	key string
	error
}

// Unwrap gives the cause.
func (w *waiting) Unwrap() error { return w.error }

// notDone says of an error why what was asked for by a key is not done, or not yet.
func notDone(key string, err error) error {
	if errors.Is(err, store.ErrWaiting) {
		return &waiting{key, err}
	}
	return notWritten(err)
}

// apiRequest says what became of what had to wait for the daemon that leads.
func (s *jsonAPI) apiRequest(w http.ResponseWriter, r *http.Request) {
	key := r.PathValue("key")
	known, err := false, error(nil)
	if s.Answer != nil {
		known, err = s.Answer(r.Context(), key)
	}
	switch {
	case errors.Is(err, store.ErrWaiting):
		s.write(w, http.StatusAccepted, api.Answer{Status: "pending", Key: key})
	case err == nil && !known:
		s.answer(w, nil, notFound("There is no request %q, or not any more.", clip(key)))
	case err == nil:
		s.write(w, http.StatusOK, api.Answer{Status: "success", Key: key})
	default:
		s.answer(w, nil, err)
	}
}

// maxAct bounds the body of an act or a change.
const maxAct = 64 << 10

// decode reads the JSON body of a request, and refuses fields that the value does not have, and
// those that are given twice: who reads the one would see another act than who reads the other.
func decode(r *http.Request, into any, what string) error {
	text, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxAct))
	if err != nil {
		return badRequest("The body is no %s: %s.", what, err)
	}
	if json.Valid(text) {
		if key, twice := keyTwice(json.NewDecoder(bytes.NewReader(text)), false); twice {
			return badRequest("The body is no %s: %q is given twice in one object; keep one of the two.", what, clip(key))
		}
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return badRequest("The body is no %s: %s.", what, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return badRequest("The body is no %s: something follows it.", what)
	}
	return nil
}

// keyTwice returns a key that one object of a valid JSON text has twice, in any letter case, as
// fields are read. Names below facts are told apart by their case.
func keyTwice(dec *json.Decoder, exact bool) (key string, twice bool) {
	t, _ := dec.Token()
	if t != json.Delim('{') && t != json.Delim('[') {
		return "", false
	}
	for seen := map[string]bool{}; dec.More(); {
		if t == json.Delim('{') {
			name, _ := dec.Token()
			key, _ = name.(string)
			field := key
			if !exact {
				field = strings.ToLower(strings.ToUpper(key)) // the long s is an s, too
			}
			if seen[field] {
				return key, true
			}
			seen[field] = true
		}
		if inner, twice := keyTwice(dec, exact || strings.EqualFold(key, "facts")); twice {
			return inner, true
		}
	}
	_, _ = dec.Token()
	return "", false
}

// readAct reads an act from a request; an empty body is an act without anything.
func readAct(r *http.Request) (a api.Act, err error) {
	if r.ContentLength != 0 {
		err = decode(r, &a, "act")
	}
	return a, err
}

// do hands an act on, and returns it as it was written down. What the request leaves open is filled
// in: a key, by which the sender could have made it safe to repeat, and that it came this way.
func (s *server) do(ctx context.Context, c caller, a api.Act) (api.Act, error) {
	if err := s.allow(ctx, c, a); err != nil {
		return a, err
	}
	a.Who = c.who() // whatever the request says
	if a.By == "" {
		a.By = c.name()
	}
	switch {
	case s.Do == nil:
		return a, onlyReads
	case a.By == "":
		return a, badRequest("Say who does this: \"by\", or --by on the command line.")
	case !showable(a):
		return a, badRequest("A name, a key or a text holds control characters, or marks that turn the direction of writing.")
	}
	if a.Key == "" {
		a.Key = rand.Text()
	}
	if a.Via != "cli" && a.Via != viaWeb {
		a.Via = "api"
	}
	a.Received, a.Said, a.Damaged = time.Time{}, time.Time{}, false
	a, err := s.Do(ctx, a)
	if a.Kind == alerting.Declare {
		a.Incident = alerting.DeclaredID(a)
	}
	return a, notDone(a.Key, err)
}

// allow returns nil if a caller may do an act, else why not.
func (s *server) allow(ctx context.Context, c caller, a api.Act) error {
	var on api.Act // what it takes back, or decides on
	if slices.Contains([]alerting.ActKind{alerting.Undo, alerting.Approve, alerting.Reject}, a.Kind) {
		var err error
		if on, _, err = s.Archive.Act(ctx, a.Other); err != nil {
			return err
		}
	}
	return c.may(rightFor(a, on.Kind), servicesOf(a, on)...)
}

// showable reports whether everything that an act says can be shown as it is. Only its text may
// have several lines.
func showable(a api.Act) bool {
	steers := func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }
	words := []string{a.Key, a.By, a.Who, a.Via, a.Incident, string(a.SLO), a.Service, a.Other, strings.NewReplacer("\n", "", "\r", "", "\t", "").Replace(a.Text)}
	if c := a.Change; c != nil {
		words = append(words, c.Kind, c.Title, c.Version)
	}
	for name, value := range a.Facts {
		words = append(words, name, value)
	}
	return !slices.ContainsFunc(words, func(word string) bool { return strings.ContainsFunc(word, steers) })
}

// onlyReads answers where there is nobody who could do anything.
var onlyReads = &problem{http.StatusNotImplemented, "unavailable", "Nothing can be done here; this only reads."}

func (s *jsonAPI) apiDo(r *http.Request, c caller) (any, error) {
	a, err := readAct(r)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(humanActs, a.Kind) {
		return nil, badRequest(incidents.NotAnAct, string(a.Kind))
	}
	return s.do(r.Context(), c, a)
}

// apiDrill begins a drill.
func (s *jsonAPI) apiDrill(r *http.Request, c caller) (any, error) {
	if err := c.may(MayAct, ""); err != nil { // it is about all services
		return nil, err
	}
	var n api.NewDrill
	if r.ContentLength != 0 {
		if err := decode(r, &n, "drill"); err != nil {
			return nil, err
		}
	}
	if s.Drill == nil {
		return nil, onlyReads
	}
	if n.Key == "" {
		n.Key = rand.Text()
	}
	if err := s.Drill(r.Context(), n); err != nil {
		return nil, notDone(n.Key, err)
	}
	return s.Paging(), nil
}

// apiAck acknowledges an incident.
func (s *jsonAPI) apiAck(r *http.Request, c caller) (any, error) {
	id, ok := strings.CutSuffix(r.PathValue("id"), "/ack")
	if !ok || len(id) > maxID {
		return nil, notFound("There is nothing at this address.")
	}
	a, err := readAct(r)
	if err != nil {
		return nil, err
	}
	a.Kind, a.Incident = alerting.Acknowledge, id
	if a, err = s.do(r.Context(), c, a); err != nil {
		return a, err
	}
	if drills.Is(id) {
		return s.Paging(), nil
	}
	i, err := s.findIncident(r.Context(), id)
	if err != nil {
		return nil, err
	}
	return s.detail(r.Context(), i)
}

// apiActs returns the audit log.
func (s *jsonAPI) apiActs(r *http.Request) (any, error) {
	p := params{q: r.URL.Query()}
	f := store.ActFilter{
		Kind: alerting.ActKind(p.q.Get("kind")), Incident: p.q.Get("incident"), Service: p.q.Get("service"),
		From: p.time("from", time.Time{}), To: p.time("to", time.Time{}), Limit: p.int("limit", 1000, maxIncidents), Damaged: true,
	}
	if p.err != nil {
		return nil, p.err
	}
	found, err := s.Archive.Acts(r.Context(), f)
	for n, a := range found {
		if a.Change != nil { // what was written down before links were looked at
			c := *a.Change
			c.Link = api.WebAddress(c.Link)
			found[n].Change = &c
		}
	}
	return append([]api.Act{}, found...), err
}

// problemOfAct returns what to answer for an act that was not done.
func problemOfAct(err *incidents.ActError) *problem {
	switch err.Problem {
	case incidents.ActUnknown:
		return &problem{http.StatusNotFound, "not_found", err.Text}
	case incidents.ActConflict:
		return &problem{http.StatusConflict, "conflict", err.Text}
	case incidents.ActInvalid:
	}
	return &problem{http.StatusBadRequest, "bad_data", err.Text}
}
