package sentences

import (
	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/figures"
)

// What stands in the place of a time to exhaustion.
const (
	Spent        = "spent"
	NotExhausted = "not exhausted"
)

// TimeToExhaustion writes in how long a budget will be gone if it goes on like this: "37 min", "40
// min to 3 h", "spent", "not exhausted", or a dash where that is not known.
func TimeToExhaustion(o budget.Outlook) string {
	switch {
	case o.Gone:
		return Spent
	case o.Lasts:
		return NotExhausted
	case !o.Known:
		return figures.Unknown
	}
	return figures.Until(o.In, o.Early, o.Late)
}

// Exhaustion says in a few words when a budget will be gone if it goes on like this, and how sure
// that is: "gone in 9 d" and "6 d to 15 d", or "spent" and nothing.
func Exhaustion(o budget.Outlook) (text, note string) {
	text = TimeToExhaustion(o)
	switch {
	case o.Gone, !o.Lasts && !o.Known:
		return text, ""
	case o.Lasts:
		return text, "at the present burn rate"
	case o.In == 0:
		return "gone in " + text, "four times of five"
	}
	return "gone in " + text, figures.Until(0, o.Early, o.Late)
}

// forecast says when the budget is gone. It is empty if that is not known, or has been said.
func (f Facts) forecast() Text {
	switch o := f.Outlook; {
	case o.Gone && (f.Event.Rule == alerting.RuleSpent || !f.Status.Sized):
		return nil // the message says nothing else, or nobody knows
	case o.Gone:
		return say("The error budget is spent.")
	case o.Lasts:
		return say("At this rate the budget still lasts its window.")
	case !o.Known:
		return nil
	default:
		t := say("At this rate the budget is gone in ", strong(TimeToExhaustion(o)))
		if o.In > 0 {
			t = say(t, ", ", moment(f.Event.Time().Add(o.In)))
		}
		if o.In > 0 && o.Late-o.Early > o.In/5 { // a narrow band says nothing more
			t = say(t, ", give or take: between ", figures.Duration(o.Early), " and ", figures.Duration(o.Late))
		}
		return say(t, ".")
	}
}

// exhaustion says as a clause when the budget is gone and at which burn rate, or that it is, or
// what is left of one that lasts. It is "" where that is not known.
func (f Headline) exhaustion() string {
	switch o := f.Outlook; {
	case f.Status.Sized && o.Gone || f.Status.Gone():
		return "the budget is spent"
	case o.Gone, (!f.Status.Sized || f.Status.Sum.Total == 0) && (o.Lasts || !o.Known):
		return ""
	case o.Lasts || !o.Known:
		return f.Status.LeftText() + " of the budget left"
	default:
		text, _ := Exhaustion(o)
		return "budget " + text + " at " + figures.Times(o.Rate)
	}
}

// withExhaustion adds the exhaustion of the budget to a sentence about it.
func (f Headline) withExhaustion(sentence string) string {
	if e := f.exhaustion(); e != "" {
		return sentence + "; " + e
	}
	return sentence
}

// used says how much of the budget is gone, as the rest of a sentence about it.
func (f Headline) used() string {
	return f.withExhaustion("has used " + f.Status.CostOf(f.Status.Sum.Bad) + " of its error budget")
}
