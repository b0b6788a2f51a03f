package web

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/postmortem"
	"github.com/slowburn-sre/slowburn/slo"
	"github.com/slowburn-sre/slowburn/slo/file"
)

// The tests look at a small shop at half past eight on a Sunday: real ledgers, walked through by
// the real decision code, in a real engine and a real store.

var now = time.Date(2026, 11, 22, 8, 30, 30, 0, time.UTC)

// hostile is a label value that wants to run.
const hostile = `<img src=x onerror=alert(1)>`

const shopYAML = `
version: slowburn/v1
service: checkout
owner: payments
links: {runbook: https://wiki.example.org/checkout}
slos:
  - name: availability
    description: Orders are answered without a server error.
    objective: 99.9
    window: [28d, {calendar: month, timezone: Europe/Berlin}]
    sli: {events: {total: 'http_requests_total{job="checkout"}', bad: 'http_requests_total{job="checkout",code=~"5.."}'}}
  - name: latency
    description: Orders are answered within 300 ms.
    objective: 99
    sli: {latency: {histogram: 'http_request_duration_seconds{job="checkout"}', below: 300ms}}
  - name: routes
    description: Every route answers.
    objective: 99.5
    by: [route]
    sli: {events: {total: 'http_requests_total{job="checkout"}', bad: 'http_requests_total{job="checkout",code=~"5.."}'}}
---
version: slowburn/v1
service: search
owner: discovery
slos:
  - name: availability
    objective: 99.95
    window: 7d
    sli: {uptime: 'probe_success{job="search"}'}
  - name: freshness
    objective: 99
    sli: {slices: {query: 'max(index_age_seconds)', good: '< 600'}}
  - name: new
    objective: 99
    sli: {uptime: 'probe_success{job="search-new"}'}
`

// life is what happened to a budget: the counts of a minute, as events.
type life func(age time.Duration) budget.Slot

func steady(total, bad int64) life {
	return func(time.Duration) budget.Slot { return budget.Count(bad*budget.Unit, total*budget.Unit) }
}

// between does one thing while the age lies in (to, from], and another otherwise.
func between(from, to time.Duration, then, otherwise life) life {
	return func(age time.Duration) budget.Slot {
		if age <= from && age > to {
			return then(age)
		}
		return otherwise(age)
	}
}

func missing(time.Duration) budget.Slot { return budget.Slot{State: budget.Absent} }

var lives = map[slo.ID]life{
	"checkout/availability": between(25*time.Minute, 0, steady(1200, 60),
		between(30*time.Hour, 29*time.Hour, steady(1200, 50), between(10*slo.Day, 9*slo.Day, missing, between(20*slo.Day, 20*slo.Day-2*time.Hour, steady(1200, 70), steady(1200, 0))))),
	"checkout/latency":              between(40*time.Hour, 0, steady(600, 20), steady(600, 3)),
	`checkout/routes{route="/pay"}`: steady(100, 0),
	slo.ID(`checkout/routes{route="` + hostile + `"}`): between(5*slo.Day, 4*slo.Day, steady(100, 20), func(age time.Duration) budget.Slot {
		return budget.Count(int64(age/time.Minute%300/299)*budget.Unit, 100*budget.Unit)
	}),
	"search/availability": between(25*time.Minute, 0, missing, steady(4, 0)),
	"search/freshness": func(age time.Duration) budget.Slot {
		return budget.Count(int64(age/time.Hour%97/96)*budget.Unit, budget.Unit)
	},
}

// shop is the whole of what a test may look at.
type shop struct {
	source  *source
	archive *store.DB
	options Options

	lastHandler http.Handler
}

// source is an engine whose newest tick can be set.
type source struct {
	*engine.Engine
	last    engine.Summary
	standby bool
}

// Snapshot is the engine's, with the newest tick as the test wants it.
func (s *source) Snapshot() *engine.Snapshot {
	seen := *s.Engine.Snapshot()
	seen.Last, seen.Standby = s.last, s.standby
	return &seen
}

