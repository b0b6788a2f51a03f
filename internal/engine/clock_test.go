package engine_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
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

// TestReadingGoesBackWithTheTime: a source that insists on a wrong time is believed in the end. When
// it is put right, what was read ahead of the time is read again, and nothing is lost.
func TestReadingGoesBackWithTheTime(t *testing.T) {
	w := oneService(t, outage(50, [2]int{32, 38}))
	w.steps(10)
	w.db.Faults.Add(ahead(w, 3*time.Hour, 15))
	w.steps(60)
	b, ok := w.engine.Snapshot().Budget("shop/availability")
	if sum := b.Windows[0].Sum; !ok || sum.Bad != 6*100_000 || sum.Total < 68*100_000 {
		t.Errorf("the ledger holds %+v", sum)
	}
}
