package sentences

import (
	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/figures"
)

// Correlated stands beside whatever was found to happen at the same time.
const Correlated = "Correlated in time, not proven to be the cause."

// Correlation returns [Correlated] as it stands within a sentence.
func Correlation() string { return problem(say(Correlated)) }

// AfterChange says what is counted after a change, beside a list of changes.
const AfterChange = "What went bad after a change, beyond the share that did before it. " + Correlated

// NothingChanged says of an incident that no change near its onset is known.
const NothingChanged = "Nothing was recorded or seen to change near the onset."

// NoChanges says of a list of changes that none was recorded, and what to do about it.
const NoChanges = "None was recorded. Tell slowburn of a deploy with: slowburn change add."

// Unattributed says what bad events are that belong to no incident, after "unattributed".
const Unattributed = "are errors that no alert spoke of"

// WorstWindows says what the worst windows of each length tell.
const WorstWindows = "One long outage and many single bad minutes cost the same budget and look different here."

// Cost says what a change cost a budget, and how sure that is.
func Cost(c alerting.Cost) string {
	what := "this " + c.Change.Change.Kind
	switch {
	case !c.Known:
		return "Nothing is known of what " + what + " cost: there is no traffic to compare."
	case c.Excess == 0 && c.Change.Kind == alerting.Experiment:
		return "Nothing went wrong while " + what + " ran."
	case c.Excess == 0:
		return "No more went wrong after " + what + " than before it."
	}
	s := "After " + what + " " + c.CostText() + " of the budget went, beyond what went before it"
	if c.Change.Kind == alerting.Experiment {
		s = "While " + what + " ran, " + c.CostText() + " of the budget went"
	}
	if n := len(c.Shared); n > 0 {
		s += "; " + figures.Plural(n, "other change") + " came so near that nobody can tell them apart"
	}
	return s + ". " + Correlated
}
