package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/internal/notify"
	"github.com/slowburn-sre/slowburn/internal/notify/notifytest"
	"github.com/slowburn-sre/slowburn/internal/notify/pagerduty"
	"github.com/slowburn-sre/slowburn/internal/notify/webhook"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/outbox/outboxtest"
	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/slo"
)

const testKey = "0123456789abcdef0123456789abcdef"

// twoReceivers are a pager and a webhook, as they would be configured, and the servers behind them.
func twoReceivers(t *testing.T, now func() time.Time) (receivers map[string]outbox.Receiver, pager, hook *notifytest.Receiver) {
	t.Helper()
	pager, hook = notifytest.NewReceiver(t, nil), notifytest.NewReceiver(t, nil)
	toPager, err := pagerduty.New(testKey, pager.URL)
	if err != nil {
		t.Fatal(err)
	}
	toHook, err := webhook.New(webhook.Config{URL: notify.Secret(hook.URL), Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return map[string]outbox.Receiver{"pagerduty": toPager, "webhook": toHook}, pager, hook
}

// TestTwoReceiversUnderFaults: random faults of either receiver, and a kill after any request whose
// outcome is not written down. Both receivers hear everything, in order; what the webhook gets
// again says so.
func TestTwoReceiversUnderFaults(t *testing.T) {
	for seed := range uint64(30) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			at := notifytest.Noon.Add(time.Hour)
			receivers, pager, hook := twoReceivers(t, func() time.Time { return at })
			var calm atomic.Bool
			faulty := func(n int, _ notifytest.Request) (int, http.Header, string) { // receivers answer side by side
				status := []int{202, 202, 503, 500, -1, 429, 404, 202}[rand.New(rand.NewPCG(seed, uint64(n)+2)).IntN(8)]
				if calm.Load() {
					status = 202
				}
				return status, http.Header{"Retry-After": {"2"}}, ""
			}
			pager.Answer(faulty)
			hook.Answer(faulty)
			var db outboxtest.Store
			kills := 0
			pump := outbox.NewPump(&db, receivers, outbox.Options{Parallel: 1})
			step := func() {
				_, _ = pump.Pass(t.Context(), at)
				at = at.Add(time.Duration(1+rng.IntN(20)) * time.Second)
				if rng.IntN(4) == 0 && !calm.Load() { // the next outcome is lost, and the process with it
					kills++
					db.FailWith(func(op, _ string) error {
						if op == "settle" {
							return outboxtest.ErrDown
						}
						return nil
					})
					_, _ = pump.Pass(t.Context(), at)
					db.FailWith(nil)
					pump = outbox.NewPump(&db, receivers, outbox.Options{Parallel: 1})
				}
			}
			for n := range notifytest.Story("", false) {
				for name, r := range receivers {
					f := notifytest.Story(name, false)[n]
					f.Now = at
					db.Add(r.(notify.Receiver).Event(f)...)
				}
				for range 1 + rng.IntN(12) {
					step()
				}
			}
			calm.Store(true)
			for range 200 {
				step()
			}
			if db.Open() != 0 {
				t.Fatalf("%d of %d lost or left", db.Open(), len(db.All()))
			}
			checkHook(t, db.All(), hook.Got())
			if last := pager.Got()[len(pager.Got())-1]; !strings.Contains(string(last.Body), `"resolve"`) {
				t.Errorf("the pager was left with %s", last.Body)
			}
		})
	}
}

// checkHook: every document that was owed arrived, in order, and a later copy is marked.
func checkHook(t *testing.T, owed []outbox.Owed, got []notifytest.Request) {
	t.Helper()
	var ids []string
	seen := map[string]bool{}
	for _, r := range got {
		id := r.Header.Get(webhook.HeaderID)
		if !seen[id] {
			ids = append(ids, id)
		}
		seen[id] = true
	}
	n := 0
	for _, o := range owed {
		if o.Receiver == "webhook" {
			n++
		}
	}
	if n != len(ids) {
		t.Errorf("%d documents were owed, %d arrived", n, len(ids))
	}
	var last time.Time
	for _, id := range ids {
		for _, r := range got {
			if r.Header.Get(webhook.HeaderID) == id {
				var m api.Message
				if err := json.Unmarshal(r.Body, &m); err != nil || m.Timestamp.Before(last) {
					t.Errorf("out of order: %v after %s: %v", m.Timestamp, last, err)
				}
				last = m.Timestamp
				break
			}
		}
	}
}

