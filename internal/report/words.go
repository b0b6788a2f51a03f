package report

import (
	"strings"

	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/markdown"
	"github.com/slowburn-sre/slowburn/internal/sentences"
	"github.com/slowburn-sre/slowburn/slo"
)

// SLI returns the share of good events over the window, rounded down: "99.9312 %". It is a dash
// without traffic.
func (r Row) SLI() string {
	return figures.SLI(r.Budget.Sum.Bad, r.Budget.Sum.Total, r.Spec.Objective)
}

func (r Row) objective() string { return figures.Objective(r.Spec.Objective) }

// Left returns the share of the budget that is left, rounded down: "62.1 %", "-38.4 %". It is a
// dash without traffic, and while too little is known of the window ([budget.Status.LeftText]).
func (r Row) Left() string { return r.Budget.LeftText() }

// Change returns how many points of the budget left came or went since the period's beginning:
// "-12.3", "+4.0".
func (r Row) Change() string {
	change, known := r.change()
	if !known {
		return figures.Unknown
	}
	return figures.Points(change)
}

// change returns what Change writes, as a ratio, and false where it is not known.
func (r Row) change() (float64, bool) {
	if !r.BeforeKnown || r.Budget.Allowed <= 0 || r.Left() == figures.Unknown {
		return 0, false
	}
	now := float64(r.Budget.Left()) / float64(r.Budget.Allowed)
	before := float64(r.Before.Left()) / float64(r.Before.Allowed)
	return now - before, true
}

// lostMuch reports whether so much of the budget went in the period that it is to be talked about.
func (r Row) lostMuch() bool {
	change, known := r.change()
	return known && r.Verdict.Judged() && -change*10000 > lostBasis
}

// lostText writes how many points of the budget went: "57.1 points".
func (r Row) lostText() string { return strings.TrimLeft(r.Change(), "−") + " points" }

// exhaustion writes when the budget will be gone: "spent", "not exhausted", "9 d (6 d to 15 d)", or
// a dash; where only the band is known, "6 d to 15 d".
func (r Row) exhaustion() string {
	text := sentences.TimeToExhaustion(r.Outlook)
	if r.Outlook.In > 0 {
		_, band := sentences.Exhaustion(r.Outlook)
		text += " (" + band + ")"
	}
	return text
}

// Coverage returns the share of the minutes that are known, rounded down, and how much of that is
// an estimate.
func (s Span) Coverage() string {
	return figures.Coverage(float64(s.Known)/float64(max(s.Minutes, 1)), float64(s.Estimated)/float64(max(s.Known+s.Partial, 1)))
}

// reviewText returns the state of the postmortem as Markdown: "not required", "**required, not
// begun**", "draft (required)".
func (i Incident) reviewText() string {
	switch {
	case i.Missing():
		return "**required, not begun**"
	case i.Review == "":
		return "not required"
	case i.Blank && i.Verdict.Required:
		return "**empty draft** (required)"
	case i.Verdict.Required:
		return markdown.Text(i.Review) + " (required)"
	}
	return markdown.Text(i.Review)
}

// Title names the report: "Reliability report weekly, 2026-W47".
func (r Report) Title() string {
	s := "Reliability report " + r.Name + ", " + r.Period.String()
	if r.SoFar {
		s += " so far"
	}
	if r.Team != "" {
		s += ", " + r.Team
	}
	return s
}

// Span returns the period in words, with its zone: "2026-11-16 00:00 CET to 2026-11-23 00:00 CET
// (Europe/Berlin)".
func (r Report) Span() string {
	return figures.In(r.From, r.zone) + " to " + figures.In(r.To, r.zone) + " (" + r.Zone + ")"
}

// verdictLimit is how long a verdict may be: a notification shows no more.
const verdictLimit = 150

// Verdict returns the report in one line of at most 150 runes, without markup: "11 of 12 SLOs
// within budget (-1 vs 2026-W46); over budget: checkout/availability".
func (r Report) Verdict() string {
	t := r.Tally
	s := figures.Count(t.Within) + " of " + figures.Plural(t.Within+len(t.Over), "SLO")
	budgets := 0 // that can be judged: one per SLO, or one per label value
	for _, w := range r.Rows {
		if w.Verdict.Judged() {
			budgets++
		}
	}
	if budgets > t.Within+len(t.Over) {
		s += " (" + figures.Count(budgets) + " budgets)"
	}
	s += " within budget"
	if t.Within+len(t.Over) == 0 {
		s = "no SLO can be judged"
	}
	if t.BeforeKnown {
		change := figures.Count(t.Within - t.Before)
		switch {
		case t.Within == t.Before:
			change = "unchanged"
		case t.Within > t.Before:
			change = "+" + change
		}
		s += " (" + change + " vs " + r.Period.Prev().String() + ")"
	}
	if t.Unjudged > 0 {
		s += "; " + figures.Count(t.Unjudged) + " not judged"
	}
	return markdown.Cut(s+overList(t.Over, verdictLimit-len([]rune(s))), verdictLimit)
}

// overList names as many as fit into the room, and counts the others.
func overList(ids []slo.ID, room int) string {
	if len(ids) == 0 {
		return ""
	}
	s := "; over budget: "
	for n, id := range ids {
		more := ""
		if rest := len(ids) - n - 1; rest > 0 {
			more = ", + " + figures.Count(rest) + " more"
		}
		if n > 0 {
			id = ", " + id
		}
		if len([]rune(s))+len([]rune(id))+len(more) > room {
			if n == 0 {
				return s + figures.Count(len(ids))
			}
			return s + ", + " + figures.Count(len(ids)-n) + " more"
		}
		s += string(id)
	}
	return s
}
