package slo

import (
	"cmp"
	"slices"

	"github.com/slowburn-sre/slowburn/internal/strictyaml"
)

// Problem is one thing that is wrong at one place of one SLO file: file, line, column, the source
// line with a caret, and what to write instead.
type Problem = strictyaml.Problem

// Problems is everything that is wrong with the files.
type Problems = strictyaml.Problems

// Set is every SLO of a configuration. It is never changed: a reload makes a new one.
type Set struct {
	Specs    []*Spec    // by ID
	Services []*Service // by name
	// Corrections are the minutes that do not count, by file and line.
	Corrections []*Correction
	Warnings    Problems // what is valid and yet looks wrong, see package lint

	specs    map[ID]*Spec
	services map[string]*Service
	upstream map[ID][]ID // of SLOs that depend on something
}

// Lookup returns the SLO of that name, or of the budget of that name; nil if there is none.
func (s *Set) Lookup(id ID) *Spec { return s.specs[id.Base()] }

// Service returns the service of that name; nil if there is none.
func (s *Set) Service(name string) *Service { return s.services[name] }

// NewSet makes a set of SLOs with distinct IDs. Of a service that is described several times the
// description with signals counts, or else the first one, and the dependencies are taken from
// wherever they stand; of one that nobody describes, as in other people's formats, what its SLOs
// share.
func NewSet(specs []*Spec, services []*Service, warnings Problems) *Set {
	s := &Set{
		Specs:    slices.SortedFunc(slices.Values(specs), func(a, b *Spec) int { return cmp.Compare(a.ID(), b.ID()) }),
		Warnings: warnings,
		specs:    make(map[ID]*Spec, len(specs)),
		services: make(map[string]*Service, len(services)),
	}
	for _, spec := range s.Specs {
		s.specs[spec.ID()] = spec
	}
	for _, service := range services {
		if first := s.services[service.Name]; first == nil || (first.Signals == nil && service.Signals != nil) {
			s.services[service.Name] = service
		}
	}
	undescribed := map[string][]*Spec{}
	for _, spec := range s.Specs {
		if s.services[spec.Service] == nil {
			undescribed[spec.Service] = append(undescribed[spec.Service], spec)
		}
	}
	for name, specs := range undescribed {
		s.services[name] = ServiceOf(specs)
	}
	for _, service := range services {
		if chosen := s.services[service.Name]; len(chosen.DependsOn) == 0 && len(service.DependsOn) > 0 {
			both := *chosen
			both.DependsOn = service.DependsOn
			s.services[service.Name] = &both
		}
	}
	for _, service := range s.services {
		s.Services = append(s.Services, service)
	}
	slices.SortFunc(s.Services, func(a, b *Service) int { return cmp.Compare(a.Name, b.Name) })
	s.findUpstream()
	return s
}
