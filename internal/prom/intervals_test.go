package prom

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/histogram"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/slo"
)

// beat is a service that is scraped at an interval, for so long: 600 events a minute, of which 60
// are bad in one hour and none else.
func beat(t testing.TB, every time.Duration, length time.Duration, badHour int) *promfake.DB {
	t.Helper()
	db := promfake.New(promfake.Options{})
	append := func(name string, value func(ms int64) float64, pairs ...string) {
		s := db.Series(lset(name, append([]string{"job", "a", "instance", "1"}, pairs...)...))
		for d := 3 * time.Second; d < length; d += every {
			ms := t0.Add(d).UnixMilli()
			must(t, s.Append(ms, value(ms-t0.UnixMilli())))
		}
	}
	from, to := int64(badHour)*3600_000, int64(badHour+1)*3600_000
	bad := func(ms int64) float64 { return float64(min(max(ms, from), to)-from) / 1000 }
	all := func(ms int64) float64 { return float64(ms) / 100 }
	append("n", all, "code", "200")
	append("n", bad, "code", "500")
	append("d_count", all)
	append("d_bucket", func(ms int64) float64 { return all(ms) - bad(ms) }, "le", "0.3")
	append("q", func(ms int64) float64 {
		if ms > from && ms <= to {
			return 0.9
		}
		return 0.1
	})
	append("up", func(ms int64) float64 { return map[bool]float64{true: 0, false: 1}[ms > from && ms <= to] })
	h := db.Series(lset("h", "job", "a", "instance", "1"))
	for d := 3 * time.Second; d < length; d += every {
		ms := t0.Add(d).UnixMilli()
		total, slow := all(ms-t0.UnixMilli()), bad(ms-t0.UnixMilli())
		must(t, h.AppendFloatHistogram(ms, &histogram.FloatHistogram{
			Count: total, Sum: total,
			PositiveSpans: []histogram.Span{{Offset: -2, Length: 1}, {Offset: 3, Length: 1}}, PositiveBuckets: []float64{total - slow, slow},
		}))
	}
	return db
}

// TestEveryIntervalWorksForEveryKind: live and in history every minute is known, wherever samples
// are apart, and the sums are right.
func TestEveryIntervalWorksForEveryKind(t *testing.T) {
	sum := func(what string) string { return "sum(increase(" + what + "[$window]))" }
	kinds := map[string]slo.Indicator{
		"counters":        {Kind: slo.Events, Total: query(t, "n"), Bad: query(t, `n{code="500"}`)},
		"increases":       {Kind: slo.Events, Total: query(t, sum("n")), Bad: query(t, sum(`n{code="500"}`))},
		"rates":           {Kind: slo.Events, Total: query(t, "sum(rate(n[$window]))"), Bad: query(t, `sum(rate(n{code="500"}[$window]))`)},
		"half expression": {Kind: slo.Events, Total: query(t, "n"), Bad: query(t, sum("n")+" - "+sum(`n{code="200"}`))},
		"latency":         latency(t, "x", "d", 0.3).SLI,
		"native":          latency(t, "x", "h", 0.3).SLI,
		"slices":          {Kind: slo.Slices, Slice: query(t, "q"), GoodWhen: slo.Condition{Op: "<", Value: 0.5}},
		"slices of rates": {Kind: slo.Slices, Slice: query(t, `sum(rate(n{code="500"}[$window]))`), GoodWhen: slo.Condition{Op: "<", Value: 0.5}},
		"ratio":           {Kind: slo.Ratio, Bad: query(t, `sum(rate(n{code="500"}[$window])) / sum(rate(n[$window]))`)},
		"ratio of gauges": {Kind: slo.Ratio, Bad: query(t, "max(q)")},
		"uptime":          {Kind: slo.Uptime, Up: query(t, "up")},
		"uptime by range": {Kind: slo.Uptime, Up: query(t, "min_over_time(up[$window])")},
	}
	const hours = 4
	for n, every := range []time.Duration{time.Second, 5 * time.Second, 15 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute} {
		if sampled(n, 3) {
			continue
		}
		c := serve(t, beat(t, every, hours*time.Hour, 2))
		var specs []*slo.Spec
		for name, sli := range kinds {
			specs = append(specs, &slo.Spec{Service: "svc", Name: name, SLI: sli})
		}
		live, past := book{}, book{}
		r := New(c, Options{})
		from, end := m0+50, m0+60*hours-15
		for to := from; to < end; to += 5 {
			tick(t, r, specs, to, live)
		}
		work := New(c, Options{}).Backfill(specs, Plan{From: m0, Fine: m0, To: end})
		for !work.Done() {
			past.take(work.Next(t.Context()))
		}
		for name := range kinds {
			id := slo.ID("svc/" + name)
			share := 0.1 // of the hour
			if k := kinds[name].Kind; k == slo.Slices || k == slo.Uptime {
				share = 1
			} else if name == "ratio of gauges" {
				share = 0.9
			}
			for what, got := range map[string]book{"live": live, "history": past} {
				var known, bad, total float64
				for m := from + 30; m < end-15; m++ {
					if s := got[id][m]; s.State.Known() {
						known++
						bad, total = bad+float64(s.Bad), total+float64(s.Total)
					}
				}
				if name == "ratio of gauges" {
					bad -= 0.1 * (total - 60*budget.Unit)
				}
				if n := float64(end - 15 - from - 30); known < n {
					t.Errorf("every %s: %s: %s: %v of %v minutes are known", every, name, what, known, n)
				} else if want := share * 60 / n; math.Abs(bad/total-want) > 0.005+0.1*want*every.Minutes()/10 {
					t.Errorf("every %s: %s: %s: %.4f are bad, want %.4f", every, name, what, bad/total, want)
				}
			}
		}
	}
}

