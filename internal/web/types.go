package web

import (
	"encoding/json"
	"time"
)

// This file is the reference of the JSON API. Every answer is an envelope:
//
//	{"status": "success", "data": …}
//	{"status": "error", "errorType": "not_found", "error": "a sentence"}
//
// Times are RFC 3339 in UTC, durations are strings as Prometheus writes them ("1h30m"), counts are
// events and may have three decimals, ratios are plain numbers with 1 for the whole. What is not
// known is null, never 0. Lists are in a fixed order that each type names.
//
//	GET  /api/v1/slos                        []SLO
//	GET  /api/v1/slos/{service}/{slo}        SLO; ?labels={route="/pay"} picks one budget of an SLO with `by:`
//	GET  …/history?from=&to=&step=           History; the last day in steps of five minutes if not said
//	GET  /api/v1/incidents                   []Incident; ?open= &service= &slo= &from= &to= &limit=
//	GET  /api/v1/incidents/{id}              IncidentDetail
//	GET  /api/v1/incidents/{id}/postmortem   Postmortem
//	GET  /api/v1/postmortems                 []Review, those that are kept as files, the newest incident first
//	POST /api/v1/incidents/{id}/ack          acknowledges it; the answer is its IncidentDetail. The body may be {"by": "Ada", "text": "…"}
//	POST /api/v1/acts                        Act: what somebody does; the answer is the Act
//	GET  /api/v1/acts                        []Act, the audit log, newest first; ?kind= &incident= &service= &from= &to= &limit=
//	GET  /api/v1/reports                     []Report; ?name= &limit=
//	GET  /api/v1/reports/{name}/{period}     Report, with its contents
//	GET  /api/v1/signals/{service}           the four golden signals now and a week ago; see package signals, Snapshot
//	GET  /api/v1/changes                     []Change; ?service= &kind= &from= &to= &limit=; of the last hundred days
//	POST /api/v1/changes                     NewChange; the answer is the Change
//	GET  /api/v1/experiments/{key}           Change; its experiment.abort says whether it must end
//	GET  /api/v1/delivery                    Delivery; ?service= &from= &to=
//	GET  /api/v1/status                      Status
//	GET  /api/v1/gate/{service}[/{slo}]      Gate; ?fail=1 answers 409 instead of 200 when the gate is not open
//	                                         ?spend=5% asks for an experiment
//	POST /api/v1/gate/{service}[/{slo}]      the same with fail=1, for callers that can only post; it changes nothing
//
// Writes are for this machine, and for those who bring the write token as a bearer token.
//
// IDs may be written as they are or percent-encoded; times are RFC 3339 or Unix seconds.

// SLO is one error budget: an SLO, or one combination of label values of an SLO with `by:`. A list of them is
// ordered by ID.
type SLO struct {
	ID          string  `json:"id"`              // checkout/availability, or checkout/availability{route="/pay"}
	Service     string  `json:"service"`         //
	Name        string  `json:"slo"`             // without service and labels
	Group       string  `json:"group,omitempty"` // {route="/pay"} for an SLO with `by:`
	Owner       string  `json:"owner"`
	Description string  `json:"description,omitempty"`
	Objective   float64 `json:"objective"` // percent
	WindowBudget
	// Windows are the further windows of an SLO that has several; the first one, which drives the alerts, is above.
	Windows []WindowBudget `json:"windows,omitempty"`
	Burn    []Burn         `json:"burn"`   // of every alert window, shortest first
	Alerts  []Alert        `json:"alerts"` // pages, then tickets, then the rest
	// Open are the IDs of the incidents that have not ended, in order.
	Open []string `json:"openIncidents"`
	Data Data     `json:"data"`
	// DependsOn are the SLOs that it depends on, directly or through others, nearest first: the steps of a journey, and those of
	// declared dependencies.
	DependsOn []string `json:"dependsOn,omitempty"`
	Journey   *Journey `json:"journey,omitempty"` // how the steps of a journey stand
	// Gate is what the error-budget policy says: open, caution, frozen, exempt or unknown; null without a policy.
	Gate *string `json:"gate"`
}

