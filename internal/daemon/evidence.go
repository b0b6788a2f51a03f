package daemon

import (
	"context"
	"encoding/json"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/config"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/internal/evidence"
	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/internal/ranking"
	"github.com/slowburn-sre/slowburn/internal/signals"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/postmortem"
)

// evidenceTimeout bounds the questions for a draft: it is written with what has come by then.
const evidenceTimeout = 8 * time.Second

// witness tells what Prometheus and the store know of a time: what burned and what changed, and how
// the golden signals stood.
type witness struct {
	db     *store.DB
	client *prom.Client // for what a person or a report asks about services
	asker  *prom.Client // for evidence, so that it never takes the evaluation's places
	seen   func() *engine.Snapshot
	now    func() time.Time               // by the source's clock
	cfg    *atomic.Pointer[config.Config] // in force
}

// evidence finds out what burns and what changed.
func (w *witness) evidence(ctx context.Context, r evidence.Request) ranking.Evidence {
	r.Client, r.TraceURL, r.Catalogue = w.asker, w.cfg.Load().TraceURL, w.cfg.Load().Signals
	acts, err := w.db.Acts(ctx, store.ActFilter{From: r.Onset.Add(-evidence.ActsBack)})
	r.Acts = acts
	found := evidence.Gather(ctx, r)
	if err != nil {
		found.Problems = append(found.Problems, "recorded changes: "+err.Error())
	}
	return found
}

// foundOut returns what burnt and what changed, as it was found then; where nobody has looked, or
// looked in vain, it is asked for now. It is nil for an incident in which nothing burned.
func (w *witness) foundOut(ctx context.Context, i alerting.Incident) (*ranking.Evidence, error) {
	if i.Last.Burn == nil {
		return nil, nil
	}
	kept, err := w.db.Evidence(ctx, i.ID)
	for _, k := range slices.Backward(kept) {
		var e ranking.Evidence
		if json.Unmarshal(k.Data, &e) == nil && !e.At.IsZero() && e.Burns.Verdict != ranking.NotKnown {
			return &e, nil
		}
	}
	spec := w.seen().Set.Lookup(i.SLO)
	if spec == nil {
		return nil, err
	}
	found := w.evidence(ctx, evidence.Request{
		Incident: i.ID, Kind: alerting.Resolved, SLO: i.SLO, Spec: spec, Service: w.seen().Set.Service(i.SLO.Service()),
		Onset: i.Onset, At: i.Last.Burn.Last.End(),
	})
	return &found, err
}

// goldenSignals looks at the signals of the incident's service before its onset, at it, at its peak
// and after its end. What was found when it opened is preferred over asking again. It is nil for a
// service whose file names no signals, and where nothing burned.
func (w *witness) goldenSignals(ctx context.Context, i alerting.Incident, kept *ranking.Evidence) *postmortem.Signals {
	service := w.seen().Set.Service(i.SLO.Service())
	if service == nil || service.Signals == nil || i.Last.Burn == nil {
		return nil
	}
	out := &postmortem.Signals{Before: i.Onset, Onset: i.Onset.Add(5 * time.Minute), Peak: i.Last.Burn.PeakAt.End(), After: i.Resolved}
	if i.Open {
		out.After = i.Last.Time()
	}
	var shots [4]ranking.Snapshot
	var wg sync.WaitGroup
	for n, at := range []time.Time{out.Before, out.Onset, out.Peak, out.After} {
		wg.Go(func() {
			shots[n] = signals.Take(ctx, w.asker, service, at, signals.SnapshotOptions{Catalogue: w.cfg.Load().Signals, Timeout: evidenceTimeout})
		})
	}
	wg.Wait()
	if kept != nil && kept.Signals.From != "" && kept.Kind == alerting.Opened {
		out.Onset, shots[1] = kept.Signals.At, kept.Signals
	}
	var units []string
	for _, pick := range picks(shots[0]) {
		out.All = append(out.All, asTold(shots, pick))
		units = append(units, pick(shots[0]).Unit)
	}
	w.draw(ctx, i, out.All, units)
	return out
}

// picks returns the ways to each signal of a snapshot.
func picks(s ranking.Snapshot) []func(ranking.Snapshot) ranking.Signal {
	all := []func(ranking.Snapshot) ranking.Signal{
		func(s ranking.Snapshot) ranking.Signal { return s.Latency },
		func(s ranking.Snapshot) ranking.Signal { return s.Traffic },
		func(s ranking.Snapshot) ranking.Signal { return s.Errors },
	}
	for _, one := range s.Saturation {
		all = append(all, func(s ranking.Snapshot) ranking.Signal {
			for _, other := range s.Saturation {
				if other.Name == one.Name {
					return other.Signal
				}
			}
			return ranking.Signal{}
		})
	}
	return all
}

// asTold writes one signal of four snapshots for a reader.
func asTold(shots [4]ranking.Snapshot, pick func(ranking.Snapshot) ranking.Signal) postmortem.Signal {
	first := pick(shots[0])
	value := func(n int) string {
		if r := pick(shots[n]).Now; r.Known {
			return ranking.Figure(r, first.Unit)
		}
		return ""
	}
	out := postmortem.Signal{
		Kind: first.Name, Name: first.What, Query: first.Query, Before: value(0), Onset: value(1), Peak: value(2), After: value(3),
	}
	if !slices.Contains([]string{"latency", "traffic", "errors"}, first.Name) {
		out.Kind, out.Name = "saturation", first.Name
	}
	return out
}

const (
	curveMargin = 15 * time.Minute // before the onset and after the end
	curvePoints = 40
)

// draw asks for the curves of the signals around an incident, all at once.
func (w *witness) draw(ctx context.Context, i alerting.Incident, all []postmortem.Signal, units []string) {
	from, to := i.Onset.Add(-curveMargin), i.Last.Burn.Last.End().Add(curveMargin)
	if to.After(i.Last.Time()) {
		to = i.Last.Time()
	}
	step := max(time.Minute, (to.Sub(from) / curvePoints).Round(time.Minute))
	var wg sync.WaitGroup
	for n := range all {
		if all[n].Query == "" {
			continue
		}
		wg.Go(func() {
			found, err := w.asker.Range(ctx, all[n].Query, from, to, step)
			if err == nil && len(found) == 1 {
				all[n].Curve = curveOf(found[0], from, to, step, units[n])
			}
		})
	}
	wg.Wait()
}

// curveOf lays the points of a series on the steps of a chart; nil if it has none.
func curveOf(c prom.Curve, from, to time.Time, step time.Duration, unit string) *postmortem.Curve {
	out := &postmortem.Curve{From: from, Step: step}
	for at := from; !at.After(to); at = at.Add(step) {
		out.Values = append(out.Values, math.NaN())
	}
	low, high := math.Inf(1), math.Inf(-1)
	for _, p := range c.Points {
		n := int(time.UnixMilli(p.At).Sub(from) / step)
		if n < 0 || n >= len(out.Values) || math.IsNaN(p.Value) || math.IsInf(p.Value, 0) {
			continue
		}
		out.Values[n], low, high = p.Value, min(low, p.Value), max(high, p.Value)
	}
	if low > high {
		return nil
	}
	written := func(v float64) string { return ranking.Figure(ranking.Reading{Value: v, Known: true}, unit) }
	out.Low, out.High = written(low), written(high)
	return out
}
