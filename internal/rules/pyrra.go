package rules

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/selectors"
	"github.com/slowburn-sre/slowburn/slo"
)

// pyrra adds the series of Pyrra, named after the metric: the events of the whole window
// (http_requests:increase4w), the error ratios of the alert windows, which Pyrra calls burn rates
// (http_requests:burnrate5m), and the generic ones that its Grafana dashboards read. Source:
// pyrra-dev/pyrra 0.10, slo/rules.go.
func (b *builder) pyrra() error {
	period := b.spec.Window().Rolling
	if period == 0 {
		return b.refuse("Pyrra's series are about a rolling window, and this is a calendar one (%s)", figures.Window(b.spec.Window()))
	}
	base, matchers, err := b.pyrraBase()
	if err != nil {
		return err
	}
	extra := equalities(matchers)
	b.pyrraIncreases(period, extra)
	for _, w := range b.windows() {
		b.pyrraRecord(base+":burnrate"+promDuration(w), b.recorded(ratioName(w)), extra)
	}
	if len(b.spec.By) == 0 {
		b.pyrraGeneric(period)
	}
	return nil
}

// pyrraBase returns the name that Pyrra's series begin with, and what the total selects.
func (b *builder) pyrraBase() (string, []*labels.Matcher, error) {
	switch i := &b.spec.SLI; {
	case i.Counters().Bare():
		return PyrraName(i.Total.Metric), i.Total.Matchers, nil
	case i.Histogram != nil:
		return PyrraName(i.Histogram.Metric), i.Histogram.Matchers, nil
	case i.Up.Bare():
		return i.Up.Metric, i.Up.Matchers, nil
	}
	return "", nil, b.refuse("Pyrra names its series after a metric, and this SLO is made of expressions")
}

// PyrraName returns a metric's name as Pyrra's series begin: without the suffix that says how it
// counts.
func PyrraName(metric string) string {
	for _, suffix := range []string{"_total", "_count", "_bucket"} {
		if name, found := strings.CutSuffix(metric, suffix); found {
			return name
		}
	}
	return metric
}

// pyrraIncreases records the events of the whole window, with the labels that tell good from bad.
func (b *builder) pyrraIncreases(period time.Duration, extra map[string]string) {
	w := promDuration(period)
	increase := func(query, metric string, keep []string, more ...string) {
		b.pyrraRecord(PyrraName(metric)+":increase"+w, fmt.Sprintf("sum%s(increase(%s[%s]))", byClause(keep), query, w), extra, more...)
	}
	switch i, c := &b.spec.SLI, b.spec.SLI.Counters(); {
	case c.Bare():
		keep := b.pyrraLabels(c.Total.Matchers, c.Part.Matchers)
		increase(c.Total.Text, c.Total.Metric, keep)
		if c.Part.Metric != c.Total.Metric {
			increase(c.Part.Text, c.Part.Metric, keep)
		}
	case i.Histogram != nil:
		keep := b.pyrraLabels(i.Histogram.Matchers, nil)
		increase(selectors.Metric(i.Histogram.Metric+"_count", i.Histogram.Matchers...), i.Histogram.Metric+"_count", keep)
		bucket := append(slices.Clone(i.Histogram.Matchers), slo.BucketAt(i.Below))
		increase(selectors.Metric(i.Histogram.Metric+"_bucket", bucket...), i.Histogram.Metric+"_bucket", keep,
			labels.BucketLabel, strconv.FormatFloat(i.Below, 'f', -1, 64))
	case i.Up.Bare():
		keep := b.pyrraLabels(i.Up.Matchers, nil)
		for _, f := range []string{"count", "sum"} {
			b.pyrraRecord(i.Up.Metric+":"+f+w, fmt.Sprintf("sum%s(%s_over_time(%s[%s]))", byClause(keep), f, i.Up.Text, w), extra)
		}
	}
}

// pyrraLabels returns the labels that Pyrra keeps: those of the budgets, those that only the errors
// select by, and those that are selected by a pattern.
func (b *builder) pyrraLabels(total, other []*labels.Matcher) []string {
	keep := map[string]bool{}
	for _, l := range b.spec.By {
		keep[l] = true
	}
	for _, m := range slices.Concat(total, other) {
		inTotal := slices.ContainsFunc(total, func(t *labels.Matcher) bool { return t.Name == m.Name })
		if !inTotal || m.Type == labels.MatchRegexp || m.Type == labels.MatchNotRegexp {
			keep[m.Name] = true
		}
	}
	delete(keep, labels.BucketLabel)
	return slices.Sorted(maps.Keys(keep))
}

// equalities returns the labels that a selector fixes; Pyrra puts them on its series.
func equalities(matchers []*labels.Matcher) map[string]string {
	m := map[string]string{}
	for _, x := range matchers {
		if x.Type == labels.MatchEqual {
			m[x.Name] = x.Value
		}
	}
	return m
}

// pyrraGeneric records what Pyrra's Grafana dashboards read of every SLO.
func (b *builder) pyrraGeneric(period time.Duration) {
	rate := func(name string) string { return fmt.Sprintf("%s / %d", b.recorded(name), int64(tile/time.Second)) }
	b.pyrraRecord("pyrra_objective", "vector("+objective(b.spec)+")", nil)
	b.pyrraRecord("pyrra_window", fmt.Sprintf("vector(%d)", int64(period/time.Second)), nil)
	b.pyrraRecord("pyrra_availability", fmt.Sprintf("1 - %s / (%s > 0)", b.recorded(badName(period)), b.recorded(totalName(period))), nil)
	b.pyrraRecord("pyrra_requests:rate5m", rate(totalName(tile)), nil)
	b.pyrraRecord("pyrra_errors:rate5m", rate(badName(tile)), nil)
}

// exhaustion returns how long the whole budget lasts at the burn at which a pair fires, in whole
// minutes.
func exhaustion(p slo.Pair) time.Duration {
	return (p.Long * 10000 / time.Duration(p.Budget)).Round(time.Minute)
}

func (b *builder) pyrraRecord(name, expr string, extra map[string]string, more ...string) {
	m := map[string]string{}
	maps.Copy(m, extra)
	m["slo"] = b.spec.Name
	b.group.Rules = append(b.group.Rules, Rule{Record: name, Expr: expr, Labels: with(m, more...)})
}