// Gate is the verdict of the error-budget policy on a service, or on one of its SLOs: that of the worst of its budgets.
type Gate struct {
	Service   string     `json:"service"`
	SLO       string     `json:"slo"`               // the ID of the budget that decides; "" if there is none
	State     string     `json:"state"`             // open, caution, frozen, exempt, unknown
	Go        bool       `json:"go"`                // it may be released
	Reason    string     `json:"reason"`            // why, in a sentence
	Meaning   string     `json:"meaning"`           // what the state allows, in a sentence
	Remaining *float64   `json:"remaining"`         // share of the budget that is left, negative when overspent; null if unknown
	Coverage  float64    `json:"coverage"`          // share of the window's minutes that are known
	AsOf      *time.Time `json:"asOf"`              // end of the newest minute that is known
	Since     *time.Time `json:"since"`             // since when the gate is in this state; null if that is not known
	Clears    string     `json:"clears"`            // what would open the gate, "" where nothing is known that would
	ClearsAt  *time.Time `json:"clearsAt"`          // about when, if no event goes bad until then
	Permit    *Permit    `json:"permit"`            // the exemption or override in force
	Budgets   []Gate     `json:"budgets,omitempty"` // of a service or an SLO with several budgets: each of them, by ID
}

// NewChange is what is posted to /api/v1/changes: by a person, or by a pipeline. Only service, by, and a title or a
// version are needed. A change that is posted twice with the same key, or without a key but with the same service,
// kind, version (or title) and start, is one change.
//
// An experiment is a change of the kind experiment with an end and a spend. It is recorded only if the policy lets it
// run; else the answer is 409 and says why.
type NewChange struct {
	Key     string     `json:"key,omitempty"`
	Service string     `json:"service"`        // or service/slo
	Kind    string     `json:"kind,omitempty"` // deploy (the default), config, data, flag, maintenance, rollback, experiment
	Title   string     `json:"title,omitempty"`
	Version string     `json:"version,omitempty"`
	Link    string     `json:"link,omitempty"`
	Start   *time.Time `json:"start,omitempty"` // now if left out
	End     *time.Time `json:"end,omitempty"`
	Failed  bool       `json:"failed,omitempty"` // it was rolled back, or needed a fix
	Commit  *time.Time `json:"commit,omitempty"` // when the oldest of what it brings was written, for lead time
	Spend   string     `json:"spend,omitempty"`  // of an experiment: the share of the budget that it may take, "5%"
	By      string     `json:"by"`
	Via     string     `json:"via,omitempty"`
	Text    string     `json:"text,omitempty"`
}

// Change is something that was done to a service, with what went wrong after it. A list of them is ordered newest first.
type Change struct {
	Key        string       `json:"key"`
	Service    string       `json:"service"`
	SLO        string       `json:"slo,omitempty"` // if it is about one alone
	Kind       string       `json:"kind"`
	Title      string       `json:"title,omitempty"`
	Version    string       `json:"version,omitempty"`
	Link       string       `json:"link,omitempty"`
	Start      time.Time    `json:"start"`
	End        *time.Time   `json:"end"`
	Failed     bool         `json:"failed"`
	By         string       `json:"by"`
	Text       string       `json:"text,omitempty"`
	Costs      []ChangeCost `json:"costs"`                // by budget
	Experiment *Experiment  `json:"experiment,omitempty"` // of the kind experiment
}

// ChangeCost is what went wrong after a change beyond what went wrong before: correlated, not proven.
type ChangeCost struct {
	SLO    string    `json:"slo"`
	From   time.Time `json:"from"`   // the time after the change that is looked at
	To     time.Time `json:"to"`     //
	Excess *float64  `json:"excess"` // bad events; null if it is not known
	Spent  *float64  `json:"spent"`  // share of the budget; null if it is not known
	Shared []string  `json:"shared"` // keys of other changes so near that nobody can tell which of them it was
	Text   string    `json:"text"`   // in words
}

// Experiment is how an experiment stands.
type Experiment struct {
	Phase  string  `json:"phase"` // planned, running, abort, over
	Abort  bool    `json:"abort"` // it must end now
	Reason string  `json:"reason,omitempty"`
	Spend  float64 `json:"spend"` // the share of the budget that it may take
}

// Delivery is how changes are delivered: the DORA figures, as far as the changes that were recorded tell them. What
// they do not tell is null.
type Delivery struct {
	From        time.Time `json:"from"`
	To          time.Time `json:"to"`
	Deploys     int       `json:"deploys"`
	Failed      int       `json:"failed"`
	PerWeek     *float64  `json:"perWeek"`
	FailureRate *float64  `json:"failureRate"`
	Recovery    *string   `json:"recoveryTime"` // median, of those that were made good
	Lead        *string   `json:"leadTime"`     // median, of those whose oldest commit is known
}

// Permit is an exemption from the policy, or a release in spite of it.
type Permit struct {
	Key    string     `json:"key"`  // to take it back by
	Kind   string     `json:"kind"` // exempt, override
	By     string     `json:"by"`
	Reason string     `json:"reason"`
	At     time.Time  `json:"at"`
	Until  *time.Time `json:"until"` // null if it does not end by itself
}

