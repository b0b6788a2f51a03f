package engine_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

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

// TestOneWrongReplicaIsNotBelieved: for three ticks the source says it is three hours later. Nothing
// of that time is read, nobody hears of missing data, and the outage that follows pages in time.
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

// TestAWrongTimeIsNotBelievedAgainstTheSamples: for forty minutes, or from the first tick of a process
// on, the source insists on a time of which it has no samples, or later than which it has some. It is
// never believed: nothing is decided ahead of the newest sample, nobody hears of missing data, and the
// outage meanwhile pages in time.
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

// TestTheTimeOfTheSamplesIsBelieved: the clock of the source steps by two hours, and its samples with
// it. After some ticks slowburn goes by it: an outage then pages in time.
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
