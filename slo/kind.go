package slo

import (
	"cmp"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/prometheus/prometheus/model/labels"
)

// Kind is the sort of indicator.
type Kind string

// The kinds of indicator, in the order in which they are preferred: the earlier, the more exact the
// ledger can be.
const (
	Events  Kind = "events"  // counters of good or bad, and of all events
	Latency Kind = "latency" // a histogram: an event is good when it was at most Below
	Uptime  Kind = "uptime"  // a gauge that is 1 while up and 0 while down
	Slices  Kind = "slices"  // a condition that makes a whole minute good or bad
	Ratio   Kind = "ratio"   // a ready-made ratio of bad to all, 0…1
	// Composed is derived from the SLOs of its steps, see [Journey].
	Composed Kind = "journey"
)

// traits are what others ask about a kind instead of telling the kinds apart.
type traits struct {
	unit  string // what is counted, one of it; "" is an event
	noun  string // what people call several of it; "" is requests
	words string // how events are told good from bad, for a page; %s is the limit
	// minutes says how a minute is judged; nil where events are counted or derived.
	minutes func(*Indicator) *Minutes
}

// What is said of kinds beside their words, too.
const (
	NoTraffic = "does not say how much traffic there was"               // a ratio
	OfSteps   = "Derived, minute by minute, from the SLOs of its steps" // a journey
)

var kinds = map[Kind]traits{
	Events:  {words: "Events are counted from the raw samples of counters."},
	Latency: {words: "An event is good when it took no longer than %s, counted from a histogram."},
	Uptime: {unit: "check", noun: "checks", words: "Every minute is an event; it is good when the gauge is 1 all through it.", minutes: func(i *Indicator) *Minutes {
		return &Minutes{Query: i.Up, form: "(%s) != bool 1", share: func(v float64) float64 { return oneIf(v != 1) }}
	}},
	Slices: {unit: "minute", noun: "minutes", words: "Every minute is an event; it is good when the value is %s.", minutes: func(i *Indicator) *Minutes {
		form := "(%s) " + i.GoodWhen.Op + " bool " + strconv.FormatFloat(i.GoodWhen.Value, 'g', -1, 64)
		return &Minutes{Query: i.Slice, Rates: true, Good: true, form: form, share: func(v float64) float64 { return oneIf(!i.GoodWhen.holds(v)) }}
	}},
	Ratio: {words: "Every minute weighs the same; the query says which share of it was bad.", minutes: func(i *Indicator) *Minutes {
		return &Minutes{Query: i.Bad, Rates: true, Unbounded: true, form: "%s", share: func(v float64) float64 { return v }}
	}},
	Composed: {words: OfSteps + " (%s)."},
}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// Unit returns what an SLO of this kind counts, one of it: "event", "minute" or "check".
func (k Kind) Unit() string { return cmp.Or(kinds[k].unit, "event") }

// Words returns a sentence about how events are told good from bad; `%s` in it stands for the
// limit.
func (k Kind) Words() string { return kinds[k].words }

// Noun returns what the events of an SLO are, many of them, as people call them: "payments", or
// without a noun in the file "requests", "checks" or "minutes".
func (i *Indicator) Noun() string {
	return cmp.Or(i.Called, kinds[i.Kind].noun, "requests")
}

// Fails returns what the bad ones of several events do: "fail", "are slower than 300 ms".
// It is written after what [Indicator.Noun] returns; past is how it reads when it is over.
func (i *Indicator) Fails(past bool) string {
	be := "are"
	if past {
		be = "were"
	}
	switch {
	case i.Kind == Latency && i.LimitText != "":
		return be + " slower than " + spaced(i.LimitText)
	case i.Kind == Slices:
		return be + " bad"
	case past:
		return "failed"
	}
	return "fail"
}

// spaced puts a space between a number and its unit: "300 ms". A number alone is in seconds.
func spaced(limit string) string {
	n := strings.IndexFunc(limit, unicode.IsLetter)
	if n <= 0 || strings.ContainsFunc(limit[n:], unicode.IsDigit) {
		return limit
	}
	return limit[:n] + " " + limit[n:]
}

// NounForm is what [Indicator.Called] may be.
const NounForm = `^[a-z][-a-z ]{0,38}[a-z]$`

