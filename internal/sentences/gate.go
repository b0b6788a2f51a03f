package sentences

import (
	"cmp"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/figures"
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

// GateReason says why a gate is as it is, or why an experiment may run or may not.
func GateReason(v alerting.Verdict) string {
	left := v.Budget.LeftText() + " of the error budget"
	switch v.Ground {
	case alerting.NoPolicy:
		return "There is no error-budget policy to judge by: add policy: to the configuration."
	case alerting.NoBudget:
		return "There is no budget to judge by."
	case alerting.NothingKnown:
		return "Nothing is known of this budget yet."
	case alerting.LittleKnown:
		return "Only " + v.Budget.KnownText() + " of the minutes of the window are known."
	case alerting.TooYoung:
		return "The data are too young to tell how large the budget of this " + string(v.Budget.Window.Calendar) + " will be."
	case alerting.Stale:
		return "The newest data are " + figures.Duration(v.Age.Truncate(time.Minute)) + " old: they end at " + figures.UTC(v.AsOf) + "."
	case alerting.Broken:
		return v.Problem
	case alerting.AlertOpen:
		return "An incident is open: " + v.Incident + "."
	case alerting.OtherRuns:
		return "Another experiment runs: " + v.Running.Change.Title + ", by " + v.Running.By + "."
	case alerting.TooDear:
		return left + " is left: after " + figures.Basis(v.Spend) + " it would be below " + figures.Basis(v.Line) + ", the line of caution."
	case alerting.MaySpend:
		return "The experiment may spend " + figures.Basis(v.Spend) + " of the error budget, of which " + v.Budget.LeftText() + " is left. Nothing burns, and no other experiment runs."
	}
	return budgetReason(v, left)
}

func budgetReason(v alerting.Verdict, left string) string {
	s := left + " of " + figures.Window(v.Budget.Window) + " is left"
	if v.Paged {
		s = "A page is open since " + figures.UTC(v.Since) + "; " + s
	}
	if v.Low != "" {
		name := map[alerting.Gate]string{alerting.GateCaution: "cautious", alerting.GateFrozen: "a freeze"}[v.Low]
		s += "; the policy is " + name + " below " + figures.Basis(v.Line) + ", until " + figures.Basis(v.Back) + " are left"
	}
	if v.Budget.Coverage < 0.99 || v.Budget.Estimated() > 0 {
		s += "; " + v.Budget.KnownText() + " of the minutes are known"
	}
	return s + "."
}

// Clearing says what would open a gate, or let an experiment run; "" where nothing is known that
// would.
func Clearing(v alerting.Verdict) string {
	switch w := v.Budget.Window; v.Ground {
	case alerting.LittleKnown:
		return "Data for at least half of the window."
	case alerting.TooYoung:
		return "Data for at least a tenth of a " + string(w.Calendar) + "."
	case alerting.Stale:
		return "Data that are newer than " + figures.Duration(v.StaleAfter) + "."
	case alerting.AlertOpen:
		return "Its end."
	case alerting.OtherRuns:
		return "Its end, at " + figures.UTC(v.Running.Change.End) + "."
	case alerting.TooDear:
		return "A smaller experiment, or more budget."
	case alerting.ByBudget:
		switch {
		case v.Paged:
			return "The page is resolved."
		case v.Low != "" && w.Calendar != "":
			return "The budget begins anew with the next " + string(w.Calendar) + ", at " + figures.UTC(v.ClearsAt) + "."
		case v.Low != "":
			return "At " + figures.Basis(v.Back) + " left: about " + figures.UTC(v.ClearsAt) + " if nothing goes wrong until then, as old errors leave the window."
		}
	}
	return ""
}

// Stops says why an experiment must end, "" if it need not.
func Stops(t alerting.Trial) string {
	what := ": an alert had fired."
	switch {
	case t.Reason == "":
		return ""
	case t.Reason == alerting.ExperimentSpent:
		what = ": it has spent " + t.At.CostText() + " of the error budget; " + figures.Basis(t.Act.Change.Spend) + " were planned."
	case t.Incident != "":
		what = ": an alert fired: " + t.Incident + "."
	}
	return string(t.At.SLO) + what
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
