package lint

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/slo"
)

// Seen is what a server said about an SLO. What is zero is unknown, and nothing is said about it.
type Seen struct {
	Scrape time.Duration   // between two scrapes of what is counted
	Types  map[string]Type // by name of a bare selector's metric
	Late   time.Duration   // by which samples come late
	Most   time.Duration   // they are waited for
	Said   string          // of how late they come
	Days   []Tally         // the newest days, whole and in order; unknown ones are missing
}

// Type is what a server knows about the kind of a metric.
type Type struct {
	Name  string  // counter, gauge, histogram, summary; "" or unknown if nobody said
	Falls float64 // share of its changes that went down, 0…1
}

// Tally is the events of one day, good and bad together, as far as they were counted.
type Tally struct {
	End        time.Time
	Total, Bad float64
}

// Live looks for what only a server can tell: windows with too few scrapes, gauges that are
// counted, targets that the traffic is too little for, and those that were never met.
func Live(s *slo.Spec, seen Seen) (out slo.Problems) {
	out = append(out, lintScrape(s, seen.Scrape)...)
	out = append(out, lintLate(s, seen)...)
	out = append(out, lintTypes(s, seen.Types)...)
	out = append(out, lintTraffic(s, seen.Days)...)
	out = append(out, lintHistory(s, seen.Days)...)
	return out.Sorted()
}

// minScrapes is how many samples a window needs to survive a missed scrape.
const minScrapes = 4

// slot is the step of the ledger.
const slot = time.Minute

// lintScrape finds windows that hold too few scrapes: those of the alerts, and the ledger's own
// minutes.
func lintScrape(s *slo.Spec, interval time.Duration) (out slo.Problems) {
	if interval > slot {
		out = append(out, Finding(s, firstPart(s), "short-window", fmt.Sprintf("what is counted is scraped every %s, so what happens is known up to %[1]s later", figures.Duration(interval)),
			"scrape at least every minute; every 15s or 30s tells of trouble sooner"))
	}
	eachPair(s, func(part string, p slo.Pair) {
		if p.Short >= minScrapes*interval {
			return
		}
		out = append(out, Finding(s, part, "short-window",
			fmt.Sprintf("the short window %s holds fewer than %s (every %s), so one missed scrape can end or delay the alert",
				figures.Duration(p.Short), figures.Plural(minScrapes, "scrape"), figures.Duration(interval)),
			fmt.Sprintf("scrape at least every %s, or write short: %s", slo.ShortDuration(p.Short/minScrapes), slo.ShortDuration(roundUp(minScrapes*interval)))))
	})
	return out
}

// lintLate finds samples that come later than they are waited for.
func lintLate(s *slo.Spec, seen Seen) slo.Problems {
	if seen.Late <= seen.Most {
		return nil
	}
	enough := slo.ShortDuration(roundUp(seen.Late + seen.Late/4))
	return slo.Problems{Finding(s, firstPart(s), "late-samples", seen.Said, "write max_lateness: "+enough+", or see why they are late")}
}

// firstPart returns the name of the first part of an indicator.
func firstPart(s *slo.Spec) string {
	for part := range s.Parts() {
		return part
	}
	return "name"
}

func roundUp(d time.Duration) time.Duration {
	return (d + time.Minute - 1) / time.Minute * time.Minute
}

// manyFalls is the share of falling changes above which something is no counter. Counters fall when
// their process starts anew, which is rare.
const manyFalls = 0.1

// lintTypes finds gauges that are counted, and counters whose value is looked at.
func lintTypes(s *slo.Spec, types map[string]Type) (out slo.Problems) {
	for part, q := range s.Parts() {
		t := types[q.Metric]
		gauge := t.Name == "gauge" || (t.Name == "" || t.Name == "unknown") && t.Falls > manyFalls
		why := fmt.Sprintf("%s is a gauge, as its own metadata say", q.Metric)
		if t.Name != "gauge" {
			why = fmt.Sprintf("%s of the changes of %s go down, so it is no counter", figures.Ratio(t.Falls), q.Metric)
		}
		switch {
		case !q.Bare():
		case s.SLI.Counters() != nil && gauge:
			out = append(out, Finding(s, part, "gauge-counted", why, "count a counter; for a gauge write uptime or slices"))
		case s.SLI.Minutes() != nil && t.Name == "counter":
			out = append(out, Finding(s, part, "counter-as-gauge", fmt.Sprintf("%s is a counter, whose value only grows", q.Metric), "use events to count, or a gauge here"))
		}
	}
	return out
}

