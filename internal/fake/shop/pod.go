package shop

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"time"

	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake/chance"
)

// restartEvery is how often, on average, a pod crashes and starts again under its old name, with
// its counters at zero.
const restartEvery = 9 * 24 * time.Hour

// target is one replica of a service as Prometheus sees it: scraped at a fixed offset in every
// interval, whichever pod runs there at the moment.
type target struct {
	shop       *Shop
	service    service
	replica    int
	rng        *rand.Rand
	next       time.Time // when it is scraped next
	generation int       // number of rollouts the running pod has seen
	pod        *pod
}

func newTarget(s *Shop, svc service, replica int, begin time.Time) *target {
	t := &target{shop: s, service: svc, replica: replica, rng: chance.New(s.seed, fmt.Sprintf("%s/%d", svc.name, replica))}
	t.next = begin.Add(time.Duration(t.rng.Int64N(int64(Interval/time.Millisecond))) * time.Millisecond)
	return t
}

// scrapeUntil scrapes as often as is due until to, inclusive.
func (t *target) scrapeUntil(to time.Time) {
	for !t.next.After(to) {
		t.scrape()
	}
}

// scrape lives through one interval and appends what a scrape at its end shows.
func (t *target) scrape() {
	now := t.next
	t.next = now.Add(Interval)
	generation, version := t.shop.deployed(t.service.name, now)
	switch {
	case generation != t.generation:
		if t.pod != nil {
			t.pod.end(now)
		}
		t.generation = generation
		t.pod = t.start(version)
	case t.rng.Float64() < float64(Interval)/float64(restartEvery):
		t.pod.reset()
	}
	t.pod.run(moment{
		t:       now,
		seconds: Interval.Seconds(),
		load:    load(now),
		failing: func(route string) float64 { return t.shop.failing(t.service.name, route, now) },
	})
	t.pod.expose(now)
}

// start makes the pod of the current generation.
func (t *target) start(version string) *pod {
	p := &pod{
		db: t.shop.db, rng: t.rng, job: t.service.name, version: version, generation: t.generation, replica: t.replica,
		instance: fmt.Sprintf("%s-%s-%d:8080", t.service.name, shortHash(t.service.name, version, t.generation), t.replica),
	}
	instrumentRuntime(p)
	p.run = both(p.run, t.service.instrument(p))
	return p
}

// shortHash returns the middle part of a pod name, which changes with a rollout.
func shortHash(parts ...any) string {
	h := fnv.New32a()
	fmt.Fprint(h, parts...)
	return fmt.Sprintf("%08x", h.Sum32())
}

// moment is the interval a pod lives through: what happens in the `seconds` before t.
type moment struct {
	t       time.Time
	seconds float64
	load    float64                    // relative traffic, see load
	failing func(route string) float64 // share of work on a route that fails, 0…1
}

// pod is one running instance with its metrics.
type pod struct {
	db         *promfake.DB
	rng        *rand.Rand
	job        string
	instance   string
	version    string
	generation int
	replica    int
	run        func(moment) // lives through an interval
	metrics    []*metric
}

func both(a, b func(moment)) func(moment) {
	return func(m moment) {
		if a != nil {
			a(m)
		}
		b(m)
	}
}

// metric is one series of a pod.
type metric struct {
	value     float64
	hist      *histogram.Histogram // native histogram in place of value
	labels    labels.Labels
	series    *promfake.Series
	gauge     bool // survives a restart of the process
	lazy      bool // exists only once it is above zero
	stable    bool // not about this pod: outlives it
	exposed   bool // was part of the last scrape
	exemplars []exemplar.Exemplar
}

// add registers a metric of the pod under its job and instance, which pairs may override.
func (p *pod) add(m *metric, name string, pairs ...string) *metric {
	b := labels.NewBuilder(labels.FromStrings("__name__", name, "job", p.job, "instance", p.instance))
	for i := 0; i+1 < len(pairs); i += 2 {
		b.Set(pairs[i], pairs[i+1])
	}
	m.labels = b.Labels()
	p.metrics = append(p.metrics, m)
	return m
}

// counter registers a counter that is there from the start.
func (p *pod) counter(name string, pairs ...string) *metric { return p.add(&metric{}, name, pairs...) }

// lazyCounter registers a counter that the first event creates.
func (p *pod) lazyCounter(name string, pairs ...string) *metric {
	return p.add(&metric{lazy: true}, name, pairs...)
}

// gauge registers a gauge.
func (p *pod) gauge(value float64, name string, pairs ...string) *metric {
	return p.add(&metric{gauge: true, value: value}, name, pairs...)
}

// outside registers a gauge that describes the pod's service from outside, under an instance of its
// own that no deployment changes.
func (p *pod) outside(value float64, name, instance string, pairs ...string) *metric {
	m := p.gauge(value, name, append(pairs, "instance", instance)...)
	m.stable = true
	return m
}

// reset crashes the pod: counters restart at zero under the same labels.
func (p *pod) reset() {
	for _, m := range p.metrics {
		if m.hist != nil {
			m.hist = emptyNative()
		} else if !m.gauge {
			m.value = 0
		}
	}
}

// expose appends a sample per metric, or a stale marker where one is gone.
func (p *pod) expose(at time.Time) {
	ms := at.UnixMilli()
	for _, m := range p.metrics {
		if m.lazy && m.value == 0 {
			m.end(ms)
			continue
		}
		if m.series == nil {
			m.series = p.db.Series(m.labels)
		}
		m.exposed = true
		if m.hist != nil {
			must(m.series.AppendHistogram(ms, m.hist))
		} else {
			must(m.series.Append(ms, m.value))
		}
		for _, e := range m.exemplars {
			must(m.series.AppendExemplar(e))
		}
		m.exemplars = m.exemplars[:0]
	}
}

// end stops the pod: its series get stale markers.
func (p *pod) end(at time.Time) {
	for _, m := range p.metrics {
		if !m.stable {
			m.end(at.UnixMilli())
		}
	}
}

func (m *metric) end(ms int64) {
	if m.exposed {
		must(m.series.MarkStale(ms))
		m.exposed = false
	}
}

// must reports what cannot happen: a pod writes its own series in order.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// trace leaves an exemplar with a made-up trace ID on the metric.
func (p *pod) trace(m *metric, value float64, at time.Time) {
	id := fmt.Sprintf("%016x%016x", p.rng.Uint64(), p.rng.Uint64())
	m.exemplars = append(m.exemplars, exemplar.Exemplar{
		Labels: labels.FromStrings("trace_id", id), Value: value, Ts: at.UnixMilli(), HasTs: true,
	})
}
