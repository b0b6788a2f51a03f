package api

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/sentences"
	"github.com/slowburn-sre/slowburn/slo"
)

// Incident is one incident. A list of them is ordered newest first.
type Incident struct {
	ID      string `json:"id"`
	SLO     string `json:"slo"` // the ID of its budget
	Service string `json:"service"`
	Rule    string `json:"rule"`            // what it began as: page, ticket, no_data, spent, or declared by a person
	Title   string `json:"title,omitempty"` // of a declared one: what is wrong, in the person's words
	// Headline says in a sentence what is the matter, in the words of the page that is sent: what
	// fails and how much of it, since when, what changed before, when the budget is gone at which
	// burn rate. Of one that is over it says what it was. Only the incidents of the API have it.
	Headline string `json:"headline,omitempty"`
	Severity string `json:"severity"` // the loudest it ever was
	Open     bool   `json:"open"`
	State    string `json:"state"` // in words: open, resolved, data are back, no longer watched (its SLO is gone), no longer an alert (its SLO or alerts changed)

	Onset     time.Time  `json:"onset"`     // the first bad minute
	Detected  time.Time  `json:"detected"`  // when it was told
	Escalated *time.Time `json:"escalated"` // when a ticket became a page
	Ended     *time.Time `json:"ended"`     // end of the last bad minute; of an open one, so far
	Resolved  *time.Time `json:"resolved"`

	Duration          float64  `json:"durationSeconds"`          // from the onset to the end of the last bad minute
	TimeToDetect      float64  `json:"timeToDetectSeconds"`      // from the onset to when it was told
	TimeToAcknowledge *float64 `json:"timeToAcknowledgeSeconds"` // from the alert, of an escalated ticket the ticket, to the first acknowledgement; null without one
	TimeToMitigate    *float64 `json:"timeToMitigateSeconds"`    // from the onset to when a person said that users no longer feel it
	TimeToResolve     *float64 `json:"timeToResolveSeconds"`     // from the onset to the end of the last bad minute; null while open

	// What it took, in events since the onset. It is null where data are missing, and for a service
	// as a whole.
	Bad     *float64 `json:"bad"`
	Total   *float64 `json:"total"`
	Allowed *float64 `json:"allowed"` // bad events that the whole budget allowed at its newest event
	IncidentCost
	PeakBurn *float64 `json:"peakBurn"` // over the firing pair's short window
	Burn     *Firing  `json:"burn"`     // null where no pair of windows fired

	// Late is present where some of its minutes were known only after they had been decided: when
	// it was found, and what was told then, is other than a backtest of the same data tells.
	Late bool `json:"late,omitempty"`

	// Thread is the incident in whose thread this one is told, because they burn together; "" is
	// its own.
	Thread string `json:"thread,omitempty"`
	// MergedInto is the incident into which a person merged this one.
	MergedInto     string `json:"mergedInto,omitempty"`
	AcknowledgedBy string `json:"acknowledgedBy,omitempty"`
	SilencedBy     string `json:"silencedBy,omitempty"`
	// SilencedUntil is null without a silence, and with one that lasts until the budget recovers.
	SilencedUntil *time.Time `json:"silencedUntil,omitempty"`

	// Damaged says that its record in the store cannot be read: only what stands beside it is
	// shown.
	Damaged bool `json:"damaged,omitempty"`

	*OldIncident
}

// IncidentCost is what an incident took of the whole budget, as that was at the incident's newest
// event. It stays so when the window moves on.
type IncidentCost struct {
	Cost *float64 `json:"cost"` // null where data are missing
	// Projected is present where less than a tenth of the window was known: the budget is what the
	// window would allow at the traffic that was seen.
	Projected bool `json:"projected,omitempty"`
	// Estimated is present where Prometheus has computed and extrapolated some counts of the
	// window.
	Estimated bool `json:"estimated,omitempty"`
}

// incidentCostOf converts what an incident cost.
func incidentCostOf(i alerting.Incident) IncidentCost {
	if i.Last.Burn == nil {
		return IncidentCost{}
	}
	return IncidentCost{Cost: new(i.Cost()), Projected: i.Last.Budget.Projected, Estimated: i.Last.Budget.Estimated}
}

// Firing is the pair of windows that an incident's newest event was decided by.
type Firing struct {
	Long      string   `json:"long"`      // the length of the long window: "1h"
	Short     string   `json:"short"`     //
	Threshold float64  `json:"threshold"` // burn rate above which it fires
	LongRate  *float64 `json:"longRate"`  // burn rate over it, null without traffic
	ShortRate *float64 `json:"shortRate"` //
}

// OldIncident are names that the HTTP API writes beside the new ones for one more release:
// durations as Prometheus writes them ("1h30m").
type OldIncident struct {
	Duration          string  `json:"duration"`
	TimeToDetect      string  `json:"timeToDetect"`
	TimeToResolve     *string `json:"timeToResolve"`
	TimeToAcknowledge *string `json:"timeToAcknowledge"`
	TimeToMitigate    *string `json:"timeToMitigate"`
	Known             bool    `json:"known"` // bad and cost are not null
	Group             string  `json:"group,omitempty"`
}

