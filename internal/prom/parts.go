package prom

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/selectors"
	"github.com/slowburn-sre/slowburn/slo"
)

// Some answers are larger than we, or the server, will hold. What was learned of that stays with
// the bundle, so that it does not ask for too much again: first it asks for fewer minutes at a
// time; where one is too many still, an SLO that is larger than its neighbours is read apart from
// them, and one that is alone is read in parts, by the values of a label. Where no label divides it,
// Prometheus adds it up (sums.go).

const (
	// partSeries is how many series a part is to have: their minute is about a third of what one
	// answer may hold.
	partSeries = 50_000
	// maxValues is how many values of a label a query may name.
	maxValues = 5_000
	// minutely is the shortest piece there is.
	minutely = time.Minute
)

// meal is how much of a bundle goes into one answer.
type meal struct {
	minutes budget.Minute // the most to ask for; 0 before the first answer
	shards  []shard       // what it is read in; none is the whole
}

// most returns for how many minutes to ask. Nobody knows how many series a bundle has before it has
// been read for the first time, so it begins with a few.
func (m *meal) most() budget.Minute { return cmp.Or(m.minutes, glance/minuteMs) }

// digest learns from the answer to a question for so many minutes. It reports whether to ask again
// at once, for fewer.
func (m *meal) digest(err *Error, asked budget.Minute) (again bool) {
	switch {
	case err == nil && m.minutes == 0:
		m.minutes = reachBack
	case err == nil:
		m.minutes = min(2*max(m.minutes, asked), reachBack)
	case asked <= 1:
	case err.Kind == TooLarge:
		m.minutes = asked / 2
		return true
	case err.Kind == Timeout:
		m.minutes = asked / 2
	}
	return false
}

// shard is what has one of a set of values of a label, or none of them.
type shard struct {
	label  string
	values []string
	others bool
}

// of narrows a selector to the shard.
func (p shard) of(whole string) string {
	if p.others {
		return selectors.And(whole, selectors.None(p.label, p.values...))
	}
	return selectors.And(whole, selectors.Any(p.label, p.values...))
}

// halves cuts a shard in two; it is false for one that cannot be cut.
func (p shard) halves() ([]shard, bool) {
	if p.others || len(p.values) < 2 {
		return nil, false
	}
	n := len(p.values) / 2
	return []shard{{label: p.label, values: p.values[:n]}, {label: p.label, values: p.values[n:]}}, true
}

// inParts asks for a bundle's samples in (from, to] until all parts of it are answered.
func (f *follower) inParts(ctx context.Context, b *bundle, from, to time.Time, ask func(selector string) *Error) *Error {
	divided := false
	tooLarge := func(err *Error) bool { return err != nil && err.Kind == TooLarge && to.Sub(from) <= minutely }
	if len(b.meal.shards) == 0 {
		err := ask(b.selector)
		if !tooLarge(err) {
			return err
		}
		if len(b.specs) > 1 {
			f.large.find(ctx, f.client, b, to)
			return err
		}
		var failed *Error
		if b.meal.shards, failed = f.divide(ctx, b, from, to); failed != nil {
			return failed
		}
		if divided = true; len(b.meal.shards) == 0 {
			f.large.sum(b.specs[0].ID(), b.hashes[0])
			return err
		}
	}
	for i := 0; i < len(b.meal.shards); {
		err := ask(b.meal.shards[i].of(b.selector))
		if tooLarge(err) {
			halves, ok := b.meal.shards[i].halves()
			if !ok { // there are more values of the label now, or one of them is too large by itself
				b.meal.shards = nil
				if divided {
					f.large.sum(b.specs[0].ID(), b.hashes[0])
				}
				return err
			}
			b.meal.shards = slices.Replace(b.meal.shards, i, i+1, halves...)
			continue
		}
		if err != nil {
			return err
		}
		i++
	}
	return nil
}

