package slo

import (
	"fmt"
	"strings"

	"github.com/slowburn-sre/slowburn/internal/strictyaml"
)

// The lint looks at SLOs that are valid and yet cannot mean what they say. What is certainly
// wrong is an error, what may have a reason is a warning; each says why and what to write.

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
var checks = []func(*Spec) []finding{
	lintObjective, lintWindows,
	lintDeadPairs, lintPairs, lintSilence,
	lintSameQueries, lintNarrowing, lintDiffering, lintSwapped, lintCounting, lintGauges, lintRatio, lintLimit,
	lintBy, lintWeights,
}

// Lint looks for SLOs that cannot mean what they say. [Load] has done so already, with the lines
// of the files, and refuses what is an error; Lint is for sets that came from elsewhere.
func Lint(set *Set) (out Problems) {
	for _, s := range set.Specs {
		out = append(out, lintSpec(s)...)
	}
	out = append(out, lintJourneys(set)...)
	out = append(out, lintDependencies(set)...)
	return out.Sorted()
}

func lintSpec(s *Spec) (out Problems) {
	for _, check := range checks {
		for _, f := range check(s) {
			out = append(out, problem(s, f))
		}
	}
	return out
}

// Finding is a lint's warning about a part of the SLO (one of [Spec.Places], or total, bad, good, histogram, up,
// query), found by asking a server.
func Finding(s *Spec, part, id, message, hint string) Problem {
	p := problem(s, strange(id, part, message, hint))
	if name := string(s.ID()) + ": "; !strings.HasPrefix(p.Message, name) {
		p.Message = name + p.Message
	}
	return p
}

// refuse is an error about a part of an SLO, see [Finding].
func refuse(s *Spec, part, message, hint string) Problem {
	return problem(s, wrong("", part, message, hint))
}

// problem puts a finding where the part it is about was written.
func problem(s *Spec, f finding) Problem {
	p := Problem{File: s.File, Line: s.Line, Severity: f.severity, ID: f.id, Message: f.message, Hint: f.hint}
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
func queryAt(s *Spec, part string) *Query {
	for name, q := range s.Parts() {
		if name == part {
			return q
		}
	}
	return nil
}

// decimals writes a number with at most two decimals.
func decimals(f float64) string {
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.2f", f), "0"), ".")
}
