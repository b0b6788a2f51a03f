package file

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/slowburn-sre/slowburn/internal/strictyaml"
	"github.com/slowburn-sre/slowburn/slo"
)

// readLinks reads links; what is not written is taken from the fallback.
func readLinks(v strictyaml.Value, fallback slo.Links) slo.Links {
	o, _ := v.Object("runbook", "dashboard", "repository")
	for key, target := range map[string]*string{"runbook": &fallback.Runbook, "dashboard": &fallback.Dashboard, "repository": &fallback.Repository} {
		if link, ok := readLink(o.Get(key)); ok {
			*target = link
		}
	}
	return fallback
}

// readLink reads an address that people will be offered to click on.
func readLink(v strictyaml.Value) (string, bool) {
	s, ok := v.Text()
	if !ok {
		return "", false
	}
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "" && (u.Scheme == "http" || u.Scheme == "https" || u.Scheme == ""):
		v.Problem(fmt.Sprintf("%s is not a web address", v.Name()), "write it in full, starting with https://")
	case u.Scheme != "http" && u.Scheme != "https":
		v.Problem(fmt.Sprintf("%s cannot be an address with %s:", v.Name(), u.Scheme), "only http and https are allowed")
	case u.User != nil:
		v.Problem(fmt.Sprintf("%s holds a user name or password, which everybody would see", v.Name()), "remove the part before @")
	default:
		return s, true
	}
	return "", false
}

// How many people may be mentioned, and how many measures of saturation be looked at.
const (
	maxMentions   = 20
	maxSaturation = 20
)

var (
	channelName = regexp.MustCompile(`^#[\p{L}\p{N}][-_\p{L}\p{N}]{0,79}$`)
	channelID   = regexp.MustCompile(`^[CGD][A-Z0-9]{7,}$`)
	mention     = regexp.MustCompile(`^<(@[UW][A-Z0-9]+|!subteam\^S[A-Z0-9]+|!here|!channel)>$`)
)

// readSlack reads a Slack route; what is not written is taken from the fallback.
func readSlack(v strictyaml.Value, fallback slo.SlackRoute) slo.SlackRoute {
	o, _ := v.Object("channel", "mention", "escalate")
	if c := o.Get("channel"); c.Given() {
		if s, ok := c.Text(); ok {
			if !channelName.MatchString(s) && !channelID.MatchString(s) {
				c.Problem(fmt.Sprintf("%q is not a channel", s), `write "#name" in quotes, in small letters without spaces, or the channel's ID such as C0123456789`)
			}
			fallback.Channel = s
		}
	}
	if m := o.Get("mention"); m.Given() {
		fallback.Mention = readMentions(m)
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
	o, ok := v.Object("after", "mention")
	if !ok {
		return e
	}
	if after := o.Need("after", "say how long a page may wait, such as after: 15m"); after.Given() {
		e.After, _ = readMinutes(after)
	}
	if m := o.Get("mention"); m.Given() {
		e.Mention = readMentions(m)
	}
	return e
}

// readMentions reads one mention, or a list of them.
func readMentions(m strictyaml.Value) (all []string) {
	list := []strictyaml.Value{m}
	if !m.IsText() {
		list, _ = m.List(maxMentions)
	}
	for _, e := range list {
		s, ok := e.Text()
		if ok && !mention.MatchString(s) {
			e.Problem(fmt.Sprintf("%q mentions nobody", s), "write <@U0123> for a person, <!subteam^S0123> for a group, <!here> or <!channel>; Slack knows people by ID, not by name")
		}
		all = append(all, s)
	}
	return all
}

// maxBy is how many labels may split an SLO: every combination of their values is a budget of its own.
const maxBy = 8

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
	o, _ := v.Object("from", "match", "saturation")
	s := &slo.Signals{}
	s.From, _ = o.Get("from").Text()
	s.Line, s.Column = o.Get("from").Place().Line, o.Get("from").Place().Column
	s.Match = readMatch(o.Get("match"))
	list, _ := o.Get("saturation").List(maxSaturation)
	for _, e := range list {
		so, _ := e.Object("name", "query", "limit")
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

// readPercent reads a share such as 2% or 2.5%, above zero, into basis points, exactly.
func readPercent(v strictyaml.Value, most int64) (int64, bool) {
	s, ok := v.Literal("a percentage such as 2%")
	if !ok {
		return 0, false
	}
	n, err := slo.ParsePercent(s)
	switch {
	case err != nil:
		v.Problem(messageAndHint(err))
	case n == 0:
		v.Problem(fmt.Sprintf("%s cannot be 0%%", v.Name()), "")
	case n > most:
		v.Problem(fmt.Sprintf("%s cannot be above %d%%", v.Name(), most/100), "")
	default:
		return n, true
	}
	return 0, false
}

// messageAndHint divides an error written as "what is wrong; what to write".
func messageAndHint(err error) (message, hint string) {
	message, hint, _ = strings.Cut(err.Error(), "; ")
	return message, hint
}
