package file

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/slowburn-sre/slowburn/internal/strictyaml"
	"github.com/slowburn-sre/slowburn/slo"
)

// purpose is what a query is for, and so what it may be.
type purpose int

const (
	anyQuery  purpose = iota // anything of type vector
	counting                 // counts events: a bare counter, or an expression over $window
	histogram                // a bare histogram
)

// readQuery reads a query and asks whether it suits its purpose; nil if not.
func readQuery(v strictyaml.Value, use purpose) *slo.Query {
	text, ok := v.Text()
	if !ok {
		return nil
	}
	q, remarks := slo.InspectQuery(text)
	good := q != nil && !slices.ContainsFunc(remarks, func(r slo.Remark) bool { return r.Lint == "" })
	if good {
		remarks = append(remarks, suits(q, use)...)
	}
	for _, r := range remarks {
		if r.Lint == "" {
			good = false
		}
		if at := v.Inside(r.Offset); r.Lint != "" {
			v.LintAt(at, r.Lint, r.Message, r.Hint)
		} else {
			v.ProblemAt(at, strictyaml.Error, r.Message, r.Hint)
		}
	}
	if !good {
		return nil
	}
	at := v.Place()
	q.File, q.Line, q.Column = v.File(), at.Line, at.Column
	return q
}

// suits says why a query does not suit its purpose.
func suits(q *slo.Query, use purpose) []slo.Remark {
	if q.Bare() {
		return nil
	}
	if q.IsSelector() {
		return []slo.Remark{{Message: slo.NoMetric, Hint: `write metric{label="value"}`}}
	}
	switch {
	case use == counting && !q.Windowed():
		return []slo.Remark{{
			Message: "the expression " + slo.NoRange,
			Hint:    "write the range as " + slo.WindowVariable + ": sum(increase(requests_total[" + slo.WindowVariable + "])); or give a bare counter, which is counted exactly",
		}}
	case use == counting && q.Constant():
		return []slo.Remark{{Message: "the expression counts events that are none: vector() of a number above zero", Hint: "write or vector(0) for what is not there"}}
	case use == histogram:
		return []slo.Remark{{Message: "the histogram must be a bare selector, not an expression", Hint: `write its name and matchers: request_duration_seconds{job="checkout"}`}}
	}
	return nil
}

// indicator reads sli: exactly one of the kinds.
func (r *sloReader) indicator(v strictyaml.Value) (slo.Indicator, bool) {
	o, ok := v.Object(sliKeys.Keys()...)
	if !ok {
		return slo.Indicator{}, false
	}
	all := slices.DeleteFunc(slices.Clone(sliKeys.Keys()), func(k string) bool { return k == nounKey })
	kinds := slices.DeleteFunc(slices.Clone(all), func(k string) bool { return !o.Get(k).Given() })
	if len(kinds) != 1 {
		if len(kinds) > 1 {
			v.Problem(fmt.Sprintf("sli has both %s and %s", kinds[0], kinds[1]), "write one SLO for each")
		} else {
			v.Problem("sli is empty", "write "+strings.Join(all[:len(all)-1], ", ")+" or "+all[len(all)-1])
		}
		return slo.Indicator{}, false
	}
	noun, named := readNoun(o.Get(nounKey))
	i, ok := r.measured(slo.Kind(kinds[0]), o.Get(kinds[0]))
	i.Called = noun
	return i, ok && named
}

var goodNoun = regexp.MustCompile(slo.NounForm)

// readNoun reads what people call the events; it is false only for what cannot be one.
func readNoun(v strictyaml.Value) (string, bool) {
	if !v.Given() {
		return "", true
	}
	s, ok := v.Text()
	if ok && !goodNoun.MatchString(s) {
		v.Problem("the noun is not a word for many events: 2 to 40 small letters, spaces and hyphens", "write noun: payments")
		ok = false
	}
	return s, ok
}

// measured reads the key of sli that says what is counted.
func (r *sloReader) measured(kind slo.Kind, part strictyaml.Value) (slo.Indicator, bool) {
	switch kind {
	case slo.Events:
		return r.events(part)
	case slo.Latency:
		return r.latency(part)
	case slo.Uptime:
		up := readQuery(part, anyQuery)
		return slo.Indicator{Kind: slo.Uptime, Up: up}, up != nil
	case slo.Slices:
		return r.slices(part)
	case slo.Composed:
		return r.journey(part)
	default:
		return r.ratio(part)
	}
}

// badOrGood reads whichever of bad and good was written; both or none is refused.
func (r *sloReader) badOrGood(o strictyaml.Object, use purpose) (bad, good *slo.Query, ok bool) {
	b, g := o.Get("bad"), o.Get("good")
	switch {
	case b.Given() && g.Given():
		g.ProblemAt(g.Place(), strictyaml.Error, "bad and good are both given", "keep one of them; the other follows")
		return nil, nil, false
	case b.Given():
		bad = readQuery(b, use)
	case g.Given():
		good = readQuery(g, use)
	case o.IsMap():
		o.Problem("bad or good is missing", "write which events are bad, or which are good")
	}
	return bad, good, bad != nil || good != nil
}

func (r *sloReader) events(v strictyaml.Value) (slo.Indicator, bool) {
	o, _ := v.Object(eventsKeys.Keys()...)
	i := slo.Indicator{Kind: slo.Events}
	i.Total = readQuery(o.Need("total", "write the counter of all events"), counting)
	var ok bool
	i.Bad, i.Good, ok = r.badOrGood(o, counting)
	return i, ok && i.Total != nil
}

