package evidence

import (
	"cmp"
	"context"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/internal/ranking"
)

// maxTraces is how many are shown.
const maxTraces = 3

// traceKeys are how exemplars spell the ID of their trace.
var traceKeys = []string{"trace_id", "traceID", "traceId", "TraceID", "trace.id"}

// traceID is what an ID may look like. Exemplars are foreign text, and this goes into an address.
var traceID = regexp.MustCompile(`^[0-9A-Za-z_-]{8,64}$`)

// exemplars asks for exemplars of bad events in the burn. A server that has none is no failure.
func (g *gatherer) exemplars(ctx context.Context) ([]prom.Exemplar, error) {
	selector, bad, ok := g.exemplary()
	if !ok {
		return nil, nil
	}
	found, err := g.Client.Exemplars(ctx, selector, g.from, g.at)
	switch {
	case err == nil:
	case err.Kind == prom.Refused, err.Kind == prom.BadAnswer:
		return nil, nil // an experimental endpoint, which many servers do not have
	default:
		return nil, err
	}
	return slices.DeleteFunc(found, func(e prom.Exemplar) bool { return !bad(e) }), nil
}

// exemplary says where exemplars are looked for, and which of them are of bad events.
func (g *gatherer) exemplary() (selector string, bad func(prom.Exemplar) bool, ok bool) {
	sli, c := &g.Spec.SLI, g.Spec.SLI.Counters()
	q := sli.Histogram
	switch {
	case c != nil && c.Good:
		q = c.Total
	case c != nil:
		q = c.Part
	}
	s, ok := counterOf(q)
	if !ok {
		return "", nil, false
	}
	s = s.with(g.group)
	bad = func(prom.Exemplar) bool { return true }
	if c == nil {
		selector = s.String() + " or " + s.suffixed("_bucket").String()
		return selector, func(e prom.Exemplar) bool { return e.Value > sli.Below }, true
	}
	if good, ok := counterOf(c.Part); c.Good && ok {
		bad = func(e prom.Exemplar) bool { return !good.selects(e.Series) }
	}
	return s.String(), bad, true
}

func (s series) selects(l map[string]string) bool {
	for _, m := range s.matchers {
		if !m.Matches(l[m.Name]) {
			return false
		}
	}
	return l[model.MetricNameLabel] == s.metric
}

// pickTraces takes the slowest of a latency, else the newest, each from another series as far as
// there are. They are of the label value that burns most, if they can be.
func pickTraces(all []prom.Exemplar, latency bool, burns []ranking.Contributor, template string) (out []ranking.Trace) {
	if len(burns) > 0 {
		others := func(e prom.Exemplar) bool { return e.Series[burns[0].Label] != burns[0].Value }
		if hits := slices.DeleteFunc(slices.Clone(all), others); len(hits) > 0 {
			all = hits
		}
	}
	slices.SortStableFunc(all, func(a, b prom.Exemplar) int {
		slower := 0
		if latency {
			slower = cmp.Compare(b.Value, a.Value)
		}
		return cmp.Or(slower, b.At.Compare(a.At))
	})
	used := map[string]bool{} // IDs, and in the first round series
	for _, distinct := range []bool{true, false} {
		for _, e := range all {
			id, series := traceOf(e), labels.FromMap(e.Series).String()
			if len(out) == maxTraces || id == "" || used[id] || distinct && used[series] {
				continue
			}
			used[id], used[series] = true, true
			t := ranking.Trace{ID: id, At: e.At, Where: placeOf(e)}
			if latency {
				t.Seconds = e.Value
			}
			if template != "" {
				t.URL = strings.ReplaceAll(template, "{trace_id}", url.QueryEscape(id))
			}
			out = append(out, t)
		}
	}
	return out
}

func traceOf(e prom.Exemplar) string {
	for _, key := range traceKeys {
		if id := e.Labels[key]; traceID.MatchString(id) {
			return id
		}
	}
	return ""
}

// placeOf returns the labels that say what a request was about.
func placeOf(e prom.Exemplar) string {
	var parts []string
	for name, value := range e.Series {
		if name == model.MetricNameLabel || name == "le" || slices.Contains(targetLabels, name) || slices.Contains(ranking.Replicas, name) {
			continue
		}
		parts = append(parts, name+`="`+value+`"`)
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}
