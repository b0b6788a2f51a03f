package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake/promtest"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/slo"
	"github.com/slowburn-sre/slowburn/slo/file"
	"github.com/slowburn-sre/slowburn/slo/sloth"
)

// The indicators of the scenarios.
const (
	byCounters = `events: {total: 'http_requests_total{job="api"}', bad: 'http_requests_total{job="api",code=~"5.."}'}`
	byGood     = `events: {total: 'http_requests_total{job="api"}', good: 'http_requests_total{job="api",code=~"2.."}'}`
	byRates    = `events: {total: 'sum(increase(http_requests_total{job="api"}[$window]))', bad: 'sum(increase(http_requests_total{job="api",code=~"5.."}[$window])) * 1'}`
	byBoth     = `events: {total: 'http_requests_total{job="api"}', bad: 'clamp_min(sum(increase(http_requests_total{job="api"}[$window])) - sum(increase(http_requests_total{job="api",code!~"5.."}[$window])), 0)'}`
	byLatency  = `latency: {histogram: 'http_request_duration_seconds{job="api"}', below: 1s}`
	byOthers   = `events: {total: 'http_requests_total{job="api"}', bad: 'lb_errors_total'}`
	byPods     = `events: {total: e_total, bad: 'e_total{code="500"}'}`
)

// scenario is something that happens to real data, and what may be said of it.
type scenario struct {
	name, sentence string
	sli            string
	objective      string // 99.9 unless it says otherwise
	world          func(t testing.TB, db *promfake.DB)
	page           *page    // nil: nobody is called
	known          float64  // share of the time that is known at least, 0.99 if it is 0
	problems       []string // substrings of what is said of the data, one each; nil is not looked at
}

// page is when the only page begins and ends, give or take, and how many events it cost. Without an
// end it is open.
type page struct {
	from, to time.Time
	within   time.Duration // after from it begins, and after to it ends
	bad      float64       // give or take a hundredth; 0 is not looked at
	onset    time.Time     // zero is not looked at
}

// hourOfTen is the page of anOutage; it ends when half an hour holds little of it.
var hourOfTen = &page{from: clock(10, 1), to: clock(11, 28), within: 3 * time.Minute, bad: 36_000}

// later is hourOfTen of what is read by rates or rarely, which is known later.
func later(by time.Duration) *page {
	p := *hourOfTen
	p.within += by
	return &p
}

func worldOf(a requests) func(testing.TB, *promfake.DB) {
	return func(t testing.TB, db *promfake.DB) { a.write(t, db) }
}

