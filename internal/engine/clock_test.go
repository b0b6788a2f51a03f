package engine_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/slo"
)

// ahead is a source that says it is later than it is, on all its clocks.
func ahead(w *world, by time.Duration, times int) promfake.Fault {
	return promfake.Fault{When: promfake.OnQuery("time()"), Times: times, Do: func(rw http.ResponseWriter, _ *http.Request, _ http.Handler) {
		at := w.now().Add(by)
		rw.Header().Set("Date", at.Format(http.TimeFormat))
		rw.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(rw, `{"status":"success","data":{"resultType":"scalar","result":[%d,"%d"]}}`, at.Unix(), at.Unix())
	}}
}

// scrapedWorld is a service whose source says of its targets that they are up.
func scrapedWorld(t testing.TB, load func(budget.Minute) (int, int)) *world {
	w := oneService(t, load)
	up := w.db.Series(labels.FromStrings("__name__", "up", "job", "shop"))
	for at := t0.Add(-4 * time.Hour); at.Before(t0.Add(2 * time.Hour)); at = at.Add(time.Minute) {
		if err := up.Append(at.UnixMilli(), 1); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// TestOneWrongReplicaIsNotBelieved: for three ticks the source says it is three hours later.
// Nothing of that time is read, nobody hears of missing data, and the outage that follows pages in
// time.
func TestOneWrongReplicaIsNotBelieved(t *testing.T) {
	for _, by := range []time.Duration{3 * time.Hour, -3 * time.Hour} {
		w := oneService(t, outage(50, [2]int{20, 26}))
		w.steps(10)
		w.db.Faults.Add(ahead(w, by, 3))
		for range 3 {
			if sum := w.step(); sum.Through.After(w.now()) {
				t.Fatalf("%s: it is evaluated through %s, at %s", by, sum.Through, w.now())
			}
		}
		w.steps(32)
		is := w.incidents()
		if len(is) != 1 || is[0].Open || !is[0].Onset.Equal(t0.Add(20*time.Minute)) || is[0].TimeToDetect() > 3*time.Minute {
			t.Errorf("%s: incidents %+v", by, is)
		}
		w.checkBudgets()
	}
}

// TestAWrongTimeIsNotBelievedAgainstTheSamples: for forty minutes, or from the first tick of a
// process on, the source insists on a time of which it has no samples, or later than which it has
// some. It is never believed: nothing is decided ahead of the newest sample, nobody hears of
// missing data, and the outage meanwhile pages in time.
func TestAWrongTimeIsNotBelievedAgainstTheSamples(t *testing.T) {
	for _, c := range []struct {
		name    string
		by      time.Duration
		pushed  bool // there is no metric up
		restart bool
	}{
		{"ahead", 3 * time.Hour, false, false},
		{"ahead, from the start", 3 * time.Hour, false, true},
		{"ahead, and nothing is scraped", 3 * time.Hour, true, false},
		{"behind", -3 * time.Hour, false, false},
		{"behind, from the start", -3 * time.Hour, false, true},
		{"behind, and nothing is scraped", -3 * time.Hour, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			world := scrapedWorld
			if c.pushed {
				world = oneService
			}
			w := world(t, outage(50, [2]int{20, 26}))
			w.steps(10)
			w.db.Faults.Add(ahead(w, c.by, 40))
			if c.restart {
				w.restart()
			}
			told := time.Time{}
			for range 50 {
				sum := w.step()
				if told.IsZero() && len(w.roots()) > 0 {
					told = w.now()
				}
				w.engine.Snapshot().WithLedger("shop/availability", func(_ *slo.Spec, l *budget.Ledger) {
					if now := w.now(); sum.Through.After(now) || l.End().Time().After(now) {
						t.Fatalf("at %s it is evaluated through %s, and the ledger ends at %s", now, sum.Through, l.End().Time())
					}
				})
			}
			is := w.incidents()
			if len(is) != 1 || is[0].Open || is[0].Late || !is[0].Onset.Equal(t0.Add(20*time.Minute)) || is[0].TimeToDetect() > 3*time.Minute {
				t.Errorf("incidents %+v", is)
			}
			if len(w.roots()) != 1 || told.After(t0.Add(24*time.Minute)) {
				t.Errorf("from %s on the channel reads %q", told, w.roots())
			}
			w.checkBudgets()
		})
	}
}

// TestTheTimeOfTheSamplesIsBelieved: the clock of the source steps by two hours, and its samples
// with it. After some ticks slowburn goes by it: an outage then pages in time.
func TestTheTimeOfTheSamplesIsBelieved(t *testing.T) {
	w := oneService(t, outage(50, [2]int{150, 156}))
	w.steps(10)
	w.at.Add(int64(2 * time.Hour))
	w.filled, w.wrong = w.filled.Add(2*time.Hour), -2*time.Hour
	w.steps(5)
	if sum := w.step(); sum.Through.Before(w.now().Add(-2 * time.Minute)) {
		t.Errorf("at %s it is evaluated through %s", w.now(), sum.Through)
	}
	w.steps(30)
	is := w.burns()
	if len(is) != 1 || is[0].Open || !is[0].Onset.Equal(t0.Add(150*time.Minute)) || is[0].TimeToDetect() > 3*time.Minute {
		t.Errorf("incidents %+v", is)
	}
}

// TestTimeGoesBack: the clock of the source, and its samples with it, is two hours ahead for a
// while, and is put right. After some ticks slowburn is back, whether it was started again
// meanwhile or not: the minutes that have not happened are dropped, what they opened ends, and an
// outage pages in time.
func TestTimeGoesBack(t *testing.T) {
	for name, c := range map[string]struct {
		ours    bool // our clock is the source's
		restart bool
	}{"the source's": {}, "both": {ours: true}, "and a restart": {restart: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := oneService(t, outage(50, [2]int{40, 46}, [2]int{130, 150}))
			w.steps(10)
			back := w.jump(2*time.Hour, c.ours)
			w.steps(14) // in an outage of the wrong time
			if open := w.engine.Snapshot().Open.Len(); open != 1 {
				t.Fatalf("%d open incidents while the clock is ahead", open)
			}
			back()
			if c.restart {
				w.restart()
			}
			for range 7 {
				w.step()
			}
			if sum := w.step(); sum.Through.Before(w.now().Add(-2*time.Minute)) || sum.Through.After(w.now()) || sum.Skew != 0 {
				t.Errorf("at %s it is evaluated through %s", w.now(), sum.Through)
			}
			w.engine.Snapshot().WithLedger("shop/availability", func(_ *slo.Spec, l *budget.Ledger) {
				if later := l.Sum(budget.MinuteOf(w.now())+1, l.End()); later != (budget.Sum{}) {
					t.Errorf("of minutes that have not happened the ledger knows %+v", later)
				}
			})
			w.restart()
			w.steps(18)
			is := w.burns()
			if len(is) != 2 || is[1].Open || is[1].Last.Reason != alerting.TimeWentBack || len(w.rootsWith("by a clock that was ahead")) != 1 {
				t.Fatalf("incidents %+v, and the channel reads %q", is, w.roots())
			}
			if claim := is[1].Claim(); claim != (budget.Claim{}) {
				t.Errorf("minutes that are still to come are claimed by %+v", claim)
			}
			if i := is[0]; i.Open || !i.Onset.Equal(t0.Add(40*time.Minute)) || i.TimeToDetect() > 3*time.Minute || i.Late {
				t.Errorf("the outage is %+v", i)
			}
			if b, _ := w.engine.Snapshot().Budget("shop/availability"); b.AsOf.After(w.now()) || b.AsOf.Before(w.now().Add(-2*time.Minute)) {
				t.Errorf("at %s it is shown as of %s", w.now(), b.AsOf)
			}
		})
	}
}

