package api

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/postmortem"
	"github.com/slowburn-sre/slowburn/slo"
)

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

// IncidentOf converts an incident as it stands at a time. The SLO is needed for the peak's burn rate and may be nil.
func IncidentOf(i alerting.Incident, spec *slo.Spec, now time.Time) Incident {
	out := Incident{
		ID: i.ID, SLO: string(i.SLO), Service: i.SLO.Service(), Rule: string(i.Rule), Severity: string(i.Severity), Open: i.Open,
		Onset: i.Onset.UTC(), Detected: i.Detected.UTC(), Escalated: TimeOrNull(i.Escalated), Ended: TimeOrNull(i.Ended), Resolved: TimeOrNull(i.Resolved),
		Duration: slo.ShortDuration(i.Duration()), TimeToDetect: slo.ShortDuration(i.TimeToDetect()),
		Bad: Events(i.Bad()), Cost: i.Cost(), Known: i.Last.Burn != nil, Title: i.Title(), MergedInto: i.MergedInto(),
	}
	if !i.Open {
		d := slo.ShortDuration(i.TimeToResolve())
		out.TimeToResolve = &d
	}
	if spec != nil {
		out.PeakBurn = IfKnown(i.PeakBurn(spec.Objective))
	}
	a, _ := i.Acknowledged()
	out.AcknowledgedBy, out.Group = a.By, i.Group
	if d, ok := i.TimeToAcknowledge(); ok {
		out.TimeToAcknowledge = textOf(d)
	}
	if d, ok := i.TimeToMitigate(); ok {
		out.TimeToMitigate = textOf(d)
	}
	if a, ok := i.Silenced(now); ok && i.Open {
		out.SilencedBy, out.SilencedUntil = a.By, TimeOrNull(a.Until)
	}
	return out
}

// DetailOf converts an incident with its timeline; the SLO may be nil.
func DetailOf(i alerting.Incident, spec *slo.Spec, now time.Time) IncidentDetail {
	d := IncidentDetail{Incident: IncidentOf(i, spec, now), Timeline: []Happening{}}
	for _, e := range i.Log {
		d.Timeline = append(d.Timeline, Happening{
			At: e.Time().UTC(), Kind: string(e.Kind), Severity: string(e.Severity), Reason: string(e.Reason), Text: tellEvent(e, spec),
		})
	}
	for _, a := range i.Acts {
		d.Timeline = append(d.Timeline, Happening{At: a.At.UTC(), Kind: string(a.Kind), By: a.By, Key: a.Key, Text: a.By + " " + postmortem.Deed(a)})
	}
	slices.SortStableFunc(d.Timeline, func(a, b Happening) int { return a.At.Compare(b.At) })
	return d
}

// tellEvent tells an event in words; of an SLO that was removed only what happened is known.
func tellEvent(e alerting.Event, spec *slo.Spec) string {
	if spec == nil && e.Rule != alerting.RuleDeclared {
		return string(e.Kind) + ": " + string(e.Reason)
	}
	return postmortem.Sentence(e, spec)
}
