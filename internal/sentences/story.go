package sentences

import (
	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/slo"
)

// unseen says of an incident that a person declared how it was found.
const unseen = "no alert has seen it"

// cost says how many events went bad, and which share of the budget that is, "" for one that is not
// known.
func cost(bad, share string) Text {
	t := say(strong(bad), " went bad")
	if share == "" {
		return t
	}
	return say(t, ": ", share, " of the whole budget")
}

// during says over which time an incident went: " from … to …".
func during(i alerting.Incident) Text {
	switch {
	case i.Open:
		return say(" from ", moment(i.Onset), " on (still open at ", moment(i.Last.Time()), ")")
	case i.Ended.IsZero():
		return say(" from ", moment(i.Onset), " to ", moment(i.Resolved))
	}
	return say(" from ", moment(i.Onset), " to ", moment(i.Ended))
}

// Story is an incident for somebody who reads nothing else, with what was counted of it since.
type Story struct {
	Incident   alerting.Incident
	Spec       *slo.Spec
	Bad, Total int64             // in thousandths, as they are known now
	Budget     *alerting.Account // of the SLO's window, nil is not known
}

// Predicate returns what follows the budget's name: a sentence or several.
func (s Story) Predicate() Text {
	i := s.Incident
	switch {
	case i.Last.Burn == nil && i.Rule == alerting.RuleDeclared:
		return say("had an incident", during(i), " that a person declared: ", foreign(i.Title()), ". "+Sentence(unseen)+", and what it cost is not known.")
	case i.Last.Burn == nil:
		return say("had no data", during(i), ". While they were missing, nothing is known of its users.")
	}
	bad, share := figures.Events(s.Bad)+" of "+Counted(s.Total, s.Spec.SLI.Kind), ""
	if s.Budget != nil && s.Budget.Allowed > 0 {
		share = s.Budget.CostOf(s.Bad)
	}
	return say("burned for ", strong(figures.Duration(i.Duration())), ",", during(i), ", and ", cost(bad, share),
		". That is "+figures.Share(s.Bad, s.Total)+" of the "+unit(s.Spec.SLI.Kind, true)+" counted to "+figures.UTC(i.Last.Time())+"; the objective of "+figures.Objective(s.Spec.Objective)+" allows "+figures.Allowed(s.Spec.Objective),
		". It was detected after "+figures.Duration(i.TimeToDetect())+".")
}
