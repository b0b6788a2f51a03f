package file

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/slowburn-sre/slowburn/internal/strictyaml"
	"github.com/slowburn-sre/slowburn/slo"
)

// journey reads the steps. Whether they exist is asked when all files are read.
func (r *sloReader) journey(v strictyaml.Value) (slo.Indicator, bool) {
	o, _ := v.Object(journeyKeys.Keys()...)
	j := &slo.Journey{Combine: slo.Weakest}
	ok := true
	if c := o.Get("combine"); c.Given() {
		combine, valid := c.OneOf(journeyKeys.Choices("combine")...)
		j.Combine, ok = slo.Combine(combine), valid
	}
	steps := o.Need("steps", "list the SLOs of the steps: steps: [web/availability, pay/availability]")
	list, listed := steps.List(maxSteps)
	if listed && len(list) < 2 {
		steps.Problem("a journey has at least two steps", "list the SLOs of all steps; a single step needs no journey")
		ok = false
	}
	for _, e := range list {
		step, valid := r.step(e)
		switch {
		case !valid:
			ok = false
			continue
		case slices.ContainsFunc(j.Steps, func(s slo.Step) bool { return s.SLO == step.SLO }):
			e.Problem(fmt.Sprintf("the step %s is listed twice", step.SLO), "remove one of them")
			ok = false
		}
		r.places[fmt.Sprintf("step.%d", len(j.Steps))] = e
		j.Steps = append(j.Steps, step)
	}
	return slo.Indicator{Kind: slo.Composed, Journey: j}, ok && listed
}

// step reads `web/availability`, `availability` for the same service, or {slo: …, weight: 2}.
func (r *sloReader) step(v strictyaml.Value) (slo.Step, bool) {
	s := slo.Step{Weight: 1000}
	name, ok := v, true
	if v.IsMap() {
		o, _ := v.Object(stepKeys.Keys()...)
		name = o.Need("slo", "write which SLO the step is: slo: pay/availability")
		if w := o.Get("weight"); w.Given() {
			s.Weight, ok = readWeight(w)
			r.places["weight"] = w
		}
	}
	text, named := name.Text()
	if !named {
		return s, false
	}
	service, own, found := strings.Cut(text, "/")
	if !found {
		service, own = r.service.Name, text
	}
	if !goodName.MatchString(own) || !goodName.MatchString(service) {
		name.Problem(fmt.Sprintf("%q does not name an SLO", text), "write service/slo, or the SLO's name alone if it is of this service")
		return s, false
	}
	s.SLO = slo.ID(service + "/" + own)
	return s, ok
}

// readWeight reads a weight above zero into thousandths.
func readWeight(v strictyaml.Value) (int64, bool) {
	f, ok := v.Number()
	n := math.Round(f * 1000)
	switch {
	case !ok:
		return 0, false
	case n < 1 || f > maxWeight:
		v.Problem(fmt.Sprintf("a weight is above 0 and at most %d", maxWeight), "write for example weight: 2; a step without weight has 1")
	case math.Abs(n-f*1000) > 1e-6:
		v.Problem("a weight has at most three digits after the point", "write for example weight: 0.5")
	default:
		return int64(n), true
	}
	return 0, false
}

// weightText writes a weight as it is read.
func weightText(n int64) string { return strconv.FormatFloat(float64(n)/1000, 'f', -1, 64) }
