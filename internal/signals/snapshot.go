package signals

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/internal/ranking"
	"github.com/slowburn-sre/slowburn/internal/sentences"
	"github.com/slowburn-sre/slowburn/slo"
)

// SnapshotOptions bounds a snapshot. The zero value stands for the defaults.
type SnapshotOptions struct {
	Catalogue Catalogue     // the built-in one
	Window    time.Duration // over which rates are taken: 5 minutes
	Timeout   time.Duration // for all queries together: 5 seconds
	Back      time.Duration // how much earlier the baselines are: a week
}

const (
	snapshotWindow  = 5 * time.Minute
	snapshotTimeout = 5 * time.Second
	baselineBack    = 7 * 24 * time.Hour // the same hour of the same weekday
	forecastStep    = 15 * time.Minute
	// maxMeasures caps the measures of saturation; with it a snapshot asks at most 3 signals × 2 +
	// 10 measures × 3 = 36 queries, beside what it asks of the index.
	maxMeasures = 10
)

// Take reads the golden signals of a service. It never fails: what cannot be read within the
// timeout is unknown, with the reason. Without signals in the service's file, all of it is.
func Take(ctx context.Context, c *prom.Client, service *slo.Service, at time.Time, o SnapshotOptions) ranking.Snapshot {
	if o.Catalogue == nil {
		o.Catalogue = defaultCatalogue()
	}
	o.Window = cmp.Or(o.Window, snapshotWindow)
	o.Timeout = cmp.Or(o.Timeout, snapshotTimeout)
	o.Back = cmp.Or(o.Back, baselineBack)
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	s := ranking.Snapshot{Service: service.Name, At: at.UTC(), Window: o.Window, Back: o.Back}
	f, reason := prepare(ctx, &s, c, service.Signals, o.Catalogue)
	t := taker{ctx, c, at, o.Window, o.Back}
	fill(&s, t, f, service.Signals, reason)
	return s
}

// prepare finds the catalogue entry and what of it exists; otherwise it says why not.
func prepare(ctx context.Context, s *ranking.Snapshot, c *prom.Client, signals *slo.Signals, catalogue Catalogue) (*Filled, string) {
	if signals == nil {
		return nil, sentences.NoSignals
	}
	s.From, s.Match = signals.From, signals.Match
	if signals.From == "" {
		return nil, "signals.from names no source"
	}
	e := catalogue.Lookup(signals.From)
	if e == nil {
		return nil, fmt.Sprintf("there is no source %q; known are %s", signals.From, strings.Join(catalogue.Names(), ", "))
	}
	s.Traps = e.Traps
	match, err := ParseMatch(signals.Match)
	if err != nil {
		return nil, err.Error()
	}
	if len(match) == 0 {
		return nil, "signals.match is empty, so the numbers would be those of every service"
	}
	live, err := e.Look(ctx, c, match, s.At)
	if err != nil {
		return nil, err.Error()
	}
	return e.Fill(match, live), ""
}

// fill asks for every signal at once.
func fill(s *ranking.Snapshot, t taker, f *Filled, signals *slo.Signals, reason string) {
	parts := [3]Part{{Reason: reason, Unit: "seconds"}, {Reason: reason, Unit: "events/s"}, {Reason: reason, Unit: "ratio"}}
	var measures []Part
	if f != nil {
		parts, measures = [3]Part{f.Latency, f.Traffic, f.Errors}, f.Saturation
	}
	measures = withOwn(signals, measures)
	s.Saturation = make([]ranking.Saturation, len(measures))
	var wg sync.WaitGroup
	for i, target := range []*ranking.Signal{&s.Latency, &s.Traffic, &s.Errors} {
		wg.Go(func() { *target = t.signal([]string{"latency", "traffic", "errors"}[i], parts[i]) })
	}
	for i, m := range measures {
		wg.Go(func() { s.Saturation[i] = t.saturation(m) })
	}
	wg.Wait()
}

// withOwn puts the measures that the service's file lists before those of the catalogue.
func withOwn(signals *slo.Signals, measures []Part) []Part {
	var all []Part
	named := map[string]bool{}
	if signals != nil {
		for _, own := range signals.Saturation {
			if own.Query == nil {
				continue
			}
			all = append(all, Part{Name: own.Name, Query: own.Query.Text, Limit: own.Limit})
			named[own.Name] = true
		}
	}
	for _, m := range measures {
		if !named[m.Name] {
			all = append(all, m)
		}
	}
	return all[:min(len(all), maxMeasures)]
}

// taker asks for single numbers.
type taker struct {
	ctx    context.Context
	client *prom.Client
	at     time.Time
	window time.Duration
	back   time.Duration
}

func (t taker) signal(name string, p Part) ranking.Signal {
	s := ranking.Signal{Name: name, What: p.Name, Unit: p.Unit}
	if p.Query == "" {
		s.Now.Reason, s.Baseline.Reason = p.Reason, p.Reason
		return s
	}
	s.Query = strings.ReplaceAll(p.Query, slo.WindowVariable, slo.ShortDuration(t.window))
	s.Now, s.Baseline = t.number(s.Query, t.at), t.number(s.Query, t.at.Add(-t.back))
	return s
}

func (t taker) saturation(p Part) ranking.Saturation {
	s := ranking.Saturation{Signal: t.signal(p.Name, p), Limit: p.Limit}
	s.What = ""
	switch {
	case p.Limit <= 0:
		s.Forecast.Reason = "no limit is known"
		return s
	case !s.Now.Known:
		s.Forecast.Reason = s.Now.Reason
		return s
	}
	curves, err := t.client.Range(t.ctx, s.Query, t.at.Add(-longLook), t.at, forecastStep)
	switch {
	case err != nil:
		s.Forecast.Reason = err.Error()
	case len(curves) != 1:
		s.Forecast.Reason = "no data"
	default:
		s.Forecast = forecast(curves[0].Points, p.Limit, t.at)
	}
	return s
}

// number returns the single finite value of a query.
func (t taker) number(query string, at time.Time) ranking.Reading {
	list, err := t.client.Vector(t.ctx, query, at)
	switch {
	case err != nil:
		return ranking.Reading{Reason: err.Error()}
	case len(list) == 0:
		return ranking.Reading{Reason: "no data"}
	case len(list) > 1:
		return ranking.Reading{Reason: "the query has " + figures.Count(len(list)) + " values; one is needed"}
	case math.IsNaN(list[0].Value), math.IsInf(list[0].Value, 0):
		return ranking.Reading{Reason: "nothing happened in the window"}
	}
	return ranking.Reading{Value: list[0].Value, Known: true}
}
