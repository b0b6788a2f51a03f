package bench

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/internal/engine/enginetest"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake/promtest"
	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/slo"
)

// t0 is when the worlds of this package begin: a whole hour.
var t0 = time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)

// chain is everything between Prometheus and the incidents, put together as the daemon does it.
type chain struct {
	*engine.Engine
	store  *store.DB
	client *prom.Client
}

// newChain starts a chain on a fresh store, or on what a snapshot says was there before.
func newChain(t testing.TB, url string, set *slo.Set, snap store.Snapshot) chain {
	t.Helper()
	return newChainOn(t, openFile(t), url, set, snap)
}

// newChainOn starts a chain on a store, which is closed with it.
func newChainOn(t testing.TB, db *store.DB, url string, set *slo.Set, snap store.Snapshot) chain {
	t.Helper()
	t.Cleanup(func() { _ = db.Close() })
	client, err := prom.NewClient(prom.ClientOptions{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdle)
	e := engine.New(engine.Options{
		Source: prom.New(client, prom.Options{}), Store: db, Composer: enginetest.Mute{}, Log: slog.New(slog.DiscardHandler),
	}, set, snap)
	return chain{Engine: e, store: db, client: client}
}

// govern puts an error-budget policy in force.
func (c chain) govern(t testing.TB, policy *alerting.Policy, now time.Time) {
	t.Helper()
	if err := c.Reload(t.Context(), engine.Terms{Set: c.Snapshot().Set, Policy: policy}, now); err != nil {
		t.Fatal(err)
	}
}

// tick makes one turn, which must succeed. The minutes that are over at now are read.
func (c chain) tick(t testing.TB, now time.Time) engine.Summary {
	t.Helper()
	sum := c.Tick(t.Context(), now)
	if !sum.Good() {
		t.Fatalf("tick at %s: %v %v", now, sum.Failures, sum.StoreErr)
	}
	return sum
}

// serve starts the embedded Prometheus in this process and returns its address.
func serve(t testing.TB, db *promfake.DB) string {
	t.Helper()
	return promtest.Serve(t, db.Handler())
}

// noHistory is what a fresh store holds.
var noHistory = store.Snapshot{}

// background is for work that outlives a test's context.
var background = context.Background()
