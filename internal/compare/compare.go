// Package compare explains why another tool shows another error budget.
//
// Who runs slowburn beside Sloth or Pyrra for a while sees two figures for one promise. This
// package takes their recorded series ([Theirs]) and our ledger ([Ours]) and walks from the one
// figure to the other in steps. Each step changes one thing and has a [Cause]: count the events of
// five minutes from the ledger, fill the holes, divide once instead of averaging ratios, take our
// objective, take our window. What a step changes is its part of the difference, so the parts add
// up to the whole:
//
//	theirs ─ history ─ counting ─ births ─ holes ─ averages ─ objective ─ window ─► ours
//
// [Alerts] does the same for what would have fired.
//
// The package only computes: series and ledgers are handed in, and so is the time.
//
// Reading order: this file, budget.go (the walk), alerts.go.
package compare

import (
	"math"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/slo"
)

// Tool is whose series they are.
type Tool string

// The tools.
const (
	Sloth Tool = "sloth"
	Pyrra Tool = "pyrra"
)

// Cause names why two figures differ.
type Cause string

// The causes.
const (
	// Averages: the mean of five-minute ratios, in which a quiet night weighs as much as a busy
	// day.
	Averages Cause = "average_of_averages"
	// Holes: a recorded ratio is 0/0 or is missing while there were events.
	Holes Cause = "nan_holes"
	// Births: increase() and rate() do not see the first sample of a series, which for a rare error
	// is all of it.
	Births Cause = "counter_births"
	// Counting: rates extrapolate, and evaluate at other instants.
	Counting Cause = "counting"
	// History: their rules began to record inside of their window.
	History Cause = "short_history"
	// ObjectiveDiffers: they promise another share.
	ObjectiveDiffers Cause = "objective_mismatch"
	// WindowDiffers: they promise over another time.
	WindowDiffers Cause = "window_mismatch"
	// Recorded: their figure is not what their own series give now.
	Recorded Cause = "recorded_otherwise"
	// Running: the daemon's ledger knows more, or less, than can be read from Prometheus now.
	Running Cause = "ledger_of_the_daemon"
	// Agreed: both alerted.
	Agreed Cause = "agreed"
	// LowTraffic: too few events to tell a burn from chance, so we stayed silent.
	LowTraffic Cause = "low_traffic"
	// Tier: a louder alert of ours stood for it.
	Tier Cause = "upper_tier"
	// Wait: it ended before their alert's `for` was over.
	Wait Cause = "for_duration"
	// Figures: the burn was above the threshold in one account and not in the other.
	Figures Cause = "different_figures"
	// NoData: our ledger knows nothing of the time.
	NoData Cause = "no_data"
)

// Point is one sample of a recorded series. NaN is kept: it is a finding.
type Point struct {
	At    time.Time
	Value float64
}

// Step is how far apart the points of [Theirs.Ratios] are, and the window of each.
const Step = 5 * time.Minute

// Theirs is what the other tool has recorded about one budget.
type Theirs struct {
	Tool      Tool
	Remaining *float64      // share of the budget that is left; may be NaN; nil if not recorded
	Objective *float64      // 0…1; nil if not recorded
	Window    time.Duration // 0 if not recorded
	// Ratios are Sloth's error ratios of five minutes, one per Step, at whole multiples of it.
	Ratios []Point
	// Since is when their rules began to record, if that was inside of their window.
	Since time.Time
	// Bad and Total are Pyrra's events of the whole window.
	Bad, Total *float64
	Alerts     []Alert
}

// Alert is one alert of theirs that fired.
type Alert struct {
	Severity alerting.Severity
	Span
}

// Ours is what slowburn knows about the same budget.
type Ours struct {
	Spec   *slo.Spec
	Ledger *budget.Ledger
	At     budget.Minute // the first minute that does not count
	// Remaining is what a running daemon shows; nil to take the ledger's.
	Remaining *float64
	Incidents []alerting.Incident
}

// Reason is a part of a difference.
type Reason struct {
	Cause Cause
	// Part is a share of the budget: how much more is left in their figure because of it.
	Part float64
	Text string
}

// Budget is the difference between two figures of one budget. Nil is unknown.
type Budget struct {
	Ours       *float64 // share of the budget that is left
	Theirs     *float64 // the same, as the other tool has recorded it
	Difference *float64 // theirs − ours
	// Reasons add up to the difference, but for parts too small to tell; the largest is first.
	// Where theirs is not a number, they explain what it would have been without its holes.
	Reasons []Reason
}

// known returns a pointer to a figure, nil for what is not a finite number.
func known(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}
