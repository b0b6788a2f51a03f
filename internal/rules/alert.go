package rules

import (
	"fmt"
	"maps"
	"strings"

	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/slo"
)

// alerts adds one alert per pair, pages first, and one for missing data. Each is told apart by its
// labels long and short, so that a person sees which pair fired.
func (b *builder) alerts() {
	for _, p := range b.spec.Alerts.Page {
		b.alert(p, "page")
	}
	for _, p := range b.spec.Alerts.Ticket {
		b.alert(p, "ticket")
	}
	if d := b.spec.Alerts.NoData; d > 0 {
		b.group.Rules = append(b.group.Rules, Rule{
			Alert: "ErrorBudgetUnknown", Expr: "absent(" + b.recorded(badName(tile)) + ")", For: d,
			Labels: b.alertLabels(labelSeverity, "ticket"),
			Annotations: b.annotations(fmt.Sprintf("%s: no data", b.spec.ID()),
				fmt.Sprintf("Nothing has been counted for %s. Neither good nor bad is known.", figures.Duration(d))),
		})
	}
}

// alert adds the alert of one pair: both windows above the threshold. Both sides carry the same
// labels, without which `and` would never find a match.
func (b *builder) alert(p slo.Pair, severity string) {
	threshold := threshold(p, b.spec)
	expr := fmt.Sprintf("%s > %s\nand\n%s > %s", b.recorded(ratioName(p.Long)), threshold, b.recorded(ratioName(p.Short)), threshold)
	labels := b.alertLabels(labelSeverity, severity, labelLong, short(p.Long), labelShort, short(p.Short))
	if b.options.Names == Pyrra {
		labels["exhaustion"] = promDuration(exhaustion(p))
	}
	b.group.Rules = append(b.group.Rules, Rule{
		Alert: "ErrorBudgetBurn", Expr: expr, Labels: labels,
		Annotations: b.annotations(
			fmt.Sprintf("%s burns its error budget at more than %s times the sustainable rate", b.spec.ID(), rough(burn(p, b.spec))),
			fmt.Sprintf("Over the last %s, {{ $value | humanizePercentage }} of the events were bad; the objective is %s. "+
				"At this pace more than %s of the budget of %s goes in %s.",
				figures.Duration(p.Long), figures.Objective(b.spec.Objective), figures.Basis(p.Budget), figures.Window(b.spec.Window()), figures.Duration(p.Long))),
	})
}

// alertLabels returns those of a record and, for routing, the owner.
func (b *builder) alertLabels(more ...string) map[string]string {
	m := b.labels(more...)
	if b.spec.Owner != "" {
		m["owner"] = b.spec.Owner
	}
	if b.options.Names == Sloth {
		maps.Copy(m, b.slothLabels("sloth_severity", m[labelSeverity]))
	}
	return m
}

func (b *builder) annotations(summary, description string) map[string]string {
	m := map[string]string{"summary": literal(summary), "description": description}
	for name, value := range map[string]string{
		"promise": b.spec.Description, "runbook_url": b.spec.Links.Runbook, "dashboard_url": b.spec.Links.Dashboard,
	} {
		if value != "" {
			m[name] = literal(value)
		}
	}
	return m
}

// literal keeps Prometheus from taking a person's text for a template.
func literal(text string) string { return strings.ReplaceAll(text, "{{", `{{"{{"}}`) }
