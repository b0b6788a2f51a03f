package main

import (
	"context"
	"encoding/json"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/evidence"
	"github.com/slowburn-sre/slowburn/internal/signals"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/postmortem"
)

// evidenceTimeout bounds the questions for a draft: it is written with what has come by then.
const evidenceTimeout = 8 * time.Second

// evidence finds out what burns and what changed.
func (a *app) evidence(ctx context.Context, r evidence.Request) evidence.Evidence {
	r.Client, r.TraceURL, r.Catalogue = a.asker, a.cfg.TraceURL, *a.sources.Load()
	acts, err := a.db.Acts(ctx, store.ActFilter{From: r.Onset.Add(-evidence.ActsBack)})
	r.Acts = acts
	found := evidence.Gather(ctx, r)
	if err != nil {
		found.Problems = append(found.Problems, "recorded changes: "+err.Error())
	}
	return found
}

// foundOut is what burnt and what changed, as it was found then, for a draft. Both are nil if nobody has looked.
func (a *app) foundOut(ctx context.Context, i alerting.Incident) ([]postmortem.Contributor, []postmortem.Change) {
	kept, err := a.db.Evidence(ctx, i.ID)
	if err != nil || len(kept) == 0 {
		return nil, nil
	}
	var e evidence.Evidence
	if err := json.Unmarshal(kept[len(kept)-1].Data, &e); err != nil {
		return nil, nil
	}
	burns, changes := []postmortem.Contributor{}, []postmortem.Change{}
	if e.Burns.Verdict == evidence.StandsOut {
		for _, c := range e.Burns.Contributors {
			burns = append(burns, postmortem.Contributor{Labels: c.Name(), Bad: c.Now.Bad, Total: c.Now.Total, AllBad: e.Burns.Now.Bad, Query: c.Query})
		}
	}
	for _, c := range e.Changes {
		changes = append(changes, postmortem.Change{At: c.At, What: c.What + " (" + c.Seen + ")", Who: c.Who, Link: c.Link, Where: i.SLO.Service()})
	}
	if e.Burns.Verdict == evidence.NotKnown || e.Burns.Verdict == evidence.NoLabels {
		burns = nil
	}
	return burns, changes
}

// goldenSignals looks at the signals of the incident's service before its onset, at it, at its peak and after
// its end. It is nil for a service whose file names no signals.
func (a *app) goldenSignals(ctx context.Context, i alerting.Incident) []postmortem.Signal {
	service := a.engine.Set().Service(i.SLO.Service())
	if service == nil || service.Signals == nil || i.Last.Burn == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, evidenceTimeout)
	defer cancel()
	after := i.Resolved
	if i.Open {
		after = i.Last.Time()
	}
	var shots [4]signals.Snapshot
	for n, at := range []time.Time{i.Onset, i.Onset.Add(5 * time.Minute), i.Last.Burn.PeakAt.End(), after} {
		shots[n] = signals.Take(ctx, a.client, service, at, signals.SnapshotOptions{Catalogue: *a.sources.Load()})
	}
	out := []postmortem.Signal{
		asTold(shots, func(s signals.Snapshot) signals.Signal { return s.Latency }),
		asTold(shots, func(s signals.Snapshot) signals.Signal { return s.Traffic }),
		asTold(shots, func(s signals.Snapshot) signals.Signal { return s.Errors }),
	}
	for n := range shots[0].Saturation {
		one := asTold(shots, func(s signals.Snapshot) signals.Signal {
			if n < len(s.Saturation) {
				return s.Saturation[n].Signal
			}
			return signals.Signal{}
		})
		one.Kind, one.Name = "saturation", one.Kind
		out = append(out, one)
	}
	return out
}

// asTold writes one signal of four snapshots for a reader.
func asTold(shots [4]signals.Snapshot, pick func(signals.Snapshot) signals.Signal) postmortem.Signal {
	first := pick(shots[0])
	value := func(n int) string { return evidence.Figure(pick(shots[n]).Now, first.Unit) }
	return postmortem.Signal{
		Kind: first.Name, Name: first.What, Query: first.Query,
		Before: value(0), Onset: value(1), Peak: value(2), After: value(3),
	}
}