// Journey is an SLO that is derived from others.
type Journey struct {
	Combine string `json:"combine"` // weakest, product or weighted
	// Bad is between what the number of bad events in the first window lies. Null for weighted, which is no share of users.
	Bad   *Between `json:"bad"`
	Over  string   `json:"recentWindow"` // of what is called recent
	Steps []Step   `json:"steps"`        // in the file's order
}

// Between are two bounds.
type Between struct {
	Least float64 `json:"least"`
	Most  float64 `json:"most"`
}

// Step is how one step of a journey stands.
type Step struct {
	SLO    string   `json:"slo"`
	Weight float64  `json:"weight"`
	SLI    *float64 `json:"sli"`       // percent of good events in the journey's first window; null without traffic
	Recent *float64 `json:"recentSli"` // and over the recent window
	Worst  bool     `json:"worst"`     // it has the highest recent share of bad events
	Data   string   `json:"data"`      // state of the newest minute
	Open   []string `json:"openIncidents"`
}

// WindowBudget is the error budget of one window.
type WindowBudget struct {
	Window string   `json:"window"` // 28d, or month (Europe/Berlin)
	SLI    *float64 `json:"sli"`    // percent of good events in the window; null without traffic
	Budget Budget   `json:"budget"`
}

// Budget is the account of a window.
type Budget struct {
	Allowed   *float64 `json:"allowed"`   // bad events that the window allows; null, as the next two, before anything is known
	Bad       *float64 `json:"bad"`       // bad events that there were
	Total     *float64 `json:"total"`     // events that there were
	Spent     *float64 `json:"spent"`     // share of the budget that is gone, above 1 when overspent; null without traffic
	Remaining *float64 `json:"remaining"` // 1 − spent, negative when overspent
	// Coverage is the share of the window's minutes, since the ledger began, whose events are known.
	Coverage float64 `json:"coverage"`
	// Gross is the account before corrections, and Corrections is what each of them left out; both are absent where none
	// concerns the window.
	Gross       *Gross       `json:"gross,omitempty"`
	Corrections []Correction `json:"corrections,omitempty"`
	// Outlook is spent, exhausts, lasts or unknown; only exhausts has an ExhaustsAt, which is to the hour.
	// Only the first window has a forecast.
	Outlook    string     `json:"outlook,omitempty"`
	ExhaustsAt *time.Time `json:"exhaustsAt"`
}

// Gross is the account of a window with the minutes that corrections leave out.
type Gross struct {
	Allowed float64  `json:"allowed"`
	Bad     float64  `json:"bad"`
	Total   float64  `json:"total"`
	Spent   *float64 `json:"spent"` // null without traffic
}

// Correction is what a correction leaves out of a window. They are listed in the order of the files.
type Correction struct {
	Name    string    `json:"name"`
	Kind    string    `json:"kind"` // maintenance, measurement, exclusion
	Author  string    `json:"author"`
	Reason  string    `json:"reason"`
	Running bool      `json:"running"` // now
	Until   time.Time `json:"until"`   // when it ends, or ended; of a running one the run, of a recurring one the last run else
	Minutes int       `json:"minutes"` // that are left out
	Bad     float64   `json:"bad"`     // events in them
	Total   float64   `json:"total"`
	// Capped are minutes that count all the same, because the correction has reached its cap; Coarse are minutes that count all the
	// same, because only the sum of their hour is known.
	Capped int    `json:"cappedMinutes,omitempty"`
	Coarse int    `json:"coarseMinutes,omitempty"`
	Text   string `json:"text"` // all of it in words
}

// Burn is how many times faster than sustainable the budget burned over a window.
type Burn struct {
	Window string   `json:"window"`
	Rate   *float64 `json:"rate"` // null without traffic
}

// Alert is how one alert rule of an SLO stands.
type Alert struct {
	Severity string `json:"severity"` // page, ticket
	Rule     string `json:"rule"`     // the pair of windows, "1h/5m"; or no_data
	// State is firing; held_back (above the threshold, silent for Reason); ok; or unknown without traffic.
	State string `json:"state"`
	// Since is when the incident that the rule is part of was opened, null if none is.
	Since     *time.Time `json:"since"`
	Threshold *float64   `json:"threshold,omitempty"` // burn rate above which both windows must be
	LongBurn  *float64   `json:"longBurn,omitempty"`
	ShortBurn *float64   `json:"shortBurn,omitempty"`
	Reason    string     `json:"reason,omitempty"` // of held_back
}

