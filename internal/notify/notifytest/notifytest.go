// Package notifytest has facts and a receiver for tests of receivers.
package notifytest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/incidents"
	"github.com/slowburn-sre/slowburn/internal/notify"
	"github.com/slowburn-sre/slowburn/internal/sentences"
	"github.com/slowburn-sre/slowburn/slo"
	"github.com/slowburn-sre/slowburn/slo/file"
)

// Noon is the time at which [Story] begins.
var Noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// Spec returns an SLO with everything that a message may show.
func Spec() *slo.Spec {
	set, err := file.Load([]file.File{{Name: "checkout.yaml", Data: []byte(document)}})
	if err != nil {
		panic(err)
	}
	return set.Specs[0]
}

const document = `
version: slowburn/v1
service: checkout
owner: payments
tier: high_fast
links: {runbook: "https://wiki.example.com/checkout", dashboard: "https://grafana.example.com/d/checkout"}
slos:
  - name: availability
    description: Orders are answered without a server error.
    objective: 99.9
    sli: {events: {total: http_requests_total, bad: 'http_requests_total{code=~"5.."}'}}
    by: [route]
`

// ID is the budget that [Story] is about: one of a label's values, which holds what must be
// escaped.
const ID slo.ID = `checkout/availability{route="/pay?<b>&\"x\""}`

// Ledger returns what [Story] is about: a fifth of the requests fails in the twenty minutes from
// [Noon]. Of four weeks before it, the last four days are known by the minute.
func Ledger() *budget.Ledger {
	ledger, start := &budget.Ledger{}, budget.MinuteOf(Noon)
	fine := start - 4*1440
	for m := start - 28*1440; m < fine; m += 60 {
		ledger.PutHour(m.Hour(), budget.Sum{Total: 60 * 100 * budget.Unit, Known: 60})
	}
	for m := fine; m < start+60; m++ {
		bad := int64(0)
		if m >= start && m < start+20 {
			bad = 20
		}
		ledger.Put(m, budget.Count(bad*budget.Unit, 100*budget.Unit))
	}
	return ledger
}

// Story returns what happens to a budget whose service fails a fifth of its requests for twenty
// minutes: the facts of each event, as the receiver of a name gets them. The first is a ticket that
// becomes a page in the second if ticket is true, and else a page.
func Story(receiver string, ticket bool) []notify.Facts {
	spec, ledger, start := Spec(), Ledger(), budget.MinuteOf(Noon)
	in := alerting.Input{ID: ID, Spec: spec, Ledger: ledger}
	_, events := alerting.Advance(in, alerting.State{Through: start - 100}, start+60)
	var facts []notify.Facts
	var i alerting.Incident
	for _, e := range events {
		if e.Kind == alerting.Noticed {
			continue
		}
		if ticket && e.Kind == alerting.Opened {
			before := e
			before.Severity, before.Rule, before.At = alerting.Ticket, alerting.RuleTicket, e.At-1
			e.Kind = alerting.Escalated
			i = i.Apply(before)
			facts = append(facts, factsAt(receiver, in, before, i))
		}
		i = i.Apply(e)
		facts = append(facts, factsAt(receiver, in, e, i))
	}
	return facts
}

func factsAt(receiver string, in alerting.Input, e alerting.Event, i alerting.Incident) notify.Facts {
	now := in.StatusAt(e.At + 1)
	return notify.Facts{
		Target: notify.Target{Receiver: receiver}, Origin: notify.Origin{URL: "https://slowburn.example.com"},
		Notification: incidents.Notification{Facts: sentences.Facts{
			Spec: in.Spec, Event: e, Incident: i, Now: e.Time(),
			Status: now, Outlook: alerting.Outlook(in, now, i.Burnt()...), Failing: incidents.Failing(in.Ledger, i, e.At+1),
		}},
	}
}

// Request is one that a [Receiver] got.
type Request struct {
	Method, Path string
	Header       http.Header
	Body         []byte
}

// Receiver is a server that keeps what it gets and answers as it is told. It answers a probe, and
// does not keep it.
type Receiver struct {
	URL string

	mu     sync.Mutex
	gone   bool
	got    []Request
	answer func(n int, r Request) (status int, header http.Header, body string)
}

// NewReceiver starts a receiver. answer is asked with the number of each request, from 0; status -1
// cuts the connection after the request was read. A nil answer is 202.
func NewReceiver(t testing.TB, answer func(n int, r Request) (int, http.Header, string)) *Receiver {
	r := &Receiver{answer: answer}
	srv := httptest.NewServer(r)
	t.Cleanup(srv.Close)
	r.URL = srv.URL
	return r
}

// Got returns the requests so far.
func (s *Receiver) Got() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.got)
}

// SetGone lets the receiver cut every connection, whatever is asked, or answer again.
func (s *Receiver) SetGone(gone bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone = gone
}

// Answer exchanges how it answers.
func (s *Receiver) Answer(answer func(n int, r Request) (int, http.Header, string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

// Always answers every request with a status.
func Always(status int) func(int, Request) (int, http.Header, string) {
	return func(int, Request) (int, http.Header, string) { return status, nil, "" }
}

// ServeHTTP keeps and answers a request.
func (s *Receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	req := Request{r.Method, r.URL.Path, r.Header.Clone(), body}
	s.mu.Lock()
	n, answer, gone := len(s.got), s.answer, s.gone
	if !gone && r.Method != http.MethodHead {
		s.got = append(s.got, req)
	}
	s.mu.Unlock()
	switch {
	case gone:
		panic(http.ErrAbortHandler)
	case r.Method == http.MethodHead:
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	if answer == nil {
		answer = Always(http.StatusAccepted)
	}
	status, header, text := answer(n, req)
	if status < 0 {
		panic(http.ErrAbortHandler)
	}
	for name, values := range header {
		w.Header()[name] = values
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}
