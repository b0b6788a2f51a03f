package rules

import (
	"fmt"
	"slices"
	"time"

	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/selectors"
	"github.com/slowburn-sre/slowburn/slo"
)

// slothWindows are the windows over which Sloth always records. Source: slok/sloth 0.16, the
// default catalogue of alert windows.
var slothWindows = []time.Duration{
	5 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 6 * time.Hour, slo.Day, 3 * slo.Day,
}

// sloth adds the series of Sloth. All but one have Sloth's values: the error ratio of the whole
// period is the ratio of its events here, where Sloth takes the mean of the five-minute ratios. And
// where Sloth records 0/0, there is no sample. Source: slok/sloth 0.16, plugins sli_rules,
// metadata_rules.
func (b *builder) sloth() error {
	for _, taken := range []string{"sloth_id", "sloth_service", "sloth_slo", "sloth_window"} {
		if slices.Contains(b.spec.By, taken) {
			return b.refuse("by has the label %s, which Sloth's series set themselves", taken)
		}
	}
	period := b.spec.Window().Rolling
	if period == 0 {
		return b.refuse("Sloth's series are about a rolling window, and this is a calendar one (%s)", figures.Window(b.spec.Window()))
	}
	for _, w := range b.windows() {
		b.slothRecord("slo:sli_error:ratio_rate"+promDuration(w), b.recorded(ratioName(w)), "sloth_window", promDuration(w))
	}
	if whole := "slo:sli_error:ratio_rate" + promDuration(period); !slices.Contains(b.windows(), period) {
		b.slothRecord(whole, fmt.Sprintf("%s / (%s > 0)", b.recorded(badName(period)), b.recorded(totalName(period))), "sloth_window", promDuration(period))
	}
	b.slothMeta(period)
	return nil
}

// slothMeta adds what Sloth's dashboards read beside the ratios.
func (b *builder) slothMeta(period time.Duration) {
	f := b.slothSelector()
	perBudget := func(w time.Duration) string {
		return fmt.Sprintf("slo:sli_error:ratio_rate%s%s\n/ on (sloth_id, sloth_slo, sloth_service) group_left ()\nslo:error_budget:ratio%s", promDuration(w), f, f)
	}
	b.slothRecord("slo:objective:ratio", "vector("+objective(b.spec)+")")
	b.slothRecord("slo:error_budget:ratio", "vector("+allowed(b.spec)+")")
	b.slothRecord("slo:time_period:days", fmt.Sprintf("vector(%d)", int64(period/slo.Day)))
	b.slothRecord("slo:current_burn_rate:ratio", perBudget(tile))
	b.slothRecord("slo:period_burn_rate:ratio", perBudget(period))
	b.slothRecord("slo:period_error_budget_remaining:ratio", "1 - slo:period_burn_rate:ratio"+f)
	b.slothRecord("sloth_slo_info", "vector(1)", "sloth_version", "slowburn", "sloth_mode", "slowburn",
		"sloth_spec", "slowburn", "sloth_objective", b.spec.Objective.Percent())
}

// slothRecord adds a record with Sloth's labels only: its dashboards sum over the rest.
func (b *builder) slothRecord(name, expr string, more ...string) {
	b.group.Rules = append(b.group.Rules, Rule{Record: name, Expr: expr, Labels: b.slothLabels(more...)})
}

// slothLabels returns the labels by which Sloth knows an SLO.
func (b *builder) slothLabels(more ...string) map[string]string {
	return with(map[string]string{"sloth_id": b.slothID(), "sloth_service": b.spec.Service, "sloth_slo": b.spec.Name}, more...)
}

// slothID returns how Sloth names an SLO: service and name with a hyphen between.
func (b *builder) slothID() string { return b.spec.Service + "-" + b.spec.Name }

func (b *builder) slothSelector() string {
	return selectors.Write("", selectors.Equal("sloth_id", b.slothID()),
		selectors.Equal("sloth_service", b.spec.Service), selectors.Equal("sloth_slo", b.spec.Name))
}