var scenarios = []scenario{
	{
		name: "control", sentence: "every request fails for an hour", sli: byCounters,
		world: worldOf(requests{outage: anOutage, lifetime: 12e3}), page: hourOfTen,
	},
	{
		name: "le-control", sentence: "every request is slow for an hour", sli: byLatency, objective: "99",
		world: func(t testing.TB, db *promfake.DB) {
			histogram(t, db, anOutage, func(time.Time) string { return "1" })
		},
		page: &page{from: clock(10, 7), to: clock(11, 27), within: 3 * time.Minute, bad: 36_000},
	},
	{
		name: "le-rename", sentence: "Prometheus 3 writes the bound as 1.0, an hour before every request is slow", sli: byLatency, objective: "99",
		world: func(t testing.TB, db *promfake.DB) {
			histogram(t, db, anOutage, func(at time.Time) string { return map[bool]string{true: "1", false: "1.0"}[at.Before(clock(9, 0))] })
		},
		page: &page{from: clock(10, 7), to: clock(11, 27), within: 3 * time.Minute, bad: 36_000},
	},
	{
		name: "relabel-quiet", sentence: "a label is added to the series of a process that has failed often, long ago", sli: byCounters,
		world: worldOf(requests{lifetime: 1.8e6, labels: since(clock(9, 0), "cluster", "eu1")}),
	},
	{
		name: "discovered", sentence: "a second target is found that has run for months, and failed often, long ago", sli: byCounters,
		world: func(t testing.TB, db *promfake.DB) {
			requests{lifetime: 12e3}.write(t, db)
			requests{lifetime: 1.8e6, instance: "10.0.0.2:8080", from: clock(9, 0)}.write(t, db)
		},
	},
	{
		name: "relabel-outage", sentence: "a label is added an hour before every request fails", sli: byCounters,
		world: worldOf(requests{lifetime: 12e3, outage: anOutage, labels: since(clock(9, 0), "cluster", "eu1")}), page: hourOfTen,
	},
	{
		name: "relabel-then-outage-5", sentence: "a label is added five minutes before every request fails", sli: byCounters,
		world: worldOf(requests{lifetime: 12e3, outage: anOutage, labels: since(clock(9, 55), "cluster", "eu1")}), page: hourOfTen,
	},
	{
		name: "relabel-then-outage-30", sentence: "a label is added half an hour before every request fails", sli: byCounters,
		world: worldOf(requests{lifetime: 12e3, outage: anOutage, labels: since(clock(9, 30), "cluster", "eu1")}), page: hourOfTen,
	},
	{
		name: "relabel-then-outage-55", sentence: "a label is added 55 minutes before every request fails", sli: byCounters,
		world: worldOf(requests{lifetime: 12e3, outage: anOutage, labels: since(clock(9, 5), "cluster", "eu1")}), page: hourOfTen,
	},
	{
		name: "dip", sentence: "an error counter is one lower for a scrape, three times, as behind two replicas of Prometheus", sli: byCounters,
		world: worldOf(requests{lifetime: 12e3, bent: func(code string, at time.Time, v float64) float64 {
			if code == "500" && oneOf(at, clock(9, 0), clock(9, 20), clock(9, 30)) {
				return v - 1
			}
			return v
		}}),
	},
	{
		name: "scrape-5m", sentence: "every request fails for an hour, scraped every five minutes", sli: byCounters,
		world: worldOf(requests{every: 5 * time.Minute, outage: anOutage, lifetime: 12e3}), page: later(5 * time.Minute),
	},
	{
		name: "scrape-10m", sentence: "every request fails for an hour, scraped every ten minutes", sli: byCounters,
		world: worldOf(requests{every: 10 * time.Minute, outage: anOutage, lifetime: 12e3}), page: later(10 * time.Minute), known: 0.98,
	},
	{
		name: "more-bad", sentence: "the bad events are those of a larger service, all day long", sli: byOthers,
		world: func(t testing.TB, db *promfake.DB) {
			requests{lifetime: 12e3}.write(t, db)
			write(t, db, metric{
				every: 30 * time.Second, offset: 7 * time.Second, rate: func(time.Time) float64 { return 50.0 / 3 },
				labels: func(time.Time) []string {
					return []string{"__name__", "lb_errors_total", "job", "lb", "instance", "lb1"}
				},
			})
		},
		page: &page{from: clock(-6, 1), within: time.Minute}, problems: []string{"1,440 minutes had more"},
	},
	{
		name: "nan", sentence: "every fiftieth sample is no number", sli: byCounters,
		world: worldOf(requests{lifetime: 12e3, bent: func(_ string, at time.Time, v float64) float64 {
			if int(at.Sub(worldBegin)/(30*time.Second))%50 == 49 {
				return math.NaN()
			}
			return v
		}}),
		problems: []string{"114 samples"},
	},
	{
		name: "good-dropped", sentence: "the series of good events are dropped while the requests go on", sli: byGood,
		world: worldOf(requests{lifetime: 12e3, shown: func(code string, at time.Time) bool { return code != "200" || !within(at, clock(9, 0), clock(9, 40)) }}),
		known: 0.95, problems: []string{"10.0.0.1:8080"},
	},
	{
		name: "bucket-dropped", sentence: "the bucket is dropped while the count goes on, and does not come back", sli: byLatency, objective: "99",
		world: func(t testing.TB, db *promfake.DB) {
			histogram(t, db, [2]time.Time{}, func(at time.Time) string { return map[bool]string{true: "1"}[at.Before(clock(9, 0))] })
		},
		known: 0.8, problems: []string{"10.0.0.1:8080"},
	},
	{
		name: "relabel-after", sentence: "a label is added a day after half of the requests failed for half an hour", sli: byPods,
		world: func(t testing.TB, db *promfake.DB) {
			pods(t, db, failing(0.5, clock(-3, 0), clock(-3, 30)), [2]time.Time{}, func(pod string, at time.Time) []string {
				return append([]string{"instance", "e:" + pod}, since(clock(11, 0), "cluster", "eu")("", at)...)
			})
		},
		page: &page{from: clock(-3, 1), to: clock(-2, 0), within: 3 * time.Minute, bad: 18_000},
	},
	{
		name: "port-changed", sentence: "the same, and the port of the pods changes", sli: byPods,
		world: func(t testing.TB, db *promfake.DB) {
			pods(t, db, failing(0.5, clock(-3, 0), clock(-3, 30)), [2]time.Time{}, func(pod string, at time.Time) []string {
				if at.Before(clock(11, 0)) {
					return []string{"instance", "e:" + pod}
				}
				return []string{"instance", "e:9" + pod}
			})
		},
		page: &page{from: clock(-3, 1), to: clock(-2, 0), within: 3 * time.Minute, bad: 18_000},
	},
	{
		name: "outage-in-a-hole", sentence: "ten minutes of half failing lie within 22 in which nothing was scraped", sli: byPods,
		world: func(t testing.TB, db *promfake.DB) {
			pods(t, db, failing(0.5, clock(6, 0), clock(6, 10)), [2]time.Time{clock(5, 59), clock(6, 21)}, podsOfE)
		},
		page: &page{from: clock(6, 21), to: clock(6, 50), within: 5 * time.Minute, bad: 6_000, onset: clock(5, 59)}, known: 0.95,
	},
	{
		name: "outage-in-a-hole-over-midnight", sentence: "the same at midnight, where days of history meet", sli: byPods,
		world: func(t testing.TB, db *promfake.DB) {
			pods(t, db, failing(0.5, clock(0, 0), clock(0, 10)), [2]time.Time{clock(-1, 59), clock(0, 21)}, podsOfE)
		},
		page: &page{from: clock(0, 21), to: clock(0, 50), within: 5 * time.Minute, bad: 6_000, onset: clock(-1, 59)}, known: 0.95,
	},
	{
		name: "outage-from-a-hole", sentence: "30 minutes of a third failing begin within nine in which nothing was scraped", sli: byPods,
		world: func(t testing.TB, db *promfake.DB) {
			pods(t, db, failing(0.3, clock(6, 0), clock(6, 30)), [2]time.Time{clock(5, 59), clock(6, 8)}, podsOfE)
		},
		page: &page{from: clock(6, 8), to: clock(6, 58), within: 4 * time.Minute, bad: 10_800, onset: clock(5, 59)}, known: 0.95,
	},
	{
		name: "scrape-2m-expr", sentence: "an expression over what is scraped every two minutes", sli: byRates,
		world: worldOf(requests{every: 2 * time.Minute, outage: anOutage, lifetime: 12e3}), page: later(3 * time.Minute),
	},
	{
		name: "scrape-5m-expr", sentence: "an expression over what is scraped every five minutes", sli: byRates,
		world: worldOf(requests{every: 5 * time.Minute, outage: anOutage, lifetime: 12e3}), page: later(10 * time.Minute),
	},
	{
		name: "scrape-10m-expr", sentence: "an expression over what is scraped every ten minutes", sli: byRates,
		world: worldOf(requests{every: 10 * time.Minute, outage: anOutage, lifetime: 12e3}), page: later(20 * time.Minute),
	},
	{
		name: "scrape-2m-mixed", sentence: "a counter and an expression, scraped every two minutes", sli: byBoth,
		world: worldOf(requests{every: 2 * time.Minute, outage: anOutage, lifetime: 12e3}), page: later(3 * time.Minute),
	},
	{
		name: "scrape-5m-mixed", sentence: "a counter and an expression, scraped every five minutes", sli: byBoth,
		world: worldOf(requests{every: 5 * time.Minute, outage: anOutage, lifetime: 12e3}), page: later(10 * time.Minute),
	},
}

