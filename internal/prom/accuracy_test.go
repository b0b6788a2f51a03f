package prom

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake/truth"
	"github.com/slowburn-sre/slowburn/slo"
)

// consumption compares shares of the error budget: the ratio of bad to total events. The error is
// relative, in percent.
func consumption(bad, total, wantBad, wantTotal float64) float64 {
	want := wantBad / wantTotal
	if total == 0 {
		return 100
	}
	return math.Abs(bad/total-want) / want * 100
}

// accuracy plays a world over the given days and returns, per tier, the error of the ledger against
// what really happened and against what samples can show.
func accuracy(t testing.TB, seed uint64, days int, interval time.Duration) (c *Client, w *truth.World, real, seen map[string]float64) {
	db := promfake.New(promfake.Options{})
	w, err := truth.Generate(db, truth.Standard(seed, t0, time.Duration(days)*24*time.Hour, interval))
	if err != nil {
		t.Fatal(err)
	}
	c = serve(t, db)
	r, specs, got := New(c, Options{}), tierSpecs(t), book{}
	first, last := m0+1, m0+budget.Minute(days)*24*60+4
	for to := first; to < last; to = min(to+50, last) {
		tick(t, r, specs, to, got)
	}
	tick(t, r, specs, last, got)
	real, seen = map[string]float64{}, map[string]float64{}
	for _, name := range tiers {
		bad, total := got.sum(slo.ID("svc/" + name))
		all := w.Service(name).Sum((first + 1).Time(), (last + 1).Time())
		real[name] = consumption(float64(bad)/1000, float64(total)/1000, float64(all.Bad), float64(all.Total()))
		s := all.Seen()
		seen[name] = consumption(float64(bad)/1000, float64(total)/1000, float64(s.Bad), float64(s.Total()))
	}
	return c, w, real, seen
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

// TestBudgetAgainstTruth: over days with restarts, churn, births, gaps and an incident while
// Prometheus is down, the share of the budget that is spent is what an ideal reader of the samples
// would say.
func TestBudgetAgainstTruth(t *testing.T) {
	errs := map[string][]float64{}
	for seed := range uint64(3) {
		_, _, _, seen := accuracy(t, seed, 2, 30*time.Second)
		for name, e := range seen {
			errs[name] = append(errs[name], e)
		}
	}
	for _, name := range tiers {
		if m := median(errs[name]); m > 0.02 {
			t.Errorf("%s: median error %.4f %% of %v, want at most 0.02 %%", name, m, errs[name])
		}
	}
}

// increaseByMinute is the usual way: sum(increase(x[1m])) for every minute.
func increaseByMinute(t testing.TB, c *Client, name string, days int) (bad, total float64) {
	for side, sum := range map[string]*float64{`code="500",`: &bad, ``: &total} {
		s := &adder{}
		for day := range days {
			from := t0.Add(time.Duration(day) * 24 * time.Hour)
			q := fmt.Sprintf(`sum(increase(http_requests_total{%sjob="%s"}[1m]))`, side, name)
			if _, err := c.queryRange(context.Background(), q, from.Add(time.Minute), from.Add(24*time.Hour), time.Minute, s); err != nil {
				t.Fatal(err)
			}
		}
		*sum = s.sum
	}
	return bad, total
}

type adder struct{ sum float64 }

func (*adder) series([]byte) bool          { return true }
func (a *adder) sample(_ int64, v float64) { a.sum += v }

// BenchmarkAccuracy prints the error of 30-day budgets per tier, ours and that of the usual way.
func BenchmarkAccuracy(b *testing.B) {
	const days, seeds = 30, 3
	ours, floor, usual := map[string][]float64{}, map[string][]float64{}, map[string][]float64{}
	for range b.N {
		for seed := range uint64(seeds) {
			c, w, real, seen := accuracy(b, seed, days, 30*time.Second)
			for _, name := range tiers {
				ours[name], floor[name] = append(ours[name], real[name]), append(floor[name], seen[name])
				bad, total := increaseByMinute(b, c, name, days)
				all := w.Service(name).Sum(t0, t0.Add(days*24*time.Hour))
				usual[name] = append(usual[name], consumption(bad, total, float64(all.Bad), float64(all.Total())))
			}
		}
	}
	for _, name := range tiers {
		b.Logf("%-8s median/max of error in %%: raw samples %.4f/%.4f against truth, %.4f/%.4f against what samples show; increase[1m] %.3f/%.3f", name,
			median(ours[name]), slices.Max(ours[name]), median(floor[name]), slices.Max(floor[name]), median(usual[name]), slices.Max(usual[name]))
	}
}