// TestWhatBurnedBeforeTheJumpOutlivesIt: an outage is under way when the clock of the source, and
// its samples with it, is two hours ahead for a while, in which it burns as well, or is over. Back
// in its time it is the same incident, which somebody has taken, with what has happened and no
// more, also after a restart; nobody is paged a second time, and it ends when it does. Where it was
// told as over, it is over, and what still burns comes back in its thread.
func TestWhatBurnedBeforeTheJumpOutlivesIt(t *testing.T) {
	for name, c := range map[string]struct {
		over, restart bool
	}{"it burns": {}, "it burns, and a restart": {restart: true}, "it is over": {over: true}, "it is over, and a restart": {over: true, restart: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			minute := func(n int) time.Time { return t0.Add(time.Duration(n) * time.Minute) }
			outages := [][2]int{{5, 60}, {125, 150}}
			if c.over {
				outages = outages[:1]
			}
			w := oneService(t, outage(50, outages...))
			w.steps(10)
			w.mustDo(alerting.Act{Key: "k", Kind: alerting.Acknowledge, By: "Ada", Via: "api", Incident: w.burns()[0].ID})
			back := w.jump(2*time.Hour, false)
			w.steps(14)
			back()
			if c.restart {
				w.restart()
			}
			w.steps(8)
			w.restart()
			w.checkNothingOfLater()
			if open := w.engine.Snapshot().Open.All(); len(open) != 1 || (open[0].ID == w.burns()[0].ID) == c.over {
				t.Fatalf("it burns, and open are %+v", open)
			}
			w.steps(75)
			is := w.burns()
			first := is[0]
			_, taken := first.Acknowledged()
			if first.Open || !first.Onset.Equal(minute(5)) || first.TimeToDetect() > 3*time.Minute || !taken || len(w.roots()) != 1+len(w.rootsWith("has data again")) {
				t.Fatalf("of the outage, from %s to %s, taken %v, the channel reads %q", first.Onset, first.Ended, taken, w.roots())
			}
			if !strings.Contains(w.page("/incidents/"+first.ID), "counted again, for the source&#39;s clock was ahead") {
				t.Errorf("the page does not say that it was counted again")
			}
			last := is[len(is)-1]
			if len(is) != map[bool]int{false: 1, true: 2}[c.over] || last.Open || !last.Ended.Equal(minute(60)) || last.Resolved.Before(minute(60)) || last.Thread() != first.ID {
				t.Errorf("it goes on as %+v, and the channel reads %q", is, w.replies())
			}
			w.engine.Snapshot().WithLedger("shop/availability", func(_ *slo.Spec, l *budget.Ledger) {
				if sum := l.Sum(budget.MinuteOf(last.Onset), budget.MinuteOf(last.Resolved)); last.Bad() != sum.Bad || last.Last.Burn.Total != sum.Total {
					t.Errorf("recorded are %+v, and the ledger has %+v", last.Last.Burn, sum)
				}
			})
		})
	}
}

