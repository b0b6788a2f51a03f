package store

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/store/pgtest"
	"github.com/slowburn-sre/slowburn/slo"
)

// bigTick is a minute of n budgets with a thousand events each, one in ten of them with bad ones.
func bigTick(n, at int) Tick {
	tick := Tick{At: minute(at + 1).Time(), Turns: make([]Turn, n)}
	for i := range tick.Turns {
		bad := int64(0)
		if (i+at)%10 == 0 {
			bad = 3000
		}
		tick.Turns[i] = Turn{
			SLO:   slo.ID(fmt.Sprintf("service-%d/availability", i)),
			Slots: []budget.SlotAt{{At: minute(at), Slot: budget.Count(bad, int64(900+(i*7+at)%200)*1000)}},
			State: alerting.State{Through: minute(at + 1)},
		}
	}
	return tick
}

// kinds are the two databases: how each is opened, and opened again.
var kinds = []struct {
	name string
	make func(testing.TB) (address string)
	open func(testing.TB, string) *DB
}{
	{"SQLite", tempPath, func(t testing.TB, path string) *DB { return mustOpen(t, path, Options{}) }},
	{"PostgreSQL", durable, mustLead},
}

// durable makes a database on a server that syncs to the disk, as SQLite does.
func durable(b testing.TB) string {
	b.Helper()
	return pgtest.Start(b, pgtest.Durable...).Make(b)
}

// BenchmarkCommit commits ticks of ten thousand budgets: once as usual, where only minutes have
// passed, and once in a large outage, where every state changes.
func BenchmarkCommit(b *testing.B) {
	for _, kind := range kinds {
		for _, outage := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/outage=%v", kind.name, outage), func(b *testing.B) {
				db := kind.open(b, kind.make(b))
				must(b, db.Commit(background, bigTick(10_000, 0)))
				i := 0
				measure(b, "", func() (begin time.Time) {
					i++
					tick := bigTick(10_000, i)
					for n := range tick.Turns {
						if outage {
							tick.Turns[n].State.Missing = i
						}
					}
					begin = time.Now()
					must(b, db.Commit(background, tick))
					return begin
				})
				b.ReportMetric(journalBytes(b, db)/float64(10_000*(i+1)), "B/slot")
			})
		}
	}
}

// measure runs what is measured from the time that it returns, and reports the usual and a bad
// time.
func measure(b *testing.B, what string, run func() (begin time.Time)) {
	var took []time.Duration
	for b.Loop() {
		took = append(took, time.Since(run()))
	}
	slices.Sort(took)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(ms(took[len(took)/2]), what+"p50-ms")
	b.ReportMetric(ms(took[len(took)*95/100]), what+"p95-ms")
}

