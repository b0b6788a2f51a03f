package config

import (
	"slices"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/notify"
	"github.com/slowburn-sre/slowburn/slo"
)

// Route says who is told about what matches. The first that matches decides.
type Route struct {
	// Match names what must hold: severity, owner, service, tier, or "label " and a label's name.
	// Each is one of several values; nothing matches everything.
	Match   map[string][]string
	To      []string // receivers: a kind, which is all of it, or one by its name
	Channel string   // of Slack; "" is the service's own, or the default one
}

// Severities are what a route may match, the loudest first.
var Severities = []string{string(alerting.Page), string(alerting.Ticket), string(alerting.Notice)}

// SlackReceiver is Slack's name as a receiver, in the outbox and in routes.
const SlackReceiver = "slack"

// ReceiverNames returns the names of all receivers of a configuration. Slack is one if it can be
// reached, or if there is no other: then what is owed waits for it.
func (c Config) ReceiverNames(slack bool) []string {
	var names []string
	if slack || len(c.Receivers) == 0 {
		names = append(names, SlackReceiver)
	}
	for _, r := range c.Receivers {
		names = append(names, r.Name)
	}
	return names
}

// Matches reports whether a route is meant for a budget at a severity.
func (route Route) Matches(spec *slo.Spec, id slo.ID, severity alerting.Severity) bool {
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
