package report

import (
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/postmortem"
	"github.com/slowburn-sre/slowburn/slo"
)

// Input is everything a report is made of. Nothing else enters it: the same input gives the same bytes.
type Input struct {
	Name     string         // of the report: "weekly"
	Period   Period         // what it is about
	Zone     *time.Location // of the period and of working hours; nil is UTC
	Late     bool           // it comes more than an hour after its time
	Missed   []Period       // older ones that were never sent
	Subjects []Subject      // in any order
	Policy   Policy
	// Acts are what people did, at least on the incidents of the period and within it; Reviews are the postmortems as
	// their files stand. Both in any order.
	Acts    []alerting.Act
	Reviews []postmortem.Review
	// Team makes it the report of one owner's SLOs.
	Team     string
	Previous Link // to the report before this one
	Whole    Link // to the full report, for the summary
}

// Subject is one error budget with what happened to it.
type Subject struct {
	ID        slo.ID // with label values for an SLO with `by:`
	Spec      *slo.Spec
	Ledger    *budget.Ledger      // reaching to the end of the period, or as far as is known
	Incidents []alerting.Incident // at least those that overlap the period; others are ignored
}

// Link is an address with its text.
type Link struct {
	Text string
	URL  string
}

// Policy is the error-budget policy as far as a report applies it. Shares are basis points of the
// budget left, or, for Postmortem, spent. The zero Policy is [DefaultPolicy].
type Policy struct {
	CautionBelow int64
	FreezeBelow  int64
	Postmortem   int64
}

// DefaultPolicy is: caution below a quarter of the budget, freeze when nothing is left, a postmortem for an incident
// above 20 % of four weeks' budget.
var DefaultPolicy = Policy{CautionBelow: 2500, FreezeBelow: 0, Postmortem: 2000}
