package openslo

import (
	"fmt"
	"slices"
	"strings"

	"github.com/slowburn-sre/slowburn/internal/strictyaml"
	"github.com/slowburn-sre/slowburn/slo"
	"github.com/slowburn-sre/slowburn/slo/internal/foreign"
)

// sli is an indicator before it is known how its budget is counted. One of the three is given: a
// threshold, a pair of total and some, or a raw ratio.
type sli struct {
	broken      bool // what is wrong with it has been recorded
	inline      bool
	alpha       bool // of openslo/v1alpha, which wants a value beside a ratio too
	threshold   foreign.Query
	total, some foreign.Query
	raw         foreign.Query
	kind        foreign.Kind // of some and raw
}

// indicator reads indicator or indicatorRef of an SLO or an objective.
func (r *reader) indicator(o strictyaml.Object) *sli {
	ref, inline := o.Get("indicatorRef"), o.Get("indicator")
	if ref.Given() && inline.Given() {
		ref.Problem("indicator and indicatorRef are both given", "keep one of them")
		return &sli{broken: true}
	}
	if ref.Given() {
		found, ok := r.library.find("SLI", ref, "")
		if !ok {
			return &sli{broken: true}
		}
		return r.sli(found)
	}
	written, ok := r.inline("SLI", inline)
	if !ok {
		return &sli{broken: true}
	}
	i := r.sli(written)
	i.inline = true
	return i
}

// sli reads the spec of an SLI: a threshold or a ratio.
func (r *reader) sli(o object) *sli {
	i := &sli{}
	spec, _ := o.spec.Object("description", "thresholdMetric", "ratioMetric")
	threshold, ratio := spec.Get("thresholdMetric"), spec.Get("ratioMetric")
	switch {
	case threshold.Given() == ratio.Given():
		o.spec.Problem("exactly one of thresholdMetric and ratioMetric is needed", "write one of them")
		i.broken = true
	case threshold.Given():
		var ok bool
		i.threshold, ok = r.metric(threshold, foreign.Verbatim)
		i.broken = !ok
	default:
		i.broken = !r.ratio(i, ratio)
	}
	return i
}

// ratio reads ratioMetric: total with good or bad, or raw with rawType.
func (r *reader) ratio(i *sli, v strictyaml.Value) bool {
	o, ok := v.Object("counter", "good", "bad", "total", "raw", "rawType")
	if !ok {
		return false
	}
	if raw := o.Get("raw"); raw.Given() {
		if o.Get("total").Given() || o.Get("good").Given() || o.Get("bad").Given() {
			raw.Problem("raw stands beside good, bad or total", "keep either raw or the others")
			return false
		}
		rawType, typed := o.Need("rawType", "write success or failure").OneOf("success", "failure")
		i.kind = map[string]foreign.Kind{"success": foreign.Good, "failure": foreign.Bad}[rawType]
		i.raw, ok = r.metric(raw, foreign.AnyRange)
		return ok && typed
	}
	some := o.Get("good")
	i.kind = foreign.Good
	if bad := o.Get("bad"); bad.Given() {
		if some.Given() {
			bad.Problem("good and bad are both given", "keep one of them; the other follows")
			return false
		}
		some, i.kind = bad, foreign.Bad
	}
	if !some.Given() {
		v.Problem("good or bad is missing", "write which events are good, or which are bad")
		return false
	}
	counter := true
	if c := o.Get("counter"); c.Given() {
		counter, _ = c.Bool()
	}
	var ok1, ok2 bool
	i.total, ok1 = r.count(o.Need("total", "write the query of all events"), counter)
	i.some, ok2 = r.count(some, counter)
	return ok1 && ok2
}

// count reads a metric that counts events.
func (r *reader) count(v strictyaml.Value, counter bool) (foreign.Query, bool) {
	q, ok := r.metric(v, foreign.AnyRange)
	switch {
	case !ok:
		return q, false
	case counter:
		return q.Counter(), true
	}
	return q.Samples(), true
}

// queryKeys are the names under which people write PromQL; OpenSLO leaves that open.
var queryKeys = []string{"query", "promql", "expr", "expression", "promQL"}