// TestScrapeIntervals: they are told from neighbours, so a young series shows its own, too; of fast
// and slow targets the slow ones count, and one scrape out of time tells nothing.
func TestScrapeIntervals(t *testing.T) {
	db := promfake.New(promfake.Options{})
	write := func(name string, from, every time.Duration, pairs ...string) {
		s := db.Series(lset(name, pairs...))
		for d := from; d <= time.Hour; d += every {
			must(t, s.Append(t0.Add(d).UnixMilli(), d.Seconds()))
		}
	}
	write("young", time.Hour-50*time.Second, 5*time.Second)
	write("two", time.Hour-29*time.Second, 28*time.Second)
	write("slow", 0, 10*time.Minute)
	write("mixed", time.Second, 15*time.Second, "instance", "a")
	write("mixed", 2*time.Second, 15*time.Second, "instance", "b")
	write("mixed", 3*time.Second, 2*time.Minute, "instance", "c")
	write("once", time.Hour-time.Second, time.Hour)
	for _, d := range []int{-181, -151, -121, -91, -61, -31, -9} { // Prometheus was restarted before the last one
		must(t, db.Append(lset("moved"), t0.Add(time.Hour+time.Duration(d)*time.Second).UnixMilli(), 1))
	}
	c := serve(t, db)
	for name, want := range map[string]time.Duration{
		"young": 5 * time.Second, "two": 28 * time.Second, "slow": 10 * time.Minute, "mixed": 2 * time.Minute, "once": 0, "nothing": 0,
		"moved":               30 * time.Second,
		`mixed{instance="a"}`: 15 * time.Second,
	} {
		got, err := c.ScrapeInterval(t.Context(), name, t0.Add(time.Hour))
		if err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", name, got, err, want)
		}
	}
}

