package sentences

import "github.com/slowburn-sre/slowburn/alerting"

// gap is what an alert about missing data is called.
const gap = "gap in the data"

// TierOf returns what kind of alert an incident is now: a page, a ticket or a gap in the data.
func TierOf(i alerting.Incident) string {
	if i.Rule == alerting.RuleNoData {
		return gap
	}
	return word(i.Loud())
}

// Standing says in a clause what an open incident is, and since when: "page, burning since …". A
// gap in the data burns nothing that is known, and whether what a person has declared burns is not.
func Standing(i alerting.Incident) Text {
	verb := ", burning since "
	switch i.Rule {
	case alerting.RuleNoData:
		verb = " since "
	case alerting.RuleDeclared:
		verb = ", declared, since "
	}
	return say(TierOf(i)+verb, moment(i.Onset))
}

// NoBudgets says why nothing is shown just after the first start.
const NoBudgets = "There is no budget yet. The first minutes are read about two minutes after the start."
