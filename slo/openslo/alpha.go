package openslo

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/slowburn-sre/slowburn/internal/strictyaml"
	"github.com/slowburn-sre/slowburn/slo"
	"github.com/slowburn-sre/slowburn/slo/file"
	"github.com/slowburn-sre/slowburn/slo/internal/foreign"
)

// alpha reads an SLO of openslo/v1alpha, in which the objectives hold their own queries. Sloth
// reads such files too, and lets the budgeting method and the sort of window be left out.
func (r *reader) alpha(o object) (out []*slo.Spec) {
	spec, ok := o.spec.Object("description", "service", "indicator", "budgetingMethod", "timeWindows", "objectives")
	if !ok {
		return nil
	}
	p := promise{reader: r, object: o}
	p.base = slo.Spec{Name: o.name, Description: r.description(spec.Get("description")), File: o.at.File(), Line: o.at.Place().Line}
	var named, counted bool
	p.base.Service, named = foreign.Name(spec.Need("service", "write service: name"), goodName, "")
	p.method, counted = occurrences, true
	if v := spec.Get("budgetingMethod"); v.Given() {
		p.method, counted = v.OneOf(occurrences, timeslices)
	}
	p.base.Place("name", o.meta.Get("name"))
	p.base.Place("window.0", spec.Get("timeWindows"))
	w, lasting := alphaWindow(spec.Need("timeWindows", "write one window"))
	p.base.Windows = []slo.Window{w}
	foreign.Describe(&p.base, o.meta.Get("labels"), "")
	foreign.Describe(&p.base, o.meta.Get("annotations"), "")
	threshold := spec.Get("indicator")
	list := p.objectives(spec)
	for i, v := range list {
		s, ok := p.alphaObjective(v, threshold)
		if len(list) > 1 && ok {
			s.Name = fmt.Sprintf("%s-%d", s.Name, i+1)
		}
		if ok && named && counted && lasting {
			s.Alerts = p.policy.alerts(v, s)
			out = append(out, s)
		}
	}
	return out
}

// alphaUnits are the units of time windows.
var alphaUnits = map[string]string{"Second": "s", "Minute": "m", "Hour": "h", "Day": "d", "Week": "w", "Month": "M", "Quarter": "Q", "Year": "Y"}

func alphaWindow(v strictyaml.Value) (slo.Window, bool) {
	list, ok := v.List(100)
	if !ok {
		return slo.Window{}, false
	}
	if len(list) != 1 {
		v.Problem(fmt.Sprintf("timeWindows has %d entries; exactly one is read", len(list)), "write an SLO for every window")
		return slo.Window{}, false
	}
	o, _ := list[0].Object("unit", "count", "isRolling", "calendar")
	at := o.Need("count", "write the number of units")
	unit, ok1 := o.Need("unit", "write Day").OneOf("Second", "Minute", "Hour", "Day", "Week", "Month", "Quarter", "Year")
	count, ok2 := at.Int(1, 40_000_000)
	if !ok1 || !ok2 {
		return slo.Window{}, false
	}
	length := span{count, alphaUnits[unit]}
	if !o.Get("isRolling").Given() && !o.Get("calendar").Given() {
		return file.Rolling(at, length.length(), "")
	}
	return lasting(o, at, length)
}

// alphaObjective reads an objective with its ratio, or with its threshold on the SLO's indicator.
func (p *promise) alphaObjective(v, threshold strictyaml.Value) (*slo.Spec, bool) {
	o, ok := v.Object("displayName", "op", "value", "target", "timeSliceTarget", "ratioMetrics")
	if !ok {
		return nil, false
	}
	s := p.base
	s.Places = maps.Clone(p.base.Places)
	s.Place("objective", o.Get("target"))
	var promised, measured, read bool
	s.Objective, promised = target(o)
	i := &sli{kind: foreign.Good, alpha: true}
	ratio := o.Get("ratioMetrics")
	switch {
	case ratio.Given() == threshold.Given():
		o.Problem("exactly one of ratioMetrics here and indicator in the SLO is needed", "write one of them")
	case ratio.Given():
		read = p.alphaRatio(i, ratio)
	default:
		t, _ := threshold.Object("thresholdMetric")
		i.threshold, read = alphaMetric(t.Need("thresholdMetric", "write source, queryType and query"), foreign.Verbatim)
	}
	slice := 0.0
	if p.method == timeslices {
		var ok bool
		slice, ok = foreign.Number(o.Need("timeSliceTarget", "write timeSliceTarget: 0.95"))
		read = read && ok
	}
	if read {
		var m foreign.Measured
		m, measured = i.measure(p.reader, o, p.method, slice)
		s.SLI, s.By = m.Indicator, m.By
	}
	return &s, promised && measured
}

func (p *promise) alphaRatio(i *sli, v strictyaml.Value) bool {
	o, _ := v.Object("incremental", "counter", "good", "total")
	good, ok1 := alphaMetric(o.Need("good", "write the query of good events"), foreign.AnyRange)
	total, ok2 := alphaMetric(o.Need("total", "write the query of all events"), foreign.AnyRange)
	if !ok1 || !ok2 {
		return false
	}
	i.some, i.total = good.Counter(), total.Counter()
	for _, key := range []string{"incremental", "counter"} {
		if on, given := o.Get(key).Bool(); given && !on {
			i.some, i.total = good.Samples(), total.Samples()
		}
	}
	return true
}

// alphaMetric reads {source, queryType, query}.
func alphaMetric(v strictyaml.Value, w foreign.Windows) (foreign.Query, bool) {
	o, ok := v.Object("source", "queryType", "query")
	if !ok {
		return foreign.Query{}, false
	}
	language := o.Get("queryType")
	if text, _ := language.Literal("promql"); language.Given() && !slices.Contains([]string{"promql", "query"}, strings.ToLower(text)) {
		language.Problem(fmt.Sprintf("queries of type %q cannot be read", text), "only promql can")
		return foreign.Query{}, false
	}
	if !speaksPromQL(o.Get("source")) {
		return foreign.Query{}, false
	}
	return foreign.Parse(o.Need("query", "write PromQL"), w)
}
