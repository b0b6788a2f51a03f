package prom

import (
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake/promtest"
	"github.com/slowburn-sre/slowburn/slo"
)

// history runs a backfill to its end, restarting it from its marks now and then, and keeps ledgers.
func history(t *testing.T, r *Reader, c *Client, specs []*slo.Spec, p Plan, restarts bool) map[slo.ID]*budget.Ledger {
	t.Helper()
	ledgers, _ := historyOf(t, r, c, specs, p, restarts)
	return ledgers
}

// historyOf returns the faults, too.
func historyOf(t *testing.T, r *Reader, c *Client, specs []*slo.Spec, p Plan, restarts bool) (map[slo.ID]*budget.Ledger, map[slo.ID][]string) {
	t.Helper()
	ledgers := map[slo.ID]*budget.Ledger{}
	b := r.Backfill(specs, p)
	for n := 0; !b.Done(); n++ {
		before := b.Progress()
		batch := b.Next(t.Context())
		for _, f := range batch.Failures {
			t.Fatalf("%s: %v", f.Bundle, f.Err)
		}
		if after := b.Progress(); after.Done <= before.Done && !b.Done() {
			t.Fatalf("no progress: %v after %v", after, before)
		}
		for id, reading := range batch.Readings {
			if ledgers[id] == nil {
				ledgers[id] = &budget.Ledger{}
			}
			for _, s := range reading.Slots {
				if !s.Slot.Backfilled {
					t.Fatalf("slot %v is not marked as backfilled", s)
				}
				if !ledgers[id].Put(s.At, s.Slot) {
					t.Fatalf("%s: the ledger refuses the slot %s", id, s.At.Time())
				}
			}
			for _, h := range reading.Hours {
				if !ledgers[id].PutHour(h.Hour, h.Sum) {
					t.Fatalf("%s: the ledger refuses the hour %d", id, h.Hour)
				}
			}
		}
		if restarts && n%10 == 9 && !b.Done() {
			resumed := New(c, Options{}).Backfills(batch.Marks, specs)
			if len(resumed) != 1 {
				t.Fatalf("%d backfills resumed, want 1", len(resumed))
			}
			b = resumed[0]
		}
	}
	return ledgers, b.Faults()
}

func TestBackfillAgainstTruth(t *testing.T) {
	db, w := world(t, 11, 2*24*time.Hour, 30*time.Second, false)
	c := serve(t, db)
	end := m0 + 2*24*60
	got := history(t, New(c, Options{}), c, tierSpecs(t), Plan{From: m0, Fine: end - 30*60, To: end + 5}, false)
	for _, name := range tiers {
		sum := got[slo.ID("svc/"+name)].Sum(m0, end+5)
		want := w.Service(name).Sum(m0.Time(), end.Time()).Seen()
		if e := consumption(float64(sum.Bad), float64(sum.Total), float64(want.Bad), float64(want.Total())); e > 0.5 {
			t.Errorf("%s: budget is off by %.3f %%: %d of %d, truth %d of %d", name, e, sum.Bad, sum.Total, want.Bad, want.Total())
		}
		if d := math.Abs(float64(sum.Total)/1000 - float64(want.Total())); d > 5+0.001*float64(want.Total()) {
			t.Errorf("%s: %d thousandths in all, truth %d", name, sum.Total, want.Total())
		}
	}
}

func TestBackfillResumes(t *testing.T) {
	db, _ := world(t, 5, 2*24*time.Hour, time.Minute, false)
	c := serve(t, db)
	p := Plan{From: m0, Fine: m0 + 24*60, To: m0 + 2*24*60 - 7}
	specs := tierSpecs(t)[:2]
	whole := history(t, New(c, Options{}), c, specs, p, false)
	// A day that was begun is begun again.
	b := New(c, Options{}).Backfill(specs, p)
	var last *Batch
	for range 24 {
		last = b.Next(t.Context())
	}
	rest := New(c, Options{}).Backfills(last.Marks, specs)
	if len(rest) != 1 || rest[0].pos != m0+24*60 {
		t.Fatalf("resumed %v, want one backfill before the second day", rest)
	}
	for _, s := range specs {
		if n := whole[s.ID()].Sum(m0, p.To).Seen(); n < 2*24*60-60 {
			t.Errorf("%s: only %d minutes were seen", s.ID(), n)
		}
	}
}

