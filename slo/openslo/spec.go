package openslo

import (
	"fmt"
	"maps"
	"time"

	"github.com/slowburn-sre/slowburn/internal/strictyaml"
	"github.com/slowburn-sre/slowburn/slo"
	"github.com/slowburn-sre/slowburn/slo/internal/foreign"
)

// maxObjectives bounds the objectives of an SLO.
const maxObjectives = 100

// promise is an SLO as far as all its objectives share it.
type promise struct {
	*reader
	object object
	base   slo.Spec
	method string
	sli    *sli // nil if each objective has its own
	policy policies
}

// slo reads an SLO; each of its objectives becomes one of ours.
func (r *reader) slo(o object) (out []*slo.Spec) {
	spec, ok := o.spec.Object("description", "service", "indicator", "indicatorRef", "budgetingMethod", "timeWindow", "objectives", "alertPolicies")
	if !ok {
		return nil
	}
	p := promise{reader: r, object: o}
	good := p.readBase(spec)
	if indicator := spec.Get("indicator"); indicator.Given() || spec.Get("indicatorRef").Given() {
		p.sli = r.indicator(spec)
	}
	p.policy, ok = r.policies(spec.Get("alertPolicies"))
	good = good && ok
	list := p.objectives(spec)
	for i, v := range list {
		s, ok := p.objective(v)
		if len(list) > 1 && ok {
			s.Name = fmt.Sprintf("%s-%d", s.Name, i+1)
		}
		if ok && good {
			s.Alerts = p.policy.alerts(v, s)
			out = append(out, s)
		}
	}
	return out
}

// readBase reads what is the same for all objectives.
func (p *promise) readBase(spec strictyaml.Object) bool {
	p.base = slo.Spec{Name: p.object.name, File: p.object.at.File(), Line: p.object.at.Place().Line}
	var named, lasting, counted bool
	p.base.Service, named = foreign.Name(spec.Need("service", "write service: name"), goodName, slo.NameRule)
	p.base.Description = p.description(spec.Get("description"))
	p.method, counted = p.budgeting(spec)
	w, lasting := p.window(spec)
	p.base.Windows = []slo.Window{w}
	p.base.Place("name", p.object.meta.Get("name"))
	p.base.Place("window.0", spec.Get("timeWindow"))
	p.base.Place("alerts", spec.Get("alertPolicies"))
	foreign.Describe(&p.base, p.object.meta.Get("labels"), "")
	foreign.Describe(&p.base, p.object.meta.Get("annotations"), "")
	return named && lasting && counted
}

// The budgeting methods.
const (
	occurrences     = "Occurrences"
	timeslices      = "Timeslices"
	ratioTimeslices = "RatioTimeslices"
)

func (p *promise) budgeting(spec strictyaml.Object) (string, bool) {
	v := spec.Get("budgetingMethod")
	if !v.Given() {
		return occurrences, p.forgive(spec.Value, "budgetingMethod is missing", "write budgetingMethod: "+occurrences)
	}
	return v.OneOf(occurrences, timeslices, ratioTimeslices)
}

func (p *promise) objectives(spec strictyaml.Object) []strictyaml.Value {
	list, ok := spec.Need("objectives", "write objectives: [{target: 0.999}]").List(maxObjectives)
	if ok && len(list) == 0 {
		spec.Get("objectives").Problem("objectives is empty", "list at least one")
	}
	return list
}

// objective reads one objective.
func (p *promise) objective(v strictyaml.Value) (*slo.Spec, bool) {
	o, ok := v.Object("displayName", "op", "value", "target", "targetPercent", "timeSliceTarget", "timeSliceWindow", "compositeWeight", "indicator", "indicatorRef")
	if !ok {
		return nil, false
	}
	s := p.base
	s.Places = maps.Clone(p.base.Places)
	s.Place("objective", firstGiven(o.Get("target"), o.Get("targetPercent")))
	var promised, measured bool
	s.Objective, promised = target(o)
	i, found := p.indicatorOf(o)
	slice, sliced := p.slice(o)
	if found {
		var m foreign.Measured
		m, measured = i.measure(p.reader, o, p.method, slice)
		s.SLI, s.By = m.Indicator, m.By
	}
	return &s, promised && sliced && measured
}

