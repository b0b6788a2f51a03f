package slo

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

// Journeys returns the SLOs that are derived from others, in an order in which every journey comes
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
