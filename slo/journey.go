package slo

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/slowburn-sre/slowburn/internal/strictyaml"
)

// Journey is what a user does in several steps, each of which has an SLO of its own. Its slots are
// derived from those of the steps (see package budget); it has no queries.
//
// A journey that is measured, one event per journey, is an ordinary SLI of [Events], and better: it
// knows which failures met the same user. A derived one can only assume.
type Journey struct {
	Steps   []Step // at least two, in the order of the file; the journey begins with the first
	Combine Combine
}

// Step is one step of a journey.
type Step struct {
	SLO    ID    // of an SLO without by: labels
	Weight int64 // thousandths, above 0; 1000 if it was not written. Only [Weighted] looks at it
}

// Combine says how the failures of the steps become those of the journey, minute by minute.
type Combine string

// The ways to combine. Weakest is the default.
const (
	Weakest  Combine = "weakest"  // as bad as the worst step: failures meet the same users
	Product  Combine = "product"  // failures of the steps have nothing to do with each other
	Weighted Combine = "weighted" // the mean of the steps by weight: a figure of merit, not a share of users
)

// maxSteps is how many steps a journey may have.
const maxSteps = 50

// journey reads the steps. Whether they exist is asked when all files are read.
func (r *sloReader) journey(v strictyaml.Value) (Indicator, bool) {
	o, _ := v.Object("steps", "combine")
	j := &Journey{Combine: Weakest}
	ok := true
	if c := o.Get("combine"); c.Given() {
		combine, valid := c.OneOf(string(Weakest), string(Product), string(Weighted))
		j.Combine, ok = Combine(combine), valid
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
		case slices.ContainsFunc(j.Steps, func(s Step) bool { return s.SLO == step.SLO }):
			e.Problem(fmt.Sprintf("the step %s is listed twice", step.SLO), "remove one of them")
			ok = false
		}
		r.places[fmt.Sprintf("step.%d", len(j.Steps))] = e
		j.Steps = append(j.Steps, step)
	}
	return Indicator{Kind: Composed, Journey: j}, ok && listed
}