// Data is what is known about an SLO's data.
type Data struct {
	State    string     `json:"state"`              // ok, zero_traffic, absent, partial, error; unseen before the first reading
	AsOf     time.Time  `json:"asOf"`               // end of the newest minute that was evaluated
	Since    *time.Time `json:"since"`              // where the ledger begins; null before it does
	History  float64    `json:"history"`            // share of the history that has been read, 1 when it is complete
	Problems []string   `json:"problems,omitempty"` // what was wrong with the data, in words
}

// History is an SLO's ledger in steps, oldest first.
type History struct {
	ID     string         `json:"id"`
	From   time.Time      `json:"from"`
	To     time.Time      `json:"to"`
	Step   string         `json:"step"`
	Points []HistoryPoint `json:"points"`
}

// HistoryPoint is one step.
type HistoryPoint struct {
	At    time.Time `json:"at"`  // where the step begins
	Bad   *float64  `json:"bad"` // events; null if nothing is known about the step
	Total *float64  `json:"total"`
	SLI   *float64  `json:"sli"`  // percent; null without traffic
	Burn  *float64  `json:"burn"` // over the step; null without traffic
	// Remaining is the share of the first window's budget that was left at the end of the step.
	Remaining *float64 `json:"remaining"`
	Known     int      `json:"knownMinutes"`
	Unknown   int      `json:"unknownMinutes"` // minutes that were read and told nothing
	// Excused are minutes that corrections leave out; where there are any, GrossBad and GrossTotal are the events with them.
	Excused    int      `json:"excusedMinutes,omitempty"`
	GrossBad   *float64 `json:"grossBad,omitempty"`
	GrossTotal *float64 `json:"grossTotal,omitempty"`
}

// Incident is one incident. A list of them is ordered newest first.
type Incident struct {
	ID       string `json:"id"`
	SLO      string `json:"slo"` // the ID of its budget
	Service  string `json:"service"`
	Rule     string `json:"rule"`            // what it began as: page, ticket, no_data, spent, or declared by a person
	Title    string `json:"title,omitempty"` // of a declared one: what is wrong, in the person's words
	Severity string `json:"severity"`        // the loudest it ever was
	Open     bool   `json:"open"`

	Onset     time.Time  `json:"onset"`     // the first bad minute
	Detected  time.Time  `json:"detected"`  // when it opened
	Escalated *time.Time `json:"escalated"` // when a ticket became a page
	Ended     *time.Time `json:"ended"`     // end of the last bad minute; of an open one, so far
	Resolved  *time.Time `json:"resolved"`

	Duration      string   `json:"duration"`      // from the onset to the end of the last bad minute
	TimeToDetect  string   `json:"timeToDetect"`  // from the onset to the alert
	TimeToResolve *string  `json:"timeToResolve"` // from the onset to the end of the last bad minute; null while open
	Bad           float64  `json:"bad"`           // bad events since the onset
	Cost          float64  `json:"cost"`          // the share of the whole budget that they took
	Known         bool     `json:"known"`         // whether these two are known; they are not where data are missing, nor for a service as a whole
	PeakBurn      *float64 `json:"peakBurn"`      // over the firing pair's short window

	// Group is the incident in whose thread this one is told, because they burn together; "" is its own.
	Group string `json:"group,omitempty"`
	// MergedInto is the incident into which a person merged this one.
	MergedInto        string  `json:"mergedInto,omitempty"`
	AcknowledgedBy    string  `json:"acknowledgedBy,omitempty"`
	TimeToAcknowledge *string `json:"timeToAcknowledge"` // from the alert to the first acknowledgement; null without one
	TimeToMitigate    *string `json:"timeToMitigate"`    // from the onset to when a person said that users no longer feel it
	SilencedBy        string  `json:"silencedBy,omitempty"`
	// SilencedUntil is null without a silence, and with one that lasts until the budget recovers.
	SilencedUntil *time.Time `json:"silencedUntil,omitempty"`
}

// IncidentDetail is an incident with its timeline.
type IncidentDetail struct {
	Incident
	Timeline []Happening `json:"timeline"` // oldest first
	Links    Links       `json:"links"`
	// Upstream is what it depends on and burned at the same time, nearest first.
	Upstream []Upstream `json:"upstream"`
	// Evidence is what was found out when the incident opened and when it became a page, as it was found then:
	// what burns, what changed, traces, golden signals. See package evidence, Evidence.
	Evidence []json.RawMessage `json:"evidence"`
}

// Links are where else an incident is told.
type Links struct {
	Slack string `json:"slack,omitempty"` // its message, or the one in whose thread it is told
}

