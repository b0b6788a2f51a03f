// Package evidence finds out what burns and what changed.
//
// When an incident opens, the first message goes out at once. Then this package asks Prometheus,
// within a few seconds and a few dozen bounded queries, what a person would look at next:
//
//	Gather ──► rank      which label values got worse than their own past (package ranking, pure; breakdown.go asks)
//	       ├─► changes   what was deployed, restarted or declared near the onset (changes.go)
//	       ├─► traces    requests that show it, from exemplars (traces.go)
//	       └─► signals   the four golden signals, now and before the onset (package signals)
//
// The answer, [ranking.Evidence], is a plain value. It is kept with the incident, so that the
// message, the page, the API and the draft of the postmortem all show the same: what was found
// then, not what can still be found later.
//
// # Honest words
//
// What is found is correlated, not proven, and the sentences (package ranking) say so. "Most of the
// excess" is said of half of it and more, and "no single value stands out" and "too few events to
// say" are answers. What could not be asked is unknown, with the reason.
//
// Reading order: this file, breakdown.go, changes.go, traces.go.
package evidence

import (
	"cmp"
	"context"
	"sync"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/internal/ranking"
	"github.com/slowburn-sre/slowburn/internal/signals"
	"github.com/slowburn-sre/slowburn/slo"
)

// Request says what to find out.
type Request struct {
	Client    *prom.Client
	Incident  string
	Kind      alerting.Kind
	SLO       slo.ID // with label values for a budget of an SLO with `by:`
	Spec      *slo.Spec
	Service   *slo.Service      // nil if no file says anything about it
	Onset     time.Time         // the beginning of the first bad minute
	At        time.Time         // the end of the newest minute that was evaluated
	Acts      []alerting.Act    // what people declared lately, of any kind
	Catalogue signals.Catalogue // where golden signals are; nil is the built-in one
	TraceURL  string            // address of a trace, with {trace_id} in it; "" makes no links
}

// limit is how long Gather takes at most. What has not come by then is unknown.
const limit = 5 * time.Second

const (
	// leastWindow and mostWindow bound the time since the onset that is looked at: it needs a few
	// scrapes, and a burn of days is no different in its last hours.
	leastWindow = 3 * time.Minute
	mostWindow  = 6 * time.Hour
	// leastUsual is how long the time before the onset is that values are compared with.
	leastUsual = time.Hour
	// margin keeps the beginning of the burn, which may have been slow, out of what was usual.
	margin = 2 * time.Minute
	// weekBack is how old a burn must be for its signals to be compared with the week before: the
	// hour before the onset is then another time of day.
	weekBack = 6 * time.Hour
)

// gatherer is a request on its way, with the times that it asks about.
type gatherer struct {
	Request
	group              []*labels.Matcher // of the budget, from its ID
	from, at           time.Time         // the burn, as far as it is looked at
	usualFrom, usualTo time.Time         // the time before it
}

func newGatherer(r Request) *gatherer {
	g := &gatherer{Request: r, at: r.At}
	for _, l := range r.SLO.Labels() {
		g.group = append(g.group, labels.MustNewMatcher(labels.MatchEqual, l.Name, l.Value))
	}
	length := min(max(r.At.Sub(r.Onset), leastWindow), mostWindow).Truncate(time.Minute)
	g.from = r.At.Add(-length)
	g.usualTo = r.Onset.Add(-margin)
	if g.from.Before(r.Onset) {
		g.usualTo = g.from.Add(-margin)
	}
	g.usualFrom = g.usualTo.Add(-max(length, leastUsual))
	return g
}

// Gather asks all at once and takes at most [Limit]. It never fails: what it cannot find out is
// unknown, with the reason.
func Gather(ctx context.Context, r Request) ranking.Evidence {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	g := newGatherer(r)
	e := ranking.Evidence{Incident: r.Incident, Kind: r.Kind, Onset: r.Onset.UTC(), At: r.At.UTC()}
	var exemplars []prom.Exemplar
	var changes, traces error
	var wg sync.WaitGroup
	wg.Go(func() { e.Burns = g.rank(ctx) })
	wg.Go(func() { e.Changes, changes = g.changes(ctx) })
	wg.Go(func() { exemplars, traces = g.exemplars(ctx) })
	wg.Go(func() { e.Signals = g.signals(ctx) })
	wg.Wait()
	e.Traces = pickTraces(exemplars, r.Spec.SLI.Histogram != nil, e.Burns.Contributors, r.TraceURL)
	if changes != nil {
		e.Problems = append(e.Problems, "changes: "+changes.Error())
	}
	if traces != nil {
		e.Problems = append(e.Problems, "traces: "+traces.Error())
	}
	e.Took = time.Since(began).Round(time.Millisecond).Seconds()
	return e
}

// signals compares the golden signals with the time before the onset or, of a long burn, with the
// week before.
func (g *gatherer) signals(ctx context.Context) ranking.Snapshot {
	back := g.At.Sub(g.Onset) + 10*time.Minute
	if back > weekBack {
		back = 0
	}
	service := cmp.Or(g.Service, &slo.Service{Name: g.Spec.Service})
	return signals.Take(ctx, g.Client, service, g.At, signals.SnapshotOptions{Catalogue: g.Catalogue, Back: back, Timeout: limit})
}
