package slo

import "iter"

// Kind is the sort of indicator.
type Kind string

// The kinds of indicator, in the order in which they are preferred: the earlier, the more
// exact the ledger can be.
const (
	Events  Kind = "events"  // counters of good or bad, and of all events
	Latency Kind = "latency" // a histogram: an event is good when it was at most Below
	Uptime  Kind = "uptime"  // a gauge that is 1 while up and 0 while down
	Slices  Kind = "slices"  // a condition that makes a whole minute good or bad
	Ratio   Kind = "ratio"   // a ready-made ratio of bad to all, 0…1
	// Composed is derived from the SLOs of its steps, see [Journey].
	Composed Kind = "journey"
)

// Indicator says how events are told good from bad. Only the fields of its Kind are set.
type Indicator struct {
	Kind Kind

	// Events: Total and exactly one of Bad and Good. Ratio: Bad alone, valued 0…1; a ratio
	// of good events was turned into 1 - (…) while loading.
	Total, Bad, Good *Query

	// Latency: a histogram's name with matchers (no _bucket suffix), and the limit in the
	// unit of the buckets, which is seconds unless the name ends with another unit such as
	// _milliseconds. LimitText is Below as it was written ("300ms").
	Histogram *Query
	Below     float64
	LimitText string

	// Uptime: the gauge.
	Up *Query

	// Slices: the query, the condition under which a minute is good, and what a minute
	// without data counts as.
	Slice    *Query
	GoodWhen Condition
	Missing  Missing

	// Composed: the journey.
	Journey *Journey
}

// Condition compares a value with a fixed number, as in `< 0.3`.
type Condition struct {
	Op    string // one of < <= > >= == !=
	Value float64
}

// Holds reports whether v fulfils the condition. NaN fulfils none.
func (c Condition) Holds(v float64) bool {
	switch c.Op {
	case "<":
		return v < c.Value
	case "<=":
		return v <= c.Value
	case ">":
		return v > c.Value
	case ">=":
		return v >= c.Value
	case "==":
		return v == c.Value
	case "!=":
		return v != c.Value && v == v
	}
	return false
}

// Missing says what a time slice without data counts as.
type Missing string

// The policies for missing slices. Exclude is the default: unknown is neither good nor bad.
const (
	Exclude     Missing = "exclude"
	MissingGood Missing = "good"
	MissingBad  Missing = "bad"
)

// Parts iterates over the queries of the indicator with the names of their parts, in the order
// total, bad, good, histogram, up, query.
func (s *Spec) Parts() iter.Seq2[string, *Query] {
	return func(yield func(string, *Query) bool) {
		for _, p := range []struct {
			name  string
			query *Query
		}{{"total", s.SLI.Total}, {"bad", s.SLI.Bad}, {"good", s.SLI.Good}, {"histogram", s.SLI.Histogram}, {"up", s.SLI.Up}, {"query", s.SLI.Slice}} {
			if p.query != nil && !yield(p.name, p.query) {
				return
			}
		}
	}
}

// Queries returns the queries of [Spec.Parts].
func (s *Spec) Queries() (out []*Query) {
	for _, q := range s.Parts() {
		out = append(out, q)
	}
	return out
}
