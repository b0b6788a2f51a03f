package bench

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	diff "github.com/google/go-cmp/cmp"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/engine/enginetest"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake/chance"
	"github.com/slowburn-sre/slowburn/slo"
)

// The low-traffic test, by simulation: what the alerts of a service with little traffic say while
// it spends half of its budget, and how long they take when something is wrong. Minutes are drawn
// at random and go through the decision code as they would live.

// quiet is a service with so many requests an hour on average.
type quiet struct {
	objective string
	perHour   float64
	failures  failures
}

// failures is how ordinary failures come.
type failures string

const (
	single    failures = "single failures"
	clumped   failures = "clumps of three"            // on average, by a geometric distribution; each in one minute
	scattered failures = "clumps of three, scattered" // each failure 20 s after the one before, on average
)

const (
	meanClump  = 3
	monthLong  = budget.Minute(30 * 1440)
	pastLong   = budget.Minute(73 * 60) // before the month: longer than any alert looks back
	quietStart = budget.Minute(1440 * 20_000)
)

// The promise, for a month of one SLO.
const (
	mostFalsePages   = 0.01
	mostFalseTickets = 0.1
)

var (
	objectives = []string{"98", "99", "99.9", "99.99"}
	perHours   = []float64{1, 10, 100, 1000}
)

// monthsOfLife is how many months of an SLO each cell of the table has, for each of the lives.
const monthsOfLife = 5

// TestQuietServices counts false pages and tickets. It tries the services of which the plain rules
// say most, together; from 200 lives on, all of them, each by itself, and prints the table of
// docs/benchmarks.md.
func TestQuietServices(t *testing.T) {
	allPages, allTickets, all := 0, 0, 0
	for _, f := range []failures{single, clumped, scattered} {
		for _, objective := range objectives {
			row := fmt.Sprintf("| %s, %s %%", f, objective)
			for _, perHour := range perHours {
				q := quiet{objective, perHour, f}
				if *lives < 200 && !q.notorious() {
					continue
				}
				n := *lives * monthsOfLife
				pages, tickets := q.falseCalls(q.spec(t), n)
				allPages, allTickets, all = allPages+pages, allTickets+tickets, all+n
				row += fmt.Sprintf(" | %s · %s", rate(pages, n), rate(tickets, n))
				if *lives >= 200 && f != scattered && (upper(pages) > mostFalsePages*float64(n) || upper(tickets) > mostFalseTickets*float64(n)) {
					t.Errorf("%v: %d false pages and %d false tickets in %d months", q, pages, tickets, n)
				}
			}
			if *lives >= 200 {
				t.Log(row + " |")
			}
		}
	}
	if float64(allPages) > mostFalsePages*float64(all) || float64(allTickets) > mostFalseTickets*float64(all) {
		t.Errorf("%d false pages and %d false tickets in %d months", allPages, allTickets, all)
	}
}

// BenchmarkQuietPlainRules counts the same of the workbook's rules without the test, for
// comparison.
func BenchmarkQuietPlainRules(b *testing.B) {
	for _, f := range []failures{single, clumped} {
		for _, objective := range objectives {
			row := fmt.Sprintf("| plain, %s, %s %%", f, objective)
			for _, perHour := range perHours {
				q := quiet{objective, perHour, f}
				plain := *q.spec(b)
				plain.Alerts.Significance = false
				pages, tickets := q.falseCalls(&plain, *lives)
				row += fmt.Sprintf(" | %.2g · %.2g", float64(pages)/float64(*lives), float64(tickets)/float64(*lives))
			}
			b.Log(row + " |")
		}
	}
}

// notorious reports whether a service has so many false calls by the plain rules that a few months
// show them.
func (q quiet) notorious() bool {
	return q.perHour == 10 && q.objective != "99.99"
}

// rate writes how many there were in a month, with the upper bound.
func rate(count, months int) string {
	return fmt.Sprintf("%.3g (%.2g)", float64(count)/float64(months), upper(count)/float64(months))
}

// BenchmarkQuietDetection measures what the test costs: the time from the first failed request to
// the page, beside that of the plain rules. It prints the table of docs/benchmarks.md.
func BenchmarkQuietDetection(b *testing.B) {
	for _, ratio := range []float64{1, 0.2} {
		for _, objective := range objectives {
			row := fmt.Sprintf("| %g %% fail, %s %%", ratio*100, objective)
			for _, perHour := range perHours {
				q := quiet{objective, perHour, single}
				spec := q.spec(b)
				plain := *spec
				plain.Alerts.Significance = false
				row += fmt.Sprintf(" | %s · %s", detected(q.detection(spec, ratio, *lives), *lives), detected(q.detection(&plain, ratio, *lives), *lives))
			}
			b.Log(row + " |")
		}
	}
}

