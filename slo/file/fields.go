package file

import (
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/slowburn-sre/slowburn/internal/strictyaml"
	"github.com/slowburn-sre/slowburn/slo"
)

// readLinks reads links; what is not written is taken from the fallback.
func readLinks(v strictyaml.Value, fallback slo.Links) slo.Links {
	o, _ := v.Object(linksKeys.Keys()...)
	for key, target := range map[string]*string{"runbook": &fallback.Runbook, "dashboard": &fallback.Dashboard, "repository": &fallback.Repository} {
		if link, ok := Address(o.Get(key), "remove the part before @"); ok {
			*target = link
		}
	}
	return fallback
}

// readSlack reads a Slack route; what is not written is taken from the fallback.
func readSlack(v strictyaml.Value, fallback slo.SlackRoute) slo.SlackRoute {
	o, _ := v.Object(slackKeys.Keys()...)
	if channel, ok := Channel(o.Get("channel")); ok {
		fallback.Channel = channel
	}
	if m := o.Get("mention"); m.Given() {
		fallback.Mention = Mentions(m)
	}
	if e := o.Get("escalate"); e.Given() {
		fallback.Escalate = readEscalation(e)
	}
	return fallback
}

// readEscalation reads who is called when nobody answers.
func readEscalation(v strictyaml.Value) (e slo.Escalation) {
	if off(v) {
		return e
	}
	o, ok := v.Object(escalateKeys.Keys()...)
	if !ok {
		return e
	}
	if after := o.Need("after", "such as after: 15m"); after.Given() {
		e.After, _ = Minutes(after)
	}
	if m := o.Get("mention"); m.Given() {
		e.Mention = Mentions(m)
	}
	return e
}

// by reads label names.
func (r *sloReader) by(v strictyaml.Value) (names []string) {
	list, _ := v.List(maxBy)
	for _, e := range list {
		s, ok := e.Text()
		switch {
		case !ok:
		case s == model.BucketLabel:
			e.Problem("by cannot have le: it divides one histogram into buckets, not events into groups", "remove it")
		case strings.HasPrefix(s, "__"):
			e.Problem(fmt.Sprintf("by cannot have %s: labels with two underscores belong to Prometheus", s), "remove it")
		case !model.UTF8Validation.IsValidLabelName(s):
			e.Problem(fmt.Sprintf("%q is not a label name", s), "")
		case slices.Contains(names, s):
			e.Problem(fmt.Sprintf("the label %s is listed twice", s), "remove one of them")
		default:
			r.places[fmt.Sprintf("by.%d", len(names))] = e
			names = append(names, s)
		}
	}
	return names
}

// readSignals reads the golden signals of a service; nil if nothing was written.
func readSignals(v strictyaml.Value) *slo.Signals {
	if !v.Given() {
		return nil
	}
	o, _ := v.Object(signalsKeys.Keys()...)
	s := &slo.Signals{}
	s.From, _ = o.Get("from").Text()
	s.Line, s.Column = o.Get("from").Place().Line, o.Get("from").Place().Column
	s.Match = readMatch(o.Get("match"))
	list, _ := o.Get("saturation").List(maxSaturation)
	for _, e := range list {
		so, _ := e.Object(saturationKeys.Keys()...)
		var sat slo.Saturation
		sat.Name, _ = so.Need("name", "write what gets full: name: memory").Text()
		sat.Query = readQuery(so.Need("query", "write the PromQL of the measure"), anyQuery)
		sat.Limit, _ = so.Need("limit", "write the value at which it is full, such as limit: 0.9").Number()
		s.Saturation = append(s.Saturation, sat)
	}
	return s
}

// readMatch reads matchers without a metric name, such as {job="checkout"}.
func readMatch(v strictyaml.Value) string {
	text, ok := v.Text()
	if !ok {
		return ""
	}
	if _, err := parser.NewParser(parser.Options{}).ParseMetricSelector(text); err != nil || !strings.HasPrefix(strings.TrimSpace(text), "{") {
		v.Problem(fmt.Sprintf("match cannot be %q", text), `write matchers in braces and quotes: '{job="checkout"}'`)
	}
	return text
}
