package slo

import "slices"

// Service is what a file says about the service its SLOs are about.
type Service struct {
	Name        string
	Owner       string
	Description string
	Tier        string // request class of the SRE workbook, "" if none
	Links       Links
	Slack       SlackRoute
	Signals     *Signals // nil if the file says nothing about them
	DependsOn   []Dependency
	File        string
	Line        int
}

// ServiceOf describes a service that no file describes by what all its SLOs share.
func ServiceOf(specs []*Spec) *Service {
	first := specs[0]
	out := &Service{Name: first.Service, Tier: first.Tier, Owner: first.Owner, Links: first.Links, Slack: first.Slack, File: first.File, Line: first.Line}
	for _, s := range specs[1:] {
		share(&out.Owner, s.Owner)
		share(&out.Links.Runbook, s.Links.Runbook)
		share(&out.Links.Dashboard, s.Links.Dashboard)
		share(&out.Links.Repository, s.Links.Repository)
		share(&out.Slack.Channel, s.Slack.Channel)
		if !slices.Equal(out.Slack.Mention, s.Slack.Mention) {
			out.Slack.Mention = nil
		}
	}
	return out
}

// share keeps a text only if the other one is the same.
func share(text *string, other string) {
	if *text != other {
		*text = ""
	}
}

// Signals says how the four golden signals of a service are found in Prometheus.
type Signals struct {
	From       string // entry of the signal catalogue, such as otel-http; "" if none
	Match      string // matchers that pick the service, braces included: {job="checkout"}
	Saturation []Saturation
	Line       int // where From stands in the service's file, for messages
	Column     int
}

// Saturation is one measure of how full a service is.
type Saturation struct {
	Name  string
	Query *Query
	Limit float64 // the value at which it is full
}

// tiers are the request classes of the workbook with the objectives of their availability. Source:
// The Site Reliability Workbook, chapter 5, "Alerting at Scale". NO_SLO has none.
var tiers = []struct{ name, objective string }{
	{"critical", "99.99"},
	{"high_fast", "99.9"},
	{"high_slow", "99.9"},
	{"low", "99"},
}

// Tiers returns the request classes in the order of the book.
func Tiers() []string {
	names := make([]string, len(tiers))
	for i, t := range tiers {
		names[i] = t.name
	}
	return names
}

// TierObjective returns the objective of a request class, if there is such a class.
func TierObjective(tier string) (Objective, bool) {
	for _, t := range tiers {
		if t.name == tier {
			o, err := ParseObjective(t.objective)
			return o, err == nil
		}
	}
	return Objective{}, false
}
