package lint

import (
	"fmt"
	"slices"

	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/strictyaml"
	"github.com/slowburn-sre/slowburn/slo"
)

// Dependencies looks at what services say about each other.
func Dependencies(set *slo.Set) (out slo.Problems) {
	for _, service := range set.Services {
		for _, d := range service.DependsOn {
			if f, found := lintDependency(set, service, d); found {
				out = append(out, slo.Problem{File: d.File, Line: d.Line, Column: d.Column, Severity: f.severity, ID: f.id, Message: f.message, Hint: f.hint})
			}
		}
	}
	return out
}

func lintDependency(set *slo.Set, service *slo.Service, d slo.Dependency) (f finding, found bool) {
	var theirs []*slo.Spec
	for _, s := range set.Specs {
		if d.Covers(s) {
			theirs = append(theirs, s)
		}
	}
	if len(theirs) == 0 {
		return strange("dependency-unknown", "", fmt.Sprintf("nothing is known about %s: there is no such SLO", d), unknownDependency(set, d)), true
	}
	round := circle(d.Service, service.Name, func(name string) []string { return servicesOf(set, name) })
	if round != nil && slices.Min(round) == service.Name {
		return strange("dependency-circle", "",
			fmt.Sprintf("services depend on each other in a circle: %s", arrows(append([]string{service.Name}, round...))),
			"neither can be better than the other, nor start without it; call it soft if the service works without"), true
	}
	if d.Soft {
		return finding{}, false
	}
	return lintNines(set, service, d, theirs)
}

func unknownDependency(set *slo.Set, d slo.Dependency) string {
	var names []string
	for _, s := range set.Specs {
		names = append(names, s.Service)
		if d.SLO != "" {
			names = append(names, string(s.ID()))
		}
	}
	if near := strictyaml.Nearest(d.String(), names); near != "" {
		return fmt.Sprintf("did you mean %s?", near)
	}
	return "write an SLO for it, even if others run it: what is not measured cannot be named when it burns"
}

// servicesOf returns what a service depends on, by name.
func servicesOf(set *slo.Set, name string) (out []string) {
	if service := set.Service(name); service != nil {
		for _, d := range service.DependsOn {
			out = append(out, d.Service)
		}
	}
	return out
}

// lintNines compares what a service promises with what its dependency does. A service cannot be
// better than what it cannot do without; and to leave room for faults of its own, a dependency
// should fail at most a tenth as often. Source: The Calculus of Service Availability (ACM Queue,
// 2017), the rule of the extra nine. Latency is left out unless it was named: how slow is too slow
// differs.
func lintNines(set *slo.Set, service *slo.Service, d slo.Dependency, theirs []*slo.Spec) (f finding, found bool) {
	var mine, weakest *slo.Spec
	for _, s := range set.Specs {
		if s.Service == service.Name && s.SLI.Kind != slo.Latency && s.SLI.Kind != slo.Composed && (mine == nil || s.Objective.Allowed() < mine.Objective.Allowed()) {
			mine = s
		}
	}
	for _, s := range theirs {
		if (d.SLO != "" || s.SLI.Kind != slo.Latency) && (weakest == nil || s.Objective.Allowed() > weakest.Objective.Allowed()) {
			weakest = s
		}
	}
	if mine == nil || weakest == nil || weakest.Objective.Allowed()*10 <= mine.Objective.Allowed() {
		return finding{}, false
	}
	message := fmt.Sprintf("%s may take %s of the budget of %s: it promises %s, and %s is built on it",
		weakest.ID(), figures.Share(weakest.Objective.Allowed(), mine.Objective.Allowed()), mine.ID(), figures.Objective(weakest.Objective), figures.Objective(mine.Objective))
	if weakest.Objective.Allowed() > mine.Objective.Allowed() {
		message = fmt.Sprintf("%s promises %s, but %s, which it needs, promises only %s", mine.ID(), figures.Objective(mine.Objective), weakest.ID(), figures.Objective(weakest.Objective))
	}
	return strange("extra-nine", "", message, fmt.Sprintf("by the rule of the extra nine a dependency fails a tenth as often: %s of %s, or %s of %s; or get along without it, and write kind: soft",
		figures.AtLeast(1-mine.Objective.AllowedRatio()/10), weakest.ID(), figures.AtMost(1-min(10*weakest.Objective.AllowedRatio(), 1)), mine.ID())), true
}
