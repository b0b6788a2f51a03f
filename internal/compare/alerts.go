package compare

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/slo"
)

// AlertDifference is one burn as both alerted it, or as only one did.
type AlertDifference struct {
	Severity alerting.Severity
	Theirs   *Span
	Ours     *Span
	// Later is by how many seconds our alert came after theirs, where both did; negative if before.
	Later int64
	Cause Cause
	Text  string
}

// Span is how long an alert fired, its end excluded.
type Span struct {
	From time.Time
	To   time.Time
}

// length returns the time from the one end to the other.
func (s Span) length() time.Duration { return s.To.Sub(s.From) }

// Alerts compares what fired, oldest first. Alerts of one severity that overlap are one burn.
func Alerts(o Ours, t Theirs) []AlertDifference {
	var out []AlertDifference
	ours := ourSpans(o)
	for _, a := range merge(t.Alerts) {
		d := AlertDifference{Severity: a.Severity, Theirs: &a.Span}
		if i := slices.IndexFunc(ours, a.matches); i >= 0 {
			d.Ours, d.Later = &ours[i].Span, int64(ours[i].From.Sub(a.From)/time.Second)
			d.Cause, d.Text = Agreed, "both alerted"
		} else {
			d.Cause, d.Text = onlyTheirs(o, a, ours)
		}
		out = append(out, d)
	}
	for _, s := range ours {
		if slices.ContainsFunc(t.Alerts, s.matches) {
			continue
		}
		d := AlertDifference{Severity: s.Severity, Ours: &s.Span}
		d.Cause, d.Text = onlyOurs(o, t, s, ours)
		out = append(out, d)
	}
	slices.SortStableFunc(out, func(a, b AlertDifference) int { return a.begin().Compare(b.begin()) })
	return out
}

func (d AlertDifference) begin() time.Time {
	if d.Theirs != nil {
		return d.Theirs.From
	}
	return d.Ours.From
}

// matches reports whether two alerts are about one burn.
func (a Alert) matches(b Alert) bool { return a.Severity == b.Severity && overlap(a.Span, b.Span) }

func overlap(a, b Span) bool { return a.From.Before(b.To) && b.From.Before(a.To) }

// merge makes one alert of those of one severity that overlap or touch: several pairs fire for one
// burn.
func merge(alerts []Alert) []Alert {
	sorted := slices.Clone(alerts)
	slices.SortStableFunc(sorted, func(a, b Alert) int {
		return cmp.Or(cmp.Compare(a.Severity, b.Severity), a.From.Compare(b.From))
	})
	var out []Alert
	for _, a := range sorted {
		if n := len(out); n > 0 && out[n-1].Severity == a.Severity && !a.From.After(out[n-1].To) {
			if a.To.After(out[n-1].To) {
				out[n-1].To = a.To
			}
			continue
		}
		out = append(out, a)
	}
	return out
}

// ourSpans returns our burns while they were open. A ticket that became a page was a ticket until
// then.
func ourSpans(o Ours) []Alert {
	var out []Alert
	for _, i := range o.Incidents {
		if i.Rule != alerting.RulePage && i.Rule != alerting.RuleTicket {
			continue
		}
		end := i.Resolved
		if i.Open {
			end = o.At.Time()
		}
		if i.Escalated.IsZero() {
			out = append(out, Alert{Severity: i.Severity, Span: Span{From: i.Detected, To: end}})
			continue
		}
		out = append(out, Alert{Severity: alerting.Ticket, Span: Span{From: i.Detected, To: i.Escalated}},
			Alert{Severity: alerting.Page, Span: Span{From: i.Escalated, To: end}})
	}
	return out
}

// onlyTheirs says why we did not alert.
func onlyTheirs(o Ours, a Alert, ours []Alert) (Cause, string) {
	if a.Severity == alerting.Ticket {
		if i := slices.IndexFunc(ours, func(s Alert) bool { return s.Severity == alerting.Page && overlap(s.Span, a.Span) }); i >= 0 {
			return Tier, "our page stood for it"
		}
	}
	pairs := o.Spec.Alerts.Page
	if a.Severity == alerting.Ticket {
		pairs = slices.Concat(o.Spec.Alerts.Page, o.Spec.Alerts.Ticket)
	}
	from, to := budget.MinuteOf(a.From), budget.MinuteOf(a.To)
	if s := o.Ledger.Sum(from-budget.Minutes(time.Hour), to); s.Seen() == 0 {
		return NoData, "the ledger knows nothing of this time"
	}
	var nearest highest
	for m := from - 1; m < to; m++ {
		for _, p := range pairs {
			long, short := sums(o.Ledger, p, m)
			if alerting.Burns(p, o.Spec, long) && alerting.Burns(p, o.Spec, short) {
				return LowTraffic, fmt.Sprintf("the burn was above the threshold over %s and %s, but %s bad events of %s may be chance",
					slo.ShortDuration(p.Long), slo.ShortDuration(p.Short), figures.Events(long.Bad), figures.Events(long.Total))
			}
			nearest.see(p, o.Spec, long, short)
		}
	}
	return Figures, nearest.text()
}

