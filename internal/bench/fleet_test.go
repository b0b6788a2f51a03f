package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/internal/engine/enginetest"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/internal/store/pgtest"
	"github.com/slowburn-sre/slowburn/slo"
)

// BenchmarkTick is the steady state: a turn a minute over a fleet whose ledgers hold a month, with
// all default rules. It reports, per turn, our CPU time, that of the embedded Prometheus, and the
// wall time; the memory of our process; and how many raw samples the server read for each that was
// scraped, where 1 is the physical limit.
func BenchmarkTick(b *testing.B) {
	for _, services := range []int{1_000, 5_000} {
		b.Run(fmt.Sprintf("SLOs=%d/series=%d", services, services*seriesPerService), func(b *testing.B) {
			benchmarkTick(b, openFile(b), services)
		})
	}
}

// BenchmarkStores is the same at 10,000 SLOs, on both databases.
func BenchmarkStores(b *testing.B) {
	b.Run("SQLite", func(b *testing.B) { benchmarkTick(b, openFile(b), 10_000) })
	b.Run("PostgreSQL", func(b *testing.B) { benchmarkTick(b, openServer(b), 10_000) })
}

func openFile(b testing.TB) *store.DB {
	b.Helper()
	db, err := store.Open(filepath.Join(b.TempDir(), "slowburn.db"), store.Options{})
	if err != nil {
		b.Fatal(err)
	}
	return db
}

// openServer leads on a PostgreSQL that syncs to the disk, as SQLite does.
func openServer(b testing.TB) *store.DB {
	b.Helper()
	return openLeader(b, pgtest.Start(b, pgtest.Durable...).Make(b))
}

const (
	warmUp     = 5  // turns before measuring
	longestRun = 55 // turns that the samples last for
)

func benchmarkTick(b *testing.B, db *store.DB, services int) {
	srv := startFleet(b, services, warmUp+longestRun+10)
	set := enginetest.Load(b, fleetFiles(services)...)
	begin := t0.Add(warmUp * time.Minute)
	c := newChainOn(b, db, srv.url, set, store.Snapshot{Accounts: monthOld(set, budget.MinuteOf(begin))})
	policy := alerting.DefaultPolicy()
	c.govern(b, &policy, begin)
	runtime.GC()
	now := begin
	turn := func() { // on a busy machine one tick may not have the time to read all
		now = now.Add(time.Minute)
		for c.tick(b, now).Stats.Waiting > 0 {
		}
	}
	for range warmUp {
		turn()
	}
	var walls []time.Duration
	before := c.Snapshot().Budgets
	ours, theirs := ownCPU(), srv.cost(b)
	for b.Loop() && len(walls) < longestRun {
		start := time.Now()
		turn()
		walls = append(walls, time.Since(start))
	}
	ours = ownCPU() - ours
	after := srv.cost(b)
	n := float64(len(walls))
	checkMinutes(b, c, before, len(walls))
	slices.Sort(walls)
	scraped := n * float64(services*seriesPerService) * float64(time.Minute/scrapeEvery)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(n, "turns")
	b.ReportMetric(milliseconds(ours)/n, "our-cpu-ms")
	b.ReportMetric(milliseconds(after.CPU-theirs.CPU)/n, "server-cpu-ms")
	b.ReportMetric(milliseconds(walls[len(walls)/2]), "wall-ms")
	b.ReportMetric(float64(after.Samples-theirs.Samples)/scraped, "samples/limit")
	b.ReportMetric(float64(after.Queries-theirs.Queries)/n, "queries")
	b.ReportMetric(residentMB(), "rss-MB")
	b.ReportMetric(heapMB(), "heap-MB")
	runtime.KeepAlive(c)
}

// checkMinutes checks that every budget of the fleet has gone on by so many minutes, and that its
// ledger holds every event of them once.
func checkMinutes(b *testing.B, c chain, before []engine.Budget, minutes int) {
	b.Helper()
	want := budget.Sum{Known: minutes, BadSlots: minutes}
	for k := range seriesPerService {
		events := int64(minutes*perScrape(k)) * int64(time.Minute/scrapeEvery) * budget.Unit
		if want.Total += events; k%3 == 2 {
			want.Bad += events
		}
	}
	for n, now := range c.Snapshot().Budgets {
		from, to := budget.MinuteOf(before[n].AsOf), budget.MinuteOf(now.AsOf)
		c.Snapshot().WithLedger(now.ID, func(_ *slo.Spec, l *budget.Ledger) {
			if got := l.Sum(from, to); got != want || int(to-from) != minutes {
				b.Fatalf("%s has gone on by %d minutes with %+v, want %d with %+v", now.ID, to-from, got, minutes, want)
			}
		})
	}
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func fleetFiles(services int) (texts []string) {
	for i := range services {
		texts = append(texts, fmt.Sprintf(`---
version: slowburn/v1
service: %[1]s
slos:
  - name: availability
    objective: 99.9
    sli: {events: {total: 'http_requests_total{job="%[1]s"}', bad: 'http_requests_total{job="%[1]s",code=~"5.."}'}}
`, serviceName(i)))
	}
	return texts
}

// monthOld is a fleet that has run for a month. Three different ledgers are written minute by
// minute; the others are loaded from their days, as after a restart.
func monthOld(set *slo.Set, now budget.Minute) map[slo.ID]store.Account {
	all := map[slo.ID]store.Account{}
	var patterns []*budget.Ledger
	for i, spec := range set.Specs {
		if i < 3 {
			patterns = append(patterns, oldLedger(i, now, now-alerting.Horizon(spec)))
		}
		l := &budget.Ledger{}
		pattern := patterns[i%3]
		for d := pattern.First().Day(); d <= pattern.End().Day(); d++ {
			if day := pattern.EncodeDay(d); day != nil {
				if err := l.LoadDay(d, day); err != nil {
					panic(err)
				}
			}
		}
		all[spec.ID()] = store.Account{Ledger: l, State: alerting.State{Through: now}}
	}
	return all
}

// oldLedger holds hours, and from fine on the minutes that the alert windows need. One minute in
// three has a bad event.
func oldLedger(i int, now, fine budget.Minute) *budget.Ledger {
	l := &budget.Ledger{}
	fine -= fine % 60
	for h := (now - budget.Minutes(month)).Hour(); h < fine.Hour(); h++ {
		l.PutHour(h, budget.Sum{Bad: 20 * budget.Unit, Total: 600_000 * budget.Unit, Known: 60, BadSlots: 20})
	}
	for m := fine; m < now; m++ {
		bad := max(0, int64(m)%3-1)
		l.Put(m, budget.Count(bad*budget.Unit, (10_000+(int64(m)*7+int64(i))%500)*budget.Unit))
	}
	return l
}

// residentMB is the memory of this process as the system sees it, 0 where the system does not say.
func residentMB() float64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	var kB float64
	_, _ = fmt.Sscan(rest, &kB)
	return kB / 1024
}

// heapMB is what is alive on the heap.
func heapMB() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) / (1 << 20)
}
