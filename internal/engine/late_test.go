package engine_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/slo"
)

// lateWorld is targets of one service whose samples reach Prometheus some time after their stamps.
type lateWorld struct {
	*world
	series [][2]*promfake.Series
	sums   [][2]float64
	filled []time.Time
	late   func(target int) time.Duration
	fails  func(target int, at time.Time) bool
	truth  budget.Sum // since t0
	paged  time.Time  // when there first was an incident about errors
	look   func(engine.Summary)
}

func newLateWorld(t *testing.T, targets int, late func(int) time.Duration, fails func(int, time.Time) bool) *lateWorld {
	w := &lateWorld{world: newWorld(t, []*slo.Spec{usual("shop")}), late: late, fails: fails}
	for i := range targets {
		series := func(code string) *promfake.Series {
			return w.db.Series(labels.FromStrings("__name__", "requests_total", "job", "shop", "instance", fmt.Sprint(i), "code", code))
		}
		w.series = append(w.series, [2]*promfake.Series{series("200"), series("500")})
		w.sums = append(w.sums, [2]float64{1000, 10})
		w.filled = append(w.filled, w.now().Add(-time.Hour))
	}
	w.arrive()
	w.restart()
	return w
}

// usual is an SLO of 99.9 % with the alerts that everybody has.
func usual(name string) *slo.Spec {
	spec := promise(name)
	spec.Objective, _ = slo.ParseObjective("99.9")
	spec.Alerts, _ = slo.DefaultAlerts(spec.Window(), spec.Objective)
	return spec
}

// arrive lets Prometheus have what is due by now.
func (w *lateWorld) arrive() {
	for i := range w.series {
		for ; w.filled[i].Add(w.late(i) + 11*time.Second).Before(w.now()); w.filled[i] = w.filled[i].Add(30 * time.Second) {
			at := w.filled[i].Add(11 * time.Second)
			bad := 0
			if w.fails(i, at) {
				bad = 1
			}
			w.sums[i][bad] += 50
			if at.After(t0) {
				w.truth.Total += 50 * budget.Unit
				w.truth.Bad += int64(bad) * 50 * budget.Unit
			}
			for k, s := range w.series[i] {
				if err := s.Append(at.UnixMilli(), w.sums[i][k]); err != nil {
					w.t.Fatal(err)
				}
			}
		}
	}
}

// live lets the daemon look whenever it wants to, for so many minutes.
func (w *lateWorld) live(minutes int) {
	for at, end := w.now(), w.now().Add(time.Duration(minutes)*time.Minute); at.Before(end); {
		w.at.Store(at.UnixNano())
		w.arrive()
		sum := w.engine.Tick(w.t.Context(), at)
		if at = sum.Next; w.look != nil {
			w.look(sum)
		}
		if w.paged.IsZero() && slices.ContainsFunc(w.burns(), func(i alerting.Incident) bool { return i.Severity == alerting.Page }) {
			w.paged = w.now()
		}
	}
}

// check compares the ledger with what happened.
func (w *lateWorld) check() {
	w.t.Helper()
	w.engine.Snapshot().WithLedger("shop/availability", func(_ *slo.Spec, l *budget.Ledger) {
		got := l.Sum(budget.MinuteOf(t0)+1, l.End())
		var want budget.Sum
		if want = w.truth; got.Bad != want.Bad {
			w.t.Errorf("%d bad events, truth %d", got.Bad/budget.Unit, want.Bad/budget.Unit)
		}
	})
}