// TestASlowTargetBesideFastOnes: beside targets that are scraped every 15 seconds one appears that
// is scraped every two, five or ten minutes. Its events count, whatever they are read by.
func TestASlowTargetBesideFastOnes(t *testing.T) {
	sum := func(what string) string { return "sum(increase(" + what + "[$window]))" }
	specs := []*slo.Spec{
		{Service: "svc", Name: "counters", SLI: slo.Indicator{Kind: slo.Events, Total: query(t, "n"), Bad: query(t, `n{code="500"}`)}},
		{Service: "svc", Name: "good", SLI: slo.Indicator{Kind: slo.Events, Total: query(t, "n"), Good: query(t, `n{code="200"}`)}},
		{Service: "svc", Name: "increases", SLI: slo.Indicator{Kind: slo.Events, Total: query(t, sum("n")), Bad: query(t, sum(`n{code="500"}`))}},
		{Service: "svc", Name: "rates", SLI: slo.Indicator{Kind: slo.Events, Total: query(t, "sum(rate(n[$window]))"), Bad: query(t, `sum(rate(n{code="500"}[$window]))`)}},
		{Service: "svc", Name: "ratio", SLI: slo.Indicator{Kind: slo.Ratio, Bad: query(t, `sum(rate(n{code="500"}[$window])) / sum(rate(n[$window]))`)}},
		{Service: "svc", Name: "slices", SLI: slo.Indicator{Kind: slo.Slices, Slice: query(t, "min(up)"), GoodWhen: slo.Condition{Op: ">", Value: 0.5}}},
		{Service: "svc", Name: "uptime", SLI: slo.Indicator{Kind: slo.Uptime, Up: query(t, "up")}},
	}
	for _, every := range []time.Duration{2 * time.Minute, 5 * time.Minute, 10 * time.Minute} {
		t.Run(every.String(), func(t *testing.T) {
			t.Parallel()
			const begins, ends = 30 * time.Minute, 150 * time.Minute
			var now time.Time
			db := promfake.New(promfake.Options{Now: func() time.Time { return now }})
			write := func(instance string, from, every, since time.Duration, bad float64, up float64) {
				for d := from; d < ends; d += every {
					ms, s := t0.Add(d).UnixMilli(), (d - since).Seconds()
					must(t, db.Append(lset("n", "job", "a", "instance", instance, "code", "200"), ms, s*(10-bad)))
					must(t, db.Append(lset("n", "job", "a", "instance", instance, "code", "500"), ms, s*bad))
					must(t, db.Append(lset("up", "job", "a", "instance", instance), ms, up))
				}
			}
			for i := range 3 {
				write(fmt.Sprint(i), -30*time.Minute+time.Duration(i)*time.Second, 15*time.Second, -time.Hour, 0, 1)
			}
			write("slow", begins+time.Minute, every, begins, 5, 0) // it alone fails
			r, got := New(serve(t, db), Options{}), book{}
			for now = t0; now.Before(t0.Add(ends)); {
				b := got.must(t, r, specs, now)
				now = later(b.Next, now.Add(5*time.Second))
			}
			past, work := book{}, New(serve(t, db), Options{}).Backfill(specs, Plan{From: m0, Fine: m0, To: m0 + 145})
			for !work.Done() {
				past.take(work.Next(t.Context()))
			}
			for m := m0 + 60; m < m0+140; m++ {
				before, now := past["svc/uptime"][m], got["svc/uptime"][m]
				if before.Bad != now.Bad || before.Total != now.Total || !before.State.Known() {
					t.Errorf("uptime: minute %d is %+v in history, live %+v", m-m0, before, now)
				}
			}
			for _, s := range specs {
				var bad, total, known float64
				for m := m0 + 60; m < m0+140; m++ {
					if slot := got[s.ID()][m]; slot.State.Known() {
						known, bad, total = known+1, bad+float64(slot.Bad), total+float64(slot.Total)
					}
				}
				want := 0.125
				if s.SLI.Kind == slo.Slices || s.SLI.Kind == slo.Uptime {
					want = 1
				}
				if known != 80 || math.Abs(bad/total-want) > 0.005 {
					t.Errorf("%s: %.4f are bad of %v minutes, want %.4f", s.Name, bad/total, known, want)
				}
			}
		})
	}
}

// TestScrapesBecomeRarer: all targets are scraped more rarely than before, a little or much. Twenty
// minutes later every minute of an expression is known again.
func TestScrapesBecomeRarer(t *testing.T) {
	for n, tc := range [][2]time.Duration{{15 * time.Second, 30 * time.Second}, {30 * time.Second, time.Minute}, {time.Minute, 100 * time.Second}, {70 * time.Second, 2 * time.Minute}, {148 * time.Second, 5 * time.Minute}, {5 * time.Minute, 10 * time.Minute}} {
		t.Run(fmt.Sprint(tc), func(t *testing.T) {
			t.Parallel()
			spec := &slo.Spec{Service: "svc", Name: "x", SLI: slo.Indicator{Kind: slo.Events, Total: query(t, "sum(increase(n[$window]))"), Bad: query(t, `sum(increase(n{code="500"}[$window]))`)}}
			const begins, ends = 30 * time.Minute, 150 * time.Minute
			for k, phase := range []time.Duration{time.Second, 20 * time.Second, 40 * time.Second} {
				if sampled(3*n+k, 7) {
					continue
				}
				var now time.Time
				db := promfake.New(promfake.Options{Now: func() time.Time { return now }})
				for d, every := -30*time.Minute+phase, tc[0]; d < ends; d += every {
					if d >= begins {
						every = tc[1]
					}
					ms, s := t0.Add(d).UnixMilli(), (d + time.Hour).Seconds()
					must(t, db.Append(lset("n", "job", "a", "instance", "1", "code", "200"), ms, 9*s))
					must(t, db.Append(lset("n", "job", "a", "instance", "1", "code", "500"), ms, s))
				}
				r, got := New(serve(t, db), Options{}), book{}
				for now = t0; now.Before(t0.Add(ends)); {
					b := got.must(t, r, []*slo.Spec{spec}, now)
					now = later(b.Next, now.Add(10*time.Second))
				}
				for m := m0 + 60; m < m0+130; m++ {
					if slot := got[spec.ID()][m]; !slot.State.Known() || math.Abs(float64(slot.Bad)/float64(slot.Total)-0.1) > 0.005 {
						t.Fatalf("phase %v: minute %d is %+v", phase, m-m0, slot)
					}
				}
			}
		})
	}
}
