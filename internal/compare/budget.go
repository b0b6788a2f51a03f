package compare

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/figures"
)

// leastPart is the smallest part of a budget that is worth a sentence.
const leastPart = 0.0005

// Budgets walks from their figure to ours.
func Budgets(o Ours, t Theirs) Budget {
	status := budget.StatusAt(o.Ledger, o.Spec.Objective, o.Spec.Window(), o.At)
	counted := math.NaN()
	if status.SLI != nil {
		counted = status.Remaining()
	}
	out := Budget{Ours: known(counted)}
	if o.Remaining != nil {
		out.Ours = o.Remaining
	}
	if t.Remaining == nil {
		return out
	}
	out.Theirs = known(*t.Remaining)
	if out.Ours == nil {
		return out
	}
	if out.Theirs != nil {
		out.Difference = known(*out.Theirs - *out.Ours)
	}
	w := &walk{ours: o, theirs: t, at: *t.Remaining, allowed: o.Spec.Objective.AllowedRatio(), window: o.Spec.Window().Length()}
	w.adopt()
	if t.Tool == Sloth {
		w.throughRatios()
	} else {
		w.throughCounts()
	}
	w.home(counted)
	out.Reasons = w.sorted()
	return out
}

// walk is the way from their figure to ours.
type walk struct {
	ours    Ours
	theirs  Theirs
	at      float64       // the figure reached so far: share of the budget that is left
	allowed float64       // their budget as a share of all events
	window  time.Duration // theirs
	reasons []Reason
}

// adopt takes their objective and window for the first part of the way.
func (w *walk) adopt() {
	if t := w.theirs.Objective; t != nil && *t > 0 && *t < 1 {
		w.allowed = 1 - *t
	}
	if w.theirs.Window > 0 {
		w.window = w.theirs.Window
	}
}

// step goes to the next figure. From a figure that is not a number there is no distance, and to one
// that is not, the step is left out.
func (w *walk) step(to float64, c Cause, format string, args ...any) {
	if math.IsNaN(to) {
		return
	}
	if part := w.at - to; math.Abs(part) >= leastPart && !math.IsNaN(part) {
		w.reasons = append(w.reasons, Reason{c, part, fmt.Sprintf(format, args...)})
	}
	w.at = to
}

// left returns the share of their budget that a bad ratio leaves.
func (w *walk) left(ratio float64) float64 { return 1 - ratio/w.allowed }

// bucket is five minutes in both accounts.
type bucket struct {
	at     time.Time // its end
	theirs float64   // NaN where they have nothing
	ours   float64   // NaN where the ledger has no events
}

// buckets lines up their points with the ledger over their window.
func (w *walk) buckets() []bucket {
	points := map[int64]float64{}
	for _, p := range w.theirs.Ratios {
		points[p.At.Unix()] = p.Value
	}
	end := w.ours.At.Time().Truncate(Step)
	var out []bucket
	for at := end.Add(-w.window).Truncate(Step).Add(Step); !at.After(end); at = at.Add(Step) {
		b := bucket{at: at, theirs: math.NaN(), ours: w.ratio(at.Add(-Step), at)}
		if v, ok := points[at.Unix()]; ok {
			b.theirs = v
		}
		out = append(out, b)
	}
	return out
}

// ratio returns the ledger's share of bad events in [from, to), NaN without events.
func (w *walk) ratio(from, to time.Time) float64 {
	r, ok := w.ours.Ledger.Sum(budget.MinuteOf(from), budget.MinuteOf(to)).BadRatio()
	if !ok {
		return math.NaN()
	}
	return r
}

// throughRatios walks Sloth's way of counting, the mean of ratios of five minutes: first to ratios
// that are counted from the ledger, then to all of the window's, then to one division.
func (w *walk) throughRatios() {
	buckets := w.buckets()
	recorded := mean(buckets, func(b bucket) float64 { return b.theirs })
	w.holes(recorded)
	if math.IsNaN(recorded) {
		w.step(w.left(w.eventRatio(w.window)), Recorded, "their ratios of five minutes are not recorded, so no more can be said")
		return
	}
	w.recount(buckets)
	w.fill(buckets)
	w.step(w.left(w.eventRatio(w.window)), Averages, "%s", weights(w.ours.Ledger, buckets))
}

// counted returns the ledger's ratio where they have one too.
func (b bucket) counted() float64 {
	if math.IsNaN(b.theirs) || math.IsNaN(b.ours) {
		return b.theirs
	}
	return b.ours
}

// recount replaces their ratios by the ledger's: where they saw no error at all, then everywhere.
func (w *walk) recount(buckets []bucket) {
	born := births(buckets)
	w.step(w.left(mean(buckets, func(b bucket) float64 {
		if born[b.at.Unix()] {
			return b.ours
		}
		return b.theirs
	})), Births, "%s in which their ratio is 0 and the ledger has bad events: a series that is born with its first error has no increase", times(len(born)))
	w.step(w.left(mean(buckets, bucket.counted)), Counting, "rates extrapolate to the edges of their window; the ledger counts the samples")
}

// fill adds the ratios that they lack: since their rules record, then before.
func (w *walk) fill(buckets []bucket) {
	since, filled := w.theirs.Since, 0
	whole := func(b bucket) float64 {
		if math.IsNaN(b.theirs) {
			return b.ours
		}
		return b.counted()
	}
	sinceThen := func(b bucket) float64 {
		if b.at.Before(since) {
			return math.NaN()
		}
		return whole(b)
	}
	for _, b := range buckets {
		if math.IsNaN(b.theirs) && !math.IsNaN(sinceThen(b)) {
			filled++
		}
	}
	w.step(w.left(mean(buckets, sinceThen)), Holes, "%s without a recorded ratio, in which there were events", times(filled))
	w.step(w.left(mean(buckets, whole)), History, "their rules have recorded since %s, which is inside of the window", figures.UTC(since))
}

