package lint

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/slo"
)

// fastestNotice is the soonest that anybody can be told: a slot of the ledger is a minute, and it
// is read after the scrape.
const fastestNotice = 2 * time.Minute

// lintObjective finds objectives that are meant the other way round, and those that nothing can
// defend.
func lintObjective(s *slo.Spec) []finding {
	if s.Objective.Allowed() > slo.Billion/2 {
		return []finding{strange("objective-inverted", "objective", fmt.Sprintf("an objective of %s allows most events to be bad", figures.Objective(s.Objective)),
			fmt.Sprintf("the objective is the share of good events; did you mean %s?", figures.Allowed(s.Objective)))}
	}
	lasts := time.Duration(float64(s.Window().Length()) * s.Objective.AllowedRatio())
	if lasts < fastestNotice {
		return []finding{strange("objective-undefendable", "objective", fmt.Sprintf("at %s a total outage spends the whole budget of %s in %s, before anybody can be told", figures.Objective(s.Objective), figures.Window(s.Window()), figures.Duration(lasts)),
			fmt.Sprintf("alerts cannot defend this objective; write at most %s, or a longer window, or let the software fail over by itself", figures.Percent(defendable(s.Window()))))}
	}
	return nil
}

// defendable returns the strictest objective of a window, in percent, of which a total outage takes
// longer than the fastest notice to spend the budget: what it allows is rounded up to two digits.
func defendable(w slo.Window) float64 {
	least := 100 * fastestNotice.Seconds() / w.Length().Seconds()
	digit := math.Pow10(int(math.Floor(math.Log10(least))) - 1)
	return 100 - math.Ceil(least/digit)*digit
}

func lintWindows(s *slo.Spec) (out []finding) {
	for i, w := range s.Windows {
		if first := slices.IndexFunc(s.Windows[:i], func(v slo.Window) bool { return v.String() == w.String() }); first >= 0 {
			out = append(out, strange("window-twice", fmt.Sprintf("window.%d", i), fmt.Sprintf("the window %s is listed twice", figures.Window(w)), "remove one of them"))
		}
	}
	return out
}

// lintDeadPairs refuses pairs that could not fire even in a total outage. Default pairs that are
// dead have been left out before, so these were written on purpose.
func lintDeadPairs(s *slo.Spec) (out []finding) {
	eachPair(s, func(part string, p slo.Pair) {
		if !p.Dead(s.Window(), s.Objective) {
			return
		}
		hint := fmt.Sprintf("the objective must be above %s", lowestObjective(p, s.Window()))
		if most := p.LargestBudget(s.Window(), s.Objective); most > 0 {
			hint = fmt.Sprintf("write budget: %s or less, or a longer long window; or %s", slo.FormatPercent(most), hint)
		}
		out = append(out, wrong("dead-alert", part, fmt.Sprintf("this alert can never fire: %s", Slow(s, p)), hint))
	})
	return out
}

// Slow says why a pair is dead on an SLO.
func Slow(s *slo.Spec, p slo.Pair) string {
	return fmt.Sprintf("at %s even a total outage burns only %s as fast as allowed, and it needs more than %s",
		figures.Objective(s.Objective), figures.Times(1/s.Objective.AllowedRatio()), figures.Times(p.Burn(s.Window().Length())))
}

// DeadDefault says why a default alert on an SLO was left out: it could never fire.
func DeadDefault(s *slo.Spec, p slo.Pair) (message, hint string) {
	return fmt.Sprintf("the default alert on %s of the budget in %s is left out, since it could never fire: %s",
			figures.Basis(p.Budget), figures.Duration(p.Long), Slow(s, p)),
		fmt.Sprintf("it needs an objective above %s, or write alerts of your own with a smaller budget or a longer window", lowestObjective(p, s.Window()))
}

// lowestObjective writes the objective above which the pair can fire.
func lowestObjective(p slo.Pair, w slo.Window) string {
	return figures.AtLeast(1 - 1/p.Burn(w.Length()))
}

// eachPair calls f with every pair and the name of its place.
func eachPair(s *slo.Spec, f func(part string, p slo.Pair)) {
	for i, p := range s.Alerts.Page {
		f(fmt.Sprintf("page.%d", i), p)
	}
	for i, p := range s.Alerts.Ticket {
		f(fmt.Sprintf("ticket.%d", i), p)
	}
}

// lintPairs finds pairs that say the same twice, end late, or stand in the wrong list.
func lintPairs(s *slo.Spec) (out []finding) {
	seen := map[slo.Pair]bool{}
	fastest := 0.0
	for _, p := range s.Alerts.Page {
		fastest = max(fastest, p.Burn(s.Window().Length()))
	}
	eachPair(s, func(part string, p slo.Pair) {
		switch {
		case seen[p]:
			out = append(out, strange("alert-twice", part, "this alert is listed twice", "remove one of them"))
		case p.Short > p.Long/2:
			out = append(out, strange("slow-reset", part, fmt.Sprintf("the short window %s is nearly as long as the long one, so the alert goes on for long after the trouble is over", figures.Duration(p.Short)),
				fmt.Sprintf("a twelfth is usual: short: %s", slo.ShortDuration(max(p.Long/12, time.Minute).Truncate(time.Minute)))))
		case strings.HasPrefix(part, "ticket") && fastest > 0 && p.Burn(s.Window().Length()) > fastest:
			out = append(out, strange("page-ticket-swapped", part, "this ticket needs a faster burn than every page", "page and ticket may be swapped"))
		}
		seen[p] = true
	})
	return out
}

// lintSilence finds SLOs about which nobody is ever told.
func lintSilence(s *slo.Spec) []finding {
	if len(s.Alerts.Page)+len(s.Alerts.Ticket)+len(s.Alerts.Spent) > 0 {
		return nil
	}
	return []finding{strange("silent-slo", "alerts", "nobody is told about this SLO: it has no page, no ticket and no spent", "leave out what should have its default")}
}
