// Package lint finds SLOs that are valid and yet cannot mean what they say.
//
// What is certainly wrong is an error, what may have a reason is a warning; each says why and what
// to write instead. [Rules] lists the kinds of mistake by ID. Package file asks [Spec], [Journeys]
// and [Dependencies] while it reads, so that each finding has its line and caret; [Live] adds what
// only a server can tell.
//
// The package is part of the pure core: it is handed what a server said, and asks nobody itself.
//
// Reading order: this file, lints.go (the table), lintqueries.go, lintalerts.go, journey.go and
// depends.go (the checks), lintlive.go.
package lint

import (
	"fmt"
	"strings"

	"github.com/slowburn-sre/slowburn/internal/strictyaml"
	"github.com/slowburn-sre/slowburn/slo"
)

// finding is what one rule says about one part of a spec.
type finding struct {
	id, part      string // the lint's name; key of the part, see [Spec.Place]
	severity      strictyaml.Severity
	message, hint string
}

func wrong(id, part, message, hint string) finding {
	return finding{id, part, strictyaml.Error, message, hint}
}

func strange(id, part, message, hint string) finding {
	return finding{id, part, strictyaml.Warning, message, hint}
}

// checks are asked in this order; each answers for one kind of mistake.
var checks = []func(*slo.Spec) []finding{
	lintObjective, lintWindows,
	lintDeadPairs, lintPairs, lintSilence,
	lintSameQueries, lintNarrowing, lintDiffering, lintSwapped, lintCounting, lintGauges, lintRatio, lintLimit,
	lintBy, lintWeights,
}

// Set looks for SLOs that cannot mean what they say. Reading files has done so already, with the
// lines of the files, and refuses what is an error; Set is for sets that came from elsewhere.
func Set(set *slo.Set) (out slo.Problems) {
	for _, s := range set.Specs {
		out = append(out, Spec(s)...)
	}
	out = append(out, Journeys(set)...)
	out = append(out, Dependencies(set)...)
	return out.Sorted()
}

// Spec looks at one SLO by itself.
func Spec(s *slo.Spec) (out slo.Problems) {
	for _, check := range checks {
		for _, f := range check(s) {
			out = append(out, problem(s, f))
		}
	}
	return out
}

// Finding makes the warning of a rule about a part of an SLO (one of [slo.Spec.Places], or total,
// bad, good, histogram, up, query) that was found by asking a server.
func Finding(s *slo.Spec, part, id, message, hint string) slo.Problem {
	p := problem(s, strange(id, part, message, hint))
	if name := string(s.ID()) + ": "; !strings.HasPrefix(p.Message, name) {
		p.Message = name + p.Message
	}
	return p
}

// Refuse makes an error about a part of an SLO, named as for [Finding].
func Refuse(s *slo.Spec, part, message, hint string) slo.Problem {
	return problem(s, wrong("", part, message, hint))
}

// problem puts a finding where the part it is about was written.
func problem(s *slo.Spec, f finding) slo.Problem {
	p := slo.Problem{File: s.File, Line: s.Line, Severity: f.severity, ID: f.id, Message: f.message, Hint: f.hint}
	base, _, _ := strings.Cut(f.part, ".")
	for _, part := range []string{f.part, base, "name"} {
		if q := queryAt(s, part); q != nil && q.Line > 0 {
			p.File, p.Line, p.Column = q.File, q.Line, q.Column
			return p
		}
		if at, ok := s.Places[part]; ok {
			p.Line, p.Column = at.Line, at.Column
			return p
		}
	}
	p.Message = fmt.Sprintf("%s: %s", s.ID(), f.message)
	return p
}

// queryAt returns the query of that part, nil if there is none.
func queryAt(s *slo.Spec, part string) *slo.Query {
	for name, q := range s.Parts() {
		if name == part {
			return q
		}
	}
	return nil
}
