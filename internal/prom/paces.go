package prom

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/slowburn-sre/slowburn/slo"
)

// Pace is how the samples of an SLO come.
type Pace struct {
	Every time.Duration // how far apart, of several metrics the slowest; 0 if there are none
	Late  time.Duration // about how late, of several metrics and targets the latest; 0 if in time
	Err   *Error        // why it is not known
}

// Paces returns how the samples of SLOs come at a time, in the order of the SLOs: what
// [Client.ScrapesOf] and [Client.LatenessOf] say of each, but of several rhythms surely the
// slowest. SLOs that name the same metric are asked about together, as the reader asks for their
// samples, so that a thousand of them take a few queries. Samples are waited for as long as most,
// where an SLO says nothing else.
func (c *Client) Paces(ctx context.Context, specs []*slo.Spec, most time.Duration, at time.Time) []Pace {
	p := &pacer{Client: c, specs: specs, most: most, at: at, found: make([]Pace, len(specs)), apart: map[int]bool{}}
	groups := p.groups()
	side(len(groups), cap(c.gate), func(n int) { p.each(groups[n], p.intervals(ctx, groups[n])) })
	groups = p.byPace(groups)
	side(len(groups), cap(c.gate), func(n int) { p.each(groups[n], p.lateness(ctx, groups[n])) })
	apart := slices.Sorted(maps.Keys(p.apart))
	side(len(apart), cap(c.gate), func(n int) {
		one := &p.found[apart[n]]
		*one = Pace{}
		spec := specs[apart[n]]
		if one.Every, one.Err = c.ScrapesOf(ctx, spec, at); one.Err == nil && one.Every > 0 {
			one.Late, one.Err = c.LatenessOf(ctx, spec, one.Every, p.waits(spec), at)
		}
	})
	return p.found
}

// pacer finds out how the samples of SLOs come. Of each SLO it knows the first selector of each
// metric.
type pacer struct {
	*Client
	specs []*slo.Spec
	most  time.Duration
	at    time.Time

	mu    sync.Mutex
	found []Pace
	apart map[int]bool // SLOs that are asked about one by one
}

// waits returns how long samples of an SLO are waited for.
func (p *pacer) waits(s *slo.Spec) time.Duration { return cmp.Or(s.MaxLateness, p.most) }

// paceGroup are selectors of one metric, by the same labels, of several SLOs.
type paceGroup struct {
	terms  []term // spec is that of pacer.specs
	native bool   // of what may be a native histogram, which is no numbers
	every  time.Duration
	most   time.Duration
}

func (g paceGroup) of(terms []term) paceGroup {
	g.terms = terms
	return g
}

// selector returns the selector that covers the group's.
func (g paceGroup) selector() string {
	specs := make([]rawSpec, len(g.terms))
	for n, t := range g.terms {
		specs[n].terms = []term{t}
	}
	return merge(specs)
}

