package suggest

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/internal/signals"
)

const (
	// mostMetrics is how many names of metrics are looked at for some that could be counted.
	mostMetrics = 50_000
	// mostShown is how many are named.
	mostShown = 5
)

// counted are names of counters of what users do, by custom.
var counted = regexp.MustCompile(`(?i)(request|response|call|query|queries|message|job|task|order|login|http|grpc|rpc)\w*_(total|count)$`)

// WhyNothing says why [Propose] has nothing to propose, in sentences: the server has no metrics,
// none that is known (then those that look like counters are named), or what it has is too young or
// stands still. It reads the index of the server, no samples but the newest.
func WhyNothing(ctx context.Context, c *prom.Client, o Options) (string, error) {
	if o.Catalogue == nil {
		o.Catalogue = signals.Default()
	}
	s := &scout{ctx, c, o.At}
	names, failure := c.LabelValues(ctx, "__name__", []string{`{__name__=~".+"}`}, o.At.Add(-glance), o.At.Add(glance), mostMetrics)
	if failure != nil {
		return "", failure
	}
	if len(names) == 0 {
		return "The server has no metrics of the last hour: it scrapes nothing, or has just begun to.", nil
	}
	all, err := s.sources(o.Catalogue)
	if err != nil {
		return "", err
	}
	all = slices.DeleteFunc(all, func(src source) bool { return src.entry.Role == signals.RuntimeRole || src.entry.Silent })
	if len(all) > 0 {
		var titles []string
		for _, src := range all {
			titles = append(titles, src.entry.Title)
		}
		return "The server has metrics of " + strings.Join(titles, ", ") + ", in which nothing happened for as long as is known (a minute ago and before), or all of whose SLOs exist. " +
			"If it was started just now, ask again when there is a day of history.", nil
	}
	text := "The server has " + figures.Plural(len(names), "metric") + ", and none that the catalogue knows (docs/signals.md lists its sources)."
	if like := slices.DeleteFunc(names, func(n string) bool { return !counted.MatchString(n) || strings.HasPrefix(n, "promhttp_") }); len(like) > 0 {
		slices.Sort(like)
		text += " These look like counters of events: " + strings.Join(like[:min(len(like), mostShown)], ", ") +
			". Write an SLO of them by hand (docs/slo-file.md), or describe them below signals: in the configuration."
	}
	return text, nil
}