// holes leaves their recorded figure for what their own ratios give. One NaN among the ratios makes
// the whole figure NaN.
func (w *walk) holes(recorded float64) {
	nans := 0
	for _, p := range w.theirs.Ratios {
		if math.IsNaN(p.Value) {
			nans++
		}
	}
	if math.IsNaN(w.at) {
		w.reasons = append(w.reasons, Reason{Holes, 0, fmt.Sprintf("%s with a ratio of 0/0, which makes the sum of the whole window NaN; nothing can be read or alerted from it", times(nans))})
		if !math.IsNaN(recorded) {
			w.at = w.left(recorded)
		}
		return
	}
	w.step(w.left(recorded), Recorded, "their ratios of five minutes, averaged now, give another figure than the one they recorded")
}

// mean averages over the buckets that have a value.
func mean(buckets []bucket, value func(bucket) float64) float64 {
	sum, n := 0.0, 0
	for _, b := range buckets {
		if v := value(b); !math.IsNaN(v) {
			sum, n = sum+v, n+1
		}
	}
	return sum / float64(n)
}

// births returns the ends of the buckets in which the ledger has bad events and they have none, nor
// in the next: they did not see them late, they never saw them.
func births(buckets []bucket) map[int64]bool {
	born := map[int64]bool{}
	for i, b := range buckets {
		seenLater := i+1 < len(buckets) && buckets[i+1].theirs > 0
		if b.ours > 0 && b.theirs == 0 && !seenLater {
			born[b.at.Unix()] = true
		}
	}
	return born
}

// eventRatio returns the ledger's bad events over all events, divided once.
func (w *walk) eventRatio(window time.Duration) float64 {
	end := w.ours.At.Time()
	return w.ratio(end.Add(-window), end)
}

// throughCounts walks Pyrra's way, which divides once, as we do, but counts with increase().
func (w *walk) throughCounts() {
	bad, total := w.theirs.Bad, w.theirs.Total
	if math.IsNaN(w.at) {
		w.reasons = append(w.reasons, Reason{Holes, 0, "their figure is 0/0: they have recorded no events"})
	}
	to := w.left(w.eventRatio(w.window))
	if bad == nil || total == nil || *total == 0 {
		w.step(to, Counting, "increase() extrapolates to the edges of the window; the ledger counts the samples")
		return
	}
	w.step(w.left(*bad / *total), Recorded, "their counts, divided now, give another figure than the one they recorded")
	end := w.ours.At
	sum := w.ours.Ledger.Sum(end-budget.Minutes(w.window), end)
	ours, all := float64(sum.Bad)/budget.Unit, float64(sum.Total)/budget.Unit
	offBad, offTotal := ours-*bad, all-*total
	switch {
	case all > 0 && offBad > math.Max(0.5, 2*math.Abs(offTotal)/all*ours):
		w.step(to, Births, "they count %s bad events where the ledger has %s of nearly the same total: increase() does not see the first sample of a series", counted(*bad), counted(ours))
	case all > 0 && offTotal/all > 0.02:
		w.step(to, History, "they count %s events where the ledger has %s: their data do not reach through the window", counted(*total), counted(all))
	default:
		w.step(to, Counting, "they count %s bad events of %s, the ledger %s of %s: increase() extrapolates", counted(*bad), counted(*total), counted(ours), counted(all))
	}
}

// counted writes a number of events that is known from a float alone.
func counted(events float64) string {
	thousandths, ok := figures.Thousandths(events)
	if !ok {
		return figures.Unknown
	}
	return figures.Events(thousandths)
}

// home goes the rest of the way: our objective, our window, and what the daemon shows.
func (w *walk) home(counted float64) {
	theirs, ours := w.allowed, w.ours.Spec.Objective.AllowedRatio()
	w.allowed = ours
	w.step(w.left(w.eventRatio(w.window)), ObjectiveDiffers, "they promise %s, the SLO here %s", figures.Percent(100*(1-theirs)), figures.Objective(w.ours.Spec.Objective))
	w.step(counted, WindowDiffers, "their window is %s, here it is %s", figures.Duration(w.window), figures.Window(w.ours.Spec.Window()))
	if w.ours.Remaining != nil {
		w.step(*w.ours.Remaining, Running, "the daemon's ledger has been kept as it happened; Prometheus gives another account now")
	}
}

func (w *walk) sorted() []Reason {
	slices.SortStableFunc(w.reasons, func(a, b Reason) int { return cmp.Compare(math.Abs(b.Part), math.Abs(a.Part)) })
	return w.reasons
}

// weights says how unevenly the traffic is spread, in events per five minutes.
func weights(l *budget.Ledger, buckets []bucket) string {
	var n []int64
	for _, b := range buckets {
		if s := l.Sum(budget.MinuteOf(b.at.Add(-Step)), budget.MinuteOf(b.at)); s.Total > 0 {
			n = append(n, s.Total/budget.Unit)
		}
	}
	if len(n) == 0 {
		return "the mean of ratios is not the ratio of sums"
	}
	slices.Sort(n)
	return fmt.Sprintf("the mean of the ratios weighs five minutes with %s events like five with %s; counted by events it is another figure",
		figures.Count(int(n[len(n)/20])), figures.Count(int(n[len(n)-1-len(n)/20])))
}

func times(n int) string {
	if n == 1 {
		return "one stretch of five minutes"
	}
	return figures.Count(n) + " stretches of five minutes"
}
