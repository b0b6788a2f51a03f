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
// them, and one that is alone is read in parts, by the values of a label. Where no label divides
// it, Prometheus adds it up (sums.go).

const (
	// partSeries is how many series a part is to have: their minute is about a third of what one
	// answer may hold.
	partSeries = 50_000
	// maxValues is how many values of a label a query may name.
	maxValues = 5_000
	// forgiven is after how many answers it is tried again what was too much.
	forgiven = 100
	// minutely is the shortest piece there is.
	minutely = time.Minute
)

// meal is how much of a bundle goes into one answer.
type meal struct {
	minutes budget.Minute // the most to ask for; 0 before the first answer
	shards  []shard       // what it is read in; none is the whole
	failed  budget.Minute // how many were too many; 0 if none were
	well    int           // how many answers there were since then
	behind  int           // and how many in a row took longer than what they are of
}

// most returns for how many minutes to ask. Nobody knows how many series a bundle has before it has
// been read for the first time, so it begins with a few.
func (m *meal) most() budget.Minute { return cmp.Or(m.minutes, glance/minuteMs) }

// digest learns from the answer to a question for so many minutes, or from its failure; fits tells
// for how many it would have been answered, and tooMuch whether it failed because of its size. It
// reports whether to ask again at once, for fewer.
func (m *meal) digest(err *Error, asked budget.Minute, fits func(most budget.Minute) budget.Minute, tooMuch func() bool) (again bool) {
	switch {
	case err == nil:
		if m.well++; m.well >= forgiven {
			m.failed = 0
		}
		most := budget.Minute(reachBack)
		if m.failed > 0 {
			most = m.failed - 1
		}
		if m.minutes > 0 {
			most = min(most, 2*max(m.minutes, asked))
		}
		m.minutes = most
	case asked <= 1:
	case err.Kind == TooLarge || err.Kind == Timeout:
		m.minutes, m.failed, m.well = fits(asked/2), asked, 0
		return tooMuch()
	}
	return false
}

// overtaken is how many answers in a row may take longer than what they are of.
const overtaken = 5

// tooSlow learns how long it took to read a piece in parts. It reports whether reading cannot keep
// up: time and again it took longer than the piece is.
func (m *meal) tooSlow(took, piece time.Duration) bool {
	if took <= max(piece, minutely) {
		m.behind = 0
		return false
	}
	m.behind++
	return m.behind >= overtaken
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

// fits returns how many minutes of a bundle an answer may hold, at most so many: there are as many
// series, and samples as often as is usual.
func (f *follower) fits(ctx context.Context, b *bundle, to time.Time, most budget.Minute) budget.Minute {
	n, err := f.client.Probe(ctx, "count("+b.selector+")", to)
	if err != nil || n.Series == 0 {
		return most
	}
	perSeries := float64(time.Minute / usualScrape)
	return budget.Minute(max(min(samplesPerQuery/(n.Value*perSeries), float64(most)), 1))
}

// tooMuch reports whether a question failed because of the size of what it asks for: the answer is
// too large, or there was none in time though there are many series.
func (f *follower) tooMuch(ctx context.Context, err *Error, selector string, to time.Time) bool {
	if err == nil || err.Kind != Timeout || ctx.Err() != nil {
		return err != nil && err.Kind == TooLarge
	}
	n, failed := f.client.Probe(ctx, "count("+selector+")", to)
	return failed == nil && n.Value >= partSeries/5
}

// keepUp makes Prometheus add up a bundle of which reading the parts of (from, to] cannot keep up:
// time and again it took longer than that, or there was no answer, though to other questions there
// was.
func (f *follower) keepUp(ctx context.Context, b *bundle, err *Error, took time.Duration, from, to time.Time) {
	if len(b.meal.shards) == 0 || err != nil && (err.Kind != Timeout || ctx.Err() != nil) {
		return
	}
	if err != nil {
		if _, silent := f.client.Probe(ctx, "count("+b.selector+")", to); silent != nil {
			return
		}
		took = time.Hour
	}
	if b.meal.tooSlow(took, to.Sub(from)) {
		f.large.sum(b.specs[0].ID(), b.hashes[0])
	}
}

// inParts asks for something of a bundle in (from, to] until all parts of it are answered. What is
// asked for is whole: the selector of the bundle, or a narrower one.
func (f *follower) inParts(ctx context.Context, b *bundle, whole string, from, to time.Time, ask func(selector string) *Error) *Error {
	divided := false
	tooMuch := func(err *Error, selector string) bool {
		return to.Sub(from) <= minutely && f.tooMuch(ctx, err, selector, to)
	}
	if len(b.meal.shards) == 0 {
		err := ask(whole)
		if !tooMuch(err, whole) {
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
		part := b.meal.shards[i].of(whole)
		err := ask(part)
		if tooMuch(err, part) {
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

// large are the SLOs with so many series that they are read apart from others, or not one by one.
// It has a lock of its own, for they are found while bundles are read.
type large struct {
	mu     sync.Mutex
	ids    map[slo.ID]bool
	summed map[slo.ID]uint64 // added up by Prometheus, see sums.go: by the hash of their terms
	fresh  bool              // some were found since the last plan
}

// sum makes an SLO be added up by Prometheus from the next plan on.
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

// forget makes the series of an SLO be read again.
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

// tellsOfTime reports whether a server's words say that a query has taken it too long.
func tellsOfTime(said string) bool {
	said = strings.ToLower(said)
	return strings.Contains(said, "timed out in") || strings.Contains(said, "timeout exceeded") || strings.Contains(said, "context deadline exceeded")
}
