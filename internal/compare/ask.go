package compare

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/slowburn-sre/slowburn/internal/rules"
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
	group := strings.Trim(id.Group(), "{}")
	if tool == Sloth {
		return askSloth(spec, group)
	}
	return askPyrra(spec, group)
}

// selector writes label matchers in braces, without the empty ones.
func selector(parts ...string) string {
	return "{" + strings.Join(slices.DeleteFunc(parts, func(p string) bool { return p == "" }), ", ") + "}"
}

// askSloth asks for the series of slok/sloth 0.16. What concerns the SLO as a whole has no labels
// of a group.
func askSloth(spec *slo.Spec, group string) questions {
	service, name := "sloth_service="+strconv.Quote(spec.Service), "sloth_slo="+strconv.Quote(spec.Name)
	whole, one := selector(service, name), selector(service, name, group)
	return questions{
		remaining: "max(slo:period_error_budget_remaining:ratio" + one + ")",
		objective: "max(slo:objective:ratio" + whole + ")",
		window:    "86400 * max(slo:time_period:days" + whole + ")",
		ratios:    "max(slo:sli_error:ratio_rate5m" + one + ")",
		alerts:    "max by (alertname, sloth_severity) (ALERTS" + selector(`alertstate="firing"`, service, name, group) + ")",
	}
}

// askPyrra asks for the series of pyrra-dev/pyrra 0.10: the generic ones, and the counts of the
// window.
func askPyrra(spec *slo.Spec, group string) questions {
	name := "slo=" + strconv.Quote(spec.Name)
	q := questions{
		objective: "max(pyrra_objective" + selector(name) + ")",
		window:    "max(pyrra_window" + selector(name) + ")",
		alerts:    "max by (alertname, severity) (ALERTS" + selector(`alertstate="firing"`, `exhaustion!=""`, name, group) + ")",
	}
	q.total, q.bad = pyrraCounts(spec, name, group)
	switch {
	case group == "":
		q.remaining = fmt.Sprintf("1 - (1 - max(pyrra_availability%s)) / (1 - max(pyrra_objective%s))", selector(name), selector(name))
	case q.bad != "":
		q.remaining = fmt.Sprintf("1 - (%s) / (%s) / %s", q.bad, q.total, strconv.FormatFloat(spec.Objective.AllowedRatio(), 'g', -1, 64))
	}
	return q
}

// pyrraCounts select the events that Pyrra has counted over the whole window.
func pyrraCounts(spec *slo.Spec, name, group string) (total, bad string) {
	window := model.Duration(spec.Window().Length()).String()
	sum := func(metric string, matchers []*labels.Matcher, more string) string {
		parts := []string{name, group, more}
		for _, m := range matchers {
			parts = append(parts, m.String())
		}
		return "sum(" + rules.PyrraName(metric) + ":increase" + window + selector(parts...) + ")"
	}
	switch i, c := &spec.SLI, spec.SLI.Counters(); {
	case c.Bare():
		total, bad = sum(c.Total.Metric, c.Total.Matchers, ""), sum(c.Part.Metric, c.Part.Matchers, "")
		if c.Good {
			return total, fmt.Sprintf("(%s - %s)", total, bad)
		}
		return total, fmt.Sprintf("(%s or 0 * %s)", bad, total)
	case i.Histogram != nil:
		total = sum(i.Histogram.Metric, i.Histogram.Matchers, `le=""`)
		return total, fmt.Sprintf("(%s - %s)", total, sum(i.Histogram.Metric, i.Histogram.Matchers, `le!=""`))
	}
	return "", ""
}
