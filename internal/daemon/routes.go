package daemon

import (
	"cmp"
	"slices"
	"strings"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/config"
	"github.com/slowburn-sre/slowburn/internal/notify"
	"github.com/slowburn-sre/slowburn/internal/notify/receivers"
	"github.com/slowburn-sre/slowburn/slo"
)

// target is where a message goes: a receiver, and for Slack a channel if the route names one.
type target struct{ receiver, channel string }

// String returns a target as people read it.
func (t target) String() string { return strings.TrimSpace(t.receiver + " " + t.channel) }

// routing decides who is told.
type routing struct {
	receivers []string // all names, in the order in which they are told
	routes    []config.Route
	channel   string // Slack's default
}

// NewRouting returns the routing of a configuration; slack says whether Slack can be reached.
func NewRouting(cfg config.Config, slack bool) routing {
	return routing{receivers: cfg.ReceiverNames(slack), routes: cfg.Routes, channel: cfg.Slack.Channel}
}

func (r routing) has(receiver string) bool { return slices.Contains(r.receivers, receiver) }

// To returns who is told about a budget at a severity. Without a route that matches it is
// everybody, but what is there to wake people of pages only.
func (r routing) To(spec *slo.Spec, id slo.ID, severity alerting.Severity) []target {
	for _, route := range r.routes {
		if route.Matches(spec, id, severity) {
			return r.expand(route.To, cmp.Or(route.Channel, spec.Slack.Channel, r.channel))
		}
	}
	names := r.receivers
	if severity != alerting.Page {
		names = slices.DeleteFunc(slices.Clone(names), func(name string) bool { kind, _ := receivers.Kind(name); return kind.Pager })
	}
	return r.expand(names, cmp.Or(spec.Slack.Channel, r.channel))
}

// expand turns the names of receivers into targets, each once.
func (r routing) expand(names []string, channel string) []target {
	var all []target
	for _, name := range names {
		for _, known := range append([]string{config.SlackReceiver}, r.receivers...) {
			t := target{receiver: known}
			if known == config.SlackReceiver {
				t.channel = channel
			}
			if (known == name || notify.KindOf(known) == name) && !slices.Contains(all, t) {
				all = append(all, t)
			}
		}
	}
	return all
}

// told returns who is told about an event: of an incident everybody who is told at any severity
// that it has had. first are those who were not told about the events before.
func (r routing) told(spec *slo.Spec, e alerting.Event, i alerting.Incident) (all []target, first map[target]bool) {
	first = map[target]bool{}
	if i.ID == "" || e.Kind == alerting.Noticed && !i.Open {
		return r.To(spec, e.SLO, e.Severity), first
	}
	for n, old := range i.Log {
		if old.Kind == alerting.Noticed {
			continue
		}
		for _, t := range r.To(spec, e.SLO, old.Severity) {
			if !slices.Contains(all, t) {
				all = append(all, t)
				first[t] = n == len(i.Log)-1
			}
		}
	}
	return all, first
}

// fallbacks returns the receivers that a page may go to instead, in the order of the configuration,
// or what wakes people first, then Slack, then the rest.
func (r routing) fallbacks(f config.Fallback) []string {
	order := f.To
	if len(order) == 0 {
		var rest []string
		for _, kind := range receivers.Kinds() {
			if kind.Pager {
				order = append(order, kind.Name)
			} else {
				rest = append(rest, kind.Name)
			}
		}
		order = append(append(order, config.SlackReceiver), rest...)
	}
	var names []string
	for _, t := range r.expand(order, "") {
		if r.has(t.receiver) {
			names = append(names, t.receiver)
		}
	}
	return names
}

// TargetNames joins targets in one line.
func TargetNames(targets []target) string {
	var all []string
	for _, t := range targets {
		all = append(all, t.String())
	}
	return cmp.Or(strings.Join(all, ", "), "nobody")
}
