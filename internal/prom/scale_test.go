package prom

import (
	"fmt"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/slo"
)

// fleet is many services of six series each, scraped every 30 s, an SLO on each.
func fleet(t testing.TB, services int, minutes int) (*promfake.DB, []*slo.Spec) {
	t.Helper()
	db := promfake.New(promfake.Options{})
	var specs []*slo.Spec
	for i := range services {
		job := fmt.Sprintf("service-%04d", i)
		specs = append(specs, events(t, job, `http_requests_total{job="`+job+`"}`, `http_requests_total{job="`+job+`",code=~"5.."}`))
		for k := range 6 {
			s := db.Series(lset("http_requests_total", "job", job, "namespace", "default", "cluster", "eu-west-1",
				"instance", fmt.Sprintf("10.0.%d.%d:8080", i, k/3), "code", []string{"200", "404", "500"}[k%3]))
			for n := range 2 * minutes {
				if err := s.Append(at(float64(30*n)+float64(i%29)+0.5), float64(n*(k+1))); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	return db, specs
}

// TestSamplesAreReadOnce: steadily, the server reads little more than every sample once.
func TestSamplesAreReadOnce(t *testing.T) {
	db, specs := fleet(t, 40, 80)
	r := New(serve(t, db), Options{})
	tick(t, r, specs, m0+9, book{})
	before := db.Stats()
	for to := m0 + 10; to < m0+70; to++ {
		tick(t, r, specs, to, book{})
	}
	read, limit := db.Stats().Sub(before).SamplesRead, int64(40*6*2*60)
	if float64(read) > 1.05*float64(limit) {
		t.Errorf("%d samples read in an hour, of %d that there are", read, limit)
	}
}

func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkTick is the steady state of 5,000 SLOs over 30,000 series. Its CPU figure holds the
// server too, for it runs in the process; server-ms is what the same queries cost without our side.
func BenchmarkTick(b *testing.B) {
	db, specs := fleet(b, 5_000, 40)
	c := serve(b, db)
	r := New(c, Options{})
	r.Commit(r.Read(b.Context(), specs, after(m0+5)))
	to, before := m0+5, db.Stats()
	var slots int
	runtime.GC()
	b.ResetTimer()
	start := cpu()
	for range b.N {
		if to++; to == m0+38 {
			b.StopTimer()
			r = New(c, Options{})
			r.Commit(r.Read(b.Context(), specs, after(m0+5)))
			to = m0 + 6
			b.StartTimer()
		}
		batch := r.Read(b.Context(), specs, after(to))
		if len(batch.Failures) > 0 {
			b.Fatal(batch.Failures[0].Err)
		}
		r.Commit(batch)
		slots += len(batch.Readings)
	}
	b.StopTimer()
	both, read := cpu()-start, db.Stats().Sub(before).SamplesRead
	server := serverCost(b, c, r.plan, to)
	marks := 0
	for _, m := range r.marks {
		marks += len(m)
	}
	n := float64(b.N)
	b.ReportMetric(float64(both.Milliseconds())/n, "cpu-ms/tick")
	b.ReportMetric(float64(server.Milliseconds()), "server-ms/tick")
	b.ReportMetric(float64(read)/n/60_000, "samples-read/limit")
	b.ReportMetric(float64(slots)/n, "slots/tick")
	b.ReportMetric(float64(marks), "mark-bytes")
}

// serverCost is the CPU of answering a tick's queries to a client that throws the answers away.
func serverCost(b *testing.B, c *Client, plan []*bundle, to budget.Minute) time.Duration {
	const rounds = 5
	start := cpu()
	for range rounds {
		for _, bu := range plan {
			if _, err := c.query(b.Context(), bu.selector+"[60s]", to.End(), nil); err != nil {
				b.Fatal(err)
			}
		}
	}
	return (cpu() - start) / rounds
}