// TestHoursThatCannotBeCountedAreEstimates: where the server knows no last_over_time, its own
// increase is taken, and the hours say so.
func TestHoursThatCannotBeCountedAreEstimates(t *testing.T) {
	db := promfake.New(promfake.Options{})
	for i := range 70 {
		s := db.Series(lset("r_total", "job", "a", "instance", string(rune('a'+i%26))+string(rune('a'+i/26)), "code", "200"))
		for k := range 3 * 120 {
			if err := s.Append(at(float64(30*k+5)), float64(k)); err != nil {
				t.Fatal(err)
			}
		}
	}
	handler := db.Handler()
	c := clientFor(t, promtest.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.FormValue("query"), "last_over_time") {
			http.Error(w, `{"status":"error","errorType":"bad_data","error":"unknown function"}`, http.StatusBadRequest)
			return
		}
		handler.ServeHTTP(w, r)
	})))
	s := events(t, "dense", `r_total{job="a"}`, `r_total{job="a",code="500"}`)
	ledgers, faults := historyOf(t, New(c, Options{}), c, []*slo.Spec{s}, Plan{From: m0 + 60, Fine: m0 + 180, To: m0 + 180}, false)
	if told := strings.Join(faults[s.ID()], ""); !strings.Contains(told, "estimates") || !strings.Contains(told, "unknown function") {
		t.Errorf("told is %q, want that they are estimates, and why", told)
	}
	sum := ledgers[s.ID()].Sum(m0+60, m0+180)
	if total := float64(sum.Total) / 1000; math.Abs(total-2*70*120) > 2*70*3 || sum.Bad != 0 {
		t.Errorf("%+v, want about %d events", sum, 2*70*120)
	}
	if sum.Known != 120 || sum.Estimated != 120 {
		t.Errorf("%+v, want two hours that are estimates", sum)
	}
}

// TestHistoryOfExpressionsIsAnEstimate where it takes an increase.
func TestHistoryOfExpressionsIsAnEstimate(t *testing.T) {
	c := serve(t, steady(t))
	counted := events(t, "counted", `sum(increase(r_total{job="a"}[$window]))`, `sum(increase(r_total{job="a",code="500"}[$window]))`)
	bare := events(t, "bare", `r_total{job="a"}`, `r_total{job="a",code="500"}`)
	ledgers := history(t, New(c, Options{}), c, []*slo.Spec{counted, bare}, Plan{From: m0, Fine: m0 + 60, To: m0 + 90}, false)
	if sum := ledgers[counted.ID()].Sum(m0, m0+90); sum.Estimated == 0 || sum.Estimated != sum.Seen() {
		t.Errorf("of an expression: %+v, want estimates only", sum)
	}
	if sum := ledgers[bare.ID()].Sum(m0, m0+90); sum.Estimated != 0 || sum.Seen() == 0 {
		t.Errorf("of counters: %+v, want no estimate", sum)
	}
}

// TestHistoryDoesNotHoldUpTheLive: both may run at once.
func TestHistoryDoesNotHoldUpTheLive(t *testing.T) {
	db := steady(t)
	buckets(t, db, "1", "0.3")
	c := serve(t, db)
	specs := []*slo.Spec{events(t, "x", `r_total{job="a"}`, `r_total{job="a",code=~"5.."}`), latency(t, "l", `d{job="a"}`, 0.3)}
	r := New(c, Options{})
	past := make(chan map[slo.ID]*budget.Ledger)
	go func() {
		past <- history(t, r, c, specs, Plan{From: m0, Fine: m0, To: m0 + 20}, false)
	}()
	got := book{}
	for to := m0 + 19; to < m0+25; to++ {
		tick(t, r, specs, to, got)
	}
	ledgers := <-past
	if sum := ledgers["svc/x"].Sum(m0+2, m0+20); sum.Total != 18*202_000 || sum.Bad != 18*2_000 {
		t.Errorf("history %+v", sum)
	}
	if g := slots(got["svc/x"]); g != "20:2/202 21:2/202 22:2/202 23:2/202 24:2/202" {
		t.Errorf("live %s", g)
	}
	if sum := ledgers["svc/l"].Sum(m0+2, m0+20); sum.Total != 18*20_000 || sum.Bad != 18*6_000 {
		t.Errorf("history of latency %+v", sum)
	}
}
