package api

import (
	"strconv"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/slo"
)

// Promise says which error budget something is about, and what was promised.
type Promise struct {
	ID          string  `json:"id"`              // checkout/availability, or checkout/availability{route="/pay"}
	Service     string  `json:"service"`         //
	Name        string  `json:"slo"`             // without service and labels
	Group       string  `json:"group,omitempty"` // {route="/pay"} for an SLO with `by:`
	Owner       string  `json:"owner"`
	Tier        string  `json:"tier,omitempty"`
	Description string  `json:"description,omitempty"`
	Objective   float64 `json:"objective"` // percent
}

// SLO is one error budget: an SLO, or one combination of label values of an SLO with `by:`. A list
// of them is ordered by ID.
type SLO struct {
	Promise
	WindowBudget
	// State says in one word how the budget stands, the first of these that holds: page (one is
	// open), no_data (missing, or cannot be read), spent, ticket (one is open), low (less than a
	// quarter is left), unknown (no event, or too little of the window is known), good.
	State string `json:"state"`
	// Windows are the further windows of an SLO that has several; the first one, which drives the
	// alerts, is above.
	Windows []WindowBudget `json:"windows,omitempty"`
	Burn    []Burn         `json:"burn"`   // of every alert window, shortest first
	Alerts  []Alert        `json:"alerts"` // pages, then tickets, then the rest
	// Open are the IDs of the incidents that have not ended, in order.
	Open []string `json:"openIncidents"`
	Data Data     `json:"data"`
	// DependsOn are the SLOs that it depends on, directly or through others, nearest first: the
	// steps of a journey, and those of declared dependencies.
	DependsOn []string `json:"dependsOn,omitempty"`
	Journey   *Journey `json:"journey,omitempty"` // how the steps of a journey stand
	// Gate is what the error-budget policy says: open, caution, frozen, exempt or unknown; null
	// without a policy.
	Gate *string `json:"gate"`
}

// Journey is an SLO that is derived from others.
type Journey struct {
	Combine string `json:"combine"` // weakest, product or weighted
	// Bad is between what the number of bad events in the first window lies. Null for weighted,
	// which is no share of users.
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
	SLO       string   `json:"slo"`
	Objective float64  `json:"objective"` // percent
	Weight    float64  `json:"weight"`
	Bad       *float64 `json:"bad"` // events in the journey's first window; null before anything is known
	Total     *float64 `json:"total"`
	SLI       *float64 `json:"sli"` // percent of good events; null without traffic
	// The same over the recent window.
	RecentBad   *float64 `json:"recentBad"`
	RecentTotal *float64 `json:"recentTotal"`
	Recent      *float64 `json:"recentSli"`
	Worst       bool     `json:"worst"` // it has the highest recent share of bad events
	Data        string   `json:"data"`  // state of the newest minute
	Open        []string `json:"openIncidents"`
}

// WindowBudget is the error budget of one window.
type WindowBudget struct {
	Window string   `json:"window"` // 28d, or month (Europe/Berlin)
	SLI    *float64 `json:"sli"`    // percent of good events in the window; null without traffic
	Budget Budget   `json:"budget"`
}

// Account is what a window allows and what there was. All of it is null before anything is known.
type Account struct {
	Allowed   *float64 `json:"allowed"`   // bad events that the window allows
	Bad       *float64 `json:"bad"`       // bad events that there were
	Total     *float64 `json:"total"`     // events that there were
	Spent     *float64 `json:"spent"`     // share of the budget that is gone, above 1 when overspent; null without traffic, or if projected
	Remaining *float64 `json:"remaining"` // 1 − spent, negative when overspent
	// Projected is present where less than a tenth of the window is known: allowed is what the
	// window would allow at the traffic that was seen.
	Projected bool `json:"projected,omitempty"`
}

// Budget is the account of a window with what it rests on, and what will become of it.
type Budget struct {
	Account
	// Coverage is the share of the window's minutes whose events are known, without those that
	// corrections leave out.
	Coverage float64 `json:"coverage"`
	// Estimated is the share of the minutes that are known whose counts Prometheus has computed and
	// extrapolated; absent where all are counted from samples.
	Estimated float64 `json:"estimated,omitempty"`
	// Gross is the account before corrections, and Corrections is what each of them left out; both
	// are absent where none concerns the window.
	Gross       *Account     `json:"gross,omitempty"`
	Corrections []Correction `json:"corrections,omitempty"`
	// Outlook is spent, exhausts, lasts or unknown. Only exhausts has the times at which it does,
	// to the minute within a day, else to the hour: ExhaustsAt where it is known within a quarter,
	// and a band in which it lies four times of five, whose end is absent where it may never come.
	// Only the first window has a forecast.
	Outlook          string     `json:"outlook,omitempty"`
	ExhaustsAt       *time.Time `json:"exhaustsAt"`
	ExhaustsEarliest *time.Time `json:"exhaustsEarliest,omitempty"`
	ExhaustsLatest   *time.Time `json:"exhaustsLatest,omitempty"`
}

