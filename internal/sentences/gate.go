package sentences

import (
	"cmp"

	"github.com/slowburn-sre/slowburn/alerting"
)

// onlyFixes is what a freeze lets through.
const onlyFixes = "only fixes of reliability and security are released"

// Gates are the states of a gate, from go to nobody knows.
var Gates = []alerting.Gate{alerting.GateOpen, alerting.GateCaution, alerting.GateFrozen, alerting.GateExempt, alerting.GateUnknown}

// Allows says what a state of the gate allows.
func Allows(g alerting.Gate) string {
	switch g {
	case alerting.GateOpen:
		return "Release as usual."
	case alerting.GateCaution:
		return "Little budget is left: ask the owner of the service first, and release only what is small, can be rolled back, or makes it more reliable."
	case alerting.GateFrozen:
		return Sentence(onlyFixes) + ", until the budget has recovered."
	case alerting.GateExempt:
		return "The policy does not bind for now: somebody has taken the responsibility."
	}
	return "Nobody can say how much budget is left, and unknown is not go."
}

// Answer says whether to release, in a word or two, as a gate answers it.
func Answer(passes bool, g alerting.Gate) string {
	switch {
	case passes:
		return "Go"
	case g == alerting.GateCaution:
		return "Ask first"
	case g == alerting.GateFrozen:
		return "Frozen"
	}
	return "Unknown"
}

// Clears stands before what would open a gate again.
const Clears = "What clears it:"

// Permit says what somebody lets pass which the error-budget policy would stop: a service, or an
// SLO. It is without the reason, which is the person's.
func Permit(a alerting.Act) Text { return say(permit(a), ".") }

// Permitted says what [Permit] says, with the reason.
func Permitted(a alerting.Act) Text { return say(permit(a), ": ", foreign(a.Text)) }

func permit(a alerting.Act) Text {
	verb := " is exempt from the error-budget policy "
	if a.Kind == alerting.Override {
		verb = " may be released against the error-budget policy "
	}
	until := say("until it is taken back")
	if !a.Until.IsZero() {
		until = Until(a.Until)
	}
	return say(strong(cmp.Or(string(a.SLO), a.Service)), verb, until, ", says ", foreign(a.By), approved(a))
}

// Responsible says who lets pass what the policy would stop.
func Responsible(by string) string {
	return "is exempt from the freeze: " + by + " has taken the responsibility"
}
