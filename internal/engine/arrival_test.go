package engine_test

import (
	"cmp"
	"context"
	"fmt"
	"math"
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
	late     func(time.Time) time.Duration
	phase    time.Duration
	missing  func(time.Time) bool
	rename   time.Time
	dips     map[time.Time]bool
	safe     bool      // it has no outages
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
		if !t.safe && !at.Before(o[0]) && at.Before(o[1]) {
			good, bad = good/2, good/2
		}
	}
	t.sums["200"] += good
	t.sums["500"] += bad
	if t.missing(at) {
		return
	}
	t.reaches = later(t.reaches, at.Add(t.late(at)))
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
	f := &flow{rng: rng, every: []time.Duration{15, 30, 60, 120, 300}[rng.IntN(5)] * time.Second, scraped: t0.Add(-90 * time.Minute)}
	minute := func(n int) time.Time { return t0.Add(time.Duration(n) * time.Minute) }
	for at := 20 + rng.IntN(40); at < flowLength-90; at += 60 + rng.IntN(80) {
		length := 4 + rng.IntN(20)
		f.outages = append(f.outages, [2]time.Time{minute(at), minute(at + length)})
		at += length
	}
	all := rng.IntN(2) == 0 // targets have the trouble, not one
	var from, to time.Time  // of a remote write that is stuck
	for n := range 3 {
		t := &flowing{
			instance: fmt.Sprint(n), sums: map[string]float64{"200": 1e6 * rng.Float64(), "500": 0}, dips: map[time.Time]bool{},
			phase: time.Duration(rng.Int64N(int64(f.every))).Truncate(time.Millisecond), missing: func(time.Time) bool { return false },
			late: func(time.Time) time.Duration { return 0 },
		}
		for _, kind := range kinds {
			if !all && n > 0 {
				break
			}
			switch kind {
			case "late":
				late := time.Duration(rng.IntN(10*60)) * time.Second
				t.late = func(time.Time) time.Duration { return late }
			case "stuck": // the remote write
				if n == 0 {
					from = minute(15 + rng.IntN(120))
					to = from.Add(time.Duration(2+rng.IntN(12)) * time.Minute)
				}
				t.late = func(at time.Time) time.Duration {
					if at.Before(from) || !at.Before(to) {
						return 0
					}
					return to.Sub(at)
				}
			case "renamed":
				t.rename = minute(30 + rng.IntN(100))
			case "dipping":
				for range 3 {
					t.dips[minute(rng.IntN(150))] = true
				}
			case "missing":
				gone := minute(15 + rng.IntN(120))
				back := gone.Add(time.Duration(1+rng.IntN(25)) * time.Minute)
				t.missing = func(at time.Time) bool { return !at.Before(gone) && at.Before(back) }
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
	client, err := prom.NewClient(prom.ClientOptions{URL: w.srv.URL, Timeout: time.Minute}) // the daemon's gives up soon
	if err != nil {
		w.t.Fatal(err)
	}
	defer client.CloseIdle()
	l := &budget.Ledger{}
	work := prom.New(client, prom.Options{}).Backfill([]*slo.Spec{spec}, prom.Plan{From: from - 180, Fine: from - 180, To: to})
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
// decides, in every field, cost included, but for when it was known. Where samples came later than
// they were waited for, an incident says so (it is late), and differs in when it was found and what
// was told meanwhile, and in nothing else. A seed that fails is replayed with -seed and -lives=1.
func TestLiveEqualsBacktestOnDataAsTheyCome(t *testing.T) {
	kinds := []string{"late", "renamed", "dipping", "missing", "stuck"}
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
			w.live(f, flowLength)
			w.compareWithBacktest(spec, f)
		})
	}
}

// live lets a daemon read and decide for so many minutes, with restarts.
func (w *world) live(f *flow, minutes int) {
	f.fill(w)
	for range minutes {
		w.pass(time.Minute)
		f.fill(w)
		w.engine.Tick(context.Background(), w.daemonNow())
		_ = w.engine.FillAll(context.Background(), w.daemonNow()) // once there is a first minute; what fails is tried again
		if f.rng.IntN(100) == 0 {
			w.restart()
		}
	}
}