// step reads `web/availability`, `availability` for the same service, or {slo: …, weight: 2}.
func (r *sloReader) step(v strictyaml.Value) (Step, bool) {
	s := Step{Weight: 1000}
	name, ok := v, true
	if v.IsMap() {
		o, _ := v.Object("slo", "weight")
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
	s.SLO = ID(service + "/" + own)
	return s, ok
}

// maxWeight is the largest weight of a step.
const maxWeight = 1000

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

// Journeys are the SLOs that are derived from others, in an order in which every journey comes
// after those that are its steps; otherwise by ID.
func (s *Set) Journeys() (out []*Spec) {
	done := map[ID]bool{}
	var visit func(*Spec)
	visit = func(j *Spec) {
		if j == nil || j.SLI.Kind != Composed || done[j.ID()] {
			return
		}
		done[j.ID()] = true
		for _, step := range j.SLI.Journey.Steps {
			visit(s.Lookup(step.SLO))
		}
		out = append(out, j)
	}
	for _, spec := range s.Specs {
		visit(spec)
	}
	return out
}

// refuseBadSteps finds what is wrong with journeys once every SLO is known.
func refuseBadSteps(set *Set, complete bool) (out Problems) {
	for _, j := range set.Specs {
		if j.SLI.Kind != Composed {
			continue
		}
		for i, step := range j.SLI.Journey.Steps {
			message, hint := wrongStep(set, j, step.SLO, complete)
			if message != "" {
				out = append(out, problem(j, wrong("", fmt.Sprintf("step.%d", i), message, hint)))
			}
		}
	}
	return out
}

// wrongStep says why an SLO cannot be a step. If the set is not complete, because some SLOs could
// not be read, nothing is said about those that are missing.
func wrongStep(set *Set, j *Spec, step ID, complete bool) (message, hint string) {
	spec := set.Lookup(step)
	switch {
	case spec == nil && complete:
		hint = "a step is an SLO of the files that are read together, as service/slo"
		var all []string
		for _, s := range set.Specs {
			all = append(all, string(s.ID()))
		}
		if near := strictyaml.Nearest(string(step), all); near != "" {
			hint = fmt.Sprintf("did you mean %s?", near)
		}
		return fmt.Sprintf("there is no SLO %s", step), hint
	case spec == nil:
		return "", ""
	case len(spec.By) > 0:
		return fmt.Sprintf("%s has a budget for each %s, so it is not one step", step, strings.Join(spec.By, ", ")),
			"write an SLO without by for the step: label values come and go, and each that goes would leave the journey without data"
	}
	if round := circle(step, j.ID(), func(id ID) []ID { return set.Lookup(id).StepIDs() }); round != nil {
		return fmt.Sprintf("the journey is a step of itself: %s", arrows(append([]ID{j.ID()}, round...))), "remove one of the steps"
	}
	return "", ""
}

// StepIDs returns the steps of a journey; none of what is no journey, or nil.
func (s *Spec) StepIDs() (out []ID) {
	if s == nil || s.SLI.Kind != Composed {
		return nil
	}
	for _, step := range s.SLI.Journey.Steps {
		out = append(out, step.SLO)
	}
	return out
}

// circle is the shortest way from one node to another, both included; nil if there is none.
func circle[T comparable](from, to T, next func(T) []T) []T {
	before := map[T]T{from: from}
	for queue := []T{from}; len(queue) > 0; queue = queue[1:] {
		n := queue[0]
		if n == to {
			way := []T{n}
			for n != from {
				n = before[n]
				way = append(way, n)
			}
			slices.Reverse(way)
			return way
		}
		for _, m := range next(n) {
			if _, seen := before[m]; !seen {
				before[m] = n
				queue = append(queue, m)
			}
		}
	}
	return nil
}

// arrows writes a way: a → b → c.
func arrows[T ~string](way []T) string {
	texts := make([]string, len(way))
	for i, w := range way {
		texts[i] = string(w)
	}
	return strings.Join(texts, " → ")
}

// lintJourneys says which journeys promise more than their steps do.
func lintJourneys(set *Set) (out Problems) {
	for _, j := range set.Journeys() {
		if f, ok := unreachable(set, j); ok {
			out = append(out, problem(j, f))
		}
	}
	return out
}

// lintWeights finds weights that nobody looks at.
func lintWeights(s *Spec) []finding {
	if s.SLI.Kind != Composed || s.SLI.Journey.Combine == Weighted || !slices.ContainsFunc(s.SLI.Journey.Steps, func(t Step) bool { return t.Weight != 1000 }) {
		return nil
	}
	return []finding{strange("weight-unused", "weight", fmt.Sprintf("weights mean nothing with combine: %s", s.SLI.Journey.Combine), "write combine: weighted, or remove the weight")}
}

// unreachable says that a journey is missed although every one of its steps just keeps its objective.
func unreachable(set *Set, j *Spec) (finding, bool) {
	kept, sum, worst, mean, weights := 1.0, 0.0, 0.0, 0.0, 0.0
	var promised []string
	for _, step := range j.SLI.Journey.Steps {
		spec := set.Lookup(step.SLO)
		if spec == nil {
			return finding{}, false
		}
		allowed := spec.Objective.AllowedRatio()
		kept, sum, worst = kept*(1-allowed), sum+allowed, max(worst, allowed)
		mean, weights = mean+allowed*float64(step.Weight), weights+float64(step.Weight)
		promised = append(promised, fmt.Sprintf("%s %s", step.SLO, spec.Objective))
	}
	reached, each, how := kept, 1-j.Objective.AllowedRatio()/float64(len(promised)), fmt.Sprintf("%s%% if they fail independently, %s%% to %s%% otherwise", percentDown(kept), percentDown(1-sum), percentDown(1-worst))
	if j.SLI.Journey.Combine == Weighted {
		reached = 1 - mean/weights
		each, how = j.Objective.Ratio(), percentDown(reached)+"%"
	}
	if reached >= j.Objective.Ratio()-1e-12 {
		return finding{}, false
	}
	return strange("journey-unreachable", "objective",
		fmt.Sprintf("the journey promises %s, but steps that just keep their objectives (%s) give %s", j.Objective, strings.Join(promised, ", "), how),
		fmt.Sprintf("promise at most %s%%, or about %s%% of each of the %d steps", percentDown(reached), percentUp(each), len(promised))), true
}

// percentDown and percentUp write a ratio in percent with at most four digits, rounded to the careful side.
func percentDown(f float64) string { return percentText(math.Floor(f*1e6 + 1e-6)) }
func percentUp(f float64) string   { return percentText(math.Ceil(f*1e6 - 1e-6)) }

func percentText(millionths float64) string {
	return strconv.FormatFloat(math.Max(millionths, 0)/1e4, 'f', -1, 64)
}