// IncidentDetail is an incident with its timeline.
type IncidentDetail struct {
	Incident
	Timeline []Happening `json:"timeline"` // oldest first
	Links    Links       `json:"links"`
	// Upstream is what it depends on and burned at the same time, nearest first.
	Upstream []Upstream `json:"upstream"`
	// Evidence is what was found out when the incident opened and when it became a page, as it was
	// found then: what burns, what changed, traces, golden signals. See package evidence, Evidence.
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

// IncidentOf converts an incident as it stands at a time. The SLO is needed for burn rates and may
// be nil.
func IncidentOf(i alerting.Incident, spec *slo.Spec, now time.Time) Incident {
	out := Incident{
		ID: i.ID, SLO: string(i.SLO), Service: i.SLO.Service(), Rule: string(i.Rule), Title: i.Title(), Severity: string(i.Severity), Open: i.Open,
		Onset: i.Onset.UTC(), Detected: i.Alerted().UTC(), Escalated: TimeOrNull(i.Escalated), Ended: TimeOrNull(i.Ended), Resolved: TimeOrNull(i.Resolved),
		Duration: i.Duration().Seconds(), TimeToDetect: i.TimeToDetect().Seconds(), TimeToResolve: seconds(i.TimeToResolve(), !i.Open),
		TimeToAcknowledge: seconds(i.TimeToAcknowledge()), TimeToMitigate: seconds(i.TimeToMitigate()),
		IncidentCost: incidentCostOf(i), Thread: i.Group, MergedInto: i.MergedInto(), State: "open", Damaged: i.Damaged, Late: i.Late,
	}
	if !i.Open {
		out.State = strings.ToLower(sentences.Ended(i))
	}
	if b := i.Last.Burn; b != nil {
		out.Bad, out.Total, out.Allowed = new(Events(b.Bad)), new(Events(b.Total)), new(Events(i.Last.Budget.Allowed))
	}
	if spec != nil {
		out.PeakBurn, out.Burn = IfKnown(i.PeakBurn(spec.Objective)), firing(i.Last, spec)
	}
	a, _ := i.Acknowledged()
	out.AcknowledgedBy = a.By
	if a, ok := i.Silenced(now); ok && i.Open {
		out.SilencedBy, out.SilencedUntil = a.By, TimeOrNull(a.Until)
	}
	return out
}

func firing(e alerting.Event, spec *slo.Spec) *Firing {
	if e.Pair == nil {
		return nil
	}
	out := &Firing{Long: slo.ShortDuration(e.Pair.Long), Short: slo.ShortDuration(e.Pair.Short), Threshold: e.Pair.Burn(spec.Window().Length())}
	if e.Long != nil {
		out.LongRate = BurnRate(*e.Long, spec.Objective)
	}
	if e.Short != nil {
		out.ShortRate = BurnRate(*e.Short, spec.Objective)
	}
	return out
}

// WithOldNames adds the names that users of the HTTP API know.
func (i Incident) WithOldNames() Incident {
	i.OldIncident = &OldIncident{
		Duration: *inWords(&i.Duration), TimeToDetect: *inWords(&i.TimeToDetect), TimeToResolve: inWords(i.TimeToResolve),
		TimeToAcknowledge: inWords(i.TimeToAcknowledge), TimeToMitigate: inWords(i.TimeToMitigate), Known: i.Bad != nil, Group: i.Thread,
	}
	return i
}

// DetailOf converts an incident with its timeline, for the HTTP API; the SLO may be nil.
func DetailOf(i alerting.Incident, spec *slo.Spec, now time.Time) IncidentDetail {
	d := IncidentDetail{Incident: IncidentOf(i, spec, now).WithOldNames(), Timeline: []Happening{}}
	for _, e := range i.Log {
		d.Timeline = append(d.Timeline, Happening{
			At: e.Time().UTC(), Kind: string(e.Kind), Severity: string(e.Severity), Reason: string(e.Reason), Text: tellEvent(e, spec),
		})
	}
	for _, a := range i.Acts {
		d.Timeline = append(d.Timeline, Happening{At: a.At.UTC(), Kind: string(a.Kind), By: a.By, Key: a.Key, Text: a.By + " " + sentences.Deed(a)})
	}
	slices.SortStableFunc(d.Timeline, func(a, b Happening) int { return a.At.Compare(b.At) })
	return d
}

// tellEvent tells an event in words; of an SLO that was removed only what happened is known.
func tellEvent(e alerting.Event, spec *slo.Spec) string {
	if spec == nil && e.Rule != alerting.RuleDeclared {
		return string(e.Kind) + ": " + string(e.Reason)
	}
	return sentences.Event(e, spec)
}