// ratio reads a ready-made ratio. One of good events is turned into one of bad events here, so that
// nobody further down has to know two kinds.
func (r *sloReader) ratio(v strictyaml.Value) (slo.Indicator, bool) {
	o, _ := v.Object(ratioKeys.Keys()...)
	bad, good, ok := r.badOrGood(o, anyQuery)
	if good != nil {
		bad = good
		bad.Text, bad.Metric, bad.Matchers = "1 - ("+good.Text+")", "", nil
	}
	return slo.Indicator{Kind: slo.Ratio, Bad: bad}, ok
}

// histogramSuffixes are the series of a classic histogram.
var histogramSuffixes = []string{"_bucket", "_count", "_sum"}

func (r *sloReader) latency(v strictyaml.Value) (slo.Indicator, bool) {
	o, _ := v.Object(latencyKeys.Keys()...)
	i := slo.Indicator{Kind: slo.Latency}
	h := o.Need("histogram", "write the histogram's name without _bucket")
	i.Histogram = readQuery(h, histogram)
	unit := time.Second
	if q := i.Histogram; q != nil {
		q = stripSuffix(h, q)
		i.Histogram = q
		unit = bucketUnit(q.Metric)
		for _, m := range q.Matchers {
			if m.Name == model.BucketLabel {
				h.Problem("le cannot be matched here", "remove it; the limit is given by below")
				i.Histogram = nil
			}
		}
	}
	var ok bool
	r.places["below"] = o.Get("below")
	i.Below, i.LimitText, ok = readLimit(o.Need("below", "write the longest good time, such as below: 300ms"), unit)
	return i, ok && i.Histogram != nil
}

// stripSuffix turns the name of one of a histogram's series into that of the histogram.
func stripSuffix(v strictyaml.Value, q *slo.Query) *slo.Query {
	for _, suffix := range histogramSuffixes {
		name, found := strings.CutSuffix(q.Metric, suffix)
		if !found || name == "" {
			continue
		}
		v.Lint("histogram-suffix", fmt.Sprintf("%s is one of the series of a histogram; it is read as %s", q.Metric, name), "write the name without "+suffix)
		return q.Rename(name)
	}
	return q
}

// bucketUnit returns the unit of a histogram's buckets, which by convention its name tells; seconds
// otherwise.
func bucketUnit(metric string) time.Duration {
	for suffix, unit := range map[string]time.Duration{
		"_milliseconds": time.Millisecond, "_ms": time.Millisecond, "_msec": time.Millisecond,
		"_microseconds": time.Microsecond, "_us": time.Microsecond, "_usec": time.Microsecond,
		"_nanoseconds": time.Nanosecond, "_ns": time.Nanosecond,
	} {
		if strings.HasSuffix(metric, suffix) {
			return unit
		}
	}
	return time.Second
}

// readLimit reads a latency limit: a duration, brought into the unit of the buckets, or a plain
// number in that unit.
func readLimit(v strictyaml.Value, unit time.Duration) (limit float64, text string, ok bool) {
	text, ok = v.Literal("a duration such as 300ms, or a number in the unit of the buckets")
	if !ok {
		return 0, "", false
	}
	if f, err := strictyaml.ParseNumber(text); err == nil {
		if f <= 0 {
			v.Problem("below must be above zero", "write for example 300ms")
		}
		return f, text, f > 0
	}
	d, ok := v.Duration()
	return float64(d) / float64(unit), text, ok
}

func (r *sloReader) slices(v strictyaml.Value) (slo.Indicator, bool) {
	o, _ := v.Object(slicesKeys.Keys()...)
	i := slo.Indicator{Kind: slo.Slices, Missing: slo.Exclude}
	i.Slice = readQuery(o.Need("query", "write the PromQL whose value decides about a minute"), anyQuery)
	condition, ok := readCondition(o.Need("good", "write when a minute is good, such as good: '< 0.3'"))
	i.GoodWhen = condition
	if m := o.Get("missing"); m.Given() {
		missing, valid := m.OneOf(slicesKeys.Choices("missing")...)
		i.Missing, ok = slo.Missing(missing), ok && valid
	}
	return i, ok && i.Slice != nil
}

var condition = regexp.MustCompile(`^(<=|>=|==|!=|<|>)\s*(\S+)$`)

// readCondition reads a comparison with a number, such as < 0.3.
func readCondition(v strictyaml.Value) (slo.Condition, bool) {
	text, ok := v.Literal("a comparison such as '< 0.3'")
	if !ok {
		return slo.Condition{}, false
	}
	m := condition.FindStringSubmatch(strings.TrimSpace(text))
	if m == nil {
		hint := "write for example '< 0.3', in quotes"
		if _, err := strictyaml.ParseNumber(text); err == nil {
			hint = fmt.Sprintf("write '< %s' or '> %s'", text, text)
		}
		v.Problem(fmt.Sprintf("good cannot be %q", text), hint)
		return slo.Condition{}, false
	}
	f, err := strictyaml.ParseNumber(m[2])
	if err != nil {
		v.Problem(fmt.Sprintf("good compares with %q, which is not a number", m[2]), "write a number in the unit of the query")
		return slo.Condition{}, false
	}
	return slo.Condition{Op: m[1], Value: f}, true
}
