package main

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/slowburn-sre/slowburn/internal/selectors"
	"github.com/slowburn-sre/slowburn/internal/strictyaml"
	"github.com/slowburn-sre/slowburn/slo"
)

const (
	// indexed is how far back a series counts as existing, where only the index is read.
	indexed = time.Hour
	// mostNames is how many names of metrics are compared with one that does not exist.
	mostNames = 50_000
	// mostValues is how many values of a label are compared, and mostShown how many are told.
	mostValues, mostShown = 1000, 5
)

// hintOfNoHistogram says what to do about a histogram that is not there, by the names of its
// buckets.
func (i *inspector) hintOfNoHistogram(ctx context.Context, h *slo.Query) string {
	return strings.ReplaceAll(i.hintOfNothing(ctx, h.Rename(h.Metric+"_bucket"), ""), "_bucket", "") +
		"try the query in Prometheus: " + h.Rename(h.Metric+"_count").Text
}

// near says why a query finds nothing, by what the server has: the metric of a selector has another
// name, or its labels other values. It is "" if that is not known. It reads the index of the
// server, no samples.
func (i *inspector) near(ctx context.Context, q *slo.Query) string {
	for _, selector := range q.Selectors() {
		if selector.Bare() {
			if near := i.nearSelector(ctx, selector); near != "" {
				return near
			}
		}
	}
	return ""
}

func (i *inspector) nearSelector(ctx context.Context, q *slo.Query) string {
	if len(i.values(ctx, model.MetricNameLabel, selectors.Metric(q.Metric), 1)) == 0 {
		names := i.values(ctx, model.MetricNameLabel, `{__name__=~".+"}`, mostNames)
		if len(names) == 0 {
			return "the server has no metric at all"
		}
		if name := strictyaml.Nearest(q.Metric, names); name != "" {
			return "there is no metric " + q.Metric + "; did you mean " + name + "?"
		}
		return "there is no metric " + q.Metric
	}
	for _, m := range q.Matchers {
		if len(i.values(ctx, model.MetricNameLabel, selectors.Metric(q.Metric, m), 1)) == 0 {
			return i.nearLabel(ctx, q.Metric, m)
		}
	}
	if len(q.Matchers) > 1 {
		return q.Metric + " has series for each of these labels, and none for all of them together"
	}
	return ""
}

// nearLabel says why a matcher of a metric finds nothing.
func (i *inspector) nearLabel(ctx context.Context, metric string, m *labels.Matcher) string {
	values := i.values(ctx, m.Name, selectors.Metric(metric), mostValues)
	if len(values) == 0 {
		return metric + " has no label " + m.Name + i.nearName(ctx, metric, m.Name)
	}
	has := metric + " has no series with " + m.String()
	if value := strictyaml.Nearest(m.Value, values); value != "" && m.Type == labels.MatchEqual {
		return has + "; did you mean " + labels.MustNewMatcher(labels.MatchEqual, m.Name, value).String() + "?"
	}
	slices.Sort(values)
	shown := values[:min(len(values), mostShown)]
	more := ""
	if len(values) > mostShown {
		more = ", …"
	}
	return has + "; its values of " + m.Name + " are " + strings.Join(shown, ", ") + more
}

// nearName names the label that may be meant, or those that there are.
func (i *inspector) nearName(ctx context.Context, selector, label string) string {
	series, failure := i.client.SeriesLabels(ctx, selector, i.now.Add(-indexed), i.now, 1)
	if failure != nil || len(series) == 0 {
		return ""
	}
	var names []string
	for name := range series[0] {
		if name != model.MetricNameLabel {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	if name := strictyaml.Nearest(label, names); name != "" {
		return "; did you mean " + name + "?"
	}
	return "; its labels are " + cmp.Or(strings.Join(names, ", "), "none")
}

// values lists the values of a label; none where the server does not tell.
func (i *inspector) values(ctx context.Context, label, selector string, most int) []string {
	found, failure := i.client.LabelValues(ctx, label, []string{selector}, i.now.Add(-indexed), i.now, most)
	if failure != nil {
		return nil
	}
	return found
}

// hintOfNothing says what to do about a query without data.
func (i *inspector) hintOfNothing(ctx context.Context, q *slo.Query, try string) string {
	if near := i.near(ctx, q); near != "" {
		return near + "; " + try
	}
	return try
}
