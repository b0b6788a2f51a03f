package prom

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/slowburn-sre/slowburn/internal/counting"
	"github.com/slowburn-sre/slowburn/internal/selectors"
	"github.com/slowburn-sre/slowburn/slo"
)

// A bundle is a set of SLOs whose raw samples come out of one query. Two SLOs are in the same
// bundle when they share a metric and select by the same labels; the selectors are then merged into
// one that holds at least everything they ask for, and every series that arrives is led to its SLOs
// by their own matchers.

const (
	maxAlternatives = 500   // of one label in one query
	maxGroups       = 1_000 // budgets of one SLO with by: labels
	maxGroupID      = 1_024 // bytes of the name of one, which keys and indexes of the store hold
	maxSeries       = 10_000
	maxBeyond       = 100_000 // series beyond the cap that are told by a hash
)

// term is one selector of an SLO and what it selects.
type term struct {
	spec     int // in bundle.specs
	role     counting.Role
	metric   string
	matchers []*labels.Matcher
}

// bundle is the unit of reading: one query, one state.
type bundle struct {
	key      string
	specs    []*slo.Spec
	hashes   []uint64 // of each spec's terms: another hash is another SLO to the reader
	terms    []term
	selector string
	router   router
	reg      *registry
	meal     meal
}

// termsOf returns the raw terms of an SLO; classic says that its histogram has a bucket at the
// limit. It is nil for an SLO that Prometheus has to evaluate.
func termsOf(s *slo.Spec, classic bool) []term {
	raw := func(r counting.Role, q *slo.Query) term {
		return term{role: r, metric: q.Metric, matchers: numeric(q.Matchers)}
	}
	switch i, counters := &s.SLI, s.SLI.Counters(); {
	case counters.Bare():
		r := counting.Bad
		if counters.Good {
			r = counting.Good
		}
		return []term{raw(counting.Total, counters.Total), raw(r, counters.Part)}
	case i.Up.Bare():
		return []term{raw(counting.Up, i.Up)}
	case i.Histogram.Bare() && classic:
		ms := slices.Clip(i.Histogram.Matchers)
		return []term{
			{role: counting.Total, metric: i.Histogram.Metric + "_count", matchers: append(ms, labels.MustNewMatcher(labels.MatchEqual, model.BucketLabel, ""))},
			{role: counting.Good, metric: i.Histogram.Metric + "_bucket", matchers: append(ms, atBound(model.BucketLabel, i.Below))},
		}
	}
	return nil
}

// raw is an SLO with its terms, on the way into a bundle.
type rawSpec struct {
	spec  *slo.Spec
	terms []term
}

// bundles puts the SLOs that share metrics and shape together, in a stable order, but for those
// that are apart.
func bundles(specs []rawSpec, apart func(slo.ID) bool) []*bundle {
	family := families(specs)
	shapes := map[string][]rawSpec{}
	for _, s := range specs {
		key := family[s.terms[0].metric] + "{" + strings.Join(shape(s.terms), ",") + "}"
		if id := s.spec.ID(); apart(id) {
			key += string(id)
		}
		shapes[key] = append(shapes[key], s)
	}
	var out []*bundle
	for _, key := range slices.Sorted(maps.Keys(shapes)) {
		members := shapes[key]
		n := pieces(members)
		parts := make([][]rawSpec, n)
		for _, s := range members {
			i := int(hashString(string(s.spec.ID())) % uint64(n))
			parts[i] = append(parts[i], s)
		}
		for i, part := range parts {
			if len(part) > 0 {
				out = append(out, newBundle(fmt.Sprintf("%s#%d/%d", key, i, n), part))
			}
		}
	}
	return out
}