// metric reads {metricSource: {…}}.
func (r *reader) metric(v strictyaml.Value, w foreign.Windows) (foreign.Query, bool) {
	o, _ := v.Object("metricSource")
	source, ok := o.Need("metricSource", "write metricSource: {type: Prometheus, spec: {query: …}}").Object("metricSourceRef", "type", "spec")
	if !ok || !r.isPrometheus(source) {
		return foreign.Query{}, false
	}
	spec := source.Need("spec", "write spec: {query: …}")
	var query strictyaml.Value
	for _, e := range foreign.Entries(spec) {
		switch {
		case slices.Contains(queryKeys, e.Key) && !query.Given():
			query = e.Value
		case e.Key != "queryType" && e.Key != "source":
			foreign.Lost(e.Value, "a query is all that is read of a metric source")
		}
	}
	if !query.Given() {
		if spec.IsMap() {
			spec.Problem("there is no PromQL in this metric source", "write it under query")
		}
		return foreign.Query{}, false
	}
	return foreign.Parse(query, w)
}

// prometheusTypes are what people call servers that speak PromQL, in small letters.
var prometheusTypes = []string{"prometheus", "promql", "thanos", "mimir", "cortex", "victoriametrics", "amazonprometheus", "gcm", "grafanamimir", "googlemanagedprometheus", "sloth"}

// isPrometheus reports whether the source speaks PromQL, as far as anybody said.
func (r *reader) isPrometheus(source strictyaml.Object) bool {
	at := source.Get("type")
	if ref := source.Get("metricSourceRef"); ref.Given() && !at.Given() {
		if o, ok := r.library.find("DataSource", ref, "not-carried-over"); ok {
			at = o.spec.Child("type")
		}
	}
	return speaksPromQL(at)
}

// speaksPromQL reports whether a type of source does; one that is not written may.
func speaksPromQL(at strictyaml.Value) bool {
	if !at.Given() {
		return true
	}
	name, ok := at.Literal("a type such as Prometheus")
	if ok && !slices.Contains(prometheusTypes, strings.ToLower(name)) {
		at.Problem(fmt.Sprintf("a metric source of type %q cannot be read", name), "only servers that speak PromQL can: type: Prometheus")
		return false
	}
	return ok
}

// measure makes our indicator for an objective by the budgeting method.
func (i *sli) measure(r *reader, o strictyaml.Object, method string, slice float64) (foreign.Measured, bool) {
	if i.threshold.Given() {
		return i.compare(o)
	}
	if !i.alpha && !r.noThreshold(o, i.inline) {
		return foreign.Measured{}, false
	}
	switch method {
	case timeslices:
		q, by := i.share(foreign.Good)
		m := slo.Indicator{Kind: slo.Slices, Slice: q, GoodWhen: slo.Condition{Op: ">=", Value: slice}, Missing: slo.Exclude}
		return foreign.Measured{Indicator: m, By: by}, q != nil
	case ratioTimeslices:
		q, by := i.share(foreign.Bad)
		return foreign.Measured{Indicator: slo.Indicator{Kind: slo.Ratio, Bad: q}, By: by}, q != nil
	}
	if i.raw.Given() {
		return foreign.Ratio(i.raw, i.kind)
	}
	return foreign.Events(i.total, i.some, i.kind)
}

// share returns the share of good or bad events in a minute, as one expression.
func (i *sli) share(want foreign.Kind) (*slo.Query, []string) {
	if i.raw.Given() {
		return i.raw.Share(i.kind, want), nil
	}
	return foreign.Quotient(i.total, i.some, i.kind, want)
}

// operators of OpenSLO.
var operators = map[string]string{"lte": "<=", "gte": ">=", "lt": "<", "gt": ">"}

// compare makes slices of a threshold: a minute is good if its value keeps to it.
func (i *sli) compare(o strictyaml.Object) (foreign.Measured, bool) {
	op, ok1 := o.Need("op", "write lte, gte, lt or gt").OneOf("lte", "gte", "lt", "gt")
	value, ok2 := foreign.Number(o.Need("value", "write the threshold"))
	q := i.threshold.Plain()
	m := slo.Indicator{Kind: slo.Slices, Slice: q, GoodWhen: slo.Condition{Op: operators[op], Value: value}, Missing: slo.Exclude}
	return foreign.Measured{Indicator: m}, ok1 && ok2 && q != nil
}

// noThreshold refuses op and value beside a ratio. The reference validator sees them only where the
// indicator is written inline.
func (r *reader) noThreshold(o strictyaml.Object, inline bool) bool {
	for _, key := range []string{"op", "value"} {
		v := o.Get(key)
		if !v.Given() {
			continue
		}
		const hint = "remove it; an event of a ratio is good or bad already"
		if !inline {
			v.Lint("openslo-lenient", key+" means nothing beside a ratio", hint)
		} else if !r.forgive(v, key+" means nothing beside a ratio", hint) {
			return false
		}
	}
	return true
}
