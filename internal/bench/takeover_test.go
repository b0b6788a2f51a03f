package bench

import (
	"log/slog"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/internal/engine/enginetest"
	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/internal/store/pgtest"
	"github.com/slowburn-sre/slowburn/slo"
)

// BenchmarkTakeOver is how long it takes from the end of one leader of 10,000 SLOs until the next
// one can decide: one that has followed it, as daemons do, and one that is started then, and reads
// some minutes; what a month takes to be read BenchmarkFoldAndLoad says. What the server needs to
// notice a silent leader is not in it.
func BenchmarkTakeOver(b *testing.B) {
	const services = 10_000
	srv := startFleet(b, services, warmUp+longestRun+10)
	set := enginetest.Load(b, fleetFiles(services)...)
	now := t0.Add(warmUp * time.Minute)
	accounts := monthOld(set, budget.MinuteOf(now))
	address := pgtest.Start(b, pgtest.Durable...).Make(b)
	leader := openLeader(b, address)
	c := newChainOn(b, leader, srv.url, set, store.Snapshot{Accounts: accounts})
	tick := func(e *engine.Engine) {
		now = now.Add(time.Minute)
		if sum := e.Tick(b.Context(), now); len(sum.Failures) > 0 || sum.StoreErr != nil {
			b.Fatalf("%v %v", sum.Failures, sum.StoreErr)
		}
	}
	tick(c.Engine)
	ledgers := map[slo.ID]*budget.Ledger{}
	for id, a := range accounts {
		ledgers[id] = a.Ledger
	}
	if err := leader.Fold(b.Context(), ledgers); err != nil {
		b.Fatal(err)
	}
	var cold, warm, first time.Duration
	n := 0
	for b.Loop() {
		n++
		next, err := store.OpenPostgres(b.Context(), address, store.Options{})
		if err != nil {
			b.Fatal(err)
		}
		began := time.Now()
		follower, snap, err := next.Follow(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		reader := prom.New(c.client, prom.Options{})
		e := engine.NewStandby(engine.Options{Source: reader, Store: next, Composer: enginetest.Mute{}, Log: slog.New(slog.DiscardHandler)}, set, snap)
		cold += time.Since(began)
		for range 3 { // it follows
			tick(c.Engine)
			news, err := follower.Next(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			e.Follow(news)
		}
		tick(c.Engine)
		if err := leader.Close(); err != nil {
			b.Fatal(err)
		}
		began = time.Now()
		if _, err := next.Lead(b.Context(), nil); err != nil {
			b.Fatal(err)
		}
		news, err := follower.Next(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		e.Follow(news)
		marks, err := next.Marks(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		reader.Restore(marks)
		e.Lead(marks)
		took := time.Since(began)
		warm, cold = warm+took, cold+took
		began = time.Now()
		tick(e)
		first += time.Since(began)
		leader, c.Engine = next, e
	}
	b.StopTimer()
	_ = leader.Close()
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(milliseconds(warm)/float64(n), "warm-ms")
	b.ReportMetric(milliseconds(cold)/float64(n), "cold-ms")
	b.ReportMetric(milliseconds(first)/float64(n), "first-tick-ms")
}

func openLeader(b testing.TB, address string) *store.DB {
	b.Helper()
	db, err := store.OpenPostgres(b.Context(), address, store.Options{})
	if err == nil {
		_, err = db.Lead(b.Context(), nil)
	}
	if err != nil {
		b.Fatal(err)
	}
	return db
}