// TestAHangingReceiverDelaysNoOther: one receiver answers nothing at all, the other gets its page
// at once.
func TestAHangingReceiverDelaysNoOther(t *testing.T) {
	receivers, pager, hook := twoReceivers(t, time.Now)
	release := make(chan struct{})
	letGo := sync.OnceFunc(func() { close(release) })
	defer letGo()
	hook.Answer(func(int, notifytest.Request) (int, http.Header, string) { <-release; return 200, nil, "" })
	got := make(chan struct{}, 1)
	pager.Answer(func(int, notifytest.Request) (int, http.Header, string) { got <- struct{}{}; return 202, nil, "" })
	var db outboxtest.Store
	for _, name := range []string{"webhook", "pagerduty"} {
		db.Add(receivers[name].(notify.Receiver).Event(notifytest.Story(name, false)[0])...)
	}
	pump := outbox.NewPump(&db, receivers, outbox.Options{Attempt: time.Minute})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- pump.Run(ctx) }()
	<-got // or the test times out
	cancel()
	letGo() // it may not have been asked yet
	<-done
}

// openStory is an app whose engine has an open incident, with the given configuration.
func openStory(t *testing.T, text string) *Daemon {
	t.Helper()
	return openStoryIn(t, text, t.TempDir()+"/slowburn.db", nil)
}

