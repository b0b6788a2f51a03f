package signals

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/slowburn-sre/slowburn/internal/selectors"
	"github.com/slowburn-sre/slowburn/slo"
)

// Part is one signal of a filled entry: a query, or the reason why there is none.
type Part struct {
	Query  string // PromQL in which `$window` stands for the range; "" if unknown
	Unit   string // of its value: events/s, ratio, seconds, or "" for a measure of its own
	Reason string // why there is no query
	Name   string // of a measure of saturation, or of a latency that is not a quantile of requests
	Limit  float64
}

// Filled is an entry turned into queries about one service.
type Filled struct {
	Entry      *Entry
	Match      string // the matchers, in braces
	Traffic    Part
	Errors     Part
	Latency    Part
	Saturation []Part // only measures whose metrics exist

	Counts Counts // what SLOs can be made of
}

// Counts is what SLOs are made of: counters and histograms, as PromQL.
type Counts struct {
	Total     string   // counter selector, or an expression with $window; "" if there is none
	Bad, Good string   // at most one of them
	Bads      []string // selectors of bad events of a bare counter, one for each reason
	Raw       bool     // total is a bare counter
	Histogram string   // selector of a histogram, without suffix; "" if there is none
	Metric    string   // its name
	Native    bool
	Unit      float64 // of its buckets, in seconds
	Matchers  []*labels.Matcher
	Buckets   []*labels.Matcher // of the histogram
}

// quantile is the latency that is shown.
const quantile = "0.99"

// Fill turns the entry into queries about the service that the matchers pick, asking only for what
// is live. The queries are PromQL with `$window` as the range; all of them parse.
func (e *Entry) Fill(match []*labels.Matcher, live *Live) *Filled {
	f := &Filled{Entry: e, Match: selectors.Metric("", match...)}
	match = append(append([]*labels.Matcher{}, match...), live.only...)
	f.fillTraffic(match, live)
	f.fillErrors(match, live)
	f.fillLatency(match, live)
	for _, s := range e.saturation {
		if missing := absent(live, s.query.metrics); missing == "" {
			f.Saturation = append(f.Saturation, Part{Name: s.name, Query: s.query.fill(matchersFor(match, live)), Limit: s.limit})
		}
	}
	return f
}

// matchersFor leaves out what only makes sense for the events of the entry.
func matchersFor(match []*labels.Matcher, live *Live) []*labels.Matcher {
	return match[:len(match)-len(live.only)]
}

// absent returns the first metric that does not exist, or "".
func absent(live *Live, metrics []string) string {
	for _, name := range metrics {
		if !live.Has(name) {
			return name
		}
	}
	return ""
}

// applicable returns the matchers of the catalogue whose labels the metric has.
func applicable(live *Live, metric string, set []*labels.Matcher) (out []*labels.Matcher) {
	for _, m := range set {
		if live.HasLabel(metric, m.Name) {
			out = append(out, m)
		}
	}
	return out
}

// sum adds up an increase or rate of counters: "sum(rate(a[$window])) + sum(rate(b[$window]))".
func sum(function string, selectors ...string) string {
	parts := make([]string, len(selectors))
	for i, s := range selectors {
		parts[i] = "sum(" + function + "(" + s + "[" + slo.WindowVariable + "]))"
	}
	return strings.Join(parts, " + ")
}

func sumNative(function, selector string) string {
	return "sum(histogram_count(" + function + "(" + selector + "[" + slo.WindowVariable + "])))"
}

func (f *Filled) fillTraffic(match []*labels.Matcher, live *Live) {
	e := f.Entry
	total := e.PickTraffic(live)
	if len(total) > 0 {
		f.Counts.Matchers = append(append([]*labels.Matcher{}, match...), applicable(live, total[0], e.exclude)...)
		list := each(total, f.Counts.Matchers)
		f.Counts.Total, f.Counts.Raw = list[0], true
		if len(list) > 1 {
			f.Counts.Total, f.Counts.Raw = sum("increase", list...), false
		}
		f.Traffic = Part{Query: sum("rate", list...), Unit: "events/s"}
		return
	}
	if name, native := e.pickHistogram(live); native {
		f.Counts.Matchers = append(append([]*labels.Matcher{}, match...), applicable(live, name, e.exclude)...)
		s := selectors.Metric(name, f.Counts.Matchers...)
		f.Counts.Total = sumNative("increase", s)
		f.Traffic = Part{Query: sumNative("rate", s), Unit: "events/s"}
		return
	}
	f.Traffic = Part{Unit: "events/s", Reason: none("traffic", e, firsts(e.Traffic))}
}

func firsts(alternatives [][]string) (out []string) {
	for _, a := range alternatives {
		out = append(out, a[0])
	}
	return out
}

// none says why a signal is unknown.
func none(signal string, e *Entry, wanted []string) string {
	if len(wanted) == 0 {
		return fmt.Sprintf("%s has no metric for %s", e.Title, signal)
	}
	return fmt.Sprintf("none of %s exists for this service", strings.Join(wanted, ", "))
}

// conditions picks of every condition the first matcher whose label exists.
func (e *Entry) conditions(metric string, live *Live) (out []*labels.Matcher) {
	for _, alternatives := range e.errors {
		if found := applicable(live, metric, alternatives); len(found) > 0 {
			out = append(out, found[0])
		}
	}
	return out
}

