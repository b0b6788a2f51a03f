package prom

import (
	"fmt"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/google/go-cmp/cmp"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake/truth"
	"github.com/slowburn-sre/slowburn/slo"
)

var tiers = []string{"high", "medium", "low", "verylow"}

// world plays the standard world with more trouble than usual.
func world(t testing.TB, seed uint64, length, interval time.Duration, trouble bool) (*promfake.DB, *truth.World) {
	t.Helper()
	db := promfake.New(promfake.Options{})
	o := truth.Standard(seed, t0, length, interval)
	for i := range o.Services {
		if trouble {
			o.Services[i].Restarts, o.Services[i].Churn, o.Services[i].Missed = 2*time.Hour, 3*time.Hour, 0.02
		}
	}
	w, err := truth.Generate(db, o)
	if err != nil {
		t.Fatal(err)
	}
	return db, w
}

func tierSpecs(t testing.TB) []*slo.Spec {
	var specs []*slo.Spec
	for _, name := range tiers {
		specs = append(specs, tier(t, name))
	}
	return specs
}

// TestSumsAgainstTruth reads eight hours minute by minute and compares with what really happened.
func TestSumsAgainstTruth(t *testing.T) {
	for _, interval := range []time.Duration{15 * time.Second, 30 * time.Second, time.Minute} {
		t.Run(fmt.Sprintf("scraped every %s", interval), func(t *testing.T) {
			db, w := world(t, 7, 8*time.Hour, interval, true)
			r := New(serve(t, db), Options{})
			specs, got := tierSpecs(t), book{}
			first := m0 + 10
			last := m0 + 8*60 + 4
			for to := first; to <= last; to++ {
				tick(t, r, specs, to, got)
			}
			for _, name := range tiers {
				bad, total := got.sum(slo.ID("svc/" + name))
				// What happened before the position was taken is not ours to count. A sample stands
				// for the time since the one before, so a scrape of slack on either side.
				want := w.Service(name).Sum((first + 1).Time(), (last + 1).Time()).Seen()
				slack := func(n int64) float64 { return 3 + 0.004*float64(n) }
				if d := math.Abs(float64(bad)/1000 - float64(want.Bad)); d > slack(want.Bad) {
					t.Errorf("%s: %d thousandths bad, truth %d", name, bad, want.Bad)
				}
				if d := math.Abs(float64(total)/1000 - float64(want.Total())); d > slack(want.Total()) {
					t.Errorf("%s: %d thousandths in all, truth %d", name, total, want.Total())
				}
			}
		})
	}
}

// cutWorld is a short life of every kind of trouble, and what comes out of it minute by minute.
type cutWorld struct {
	client      *Client
	first, last budget.Minute
	want        book
}

func newCutWorld(t *testing.T, specs []*slo.Spec, interval time.Duration) *cutWorld {
	db, _ := world(t, 3, 3*time.Hour, interval, true)
	w := &cutWorld{client: serve(t, db), first: m0 + 10, last: m0 + 3*60 + 8, want: book{}}
	plain := New(w.client, Options{})
	for to := w.first; to <= w.last; to++ {
		tick(t, plain, specs, to, w.want)
	}
	return w
}

// TestCutLaw: however time is cut into reads, by restarts and by lost commits, the same slots come
// out.
func TestCutLaw(t *testing.T) {
	specs := tierSpecs(t)
	specs[1].By = []string{"instance"}
	specs[2].By = []string{"code"}
	var worlds []*cutWorld
	for _, interval := range []time.Duration{15 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute} {
		worlds = append(worlds, newCutWorld(t, specs, interval))
	}
	rapid.Check(t, func(rt *rapid.T) {
		w := rapid.SampledFrom(worlds).Draw(rt, "world")
		got := book{}
		r := New(w.client, Options{})
		tick(t, r, specs, w.first, got)
		for to := w.first; to < w.last; {
			to = min(w.last, to+budget.Minute(rapid.SampledFrom([]int{1, 1, 2, 7, 45, 90}).Draw(rt, "step")))
			if rapid.IntRange(0, 9).Draw(rt, "restart") == 0 {
				r = restart(r, w.client)
			}
			if rapid.IntRange(0, 9).Draw(rt, "lost") == 0 {
				r.Read(t.Context(), specs, after(to)) // read, and the commit failed
			}
			tick(t, r, specs, to, got)
		}
		if d := cmp.Diff(w.want, got); d != "" {
			rt.Fatal(d)
		}
	})
}
