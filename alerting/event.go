package alerting

import (
	"strconv"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/slo"
)

// Severity says how loud to be.
type Severity string

// The severities, loudest first.
const (
	Page   Severity = "page"   // wakes somebody
	Ticket Severity = "ticket" // is looked at in working hours
	Notice Severity = "notice" // is said once, opens nothing
)

// Rule is what an event is about.
type Rule string

// The rules. At most one incident is open per SLO and rule, but of those that people declare.
const (
	RulePage       Rule = "page"       // a burn that began as a page
	RuleTicket     Rule = "ticket"     // a burn that began as a ticket; it may escalate
	RuleNoData     Rule = "no_data"    // the data are missing
	RuleSpent      Rule = "spent"      // a share of the budget is gone
	RuleTraffic    Rule = "traffic"    // nobody comes any more
	RulePolicy     Rule = "policy"     // the error-budget policy's gate turned
	RuleExperiment Rule = "experiment" // an experiment has to end
	RuleDeclared   Rule = "declared"   // no rule saw it: a person declared it
)

// Burns reports whether the rule is about a budget that burns too fast.
func (r Rule) Burns() bool { return r == RulePage || r == RuleTicket }

// Kind is what happened to an incident.
type Kind string

// The kinds of event.
const (
	Opened    Kind = "opened"
	Escalated Kind = "escalated" // a ticket became a page, by its rule or by a person
	Updated   Kind = "updated"   // still open; newer figures
	Resolved  Kind = "resolved"
	Noticed   Kind = "noticed"   // a notice: no incident opens
	Recounted Kind = "recounted" // what it cost is other than was told: it is over, or the clock was ahead
)

// Reason names why an event happened.
type Reason string

// The reasons.
const (
	BurnHigh        Reason = "burn_high"        // both windows of a pair above the threshold
	StillBurning    Reason = "still_burning"    // open, and some minutes have passed
	ErrorsStopped   Reason = "errors_stopped"   // open, and the short window is quiet
	ErrorsBack      Reason = "errors_back"      // open, and it burns again after that
	BurnLow         Reason = "burn_low"         // no pair is above its threshold any more
	AgedOut         Reason = "aged_out"         // no traffic, and the last bad event left the windows
	DataMissing     Reason = "data_missing"     // no known minute for as long as no_data says
	DataBack        Reason = "data_back"        // a minute is known again
	BudgetSpent     Reason = "budget_spent"     // a share of the budget was crossed
	TrafficGone     Reason = "traffic_gone"     // no events, at an hour that had some in the weeks before
	PolicyFrozen    Reason = "frozen"           // less is left than the policy freezes below
	PolicyThawed    Reason = "thawed"           // the freeze is over; caution may remain
	PolicyCaution   Reason = "caution"          // less is left than the policy is cautious below
	PolicyOpen      Reason = "open"             // caution is over
	ExperimentSpent Reason = "experiment_spent" // it has used up what it was given
	ExperimentBurns Reason = "experiment_burns" // an alert fired while it ran
	SLORemoved      Reason = "slo_removed"      // the SLO was taken out of the files
	RuleRemoved     Reason = "rule_removed"     // the SLO no longer has the rule that opened it
	PromiseChanged  Reason = "promise_changed"  // the SLO promises something else now, by which this is no burn
	TimeWentBack    Reason = "time_went_back"   // the clock it went by was ahead, and its minutes are decided again

	ByPerson       Reason = "person"         // somebody made it louder, or quieter
	Unacknowledged Reason = "unacknowledged" // a page that nobody has taken for as long as the SLO says
	SilenceOver    Reason = "silence_over"   // a silence has ended, and it still burns
	StillOpen      Reason = "still_open"     // declared, not closed, and some minutes have passed

	DataLate       Reason = "data_late"       // events of its minutes were found after it had ended
	MinutesDropped Reason = "minutes_dropped" // what was told of later minutes is void: the clock was ahead, and they have not happened
)

// Recovered reports whether what ended for the reason got better. What ends because the files say
// something else now, or because the clock was wrong, did not, as far as anybody knows.
func (r Reason) Recovered() bool {
	return r != SLORemoved && r != RuleRemoved && r != PromiseChanged && r != TimeWentBack
}

// Event is one thing that happened to one SLO, with the figures it was decided on.
type Event struct {
	At       budget.Minute `json:"at"` // the minute that decided it; the event happened at its end
	SLO      slo.ID        `json:"slo"`
	Incident string        `json:"incident"`
	Kind     Kind          `json:"kind"`
	Severity Severity      `json:"severity"`
	Rule     Rule          `json:"rule"`
	Reason   Reason        `json:"reason"`

	Pair   *slo.Pair     `json:"pair,omitempty"`  // the pair that fired
	Long   *budget.Sum   `json:"long,omitempty"`  // over its long window
	Short  *budget.Sum   `json:"short,omitempty"` // over its short window
	Sure   *Significance `json:"significance,omitempty"`
	Level  int64         `json:"level,omitempty"` // of a spent notice, in basis points
	Budget Account       `json:"budget"`          // of the first window, at this time
	Burn   *Burning      `json:"burn,omitempty"`  // of a burn incident, so far
	Since  budget.Minute `json:"since,omitempty"` // of no_data: the first minute without data; of declared: since when it is
	// Usual is, of traffic that is gone, the least that the same hours of the weeks before have
	// seen.
	Usual *budget.Sum `json:"usual,omitempty"`
	// Follows is, of a burn that comes back soon after its end, the incident that it comes back
	// from.
	Follows string `json:"follows,omitempty"`
	Act     string `json:"act,omitempty"` // of an experiment: its key
	// Late marks what was decided when, or told as, it would not have been had the data come in
	// time: some minutes of its incident were known only after they had been decided.
	Late bool `json:"late,omitempty"`
	// Walk counts, of an event in a minute that was walked before, how often time has gone back; 0
	// is never. See [Rewind].
	Walk int `json:"walk,omitempty"`
	// Decided is when it was decided, in whole minutes; zero if that was within a minute of when it
	// happened. It is later where samples came late, or where nobody ran to decide. A backtest,
	// which has all samples at once, has none.
	Decided time.Time `json:"decided,omitzero"`
}

