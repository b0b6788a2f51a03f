package suggest

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/slo"
)

// steps are the objectives that are proposed, from the strictest. Others are false precision.
var steps = []string{"99.99", "99.95", "99.9", "99.5", "99", "95", "90"}

// minAllowed is how many bad events a budget must allow. With fewer, a single error is a large
// share of the budget, and the alerts are about chance.
const minAllowed = 10

// bucket is what happened in one step of history.
type bucket struct {
	at         int64 // its end, in milliseconds since 1970
	total, bad float64
}

// record is what history says about one service.
type record struct {
	step    time.Duration
	buckets []bucket // in order; steps that are unknown are missing
	window  time.Duration
	unit    string // what is counted: events, or minutes
}

// span returns the time that the record covers, holes included.
func (r record) span() time.Duration {
	if len(r.buckets) == 0 {
		return 0
	}
	last := len(r.buckets) - 1
	return time.Duration(r.buckets[last].at-r.buckets[0].at)*time.Millisecond + r.step
}

// events returns how many events a window holds, taken from the record.
func (r record) events() float64 {
	total := 0.0
	for _, b := range r.buckets {
		total += b.total
	}
	return total * float64(r.window) / math.Max(float64(r.span()), 1)
}

// week is the length of the window in which the target must have been met, or all there is if that
// is less.
const week = 7 * 24 * time.Hour

// worst returns the largest share of bad events in any week of the record, and when that week
// ended. Without events there is none.
func (r record) worst() (share float64, end time.Time, ok bool) {
	var total, bad float64
	from := 0
	for i, b := range r.buckets {
		total, bad = total+b.total, bad+b.bad
		for b.at-r.buckets[from].at >= week.Milliseconds() {
			total, bad = total-r.buckets[from].total, bad-r.buckets[from].bad
			from++
		}
		whole := b.at-r.buckets[0].at+r.step.Milliseconds() >= week.Milliseconds()
		if !whole && i < len(r.buckets)-1 || total < 0.5 {
			continue // not yet a week, or nothing happened
		}
		if s := min(1, max(0, bad/total)); !ok || s > share {
			share, end, ok = s, time.UnixMilli(b.at), true
		}
	}
	return share, end, ok
}

// target is the objective that history allows, or why there is none.
type target struct {
	objective slo.Objective
	why       []string // sentences
	refused   string   // why there is no objective; "" if there is one
}

// The amount of history without which nothing, or only little, can be said.
const (
	minHistory   = 24 * time.Hour
	wholeHistory = 27 * 24 * time.Hour
)

// aim returns the highest step that was met in the worst week and whose budget is more than chance.
// Steps stricter than most, if that is not "", are not considered.
func (r record) aim(most string) target {
	share, end, ok := r.worst()
	switch {
	case !ok && len(r.buckets) == 0: // of two looks a step apart the first found nothing
		return target{refused: fmt.Sprintf("there is less than %s of history, and a day is needed (a week is better)", figures.Duration(max(2*r.step, 2*time.Hour)))}
	case !ok:
		return target{refused: "nothing was counted in the history"}
	case r.span() < minHistory:
		return target{refused: fmt.Sprintf("there are only %s of history, and a day is needed (a week is better)", figures.Duration(r.span().Round(time.Hour)))}
	}
	t := target{}
	events := r.events()
	for i, text := range steps {
		step, err := slo.ParseObjective(text)
		if err != nil || i < slices.Index(steps, most) || share > step.AllowedRatio() {
			continue
		}
		if allowed := events * step.AllowedRatio(); allowed < minAllowed {
			t.why = append(t.why, fmt.Sprintf("%s was met, but about %s %s in %s allow only %s bad ones; fewer than %s are chance.",
				figures.Objective(step), figures.Value(events), r.unit, figures.Duration(r.window), figures.Few(allowed), figures.Count(minAllowed)))
			continue
		}
		t.objective = step
		place := "the highest step that was met"
		if len(t.why) > 0 {
			place = "the next step"
		}
		t.why = append(t.why, fmt.Sprintf("%s %s were good; %s is %s.", r.when(end), good(share, step), figures.Objective(step), place))
		return t
	}
	if len(t.why) > 0 {
		t.refused = fmt.Sprintf("about %s %s in %s are too few for any objective: even 90 %% would allow fewer than %s bad ones", figures.Value(events), r.unit, figures.Duration(r.window), figures.Count(minAllowed))
		return t
	}
	t.refused = fmt.Sprintf("in the worst week %s were good, and below 90 %% there is no objective worth promising", figures.Known(1-share))
	return t
}

// when names the time in which the target must have been met.
func (r record) when(end time.Time) string {
	known, date := figures.Duration(r.span().Round(time.Hour)), figures.Day(end.UTC())
	switch {
	case r.span() < week:
		return fmt.Sprintf("In the %s that are known, less than a week,", known)
	case r.span() < wholeHistory:
		return fmt.Sprintf("In the worst week of the %s that are known (up to %s)", known, date)
	}
	return fmt.Sprintf("In the worst week of the last %s (up to %s)", figures.Duration(r.window), date)
}

// good writes the share of good events as an SLI under an objective.
func good(bad float64, o slo.Objective) string {
	part, whole := figures.Parts(bad)
	return figures.SLI(part, whole, o)
}
