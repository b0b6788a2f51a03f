// Package drills makes up the burn of a drill, and counts what drills have proven.
//
// A drill goes the way of a page: a made-up burn is decided on by the same rules as a real one,
// what follows is owed by the outbox, and it is delivered to every destination of pages and
// tickets. It is on no ledger and no incident, so no budget, report, register or time to
// acknowledge knows of it. The package is pure.
package drills

import (
	"errors"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/slo"
)

// Prefix begins the ID of every drill, and of no incident.
const Prefix = "drill/"

// Is reports whether an ID is that of a drill.
func Is(id string) bool { return strings.HasPrefix(id, Prefix) }

// Fresh is how long a proof counts.
const Fresh = 7 * slo.Day

// The made-up burn: so many requests a minute, of which all fail for so many minutes.
const (
	perMinute = 100
	outage    = 10
)

// Decide makes up a burn that has just become a page and returns it in words. The error says that
// the rules of alerting do not page for it.
func Decide(now time.Time) (burn string, err error) {
	objective, err := slo.ParseObjective("99.9")
	if err != nil {
		return "", err
	}
	at := budget.MinuteOf(now)
	spec := &slo.Spec{
		Service: "slowburn", Name: "drill", Objective: objective, Windows: []slo.Window{{Rolling: 28 * slo.Day}},
		SLI:    slo.Indicator{Kind: slo.Events},
		Alerts: slo.Alerts{Page: []slo.Pair{{Budget: 200, Long: time.Hour, Short: 5 * time.Minute}}, Significance: true},
	}
	ledger := &budget.Ledger{}
	for m := at - 24*60; m < at; m++ {
		bad := int64(0)
		if m >= at-outage {
			bad = perMinute
		}
		ledger.Put(m, budget.Count(bad*budget.Unit, perMinute*budget.Unit))
	}
	_, events := alerting.Advance(alerting.Input{ID: spec.ID(), Spec: spec, Ledger: ledger}, alerting.State{Through: at - outage}, at)
	for _, e := range events {
		if e.Kind == alerting.Opened && e.Severity == alerting.Page {
			return figures.Share(e.Short.Bad, e.Short.Total) + " of " + figures.Events(e.Short.Total) + " events in " + figures.Duration(e.Pair.Short), nil
		}
	}
	return "", errors.New("the rules of alerting do not page for a total outage")
}

// Result is what came of one drill at one destination, in the form in which it is kept.
type Result struct {
	ID         string    `json:"id"` // of its messages
	At         time.Time `json:"at"`
	Key        string    `json:"key,omitempty"` // by which it was asked for; "" if it was scheduled
	Burn       string    `json:"burn"`
	Loud       bool      `json:"loud,omitempty"`
	Until      time.Time `json:"until,omitzero"` // of a loud one: how long it waits for an answer
	Taken      time.Time `json:"taken,omitzero"` // when the receiver took it
	Ended      time.Time `json:"ended,omitzero"` // zero while it is running
	Reason     string    `json:"reason,omitempty"`
	By         string    `json:"by,omitempty"`          // who has acknowledged it
	Answered   time.Time `json:"answered,omitzero"`     // and when
	AnsweredBy string    `json:"answered_by,omitempty"` // the key of that act
	LastProven time.Time `json:"proven_at,omitzero"`    // by this drill, or by the newest before it that was proven
}

// Running reports whether the drill is not over yet.
func (r Result) Running() bool { return !r.At.IsZero() && r.Ended.IsZero() }

// Proven reports whether this drill has proven its destination.
func (r Result) Proven() bool {
	return !r.Ended.IsZero() && r.Reason == "" && !r.Taken.IsZero()
}

// Fresh reports whether the destination was proven in the last seven days.
func (r Result) Fresh(now time.Time) bool {
	return !r.LastProven.IsZero() && now.Sub(r.LastProven) <= Fresh
}

// End returns a drill that is over, with the reason why it proves nothing, or "".
func (r Result) End(at time.Time, reason string) Result {
	r.Ended, r.Reason = at, reason
	if r.Proven() {
		r.LastProven = r.Taken
	}
	return r
}

// Answer returns the time from the message to its acknowledgement, and false if nobody has.
func (r Result) Answer() (time.Duration, bool) {
	return r.Answered.Sub(r.Taken), !r.Answered.IsZero()
}
