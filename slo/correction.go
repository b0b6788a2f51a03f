package slo

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/internal/strictyaml"
)

// Correction says that some minutes of some SLOs do not count: neither their bad events nor their
// good ones. It is laid over the ledger, never written into it, so what was measured stays visible
// beside what counts.
type Correction struct {
	Name   string
	Kind   CorrectionKind
	SLOs   []string // "checkout/availability", "checkout/*", "*", or a budget with its label values
	Spans  []Span   // when it holds: whole minutes, oldest first, disjoint
	Cap    int64    // the share of an SLO's first window that it may excuse at most, in basis points
	Author string
	Reason string

	// Expires is when a recurring correction has no more runs; zero for one that happens once.
	Expires time.Time

	File string // where it was read from
	Line int    // line of its entry in File, from 1
}

// CorrectionKind is why minutes do not count.
type CorrectionKind string

// The kinds of correction.
const (
	Maintenance CorrectionKind = "maintenance" // planned work; alerts are held while it runs
	Measurement CorrectionKind = "measurement" // what was measured is not what users saw
	Exclusion   CorrectionKind = "exclusion"   // it happened, and by agreement it does not count
)

// Text returns the kind in words.
func (k CorrectionKind) Text() string {
	switch k {
	case Maintenance:
		return "planned maintenance"
	case Measurement:
		return "measurement error"
	}
	return "exclusion"
}

// Span is a stretch of time, from its beginning up to its end.
type Span struct{ From, To time.Time }

// Covers reports whether the correction is about a budget.
func (c *Correction) Covers(id ID) bool {
	return slices.ContainsFunc(c.SLOs, func(pattern string) bool { return covers(pattern, id) })
}

func covers(pattern string, id ID) bool {
	service, all := strings.CutSuffix(pattern, "/*")
	return pattern == "*" || all && service == id.Service() || ID(pattern) == id || ID(pattern) == id.Base()
}

// End returns when the correction holds for the last time.
func (c *Correction) End() time.Time { return c.Spans[len(c.Spans)-1].To }

// Runs reports whether the correction holds at t, and until when.
func (c *Correction) Runs(t time.Time) (until time.Time, ok bool) {
	for _, s := range c.Spans {
		if !t.Before(s.From) && t.Before(s.To) {
			return s.To, true
		}
	}
	return time.Time{}, false
}

// About reports whether the correction is about an SLO, or about some of the budgets it is split
// into.
func (c *Correction) About(id ID) bool {
	return slices.ContainsFunc(c.SLOs, func(pattern string) bool { return covers(pattern, id) || ID(pattern).Base() == id })
}

// CorrectionsOf returns the corrections that are about a budget, by file and line.
func (s *Set) CorrectionsOf(id ID) []*Correction {
	var all []*Correction
	for _, c := range s.Corrections {
		if c.Covers(id) {
			all = append(all, c)
		}
	}
	return all
}

// Expired returns the recurring corrections that have no more runs after t, as warnings.
func (s *Set) Expired(t time.Time) Problems {
	var out Problems
	for _, c := range s.Corrections {
		if !c.Expires.IsZero() && !c.Expires.After(t) {
			out = append(out, Problem{
				File: c.File, Line: c.Line, Severity: strictyaml.Warning, ID: "correction-expired",
				Message: fmt.Sprintf("the correction %s expired on %s", c.Name, c.Expires.Format(time.DateOnly)),
				Hint:    "give it a new date if it is still right; remove it once its last run has left every window",
			})
		}
	}
	return out
}