// TestLateSamplesPage: whatever is late by up to ten minutes, all or one target of four that alone
// fails, the page comes as soon after the samples as without lateness, without any flag; no event
// is lost.
func TestLateSamplesPage(t *testing.T) {
	begin, end := t0.Add(60*time.Minute), t0.Add(80*time.Minute)
	outage := func(_ int, at time.Time) bool { return !at.Before(begin) && at.Before(end) }
	third := func(i int, at time.Time) bool { return i == 3 && outage(i, at) }
	for n, minutes := range []int{0, 1, 2, 3, 4, 6, 10} {
		if sampled(n, 6) {
			continue
		}
		late := time.Duration(minutes) * time.Minute
		for _, tc := range []struct {
			name   string
			within time.Duration // a quarter of all is above the threshold after four minutes
			world  func(*testing.T) *lateWorld
		}{
			{"all", 2 * time.Minute, func(t *testing.T) *lateWorld {
				return newLateWorld(t, 1, func(int) time.Duration { return late }, outage)
			}},
			{"one of four, and only it fails", 4*time.Minute + 10*time.Second, func(t *testing.T) *lateWorld {
				return newLateWorld(t, 4, func(i int) time.Duration {
					if i == 3 {
						return late
					}
					return 0
				}, third)
			}},
		} {
			t.Run(fmt.Sprintf("%s, %d min", tc.name, minutes), func(t *testing.T) {
				t.Parallel()
				w := tc.world(t)
				w.live(100)
				burns := w.burns()
				if len(burns) != 1 {
					t.Fatalf("%d incidents about errors, want one", len(burns))
				}
				after := w.paged.Sub(begin) - late
				if t.Logf("lateness + %v", after); after > tc.within {
					t.Errorf("paged %s after the samples of the beginning", after)
				}
				w.check()
			})
		}
	}
}

// TestTimeToDetectEndsWhenItIsTold: samples come nine minutes late, so an outage is told nine
// minutes after the minute that opens its incident. That is when it was detected, wherever it is
// said; a backtest, which has all samples, says when it could have been known.
func TestTimeToDetectEndsWhenItIsTold(t *testing.T) {
	const late = 9 * time.Minute
	begin := t0.Add(50 * time.Minute)
	w := newLateWorld(t, 1, func(int) time.Duration { return late }, func(_ int, at time.Time) bool { return at.After(begin) && at.Before(begin.Add(20*time.Minute)) })
	w.live(64)
	w.deliver()
	burns := w.burns()
	if len(burns) != 1 {
		t.Fatalf("%d incidents about errors, want one", len(burns))
	}
	i, told := burns[0], w.paged.Truncate(time.Minute)
	if i.Late || told.Sub(i.Detected) < late-time.Minute {
		t.Fatalf("told at %s, opened by the minute that ends at %s, late: %v", w.paged, i.Detected, i.Late)
	}
	shown := api.IncidentOf(i, w.set.Specs[0], w.now())
	for what, got := range map[string]time.Duration{
		"time to detect":         i.TimeToDetect(),
		"when it was told":       i.Alerted().Sub(i.Onset),
		"its time in the API":    shown.Detected.Sub(i.Onset),
		"its seconds in the API": time.Duration(shown.TimeToDetect) * time.Second,
	} {
		if want := told.Sub(begin); got != want {
			t.Errorf("%s is %v after the onset, want %v", what, got, want)
		}
	}
	if roots := w.rootsWith("Page"); len(roots) != 1 || !strings.Contains(roots[0].Visible(), "("+figures.Duration(told.Sub(begin))+" later)") {
		t.Errorf("the message: %v", w.roots())
	}
	_, again := w.backtested(w.set.Specs[0], budget.MinuteOf(t0), budget.MinuteOf(w.now()))
	again = slices.DeleteFunc(again, func(i alerting.Incident) bool { return !i.Rule.Burns() })
	if len(again) != 1 || again[0].ID != i.ID || !again[0].Alerted().Equal(i.Detected) {
		t.Errorf("a backtest finds %+v", again)
	}
	restarted := i.Log[0]
	w.restart()
	if is := w.burns(); !is[0].Log[0].Decided.Equal(restarted.Decided) {
		t.Errorf("after a restart it was told at %s, before at %s", is[0].Alerted(), i.Alerted())
	}
}

