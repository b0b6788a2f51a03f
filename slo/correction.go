package slo

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Correction says that some minutes of some SLOs do not count: neither their bad events nor their good ones. It is laid
// over the ledger, never written into it, so what was measured stays visible beside what counts.
type Correction struct {
	Name   string
	Kind   CorrectionKind
	SLOs   []string // "checkout/availability", "checkout/*", "*", or a budget with its label values
	Spans  []Span   // when it holds: whole minutes, oldest first, disjoint
	Cap    int64    // the share of an SLO's first window that it may excuse at most, in basis points
	Author string
	Reason string

	// Schedule is the cron expression of a recurring correction, Duration how long each run lasts and Expires when there are no
	// more runs. All are zero for one that happens once.
	Schedule string
	Duration time.Duration
	Expires  time.Time

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

// Text is the kind in words.
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

// End is when the correction holds for the last time.
func (c *Correction) End() time.Time { return c.Spans[len(c.Spans)-1].To }

// Corrections are all corrections of a configuration. They are never changed: a reload makes new ones.
type Corrections struct {
	All      []*Correction // by file and line
	Warnings Problems      // what is valid and yet looks wrong
}

// Of is the corrections that are about a budget, in their order. It may be asked of nil.
func (cs *Corrections) Of(id ID) []*Correction {
	if cs == nil {
		return nil
	}
	var all []*Correction
	for _, c := range cs.All {
		if c.Covers(id) {
			all = append(all, c)
		}
	}
	return all
}

// joinSpans sorts spans and joins those that touch.
func joinSpans(spans []Span) []Span {
	slices.SortFunc(spans, func(a, b Span) int { return cmp.Compare(a.From.Unix(), b.From.Unix()) })
	var all []Span
	for _, s := range spans {
		if n := len(all); n > 0 && !s.From.After(all[n-1].To) {
			if s.To.After(all[n-1].To) {
				all[n-1].To = s.To
			}
			continue
		}
		all = append(all, s)
	}
	return all
}
