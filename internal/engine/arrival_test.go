package engine_test

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	diff "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/slo"
)

// flow is the samples of a service as they reach Prometheus: late, under new names, with dips and
// holes.
type flow struct {
	every   time.Duration
	targets []*flowing
	outages [][2]time.Time
	waiting []arrival
	scraped time.Time
	rng     *rand.Rand
}

// flowing is one process that is scraped.
type flowing struct {
	instance string
	extra    []string // labels that it has now
	sums     map[string]float64
	late     time.Duration
	phase    time.Duration
	missing  func(time.Time) bool
	rename   time.Time
	dips     map[time.Time]bool
	reaches  time.Time // when its newest sample arrives: none overtakes another
}

// arrival is a sample on its way.
type arrival struct {
	at    time.Time
	stale bool
	ls    labels.Labels
	ms    int64
	v     float64
}

// fill scrapes up to now, and delivers what has arrived by then.
func (f *flow) fill(w *world) {
	for ; f.scraped.Before(w.now()); f.scraped = f.scraped.Add(f.every) {
		for _, t := range f.targets {
			f.scrape(t, f.scraped.Add(t.phase))
		}
	}
	slices.SortStableFunc(f.waiting, func(a, b arrival) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.ms, b.ms)) })
	n := 0
	for ; n < len(f.waiting) && !f.waiting[n].at.After(w.now()); n++ {
		a := f.waiting[n]
		if a.stale {
			w.db.MarkStale(a.ls, a.ms)
		} else if err := w.db.Append(a.ls, a.ms, a.v); err != nil {
			w.t.Fatal(err)
		}
	}
	f.waiting = f.waiting[n:]
}