// detected writes the median and the 90th percentile of detections in minutes, of so many lives.
func detected(found []int, lives int) string {
	at := func(share float64) string {
		if i := int(share * float64(lives)); i < len(found) {
			return fmt.Sprint(found[i])
		}
		return "—"
	}
	return at(0.5) + " / " + at(0.9)
}

// TestQuietServicesAreWalkedWhole: that only minutes are walked in which something can happen,
// changes nothing.
func TestQuietServicesAreWalkedWhole(t *testing.T) {
	for n, objective := range objectives {
		for _, on := range []bool{true, false} {
			q := quiet{objective, []float64{5, 10, 100, 1000}[n], scattered}
			spec := q.spec(t)
			spec.Alerts.Significance = on
			m := q.ordinary(chance.New(1, fmt.Sprint(q)), quietStart-pastLong, pastLong+monthLong/3, spec.Objective.AllowedRatio())
			in := alerting.Input{ID: spec.ID(), Spec: spec, Ledger: m.ledger()}
			_, want := alerting.Advance(in, alerting.State{Through: quietStart}, in.Ledger.End())
			if d := diff.Diff(want, m.events(spec, quietStart)); d != "" {
				t.Errorf("%v, test %v: (-whole +quick)\n%s", q, on, d)
			}
			if !on && len(want) == 0 {
				t.Errorf("%v: nothing happens, which shows nothing", q)
			}
		}
	}
}

func (q quiet) spec(t testing.TB) *slo.Spec {
	return enginetest.Load(t, fmt.Sprintf(`
version: slowburn/v1
service: shop
slos:
  - name: quiet
    objective: %s
    window: 30d
    sli: {events: {total: 'http_requests_total{job="shop"}', bad: 'http_requests_total{job="shop",code=~"5.."}'}}
    alerts: {spent: off, no_data: off}
`, q.objective)).Specs[0]
}

// minutes is what happened, from one minute on.
type minutes struct {
	from       budget.Minute
	bad, total []int64
}

// fail adds a failed request, so many minutes after the beginning.
func (m *minutes) fail(at float64) {
	if i := int(at); i < len(m.bad) {
		m.bad[i]++
		m.total[i]++
	}
}

// ordinary draws minutes of a service that loses this share of its requests.
func (q quiet) ordinary(rng *rand.Rand, from, length budget.Minute, ratio float64) *minutes {
	m := &minutes{from: from, bad: make([]int64, length), total: make([]int64, length)}
	good := newPoisson(q.perHour / 60 * (1 - ratio))
	for i := range m.total {
		m.total[i] = good.draw(rng)
	}
	clump := 1.0
	if q.failures != single {
		clump = meanClump
	}
	between := 60 / (q.perHour * ratio) * clump
	for at := rng.ExpFloat64() * between; at < float64(length); at += rng.ExpFloat64() * between {
		m.fail(at)
		for when := at; rng.Float64() >= 1/clump; {
			if q.failures == scattered {
				when += rng.ExpFloat64() / 3
			}
			m.fail(when)
		}
	}
	return m
}

// outage lets this share of the requests fail from a minute on.
func (m *minutes) outage(rng *rand.Rand, from budget.Minute, ratio float64) {
	for i := int(from - m.from); i < len(m.bad); i++ {
		m.bad[i] = int64(chance.Binomial(rng, float64(m.total[i]), ratio))
	}
}

func (m *minutes) ledger() *budget.Ledger {
	l := &budget.Ledger{}
	for i := range m.bad {
		l.Put(m.from+budget.Minute(i), budget.Count(m.bad[i]*budget.Unit, m.total[i]*budget.Unit))
	}
	return l
}

