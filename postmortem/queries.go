package postmortem

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/selectors"
	"github.com/slowburn-sre/slowburn/slo"
)

// Query is PromQL by which a figure can be traced, and the instant at which to evaluate it. The
// range reaches back from At over the whole time in question.
type Query struct {
	What string // "bad events", "all events", "share of bad events"
	Text string
	From time.Time
	At   time.Time
	Note string
}

// Queries returns the indicator's own queries over [from, to), last the share of bad events. For a
// budget with `by:` labels the label values are added to bare selectors.
//
// Prometheus' increase extrapolates to the ends of its range and the ledger counts every sample, so
// they differ a little; after a hole or a restart of many targets the ledger is the one to believe.
//
// An SLO that is gone from the files has none.
func Queries(spec *slo.Spec, id slo.ID, from, to time.Time) []Query {
	r := ranger{group: selectors.Labels(id.Labels()), from: from.UTC(), to: to.UTC()}
	switch sli, m := &spec.SLI, spec.SLI.Minutes(); {
	case sli.Counters() != nil:
		return r.events(sli.Counters())
	case sli.Histogram != nil:
		return r.latency(sli)
	case sli.Up.Bare():
		up := r.selector(sli.Up)
		return []Query{r.query("share of bad events", fmt.Sprintf("1 - sum(sum_over_time(%[1]s%[2]s)) / sum(count_over_time(%[1]s%[2]s))", up, r.over()), "")}
	case m != nil:
		return r.minutes(m)
	}
	return nil
}

// queries returns those of the incident; of a journey, those of its steps.
func (f Facts) queries(from, to budget.Minute) []Query {
	all := Queries(f.Spec, f.id(), from.Time(), to.Time())
	for _, step := range f.Steps {
		for _, q := range Queries(step.Spec, step.ID, from.Time(), to.Time()) {
			q.What = string(step.ID) + ": " + q.What
			all = append(all, q)
		}
	}
	return all
}

// ranger writes queries over one range.
type ranger struct {
	group    []selectors.Matcher // of one budget
	from, to time.Time
}

func (r ranger) query(what, text, note string) Query {
	return Query{What: what, Text: text, From: r.from, At: r.to, Note: note}
}

func (r ranger) length() string { return slo.ShortDuration(r.to.Sub(r.from)) }

// over returns the range selector and the instant: "[35m] @ 1767225600".
func (r ranger) over() string { return fmt.Sprintf("[%s] @ %d", r.length(), r.to.Unix()) }

// minutes takes the mean of the minutes in the range.
func (r ranger) minutes(m *slo.Minutes) []Query {
	text := fmt.Sprintf("avg_over_time((%s)[%s:1m] @ %d)", m.Series(m.Query.Render(time.Minute)), r.length(), r.to.Unix())
	what, note := "share of bad minutes", ""
	if m.Good {
		text = "1 - " + text
	}
	if m.Unbounded {
		what, note = "share of bad events", "a mean of ready-made ratios; it does not weigh them by traffic"
	}
	return []Query{r.query(what, text, note)}
}

func (r ranger) events(c *slo.Counters) []Query {
	what, form := "bad events", "%s\n/\n%s"
	if c.Good {
		what, form = "good events", "1 -\n%s\n/\n%s"
	}
	note := ""
	if !c.Bare() {
		note = "an expression cannot carry its instant: evaluate it at the time given"
		if len(r.group) > 0 {
			note += ", and read the series " + selectors.Write("", r.group...)
		}
	}
	bad, total := r.increase(c.Part), r.increase(c.Total)
	return []Query{
		r.query(what, bad, note),
		r.query("all events", total, note),
		r.query("share of bad events", fmt.Sprintf(form, bad, total), note),
	}
}

// increase counts the events of a query over the range.
func (r ranger) increase(q *slo.Query) string {
	if !q.Bare() {
		return "(" + q.Render(r.to.Sub(r.from)) + ")"
	}
	return "sum(increase(" + r.selector(q) + r.over() + "))"
}

func (r ranger) latency(sli *slo.Indicator) []Query {
	if !sli.Histogram.Bare() {
		return []Query{r.query("latency", sli.Histogram.Render(r.to.Sub(r.from)), "")}
	}
	h := *sli.Histogram
	bucket, count := h, h
	bucket.Metric, count.Metric = h.Metric+"_bucket", h.Metric+"_count"
	fast := ranger{append(slices.Clip(r.group), selectors.Of(slo.BucketAt(sli.Below))...), r.from, r.to}
	good, all := fast.increase(&bucket), r.increase(&count)
	native := fmt.Sprintf("1 - histogram_fraction(0, %s, sum(increase(%s%s)))", number(sli.Below), r.selector(&h), r.over())
	return []Query{
		r.query("fast events", good, "classic histogram"),
		r.query("all events", all, "classic histogram"),
		r.query("share of slow events", "1 -\n"+good+"\n/\n"+all, "classic histogram"),
		r.query("share of slow events", native, "native histogram"),
	}
}

// selector writes a bare selector with the labels of the budget.
func (r ranger) selector(q *slo.Query) string {
	if !q.Bare() {
		return q.Text
	}
	return selectors.Write(q.Metric, append(selectors.Of(q.Matchers...), r.group...)...)
}

func number(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }
