package sentences

import (
	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/slo"
)

// Event tells an event of a timeline, with the figures it was decided on, as the rest of a line
// that begins with its time.
func Event(e alerting.Event, spec *slo.Spec) string { return happening(e, spec) + decided(e) }

// decided says of what began or ended when that was known, if it was later.
func decided(e alerting.Event) string {
	if e.Decided.IsZero() || e.Kind != alerting.Opened && e.Kind != alerting.Escalated && e.Kind != alerting.Resolved {
		return ""
	}
	return "; known at " + figures.UTC(e.Decided) + ", " + figures.Duration(e.Decided.Sub(e.Time())) + " later"
}

func happening(e alerting.Event, spec *slo.Spec) string {
	switch e.Reason {
	case alerting.BurnHigh:
		return opening(e) + ": " + Fired(e, spec)
	case alerting.StillBurning:
		if e.Burn != nil && e.Burn.Stopped > 0 {
			return "quiet since " + figures.UTC(e.Burn.Stopped.Time()) + ", and not closed yet: " + soFar(e)
		}
		return "still burning: " + soFar(e)
	case alerting.ErrorsStopped:
		return "the errors have stopped: none more than usual since " + figures.UTC(e.Burn.Stopped.Time()) + "; " + soFar(e)
	case alerting.ErrorsBack:
		return "the errors are back: " + soFar(e)
	case alerting.BurnLow:
		return "resolved: the burn is below its threshold again; " + soFar(e)
	case alerting.DataLate:
		return "counted again, for samples came late: " + soFar(e)
	case alerting.MinutesDropped:
		return "counted again, for the source's clock was ahead, and what it told of later minutes is dropped: " + soFar(e)
	case alerting.AgedOut:
		return "resolved: no traffic, and the last bad event has left the windows; " + soFar(e)
	case alerting.DataMissing:
		return "no data since " + figures.UTC(e.Since.Time())
	case alerting.DataBack:
		return "resolved: the data are back"
	case alerting.TrafficGone:
		return "no traffic since " + figures.UTC(e.Since.Time())
	case alerting.BudgetSpent:
		return figures.Basis(e.Level) + " of the error budget is spent"
	case alerting.PolicyFrozen:
		return "the error-budget policy froze releases"
	case alerting.PolicyThawed:
		return "the freeze of releases is over"
	case alerting.PolicyCaution:
		return "the error-budget policy asks for caution"
	case alerting.PolicyOpen:
		return "the error-budget policy lets everything pass again"
	case alerting.ExperimentSpent:
		return "the experiment has used up the budget it was given"
	case alerting.ExperimentBurns:
		return "an alert fired while the experiment ran"
	case alerting.SLORemoved:
		return "closed: the SLO was taken out of the files, or renamed"
	case alerting.StillOpen:
		if e.Burn == nil {
			return "still open"
		}
		return "still open; " + soFar(e)
	case alerting.ByPerson:
		if e.Rule == alerting.RuleDeclared {
			return byPerson(e)
		}
		return "somebody made it a " + string(e.Severity) + "; " + soFar(e)
	case alerting.Unacknowledged:
		return reminders[e.Reason] + "; " + soFar(e)
	case alerting.SilenceOver:
		return reminders[e.Reason] + "; " + soFar(e)
	case alerting.RuleRemoved:
		return "closed: the SLO no longer has the alert that opened it"
	case alerting.PromiseChanged:
		return "closed: the SLO promises something else now, and by the old promise it still burns; " + soFar(e)
	case alerting.TimeWentBack:
		return "closed: the source's clock was ahead, and its minutes are decided again"
	}
	return string(e.Kind) + ": " + string(e.Reason)
}

// Deed tells what a person did, in plain words that follow the name. It has no markup.
func Deed(a alerting.Act) string {
	s := deeds[a.Kind]
	switch {
	case s == "":
		s = "did: " + string(a.Kind)
	case a.Kind == alerting.Silence && a.Until.IsZero():
		s += " until the budget recovers"
	case a.Kind == alerting.Silence:
		s += " until " + figures.UTC(a.Until)
	case a.Kind == alerting.Escalate:
		s += " " + string(a.Level)
	case a.Kind == alerting.Merge:
		s += " " + a.Other
	case a.Kind == alerting.Asked:
		s += " " + AsksTo(a) + ", which somebody else has to approve"
	case a.Kind == alerting.Classify:
		s += " " + a.Text
	}
	if a.Text != "" && a.Kind != alerting.Classify && (a.Kind != alerting.Asked || a.Asks != alerting.Classify) {
		s += ": " + a.Text
	}
	if a.ApprovedBy != "" {
		s += ", approved by " + a.ApprovedBy
	}
	if late := ToldLate(a); late != "" {
		s += " (" + late + ")"
	}
	return s
}

// ToldLate says when an act was told that counts from an earlier time, "" if it was told at once.
func ToldLate(a alerting.Act) string {
	if !a.ToldLate() {
		return ""
	}
	return "told later, " + figures.UTC(a.Received)
}

// byPerson tells what a person made of an incident that no rule saw.
func byPerson(e alerting.Event) string {
	s := "somebody made it a " + string(e.Severity)
	switch e.Kind {
	case alerting.Opened:
		return string(e.Severity) + " declared by a person; " + unseen
	case alerting.Resolved:
		s = "closed by a person"
	}
	if e.Burn != nil {
		s += "; " + soFar(e)
	}
	return s
}

var deeds = map[alerting.ActKind]string{
	alerting.Acknowledge: "acknowledged it", alerting.Silence: "silenced it", alerting.Escalate: "made it a",
	alerting.Remark: "noted", alerting.Mitigated: "said that " + Mitigated, alerting.Declare: "declared it",
	alerting.Close: "closed it", alerting.Merge: "merged it into", alerting.Split: "took it apart again", alerting.Undo: "took an act back",
	alerting.Classify: "classed it as", alerting.Asked: "asked to", alerting.Reject: "rejected what was asked for",
}

func opening(e alerting.Event) string {
	switch {
	case e.Kind == alerting.Escalated:
		return "escalated to a " + string(e.Severity)
	case e.Kind == alerting.Updated:
		return "a " + string(e.Severity) + " by its rule, too"
	case e.Follows != "":
		return string(e.Severity) + " again, soon after the last one had ended"
	}
	return string(e.Severity) + " opened"
}

// Fired says which windows an event was decided on: "burn 36× over 1 h and 40.2× over 5 min, above
// 13.44× (2 % of the budget in 1 h)".
func Fired(e alerting.Event, spec *slo.Spec) string {
	if e.Pair == nil || e.Long == nil || e.Short == nil {
		return "the budget burns too fast"
	}
	o := spec.Objective
	s := "burn " + figures.Burn(e.Long.Bad, e.Long.Total, o) + " over " + figures.Duration(e.Pair.Long) + " and " +
		figures.Burn(e.Short.Bad, e.Short.Total, o) + " over " + figures.Duration(e.Pair.Short) + ", above " +
		figures.Times(e.Pair.Burn(spec.Window().Length())) + " (" + figures.Basis(e.Pair.Budget) + " of the budget in " +
		figures.Duration(e.Pair.Long) + ")"
	if test := e.Sure; test != nil && (e.Severity == alerting.Page || test.Total < lowTraffic) {
		s += "; " + figures.Count(int(test.Bad)) + " bad of " + figures.Count(int(test.Total)) + " events in " +
			figures.Different(test.Minutes, "minute") + independent(*test) + ", by chance with a probability of " + test.Probability()
	}
	return s
}

// Rule says which rule an event was decided on: "2 % of the 28 d budget burns in 1 h, confirmed
// over 5 min (above 13.44×)".
func Rule(p slo.Pair, window slo.Window) string {
	return figures.Basis(p.Budget) + " of the " + figures.Window(window) + " budget burns in " + figures.Duration(p.Long) +
		", confirmed over " + figures.Duration(p.Short) + " (above " + figures.Times(p.Burn(window.Length())) + ")"
}

// reminders say why an incident that goes on is brought back to mind.
var reminders = map[alerting.Reason]string{
	alerting.Unacknowledged: "nobody has acknowledged this page yet",
	alerting.SilenceOver:    "the silence is over, and it still burns",
}

// Reminder says why an incident that goes on is brought back to mind.
func (f Facts) Reminder() Text {
	s := reminders[f.Event.Reason]
	if s == "" {
		return nil
	}
	return say(Sentence(s) + ".")
}

func soFar(e alerting.Event) string {
	if e.Burn == nil {
		return "no account"
	}
	s := figures.Events(e.Burn.Bad) + " of " + figures.Events(e.Burn.Total) + " events bad since the onset"
	if e.Budget.Projected {
		return s
	}
	return s + ", " + e.Budget.LeftText() + " of the budget left"
}