// TestScenarios replays each scenario with the code of backtest over a day of history.
func TestScenarios(t *testing.T) {
	for _, sc := range scenarios {
		t.Run(sc.name, func(t *testing.T) {
			t.Parallel()
			db := promfake.New(promfake.Options{Now: func() time.Time { return worldEnd }})
			sc.world(t, db)
			got := replayWorld(t, db, sc)
			if got.Known < cmp.Or(sc.known, 0.99) {
				t.Errorf("%.1f %% of the time is known", 100*got.Known)
			}
			var pages []alerting.Incident
			for _, i := range got.Incidents {
				if i.Severity == alerting.Page {
					pages = append(pages, i)
				}
			}
			for _, p := range pages {
				t.Logf("page %s to %s, onset %s, %d bad", p.Detected.Format("15:04"), p.Resolved.Format("15:04"), p.Onset.Format("15:04"), p.Bad()/budget.Unit)
			}
			t.Logf("problems %q", got.Problems)
			t.Log(sc.row(&got, pages))
			if sc.page == nil {
				if len(pages) > 0 {
					t.Errorf("%s: %d pages, want none", sc.sentence, len(pages))
				}
			} else if err := sc.page.compare(pages); err != nil {
				t.Errorf("%s: %v", sc.sentence, err)
			}
			said := strings.Join(got.Problems, "\n")
			for _, want := range sc.problems {
				if !strings.Contains(said, want) {
					t.Errorf("%q is missing in %q", want, got.Problems)
				}
			}
		})
	}
}

