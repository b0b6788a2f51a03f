package slo

import (
	"testing"
	"time"
)

// What decides about a minute is written twice: over values that were answered, and in PromQL.
func TestMinutesAreJudged(t *testing.T) {
	q := &Query{Text: "a or b[$window]"}
	for _, c := range []struct {
		sli            Indicator
		render, worst  string
		v, bad         float64
		clamped, empty bool
	}{
		{sli: Indicator{Kind: Uptime, Up: q}, render: "a or b[1m]", worst: "max by (x) ((v or w) != bool 1)", v: 0.5, bad: 1},
		{sli: Indicator{Kind: Uptime, Up: q}, render: "a or b[1m]", worst: "max by (x) ((v or w) != bool 1)", v: 1, bad: 0},
		{sli: Indicator{Kind: Slices, Slice: q, GoodWhen: Condition{"<=", 0.25}}, render: "a or b[1m30s]", worst: "1 - min by (x) ((v or w) <= bool 0.25)", v: 0.25, bad: 0},
		{sli: Indicator{Kind: Slices, Slice: q, GoodWhen: Condition{"<=", 0.25}}, render: "a or b[1m30s]", worst: "1 - min by (x) ((v or w) <= bool 0.25)", v: 0.26, bad: 1},
		{sli: Indicator{Kind: Ratio, Bad: q}, render: "a or b[1m30s]", worst: "clamp(max by (x) (v or w), 0, 1)", v: 0.25, bad: 0.25},
		{sli: Indicator{Kind: Ratio, Bad: q}, render: "a or b[1m30s]", worst: "clamp(max by (x) (v or w), 0, 1)", v: 25, bad: 1, clamped: true},
		{sli: Indicator{Kind: Events, Total: q, Bad: q}, empty: true},
		{sli: Indicator{Kind: Latency, Histogram: q}, empty: true},
		{sli: Indicator{Kind: Composed}, empty: true},
		{sli: Indicator{Kind: Uptime}, empty: true},
		{empty: true},
	} {
		m := c.sli.Minutes()
		if (m == nil) != c.empty {
			t.Errorf("%s: %+v", c.sli.Kind, m)
		}
		if m == nil {
			continue
		}
		bad, clamped := m.Bad(c.v)
		if got, worst := m.Render(30*time.Second), m.Worst(" by (x) ", "v or w"); got != c.render || worst != c.worst || bad != c.bad || clamped != c.clamped {
			t.Errorf("%s: %s, %s, %v of %v, %v", c.sli.Kind, got, worst, bad, c.v, clamped)
		}
	}
}

func TestCounters(t *testing.T) {
	bare, expression := &Query{Text: "a", Metric: "a"}, &Query{Text: "a + b"}
	for _, c := range []struct {
		sli              Indicator
		none, good, bare bool
	}{
		{sli: Indicator{Kind: Events, Total: bare, Bad: bare}, bare: true},
		{sli: Indicator{Kind: Events, Total: bare, Good: bare}, good: true, bare: true},
		{sli: Indicator{Kind: Events, Total: bare, Good: expression}, good: true},
		{sli: Indicator{Kind: Events, Total: expression, Bad: bare}},
		{sli: Indicator{Kind: Ratio, Bad: bare}, none: true},
		{sli: Indicator{Kind: Latency, Histogram: bare}, none: true},
	} {
		got := c.sli.Counters()
		if (got == nil) != c.none || got.Bare() != c.bare || got != nil && got.Good != c.good {
			t.Errorf("%s: %+v", c.sli.Kind, got)
		}
	}
}
