package lint

import "fmt"

// Rule is one kind of mistake that the lint knows. Its ID never changes its meaning.
type Rule struct {
	ID    string // in small letters and hyphens
	Short string // what is wrong, in a sentence
	Live  bool   // found only by asking a server
}

// Rules are the kinds of mistake, by ID. docs/check.md describes each with an example.
var Rules = []Rule{
	{"alert-twice", "An alert is listed twice.", false},
	{"bad-ignore", "A comment that is to accept a warning cannot work.", false},
	{"by-fixed", "A label of by is fixed to one value by a matcher.", false},
	{"by-missing", "No series has a label that by names.", true},
	{"by-summed-away", "A label of by is summed away by the query.", false},
	{"correction-expired", "A recurring correction has no more runs.", false},
	{"correction-over-cap", "A correction names more of a window than it may excuse.", false},
	{"corrections-overlap", "Two corrections are about the same minutes of an SLO.", false},
	{"counter-as-gauge", "A counter stands where the value itself is looked at.", false},
	{"credentials-in-clear", "Credentials go to another machine without encryption.", false},
	{"dead-alert", "An alert could not fire even in a total outage.", false},
	{"dependency-circle", "Services depend on each other in a circle.", false},
	{"dependency-unknown", "A dependency has no SLO.", false},
	{"extra-nine", "A dependency promises too little for what is built on it.", false},
	{"fixed-range", "A query has a fixed range where $window is meant.", false},
	{"gauge-counted", "A gauge is counted as if it were a counter.", false},
	{"good-bad-swapped", "Good and bad events look exchanged.", false},
	{"histogram-counted", "Buckets or sums of a histogram are counted as events.", false},
	{"histogram-suffix", "A histogram is named by one of its series.", false},
	{"journey-unreachable", "A journey promises more than its steps give.", false},
	{"labels-differ", "Total and bad are picked by different labels or values.", false},
	{"late-samples", "Samples come later than they are waited for.", true},
	{"limit-unit", "A latency limit without a unit is probably not in seconds.", false},
	{"missing-bucket", "The histogram has no bucket at the latency limit.", true},
	{"never-met", "No week of the history would have met the objective.", true},
	{"no-data", "A query returns no data.", true},
	{"not-carried-over", "A part of another format is not carried over.", false},
	{"not-in-total", "Bad or good may count events that total does not.", false},
	{"objective-inverted", "The objective allows most events to be bad.", false},
	{"objective-undefendable", "An outage spends the whole budget before anybody can be told.", false},
	{"openslo-lenient", "OpenSLO's own validator would refuse what is read here.", false},
	{"page-ticket-swapped", "A ticket needs a faster burn than every page.", false},
	{"percent-ratio", "A percentage stands where a ratio from 0 to 1 is wanted.", false},
	{"query-refused", "The server refuses a query.", true},
	{"rate-counted", "A rate per second is counted as events.", false},
	{"ratio-counted", "A ratio is counted as events.", false},
	{"same-query", "Bad or good is the same query as total.", false},
	{"short-window", "A window holds too few scrapes.", true},
	{"silent-slo", "Nobody is told about an SLO.", false},
	{"slow-reset", "An alert goes on for long after the trouble is over.", false},
	{"sum-before-increase", "Counters are summed before their increase is taken.", false},
	{"too-little-traffic", "The budget allows too few events to tell trouble from chance.", true},
	{"unknown-source", "The golden signals name a source that is not in the catalogue.", false},
	{"weight-unused", "A step has a weight that nothing looks at.", false},
	{"window-twice", "A window is listed twice.", false},
}

// Named returns the kind of mistake of that ID; nil if there is none.
func Named(id string) *Rule {
	for i := range Rules {
		if Rules[i].ID == id {
			return &Rules[i]
		}
	}
	return nil
}

// OtherOne says what to do about two things of the same name.
func OtherOne(file string, line int) string {
	return fmt.Sprintf("the other one is in %s, line %d; rename or remove one of them", file, line)
}

// RatioRange says what a ratio is not.
const RatioRange = "but a ratio goes from 0 to 1"