// openStoryIn keeps its store in a file, on a disk that fails as it is told to.
func openStoryIn(t *testing.T, text, path string, fault func(string) error) *Daemon {
	t.Helper()
	db, err := store.Open(path, store.Options{Fault: fault})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	cfg := parsed(t, text)
	a := &Daemon{Options: Options{Log: slog.New(slog.DiscardHandler)}, db: db, metrics: newReceiverMetrics(prometheus.NewRegistry())}
	a.cfg.Store(&cfg)
	a.reload.good(time.Time{}, nil)
	a.Pump = outbox.NewPump(db, nil, outbox.Options{})
	a.ways.Store(&ways{composer: newComposer(cfg, made(t, cfg), "", true, false), fallback: cfg.Fallback})
	f := notifytest.Story("", false)[0]
	snap := store.Snapshot{Open: map[string]alerting.Incident{f.Incident.ID: f.Incident}, Accounts: map[slo.ID]store.Account{notifytest.ID: {Ledger: notifytest.Ledger(), State: alerting.State{Through: f.Event.At + 1}}}}
	client, err := NewClient(cfg.Prometheus)
	if err != nil {
		t.Fatal(err)
	}
	a.reader = prom.New(client, prom.Options{})
	a.witness = a.newWitness(client, client)
	a.Engine = engine.New(engine.Options{Source: a.reader, Store: db, Composer: a.ways.Load(), Log: a.Log, Owe: func(all []outbox.Entry) { a.Pump.Owe(all) }}, slo.NewSet([]*slo.Spec{f.Spec}, nil, nil), snap)
	a.connect()
	if err := db.Commit(t.Context(), store.Tick{At: f.Event.Time(), Owed: a.ways.Load().Event(a.Engine.Open(f.Event.Time())[0], nil)}); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *Daemon) owedTo(t *testing.T, name string) []outbox.Owed {
	t.Helper()
	all, err := a.db.Outbox(t.Context(), store.OutboxFilter{Receiver: name})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestFallback(t *testing.T) {
	const toSlack = "routes: [{to: [slack]}]\npagerduty: {routing_key_file: k}\nwebhooks: [{url: 'https://a.example.com/'}]\n"
	for name, c := range map[string]struct {
		config string
		after  time.Duration
		sent   []string // receivers whose entries were delivered
		want   map[string]int
	}{
		"a page that waits for a minute waits":          {toSlack, time.Minute, nil, map[string]int{}},
		"after five it goes to the pager":               {toSlack, 6 * time.Minute, nil, map[string]int{"pagerduty": 1}},
		"the order is the configuration's":              {toSlack + "fallback: {to: [slack, webhook, pagerduty]}", 6 * time.Minute, nil, map[string]int{"webhook": 1}},
		"the time is, too":                              {toSlack + "fallback: {after: 10m}", 6 * time.Minute, nil, map[string]int{}},
		"one that was delivered needs none":             {toSlack, 6 * time.Minute, []string{"slack"}, map[string]int{}},
		"the pager has been told anyway":                {strings.Replace(toSlack, "[slack]", "[slack, pagerduty]", 1), 6 * time.Minute, []string{"pagerduty"}, map[string]int{"pagerduty": 1}},
		"where both are down, the third is taken":       {strings.Replace(toSlack, "[slack]", "[slack, pagerduty]", 1), 6 * time.Minute, nil, map[string]int{"pagerduty": 1, "webhook": 1}},
		"never through the one that fails, nor nowhere": {"routes: [{to: [slack]}]\nfallback: {to: [slack]}", 6 * time.Minute, nil, map[string]int{}},
	} {
		t.Run(name, func(t *testing.T) {
			a := openStory(t, c.config)
			opened := notifytest.Story("", false)[0].Event.Time()
			for _, name := range c.sent {
				for _, o := range a.owedTo(t, name) {
					if err := a.db.Settle(t.Context(), o.Key, outbox.Result{State: outbox.Sent, At: opened, Receipt: outbox.Receipt{TS: "1"}}); err != nil {
						t.Fatal(err)
					}
				}
			}
			for range 3 { // however often it is looked at
				if err := a.arrival.fallBack(t.Context(), opened.Add(c.after)); err != nil {
					t.Fatal(err)
				}
			}
			for _, name := range []string{"pagerduty", "webhook"} {
				all := a.owedTo(t, name)
				if len(all) != c.want[name] {
					t.Errorf("%d entries for %s: %+v", len(all), name, all)
				}
				for _, o := range all {
					if strings.Contains(o.Key, "/fallback/") && !strings.Contains(string(o.Body), "slack is down") {
						t.Errorf("it does not say that it stands in for another: %s", o.Body)
					}
				}
			}
		})
	}
}

func TestHeartbeat(t *testing.T) {
	r := notifytest.NewReceiver(t, notifytest.Always(http.StatusOK))
	p := &pulse{
		ways: &waysInForce{}, pump: outbox.NewPump(&outboxtest.Store{}, nil, outbox.Options{}), paging: func() api.Paging { return api.Paging{OK: true} },
		log: slog.New(slog.DiscardHandler), metrics: newReceiverMetrics(prometheus.NewRegistry()), worked: make(chan struct{}, 1),
	}
	p.ways.Store(&ways{heartbeat: heartbeat{notify.Secret(r.URL + "/secret"), time.Minute}})
	fails := []engine.Summary{{Failures: []string{"Prometheus is away"}}, {StoreErr: errors.New("the disk is full")}}
	for _, tick := range fails {
		p.observe(tick)
	}
	if len(p.worked) != 0 {
		t.Error("it beats although something fails")
	}
	p.observe(engine.Summary{})
	if len(p.worked) != 1 {
		t.Fatal("it does not beat although everything works")
	}
	if err := p.ways.Load().heartbeat.ping(t.Context(), notify.NewClient()); err != nil || len(r.Got()) != 1 || r.Got()[0].Method != http.MethodGet {
		t.Errorf("%v: %+v", err, r.Got())
	}
	r.Answer(notifytest.Always(http.StatusInternalServerError))
	if err := p.ways.Load().heartbeat.ping(t.Context(), notify.NewClient()); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("error: %v", err)
	}
	if n := testutil.ToFloat64(p.metrics.beats.WithLabelValues("withheld")); int(n) != len(fails) {
		t.Errorf("withheld: %v", n)
	}
}

// The pump goes by the source's time, which may jump, and measures by our own clock how long it
// waits for what may be on its way.
func TestThePumpWaitsByOurOwnClock(t *testing.T) {
	a := openStory(t, "")
	ours := notifytest.Story("", false)[0].Event.Time()
	a.Clock = func() time.Time { return ours }
	a.Engine.Skew = func(context.Context, time.Time) (time.Duration, *prom.Error) { return time.Hour, nil }
	a.Engine.Tick(t.Context(), ours)
	o := a.delivery()
	if theirs := ours.Add(time.Hour); !o.Now().Equal(theirs) || o.Clock == nil || !o.Clock().Equal(ours) {
		t.Errorf("the pump goes by %s", o.Now())
	}
}
