package daemon

import (
	"context"
	"time"

	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/ranking"
	"github.com/slowburn-sre/slowburn/internal/report"
	"github.com/slowburn-sre/slowburn/internal/signals"
	"github.com/slowburn-sre/slowburn/slo"
)

// signals takes the golden signals of a service, now.
func (w *witness) signals(ctx context.Context, service string) (ranking.Snapshot, bool) {
	known := w.seen().Set.Service(service)
	if known == nil {
		return ranking.Snapshot{}, false
	}
	return signals.Take(ctx, w.client, known, w.now(), signals.SnapshotOptions{Catalogue: w.cfg.Load().Signals}), true
}

// servicesAt takes the golden signals of every service that names some, for a report: over the hour
// before at.
func (w *witness) servicesAt(ctx context.Context, at time.Time) []report.Service {
	var all []report.Service
	for _, s := range w.seen().Set.Services {
		if s.Signals == nil {
			continue
		}
		shot := signals.Take(ctx, w.client, s, at, signals.SnapshotOptions{Catalogue: w.cfg.Load().Signals, Window: time.Hour, Timeout: 10 * time.Second})
		r := report.Service{Name: s.Name, Owner: s.Owner}
		for n, g := range []ranking.Signal{shot.Latency, shot.Traffic, shot.Errors} {
			if g.Query != "" {
				r.Signals = append(r.Signals, reported([]string{"latency", "traffic", "errors"}[n], g))
			}
		}
		for _, full := range shot.Saturation {
			r.Signals = append(r.Signals, howFull(full, at))
		}
		all = append(all, r)
	}
	return all
}

// reported writes a signal for a reader; what is not known stays empty.
func reported(kind string, g ranking.Signal) report.Signal {
	out := report.Signal{Kind: kind, What: g.What, Query: g.Query}
	if g.Now.Known {
		out.Now = ranking.Figure(g.Now, g.Unit)
	}
	if g.Baseline.Known {
		out.Before = ranking.Figure(g.Baseline, g.Unit)
	}
	return out
}

// soon is how far ahead a forecast of saturation asks for a decision.
const soon = 4 * 7 * slo.Day

func howFull(s ranking.Saturation, at time.Time) report.Signal {
	out := reported("saturation", s.Signal)
	out.What = s.Name
	if share, ok := s.Share(); ok {
		out.Used = figures.Ratio(share)
	}
	switch f := s.Forecast; {
	case f.Known():
		out.Forecast = "between " + figures.Day(f.Earliest.UTC()) + " and " + figures.Day(f.Latest.UTC())
		out.Soon = f.Earliest.Before(at.Add(soon))
	case f.Reason != "":
		out.Forecast = f.Reason
	}
	return out
}