// minAllowed is how many bad events a budget must allow. With fewer, a single error is a large
// share of the budget, and the alerts are about chance.
const minAllowed = 10

// lintTraffic finds objectives that are too strict for the number of events.
func lintTraffic(s *slo.Spec, days []Tally) slo.Problems {
	if s.SLI.Counters() == nil && s.SLI.Histogram == nil || len(days) == 0 {
		return nil
	}
	all := sum(days)
	events := math.Round(all.Total / float64(len(days)) * s.Window().Length().Hours() / 24)
	allowed := events * s.Objective.AllowedRatio()
	if allowed >= minAllowed || events < 1 {
		return nil
	}
	hint := "choose a longer window, put several services under one SLO, or have a probe make traffic"
	if o := steps(func(o slo.Objective) bool { return events*o.AllowedRatio() >= minAllowed }); o != "" {
		hint = fmt.Sprintf("write objective: %s; or %s", o, hint)
	}
	return slo.Problems{Finding(s, "objective", "too-little-traffic",
		fmt.Sprintf("about %s events in %s allow only %s bad ones at %s; fewer than %s are chance", figures.Value(events), figures.Window(s.Window()), figures.Few(allowed), figures.Objective(s.Objective), figures.Count(minAllowed)), hint)}
}

// week is how many days a target must have been met in.
const week = 7

// lintHistory finds objectives that not even the best week of the history met.
func lintHistory(s *slo.Spec, days []Tally) slo.Problems {
	best, worst := 2.0, -1.0
	var when time.Time
	for i, d := range days {
		if d.End.Sub(days[0].End) < (week-1)*slo.Day {
			continue // not yet a week
		}
		from := slices.IndexFunc(days, func(o Tally) bool { return d.End.Sub(o.End) < week*slo.Day })
		t := sum(days[from : i+1])
		if t.Total < 1 {
			continue
		}
		share := min(1, max(0, t.Bad/t.Total))
		if share < best {
			best, when = share, d.End
		}
		worst = max(worst, share)
	}
	if when.IsZero() || best <= s.Objective.AllowedRatio() {
		return nil
	}
	if best > 0.5 && (s.SLI.Bad != nil || s.SLI.Good != nil) {
		return slo.Problems{Finding(s, "objective", "good-bad-swapped", fmt.Sprintf("even in the best week only %s of the events were good", goodShare(best, s)), "good and bad may be swapped: write the query under the other name")}
	}
	hint := "put right what fails first, or promise less"
	if o := steps(func(o slo.Objective) bool { return worst <= o.AllowedRatio() }); o != "" {
		hint = fmt.Sprintf("write objective: %s, the highest step that the worst week met, and raise it when the service is better", o)
	}
	return slo.Problems{Finding(s, "objective", "never-met", fmt.Sprintf("no week of the last %s met %s: the best, up to %s, had %s good",
		figures.Plural(len(days), "day"), figures.Objective(s.Objective), figures.Day(when.UTC()), goodShare(best, s)), hint)}
}

func sum(days []Tally) (out Tally) {
	for _, d := range days {
		out.Total, out.Bad = out.Total+d.Total, out.Bad+d.Bad
	}
	return out
}

// steps returns the highest usual objective that fits, "" if none does.
func steps(fits func(slo.Objective) bool) string {
	for _, text := range []string{"99.99", "99.95", "99.9", "99.5", "99", "98", "95", "90"} {
		if o, err := slo.ParseObjective(text); err == nil && fits(o) {
			return text
		}
	}
	return ""
}

// goodShare writes the share of good events beside the objective that it misses.
func goodShare(bad float64, s *slo.Spec) string {
	part, whole := figures.Parts(bad)
	return figures.SLI(part, whole, s.Objective)
}