func (f *flow) scrape(t *flowing, at time.Time) {
	good, bad := f.every.Seconds()*2, 0.0
	for _, o := range f.outages {
		if !at.Before(o[0]) && at.Before(o[1]) {
			good, bad = good/2, good/2
		}
	}
	t.sums["200"] += good
	t.sums["500"] += bad
	if t.missing(at) {
		return
	}
	t.reaches = later(t.reaches, at.Add(t.late))
	if !t.rename.IsZero() && !at.Before(t.rename) && t.extra == nil {
		for code := range t.sums {
			f.waiting = append(f.waiting, arrival{at: t.reaches, stale: true, ls: t.labels(code), ms: at.UnixMilli()})
		}
		t.extra = []string{"cluster", "eu"}
	}
	for code, v := range t.sums {
		if t.dips[at.Truncate(time.Minute)] && code == "200" {
			v--
		}
		if code == "200" || v > 0 { // born with its first error
			f.waiting = append(f.waiting, arrival{at: t.reaches, ls: t.labels(code), ms: at.UnixMilli(), v: v})
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (t *flowing) labels(code string) labels.Labels {
	return labels.FromStrings(append([]string{"__name__", "requests_total", "job", "shop", "instance", t.instance, "code", code}, t.extra...)...)
}

// newFlow draws one. Its troubles are those that it is named after.
func newFlow(seed uint64, kinds ...string) *flow {
	rng := rand.New(rand.NewPCG(seed, 11))
	f := &flow{rng: rng, every: []time.Duration{15, 30, 30, 60}[rng.IntN(4)] * time.Second, scraped: t0.Add(-90 * time.Minute)}
	minute := func(n int) time.Time { return t0.Add(time.Duration(n) * time.Minute) }
	for at := 20 + rng.IntN(40); at < flowLength-90; at += 60 + rng.IntN(80) {
		length := 4 + rng.IntN(20)
		f.outages = append(f.outages, [2]time.Time{minute(at), minute(at + length)})
		at += length
	}
	all := rng.IntN(2) == 0 // targets have the trouble, not one
	for n := range 3 {
		t := &flowing{
			instance: fmt.Sprint(n), sums: map[string]float64{"200": 1e6 * rng.Float64(), "500": 0}, dips: map[time.Time]bool{},
			phase: time.Duration(rng.Int64N(int64(f.every))).Truncate(time.Millisecond), missing: func(time.Time) bool { return false },
		}
		for _, kind := range kinds {
			if !all && n > 0 {
				break
			}
			switch kind {
			case "late":
				t.late = time.Duration(rng.IntN(10*60)) * time.Second
			case "renamed":
				t.rename = minute(30 + rng.IntN(100))
			case "dipping":
				for range 3 {
					t.dips[minute(rng.IntN(150))] = true
				}
			case "missing":
				from := minute(15 + rng.IntN(120))
				to := from.Add(time.Duration(1+rng.IntN(25)) * time.Minute)
				t.missing = func(at time.Time) bool { return !at.Before(from) && at.Before(to) }
			}
		}
		f.targets = append(f.targets, t)
	}
	return f
}

const flowLength = 240

// backtested reads all of the samples at once, and walks them with the code that decides.
func (w *world) backtested(spec *slo.Spec, from, to budget.Minute) (*budget.Ledger, []alerting.Incident) {
	w.t.Helper()
	l := &budget.Ledger{}
	work := prom.New(w.client, prom.Options{}).Backfill([]*slo.Spec{spec}, prom.Plan{From: from - 180, Fine: from - 180, To: to})
	for !work.Done() {
		batch := work.Next(context.Background())
		if len(batch.Failures) > 0 {
			w.t.Fatal(batch.Failures[0].Err)
		}
		for _, s := range batch.Readings[spec.ID()].Slots {
			l.Put(s.At, s.Slot)
		}
	}
	_, events := alerting.Advance(alerting.Input{ID: spec.ID(), Spec: spec, Ledger: l}, alerting.State{Through: from}, to)
	return l, alerting.Fold(nil, events)
}

// TestLiveEqualsBacktestOnDataAsTheyCome (law 10): whatever reaches Prometheus late, under another
// name, with a dip or not at all, what was decided live is what a backtest of the same samples
// decides, in every field, cost included. A seed that fails is replayed with -seed and -lives=1.
func TestLiveEqualsBacktestOnDataAsTheyCome(t *testing.T) {
	kinds := []string{"renamed", "dipping", "missing"}
	for seed := *firstSeed; seed < *firstSeed+uint64(*lives); seed++ {
		var drawn []string
		for n, kind := range kinds {
			if (seed+1)>>n&1 > 0 {
				drawn = append(drawn, kind)
			}
		}
		t.Run(fmt.Sprintf("seed %d, %s", seed, strings.Join(drawn, " and ")), func(t *testing.T) {
			t.Parallel()
			f, spec := newFlow(seed, drawn...), promise("shop")
			w := newWorld(t, []*slo.Spec{spec})
			f.fill(w)
			for range flowLength {
				w.pass(time.Minute)
				f.fill(w)
				w.engine.Tick(t.Context(), w.daemonNow())
				if err := w.engine.FillAll(t.Context(), w.daemonNow()); err != nil { // nothing, but after the first minute
					t.Fatal(err)
				}
				if f.rng.IntN(100) == 0 {
					w.restart()
				}
			}
			w.compareWithBacktest(spec, f)
		})
	}
}

func (w *world) compareWithBacktest(spec *slo.Spec, f *flow) {
	live, since, to := &budget.Ledger{}, budget.MinuteOf(t0)+2, budget.Minute(0)
	w.engine.Snapshot().WithLedger(spec.ID(), func(_ *slo.Spec, l *budget.Ledger) {
		live, to = l.Gross(), l.End()
	})
	past, want := w.backtested(spec, since, to)
	var differ []string
	for m := since - 180; m < to; m++ {
		a, b := live.At(m), past.At(m)
		a.Backfilled, b.Backfilled = false, false
		if unread := a.State == budget.Unseen && b.State == budget.Absent; a != b && !unread {
			differ = append(differ, fmt.Sprintf("%s: live %+v, backtest %+v", m.Time().Format("15:04"), a, b))
		}
	}
	if len(differ) > 0 {
		w.t.Errorf("%d minutes of %d differ, scraped every %v:\n%s", len(differ), to-since, f.every, strings.Join(differ[:min(len(differ), 12)], "\n"))
	}
	var got []alerting.Incident
	for _, i := range w.incidents() {
		i.Group = ""
		got = append(got, i)
	}
	if d := diff.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		w.t.Errorf("live and backtest differ (-backtest +live):\n%.3000s", d)
	}
	w.t.Logf("%d incidents, decided up to %v behind", len(want), w.now().Sub(to.Time()).Truncate(time.Second))
}