// TestWhatIsWaitedForLongerPages: a service all of whose samples come twenty minutes late, longer
// than anything is waited for without a word, and that has `max_lateness: 25m`. The page comes as
// soon after the samples as ever, and no event is lost.
func TestWhatIsWaitedForLongerPages(t *testing.T) {
	const late = 20 * time.Minute
	begin, end := t0.Add(60*time.Minute), t0.Add(80*time.Minute)
	w := newLateWorld(t, 1, func(int) time.Duration { return late }, func(_ int, at time.Time) bool { return !at.Before(begin) && at.Before(end) })
	w.set.Specs[0].MaxLateness = 25 * time.Minute
	w.restart()
	w.live(130)
	if burns := w.burns(); len(burns) != 1 || !burns[0].Onset.Equal(begin) {
		t.Fatalf("%+v, want one incident since %s", burns, begin)
	}
	if after := w.paged.Sub(begin) - late; after <= 0 || after > 3*time.Minute {
		t.Errorf("paged %v after the samples of the beginning", after)
	}
	for _, root := range w.roots() {
		if strings.Contains(root, "o data") {
			t.Errorf("data that are waited for are told as missing: %s", root)
		}
	}
	w.check()
}

// TestAPageComesThreeMinutesAfterItsSamples: services whose samples are late by up to ten minutes,
// side by side, with the alerts that everybody has and no flag. The daemon looks when it says that
// it will. Whenever in a minute a total outage begins, its page comes as much later as the samples
// are late, and three minutes at most; without lateness as with.
func TestAPageComesThreeMinutesAfterItsSamples(t *testing.T) {
	const most = 10 // minutes late
	var delays [most + 1][]time.Duration
	var mu sync.Mutex
	t.Run("all", func(t *testing.T) {
		for n := range 6 {
			if sampled(n, 6) {
				continue
			}
			begin := t0.Add(22*time.Minute + time.Duration(47*n%60)*time.Second)
			t.Run(begin.Format("15:04:05"), func(t *testing.T) {
				t.Parallel()
				w, looks := newShops(t, most+1, begin), 0
				for at := w.now(); len(w.paged) <= most && at.Before(begin.Add(20*time.Minute)); looks++ {
					w.at.Store(at.UnixNano())
					w.arrive()
					at = w.engine.Tick(t.Context(), at).Next
					for _, i := range w.burns() {
						if _, told := w.paged[i.SLO]; !told && i.Severity == alerting.Page {
							w.paged[i.SLO] = w.now()
						}
					}
				}
				if passed := int(w.now().Sub(t0).Minutes()); looks > 12*passed {
					t.Errorf("%d looks in %d minutes", looks, passed)
				}
				if last := w.engine.Snapshot().Last.Stats; last.Late < 7 || last.Late > 9 || last.Behind < 9*time.Minute || last.Behind > 12*time.Minute {
					t.Errorf("%d budgets are said to be late, the farthest by %v", last.Late, last.Behind)
				}
				mu.Lock()
				defer mu.Unlock()
				for late := range delays {
					if paged, ok := w.paged[slo.ID(fmt.Sprintf("late-%d/availability", late))]; ok {
						delays[late] = append(delays[late], paged.Sub(begin)-time.Duration(late)*time.Minute)
					} else {
						t.Errorf("no page for what is %d minutes late", late)
					}
				}
			})
		}
	})
	for late, all := range delays {
		slices.Sort(all)
		t.Logf("%2d min late: lateness + %v, at most + %v", late, all[len(all)/2], all[len(all)-1])
		if all[len(all)-1] > 3*time.Minute {
			t.Errorf("%d min late: a page came %v later", late, all[len(all)-1])
		}
	}
}

// shops are services of which the n-th is n minutes late.
type shops struct {
	*world
	begin  time.Time // of the outage of all
	filled []time.Time
	series [][2]*promfake.Series
	sums   [][2]float64
	paged  map[slo.ID]time.Time
}

func newShops(t *testing.T, n int, begin time.Time) *shops {
	var specs []*slo.Spec
	for i := range n {
		specs = append(specs, usual(fmt.Sprint("late-", i)))
	}
	w := &shops{world: newWorld(t, specs), begin: begin, paged: map[slo.ID]time.Time{}}
	for i := range n {
		series := func(code string) *promfake.Series {
			return w.db.Series(labels.FromStrings("__name__", "requests_total", "job", fmt.Sprint("late-", i), "instance", "1", "code", code))
		}
		w.series = append(w.series, [2]*promfake.Series{series("200"), series("500")})
		w.sums = append(w.sums, [2]float64{1000, 10})
		w.filled = append(w.filled, t0.Add(-time.Hour+time.Duration(4*i%15)*time.Second))
	}
	w.arrive()
	w.restart()
	return w
}