// by lists the labels by which the terms tell their series apart.
func (g paceGroup) by() (names []string) {
	for _, t := range g.terms {
		for _, m := range t.matchers {
			names = append(names, m.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// groups puts the selectors of all SLOs into groups. An SLO with one that names no metric goes
// apart.
func (p *pacer) groups() (out []paceGroup) {
	byKey := map[string][]term{}
	for n, s := range p.specs {
		texts := metricsOf(s)
		for i, text := range texts {
			matchers, err := promQL.ParseMetricSelector(text)
			t := term{spec: n}
			for _, m := range matchers {
				if m.Name == nameLabel && m.Type == labels.MatchEqual {
					t.metric = m.Value
				} else {
					t.matchers = append(t.matchers, m)
				}
			}
			if err != nil || t.metric == "" {
				p.apart[n] = true
				continue
			}
			key := fmt.Sprintf("%q %q", t.metric, shape([]term{t}))
			if i > 0 && s.SLI.Histogram != nil && s.SLI.Histogram.Bare() {
				key = "native " + key
			}
			byKey[key] = append(byKey[key], t)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(byKey)) {
		for terms := range slices.Chunk(byKey[key], maxAlternatives) {
			out = append(out, paceGroup{terms: terms, native: strings.HasPrefix(key, "native ")})
		}
	}
	return out
}

// byPace divides groups by what the samples of their SLOs are compared with. SLOs without samples,
// or of which it is not known how far apart they are, are left out.
func (p *pacer) byPace(groups []paceGroup) (out []paceGroup) {
	for _, g := range groups {
		byPace := map[[2]time.Duration][]term{}
		for _, t := range g.terms {
			if one := p.found[t.spec]; one.Err == nil && one.Every > 0 && !p.apart[t.spec] {
				key := [2]time.Duration{one.Every, p.waits(p.specs[t.spec])}
				byPace[key] = append(byPace[key], t)
			}
		}
		for key, terms := range byPace {
			out = append(out, paceGroup{terms: terms, native: g.native, every: key[0], most: key[1]})
		}
	}
	return out
}

// each notes what became of a question about a group. What the server refuses, or what is too
// large, is asked one by one.
func (p *pacer) each(g paceGroup, err *Error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range g.terms {
		switch {
		case err == nil:
		case err.Kind == Refused || err.Kind == TooLarge:
			p.apart[t.spec] = true
		default:
			p.found[t.spec].Err = err
		}
	}
}

// note keeps what was found about an SLO.
func (p *pacer) note(spec int, f func(*Pace)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(&p.found[spec])
}

// intervals finds out how far apart the samples of a group are, by the rules of
// [Client.ScrapeInterval].
func (p *pacer) intervals(ctx context.Context, g paceGroup) *Error {
	waiting := g.terms
	byPace := map[time.Duration][]term{}
	for _, back := range []time.Duration{2 * time.Minute, 5 * time.Minute, 25 * time.Minute} {
		found, err := p.distances(ctx, g.of(waiting), back)
		if err != nil {
			return err
		}
		var left []term
		for _, t := range waiting {
			if every := found[t.spec]; every > 0 {
				p.note(t.spec, func(one *Pace) { one.Every = max(one.Every, every) })
				if back < 25*time.Minute { // else there is nothing slower to see
					byPace[every] = append(byPace[every], t)
				}
			} else {
				left = append(left, t)
			}
		}
		if waiting = left; len(waiting) == 0 {
			break
		}
	}
	for every, terms := range byPace {
		if g.native {
			continue
		}
		if err := p.slower(ctx, g.of(terms), every); err != nil {
			return err
		}
	}
	return nil
}

// distances returns, by SLO, how far apart the samples are of the series that has most of them.
func (p *pacer) distances(ctx context.Context, g paceGroup, back time.Duration) (map[int]time.Duration, *Error) {
	out, most := map[int]time.Duration{}, map[int]int{}
	if g.native {
		err := p.values(ctx, g, "max"+byClause(g.by())+"(count_over_time(%s[%s]))", back, func(spec int, n float64) {
			if n >= float64(samplesFor(back)) {
				out[spec] = (back / time.Duration(n-1)).Round(time.Second)
			}
		})
		return out, err
	}
	s := &paceSink{router: newRouter(g.terms), metric: g.terms[0].metric}
	s.done = func(found []*term, times *sampleTimes) {
		for _, t := range found {
			if n := len(times.gaps); n > most[t.spec] && n+1 >= samplesFor(back) {
				most[t.spec], out[t.spec] = n, times.median()
			}
		}
	}
	_, err := p.query(ctx, fmt.Sprintf("%s[%s]", g.selector(), model.Duration(back)), p.at, s)
	s.finish()
	return out, err
}

// slower looks for series that are alive and come less often than every, and notes how often.
func (p *pacer) slower(ctx context.Context, g paceGroup, every time.Duration) *Error {
	near := model.Duration((2*every + every/10).Round(time.Millisecond))
	slow, text := map[string]bool{}, g.selector()
	var terms []term
	s := &paceSink{router: newRouter(g.terms), metric: g.terms[0].metric}
	s.done = func(found []*term, _ *sampleTimes) {
		slow[s.key()] = true
		for _, t := range found {
			terms = append(terms, *t)
		}
	}
	_, err := p.query(ctx, fmt.Sprintf("%s unless last_over_time(%s[%s])", text, text, near), p.at, s)
	if s.finish(); err != nil || len(terms) == 0 {
		return err
	}
	s = &paceSink{router: newRouter(terms), metric: s.metric}
	s.done = func(found []*term, times *sampleTimes) {
		if !slow[s.key()] || len(times.gaps) == 0 {
			return
		}
		for _, t := range found {
			p.note(t.spec, func(one *Pace) { one.Every = max(one.Every, times.median()) })
		}
	}
	_, err = p.query(ctx, g.of(terms).selector()+"[25m]", p.at, s)
	s.finish()
	return err
}

// lateness finds out how late the samples of a group come, by the rules of [Client.LatenessOf].
func (p *pacer) lateness(ctx context.Context, g paceGroup) *Error {
	usual := usualAge(g.every)
	return p.values(ctx, g, "max"+byClause(g.by())+fmt.Sprintf(lateQuery, "%[1]s", "%[2]s", usual.Seconds()), lateWindow(g.most), func(spec int, v float64) {
		if age := time.Duration(v * float64(time.Second)); age > usual+lateStep {
			p.note(spec, func(one *Pace) { one.Late = max(one.Late, age) })
		}
	})
}

// values asks for one value of each combination of labels by which a group tells its series apart,
// and hands over each with its SLO.
func (p *pacer) values(ctx context.Context, g paceGroup, query string, back time.Duration, take func(spec int, v float64)) *Error {
	s := &paceSink{router: newRouter(g.terms), metric: g.terms[0].metric}
	s.done = func(found []*term, _ *sampleTimes) {
		for _, t := range found {
			if !math.IsNaN(s.value) {
				take(t.spec, s.value)
			}
		}
	}
	_, err := p.query(ctx, fmt.Sprintf(query, g.selector(), model.Duration(back)), p.at, s)
	s.finish()
	return err
}

// paceSink hands over one series after another with the SLOs that select it.
type paceSink struct {
	router router
	metric string // of series whose name an operator has dropped
	done   func(found []*term, times *sampleTimes)

	labels []label // of the series that is read
	times  sampleTimes
	value  float64
	open   bool
}

// series implements sink.
func (s *paceSink) series(metric []byte) bool {
	s.finish()
	s.labels, s.times, s.open = s.labels[:0], sampleTimes{gaps: s.times.gaps[:0]}, true
	_ = eachLabel(metric, func(n, v string) {
		if n != nameLabel {
			s.labels = append(s.labels, label{n, v})
		}
	})
	s.labels = append(s.labels, label{nameLabel, s.metric})
	return true
}

// sample implements sink.
func (s *paceSink) sample(ms int64, v float64) {
	s.value = v
	s.times.sample(ms, v)
}

// finish hands over the series that was read.
func (s *paceSink) finish() {
	if !s.open {
		return
	}
	s.open = false
	var found []*term
	s.router.find(s.labels, func(t *term) { found = append(found, t) })
	if len(found) > 0 {
		s.done(found, &s.times)
	}
}

// key tells the series that is read from others of the metric.
func (s *paceSink) key() string {
	slices.SortFunc(s.labels, func(a, b label) int { return cmp.Compare(a.name, b.name) })
	return fmt.Sprintf("%q", s.labels)
}
