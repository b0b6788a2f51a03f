package pyrra

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/slowburn-sre/slowburn/internal/strictyaml"
	"github.com/slowburn-sre/slowburn/slo"
	"github.com/slowburn-sre/slowburn/slo/internal/foreign"
)

// indicator reads exactly one of Pyrra's four.
func indicator(v strictyaml.Value) (foreign.Measured, bool) {
	kinds := []string{"ratio", "latency", "latencyNative", "bool_gauge"}
	o, ok := v.Object(kinds...)
	if !ok {
		return foreign.Measured{}, false
	}
	given := slices.DeleteFunc(slices.Clone(kinds), func(k string) bool { return !o.Get(k).Given() })
	switch {
	case len(given) == 0:
		v.Problem("the indicator is empty", "write one of ratio, latency, latencyNative and bool_gauge")
		return foreign.Measured{}, false
	case len(given) > 1:
		o.Get(given[1]).Problem(fmt.Sprintf("the indicator has both %s and %s", given[0], given[1]), "keep one of them; Pyrra would use one and drop the other without a word")
		return foreign.Measured{}, false
	}
	part := o.Get(given[0])
	switch given[0] {
	case "ratio":
		return ratio(part)
	case "latency":
		return latency(part)
	case "latencyNative":
		return native(part)
	}
	return gauge(part)
}

// selector reads {metric: selector}.
func selector(v strictyaml.Value) (strictyaml.Value, *slo.Query, bool) {
	o, _ := v.Object("metric")
	at := o.Need("metric", "write the selector of a metric")
	q, ok := foreign.Parse(at, foreign.Verbatim)
	if !ok {
		return at, nil, false
	}
	made, ok := q.Selector()
	return at, made, ok
}

// grouping reads the labels that divide the SLO into budgets.
func grouping(v strictyaml.Value) (names []string, good bool) {
	if !v.Given() {
		return nil, true
	}
	const most = 8
	list, good := v.List(most)
	for _, e := range list {
		name, ok := e.Text()
		switch {
		case !ok:
			good = false
		case !foreign.LabelName.MatchString(name) || strings.HasPrefix(name, "__") || name == labels.BucketLabel:
			e.Problem(fmt.Sprintf("%q cannot divide events into groups", name), "write the name of a label, such as handler")
			good = false
		case !slices.Contains(names, name):
			names = append(names, name)
		}
	}
	return names, good
}

func ratio(v strictyaml.Value) (foreign.Measured, bool) {
	o, _ := v.Object("errors", "total", "grouping")
	_, bad, ok1 := selector(o.Need("errors", "write the counter of bad events"))
	_, total, ok2 := selector(o.Need("total", "write the counter of all events"))
	by, ok3 := grouping(o.Get("grouping"))
	return foreign.Measured{Indicator: slo.Indicator{Kind: slo.Events, Total: total, Bad: bad}, By: by}, ok1 && ok2 && ok3
}

// latency reads a bucket and a count. Where they are series of one histogram that select alike,
// they become that histogram with a limit; otherwise two counters.
func latency(v strictyaml.Value) (foreign.Measured, bool) {
	o, _ := v.Object("success", "total", "grouping")
	at, good, ok1 := selector(o.Need("success", "write the bucket of the good events"))
	_, total, ok2 := selector(o.Need("total", "write the counter of all events"))
	by, ok3 := grouping(o.Get("grouping"))
	if !ok1 || !ok2 || !ok3 {
		return foreign.Measured{}, false
	}
	limit, rest, found := bucket(good)
	if !found {
		at.Problem("the selector of the good events has no le with a number", `add the limit in seconds: le="0.3"`)
		return foreign.Measured{}, false
	}
	m := foreign.Measured{Indicator: slo.Indicator{Kind: slo.Events, Total: total, Good: good}, By: by}
	base, isBucket := strings.CutSuffix(good.Metric, "_bucket")
	if !isBucket || total.Metric != base+"_count" || !alike(rest, total.Matchers) {
		return m, true
	}
	m.Indicator = slo.Indicator{Kind: slo.Latency, Histogram: total.Rename(base), Below: limit, LimitText: strconv.FormatFloat(limit, 'f', -1, 64)}
	return m, true
}

// bucket returns the limit that the selector's le names, and its other matchers.
func bucket(q *slo.Query) (limit float64, rest []*labels.Matcher, found bool) {
	for _, m := range q.Matchers {
		if m.Name != labels.BucketLabel {
			rest = append(rest, m)
			continue
		}
		f, err := strconv.ParseFloat(m.Value, 64)
		if err == nil && f > 0 && f < 1e12 && (m.Type == labels.MatchEqual || m.Type == labels.MatchRegexp) {
			limit, found = f, true
		}
	}
	return limit, rest, found
}

// alike reports whether two lists of matchers, sorted as those of a query are, say the same.
func alike(a, b []*labels.Matcher) bool {
	return slices.EqualFunc(a, b, func(x, y *labels.Matcher) bool { return x.String() == y.String() })
}

// native reads a native histogram with a limit.
func native(v strictyaml.Value) (foreign.Measured, bool) {
	o, _ := v.Object("latency", "total", "grouping")
	limit := o.Need("latency", "such as latency: 300ms")
	below, ok1 := limit.Duration()
	text, _ := limit.Literal("")
	_, histogram, ok2 := selector(o.Need("total", "write the native histogram"))
	by, ok3 := grouping(o.Get("grouping"))
	return foreign.Measured{Indicator: slo.Indicator{Kind: slo.Latency, Histogram: histogram, Below: below.Seconds(), LimitText: text}, By: by}, ok1 && ok2 && ok3
}

func gauge(v strictyaml.Value) (foreign.Measured, bool) {
	o, _ := v.Object("metric", "grouping")
	at := o.Need("metric", "write the gauge that is 1 while up")
	by, ok := grouping(o.Get("grouping"))
	q, parsed := foreign.Parse(at, foreign.Verbatim)
	if !ok || !parsed {
		return foreign.Measured{}, false
	}
	up, ok := q.Selector()
	return foreign.Measured{Indicator: slo.Indicator{Kind: slo.Uptime, Up: up}, By: by}, ok
}