// Time returns when the event happened: the end of the minute that decided it.
func (e Event) Time() time.Time { return e.At.End() }

// DecidedBy returns the event as it was decided at a time.
func (e Event) DecidedBy(now time.Time) Event {
	if whole := budget.MinuteOf(now).Time(); whole.After(e.Time()) {
		e.Decided = whole
	}
	return e
}

// Key returns a key that is unique among all events of an incident, also among those of minutes
// that have happened twice. Of the updates of one minute, only the usual one goes by its kind: the
// others, which call somebody or follow a person, by their reason.
func (e Event) Key() string {
	what := string(e.Kind)
	if e.Kind == Updated && e.Reason != StillBurning {
		what = string(e.Reason)
	}
	return e.Incident + "/" + what + "/" + stamp(e.At, e.Walk)
}

// stamp writes a minute for names that must be unique: its end, and after the first walk over it,
// which one it is.
func stamp(m budget.Minute, walk int) string {
	s := strconv.FormatInt(m.End().Unix(), 10)
	if walk > 0 {
		s += "-" + strconv.Itoa(walk+1)
	}
	return s
}

// Account is the budget of a window as integers, in thousandths of events.
type Account struct {
	Bad     int64 `json:"bad"`
	Total   int64 `json:"total"`
	Allowed int64 `json:"allowed"`
	// Projected marks an Allowed that less than a tenth of the window tells: what it would be at
	// the traffic that was seen (see budget.Status).
	Projected bool `json:"projected,omitempty"`
	// Estimated tells that some of the counts of the window are estimates.
	Estimated bool `json:"estimated,omitempty"`
}

// AccountOf returns a status as integers.
func AccountOf(s budget.Status) Account {
	return Account{Bad: s.Sum.Bad, Total: s.Sum.Total, Allowed: s.Allowed, Projected: !s.Sized, Estimated: s.Sum.Estimated > 0}
}

// CostOf writes the share of the budget that something took, in thousandths of events: "24.9 %", or
// "about 24.9 %" of a budget that is projected or estimated.
func (a Account) CostOf(bad int64) string { return figures.Account(a).Cost(bad) }

// AllowedText writes how many events the budget lets go bad: "1,234", or "about 1,234" where
// [Account.CostOf] does.
func (a Account) AllowedText() string { return figures.Account(a).Allows() }

// LeftText writes the share of the budget that is left: "62.1 %", or that this is unknown of a
// budget that is projected, or without traffic.
func (a Account) LeftText() string { return figures.Account(a).Left() }

// Spent returns the share of the budget that is gone, above 1 when it is overspent.
func (a Account) Spent() float64 {
	switch {
	case a.Bad == 0:
		return 0
	case a.Allowed == 0:
		return 1
	}
	return float64(a.Bad) / float64(a.Allowed)
}

// Burning is the account of an incident so far.
type Burning struct {
	Onset  budget.Minute `json:"onset"`   // the first bad minute
	Last   budget.Minute `json:"last"`    // the newest bad minute
	Bad    int64         `json:"bad"`     // bad events since the onset, in thousandths
	Total  int64         `json:"total"`   // all events since the onset, in thousandths
	Minute int           `json:"minutes"` // bad minutes since the onset
	PeakAt budget.Minute `json:"peak_at"` // the end of the short window that burned most
	Peak   budget.Sum    `json:"peak"`    // and its sum
	// Stopped is the first minute after the last bad one, once the short window is quiet and enough
	// was answered in it to prove that something has changed; 0 while it burns. Closes is, in an
	// event, about when the incident is over if it stays so.
	Stopped budget.Minute `json:"stopped,omitempty"`
	Closes  budget.Minute `json:"closes,omitempty"`
}

// incidentID names an incident that opens in a minute so that a replay names it the same. Only in a
// minute that is walked again because time went back, the name is another: what was opened there in
// the wrong time has the first.
func (w *walk) incidentID(rule Rule, m budget.Minute) string {
	return string(w.ID) + "/" + string(rule) + "/" + stamp(m, w.again(m))
}

// SLOOf returns the SLO that an incident is of, or the service that was declared as a whole, as its
// ID names it; "" if that is no ID of an incident.
func SLOOf(incident string) slo.ID {
	if parts := strings.Split(incident, "/"); len(parts) > 2 && !strings.HasSuffix(incident, "}") { // as the ID of a budget with labels ends
		return slo.ID(strings.Join(parts[:len(parts)-2], "/"))
	}
	return ""
}

// aside returns a walk from another state over minutes that were walked as often.
func (w *walk) aside(st State) *walk {
	st.Walks, st.Ahead = w.Walks, w.Ahead
	return &walk{Input: w.Input, State: st}
}

// again returns how often time has gone back before a minute that was walked before; 0 for a minute
// that is walked for the first time.
func (w *walk) again(m budget.Minute) int {
	if m < w.Ahead {
		return w.Walks
	}
	return 0
}
