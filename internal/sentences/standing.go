package sentences

import (
	"strings"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/slo"
)

// gap is what an alert about missing data is called.
const gap = "gap in the data"

// tierOf returns what kind of alert an incident is now: a page, a ticket or a gap in the data.
func tierOf(i alerting.Incident) string {
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
	return say(tierOf(i)+verb, moment(i.Onset))
}

// NoBudgets says why nothing is shown just after the first start.
const NoBudgets = "There is no budget yet. The first minutes are read about two minutes after the start."

// Undecided says why nothing is shown of an SLO that has been loaded, with what its minutes wait
// for as problems of the data.
func Undecided(id slo.ID, waits []string) string {
	return "No minute of " + string(id) + " has been decided yet" + Because(waits)
}

// Because ends a sentence with problems of the data.
func Because(problems []string) string {
	if len(problems) == 0 {
		return "."
	}
	return ": " + strings.Join(problems, "; ") + "."
}

// Mitigated is what somebody says who has made an incident bearable, as a clause.
const Mitigated = "users no longer feel it"

// Onset says what the onset of an incident by a rule is.
func Onset(r alerting.Rule) string {
	if r == alerting.RuleNoData {
		return "the first minute without data"
	}
	return "the first bad minute"
}

// End says what the end of an incident by a rule is.
func End(r alerting.Rule) string {
	if r == alerting.RuleNoData {
		return "the data being back"
	}
	return "the end of the last bad minute"
}

// Burns stands above what was found to burn in an incident.
func Burns(open bool) string {
	if open {
		return "What burns"
	}
	return "What burned"
}
