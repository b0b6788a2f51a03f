package compare

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/slowburn-sre/slowburn/internal/rules"
	"github.com/slowburn-sre/slowburn/internal/selectors"
	"github.com/slowburn-sre/slowburn/slo"
)

// questions are the PromQL that finds what a tool has recorded about a budget. Empty ones are not
// asked.
type questions struct {
	remaining, objective, window string // at one time; the window in seconds
	bad, total                   string // at one time
	ratios, alerts               string // over time
}

// ask writes the questions about one budget.
func ask(tool Tool, spec *slo.Spec, id slo.ID) questions {
	group := selectors.Labels(id.Labels())
	if tool == Sloth {
		return askSloth(spec, group)
	}
	return askPyrra(spec, group)
}

// askSloth asks for the series of slok/sloth 0.16. What concerns the SLO as a whole has no labels
// of a group.
func askSloth(spec *slo.Spec, group []selectors.Matcher) questions {
	whole := []selectors.Matcher{selectors.Equal("sloth_service", spec.Service), selectors.Equal("sloth_slo", spec.Name)}
	one := append(slices.Clip(whole), group...)
	firing := append([]selectors.Matcher{selectors.Equal("alertstate", "firing")}, one...)
	return questions{
		remaining: "max(" + selectors.Write("slo:period_error_budget_remaining:ratio", one...) + ")",
		objective: "max(" + selectors.Write("slo:objective:ratio", whole...) + ")",
		window:    "86400 * max(" + selectors.Write("slo:time_period:days", whole...) + ")",
		ratios:    "max(" + selectors.Write("slo:sli_error:ratio_rate5m", one...) + ")",
		alerts:    "max by (alertname, sloth_severity) (" + selectors.Write("ALERTS", firing...) + ")",
	}
}

// askPyrra asks for the series of pyrra-dev/pyrra 0.10: the generic ones, and the counts of the
// window.
func askPyrra(spec *slo.Spec, group []selectors.Matcher) questions {
	name := selectors.Equal("slo", spec.Name)
	firing := append([]selectors.Matcher{selectors.Equal("alertstate", "firing"), selectors.NotEqual("exhaustion", ""), name}, group...)
	q := questions{
		objective: "max(" + selectors.Write("pyrra_objective", name) + ")",
		window:    "max(" + selectors.Write("pyrra_window", name) + ")",
		alerts:    "max by (alertname, severity) (" + selectors.Write("ALERTS", firing...) + ")",
	}
	q.total, q.bad = pyrraCounts(spec, name, group)
	switch {
	case len(group) == 0:
		q.remaining = fmt.Sprintf("1 - (1 - max(%s)) / (1 - max(%s))",
			selectors.Write("pyrra_availability", name), selectors.Write("pyrra_objective", name))
	case q.bad != "":
		q.remaining = fmt.Sprintf("1 - (%s) / (%s) / %s", q.bad, q.total, strconv.FormatFloat(spec.Objective.AllowedRatio(), 'g', -1, 64))
	}
	return q
}

// pyrraCounts select the events that Pyrra has counted over the whole window.
func pyrraCounts(spec *slo.Spec, name selectors.Matcher, group []selectors.Matcher) (total, bad string) {
	window := model.Duration(spec.Window().Length()).String()
	sum := func(metric string, matchers []*labels.Matcher, more ...selectors.Matcher) string {
		all := slices.Concat([]selectors.Matcher{name}, group, more, selectors.Of(matchers...))
		return "sum(" + selectors.Write(rules.PyrraName(metric)+":increase"+window, all...) + ")"
	}
	switch i, c := &spec.SLI, spec.SLI.Counters(); {
	case c.Bare():
		total, bad = sum(c.Total.Metric, c.Total.Matchers), sum(c.Part.Metric, c.Part.Matchers)
		if c.Good {
			return total, fmt.Sprintf("(%s - %s)", total, bad)
		}
		return total, fmt.Sprintf("(%s or 0 * %s)", bad, total)
	case i.Histogram != nil:
		total = sum(i.Histogram.Metric, i.Histogram.Matchers, selectors.Equal(labels.BucketLabel, ""))
		return total, fmt.Sprintf("(%s - %s)", total, sum(i.Histogram.Metric, i.Histogram.Matchers, selectors.NotEqual(labels.BucketLabel, "")))
	}
	return "", ""
}