// highest remembers how near to firing a pair came, as a share of its threshold.
type highest struct {
	share, burn float64
	pair        slo.Pair
	threshold   float64
	seen        bool
}

func (h *highest) see(p slo.Pair, spec *slo.Spec, long, short budget.Sum) {
	burnLong, ok1 := budget.Burn(long, spec.Objective)
	burnShort, ok2 := budget.Burn(short, spec.Objective)
	threshold := p.Burn(spec.Window().Length())
	burn := math.Min(burnLong, burnShort)
	if share := burn / threshold; ok1 && ok2 && (!h.seen || share > h.share) {
		*h = highest{share, burn, p, threshold, true}
	}
}

func (h *highest) text() string {
	if !h.seen {
		return "the ledger has no events at this time"
	}
	return fmt.Sprintf("by counted events the burn reached %s over %s and %s; the threshold is %s",
		figures.Times(h.burn), slo.ShortDuration(h.pair.Long), slo.ShortDuration(h.pair.Short), figures.Times(h.threshold))
}

func sums(l *budget.Ledger, p slo.Pair, m budget.Minute) (long, short budget.Sum) {
	to := m + 1
	return l.Sum(to-budget.Minutes(p.Long), to), l.Sum(to-budget.Minutes(p.Short), to)
}

// onlyOurs says why they did not alert.
func onlyOurs(o Ours, t Theirs, s Alert, ours []Alert) (Cause, string) {
	if slices.ContainsFunc(ours, func(page Alert) bool {
		return s.Severity == alerting.Ticket && page.Severity == alerting.Page && page.From.Equal(s.To)
	}) {
		return Tier, "it was the beginning of our page"
	}
	missing, silent, n := unseen(o, t, s)
	switch {
	case n > 0 && 2*missing >= n:
		return Holes, fmt.Sprintf("%s with bad events before the alert have no recorded ratio", times(missing))
	case n > 0 && 2*silent >= n:
		return Births, fmt.Sprintf("%s with bad events before the alert are recorded as 0: a series that is born with its first error has no increase", times(silent))
	case t.Tool == Pyrra && s.length() < wait(o.Spec, s.Severity):
		return Wait, fmt.Sprintf("it lasted %s, and their alert waits for %s", figures.Duration(s.length()), figures.Duration(wait(o.Spec, s.Severity)))
	}
	return Figures, "their ratios stayed below their threshold, or their windows are others"
}

// unseen looks at the stretches of five minutes before our alert in which the ledger has bad
// events: how many they have no ratio of, how many they have as 0, and how many there are. Without
// recorded ratios nothing can be said.
func unseen(o Ours, t Theirs, s Alert) (missing, silent, n int) {
	if len(t.Ratios) == 0 {
		return 0, 0, 0
	}
	look := time.Hour
	if pairs := o.Spec.Alerts.Page; s.Severity == alerting.Page && len(pairs) > 0 {
		look = pairs[0].Long
	}
	values := map[int64]float64{}
	for _, p := range t.Ratios {
		values[p.At.Unix()] = p.Value
	}
	for at := s.From.Add(-look).Truncate(Step); !at.After(s.From.Add(Step)); at = at.Add(Step) {
		r, ok := o.Ledger.Sum(budget.MinuteOf(at.Add(-Step)), budget.MinuteOf(at)).BadRatio()
		if !ok || r == 0 {
			continue
		}
		v, found := values[at.Unix()]
		n++
		switch {
		case !found || math.IsNaN(v):
			missing++
		case v == 0:
			silent++
		}
	}
	return missing, silent, n
}

// wait returns the shortest `for` of Pyrra's alerts of a severity. Source: pyrra-dev/pyrra 0.10,
// slo/slo.go: the window divided by 20160 and, for tickets, by 672.
func wait(spec *slo.Spec, severity alerting.Severity) time.Duration {
	part := time.Duration(20160)
	if severity == alerting.Ticket {
		part = 672
	}
	return (spec.Window().Length() / part).Round(time.Minute)
}