// tokens are one that may do everything.
func tokens(secret string) func() []Token {
	all := []Token{NewToken("all", AllRights, nil, secret)}
	return func() []Token { return all }
}

func newShop(t testing.TB) *shop {
	t.Helper()
	return newShopOf(t, lives)
}

// newShopOf is a shop in which only the given budgets have lived.
func newShopOf(t testing.TB, lives map[slo.ID]life) *shop {
	t.Helper()
	return newShopOn(t, shopSet(t, shopYAML), lives)
}

// newShopOn is a shop of other SLOs; its journeys are derived.
func newShopOn(t testing.TB, set *slo.Set, lives map[slo.ID]life) *shop {
	t.Helper()
	db, err := store.Open(filepath.Join(t.TempDir(), "slowburn.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	snap := store.Snapshot{Accounts: map[slo.ID]store.Account{}, Open: map[string]alerting.Incident{}}
	tick := store.Tick{At: now}
	take := func(id slo.ID, account store.Account, incidents []alerting.Incident) {
		snap.Accounts[id] = account
		turn := store.Turn{SLO: id, State: account.State, Incidents: incidents}
		for _, i := range incidents {
			if i.Open {
				snap.Open[i.ID] = i
			}
			turn.Entries = append(turn.Entries, entry(i))
		}
		tick.Turns = append(tick.Turns, turn)
	}
	for id, l := range lives {
		account, incidents := live(id, set.Lookup(id), l)
		take(id, account, incidents)
	}
	for _, j := range set.Journeys() {
		var steps []*budget.Ledger
		for _, s := range j.SLI.Journey.Steps {
			steps = append(steps, snap.Accounts[s.SLO].Ledger)
		}
		account, incidents := decided(j.ID(), j, budget.ComposeAll(j.SLI.Journey, steps))
		take(j.ID(), account, incidents)
	}
	snap.Accounts["search/new"] = store.Account{Ledger: &budget.Ledger{}, State: alerting.State{Through: budget.MinuteOf(now)}}
	tick.Reports = []store.Report{aReport()}
	if err := db.Commit(t.Context(), tick); err != nil {
		t.Fatal(err)
	}
	src := &source{engine.New(engine.Options{Source: prom.New(nil, prom.Options{}), Store: db, Log: slog.New(slog.DiscardHandler)}, set, snap), engine.Summary{
		At: now.Add(-20 * time.Second), Through: now.Truncate(time.Minute), Took: 340 * time.Millisecond, SLOs: len(lives), Slots: 7,
		Stats: prom.Stats{Queries: 4, Samples: 1200, Bytes: 65_000, Series: 90},
	}, false}
	s := &shop{source: src, archive: db}
	s.options = Options{
		Source: src, Archive: db, Now: func() time.Time { return now }, Registry: prometheus.NewRegistry(), Version: "1.2.3",
		Reloaded:   func() api.Reloaded { return api.Reloaded{OK: true, At: new(now.Add(-time.Hour))} },
		Postmortem: func(_ context.Context, i alerting.Incident) (string, error) { return s.draft(i), nil },
	}
	return s
}

// draft is the real postmortem of an incident.
func (s *shop) draft(i alerting.Incident) string {
	text := ""
	s.source.Snapshot().WithLedger(i.SLO, func(spec *slo.Spec, l *budget.Ledger) {
		text = postmortem.Draft(postmortem.Facts{Incident: i, Spec: spec, Ledger: l}).Markdown()
	})
	return text
}

func (s *shop) handler() http.Handler {
	s.lastHandler = New(s.options)
	return s.lastHandler
}

func shopSet(t testing.TB, text string) *slo.Set {
	t.Helper()
	set, err := file.Load([]file.File{{Name: "shop.yaml", Data: []byte(text)}})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// lived keeps what a life came to: all tests look at the same ledgers and change nothing.
var lived sync.Map

type outcome struct {
	account   store.Account
	incidents []alerting.Incident
}

// live is a life of four weeks and its decisions.
func live(id slo.ID, spec *slo.Spec, l life) (store.Account, []alerting.Incident) {
	if known, ok := lived.Load(id); ok {
		return known.(outcome).account, known.(outcome).incidents
	}
	account, incidents := liveOn(id, spec, l)
	lived.Store(id, outcome{account, incidents})
	return account, incidents
}

// liveOn writes down a life of four weeks, hours first and the last eight days by minutes, and
// decides about those whose alert windows lie in minutes, too.
func liveOn(id slo.ID, spec *slo.Spec, l life) (store.Account, []alerting.Incident) {
	end, fine := budget.MinuteOf(now), budget.MinuteOf(now.Add(-8*slo.Day).Truncate(time.Hour))
	ledger := &budget.Ledger{}
	slot := func(m budget.Minute) budget.Slot { return l((end - m).Time().Sub(time.Unix(0, 0))) }
	for m := budget.MinuteOf(now.Add(-30 * slo.Day).Truncate(time.Hour)); m < fine; m += 60 {
		var hour budget.Ledger
		for n := range budget.Minute(60) {
			hour.Put(m+n, slot(m+n))
		}
		ledger.PutHour(m.Hour(), hour.Sum(m, m+60))
	}
	for m := fine; m < end; m++ {
		ledger.Put(m, slot(m))
	}
	return decided(id, spec, ledger)
}

// decided is what the alerts say about a ledger.
func decided(id slo.ID, spec *slo.Spec, ledger *budget.Ledger) (store.Account, []alerting.Incident) {
	began := ledger.Fine() + 60
	for _, p := range slices.Concat(spec.Alerts.Page, spec.Alerts.Ticket) {
		began = max(began, ledger.Fine()+budget.Minutes(p.Long)+60)
	}
	state, events := alerting.Advance(alerting.Input{ID: id, Spec: spec, Ledger: ledger}, alerting.State{Through: began}, ledger.End())
	return store.Account{Ledger: ledger, State: state}, alerting.Fold(nil, events)
}

func entry(i alerting.Incident) outbox.Entry {
	return outbox.Entry{
		Key: i.ID + "/post", Receiver: "slack", Channel: "#reliability", Thread: i.ID, Op: outbox.Post,
		Body: json.RawMessage(`{}`), Created: i.Detected,
	}
}

func aReport() store.Report {
	return store.Report{
		Name: "weekly", Period: "2026-W46", From: now.Add(-14 * slo.Day), To: now.Add(-7 * slo.Day), At: now.Add(-6 * slo.Day),
		Markdown: "# Reliability, week 46\n\nOne budget was spent: " + hostile + " [here](javascript:alert(1)).\n\n| SLO | Left |\n| --- | --: |\n| checkout | 12 % |\n",
		Data:     []byte(`{"budgets":7}`),
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestServeTheShop serves the shop to the browser of the module integration, which sets
// SLOWBURN_SERVE, reads the addresses of all pages from the first line, and closes the input when
// it has seen them. Otherwise it has nothing to do.
func TestServeTheShop(t *testing.T) {
	if os.Getenv("SLOWBURN_SERVE") == "" {
		return
	}
	s := newShop(t)
	policy := alerting.DefaultPolicy()
	must(t, s.source.Reload(t.Context(), engine.Terms{Set: s.source.Snapshot().Set, Policy: &policy}, now)) // with gates
	s.options.Do, s.options.Tokens = nothing, tokens("secret")                                              // and forms
	srv := httptest.NewServer(s.handler())
	defer srv.Close()
	pages := s.pagePaths(t)
	for name, path := range pages {
		pages[name] = srv.URL + path
	}
	pages["error"] = srv.URL + "/there/is/nothing"
	must(t, json.NewEncoder(os.Stdout).Encode(pages))
	_, _ = io.Copy(io.Discard, os.Stdin)
}