// arrive lets Prometheus have what is due by now.
func (w *shops) arrive() {
	for i := range w.series {
		for late := time.Duration(i) * time.Minute; w.filled[i].Add(late).Before(w.now()); w.filled[i] = w.filled[i].Add(15 * time.Second) {
			if w.filled[i].Before(w.begin) {
				w.sums[i][0] += 3000
			} else {
				w.sums[i][1] += 3000
			}
			for k, s := range w.series[i] {
				if err := s.Append(w.filled[i].UnixMilli(), w.sums[i][k]); err != nil {
					w.t.Fatal(err)
				}
			}
		}
	}
}

// TestALookThatIsTooEarlyCostsNothing: the daemon ticks every five seconds. Each minute is decided
// as soon as it is complete, within ten seconds of its end; ticks in which none can be ask
// Prometheus for nothing and write nothing down.
func TestALookThatIsTooEarlyCostsNothing(t *testing.T) {
	w, writes, minutes := oneService(t, steady(50)), 0, 0
	w.point = func(name string) error {
		if strings.HasPrefix(name, "store") {
			writes++
		}
		return nil
	}
	for at := t0; at.Before(t0.Add(20 * time.Minute)); at = at.Add(5 * time.Second) {
		w.at.Store(at.UnixNano())
		w.fill()
		before := writes
		sum := w.engine.Tick(t.Context(), at)
		if second := at.Second(); sum.Slots > 0 && second > 10 && at.Sub(t0) > time.Minute {
			t.Errorf("%d minutes decided at second %d", sum.Slots, second)
		}
		if sum.Quiet && (sum.Stats.Queries > 0 || writes > before) {
			t.Errorf("%s: too early, and %d queries, %d writes", at.Format("15:04:05"), sum.Stats.Queries, writes-before)
		}
		minutes += sum.Slots
		if !sum.Next.After(at) || sum.Next.Sub(at) > time.Minute+5*time.Second {
			t.Errorf("%s: the next at %s", at.Format("15:04:05"), sum.Next.Format("15:04:05"))
		}
	}
	if minutes < 19 {
		t.Errorf("%d minutes decided", minutes)
	}
}

// TestMessagesSayWhatIsWaitedFor: the samples of a service come nine minutes late. Its page says
// so, and so does what tells that there are no data, though it has given them up by then. Of a
// service that is in time no message speaks of lateness.
func TestMessagesSayWhatIsWaitedFor(t *testing.T) {
	const late = "Samples of 1 target come about 9 min late; minutes are decided about 9 min after they end."
	begin := t0.Add(50 * time.Minute)
	fails := func(_ int, at time.Time) bool { return at.After(begin) && at.Before(begin.Add(10*time.Minute)) }
	for name, tc := range map[string]struct {
		late       time.Duration
		state      string
		ends       time.Time // no sample is later; zero is never
		says, isNo string
	}{
		"a page":             {9 * time.Minute, "Page", time.Time{}, late, "before."},
		"no data":            {9 * time.Minute, "No data", begin, "Samples of 1 target came about 9 min late before. They are not waited for any longer;", "are decided"},
		"a page in time":     {0, "Page", time.Time{}, "went bad", "Samples"},
		"no data after none": {0, "No data", begin, "The last known data", "Samples"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var w *lateWorld
			w = newLateWorld(t, 1, func(int) time.Duration {
				if !tc.ends.IsZero() && w != nil && w.filled[0].After(tc.ends) {
					return 24 * time.Hour
				}
				return tc.late
			}, fails)
			for range 45 {
				w.live(2)
				if w.pass(time.Minute); w.now().After(begin) {
					w.deliver()
				}
				if roots := w.said(tc.state); len(roots) > 0 {
					if got := roots[0]; !strings.Contains(got, tc.says) || strings.Contains(got, tc.isNo) {
						t.Errorf("%s:\n%s\nwant %q and not %q", w.now().Format("15:04"), got, tc.says, tc.isNo)
					}
					return
				}
			}
			t.Errorf("no %q is told", tc.state)
		})
	}
}