// divide finds parts of a bundle by a label with enough values; none if there is no such label.
// What has no value, or one that comes later, is in the last part.
func (f *follower) divide(ctx context.Context, b *bundle, from, to time.Time) ([]shard, *Error) {
	series, err := f.client.Probe(ctx, "count("+b.selector+")", to)
	if err != nil {
		return nil, err
	}
	n := int(series.Value)/partSeries + 2
	label, values, err := f.dividing(ctx, b, from, to, n)
	if err != nil || label == "" {
		return nil, err
	}
	var shards []shard
	for set := range slices.Chunk(values, (len(values)+n-1)/n) {
		shards = append(shards, shard{label: label, values: set})
	}
	return append(shards, shard{label: label, values: values, others: true}), nil
}

// dividing returns a label that divides a bundle into about n parts, and its values: what is
// scraped, if it can be, and else that of which there are most.
func (f *follower) dividing(ctx context.Context, b *bundle, from, to time.Time, n int) (label string, values []string, _ *Error) {
	names, err := f.client.labelNames(ctx, b.selector, from, to)
	if err != nil {
		return "", nil, err
	}
	names = slices.DeleteFunc(names, func(name string) bool { return name == nameLabel || name == "le" || name == "instance" })
	for _, name := range slices.Concat([]string{"instance"}, names) {
		found, err := f.client.LabelValues(ctx, name, []string{b.selector}, from, to, maxValues+1)
		if err != nil && err.Kind != TooLarge {
			return "", nil, err
		}
		if err != nil || len(found) > maxValues || len(found) < 2 || len(found) <= len(values) {
			continue
		}
		label, values = name, found
		if len(values) >= n {
			break
		}
	}
	return label, values, nil
}

// large are the SLOs with so many series that they are read apart from others, or not one by one. It
// has a lock of its own, for they are found while bundles are read.
type large struct {
	mu     sync.Mutex
	ids    map[slo.ID]bool
	summed map[slo.ID]uint64 // added up by Prometheus, see sums.go: by the hash of their terms
	fresh  bool              // some were found since the last plan
}

// sum has an SLO added up by Prometheus from the next plan on.
func (l *large) sum(id slo.ID, hash uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.summed == nil {
		l.summed = map[slo.ID]uint64{}
	}
	l.fresh = l.fresh || l.summed[id] != hash
	l.summed[id] = hash
}

// sums reports whether an SLO is added up.
func (l *large) sums(id slo.ID, hash uint64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.summed[id] == hash
}

// forget has the series of an SLO read again.
func (l *large) forget(id slo.ID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.summed, id)
}

// has reports whether an SLO is read apart.
func (l *large) has(id slo.ID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ids[id]
}

// planned reports whether a new plan is due.
func (l *large) planned() (due bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	due, l.fresh = l.fresh, false
	return due
}

// find counts the series of each SLO of a bundle and sets apart those that are too large for it; at
// least the largest.
func (l *large) find(ctx context.Context, c *Client, b *bundle, at time.Time) {
	counts := make([]float64, len(b.specs))
	most := 0
	for _, t := range b.terms {
		p, err := c.Probe(ctx, "count("+selectors.Metric(t.metric, t.matchers...)+")", at)
		if err != nil {
			return
		}
		counts[t.spec] += p.Value
		if counts[t.spec] > counts[most] {
			most = t.spec
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ids == nil {
		l.ids = map[slo.ID]bool{}
	}
	for i, s := range b.specs {
		if i == most || counts[i] >= partSeries/2 {
			l.ids[s.ID()] = true
		}
	}
	l.fresh = true
}

// labelNames lists the names of the labels of what a selector matches in [from, to].
func (c *Client) labelNames(ctx context.Context, selector string, from, to time.Time) ([]string, *Error) {
	var names []string
	err := c.list(ctx, "/api/v1/labels", []string{selector}, from, to, maxValues, &names)
	return names, err
}

// tellsOfSize reports whether a server's words say that a query is too large for it, rather than
// that too many are asked at once. Prometheus, Thanos, Mimir, Cortex and VictoriaMetrics each have
// their own.
func tellsOfSize(said string) bool {
	said = strings.ToLower(said)
	of := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(said, w) })
	}
	return of("sample", "series", "chunk", "points", "bytes", "response size") &&
		of("too many", "exceed", "limit", "maximum", "max number", "cannot select more", "-search.max") &&
		!of("concurren", "rate")
}
