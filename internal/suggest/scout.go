package suggest

import (
	"cmp"
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/internal/selectors"
	"github.com/slowburn-sre/slowburn/internal/signals"
	"github.com/slowburn-sre/slowburn/slo"
)

// scout asks a server what it has. It reads the index for names and labels, and of the samples only
// what recognised sources need: counters at whole steps of history, never between.
type scout struct {
	ctx    context.Context
	client *prom.Client
	at     time.Time
}

// vector evaluates a query at the scout's time.
func (s *scout) vector(query string) ([]prom.Element, error) {
	list, err := s.client.Vector(s.ctx, query, s.at)
	if err != nil {
		return nil, err
	}
	return list, nil
}

// glance is how far back a series counts as existing.
const glance = time.Hour

// values lists at most so many values of a label.
func (s *scout) values(label, selector string, most int) ([]string, error) {
	list, err := s.client.LabelValues(s.ctx, label, []string{selector}, s.at.Add(-glance), s.at, most)
	if err != nil {
		return nil, err
	}
	return list, nil
}

// source is an entry that the server has.
type source struct {
	entry *signals.Entry
	live  *signals.Live
}

// workers is how many requests are on their way at a time, so that a busy server stays usable.
const workers = 4

// each calls f with 0 … n−1, a few at a time, and waits for all. The first error, by index, is
// returned.
func each(n int, f func(int) error) error {
	errs := make([]error, n)
	gate := make(chan struct{}, workers)
	var wg sync.WaitGroup
	for i := range n {
		gate <- struct{}{}
		wg.Go(func() {
			defer func() { <-gate }()
			errs[i] = f(i)
		})
	}
	wg.Wait()
	return cmp.Or(errs...)
}

// sources looks for every entry of the catalogue.
func (s *scout) sources(c signals.Catalogue) ([]source, error) {
	found := make([]source, len(c))
	err := each(len(c), func(i int) error {
		live, err := c[i].Look(s.ctx, s.client, nil, s.at)
		found[i] = source{c[i], live}
		return err
	})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(found, func(s source) bool { return len(s.live.Metrics()) == 0 }), nil
}

// group is one service as one source sees it.
type group struct {
	source
	labels []string          // that tell it from others
	values map[string]string // of those labels
	series float64           // how many series its events have
	day    float64           // events, or series of a gauge, of the last day
}

// match picks the series of the group.
func (g group) match() []*labels.Matcher {
	var pairs []string
	for _, name := range g.labels {
		pairs = append(pairs, name, g.values[name])
	}
	return equal(pairs...)
}

// name returns what the service is called: the value of the first label, in letters that names may
// have.
func (g group) name() string {
	if len(g.labels) == 0 {
		return g.entry.Name
	}
	return cleanName(g.values[g.labels[0]])
}

var unclean = regexp.MustCompile(`[^a-zA-Z0-9._-]+`)

// maxName is how long the name of a service may be.
const maxName = 100

func cleanName(s string) string {
	s = strings.Trim(unclean.ReplaceAllString(s, "-"), "-._")
	return strings.Trim(s[:min(len(s), maxName)], "-._")
}

// equal makes the matchers label="value" of pairs.
func equal(pairs ...string) (out []*labels.Matcher) {
	for i := 0; i+1 < len(pairs); i += 2 {
		out = append(out, labels.MustNewMatcher(labels.MatchEqual, pairs[i], pairs[i+1]))
	}
	return out
}

// anyOf returns a matcher for one of several values of a label.
func anyOf(label string, values []string) *labels.Matcher {
	if len(values) == 1 {
		return labels.MustNewMatcher(labels.MatchEqual, label, values[0])
	}
	return labels.MustNewMatcher(labels.MatchRegexp, label, selectors.Alternation(values...))
}

// grown returns what counters gained in the time before: the difference to their value then, or all
// of it where they were reset or are new, as the ledger counts it. It reads three samples of a
// series, however long the time is.
func grown(selector string, over time.Duration) string {
	return "((" + selector + " - " + selector + " offset " + slo.ShortDuration(over) + ") >= 0 or " + selector + ")"
}

// maxGroups is how many services of one source are looked at.
const maxGroups = 500

// groups returns the services that a source tells apart and in which something happened within a
// day.
func (s *scout) groups(src source) ([]group, error) {
	metric, happened := src.census()
	if metric == "" {
		return nil, nil
	}
	names := src.entry.PickGroup(src.live, metric)
	list, err := s.vector(happened(selectors.By(names...)))
	if err != nil {
		return nil, err
	}
	f := src.entry.Fill(nil, src.live)
	series, err := s.vector("count " + selectors.By(names...) + " (" + selectors.Metric(metric, f.Counts.Matchers...) + ")")
	if err != nil {
		return nil, err
	}
	var out []group
	for _, one := range list {
		if one.Value > 0 && len(one.Labels) == len(names) {
			out = append(out, group{source: src, labels: names, values: one.Labels, day: one.Value, series: valueOf(series, one.Labels)})
		}
	}
	slices.SortFunc(out, func(a, b group) int {
		return cmp.Compare(selectors.Metric("", a.match()...), selectors.Metric("", b.match()...))
	})
	return out[:min(len(out), maxGroups)], nil
}

// valueOf returns the value of the element with these labels, 0 if there is none.
func valueOf(list []prom.Element, want map[string]string) float64 {
	for _, one := range list {
		if maps.Equal(one.Labels, want) {
			return one.Value
		}
	}
	return 0
}

// census returns the metric that tells which services a source has, and the query of what happened
// to each of them within a day, given how to group.
func (src source) census() (metric string, query func(by string) string) {
	e, f := src.entry, src.entry.Fill(nil, src.live)
	aggregate := func(operator, inner string) func(string) string {
		return func(by string) string { return operator + " " + by + " (" + inner + ")" }
	}
	switch {
	case len(e.PickTraffic(src.live)) > 0:
		metric = e.PickTraffic(src.live)[0]
		return metric, aggregate("sum", grown(selectors.Metric(metric, f.Counts.Matchers...), 24*time.Hour))
	case f.Counts.Native:
		metric = f.Counts.Metric
		return metric, aggregate("sum", "histogram_count(increase("+selectors.Metric(metric, f.Counts.Matchers...)+"[1d:1h]))")
	}
	for _, metric := range append([]string{e.Uptime}, e.Freshness...) {
		if metric != "" && src.live.Has(metric) {
			return metric, aggregate("count", selectors.Metric(metric))
		}
	}
	return "", nil
}