// Correction is what a correction leaves out of a window. They are listed in the order of the
// files.
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
	// Capped are minutes that count all the same, because the correction has reached its cap;
	// Coarse are minutes that count all the same, because only the sum of their hour is known.
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
	// State is firing; held_back (above the threshold, silent for Reason); ok; or unknown without
	// traffic.
	State string `json:"state"`
	// Since is when the incident that the rule is part of was opened, null if none is.
	Since     *time.Time `json:"since"`
	Threshold *float64   `json:"threshold,omitempty"` // burn rate above which both windows must be
	LongBurn  *float64   `json:"longBurn,omitempty"`
	ShortBurn *float64   `json:"shortBurn,omitempty"`
	Reason    string     `json:"reason,omitempty"` // of held_back
}

// The states of an alert.
const (
	AlertFiring   = "firing"
	AlertHeldBack = "held_back"
	AlertOK       = "ok"
	AlertUnknown  = "unknown"
)

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
	// Excused are minutes that corrections leave out; where there are any, GrossBad and GrossTotal
	// are the events with them.
	Excused    int      `json:"excusedMinutes,omitempty"`
	GrossBad   *float64 `json:"grossBad,omitempty"`
	GrossTotal *float64 `json:"grossTotal,omitempty"`
}

// PromiseOf converts what was promised for a budget.
func PromiseOf(id slo.ID, spec *slo.Spec) Promise {
	percent, _ := strconv.ParseFloat(spec.Objective.Percent(), 64)
	return Promise{
		ID: string(id), Service: id.Service(), Name: id.Name(), Group: id.Group(),
		Owner: spec.Owner, Tier: spec.Tier, Description: spec.Description, Objective: percent,
	}
}

// WindowOf converts the budget of one window, without a forecast.
func WindowOf(st budget.Status) WindowBudget {
	w := WindowBudget{Window: st.Window.String(), SLI: Percent(st.Sum), Budget: Budget{Account: accountOf(st), Coverage: st.Coverage, Estimated: st.Estimated()}}
	if st.Gross != nil {
		w.Budget.Gross = new(accountOf(*st.Gross))
	}
	for _, o := range st.LeftOut {
		w.Budget.Corrections = append(w.Budget.Corrections, toCorrection(o, st.At))
	}
	return w
}

func accountOf(st budget.Status) Account {
	var a Account
	if st.Sum.Seen() > 0 {
		a.Allowed, a.Bad, a.Total = new(Events(st.Allowed)), new(Events(st.Sum.Bad)), new(Events(st.Sum.Total))
		a.Projected = !st.Sized
	}
	if st.Sum.Total > 0 && st.Sized {
		a.Spent, a.Remaining = new(st.Spent), new(st.Remaining())
	}
	return a
}

// WithOutlook adds the forecast of the budget, made at a time.
func (w WindowBudget) WithOutlook(o budget.Outlook, at time.Time) WindowBudget {
	w.Budget.Outlook = outlookOf(o)
	if w.Budget.Outlook != exhausts {
		return w
	}
	after := func(d time.Duration) *time.Time {
		if d == 0 {
			return nil
		}
		return new(at.Add(d).UTC())
	}
	w.Budget.ExhaustsAt, w.Budget.ExhaustsEarliest, w.Budget.ExhaustsLatest = after(o.In), after(o.Early), after(o.Late)
	return w
}

// What is forecast of a budget.
const (
	exhausts = "exhausts"
	spent    = "spent"
	lasts    = "lasts"
)

// outlookOf names an outlook.
func outlookOf(o budget.Outlook) string {
	switch {
	case o.Gone:
		return spent
	case o.Lasts:
		return lasts
	case !o.Known:
		return "unknown"
	}
	return exhausts
}

// Forecast returns the outlook that [WindowBudget.WithOutlook] has added at a time. Of the burn
// that it was made from nothing is known.
func (b Budget) Forecast(at time.Time) budget.Outlook {
	in := func(t *time.Time) time.Duration {
		if t == nil {
			return 0
		}
		return t.Sub(at)
	}
	return budget.Outlook{
		Known: b.Outlook == exhausts, Gone: b.Outlook == spent, Lasts: b.Outlook == lasts,
		In: in(b.ExhaustsAt), Early: in(b.ExhaustsEarliest), Late: in(b.ExhaustsLatest),
	}
}

func toCorrection(o budget.LeftOut, at time.Time) Correction {
	c := o.Correction
	out := Correction{
		Name: c.Name, Kind: string(c.Kind), Author: c.Author, Reason: c.Reason, Until: c.End().UTC(),
		Minutes: o.Minutes(), Bad: Events(o.Sum.Bad), Total: Events(o.Sum.Total), Capped: o.Capped, Coarse: o.Coarse, Text: o.Text(),
	}
	if until, running := c.Runs(at); running {
		out.Running, out.Until = true, until.UTC()
	}
	return out
}