// BenchmarkSend begins and settles messages, one at a time, as the pump does it.
func BenchmarkSend(b *testing.B) {
	for _, kind := range kinds {
		db := kind.open(b, kind.make(b))
		tick := Tick{}
		for i := range 5_000 {
			e := entry(fmt.Sprintf("%05d", i), outbox.Post)
			e.Body = []byte(`{"text":"` + strings.Repeat("x", 3_000) + `"}`)
			tick.Owed = append(tick.Owed, e)
		}
		must(b, db.Commit(background, tick))
		i := 0
		b.Run(kind.name+"/begin", func(b *testing.B) {
			measure(b, "", func() time.Time {
				begin := time.Now()
				got(db.Begin(background, []outbox.Claim{{Key: tick.Owed[i].Key}}, at(1)))(b)
				i++
				return begin
			})
		})
		n := 0
		b.Run(kind.name+"/settle", func(b *testing.B) {
			measure(b, "", func() time.Time {
				begin := time.Now()
				must(b, db.Settle(background, tick.Owed[n].Key, outbox.Result{State: outbox.Sent, At: at(1), Begun: at(1)}))
				n = (n + 1) % i
				return begin
			})
		})
	}
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func journalBytes(b *testing.B, db *DB) float64 {
	var n float64
	must(b, db.w.QueryRow("select sum(length(data)) from journal").Scan(&n))
	return n
}

// BenchmarkFoldAndLoad is a restart of ten thousand budgets with some days of minutes, weeks of
// hours, and an hour in the journal. SLOWBURN_BENCH_DAYS says how many days of minutes.
func BenchmarkFoldAndLoad(b *testing.B) {
	days := 1
	if s := os.Getenv("SLOWBURN_BENCH_DAYS"); s != "" {
		fmt.Sscan(s, &days)
	}
	for _, kind := range kinds {
		b.Run(kind.name, func(b *testing.B) {
			address := kind.make(b)
			db := kind.open(b, address)
			ledgers := oldLedgers(b, db, days)
			commitHour(b, db, ledgers, days)
			must(b, db.Fold(background, ledgers))
			commitHour(b, db, ledgers, days)
			begin := time.Now()
			must(b, db.Fold(background, ledgers))
			folded := time.Since(begin)
			commitHour(b, db, nil, days)
			must(b, db.Close())
			measure(b, "load-", func() time.Time {
				db := kind.open(b, address)
				begin := time.Now()
				got(db.Load(background))(b)
				must(b, db.Close())
				return begin
			})
			b.ReportMetric(ms(folded), "fold-ms")
		})
	}
}

// oldLedgers makes ledgers with 28 days of hours and some days of minutes, and writes them.
func oldLedgers(b *testing.B, db *DB, days int) map[slo.ID]*budget.Ledger {
	ledgers := map[slo.ID]*budget.Ledger{}
	tick := bigTick(10_000, 0)
	for t := range tick.Turns {
		tick.Turns[t].Slots = nil
		tick.Turns[t].Hours = make([]budget.HourAt, 28*24)
		for h := range tick.Turns[t].Hours {
			tick.Turns[t].Hours[h] = budget.HourAt{Hour: minute(0).Hour() - 28*24 + int64(h), Sum: budget.Sum{Bad: 30_000, Total: 60_000_000, Known: 60, BadSlots: 7}}
		}
		ledgers[tick.Turns[t].SLO] = new(budget.Ledger)
		tick.Turns[t].Apply(ledgers[tick.Turns[t].SLO])
	}
	must(b, db.Commit(background, tick))
	for m := range days * 24 * 60 {
		for _, turn := range bigTick(10_000, m).Turns {
			turn.Apply(ledgers[turn.SLO])
		}
		if m%1440 == 0 { // marks the day for the fold
			must(b, db.Commit(background, bigTick(10_000, m)))
		}
	}
	return ledgers
}

func commitHour(b *testing.B, db *DB, ledgers map[slo.ID]*budget.Ledger, days int) {
	from := days * 24 * 60
	if len(ledgers) == 0 {
		from += 60
	}
	for m := range 60 {
		tick := bigTick(10_000, from+m)
		must(b, db.Commit(background, tick))
		for _, turn := range tick.Turns {
			if l := ledgers[turn.SLO]; l != nil {
				turn.Apply(l)
			}
		}
	}
}

// BenchmarkCommitStorm commits a tick in which ten thousand incidents open, four in each thread: so
// long whoever acts then waits.
func BenchmarkCommitStorm(b *testing.B) {
	for _, kind := range kinds {
		b.Run(kind.name, func(b *testing.B) {
			db := kind.open(b, kind.make(b))
			must(b, db.Commit(background, bigTick(10_000, 0)))
			i := 0
			measure(b, "", func() (begin time.Time) {
				i++
				tick := stormAt(10_000, i)
				for n, t := range tick.Turns {
					tick.Turns[n] = t.Encoded()
				}
				begin = time.Now()
				must(b, db.Commit(background, tick))
				return begin
			})
		})
	}
}

// stormAt is a minute in which an incident of every budget opens, with a message of two kilobytes.
func stormAt(n, at int) Tick {
	tick := bigTick(n, at)
	for i := range tick.Turns {
		t := &tick.Turns[i]
		t.State.Missing = at
		t.Incidents = []alerting.Incident{incidentAt(t.SLO, 5*at, true)}
		e := entryAt(t.SLO, 5*at)
		e.Thread = fmt.Sprint(at, "/", i/4)
		e.Body = []byte(`{"text":"` + strings.Repeat("x", 2_000) + `"}`)
		if i%4 > 0 {
			e.Op = outbox.Reply
		}
		t.Entries = append(t.Entries, e)
		if i%4 == 3 {
			e.Key, e.Op = e.Key+"/edit", outbox.Edit
			t.Entries = append(t.Entries, e)
		}
	}
	return tick
}
