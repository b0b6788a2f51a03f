package sentences

import (
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
		return "budget gone in " + TimeToExhaustion(o) + " at " + figures.Times(o.Rate)
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
