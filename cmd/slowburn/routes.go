package main

import (
	"cmp"
	"slices"
	"strings"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/notify"
	"github.com/slowburn-sre/slowburn/slo"
)

// Route says who is told about what matches. The first that matches decides.
type Route struct {
	// Match names what must hold: severity, owner, service, tier, or "label " and a label's name. Each is
	// one of several values; nothing matches everything.
	Match   map[string][]string
	To      []string // receivers: a kind, which is all of it, or one by its name
	Channel string   // of Slack; "" is the service's own, or the default one
}

var severities = []string{string(alerting.Page), string(alerting.Ticket), string(alerting.Notice)}

// The kinds of receiver beside Slack, pagers first.
const (
	pagerdutyKind    = "pagerduty"
	alertmanagerKind = "alertmanager"
	webhookKind      = "webhook"
)

// slackLeg is the name of the leg to Slack, in the outbox and in routes.
const slackLeg = "slack"

// target is where a message goes: a leg, and for Slack a channel if the route names one.
type target struct{ leg, channel string }

// String is a target as people read it.
func (t target) String() string { return strings.TrimSpace(t.leg + " " + t.channel) }

// routing decides who is told. Its legs are the names of those that there are, in the order in which they
// are told.
type routing struct {
	legs    []string
	routes  []Route
	channel string // Slack's default
}

// newRouting is the routing of a configuration; slack says whether Slack can be reached.
func newRouting(cfg Config, slack bool) routing {
	return routing{legs: cfg.legNames(slack), routes: cfg.Routes, channel: cfg.Slack.Channel}
}

// legNames are the names of all legs of a configuration. Slack is one if it can be reached, or if there
// is no other: then what is owed waits for it.
func (c Config) legNames(slack bool) []string {
	var names []string
	if slack || len(c.Receivers) == 0 {
		names = append(names, slackLeg)
	}
	for _, r := range c.Receivers {
		names = append(names, r.Leg())
	}
	return names
}

func (r routing) has(leg string) bool { return slices.Contains(r.legs, leg) }

// to is who is told about a budget at a severity. Without a route that matches it is everybody, but
// PagerDuty of pages only: that is there to wake people.
func (r routing) to(spec *slo.Spec, id slo.ID, severity alerting.Severity) []target {
	for _, route := range r.routes {
		if route.matches(spec, id, severity) {
			return r.expand(route.To, cmp.Or(route.Channel, spec.Slack.Channel, r.channel))
		}
	}
	names := r.legs
	if severity != alerting.Page {
		names = slices.DeleteFunc(slices.Clone(names), func(name string) bool { return kindOf(name) == pagerdutyKind })
	}
	return r.expand(names, cmp.Or(spec.Slack.Channel, r.channel))
}

func (route Route) matches(spec *slo.Spec, id slo.ID, severity alerting.Severity) bool {
	facts := map[string]string{"severity": string(severity), "owner": spec.Owner, "service": spec.Service, "tier": spec.Tier}
	for name, value := range notify.Group(id) {
		facts["label "+name] = value
	}
	for name, values := range route.Match {
		if !slices.Contains(values, facts[name]) {
			return false
		}
	}
	return true
}

// expand turns the names of receivers into targets, each once.
func (r routing) expand(names []string, channel string) []target {
	var all []target
	for _, name := range names {
		for _, known := range append([]string{slackLeg}, r.legs...) {
			t := target{leg: known}
			if known == slackLeg {
				t.channel = channel
			}
			if (known == name || kindOf(known) == name) && !slices.Contains(all, t) {
				all = append(all, t)
			}
		}
	}
	return all
}

// kindOf is the kind of receiver that a leg's name begins with.
func kindOf(name string) string {
	kind, _, _ := strings.Cut(name, "/")
	return kind
}

// told is who is told about an event: of an incident everybody who is told at any severity that it has had.
// first are those who were not told about the events before.
func (r routing) told(spec *slo.Spec, e alerting.Event, i alerting.Incident) (all []target, first map[target]bool) {
	first = map[target]bool{}
	if i.ID == "" || e.Kind == alerting.Noticed && !i.Open {
		return r.to(spec, e.SLO, e.Severity), first
	}
	for n, old := range i.Log {
		if old.Kind == alerting.Noticed {
			continue
		}
		for _, t := range r.to(spec, e.SLO, old.Severity) {
			if !slices.Contains(all, t) {
				all = append(all, t)
				first[t] = n == len(i.Log)-1
			}
		}
	}
	return all, first
}

// fallbacks are the legs that a page may go to instead, in the order of the configuration, or pagers
// first and then people.
func (r routing) fallbacks(f Fallback) []string {
	order := f.To
	if len(order) == 0 {
		order = []string{pagerdutyKind, slackLeg, alertmanagerKind, webhookKind}
	}
	var names []string
	for _, t := range r.expand(order, "") {
		if r.has(t.leg) {
			names = append(names, t.leg)
		}
	}
	return names
}

// showRoutes lists who is told about each SLO, by severity.
func showRoutes(e *env, cfg Config, set *slo.Set) error {
	r := newRouting(cfg, cfg.Slack.works(e.getenv))
	t := newTable(e.out, "SLO", "PAGE", "TICKET", "NOTICE")
	for _, spec := range set.Specs {
		row := []string{string(spec.ID())}
		for _, severity := range severities {
			row = append(row, names(r.to(spec, spec.ID(), alerting.Severity(severity))))
		}
		t.row(row...)
	}
	return t.flush()
}

// names are targets in one line.
func names(targets []target) string {
	var all []string
	for _, t := range targets {
		all = append(all, t.String())
	}
	return cmp.Or(strings.Join(all, ", "), "nobody")
}
