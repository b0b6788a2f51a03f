package store

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
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

// BenchmarkCommit commits ticks of ten thousand budgets: once as usual, where only minutes have
// passed, and once in a large outage, where every state changes.
func BenchmarkCommit(b *testing.B) {
	for _, outage := range []bool{false, true} {
		b.Run(fmt.Sprintf("outage=%v", outage), func(b *testing.B) {
			db := mustOpen(b, tempPath(b), Options{})
			must(b, db.Commit(background, bigTick(10_000, 0)))
			var took []time.Duration
			for i := 1; b.Loop(); i++ {
				tick := bigTick(10_000, i)
				for n := range tick.Turns {
					if outage {
						tick.Turns[n].State.Missing = i
					}
				}
				begin := time.Now()
				must(b, db.Commit(background, tick))
				took = append(took, time.Since(begin))
			}
			slices.Sort(took)
			b.ReportMetric(ms(took[len(took)/2]), "p50-ms")
			b.ReportMetric(ms(took[len(took)*95/100]), "p95-ms")
			b.ReportMetric(journalBytes(b, db)/float64(10_000*(len(took)+1)), "B/slot")
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
	path := tempPath(b)
	db := mustOpen(b, path, Options{})
	ledgers := oldLedgers(b, db, days)
	commitHour(b, db, ledgers, days)
	must(b, db.Fold(background, ledgers))
	commitHour(b, db, ledgers, days)
	begin := time.Now()
	must(b, db.Fold(background, ledgers))
	folded := time.Since(begin)
	commitHour(b, db, nil, days)
	must(b, db.Close())
	info, err := os.Stat(path)
	must(b, err)
	for b.Loop() {
		db := mustOpen(b, path, Options{})
		got(db.Load(background))(b)
		must(b, db.Close())
	}
	b.ReportMetric(ms(folded), "fold-ms")
	b.ReportMetric(float64(info.Size())/1e6, "file-MB")
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