// Indicator says how events are told good from bad. Only the fields of its Kind are set.
type Indicator struct {
	Kind   Kind
	Called string // what people call its events, many of them: "payments"; "" is what the kind says

	// Events: Total and exactly one of Bad and Good. Ratio: Bad alone, valued 0…1; a ratio of good
	// events was turned into 1 - (…) while loading.
	Total, Bad, Good *Query

	// Latency: a histogram's name with matchers (no _bucket suffix), and the limit in the unit of
	// the buckets, which is seconds unless the name ends with another unit such as _milliseconds.
	// LimitText is Below as it was written ("300ms").
	Histogram *Query
	Below     float64
	LimitText string

	// Uptime: the gauge.
	Up *Query

	// Slices: the query, the condition under which a minute is good, and what a minute without data
	// counts as.
	Slice    *Query
	GoodWhen Condition
	Missing  Missing

	// Composed: the journey.
	Journey *Journey
}

// Counters are the queries of an indicator that counts events.
type Counters struct {
	Total, Part *Query
	Good        bool // Part is the good events, else the bad ones
}

// Bare reports whether both are bare selectors, whose raw samples can be counted; nil is not.
func (c *Counters) Bare() bool { return c != nil && c.Total.Bare() && c.Part.Bare() }

// Job returns the value of the label `job` that the indicator's selectors ask for, which names
// where its data come from; "" if it is not known.
func (i *Indicator) Job() string {
	all := []*Query{i.Total, i.Bad, i.Good, i.Histogram, i.Up}
	if m := i.Minutes(); m != nil {
		all = append(all, m.Query)
	}
	for _, q := range all {
		if q == nil {
			continue
		}
		for _, m := range q.Matchers {
			if m.Name == "job" && m.Type == labels.MatchEqual {
				return m.Value
			}
		}
	}
	return ""
}

// Counters returns the counters of an indicator; nil if it has none, as one of a histogram has.
func (i *Indicator) Counters() *Counters {
	switch {
	case i.Total == nil:
		return nil
	case i.Bad != nil:
		return &Counters{Total: i.Total, Part: i.Bad}
	}
	return &Counters{Total: i.Total, Part: i.Good, Good: true}
}

// Minutes says how a whole minute is judged by the value of a query. Of several series the worst
// one decides.
type Minutes struct {
	Query     *Query
	Rates     bool // `$window` in Query is the range of a rate, which needs a scrape interval more
	Good      bool // what [Minutes.Series] writes is the good share, else the bad one
	Unbounded bool // the share may be below 0 or above 1, and is clamped

	form  string // PromQL of the share, with %s for a value
	share func(float64) float64
}

// Minutes returns how minutes are judged; nil of an indicator that counts events, is derived, or
// has no query.
func (i *Indicator) Minutes() *Minutes {
	judge := kinds[i.Kind].minutes
	if judge == nil {
		return nil
	}
	m := judge(i)
	if m.Query == nil {
		return nil
	}
	return m
}

// Render returns the query over one minute, for a server that scrapes so often.
func (m *Minutes) Render(scrape time.Duration) string {
	if m.Rates {
		return m.Query.Render(RateRange(scrape))
	}
	return m.Query.Render(SampleRange(scrape))
}

// RateRange returns the range of a rate that tells what happened in a minute. A rate over (t−w, t]
// sees only what lies between the first and the last sample in it: a minute and one scrape interval
// hold a minute of that, and always two samples. Where scrapes are further apart than a minute, it
// takes two intervals, and a little because scrapes are not punctual.
func RateRange(scrape time.Duration) time.Duration {
	return max(time.Minute+scrape, 2*scrape+scrape/10).Round(time.Second)
}

// SampleRange returns the range that always holds the newest sample: a minute, or a scrape interval
// if that is longer, and a little.
func SampleRange(scrape time.Duration) time.Duration {
	if scrape <= time.Minute {
		return time.Minute
	}
	return (scrape + scrape/10).Round(time.Second)
}

// Bad returns the share of a minute that is bad at a value, which is a number, and whether it had
// to be clamped.
func (m *Minutes) Bad(v float64) (share float64, clamped bool) {
	share = m.share(v)
	return min(max(share, 0), 1), share < 0 || share > 1
}

// Series writes the share in PromQL, series by series, for an expression that yields the value.
func (m *Minutes) Series(value string) string { return fmt.Sprintf(m.form, value) }

// Worst writes the bad share in PromQL, that of the worst series. by is an aggregation clause, with
// a space around it, or empty.
func (m *Minutes) Worst(by, value string) string {
	switch series := m.Series(value); {
	case m.Good:
		return "1 - min" + by + "(" + series + ")"
	case m.Unbounded:
		return "clamp(max" + by + "(" + series + "), 0, 1)"
	default:
		return "max" + by + "(" + series + ")"
	}
}

// Condition compares a value with a fixed number, as in `< 0.3`.
type Condition struct {
	Op    string // one of < <= > >= == !=
	Value float64
}

// holds reports whether v fulfils the condition. NaN fulfils none.
func (c Condition) holds(v float64) bool {
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