// TestWhatIsWaitedForBeforeTheFirstMinute: of an SLO that has just been loaded, and whose samples
// come nine minutes late, it is told that no minute is decided, and what they wait for.
func TestWhatIsWaitedForBeforeTheFirstMinute(t *testing.T) {
	w := newLateWorld(t, 1, func(int) time.Duration { return 9 * time.Minute }, func(int, time.Time) bool { return false })
	said := false
	for range 15 {
		w.live(2)
		w.pass(time.Minute)
		seen := w.engine.Snapshot()
		b, unread := seen.Unread("shop/availability")
		if _, read := seen.Budget("shop/availability"); read == unread {
			t.Fatalf("%s: read %v, unread %v", w.now().Format("15:04"), read, unread)
		}
		said = said || unread && len(b.Problems) == 1 && strings.Contains(b.Problems[0], "late")
	}
	if _, unread := w.engine.Snapshot().Unread("shop/availability"); !said || unread {
		t.Errorf("it is told %v, and in the end it is unread %v", said, unread)
	}
}

// said returns what the roots show that begin so.
func (w *lateWorld) said(state string) (all []string) {
	for _, m := range w.rootsWith(state) {
		all = append(all, m.Visible())
	}
	return all
}

// TestWhatIsLaterThanItIsWaitedFor: a service all of whose samples, or those of one target of four
// that alone fails, come later than anything is waited for, for ever. Each minute is decided
// without them, and again when they are there: the ledger is exact, the outage is one incident, and
// told once. What is wrong is said where the SLO is shown, and no sample is read again and again.
func TestWhatIsLaterThanItIsWaitedFor(t *testing.T) {
	begin, end := t0.Add(60*time.Minute), t0.Add(80*time.Minute)
	for n, minutes := range []int{16, 20, 30, 40} {
		for i, targets := range []int{1, 4} {
			if sampled(2*n+i, 5) {
				continue
			}
			t.Run(fmt.Sprintf("%d min, one of %d", minutes, targets), func(t *testing.T) {
				t.Parallel()
				late, fails := time.Duration(minutes)*time.Minute, targets-1
				w := newLateWorld(t, targets, func(i int) time.Duration {
					if i == fails {
						return late
					}
					return 0
				}, func(i int, at time.Time) bool { return i == fails && !at.Before(begin) && at.Before(end) })
				w.live(100)
				last := w.engine.Snapshot().Last
				if last.Stats.TooLate != 1 || last.Stats.Late != 0 {
					t.Errorf("%d budgets are said to be too late, %d to wait", last.Stats.TooLate, last.Stats.Late)
				}
				said := fmt.Sprintf("samples of 1 target come about %d min late, later than max_lateness (15 min): minutes are decided without them, and again when they come. Raise max_lateness", minutes)
				if b, _ := w.engine.Snapshot().Budget("shop/availability"); !slices.Contains(b.Problems, said) || last.Through.Sub(b.AsOf).Abs() > 2*time.Minute {
					t.Errorf("decided through %s of %s, problems %q", b.AsOf, last.Through, b.Problems)
				}
				samples, from := int64(0), w.now()
				w.look = func(s engine.Summary) { samples += s.Stats.Samples }
				w.live(100)
				if most := int64(w.now().Sub(from).Minutes()) * int64(targets) * 4 * 12 / 10; samples > most {
					t.Errorf("%d samples are read, of %d", samples, most*10/12)
				}
				w.deliver()
				burns := w.burns()
				if len(burns) != 1 || !burns[0].Late || burns[0].Open || !burns[0].Onset.Equal(begin) || !burns[0].Ended.Equal(end) || burns[0].Bad() != 2000*budget.Unit {
					t.Fatalf("%d incidents, the first %+v", len(burns), burns[0])
				}
				if after := w.paged.Sub(begin) - late; after < 0 || after > 12*time.Minute {
					t.Errorf("told %s after the samples of the beginning", after)
				}
				if told := w.rootsWith("requests on shop failed"); len(told) != 1 {
					t.Errorf("the channel reads %q", w.roots())
				}
				w.check()
			})
		}
	}
}

