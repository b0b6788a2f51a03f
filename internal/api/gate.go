package api

import (
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/sentences"
)

// Gate is the verdict of the error-budget policy on a service, or on one of its SLOs: that of the
// worst of its budgets.
type Gate struct {
	Service  string  `json:"service"`
	SLO      string  `json:"slo"`     // the ID of the budget that decides; "" if there is none
	State    string  `json:"state"`   // open, caution, frozen, exempt, unknown
	Go       bool    `json:"go"`      // it may be released
	Reason   string  `json:"reason"`  // why, in a sentence
	Meaning  string  `json:"meaning"` // what the state allows, in a sentence
	Account          // of the budget that decides
	Coverage float64 `json:"coverage"` // share of the window's minutes that are known
	// Estimated is the share of the known minutes whose counts are estimates.
	Estimated float64    `json:"estimated,omitempty"`
	AsOf      *time.Time `json:"asOf"`              // end of the newest minute that is known
	Since     *time.Time `json:"since"`             // since when the gate is in this state; null if that is not known
	Clears    string     `json:"clears"`            // what would open the gate, "" where nothing is known that would
	ClearsAt  *time.Time `json:"clearsAt"`          // about when, if no event goes bad until then
	Permit    *Permit    `json:"permit"`            // the exemption or override in force
	Budgets   []Gate     `json:"budgets,omitempty"` // of a service or an SLO with several budgets: each of them, by ID
}

// Permit is an exemption from the policy, or a release in spite of it.
type Permit struct {
	Key    string     `json:"key"`  // to take it back by
	Kind   string     `json:"kind"` // exempt, override
	By     string     `json:"by"`
	Reason string     `json:"reason"`
	At     time.Time  `json:"at"`
	Until  *time.Time `json:"until"` // null if it does not end by itself
	Text   string     `json:"text"`  // all of it in words
}

// GateOf converts a verdict of the error-budget policy.
func GateOf(v alerting.Verdict) Gate {
	g := Gate{
		Service: v.Service, SLO: string(v.SLO), State: string(v.Gate), Go: v.Go, Reason: sentences.GateReason(v), Meaning: sentences.Allows(v.Gate),
		Account: accountOf(v.Budget), Coverage: v.Budget.Coverage, Estimated: v.Budget.Estimated(), AsOf: TimeOrNull(v.AsOf), Since: TimeOrNull(v.Since), Clears: sentences.Clearing(v), ClearsAt: TimeOrNull(v.ClearsAt),
	}
	if a := v.Permit; a != nil {
		g.Permit = &Permit{Key: a.Key, Kind: string(a.Kind), By: a.By, Reason: a.Text, At: a.At.UTC(), Until: TimeOrNull(a.Until), Text: sentences.Permitted(*a).String()}
	}
	return g
}