// events walks from a minute to the end. While nothing is open, it walks only the minutes in which
// a pair of windows is above its threshold: in others nothing can begin.
func (m *minutes) events(spec *slo.Spec, from budget.Minute) (all []alerting.Event) {
	var in alerting.Input
	st, above := alerting.State{Through: from}, m.above(spec)
	for end := m.from + budget.Minute(len(m.bad)); st.Through < end; {
		to := st.Through + 1
		if st.Burn == nil {
			n, _ := slices.BinarySearch(above, st.Through)
			if n == len(above) {
				break
			}
			st.Through, to = above[n], above[n]+1
		}
		if in.Ledger == nil {
			in = alerting.Input{ID: spec.ID(), Spec: spec, Ledger: m.ledger()}
		}
		var events []alerting.Event
		st, events = alerting.Advance(in, st, to)
		all = append(all, events...)
	}
	return all
}

// above returns the minutes in which a pair of windows is above its threshold.
func (m *minutes) above(spec *slo.Spec) (all []budget.Minute) {
	bad, total := sums(m.bad), sums(m.total)
	over := func(end, window int, threshold float64) bool {
		begin := max(end-window, 0)
		return float64(bad[end]-bad[begin]) > (1-1e-9)*threshold*float64(total[end]-total[begin])
	}
	pairs := slices.Concat(spec.Alerts.Page, spec.Alerts.Ticket)
	for end := 1; end <= len(m.bad); end++ {
		if slices.ContainsFunc(pairs, func(p slo.Pair) bool {
			threshold := p.Burn(spec.Window().Length()) * spec.Objective.AllowedRatio()
			return over(end, int(p.Short/time.Minute), threshold) && over(end, int(p.Long/time.Minute), threshold)
		}) {
			all = append(all, m.from+budget.Minute(end-1))
		}
	}
	return all
}

// sums returns the sums of the first 0, 1, 2 … numbers.
func sums(numbers []int64) []int64 {
	all := make([]int64, len(numbers)+1)
	for i, n := range numbers {
		all[i+1] = all[i] + n
	}
	return all
}

// calls counts the pages and tickets among events. A ticket that becomes a page is both.
func calls(events []alerting.Event) (pages, tickets int) {
	for _, e := range events {
		switch {
		case e.Kind == alerting.Opened && e.Severity == alerting.Page, e.Kind == alerting.Escalated:
			pages++
		case e.Kind == alerting.Opened && e.Severity == alerting.Ticket:
			tickets++
		}
	}
	return pages, tickets
}

// falseCalls lives through so many months of ordinary failures.
func (q quiet) falseCalls(spec *slo.Spec, months int) (pages, tickets int) {
	rng := chance.New(uint64(months), fmt.Sprint(q))
	for range months {
		m := q.ordinary(rng, quietStart-pastLong, pastLong+monthLong, spec.Objective.AllowedRatio()/2)
		p, t := calls(m.events(spec, quietStart))
		pages, tickets = pages+p, tickets+t
	}
	return pages, tickets
}

// detection is how long the first page takes after an outage began, in minutes, sorted; of so many
// outages, where one is found within a day.
func (q quiet) detection(spec *slo.Spec, ratio float64, times int) (found []int) {
	rng := chance.New(uint64(times), fmt.Sprint(q, ratio))
	for range times {
		m := q.ordinary(rng, quietStart-pastLong, pastLong+1440, spec.Objective.AllowedRatio()/2)
		m.outage(rng, quietStart, ratio)
		for _, e := range m.events(spec, quietStart) {
			if p, _ := calls([]alerting.Event{e}); p > 0 {
				found = append(found, int(e.At+1-quietStart))
				break
			}
		}
	}
	slices.Sort(found)
	return found
}

// upper returns the upper 95 % bound of a rate of which n were counted: the mean of the Poisson
// distribution of which n or fewer have a probability of 5 %.
func upper(n int) float64 {
	low, high := float64(n), float64(n)*2+10
	for range 60 {
		mean := (low + high) / 2
		p, term := 0.0, math.Exp(-mean)
		for k := 0; k <= n; k++ {
			p += term
			term *= mean / float64(k+1)
		}
		if p > 0.05 {
			low = mean
		} else {
			high = mean
		}
	}
	return high
}

// poisson draws from the Poisson distribution of one mean, by a table.
type poisson struct{ below []float64 }

func newPoisson(mean float64) poisson {
	var p poisson
	sum, term := 0.0, math.Exp(-mean)
	for k := 1; sum < 1-1e-12 && k < 10_000; k++ {
		sum += term
		p.below = append(p.below, sum)
		term *= mean / float64(k)
	}
	return p
}

func (p poisson) draw(rng *rand.Rand) int64 {
	i, _ := slices.BinarySearchFunc(p.below, rng.Float64(), cmp.Compare[float64])
	return int64(i)
}
