package slo

import (
	"fmt"
	"slices"
	"strings"

	"github.com/slowburn-sre/slowburn/internal/strictyaml"
)

// Dependency is a service, or one SLO of it, that a service calls.
type Dependency struct {
	Service string
	SLO     string // name of the SLO that matters, "" for all of the service
	Soft    bool   // the service gets along without it, if not as well: it takes nothing from the budget
	File    string // where it stands, for messages
	Line    int
	Column  int
}

// String is the dependency as it is written: pay, or pay/availability.
func (d Dependency) String() string {
	if d.SLO == "" {
		return d.Service
	}
	return d.Service + "/" + d.SLO
}

// maxDependencies is how many dependencies a service may declare.
const maxDependencies = 100

// dependencies reads depends_on: a list of `pay`, `pay/availability` or {service, slo, kind}.
func (l *loader) dependencies(s *Service, v strictyaml.Value) {
	if !v.Given() {
		return
	}
	if other, twice := l.depends[s.Name]; twice {
		v.Problem(fmt.Sprintf("the dependencies of %s are described twice", s.Name),
			fmt.Sprintf("the other ones are in %s, line %d; keep one list", other.File(), other.Place().Line))
		return
	}
	if l.depends == nil {
		l.depends = map[string]strictyaml.Value{}
	}
	l.depends[s.Name] = v
	list, _ := v.List(maxDependencies)
	for _, e := range list {
		d, ok := readDependency(e)
		switch {
		case !ok:
		case slices.ContainsFunc(s.DependsOn, func(o Dependency) bool { return o.String() == d.String() }):
			e.Problem(fmt.Sprintf("%s is listed twice", d), "remove one of them")
		case d.Service == s.Name:
			e.Problem(fmt.Sprintf("%s cannot depend on itself", s.Name), "write the services that it calls")
		default:
			d.File, d.Line, d.Column = e.File(), e.Place().Line, e.Place().Column
			s.DependsOn = append(s.DependsOn, d)
		}
	}
}

func readDependency(v strictyaml.Value) (d Dependency, ok bool) {
	if !v.IsMap() {
		text, ok := v.Text()
		if !ok {
			return d, false
		}
		service, name, found := strings.Cut(text, "/")
		if !goodName.MatchString(service) || found && !goodName.MatchString(name) {
			v.Problem(fmt.Sprintf("%q is neither a service nor an SLO", text), "write pay, or pay/availability")
			return d, false
		}
		return Dependency{Service: service, SLO: name}, true
	}
	o, _ := v.Object("service", "slo", "kind")
	d.Service, ok = readName(o.Need("service", "write the service that is called: service: pay"))
	if name := o.Get("slo"); name.Given() {
		var named bool
		d.SLO, named = readName(name)
		ok = ok && named
	}
	if kind := o.Get("kind"); kind.Given() {
		text, known := kind.OneOf("hard", "soft")
		d.Soft, ok = text == "soft", ok && known
	}
	return d, ok
}

// Upstream is everything an SLO depends on, directly or through others: the steps of a journey, and
// the SLOs of the services that its service depends on. The nearest come first.
func (s *Set) Upstream(id ID) []ID { return s.upstream[id.Base()] }

// findUpstream walks from every SLO once, as it is asked in every tick.
func (s *Set) findUpstream() {
	s.upstream = map[ID][]ID{}
	byService := map[string][]*Spec{}
	for _, spec := range s.Specs {
		byService[spec.Service] = append(byService[spec.Service], spec)
	}
	for _, spec := range s.Specs {
		if up := s.walkUp(spec.ID(), byService); len(up) > 0 {
			s.upstream[spec.ID()] = up
		}
	}
}

func (s *Set) walkUp(start ID, byService map[string][]*Spec) (out []ID) {
	seen := map[ID]bool{start: true}
	for queue := []ID{start}; len(queue) > 0; queue = queue[1:] {
		for _, next := range s.calls(queue[0], byService) {
			if !seen[next] {
				seen[next] = true
				queue = append(queue, next)
				out = append(out, next)
			}
		}
	}
	return out
}

// calls is what an SLO depends on directly.
func (s *Set) calls(id ID, byService map[string][]*Spec) []ID {
	out := s.Lookup(id).StepIDs()
	service := s.Service(id.Service())
	if service == nil {
		return out
	}
	for _, d := range service.DependsOn {
		for _, spec := range byService[d.Service] {
			if d.Covers(spec) {
				out = append(out, spec.ID())
			}
		}
	}
	return out
}

// Covers reports whether an SLO is one of those that tell how the dependency is doing.
func (d Dependency) Covers(s *Spec) bool {
	return s.Service == d.Service && (d.SLO == "" || d.SLO == s.Name)
}

// lintDependencies looks at what services say about each other.
func lintDependencies(set *Set) (out Problems) {
	for _, service := range set.Services {
		for _, d := range service.DependsOn {
			if f, found := lintDependency(set, service, d); found {
				out = append(out, Problem{File: d.File, Line: d.Line, Column: d.Column, Severity: f.severity, ID: f.id, Message: f.message, Hint: f.hint})
			}
		}
	}
	return out
}

func lintDependency(set *Set, service *Service, d Dependency) (f finding, found bool) {
	var theirs []*Spec
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
			"neither can be better than the other, nor start without it; call it soft where the service gets along without"), true
	}
	if d.Soft {
		return finding{}, false
	}
	return lintNines(set, service, d, theirs)
}

func unknownDependency(set *Set, d Dependency) string {
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
func servicesOf(set *Set, name string) (out []string) {
	if service := set.Service(name); service != nil {
		for _, d := range service.DependsOn {
			out = append(out, d.Service)
		}
	}
	return out
}

// lintNines compares what a service promises with what its dependency does. A service cannot be better
// than what it cannot do without; and to leave room for faults of its own, a dependency should fail at
// most a tenth as often. Source: The Calculus of Service Availability (ACM Queue, 2017), the rule of the
// extra nine. Latency is left out unless it was named: how slow is too slow differs.
func lintNines(set *Set, service *Service, d Dependency, theirs []*Spec) (f finding, found bool) {
	var mine, weakest *Spec
	for _, s := range set.Specs {
		if s.Service == service.Name && s.SLI.Kind != Latency && s.SLI.Kind != Composed && (mine == nil || s.Objective.Allowed() < mine.Objective.Allowed()) {
			mine = s
		}
	}
	for _, s := range theirs {
		if (d.SLO != "" || s.SLI.Kind != Latency) && (weakest == nil || s.Objective.Allowed() > weakest.Objective.Allowed()) {
			weakest = s
		}
	}
	if mine == nil || weakest == nil || weakest.Objective.Allowed()*10 <= mine.Objective.Allowed() {
		return finding{}, false
	}
	share := float64(weakest.Objective.Allowed()) / float64(mine.Objective.Allowed())
	message := fmt.Sprintf("%s may take %s%% of the budget of %s: it promises %s, and %s is built on it", weakest.ID(), decimals(100*share), mine.ID(), weakest.Objective, mine.Objective)
	if share > 1 {
		message = fmt.Sprintf("%s promises %s, but %s, which it needs, promises only %s", mine.ID(), mine.Objective, weakest.ID(), weakest.Objective)
	}
	return strange("extra-nine", "", message, fmt.Sprintf("by the rule of the extra nine a dependency fails a tenth as often: %s%% of %s, or %s%% of %s; or get along without it, and write kind: soft",
		percentUp(1-mine.Objective.AllowedRatio()/10), weakest.ID(), percentDown(1-min(10*weakest.Objective.AllowedRatio(), 1)), mine.ID())), true
}
