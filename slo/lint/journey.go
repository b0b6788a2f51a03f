package lint

import (
	"fmt"
	"slices"
	"strings"

	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/strictyaml"
	"github.com/slowburn-sre/slowburn/slo"
)

// Steps finds what is wrong with journeys once every SLO is known.
func Steps(set *slo.Set, complete bool) (out slo.Problems) {
	for _, j := range set.Specs {
		if j.SLI.Kind != slo.Composed {
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
func wrongStep(set *slo.Set, j *slo.Spec, step slo.ID, complete bool) (message, hint string) {
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
	if round := circle(step, j.ID(), func(id slo.ID) []slo.ID { return set.Lookup(id).StepIDs() }); round != nil {
		return fmt.Sprintf("the journey is a step of itself: %s", arrows(append([]slo.ID{j.ID()}, round...))), "remove one of the steps"
	}
	return "", ""
}

// circle returns the shortest way from one node to another, both included; nil if there is none.
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

// Journeys says which journeys promise more than their steps do.
func Journeys(set *slo.Set) (out slo.Problems) {
	for _, j := range set.Journeys() {
		if f, ok := unreachable(set, j); ok {
			out = append(out, problem(j, f))
		}
	}
	return out
}

// lintWeights finds weights that nobody looks at.
func lintWeights(s *slo.Spec) []finding {
	if s.SLI.Kind != slo.Composed || s.SLI.Journey.Combine == slo.Weighted || !slices.ContainsFunc(s.SLI.Journey.Steps, func(t slo.Step) bool { return t.Weight != 1000 }) {
		return nil
	}
	return []finding{strange("weight-unused", "weight", fmt.Sprintf("weights mean nothing with combine: %s", s.SLI.Journey.Combine), "write combine: weighted, or remove the weight")}
}

// unreachable says that a journey is missed although every one of its steps just keeps its
// objective.
func unreachable(set *slo.Set, j *slo.Spec) (finding, bool) {
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
		promised = append(promised, fmt.Sprintf("%s %s", step.SLO, figures.Objective(spec.Objective)))
	}
	reached, each, how := kept, 1-j.Objective.AllowedRatio()/float64(len(promised)), fmt.Sprintf("%s if they fail independently, %s to %s otherwise", figures.AtMost(kept), figures.AtMost(max(1-sum, 0)), figures.AtMost(1-worst))
	if j.SLI.Journey.Combine == slo.Weighted {
		reached = 1 - mean/weights
		each, how = j.Objective.Ratio(), figures.AtMost(reached)
	}
	if reached >= j.Objective.Ratio()-1e-12 {
		return finding{}, false
	}
	return strange("journey-unreachable", "objective",
		fmt.Sprintf("the journey promises %s, but steps that just keep their objectives (%s) give %s", figures.Objective(j.Objective), strings.Join(promised, ", "), how),
		fmt.Sprintf("promise at most %s, or about %s of each of the %s", figures.AtMost(reached), figures.AtLeast(each), figures.Plural(len(promised), "step"))), true
}