// whenDecided is what live alone has: a backtest, and who was never killed, decides at another
// time.
var whenDecided = cmpopts.IgnoreFields(alerting.Event{}, "Decided")

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
	got := w.incidents()
	late := 0
	for n := range got {
		got[n].Group = ""
		if got[n].Late {
			late++
			w.compareLate(&got[n], want, spec, past)
		}
	}
	if late > 0 { // what is left is the same in every field
		want, got = withoutLate(want, got)
	}
	if d := diff.Diff(want, got, cmpopts.EquateEmpty(), whenDecided); d != "" {
		w.t.Errorf("live and backtest differ (-backtest +live):\n%.3000s", d)
	}
	w.t.Logf("%d incidents, %d of them late, decided up to %v behind", len(want)+late, late, w.now().Sub(to.Time()).Truncate(time.Second))
}

// compareLate compares an incident some minutes of which were decided before they were known with
// the one that a backtest finds. When it was found, and what was told until then, is of its own.
// What it was is the same: from when to when it burned, how bad, and what it cost, which is what
// the ledger holds until its own end. Data that were late, and so missing, are missed by no
// backtest.
func (w *world) compareLate(got *alerting.Incident, want []alerting.Incident, spec *slo.Spec, past *budget.Ledger) {
	w.t.Helper()
	if !got.Rule.Burns() {
		return
	}
	n := slices.IndexFunc(want, func(i alerting.Incident) bool { return i.Rule.Burns() && together(i, *got) })
	if n < 0 {
		w.t.Errorf("a burn is in no backtest: %s, from %s to %s", got.ID, got.Onset.Format("15:04"), got.Ended.Format("15:04"))
		return
	}
	was, is := want[n], *got
	end := is.Last.At + 1
	sum := past.Sum(is.Last.Burn.Onset, end)
	was.Last.Burn = new(*was.Last.Burn)
	was.Last.Burn.Bad, was.Last.Burn.Total = sum.Bad, sum.Total
	was.Last.Budget = alerting.AccountOf(budget.StatusAt(past, spec.Objective, spec.Window(), end))
	for _, i := range []*alerting.Incident{&was, &is} {
		i.ID, i.Detected, i.Resolved, i.Log, i.First, i.Late = "", time.Time{}, time.Time{}, nil, alerting.Event{}, false
		i.Last = alerting.Event{Burn: i.Last.Burn, Budget: i.Last.Budget}
	}
	if want[n].Bad() != sum.Bad {
		w.t.Errorf("%s: %d bad in a backtest, %d in the ledger", got.ID, want[n].Bad(), sum.Bad)
	}
	if d := diff.Diff(was, is); d != "" {
		w.t.Errorf("%s is late, and another than a backtest finds (-backtest +live):\n%s", got.ID, d)
	}
}

// complaints counts what a comparison finds.
type complaints struct {
	testing.TB
	n int
}

func (c *complaints) Errorf(string, ...any) { c.n++ }

// TestLiveAndBacktestCanDiffer: the negative control. The comparison sees that a backtest is of
// a larger budget, which changes what incidents cost, or does not count one target.
func TestLiveAndBacktestCanDiffer(t *testing.T) {
	f, spec := newFlow(3), promise("shop")
	w := newWorld(t, []*slo.Spec{spec})
	w.live(f, 150)
	if len(w.burns()) == 0 {
		t.Fatal("nothing burned; the test proves nothing")
	}
	differences := func(spec *slo.Spec) int {
		heard := &complaints{TB: t}
		w.t = heard
		defer func() { w.t = t }()
		w.compareWithBacktest(spec, f)
		return heard.n
	}
	if n := differences(spec); n != 0 {
		t.Errorf("%d differences of the same", n)
	}
	other := *spec
	other.Windows = slices.Clone(spec.Windows)
	other.Windows[0].Rolling += slo.Day
	if differences(&other) == 0 {
		t.Error("incidents of a larger budget cost less, and nobody sees it")
	}
	other = *spec
	other.SLI.Total = query(`requests_total{job="shop",instance!="0"}`)
	if differences(&other) == 0 {
		t.Error("a target is not counted, and nobody sees it")
	}
}

// together reports whether two incidents burned at the same time.
func together(a, b alerting.Incident) bool {
	return a.Onset.Before(b.Ended) && b.Onset.Before(a.Ended)
}

// withoutLate leaves out what is late live, on both sides.
func withoutLate(want, got []alerting.Incident) (wantLeft, gotLeft []alerting.Incident) {
	for _, i := range want {
		if !slices.ContainsFunc(got, func(o alerting.Incident) bool { return o.Late && o.Rule.Burns() == i.Rule.Burns() && together(i, o) }) {
			wantLeft = append(wantLeft, i)
		}
	}
	for _, i := range got {
		if !i.Late {
			gotLeft = append(gotLeft, i)
		}
	}
	return wantLeft, gotLeft
}

