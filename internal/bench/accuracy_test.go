package bench

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/engine/enginetest"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake/truth"
	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/slo"
)

// The month of every world below, and how many worlds there are.
const (
	monthDays  = 30
	month      = monthDays * 24 * time.Hour
	months     = 5
	goalError  = 0.02 // percent, of the median over the worlds
	monthSteps = 24 * time.Hour
)

var tiers = []string{"high", "medium", "low", "verylow"}

// share is what part of all events was bad: the consumption of an error budget is this, divided by
// what is allowed.
type share struct{ bad, total float64 }

// off is how far the share is from the true one, relative to it, in percent; NaN if it has no
// value.
func (s share) off(want share) float64 {
	ratio := want.bad / want.total
	return math.Abs(s.bad/s.total-ratio) / ratio * 100
}

// ways are the ways to know a 30-day budget, in the order of the table.
var ways = []string{"slowburn", "slowburn, whole truth", "ideal reader, whole truth", "increase[1m] summed", "5m ratios averaged", "increase[30d]"}

// misses holds, per way and tier, how far off every world was.
type misses map[string]map[string][]float64

func (e misses) add(way, tier string, v float64) {
	if e[way] == nil {
		e[way] = map[string][]float64{}
	}
	e[way][tier] = append(e[way][tier], v)
}

// BenchmarkAccuracy compares 30-day budgets with what really happened: ours and those of the usual
// ways, on the same samples, over the same HTTP API. It fails if our median misses the goal on any
// tier.
//
// "slowburn" is compared with what an ideal reader of the samples would say. Events that died with
// their process before anything scraped them are in no sample; the next two lines count them in,
// for us and for the ideal reader, so their difference is ours and the rest is nobody's. The usual
// ways are compared with the ideal reader.
func BenchmarkAccuracy(b *testing.B) {
	for range b.N {
		errs := misses{}
		for seed := range uint64(months) {
			playMonth(b, seed, errs)
		}
		b.Log("\n" + errs.table())
		for _, tier := range tiers {
			m := median(errs["slowburn"][tier])
			b.ReportMetric(m, tier+"-median-%")
			if m > goalError {
				b.Errorf("%s: median error %.4f %%, the goal is %.2f %%", tier, m, goalError)
			}
		}
	}
}

// playMonth reads one world in every way.
func playMonth(b *testing.B, seed uint64, errs misses) {
	db := promfake.New(promfake.Options{})
	w, err := truth.Generate(db, truth.Standard(seed, t0, month, 30*time.Second))
	if err != nil {
		b.Fatal(err)
	}
	url := serve(b, db)
	ours, from := readMonth(b, url)
	naive := newNaive(b, url)
	for _, tier := range tiers {
		all := w.Service(tier).Sum(from, from.Add(month))
		seen := all.Seen()
		real, ideal := share{float64(all.Bad), float64(all.Total())}, share{float64(seen.Bad), float64(seen.Total())}
		errs.add("slowburn", tier, ours[tier].off(ideal))
		errs.add("slowburn, whole truth", tier, ours[tier].off(real))
		errs.add("ideal reader, whole truth", tier, ideal.off(real))
		errs.add("increase[1m] summed", tier, naive.increments(tier).off(ideal))
		errs.add("5m ratios averaged", tier, naive.ratios(tier).off(ideal))
		errs.add("increase[30d]", tier, naive.increase(tier).off(ideal))
	}
}

// readMonth reads a month through the reader, in pieces of fifty minutes: the cut law makes them
// equal to single minutes. It begins after the first scrape, where the position is taken.
func readMonth(b *testing.B, url string) (map[string]share, time.Time) {
	c := newChain(b, url, enginetest.Load(b, monthFiles()...), noHistory)
	r := prom.New(c.client, prom.Options{})
	ledgers := map[slo.ID]*budget.Ledger{}
	first := budget.MinuteOf(t0) + 1
	last := first + budget.Minutes(month) + 4
	for to := first; ; to = min(to+50, last) {
		batch := r.Read(background, c.Snapshot().Set.Specs, to.End().Add(31*time.Second))
		if len(batch.Failures) > 0 {
			b.Fatal(batch.Failures[0].Err)
		}
		for id, reading := range batch.Readings {
			if ledgers[id] == nil {
				ledgers[id] = &budget.Ledger{}
			}
			for _, s := range reading.Slots {
				ledgers[id].Put(s.At, s.Slot)
			}
		}
		r.Commit(batch)
		if to == last {
			break
		}
	}
	out := map[string]share{}
	for id, l := range ledgers {
		sum := l.Sum(first, last+1)
		service, _, _ := strings.Cut(string(id), "/")
		out[service] = share{float64(sum.Bad) / budget.Unit, float64(sum.Total) / budget.Unit}
	}
	return out, (first + 1).Time()
}