// families names, for each metric, the set of metrics that are connected with it by an SLO that
// uses both.
func families(specs []rawSpec) map[string]string {
	parent := map[string]string{}
	var find func(string) string
	find = func(m string) string {
		if p, ok := parent[m]; ok && p != m {
			parent[m] = find(p)
			return parent[m]
		}
		parent[m] = m
		return m
	}
	for _, s := range specs {
		for _, t := range s.terms {
			a, b := find(s.terms[0].metric), find(t.metric)
			parent[max(a, b)] = min(a, b)
		}
	}
	members := map[string][]string{}
	for m := range parent {
		members[find(m)] = append(members[find(m)], m)
	}
	names := map[string]string{}
	for _, ms := range members {
		slices.Sort(ms)
		for _, m := range ms {
			names[m] = strings.Join(ms, "|")
		}
	}
	return names
}

// shape lists the labels that every term selects by a wanted value or pattern; only those survive
// merging.
func shape(terms []term) []string {
	count := map[string]int{}
	for _, t := range terms {
		for name := range positive(t) {
			count[name]++
		}
	}
	var names []string
	for name, n := range count {
		if n == len(terms) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// positive maps label names to the pattern of the term's first matcher that says what is wanted.
func positive(t term) map[string]string {
	out := map[string]string{}
	for _, m := range t.matchers {
		if _, ok := out[m.Name]; ok {
			continue
		}
		switch m.Type {
		case labels.MatchEqual:
			out[m.Name] = regexp.QuoteMeta(m.Value)
		case labels.MatchRegexp:
			out[m.Name] = m.Value
		}
	}
	return out
}

// pieces returns into how many queries the SLOs have to be split: a power of two, so that it seldom
// changes.
func pieces(specs []rawSpec) int {
	most := 0
	for _, patterns := range patternsOf(specs) {
		most = max(most, len(patterns))
	}
	n := 1
	for most/n > maxAlternatives*4/5 {
		n *= 2
	}
	return n
}

// patternsOf collects, for the labels of the common shape, the patterns that occur.
func patternsOf(specs []rawSpec) map[string]map[string]bool {
	out := map[string]map[string]bool{}
	for _, name := range shape(specs[0].terms) {
		out[name] = map[string]bool{}
		for _, s := range specs {
			for _, t := range s.terms {
				out[name][positive(t)[name]] = true
			}
		}
	}
	return out
}

func newBundle(key string, specs []rawSpec) *bundle {
	slices.SortFunc(specs, func(a, b rawSpec) int { return cmp.Compare(a.spec.ID(), b.spec.ID()) })
	b := &bundle{key: key, selector: merge(specs)}
	for i, s := range specs {
		b.specs = append(b.specs, s.spec)
		b.hashes = append(b.hashes, hashTerms(s))
		for _, t := range s.terms {
			t.spec = i
			b.terms = append(b.terms, t)
		}
	}
	b.router = newRouter(b.terms)
	b.reg = newRegistry(b)
	return b
}

// metricNames returns the names of the metrics that terms select, sorted.
func metricNames(terms []term) []string {
	names := make([]string, len(terms))
	for i, t := range terms {
		names[i] = t.metric
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// merge returns the one selector that covers all of them.
func merge(specs []rawSpec) string {
	var terms []term
	for _, s := range specs {
		terms = append(terms, s.terms...)
	}
	names := metricNames(terms)
	var matchers []selectors.Matcher
	metric := ""
	if len(names) == 1 {
		metric = names[0]
	} else {
		matchers = append(matchers, selectors.Any(nameLabel, names...))
	}
	patterns := patternsOf(specs)
	for _, name := range slices.Sorted(maps.Keys(patterns)) {
		matchers = append(matchers, selectors.Pattern(name, slices.Sorted(maps.Keys(patterns[name]))...))
	}
	return selectors.Write(metric, matchers...)
}

func hashString(s string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(s))
	return mix(h.Sum64())
}

// mix spreads FNV's entropy over all bits (the finalizer of SplitMix64).
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

func hashTerms(s rawSpec) uint64 {
	var b strings.Builder
	for _, t := range s.terms {
		fmt.Fprintf(&b, "%d %s", t.role, t.metric)
		for _, m := range t.matchers {
			if m.Name != model.BucketLabel || s.spec.SLI.Histogram == nil { // the limit stands for it, below
				b.WriteString(m.String())
			}
		}
	}
	return hashString(b.String() + strings.Join(s.spec.By, ",") + s.spec.SLI.LimitText)
}
