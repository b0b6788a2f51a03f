package rules

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake/promtest"
	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/slo"
)

var lives = flag.Int("lives", 2, "how many faults TestLatency simulates; docs/benchmarks.md has 60")

const (
	calm  = 6*time.Hour + 15*time.Minute // how long a service works before its fault begins: longer than any window of a page
	lasts = 25 * time.Minute             // how long it lasts
)

// TestLatency is how long after the beginning of a fault the page is decided: by slowburn, and by
// the rules exported from the same SLOs in a Prometheus, on the same samples, scraped every 15 s.
// Each fault has its own service, and begins at its own moment of the minute and of the scrape.
func TestLatency(t *testing.T) {
	shares := []float64{1, 0.2, 0.05}
	if *lives < 10 {
		shares = shares[:1]
	}
	for _, share := range shares {
		l := newLatency(t, *lives, share)
		ours := l.ours()
		t.Logf("%3.0f %% of requests fail: slowburn %s", 100*share, spread(ours))
		for _, every := range []time.Duration{15 * time.Second, time.Minute} {
			theirs := newLatency(t, *lives, share).theirs(every) // a world of its own for what it records
			for _, wait := range []time.Duration{0, 30 * time.Second} {
				t.Logf("  rules every %s, group_wait %s: %s", every, wait, spread(shifted(theirs, wait)))
			}
		}
		if worst := slices.Max(ours); share == 1 && worst > 4*time.Minute {
			t.Errorf("a total outage is paged after %s", worst)
		}
	}
}

type latency struct {
	*world
	now   time.Time
	url   string
	specs []*slo.Spec
	begin []time.Time
	end   time.Time
}

func newLatency(t *testing.T, n int, share float64) *latency {
	l := &latency{world: &world{t: t}, end: t0.Add(calm + lasts)}
	l.now = l.end
	l.db = promfake.New(promfake.Options{Now: func() time.Time { return l.now }})
	l.url = promtest.Serve(t, l.db.Handler())
	l.api = promtest.Client(t, l.url)
	for i := range n {
		// The golden ratio spreads the faults over the minute, and the scrapes over their interval.
		phase := time.Duration(float64(time.Minute) * frac(float64(i)*0.6180339887))
		offset := time.Duration(float64(15*time.Second) * frac(float64(i)*0.7548776662))
		l.service(i, t0.Add(calm+phase), offset, share)
	}
	return l
}

func frac(f float64) float64 { return f - float64(int(f)) }

// service is scraped every 15 s; it has 100 requests a second.
func (l *latency) service(i int, begin time.Time, offset time.Duration, share float64) {
	name := fmt.Sprintf("s%d", i)
	total := fmt.Sprintf("http_requests_total{job=%q}", name)
	spec := shop(l.t, slo.Indicator{
		Kind: slo.Events, Total: query(l.t, total), Bad: query(l.t, fmt.Sprintf(`http_requests_total{job=%q,code=~"5.."}`, name)),
	}, 28)
	spec.Service = name
	l.specs, l.begin = append(l.specs, spec), append(l.begin, begin)
	good := l.db.Series(labels.FromStrings("__name__", "http_requests_total", "job", name, "code", "200"))
	bad := l.db.Series(labels.FromStrings("__name__", "http_requests_total", "job", name, "code", "500"))
	for at := t0.Add(offset); at.Before(l.end); at = at.Add(15 * time.Second) {
		failed := 100 * share * max(0, at.Sub(begin).Seconds())
		for series, v := range map[*promfake.Series]float64{good: 100*at.Sub(t0).Seconds() - failed, bad: failed} {
			if err := series.Append(at.UnixMilli(), v); err != nil {
				l.t.Fatal(err)
			}
		}
	}
}

// ours ticks as the daemon does: on the next of every five seconds after another minute can be
// complete, seeing only what has been scraped by then.
func (l *latency) ours() []time.Duration {
	client, err := prom.NewClient(prom.ClientOptions{URL: l.url})
	if err != nil {
		l.t.Fatal(err)
	}
	reader, found := prom.New(client, prom.Options{}), map[slo.ID]time.Time{}
	ledgers, states := map[slo.ID]*budget.Ledger{}, map[slo.ID]alerting.State{}
	for at := t0.Add(15*time.Minute + 30*time.Second); at.Before(l.end); {
		l.now = at
		batch := reader.Read(context.Background(), l.specs, at)
		for _, spec := range l.specs {
			id := spec.ID()
			if ledgers[id] == nil {
				ledgers[id] = &budget.Ledger{}
			}
			to := states[id].Through
			for _, s := range batch.Readings[id].Slots {
				to = max(to, s.At+1)
				if states[id].Through == 0 {
					states[id] = alerting.State{Through: s.At}
				}
				ledgers[id].Put(s.At, s.Slot)
			}
			state, events := alerting.Advance(alerting.Input{ID: id, Spec: spec, Ledger: ledgers[id]}, states[id], to)
			states[id] = state
			for _, e := range events {
				if e.Severity == alerting.Page && found[id].IsZero() {
					found[id] = at
				}
			}
		}
		reader.Commit(batch)
		if at.Before(t0.Add(calm - time.Hour)) { // nothing happens; turns of any length come to the same
			at = at.Add(45 * time.Minute)
		} else {
			at = batch.Next.Add(5*time.Second - 1).Truncate(5 * time.Second)
		}
	}
	l.now = l.end
	return l.after(found)
}

// theirs evaluates the exported rules every so often. An alert without `for` is sent by the
// evaluation that finds it.
func (l *latency) theirs(every time.Duration) []time.Duration {
	found := map[slo.ID]time.Time{}
	for _, spec := range l.specs {
		g := build(l.t, spec, Options{})
		l.play(only(Group{Rules: slices.Clone(g.Rules)}, "5m", "30m", "1h", "6h"), t0.Add(calm), l.end, every)
		for _, r := range g.Rules {
			if r.Alert != "ErrorBudgetBurn" || r.Labels[labelSeverity] != "page" {
				continue
			}
			for _, s := range l.queryRange(r.Expr, t0.Add(calm), l.end, every) {
				at := s.Values[0].Timestamp.Time()
				if id := spec.ID(); found[id].IsZero() || at.Before(found[id]) {
					found[id] = at
				}
			}
		}
	}
	return l.after(found)
}

// after is how long after its beginning each fault was found.
func (l *latency) after(found map[slo.ID]time.Time) (all []time.Duration) {
	for i, spec := range l.specs {
		at, ok := found[spec.ID()]
		if !ok || at.Before(l.begin[i]) {
			l.t.Fatalf("%s is paged at %s; its fault began at %s", spec.ID(), at, l.begin[i])
		}
		all = append(all, at.Sub(l.begin[i]))
	}
	slices.Sort(all)
	return all
}

func shifted(all []time.Duration, by time.Duration) (out []time.Duration) {
	for _, d := range all {
		out = append(out, d+by)
	}
	return out
}

// spread is a distribution in one line.
func spread(sorted []time.Duration) string {
	at := func(share float64) time.Duration {
		return sorted[int(share*float64(len(sorted)-1))].Round(time.Second)
	}
	return fmt.Sprintf("min %s, median %s, p90 %s, max %s (n=%d)", at(0), at(.5), at(.9), at(1), len(sorted))
}
