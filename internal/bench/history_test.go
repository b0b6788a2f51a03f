package bench

import (
	"flag"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/engine/enginetest"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake/truth"
	"github.com/slowburn-sre/slowburn/slo"
)

// historyDays is how much history the worlds of BenchmarkHistory have, beyond the three days that
// are read to the minute.
var historyDays = flag.Int("history.days", 7, "days of history that are read by the hour")

// historySeries is how many series the metric has, at least.
const historySeries = 2_000

// BenchmarkHistory lets the engine see SLOs for the first time, on one metric of more than two
// thousand series: worlds of every kind of trouble at every amount of traffic. It compares the
// budget that it tells at once with what the samples can show, and with all that happened. It fails
// if the median of a tier misses the goal, or if a budget is further from the truth than half a
// point more than that of an ideal reader of the samples.
//
// Beside it stand the hours that increase[1h] gives, the usual way.
func BenchmarkHistory(b *testing.B) {
	length := time.Duration(*historyDays+3) * 24 * time.Hour
	db := promfake.New(promfake.Options{})
	worlds := map[string]*truth.Truth{}
	var files []string
	all, err := truth.All(db, t0, length, 30*time.Second)
	if err != nil {
		b.Fatal(err)
	}
	for _, w := range all {
		worlds[w.Service.Name] = w
		files = append(files, fmt.Sprintf(monthSLO, w.Service.Name))
	}
	files = append(files, fmt.Sprintf(monthSLO, "crowd"))
	crowd(b, db, historySeries-len(worlds)*8, length)
	url := serve(b, db)
	set := enginetest.Load(b, files...)
	for range b.N {
		from, end := budget.MinuteOf(t0)+60, budget.MinuteOf(t0.Add(length))-60
		before := db.Stats()
		told := firstSight(b, url, set, from, end)
		spent := db.Stats().Sub(before)
		naive := newNaive(b, url)
		seen, whole, ideal, usual := misses{}, misses{}, misses{}, misses{}
		for name, w := range worlds {
			tier := name[strings.LastIndex(name, "-")+1:]
			all := w.Sum(from.Time(), end.Time())
			real, best := share{float64(all.Bad), float64(all.Total())}, share{float64(all.Seen().Bad), float64(all.Seen().Total())}
			seen.add("", tier, told[name].off(best))
			whole.add("", tier, told[name].off(real))
			ideal.add("", tier, best.off(real))
			usual.add("", tier, naive.hours(name, from.Time(), end.Time()).off(best))
			if far := told[name].off(real) - best.off(real); far > 0.5 {
				b.Errorf("%s: %.2f points further from the truth than an ideal reader", name, far)
			}
		}
		b.Logf("%d days, %d queries, %.1f M samples read", *historyDays+3, spent.Queries, float64(spent.SamplesRead)/1e6)
		for _, tier := range tiers {
			b.Logf("%-8s against the samples: median %.4f, largest %.4f %%; against all: %.4f, %.4f (ideal %.4f, %.4f); increase[1h] %.3g, %.3g", tier,
				median(seen[""][tier]), slices.Max(seen[""][tier]), median(whole[""][tier]), slices.Max(whole[""][tier]),
				median(ideal[""][tier]), slices.Max(ideal[""][tier]), median(usual[""][tier]), slices.Max(usual[""][tier]))
			b.ReportMetric(median(seen[""][tier]), tier+"-median-%")
			if m := median(seen[""][tier]); m > goalError {
				b.Errorf("%s: median error %.4f %%, the goal is %.2f %%", tier, m, goalError)
			}
		}
	}
}

// crowd writes series that only make the metric large.
func crowd(b *testing.B, db *promfake.DB, n int, length time.Duration) {
	for i := range n {
		s := db.Series(labels.FromStrings("__name__", "http_requests_total", "job", "crowd", "instance", fmt.Sprintf("10.0.0.%d:80", i/20),
			"code", "200", "route", fmt.Sprint(i%20)))
		for at := time.Duration(i%60) * time.Second; at < length; at += time.Minute {
			if err := s.Append(t0.Add(at).UnixMilli(), math.Floor(at.Minutes())*7); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// firstSight ticks a few times and reads all history, and returns what the ledgers hold of [from,
// end).
func firstSight(b *testing.B, url string, set *slo.Set, from, end budget.Minute) map[string]share {
	c := newChain(b, url, set, noHistory)
	now := end.Time()
	for range 4 {
		now = now.Add(time.Minute)
		c.tick(b, now)
	}
	if err := c.FillAll(background, now); err != nil {
		b.Fatal(err)
	}
	told := map[string]share{}
	for _, spec := range set.Specs {
		c.Snapshot().WithLedger(spec.ID(), func(s *slo.Spec, l *budget.Ledger) {
			sum := l.Sum(from, end)
			told[s.Service] = share{float64(sum.Bad) / budget.Unit, float64(sum.Total) / budget.Unit}
			if sum.Estimated > 0 {
				b.Errorf("%s: %d minutes are estimates", s.Service, sum.Estimated)
			}
		})
	}
	return told
}

// hours adds up sum(increase(x[1h])) of every hour.
func (n naive) hours(job string, from, to time.Time) (s share) {
	n.between(fmt.Sprintf(`sum(increase(http_requests_total{job="%s",code="500"}[1h]))`, job), from, to, func(v float64) { s.bad += v })
	n.between(fmt.Sprintf(`sum(increase(http_requests_total{job="%s"}[1h]))`, job), from, to, func(v float64) { s.total += v })
	return s
}