// TestWhatABacklogHides: the remote write of all targets, or of half of them, is stuck for so long
// that its minutes are decided without it. The outage in it is over when it is found: it is told
// once, as missed live, over restarts too, and wakes nobody. If nothing failed, nothing is said.
func TestWhatABacklogHides(t *testing.T) {
	for _, c := range []struct {
		name    string
		stuck   int // targets of two
		outage  [2]int
		restart int
		missed  int
	}{
		{"an outage", 2, [2]int{35, 45}, 0, 1},
		{"an outage, and a restart before it is told", 2, [2]int{35, 45}, 71, 1},
		{"an outage, and a restart after it was told", 2, [2]int{35, 45}, 75, 1},
		{"an outage of the targets that are stuck", 1, [2]int{35, 45}, 0, 1},
		{"no outage", 2, [2]int{}, 0, 0},
		{"no outage, half of the targets", 1, [2]int{}, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			minute := func(n int) time.Time { return t0.Add(time.Duration(n) * time.Minute) }
			f := &flow{rng: rand.New(rand.NewPCG(1, 1)), every: 30 * time.Second, scraped: t0.Add(-90 * time.Minute)}
			f.outages = [][2]time.Time{{minute(c.outage[0]), minute(c.outage[1])}}
			for n := range 2 {
				f.targets = append(f.targets, &flowing{
					instance: fmt.Sprint(n), sums: map[string]float64{"200": 1e6, "500": 0}, phase: time.Duration(n+1) * 7 * time.Second,
					missing: func(time.Time) bool { return false },
					safe:    n >= c.stuck,
					late: func(at time.Time) time.Duration {
						if n >= c.stuck || at.Before(minute(30)) || !at.Before(minute(70)) {
							return 0
						}
						return minute(70).Sub(at)
					},
				})
			}
			w := newWorld(t, []*slo.Spec{promise("shop")})
			f.fill(w)
			for n := range 110 {
				w.pass(time.Minute)
				f.fill(w)
				w.engine.Tick(t.Context(), w.daemonNow())
				_ = w.engine.FillAll(t.Context(), w.daemonNow()) // once there is a first minute; what fails is tried again
				w.deliver()
				if n > 0 && n == c.restart {
					w.restart()
				}
			}
			burns, missed := w.burns(), w.rootsWith("Missed live")
			if len(burns) != c.missed || len(missed) != c.missed {
				t.Fatalf("%d burns, %d told as missed, want %d: %q", len(burns), len(missed), c.missed, w.roots())
			}
			for _, i := range burns {
				if !i.Onset.Equal(minute(c.outage[0])) || !i.Ended.Equal(minute(c.outage[1])) || i.Open || i.Severity != alerting.Page {
					t.Errorf("it is told as %s from %s to %s", i.Severity, i.Onset, i.Ended)
				}
			}
			if pages := w.rootsWith("Page:"); len(pages) > 0 {
				t.Errorf("somebody was woken: %s", pages[0].Text)
			}
			w.compareWithBacktest(w.set.Specs[0], f)
		})
	}
}

// TestNothingIsDatedBeforeItsSample: scrapes are minutes apart and an outage begins between two of
// them.
func TestNothingIsDatedBeforeItsSample(t *testing.T) {
	for _, every := range []time.Duration{time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute} {
		t.Run(every.String(), func(t *testing.T) {
			t.Parallel()
			f := newFlow(3)
			begin := t0.Add(100*time.Minute + 13*time.Second)
			f.every, f.targets, f.outages = every, f.targets[:1], [][2]time.Time{{begin, begin.Add(time.Hour)}}
			f.targets[0].phase = 47 * time.Second
			spec := promise("shop")
			spec.Alerts.Page = []slo.Pair{{Budget: 50, Long: time.Hour, Short: 5 * time.Minute}}
			w := newWorld(t, []*slo.Spec{spec})
			f.fill(w)
			w.pass(200 * time.Minute)
			f.fill(w)
			_, all := w.backtested(spec, budget.MinuteOf(t0), budget.MinuteOf(w.now())-1)
			shown := f.scraped // the first scrape after the beginning
			for shown.Add(f.targets[0].phase).After(begin) {
				shown = shown.Add(-every)
			}
			shown = shown.Add(every + f.targets[0].phase)
			if len(all) != 1 || all[0].Detected.Before(shown) || all[0].Detected.After(shown.Add(2*every+6*time.Minute)) {
				t.Errorf("it began at %s, was first shown at %s; told: %+v", begin, shown, all)
			}
		})
	}
}