// Upstream is a burn of something that an SLO depends on.
type Upstream struct {
	SLO      string     `json:"slo"`
	Incident string     `json:"incident"`
	Severity string     `json:"severity"`
	Onset    time.Time  `json:"onset"`
	Ended    *time.Time `json:"ended"` // end of its last bad minute; null while it is open
	Open     bool       `json:"open"`
}

// Happening is one entry of a timeline.
type Happening struct {
	At       time.Time `json:"at"`
	Kind     string    `json:"kind"` // opened, escalated, updated, resolved, noticed; or the kind of an act: acknowledge, silence, …
	Severity string    `json:"severity,omitempty"`
	Reason   string    `json:"reason,omitempty"` // of an event, a fixed name: burn_high, burn_low, …
	By       string    `json:"by,omitempty"`     // of an act: who
	Key      string    `json:"key,omitempty"`    // of an act: by which it can be taken back
	Text     string    `json:"text"`             // in words
}

// Postmortem is the review of an incident: the file as people have it, or a draft of this moment.
type Postmortem struct {
	Incident string `json:"incident"`
	Status   string `json:"status,omitempty"` // of the file: draft, in review, closed; "" if there is none
	File     string `json:"file,omitempty"`
	Markdown string `json:"markdown"`
}

// Review is a postmortem that is kept as a file, with what it promises.
type Review struct {
	Incident string       `json:"incident"`
	SLO      string       `json:"slo"`
	Service  string       `json:"service"`
	Owner    string       `json:"owner"`
	Status   string       `json:"status"`   // draft, in review, closed
	Class    string       `json:"class"`    // of outage; "" if nobody said
	Required bool         `json:"required"` // by the error-budget policy, when it was drafted
	Resolved *time.Time   `json:"resolved"` // the incident's end
	File     string       `json:"file"`
	Overdue  int          `json:"overdue"` // action items past their day
	Actions  []ActionItem `json:"actions"` // in the order of the file
}

// ActionItem is something that a postmortem promises.
type ActionItem struct {
	What     string `json:"what"`
	Kind     string `json:"kind"`     // prevent, mitigate, detect, process
	Priority string `json:"priority"` // P0, P1, P2
	Owner    string `json:"owner"`
	Due      string `json:"due"` // a day, "" without one
	Link     string `json:"link"`
	Done     bool   `json:"done"`
	Overdue  bool   `json:"overdue"`
}

// Report is a report as it was sent. A list of them is ordered newest first and has no Markdown.
type Report struct {
	Name     string    `json:"name"`
	Period   string    `json:"period"` // 2026-W47, 2026-11, 2026-Q4
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	At       time.Time `json:"at"` // when it was made
	Markdown string    `json:"markdown,omitempty"`
	Data     any       `json:"data,omitempty"` // the report's facts
}

// Status is how slowburn itself does.
type Status struct {
	Version string   `json:"version"`
	Healthy bool     `json:"healthy"`
	Health  string   `json:"health"` // in a sentence
	Tick    *Tick    `json:"lastTick"`
	SLOs    int      `json:"slos"` // budgets
	Open    int      `json:"openIncidents"`
	Outbox  *Outbox  `json:"outbox"` // null if the store cannot be read
	Reload  Reloaded `json:"config"`
}

// Tick is the newest evaluation; null in Status before the first.
type Tick struct {
	At         time.Time `json:"at"`
	Through    time.Time `json:"through"` // minutes before it are evaluated
	Took       string    `json:"took"`
	Budgets    int       `json:"budgets"` // that were read
	Slots      int       `json:"slots"`   // new minutes, over all budgets
	Events     int       `json:"events"`
	Messages   int       `json:"messages"` // that were owed
	Failures   []string  `json:"failures"` // of reading, one per bundle
	StoreError string    `json:"storeError,omitempty"`
	Queries    int64     `json:"queries"`
	Samples    int64     `json:"samples"`
	Bytes      int64     `json:"bytes"`
}

// Outbox is how delivery stands.
type Outbox struct {
	Entries  map[string]int `json:"entries"`       // by state: pending, sent, superseded, dead
	Oldest   *time.Time     `json:"oldestPending"` // when the oldest pending message was decided
	Channels []Channel      `json:"channels"`      // in the store's order
}

// Channel is how one channel does.
type Channel struct {
	Leg      string `json:"leg"`
	Channel  string `json:"channel"`
	Pending  int    `json:"pending"`
	Retrying int    `json:"retrying"`
	Dead     int    `json:"dead"`
	LastErr  string `json:"lastError,omitempty"`
}

// Reloaded is the newest reload of the configuration.
type Reloaded struct {
	OK bool       `json:"ok"`
	At *time.Time `json:"at"` // of the last good one
}
