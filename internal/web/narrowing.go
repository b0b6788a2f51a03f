package web

import (
	"cmp"
	"net/url"
	"slices"
	"strings"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/slo"
)

// narrowing is how every list is narrowed: to a service, a team and a label.
type narrowing struct {
	*server
	service, team, label string
	labelled             map[string]bool // services that have a budget with the label
}

// narrow reads the parameters service, team and label of a list.
func (s *server) narrow(q url.Values) narrowing {
	n := narrowing{server: s, service: q.Get("service"), team: q.Get("team"), label: q.Get("label"), labelled: map[string]bool{}}
	if n.label == "" {
		return n
	}
	all := s.Source.Snapshot().Budgets
	for i := range all {
		if id := all[i].ID; hasLabel(id, n.label) {
			n.labelled[id.Service()] = true
		}
	}
	return n
}

// shows reports whether the list is to show what is about an SLO or, without one, about a service
// as a whole: that has the labels of all its budgets.
func (n narrowing) shows(service string, id slo.ID) bool {
	if id != "" {
		service = id.Service()
	}
	switch {
	case !is(n.service, service), n.team != "" && n.team != n.teamOf(service, id):
		return false
	case n.label == "":
		return true
	case id != "":
		return hasLabel(id, n.label)
	}
	return n.labelled[service]
}

// showsAct does what [narrowing.shows] does, for what somebody did.
func (n narrowing) showsAct(a alerting.Act) bool {
	return n.shows(a.Service, cmp.Or(a.SLO, alerting.SLOOf(a.Incident)))
}

// most returns how many of what the archive keeps are read so that some can be shown: it does not
// narrow them itself.
func (n narrowing) most(shown int) int {
	if n.service+n.team+n.label == "" {
		return shown
	}
	return maxIncidents
}

// fields returns the fields of a filter, as far as there is something to choose: these, and then
// those of the list.
func (n narrowing) fields(more ...field) []field {
	return n.fieldsOf(n.Source.Snapshot().Budgets, more...)
}

// fieldsOf does what [narrowing.fields] does, for a list that is of some budgets only.
func (n narrowing) fieldsOf(all []engine.Budget, more ...field) []field {
	var services, teams, labels []string
	for i := range all {
		b := &all[i]
		services, teams = append(services, b.ID.Service()), append(teams, b.Spec.Owner)
		for _, l := range b.ID.Labels() {
			labels = append(labels, l.Name+"="+l.Value)
		}
	}
	fields := append([]field{
		{"service", "Service", n.service, choices(services)},
		{"team", "Team", n.team, choices(teams)},
		{"label", "Label", n.label, choices(labels)},
	}, more...)
	return slices.DeleteFunc(fields, func(f field) bool { return len(f.Options) == 0 })
}

// teamOf returns the team of an SLO, or of a service as a whole; "" if nobody says.
func (s *server) teamOf(service string, id slo.ID) string {
	set := s.Source.Snapshot().Set
	if spec := set.Lookup(id); spec != nil {
		return spec.Owner
	}
	if known := set.Service(service); known != nil {
		return known.Owner
	}
	return ""
}

// empty returns what a list without rows says: what would stand there, or that the filter, to which
// other choices may belong, hides it.
func (n narrowing) empty(words string, others ...string) markup {
	if n.service+n.team+n.label+strings.Join(others, "") == "" {
		return text(words)
	}
	return `There is nothing that matches the filter. <a href="?">Show all</a>`
}