// TestCostsThatAreKnown: histories of two pods of 600 requests a minute each, scraped once a
// minute, whose incidents and costs are known by construction.
func TestCostsThatAreKnown(t *testing.T) {
	const bad, quiet = 20 * 60, 0.0002
	for _, c := range []struct {
		name         string
		share        float64 // that fails for so many minutes from minute bad on
		length       int
		hole         [2]int // minutes in which nothing is scraped
		onset, ended int    // minutes after bad
		detected     time.Duration
		events       int64
		tolerance    int64 // of the events of every day around it
		cost         float64
		renamed      bool // a label is added to every series, hours after it was over
		moved        bool // the same with the port of every instance
	}{
		{"a total outage of ten minutes", 1, 10, [2]int{}, 0, 10, time.Minute, 12_000, 5, 0.248, false, false},
		{"ten minutes inside a hole of 22", 0.5, 10, [2]int{bad - 1, bad + 21}, -1, 22, 24 * time.Minute, 6_006, 5, 0.124, false, false},
		{"a hole over the first eight minutes of thirty", 0.3, 30, [2]int{bad - 1, bad + 8}, -1, 30, 11 * time.Minute, 10_800, 5, 0.223, false, false},
		{"a label that is added", 0.5, 30, [2]int{}, 0, 30, time.Minute, 18_000, 5, 0.372, true, false},
		{"a port that changes", 0.5, 30, [2]int{}, 0, 30, time.Minute, 18_000, 5, 0.372, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			spec := promise("e")
			spec.Objective, _ = slo.ParseObjective("99.9")
			spec.Alerts.Page = []slo.Pair{{Budget: 200, Long: time.Hour, Short: 5 * time.Minute}, {Budget: 500, Long: 6 * time.Hour, Short: 30 * time.Minute}}
			w := newWorld(t, []*slo.Spec{spec})
			begin := t0.Add(-26 * time.Hour)
			for pod := range 2 {
				good, failed := 0.0, 0.0
				for m := range 26 * 60 {
					share := quiet
					if m >= bad && m < bad+c.length {
						share = c.share
					}
					good, failed = good+600*(1-share), failed+600*share
					if m >= c.hole[0] && m < c.hole[1] {
						continue
					}
					instance := fmt.Sprint("e:", pod)
					if c.moved && m >= 24*60 {
						instance = fmt.Sprint("e:9", pod)
					}
					at := begin.Add(time.Duration(m+1)*time.Minute - time.Duration(7*(pod+1))*time.Second)
					for code, v := range map[string]float64{"200": good, "500": failed} {
						ls := labels.FromStrings("__name__", "requests_total", "job", "e", "instance", instance, "code", code)
						if c.renamed && m >= 24*60 {
							ls = labels.NewBuilder(ls).Set("cluster", "eu").Labels()
						}
						if err := w.db.Append(ls, at.UnixMilli(), math.Round(v)); err != nil {
							t.Fatal(err)
						}
					}
				}
			}
			from := budget.MinuteOf(begin)
			l, all := w.backtested(spec, from, budget.MinuteOf(t0)-1)
			all = slices.DeleteFunc(all, func(i alerting.Incident) bool { return !i.Rule.Burns() })
			if len(all) != 1 {
				t.Fatalf("%d incidents", len(all))
			}
			i, start := all[0], begin.Add(bad*time.Minute)
			if onset, ended := i.Onset.Sub(start), i.Ended.Sub(start); onset != time.Duration(c.onset)*time.Minute || (ended-time.Duration(c.ended)*time.Minute).Abs() > time.Minute {
				t.Errorf("it burned from %v to %v after the first failure, want %d and %d min", onset, ended, c.onset, c.ended)
			}
			if (i.TimeToDetect() - c.detected).Abs() > time.Minute { // a hole is open until every target was scraped
				t.Errorf("detected after %v, want %v", i.TimeToDetect(), c.detected)
			}
			if events := i.Bad() / budget.Unit; events < c.events-c.tolerance || events > c.events+30 {
				t.Errorf("%d events went bad, want about %d", events, c.events)
			}
			if cost := i.Cost(); math.Abs(cost-c.cost) > 0.002 {
				t.Errorf("it cost %.4f of the budget, want %.4f", cost, c.cost)
			}
			// Law 6: what the incident spent and what belongs to none is all that was spent.
			_, shares := alerting.Attribution(l, all)
			own, rest := shares.In(from, l.End())
			if total := l.Sum(from, l.End()).Bad; own[0]+rest != total || own[0] != i.Bad() {
				t.Errorf("%d of the incident and %d of none, of %d", own[0], rest, total)
			}
		})
	}
}
