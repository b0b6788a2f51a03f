package suggest

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/selectors"
	"github.com/slowburn-sre/slowburn/internal/signals"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/slowburn-sre/slowburn/internal/prom"
)

// A latency objective needs a limit that is the bound of a bucket: anything else would be
// interpolated. Which bound is decided by what the service does: the smallest one that 99 % of the
// requests of the worst week kept.

// class is a request class of the workbook. Source: The Site Reliability Workbook, chapter 5,
// "Alerting at Scale".
type class struct {
	name     string
	p90, p99 float64 // seconds
}

// classes from the fastest. CRITICAL is no matter of speed, and whether something is critical
// cannot be measured.
var classes = []class{{"high_fast", 0.1, 0.2}, {"high_slow", 1, 5}, {"low", math.Inf(1), math.Inf(1)}}

// le is one bucket of a histogram: its bound in seconds, how it is spelled, and the share of the
// requests of the last day within it.
type le struct {
	bound float64
	texts []string
	share float64
}

// ladder is the finite buckets of a histogram, from the smallest.
type ladder []le

// classOf returns the class that the ladder fits: the tightest whose limits are kept. Between
// bounds, the lower one speaks.
func (l ladder) classOf() string {
	for _, c := range classes {
		if l.within(c.p90) >= 0.9 && l.within(c.p99) >= 0.99 || math.IsInf(c.p90, 1) {
			return c.name
		}
	}
	return ""
}

// within returns the share of requests that were surely not slower.
func (l ladder) within(seconds float64) (share float64) {
	for _, b := range l {
		if b.bound <= seconds*(1+1e-9) {
			share = b.share
		}
	}
	return share
}

// candidates returns the bounds to look at in history: from the smallest that 99 % kept yesterday.
func (l ladder) candidates() ladder {
	const tries = 3
	for i, b := range l {
		if b.share >= 0.99 {
			return l[i:min(i+tries, len(l))]
		}
	}
	return l[max(0, len(l)-1):]
}

// types is the requests of a service that belong to one class, with their buckets.
type types struct {
	class  string
	label  string   // that tells the types apart, "" if nothing does
	values []string // of the label; nil means all
	ladder ladder
}

// describe names the types for a comment.
func (t types) describe() string {
	if t.values == nil {
		return "all requests"
	}
	var quoted []string
	for _, v := range t.values {
		quoted = append(quoted, strconv.Quote(v))
	}
	return "the requests with " + t.label + " " + strings.Join(quoted, ", ")
}

// How many buckets and routes are read for one source.
const (
	maxBuckets = 100
	maxRoutes  = 100
	maxCells   = 50_000 // series of buckets; with more, latency is left to the user
)

// day is the time whose requests decide which bounds are tried.
const day = 24 * time.Hour

// latencies reads the buckets of the last day of a classic histogram: for every service, its
// request types by class.
func (s *scout) latencies(src source) (map[string][]types, string, error) {
	c := src.entry.Fill(nil, src.live).Counts
	metric := c.Metric + "_bucket"
	spelled, err := s.values(labels.BucketLabel, selectors.Metric(metric, c.Buckets...), maxBuckets+1)
	if err != nil {
		return nil, "", err
	}
	if len(spelled) > maxBuckets {
		return nil, fmt.Sprintf("%s has more than %d buckets", c.Metric, maxBuckets), nil
	}
	infinite := selectors.Metric(metric, slices.Concat(c.Buckets, equal(labels.BucketLabel, "+Inf"))...)
	size, err := s.vector("count(" + infinite + ")")
	if err != nil {
		return nil, "", err
	}
	if n := valueOf(size, map[string]string{}) * float64(len(spelled)); n > maxCells {
		return nil, fmt.Sprintf("%s has about %s series of buckets, too many to look at; record them first", c.Metric, figures.Value(n)), nil
	}
	names := src.entry.PickGroup(src.live, metric)
	route, err := s.route(src, metric, c.Buckets)
	if err != nil {
		return nil, "", err
	}
	wanted := append(slices.Clone(names), labels.BucketLabel)
	if route != "" {
		wanted = append(wanted, route)
	}
	cells, err := s.vector("sum " + selectors.By(wanted...) + " (" + grown(selectors.Metric(metric, c.Buckets...), day) + ")")
	if err != nil {
		return nil, "", err
	}
	return sortTypes(cells, route, c.Unit), "", nil
}

// route returns the label that tells request types apart, "" if there is none or it has too many
// values.
func (s *scout) route(src source, metric string, matchers []*labels.Matcher) (string, error) {
	for _, name := range src.entry.Routes {
		if !src.live.HasLabel(metric, name) {
			continue
		}
		values, err := s.values(name, selectors.Metric(metric, matchers...), maxRoutes+1)
		if err != nil || len(values) > maxRoutes {
			return "", err
		}
		return name, nil
	}
	return "", nil
}

// cell is the requests within one bucket.
type cell struct {
	le string
	n  float64
}