// TestAQuotientOfSlothCountsAsSlothDoes: an error query of Sloth's that is a quotient itself, over
// a total that is a rate. Sloth divides one by the other, about 1 by 10 a second while everything
// fails, and the share of bad events is the same.
func TestAQuotientOfSlothCountsAsSlothDoes(t *testing.T) {
	db := promfake.New(promfake.Options{Now: func() time.Time { return worldEnd }})
	requests{outage: anOutage, lifetime: 12e3}.write(t, db)
	client := clientOf(t, db)
	const (
		bad   = `(sum(rate(http_requests_total{job="api",code="500"}[W])) / sum(rate(http_requests_total{job="api"}[W])) > 0.01)`
		total = `sum(rate(http_requests_total{job="api"}[W]))`
	)
	text := "version: prometheus/v1\nservice: api\nslos:\n  - name: availability\n    objective: 99\n    sli:\n      events:\n        error_query: " +
		strings.ReplaceAll(bad, "[W]", "[{{.window}}]") + "\n        total_query: " + strings.ReplaceAll(total, "[W]", "[{{.window}}]") + "\n    alerting: {name: X}\n"
	set, err := file.Load([]file.File{{Name: "a.yaml", Data: []byte(text)}}, sloth.Reader(sloth.Options{}))
	must(t, err)
	want, failed := client.Vector(t.Context(), strings.ReplaceAll(bad+" / "+total, "[W]", "[1h]"), anOutage[1])
	if failed != nil || len(want) != 1 {
		t.Fatal(want, failed)
	}
	ledgers, _ := readWorld(t, client, set)
	sum := ledgers["api/availability"].Sum(budget.MinuteOf(anOutage[0]), budget.MinuteOf(anOutage[1]))
	got := float64(sum.Bad) / float64(sum.Total)
	if t.Logf("%.4f, by Sloth %.4f", got, want[0].Value); math.Abs(got/want[0].Value-1) > 0.01 {
		t.Errorf("a share of %.4f is bad, by Sloth %.4f", got, want[0].Value)
	}
}

