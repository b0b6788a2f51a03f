package signals

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/internal/selectors"
)

// Live is what a server has of the metrics of one entry: which of them exist, and with which
// labels. Only what is in it is ever asked for.
type Live struct {
	labels map[string]map[string]bool // label names by metric
	only   []*labels.Matcher          // the alternatives of Entry.only that match something
}

// NewLive makes a Live from known metrics and their label names, for tests and for callers that
// know the source.
func NewLive(metrics map[string][]string, only ...*labels.Matcher) *Live {
	l := &Live{labels: map[string]map[string]bool{}, only: only}
	for name, list := range metrics {
		l.labels[name] = map[string]bool{}
		for _, label := range list {
			l.labels[name][label] = true
		}
	}
	return l
}

// Has reports whether the metric exists.
func (l *Live) Has(metric string) bool { return l.labels[metric] != nil }

// HasLabel reports whether the metric exists with that label.
func (l *Live) HasLabel(metric, label string) bool { return l.labels[metric][label] }

// Metrics returns the metrics that exist, sorted.
func (l *Live) Metrics() []string { return slices.Sorted(maps.Keys(l.labels)) }

// histogramParts are the series of a classic histogram; without suffix the name is that of a native
// one.
var histogramParts = []string{"_bucket", "_count", ""}

// Metrics returns the names of all metrics that the entry knows, sorted.
func (e *Entry) Metrics() []string {
	var names []string
	for _, alternative := range e.Traffic {
		names = append(names, alternative...)
	}
	names = append(names, e.failures...)
	names = append(names, e.Freshness...)
	names = append(names, e.latency.metrics()...)
	for _, s := range e.saturation {
		names = append(names, s.query.metrics...)
	}
	names = append(names, e.Uptime)
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(s string) bool { return s == "" })
}

func (l latencySource) metrics() (names []string) {
	for _, h := range l.histograms {
		for _, part := range histogramParts {
			names = append(names, h+part)
		}
	}
	if l.query != nil {
		names = append(names, l.query.metrics...)
	}
	return names
}

// How much of the index one look at a source may read.
const (
	maxNames  = 500 // metric names of an entry
	maxSample = 50  // series of a metric that are looked at for its labels
)

// glance is how far back a metric counts as existing.
const glance = time.Hour

// Look finds out what the server has of an entry, narrowed by matchers. It asks for names once, and
// for the labels of those metrics whose labels matter.
func (e *Entry) Look(ctx context.Context, c *prom.Client, match []*labels.Matcher, at time.Time) (*Live, error) {
	names, err := c.LabelValues(ctx, model.MetricNameLabel, each(e.Metrics(), match), at.Add(-glance), at, maxNames)
	if err != nil {
		return nil, err
	}
	live := NewLive(nil)
	for _, name := range names {
		live.labels[name] = map[string]bool{}
	}
	for _, name := range e.labelled() {
		if !live.Has(name) {
			continue
		}
		series, err := c.SeriesLabels(ctx, selectors.Metric(name, match...), at.Add(-glance), at, maxSample)
		if err != nil {
			return nil, err
		}
		for _, one := range series {
			for label := range one {
				live.labels[name][label] = true
			}
		}
	}
	var failure error
	live.only, failure = e.lookOnly(ctx, c, live, match, at)
	return live, failure
}

func each(names []string, match []*labels.Matcher) []string {
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = selectors.Metric(name, match...)
	}
	return out
}

// labelled returns the metrics whose labels decide how the entry is read.
func (e *Entry) labelled() (names []string) {
	for _, alternative := range e.Traffic {
		names = append(names, alternative...)
	}
	names = append(names, e.Freshness...)
	for _, h := range e.latency.histograms {
		names = append(names, h+"_bucket", h)
	}
	names = append(names, e.failures...)
	for _, s := range e.saturation {
		if e.Attach != "" {
			names = append(names, s.query.metrics...)
		}
	}
	names = append(names, e.Uptime)
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(s string) bool { return s == "" })
}

// lookOnly picks, of each list of Entry.only, the first matcher that matches a series of traffic.
func (e *Entry) lookOnly(ctx context.Context, c *prom.Client, live *Live, match []*labels.Matcher, at time.Time) (only []*labels.Matcher, _ error) {
	total := e.PickTraffic(live)
	if len(total) == 0 {
		return nil, nil
	}
	for _, alternatives := range e.only {
		for _, m := range alternatives {
			found, err := c.SeriesLabels(ctx, selectors.Metric(total[0], append(slices.Clip(match), m)...), at.Add(-glance), at, 1)
			if err != nil {
				return nil, err
			}
			if len(found) > 0 {
				only = append(only, m)
				break
			}
		}
	}
	return only, nil
}

// PickTraffic chooses the first alternative of traffic that exists as a whole, nil if there is
// none.
func (e *Entry) PickTraffic(live *Live) []string {
	for _, alternative := range e.Traffic {
		if !slices.ContainsFunc(alternative, func(name string) bool { return !live.Has(name) }) {
			return alternative
		}
	}
	return nil
}

// pickHistogram returns the first histogram that exists. The one of the traffic that is counted
// comes first, so that both are about the same events.
func (e *Entry) pickHistogram(live *Live) (name string, native bool) {
	candidates := e.latency.histograms
	if total := e.PickTraffic(live); len(total) > 0 {
		if base := strings.TrimSuffix(total[0], "_count"); slices.Contains(candidates, base) {
			candidates = append([]string{base}, candidates...)
		}
	}
	for _, name := range candidates {
		switch {
		case live.Has(name + "_bucket"):
			return name, false
		case live.Has(name):
			return name, true
		}
	}
	return "", false
}

// PickGroup chooses the labels that tell services apart, among those that the metric has.
func (e *Entry) PickGroup(live *Live, metric string) (names []string) {
	for _, alternatives := range e.group {
		for _, label := range alternatives {
			if live.HasLabel(metric, label) {
				names = append(names, label)
				break
			}
		}
	}
	return names
}
