package slo

import (
	"fmt"
	"iter"
	"slices"
	"strconv"
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

// rules are asked in this order; each answers for one kind of mistake.
var rules = []func(*Spec) []finding{
	lintObjective, lintWindows,
	lintDeadPairs, lintPairs, lintSilence,
	lintSameQueries, lintNarrowing, lintDiffering, lintSwapped, lintCounting, lintGauges, lintRatio, lintLimit,
	lintBy, lintWeights,
}

// Lint looks for SLOs that cannot mean what they say. [Load] has done so already, with the lines
// of the files, and refuses what is an error; Lint is for sets that came from elsewhere.
func Lint(set *Set) (out Problems) {
	for _, s := range set.Specs {
		out = append(out, lint(s)...)
	}
	out = append(out, lintJourneys(set)...)
	out = append(out, lintDependencies(set)...)
	return out.Sorted()
}

func lint(s *Spec) (out Problems) {
	for _, rule := range rules {
		for _, f := range rule(s) {
			out = append(out, s.problem(f))
		}
	}
	return out
}

// problem puts a finding where the part it is about was written.
func (s *Spec) problem(f finding) Problem {
	p := Problem{File: s.File, Line: s.Line, Severity: f.severity, ID: f.id, Message: f.message, Hint: f.hint}
	base, _, _ := strings.Cut(f.part, ".")
	for _, part := range []string{f.part, base, "name"} {
		if q := s.query(part); q != nil && q.Line > 0 {
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

// Parts are the queries of the indicator with the names of their parts, in the order of [Spec.Queries].
func (s *Spec) Parts() iter.Seq2[string, *Query] {
	return func(yield func(string, *Query) bool) {
		for _, q := range named(s) {
			if !yield(q.part, q.Query) {
				return
			}
		}
	}
}

// query is the query of that part, nil if there is none.
func (s *Spec) query(part string) *Query {
	if i := slices.IndexFunc(named(s), func(q namedQuery) bool { return q.part == part }); i >= 0 {
		return named(s)[i].Query
	}
	return nil
}

// basisPoints writes 250 as 2.5.
func basisPoints(n int64) string { return strconv.FormatFloat(float64(n)/100, 'f', -1, 64) }

// decimals writes a number with at most two decimals.
func decimals(f float64) string {
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.2f", f), "0"), ".")
}