// sortTypes makes a ladder of every route of every service, and joins the routes of a class.
func sortTypes(list []prom.Element, route string, unit float64) map[string][]types {
	services := map[string]map[string][]cell{} // by route
	for _, one := range list {
		rest := maps.Clone(one.Labels)
		delete(rest, labels.BucketLabel)
		delete(rest, route)
		service, value := labelKey(rest), one.Labels[route]
		if services[service] == nil {
			services[service] = map[string][]cell{}
		}
		services[service][value] = append(services[service][value], cell{one.Labels[labels.BucketLabel], one.Value})
	}
	out := map[string][]types{}
	for service, routes := range services {
		out[service] = typesOf(routes, route, unit)
	}
	return out
}

func typesOf(routes map[string][]cell, label string, unit float64) []types {
	found := map[string][]string{}
	var all []cell
	for _, value := range slices.Sorted(maps.Keys(routes)) {
		if l := ladderOf(routes[value], unit); len(l) > 0 {
			found[l.classOf()] = append(found[l.classOf()], value)
			all = append(all, routes[value]...)
		}
	}
	if len(found) < 2 || label == "" {
		l := ladderOf(all, unit)
		if len(l) == 0 {
			return nil
		}
		return []types{{class: l.classOf(), ladder: l}}
	}
	var out []types
	for _, c := range classes {
		if values := found[c.name]; len(values) > 0 {
			var cells []cell
			for _, v := range values {
				cells = append(cells, routes[v]...)
			}
			out = append(out, types{c.name, label, values, ladderOf(cells, unit)})
		}
	}
	return out
}

// ladderOf adds up cells. A bound that is spelled in two ways, 1 and 1.0, is one bound.
func ladderOf(cells []cell, unit float64) ladder {
	counts, texts, total := map[float64]float64{}, map[float64][]string{}, 0.0
	for _, c := range cells {
		bound, err := strconv.ParseFloat(c.le, 64)
		switch {
		case err != nil:
		case math.IsInf(bound, 1):
			total += c.n
		default:
			counts[bound] += c.n
			if !slices.Contains(texts[bound], c.le) {
				texts[bound] = append(texts[bound], c.le)
			}
		}
	}
	if total <= 0 {
		return nil
	}
	var l ladder
	for bound, n := range counts {
		slices.Sort(texts[bound])
		l = append(l, le{bound * unit, texts[bound], n / total})
	}
	slices.SortFunc(l, func(a, b le) int { return cmp.Compare(a.bound, b.bound) })
	return l
}

// latencyHistory returns the history of the requests of a service that were slower than a bucket's
// bound.
func (s *scout) latencyHistory(g group, t types, b le) (record, error) {
	c := g.entry.Fill(g.match(), g.live).Counts
	metric := c.Metric + "_bucket"
	set := slices.Clone(c.Buckets)
	if t.values != nil {
		set = append(set, anyOf(t.label, t.values))
	}
	r := resolutionFor(math.Max(g.series, 200)) // there are two buckets to read, of which neither is rare
	query := func(texts []string) string {
		return "sum(" + r.gained(selectors.Metric(metric, append(slices.Clip(set), anyOf(labels.BucketLabel, texts))...)) + ")"
	}
	total, err := s.one(query([]string{"+Inf"}), r.step)
	if err != nil {
		return record{}, err
	}
	good, err := s.one(query(b.texts), r.step)
	return recordOf(total, fromGood(total, good), r.step), err
}

// nativeBounds are the limits that are tried for a native histogram, in seconds.
var nativeBounds = []float64{0.1, 0.25, 0.5, 1, 2.5, 5, 10}

// nativeLadder returns the ladder of a native histogram, at the usual limits.
func (s *scout) nativeLadder(g group) (ladder, error) {
	c := g.entry.Fill(g.match(), g.live).Counts
	var l ladder
	for _, bound := range nativeBounds {
		list, err := s.vector(fraction(c, bound, "[1d:1h]"))
		if err != nil {
			return nil, err
		}
		if share := valueOf(list, map[string]string{}); len(list) > 0 && !math.IsNaN(share) {
			l = append(l, le{bound: bound, share: share})
		}
	}
	return l, nil
}

func fraction(c signals.Counts, bound float64, over string) string {
	return "histogram_fraction(0, " + number(bound/c.Unit) + ", sum(increase(" + c.Histogram + over + ")))"
}

func number(f float64) string { return strconv.FormatFloat(f, 'g', 12, 64) }

// nativeHistory returns the history of the requests of a service that were slower than a limit.
func (s *scout) nativeHistory(g group, b le) (record, error) {
	c := g.entry.Fill(g.match(), g.live).Counts
	const over = "[6h:30m]"
	total, err := s.one("histogram_count(sum(increase("+c.Histogram+over+")))", manyStep)
	if err != nil {
		return record{}, err
	}
	share, err := s.one(fraction(c, b.bound, over), manyStep)
	bad := curve{}
	for at, n := range total {
		if v, ok := share[at]; ok && !math.IsNaN(v) {
			bad[at] = n * (1 - v)
		}
	}
	return recordOf(total, bad, manyStep), err
}
