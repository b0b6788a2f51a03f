package slo

// Dependency is a service, or one SLO of it, that a service calls.
type Dependency struct {
	Service string
	SLO     string // name of the SLO that matters, "" for all of the service
	Soft    bool   // the service gets along without it, if not as well: it takes nothing from the budget
	File    string // where it stands, for messages
	Line    int
	Column  int
}

// String returns the dependency as it is written: pay, or pay/availability.
func (d Dependency) String() string {
	if d.SLO == "" {
		return d.Service
	}
	return d.Service + "/" + d.SLO
}

// Upstream returns everything an SLO depends on, directly or through others: the steps of a
// journey, and the SLOs of the services that its service depends on. The nearest come first.
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

// calls returns what an SLO depends on directly.
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