// row is the scenario in the table of docs/benchmarks.md: what was paged, of what was to be paged.
func (sc *scenario) row(got *replay, pages []alerting.Incident) string {
	right, said := 0, "none"
	if sc.page != nil {
		right = 1
	}
	for i, p := range pages {
		if i == 0 {
			said = ""
		}
		said += fmt.Sprintf("%s after %d min, %s bad", p.Onset.Format("15:04"), int(p.Detected.Sub(p.Onset).Minutes()), figures.Events(p.Bad()))
	}
	return fmt.Sprintf("| %s | %d of %d | %s | %s |", sc.sentence, len(pages), right, said, figures.Share(int64(got.Known*1e6), 1e6))
}

func (p *page) compare(pages []alerting.Incident) error {
	if len(pages) != 1 {
		return fmt.Errorf("%d pages, want one", len(pages))
	}
	got := pages[0]
	near := func(t, want time.Time) bool { return !t.Before(want) && !t.After(want.Add(p.within)) }
	switch bad := float64(got.Bad()) / budget.Unit; {
	case !near(got.Detected, p.from) || !p.to.IsZero() && !near(got.Resolved, p.to) || p.to.IsZero() && !got.Open:
		return fmt.Errorf("a page from %s to %s, want %s to %s", got.Detected, got.Resolved, p.from, p.to)
	case p.bad > 0 && math.Abs(bad-p.bad) > p.bad/100:
		return fmt.Errorf("%.0f bad events, want %.0f", bad, p.bad)
	case !p.onset.IsZero() && !got.Onset.Equal(p.onset):
		return fmt.Errorf("onset %s, want %s", got.Onset, p.onset)
	}
	return nil
}

// replayFrom is when what is replayed of a world begins.
var replayFrom = budget.MinuteOf(worldBegin.Add(6 * time.Hour))

// clientOf asks a server over a world.
func clientOf(t *testing.T, db *promfake.DB) *prom.Client {
	t.Helper()
	client, err := prom.NewClient(prom.ClientOptions{URL: promtest.Serve(t, db.Handler())})
	must(t, err)
	t.Cleanup(client.CloseIdle)
	return client
}

// readWorld reads what is to be replayed.
func readWorld(t *testing.T, client *prom.Client, set *slo.Set) (map[slo.ID]*budget.Ledger, map[slo.ID][]string) {
	t.Helper()
	e := &env{surroundings: surroundings{err: io.Discard}, ctx: context.Background()}
	ledgers, problems, err := readHistory(e, prom.New(client, prom.Options{}), set, replayFrom, budget.MinuteOf(worldEnd))
	must(t, err)
	return ledgers, problems
}

// replayWorld replays the last 18 hours of a world.
func replayWorld(t *testing.T, db *promfake.DB, sc scenario) replay {
	t.Helper()
	objective := sc.objective
	if objective == "" {
		objective = "99.9"
	}
	text := "version: slowburn/v1\nservice: api\nslos:\n  - name: x\n    objective: " + objective + "\n    sli: {" + sc.sli + "}\n"
	set, err := file.Load([]file.File{{Name: "a.yaml", Data: []byte(text)}})
	must(t, err)
	ledgers, problems := readWorld(t, clientOf(t, db), set)
	spec := set.Specs[0]
	r := replayOne(alerting.Input{ID: spec.ID(), Spec: spec, Ledger: ledgers[spec.ID()]}, replayFrom, budget.MinuteOf(worldEnd))
	r.Problems = problems[spec.ID()]
	return r
}