// TestWhatOpensInAMinuteOfTheWrongTimeIsToldToo: an outage opens in the very minute in which one
// was told while the clock of the source was ahead. It is an incident of its own, and pages.
func TestWhatOpensInAMinuteOfTheWrongTimeIsToldToo(t *testing.T) {
	w := oneService(t, outage(50, [2]int{55, 65}))
	w.steps(10)
	back := w.jump(30*time.Minute, false)
	w.steps(20)
	back()
	w.steps(8)
	if is := w.burns(); len(is) != 1 || is[0].Open || is[0].Last.Reason != alerting.TimeWentBack {
		t.Fatalf("back in its time, the incidents are %+v", is)
	}
	w.steps(50)
	is := w.burns()
	if len(is) != 2 || !is[0].Detected.Equal(is[1].Detected) || is[0].ID == is[1].ID {
		t.Fatalf("the incidents are %+v", is)
	}
	for _, i := range is {
		if told := i.Last.Reason == alerting.TimeWentBack; i.Open || told == strings.HasSuffix(i.ID, "-2") {
			t.Errorf("%s is open %v, and ended for %s", i.ID, i.Open, i.Last.Reason)
		}
	}
	if roots := append(w.rootsWith("burned for"), w.rootsWith("failed for")...); len(roots) != 2 {
		t.Errorf("%d messages were sent of them: %q", len(roots), w.roots())
	}
}

// TestActsOfTheWrongTimeKeepIt: what somebody does while the clock of the source is ahead is dated
// so, and stays so, for acts are never changed. Who has taken the incident has it still. A silence
// holds back in time for what is left of it, and when its date comes it mutes nothing.
func TestActsOfTheWrongTimeKeepIt(t *testing.T) {
	w := oneService(t, outage(50, [2]int{5, 60}, [2]int{125, 150}))
	w.steps(10)
	id := w.burns()[0].ID
	back := w.jump(2*time.Hour, false)
	w.steps(10)
	wrong := w.now()
	w.mustDo(alerting.Act{Key: "taken", At: wrong, Kind: alerting.Acknowledge, By: "Ada", Via: "api", Incident: id})
	w.mustDo(alerting.Act{Key: "silent", At: wrong, Kind: alerting.Silence, By: "Ada", Via: "api", Incident: id, Until: wrong.Add(time.Hour)})
	long := strings.Repeat("é", 140) + "…" // 283 bytes: the 280th is within a character
	w.mustDo(alerting.Act{Key: long + "1", At: wrong, Kind: alerting.Silence, By: "Cy", Via: "api", Incident: id, Until: wrong.Add(20 * time.Minute)})
	w.mustDo(alerting.Act{Key: long + "2", At: wrong, Kind: alerting.Silence, By: "Cy", Via: "api", Incident: id, Until: wrong.Add(25 * time.Minute)})
	w.mustDo(alerting.Act{Key: "all", At: wrong, Kind: alerting.Silence, By: "Bob", Via: "api", Service: "shop", Until: wrong.Add(30 * time.Minute)})
	back()
	w.restart()
	w.steps(10)
	i := w.incident(id)
	if a, taken := i.Acknowledged(); !i.Open || !taken || !a.At.Equal(wrong) {
		t.Errorf("open %v, taken %v at %s", i.Open, taken, a.At)
	}
	for _, c := range []struct {
		at        time.Time
		want, all bool // the incident, and the service
	}{{w.now(), true, true}, {w.now().Add(40 * time.Minute), true, false}, {w.now().Add(time.Hour), false, false}, {wrong.Add(time.Minute), false, false}} {
		if a, silent := i.Silenced(c.at); silent != c.want && !(c.all && silent) {
			t.Errorf("at %s it is silent: %v, %+v", c.at, silent, a)
		}
		if a, silent := alerting.Silent(w.engine.Snapshot().Open.Acts(), c.at); silent != c.all {
			t.Errorf("at %s the service is silent: %v, %+v", c.at, silent, a)
		}
	}
	right := slices.DeleteFunc(slices.Clone(i.Acts), func(a alerting.Act) bool {
		return a.Kind != alerting.Silence || a.By != "Cy" || !a.At.Before(wrong) || strings.Contains(a.Key, "\uFFFD")
	})
	if len(right) != 2 {
		t.Errorf("of two silences with long keys these are put right: %+v, all: %+v", right, i.Acts)
	}
	w.restart()
	w.steps(2)
	if again := w.incident(id); len(again.Acts) != len(i.Acts) {
		t.Errorf("it is put right again: %+v", again.Acts)
	}
	if err := w.do(alerting.Act{Key: "lifted", Kind: alerting.Undo, By: "Ada", Via: "api", Incident: id, Other: "clock/silent"}); err != nil {
		t.Error(err)
	}
}

