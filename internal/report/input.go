package report

import (
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/postmortem"
	"github.com/slowburn-sre/slowburn/slo"
)

// Input is everything a report is made of. Nothing else enters it: the same input gives the same
// bytes.
type Input struct {
	Name     string           // of the report: "weekly"
	Period   Period           // what it is about
	Zone     *time.Location   // of the period and of working hours; nil is UTC
	Until    time.Time        // how far everything is known; a period that is not over yet is reported up to there. Zero is its end
	Late     bool             // it comes more than an hour after its time
	Missed   []Period         // older ones that were never sent
	Subjects []Subject        // in any order
	Policy   *alerting.Policy // nil is the default one
	// Acts are what people did, at least on the incidents of the period and within it, and on those
	// of the trend; Reviews are the postmortems as their files stand. Both in any order.
	Acts    []alerting.Act
	Reviews []postmortem.Review
	// Contributors are the label values that most of the bad events of an incident were in, by its
	// ID, as its evidence names them: `pool="batch"`.
	Contributors map[string]string
	// Services are the golden signals at the end of the period; Undelivered is how many messages
	// were given up in it.
	Services    []Service
	Undelivered int
	Drills      *Drills // what drills have proven; nil leaves it out
	Audit       *Audit  // how the log of acts stands; nil leaves it out
	// Team makes it the report of one owner's SLOs.
	Team     string
	Previous Link // to the report before this one
}

// Subject is one error budget with what happened to it.
type Subject struct {
	ID        slo.ID // with label values for an SLO with `by:`
	Spec      *slo.Spec
	Ledger    *budget.Ledger      // nil of a service as a whole, which has no budget but declared incidents; else reaching to the end of the period, or as far as is known
	Incidents []alerting.Incident // at least those that overlap the period, and those of the seven periods before it for the trend
	// Hold keeps whoever writes the ledger from it while a function runs; nil if nobody does.
	Hold func(func())
}

// Link is an address with its text.
type Link struct {
	Text string
	URL  string
}