func (f *Filled) fillErrors(match []*labels.Matcher, live *Live) {
	e := f.Entry
	f.Errors = Part{Unit: "ratio"}
	if len(e.failures) > 0 {
		f.fillFailures(match, live)
		return
	}
	if len(e.errors) == 0 || f.Traffic.Query == "" {
		f.Errors.Reason = none("errors", e, nil)
		if f.Traffic.Query == "" && len(e.errors) > 0 {
			f.Errors.Reason = f.Traffic.Reason
		}
		return
	}
	metric, count := f.Counted(live)
	conditions := e.conditions(metric, live)
	if len(conditions) == 0 {
		f.Errors.Reason = fmt.Sprintf("%s has no label that tells failures apart (looked for %s)", metric, strings.Join(labelNames(e.errors), ", "))
		return
	}
	total := f.Traffic.Query
	for _, m := range conditions {
		f.Counts.Bads = append(f.Counts.Bads, selectors.Metric(metric, append(slices.Clip(f.Counts.Matchers), m)...))
	}
	if len(conditions) == 1 {
		bad := selectors.Metric(metric, slices.Concat(f.Counts.Matchers, conditions)...)
		f.Counts.Bad = f.asCount(bad)
		f.Errors.Query = share(count("rate", bad), total)
		return
	}
	var inverse []*labels.Matcher
	for _, m := range conditions {
		i, _ := m.Inverse() // every kind of matcher has one
		inverse = append(inverse, i)
	}
	good := selectors.Metric(metric, slices.Concat(f.Counts.Matchers, inverse)...)
	f.Counts.Good = f.asCount(good)
	f.Errors.Query = "1 - " + share(count("rate", good), total)
}

// Counted returns the metric whose events are counted, and how they are summed.
func (f *Filled) Counted(live *Live) (string, func(function, selector string) string) {
	if total := f.Entry.PickTraffic(live); len(total) > 0 {
		return total[0], func(function, s string) string { return sum(function, s) }
	}
	name, _ := f.Entry.pickHistogram(live)
	return name, sumNative
}

// asCount writes a part of the events the way the total is written.
func (f *Filled) asCount(selector string) string {
	if f.Counts.Raw {
		return selector
	}
	return sumNative("increase", selector)
}

// share divides events by all events. No series of the part means none of it, as long as there is a
// total.
func share(part, total string) string {
	return "((" + part + ") or (" + total + ") * 0) / (" + total + ")"
}

func labelNames(alternatives [][]*labels.Matcher) (out []string) {
	for _, list := range alternatives {
		for _, m := range list {
			out = append(out, m.Name)
		}
	}
	return out
}

// fillFailures fills in sources that count failures in a metric of their own.
func (f *Filled) fillFailures(match []*labels.Matcher, live *Live) {
	if missing := absent(live, f.Entry.failures); missing != "" || f.Traffic.Query == "" {
		f.Errors.Reason = none("errors", f.Entry, f.Entry.failures)
		return
	}
	list := each(f.Entry.failures, match)
	f.Counts.Bad = sum("increase", list...)
	if f.Counts.Raw {
		f.Counts.Bad, f.Counts.Bads = list[0], list
	}
	f.Errors.Query = share(sum("rate", list...), f.Traffic.Query)
}

func (f *Filled) fillLatency(match []*labels.Matcher, live *Live) {
	e := f.Entry
	f.Latency = Part{Unit: "seconds", Name: "p99"}
	if name, native := e.pickHistogram(live); name != "" {
		f.fillHistogram(name, native, match, live)
		return
	}
	if q := e.latency.query; q != nil && absent(live, q.metrics) == "" {
		f.Latency.Name, f.Latency.Query = e.latency.name, q.fill(matchersFor(match, live))
		return
	}
	f.Latency.Reason = none("latency", e, e.latency.histograms)
}

func (f *Filled) fillHistogram(name string, native bool, match []*labels.Matcher, live *Live) {
	e := f.Entry
	series := name + "_bucket"
	if native {
		series = name
	}
	match = append(append([]*labels.Matcher{}, match...), applicable(live, series, e.exclude)...)
	match = append(match, applicable(live, series, e.latency.exclude)...)
	f.Counts.Histogram, f.Counts.Metric, f.Counts.Native, f.Counts.Buckets = selectors.Metric(name, match...), name, native, match
	f.Counts.Unit = bucketUnit(name, e.latency.unit)
	rates := "sum by (le) (rate(" + selectors.Metric(series, match...) + "[" + slo.WindowVariable + "]))"
	if native {
		rates = "sum(rate(" + selectors.Metric(series, match...) + "[" + slo.WindowVariable + "]))"
	}
	f.Latency.Query = "histogram_quantile(" + quantile + ", " + rates + ")"
	if f.Counts.Unit != 1 {
		f.Latency.Query += " * " + strconv.FormatFloat(f.Counts.Unit, 'g', -1, 64)
	}
}

// units are told by the end of a histogram's name, as package slo reads them.
var units = []struct {
	suffix  string
	seconds float64
}{
	{"_milliseconds", 1e-3},
	{"_ms", 1e-3},
	{"_msec", 1e-3},
	{"_microseconds", 1e-6},
	{"_us", 1e-6},
	{"_usec", 1e-6},
	{"_nanoseconds", 1e-9},
	{"_ns", 1e-9},
}

// bucketUnit returns the unit of a histogram's buckets in seconds.
func bucketUnit(name string, declared float64) float64 {
	if unit, ok := NamedUnit(name); ok {
		return unit
	}
	if declared > 0 && !strings.HasSuffix(name, "_seconds") {
		return declared
	}
	return 1
}

// NamedUnit returns the unit of a histogram's buckets in seconds, if its name tells one other than
// seconds.
func NamedUnit(name string) (seconds float64, ok bool) {
	for _, u := range units {
		if strings.HasSuffix(name, u.suffix) {
			return u.seconds, true
		}
	}
	return 1, false
}