// TestWhatComesInTimeAgainIsNoProblem: for an hour the samples come later than they are waited for,
// and then in time.
func TestWhatComesInTimeAgainIsNoProblem(t *testing.T) {
	var w *lateWorld
	w = newLateWorld(t, 1, func(int) time.Duration {
		if w == nil || w.filled[0].Before(t0.Add(40*time.Minute)) {
			return 20 * time.Minute
		}
		return 0
	}, func(int, time.Time) bool { return false })
	w.live(50)
	if n := w.engine.Snapshot().Last.Stats.TooLate; n != 1 {
		t.Fatalf("%d budgets are too late", n)
	}
	w.live(30)
	b, _ := w.engine.Snapshot().Budget("shop/availability")
	if w.engine.Snapshot().Last.Stats.TooLate != 0 || slices.ContainsFunc(b.Problems, func(s string) bool { return strings.Contains(s, "max_lateness") }) {
		t.Errorf("it is still said: %q", b.Problems)
	}
	w.check()
}

// TestAStallOfAnExpressionIsWalkedInOrder: the remote write of all targets, or of one of four that
// alone fails, is stuck for longer than anything is waited for, and then brings all of it. What an
// expression found absent, or answered without that target, is evaluated again, and decided in
// order: an outage that was over before is told as missed, once, and mentions nobody; one that goes
// on pages.
func TestAStallOfAnExpressionIsWalkedInOrder(t *testing.T) {
	for n, tc := range []struct {
		stuck, stall int // minutes
		outage       int // from 8 min after the stall begins
	}{{4, 23, 10}, {1, 23, 10}, {4, 80, 10}, {1, 80, 10}, {4, 23, 40}} {
		if sampled(n, 4) {
			continue
		}
		t.Run(fmt.Sprintf("%d of 4 for %d min, an outage of %d", tc.stuck, tc.stall, tc.outage), func(t *testing.T) {
			t.Parallel()
			stall := t0.Add(40*time.Minute + 20*time.Second)
			over := stall.Add(time.Duration(tc.stall) * time.Minute)
			begin := t0.Add(48 * time.Minute)
			end := begin.Add(time.Duration(tc.outage) * time.Minute)
			var w *lateWorld
			w = newLateWorld(t, 4, func(i int) time.Duration {
				if w == nil || i < 4-tc.stuck || w.now().Before(stall) || !w.now().Before(over) {
					return 0
				}
				return w.now().Sub(stall)
			}, func(i int, at time.Time) bool { return i == 3 && !at.Before(begin) && at.Before(end) })
			expr := usual("shop")
			expr.Name = "expression"
			expr.SLI.Total, expr.SLI.Bad = query(`sum(increase(requests_total[$window]))`), query(`sum(increase(requests_total{code="500"}[$window]))`)
			w.set = slo.NewSet([]*slo.Spec{usual("shop"), expr}, nil, nil)
			w.restart()
			w.live(40 + tc.stall + 30) // an outage of now is over
			w.deliver()
			burns := w.burns()
			if len(burns) != 2 {
				t.Fatalf("%d incidents, want one of each SLO: %+v", len(burns), burns)
			}
			for _, i := range burns {
				if off := i.Onset.Sub(begin).Abs(); off > time.Minute {
					t.Errorf("%s: since %s, want %s", i.SLO, i.Onset, begin)
				}
				ends := end.Before(over)
				if off := i.Bad() - 100*int64(tc.outage)*budget.Unit; ends && (!i.Late || i.Open && tc.stall > 60 || i.Ended.Sub(end).Abs() > time.Minute || max(off, -off) > 100*budget.Unit) {
					t.Errorf("%s: late %v, open %v, ended %s, %d bad", i.SLO, i.Late, i.Open, i.Ended, i.Bad()/budget.Unit)
				}
				if told := i.Alerted().Sub(over); !ends && (i.Severity != alerting.Page || told > 6*time.Minute) {
					t.Errorf("%s: %s, told %s after the stall", i.SLO, i.Severity, told)
				}
			}
			w.check()
		})
	}
}
