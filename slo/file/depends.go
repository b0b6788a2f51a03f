package file

import (
	"fmt"
	"slices"
	"strings"

	"github.com/slowburn-sre/slowburn/internal/strictyaml"
	"github.com/slowburn-sre/slowburn/slo"
)

// dependencies reads depends_on: a list of `pay`, `pay/availability` or {service, slo, kind}.
func (l *loader) dependencies(s *slo.Service, v strictyaml.Value) {
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
		case slices.ContainsFunc(s.DependsOn, func(o slo.Dependency) bool { return o.String() == d.String() }):
			e.Problem(fmt.Sprintf("%s is listed twice", d), "remove one of them")
		case d.Service == s.Name:
			e.Problem(fmt.Sprintf("%s cannot depend on itself", s.Name), "write the services that it calls")
		default:
			d.File, d.Line, d.Column = e.File(), e.Place().Line, e.Place().Column
			s.DependsOn = append(s.DependsOn, d)
		}
	}
}

func readDependency(v strictyaml.Value) (d slo.Dependency, ok bool) {
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
		return slo.Dependency{Service: service, SLO: name}, true
	}
	o, _ := v.Object(dependencyKeys.Keys()...)
	d.Service, ok = readName(o.Need("service", "write the service that is called: service: pay"))
	if name := o.Get("slo"); name.Given() {
		var named bool
		d.SLO, named = readName(name)
		ok = ok && named
	}
	if kind := o.Get("kind"); kind.Given() {
		text, known := kind.OneOf(dependencyKeys.Choices("kind")...)
		d.Soft, ok = text == "soft", ok && known
	}
	return d, ok
}