// firstGiven returns the first of some values that was written.
func firstGiven(values ...strictyaml.Value) strictyaml.Value {
	for _, v := range values {
		if v.Given() {
			return v
		}
	}
	return strictyaml.Value{}
}

// indicatorOf returns the indicator of the SLO, or of this objective if it is a composite.
func (p *promise) indicatorOf(o strictyaml.Object) (*sli, bool) {
	own := o.Get("indicator").Given() || o.Get("indicatorRef").Given()
	if w := o.Get("compositeWeight"); w.Given() {
		if f, ok := foreign.Number(w); ok && f <= 0 {
			w.Problem("compositeWeight must be above zero", "write 1, or remove it")
			return nil, false
		}
		foreign.Lost(w, "each objective is an SLO of its own here, with its own budget")
	}
	switch {
	case own && p.sli != nil:
		o.Problem("both the SLO and this objective have an indicator", "write it in one of the two places")
		return nil, false
	case own:
		i := p.indicator(o)
		return i, !i.broken
	case p.sli == nil:
		o.Problem("there is no indicator, neither in the SLO nor in this objective", "write indicator or indicatorRef")
		return nil, false
	}
	return p.sli, !p.sli.broken
}

// target reads the objective as a ratio or as a percentage.
func target(o strictyaml.Object) (slo.Objective, bool) {
	ratio, percent := o.Get("target"), o.Get("targetPercent")
	switch {
	case ratio.Given() && percent.Given():
		o.Problem("target and targetPercent are both given", "keep one of them")
		return slo.Objective{}, false
	case percent.Given():
		text, ok := percent.Literal("a percentage such as 99.9")
		if !ok {
			return slo.Objective{}, false
		}
		return foreign.Objective(percent, text)
	}
	f, ok := foreign.Number(o.Need("target", "write target: 0.999"))
	text, _ := ratio.Literal("")
	switch {
	case !ok:
		return slo.Objective{}, false
	case f < 0 || f > 1:
		ratio.Problem(fmt.Sprintf("target is a ratio from 0 to 1, not %s", text), "write for example 0.999, or targetPercent: 99.9")
		return slo.Objective{}, false
	}
	text, err := foreign.Percent(text)
	if err != nil {
		ratio.Problem(err.Error(), "write for example 0.999")
		return slo.Objective{}, false
	}
	return foreign.Objective(ratio, text)
}

// slice returns the share of good events that makes a time slice good. Slices are minutes here.
func (p *promise) slice(o strictyaml.Object) (share float64, ok bool) {
	if p.method == occurrences {
		return 0, true
	}
	window, good := o.Need("timeSliceWindow", "write timeSliceWindow: 1m"), true
	if window.Given() {
		good = p.sliceWindow(window)
	}
	if p.method == ratioTimeslices {
		return 0, good
	}
	at := o.Need("timeSliceTarget", "write timeSliceTarget: 0.95")
	share, ok = foreign.Number(at)
	if ok && (share <= 0 || share > 1) {
		at.Problem("timeSliceTarget must be above 0 and at most 1", "write for example 0.95")
		return 0, false
	}
	return share, ok && good && window.Given()
}

func (p *promise) sliceWindow(v strictyaml.Value) bool {
	if text, _ := v.Literal(""); allDigits(text) {
		if !p.forgive(v, "timeSliceWindow has no unit", "write "+text+"m for minutes") {
			return false
		}
		if text != "1" {
			foreign.Lost(v, "a time slice is a minute here")
		}
		return true
	}
	length, ok := readSpan(v)
	if ok && length.length() != time.Minute {
		foreign.Lost(v, "a time slice is a minute here")
	}
	return ok
}

func allDigits(s string) bool {
	for _, r := range s {
		if r < '0' || r > '9' {
			return false
		}
	}
	return s != ""
}