// TestOurClockIsAheadForAMoment: our own clock is ahead, and somebody silences an incident before a
// tick finds that out. The silence holds from then on, and not again when that time comes.
func TestOurClockIsAheadForAMoment(t *testing.T) {
	w := oneService(t, outage(50, [2]int{5, 60}))
	w.steps(10)
	id := w.burns()[0].ID
	w.wrong = 3 * time.Hour
	wrong := w.now().Add(w.wrong)
	w.mustDo(alerting.Act{Key: "silent", Kind: alerting.Silence, By: "Ada", Via: "api", Incident: id, Until: wrong.Add(20 * time.Minute)})
	w.wrong = 0
	w.steps(8)
	i := w.incident(id)
	if a, silent := i.Silenced(w.now()); !silent || a.Until.After(w.now().Add(20*time.Minute)) {
		t.Errorf("silent %v, %+v", silent, i.Acts)
	}
	if a, silent := i.Silenced(wrong.Add(time.Minute)); silent {
		t.Errorf("later it is silent by %+v", a)
	}
}

// jump sets the clock of the source ahead, and its samples with it, and ours only if it is the
// same. What it returns puts them right.
func (w *world) jump(by time.Duration, ours bool) (back func()) {
	from, filled := w.now(), w.filled
	w.at.Add(int64(by))
	if w.filled = w.filled.Add(by); !ours {
		w.wrong = -by
	}
	return func() {
		w.at.Add(int64(-by))
		w.filled, w.wrong = filled.Add(w.now().Sub(from).Truncate(time.Minute)), 0
	}
}

// checkNothingOfLater fails if an incident tells of a time that has not come.
func (w *world) checkNothingOfLater() {
	w.t.Helper()
	for _, i := range w.burns() {
		for _, e := range append(i.Log, i.Last) {
			if e.Time().After(w.now()) || e.Burn != nil && e.Burn.Last.Time().After(w.now()) {
				w.t.Errorf("at %s the record of %s has %+v", w.now(), i.ID, e)
			}
		}
		if i.Ended.After(w.now()) || i.Resolved.After(w.now()) {
			w.t.Errorf("at %s %s has ended at %s, resolved at %s", w.now(), i.ID, i.Ended, i.Resolved)
		}
	}
}

// TestALaggingReplicaDoesNotTakeTimeBack: nothing is scraped for a while, and a source insists on
// the time of half an hour ago, of which it has samples. It has others of the time after it, so
// nothing that is decided is dropped.
func TestALaggingReplicaDoesNotTakeTimeBack(t *testing.T) {
	w := newWorld(t, []*slo.Spec{promise("shop")}, &service{name: "shop", load: steady(50), down: func(m budget.Minute) bool { return m >= budget.MinuteOf(t0)+40 }})
	w.steps(40)
	w.db.Faults.Add(ahead(w, -30*time.Minute, 40))
	w.steps(25)
	w.engine.Snapshot().WithLedger("shop/availability", func(_ *slo.Spec, l *budget.Ledger) {
		from := budget.MinuteOf(t0) + 5
		if sum := l.Sum(from, from+30); sum.Known != 30 {
			t.Errorf("of thirty minutes %d are known", sum.Known)
		}
	})
	if b, _ := w.engine.Snapshot().Budget("shop/availability"); b.AsOf.Before(w.now().Add(-10 * time.Minute)) {
		t.Errorf("at %s it is shown as of %s", w.now(), b.AsOf)
	}
}
