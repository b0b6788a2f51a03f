package alerting

import (
	"slices"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/slo"
)

// Standing is how one pair of windows stands at one minute: what the pages and the API show.
type Standing struct {
	Severity    Severity
	Pair        slo.Pair
	Threshold   float64      // burn rate above which it fires
	Long, Short budget.Sum   // of its windows
	Over        bool         // both windows are above the threshold
	HeldBack    string       // why it does not speak although it is over, "" if it does
	Sure        Significance // whether what it sees is more than chance; only of one that is over
}

// Standings reads every pair of an SLO at the minute before at, pages first.
func Standings(in Input, st State, at budget.Minute) []Standing {
	all := slices.Grow([]Standing(nil), len(in.Spec.Alerts.Page)+len(in.Spec.Alerts.Ticket))
	muted := correctionAt(in, at-1)
	for _, p := range in.Spec.Alerts.Page {
		r := read(in, p, at-1)
		s := standing(in, Page, r, at-1)
		switch {
		case !s.Over:
		case !r.fires && !st.burns(Page):
			s.HeldBack = tooLittleSeen
		case s.chance(in):
			s.HeldBack = tooFew
		}
		all = append(all, s)
	}
	for _, p := range in.Spec.Alerts.Ticket {
		r := read(in, p, at-1)
		s := standing(in, Ticket, r, at-1)
		switch {
		case !s.Over:
		case st.burns(Page):
			s.HeldBack = "a page is open"
		case !r.fires && !st.burns(Ticket):
			s.HeldBack = tooLittleSeen
		case at-budget.Minutes(r.pair.Short) < st.PageEnd:
			s.HeldBack = "its short window reaches back into a page"
		case s.chance(in):
			s.HeldBack = tooFew
		}
		all = append(all, s)
	}
	for i := range all {
		if all[i].Over && muted != "" {
			all[i].HeldBack = muted
		}
	}
	return all
}

// What holds a pair back that is above its threshold: it is so in what was seen of its windows, and
// would not be if the rest had no bad event; or the low-traffic test takes it for chance.
const (
	tooLittleSeen = "too little of its long window has been seen"
	tooFew        = "too few failures to tell from chance"
)

// burns reports whether an incident of that tier is open.
func (st State) burns(tier Severity) bool { return st.Burn != nil && st.Burn.Severity == tier }

func standing(in Input, sev Severity, r reading, m budget.Minute) Standing {
	s := Standing{
		Severity: sev, Pair: r.pair, Threshold: r.pair.Burn(in.Spec.Window().Length()),
		Long: r.long, Short: r.short, Over: r.over(),
	}
	if s.Over {
		s.Sure = significanceOf(in, sev, r, m)
	}
	return s
}

// chance reports whether the low-traffic test holds the pair back.
func (s Standing) chance(in Input) bool { return in.Spec.Alerts.Significance && !s.Sure.Believed() }

// correctionAt says which correction holds every alert back in minute m, "" if none does.
func correctionAt(in Input, m budget.Minute) string {
	c, until := in.Ledger.Excuses().At(m)
	if c == nil {
		return ""
	}
	return c.Kind.Text() + " “" + c.Name + "” until " + figures.UTC(until.Time())
}

// Horizon returns how many minutes back Advance may look at single minutes: the longest alert
// window of the SLO, behind every minute that it may walk again. A ledger must not be thinned
// within it, or a replay would differ; see [Fine].
func Horizon(spec *slo.Spec) budget.Minute {
	longest := budget.Minute(0)
	for _, p := range append(append([]slo.Pair(nil), spec.Alerts.Page...), spec.Alerts.Ticket...) {
		longest = max(longest, budget.Minutes(p.Long))
	}
	return longest + 60 + reviewed
}

// Fine returns the first minute that the ledger must keep as a minute. While a burn is open that is
// no later than its onset, since its account is the sum since then.
func Fine(spec *slo.Spec, st State) budget.Minute {
	fine := st.Through - Horizon(spec)
	if st.Burn != nil {
		fine = min(fine, st.Burn.Burning.Onset)
	}
	return fine
}

// History returns how many minutes of the past the windows of an SLO look at. A calendar window
// looks at its last period, too, which tells how large the budget of this one will be.
func History(spec *slo.Spec) budget.Minute {
	longest := time.Duration(0)
	for _, w := range spec.Windows {
		length := w.Length() + slo.Day
		if w.Calendar != "" {
			length += w.Length()
		}
		longest = max(longest, length)
	}
	return budget.Minutes(longest)
}