// monthSLO is the SLO file of a tier.
const monthSLO = `
version: slowburn/v1
service: %[1]s
slos:
  - name: availability
    objective: 99
    sli: {events: {total: 'http_requests_total{job="%[1]s"}', bad: 'http_requests_total{job="%[1]s",code="500"}'}}
`

func monthFiles() (texts []string) {
	for _, tier := range tiers {
		texts = append(texts, fmt.Sprintf(monthSLO, tier))
	}
	return texts
}

// naive asks Prometheus the usual questions, through its official client.
type naive struct {
	b   *testing.B
	api promv1.API
}

func newNaive(b *testing.B, url string) naive {
	client, err := api.NewClient(api.Config{Address: url})
	if err != nil {
		b.Fatal(err)
	}
	return naive{b, promv1.NewAPI(client)}
}

// each calls f with every value of a query at every step of the month.
func (n naive) each(query string, step time.Duration, f func(float64)) {
	for from := t0; from.Before(t0.Add(month)); from = from.Add(monthSteps) {
		n.steps(query, from.Add(step), from.Add(monthSteps), step, f)
	}
}

// between calls f with every value of a query at the end of every hour in a stretch of time.
func (n naive) between(query string, from, to time.Time, f func(float64)) {
	n.steps(query, from.Add(time.Hour), to, time.Hour, f)
}

// steps calls f with every value of a query at some steps.
func (n naive) steps(query string, from, to time.Time, step time.Duration, f func(float64)) {
	value, _, _, err := n.api.QueryRange(background, query, promv1.Range{Start: from, End: to, Step: step})
	if err != nil {
		n.b.Fatal(err)
	}
	for _, s := range value.(model.Matrix) {
		for _, v := range s.Values {
			f(float64(v.Value))
		}
	}
}

// increments adds up sum(increase(x[1m])) of every minute.
func (n naive) increments(tier string) (s share) {
	n.each(fmt.Sprintf(`sum(increase(http_requests_total{job="%s",code="500"}[1m]))`, tier), time.Minute, func(v float64) { s.bad += v })
	n.each(fmt.Sprintf(`sum(increase(http_requests_total{job="%s"}[1m]))`, tier), time.Minute, func(v float64) { s.total += v })
	return s
}

// ratios averages the error ratio of five minutes, as recorded every 30 seconds, over the month:
// the way of Sloth's long windows. A recorded NaN (no traffic) would make the average one; it is
// left out here, in favour of this way.
func (n naive) ratios(tier string) (s share) {
	q := fmt.Sprintf(`sum(rate(http_requests_total{job="%[1]s",code="500"}[5m])) / sum(rate(http_requests_total{job="%[1]s"}[5m]))`, tier)
	n.each(q, 30*time.Second, func(v float64) {
		if !math.IsNaN(v) {
			s.bad, s.total = s.bad+v, s.total+1
		}
	})
	return s
}

// increase asks for the whole month at once: the way of Pyrra.
func (n naive) increase(tier string) share {
	at := func(selector string) float64 {
		value, _, _, err := n.api.Query(background, fmt.Sprintf(`sum(increase(http_requests_total{%s}[30d]))`, selector), t0.Add(month))
		if err != nil {
			n.b.Fatal(err)
		}
		if v := value.(model.Vector); len(v) == 1 {
			return float64(v[0].Value)
		}
		return 0
	}
	return share{at(fmt.Sprintf(`job="%s",code="500"`, tier)), at(fmt.Sprintf(`job="%s"`, tier))}
}

// table is the misses as Markdown: median / largest, in percent.
func (e misses) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "| %-26s | %s |\n|---|---|---|---|---|\n", "error in %, median / max", strings.Join(tiers, " | "))
	for _, way := range ways {
		fmt.Fprintf(&b, "| %-26s |", way)
		for _, tier := range tiers {
			fmt.Fprintf(&b, " %.3g / %.3g |", median(e[way][tier]), slices.Max(e[way][tier]))
		}
		b.WriteString("\n")
	}
	return b.String()
}

// median sorts NaN first, so a way that has no value most of the time has no median either.
func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}
