package alerting

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/slo"
)

// Act is what a person did or declared: an acknowledgement, a silence, a deploy. It is a dated
// fact. Acts are kept for ever, in the order in which they were told, and never changed: what takes
// one back is another act. So a replay sees what the live evaluation saw, and the list of all acts
// is the audit log.
type Act struct {
	// Key is unique for ever: an act that is told twice, by a button pressed twice or a retried
	// request, is one act.
	Key  string    `json:"key"`
	At   time.Time `json:"at"`
	Kind ActKind   `json:"kind"`
	By   string    `json:"by"`            // who, as people know them; a program says on whose behalf
	Via  string    `json:"via"`           // how it was told: slack, api, cli, config, webhook
	Who  string    `json:"who,omitempty"` // the identity that was proven, such as a Slack user ID; "" if none was

	// Received is when slowburn was told; zero of acts from before that was kept. At may lie before
	// it, as far as may be. Said is the time that whoever told it gave it, if it counts from
	// another one.
	Received time.Time `json:"received,omitzero"`
	Said     time.Time `json:"said,omitzero"`

	// What it is about, as far as it applies: an incident, a budget or SLO, a service. All empty is
	// everything.
	Incident string `json:"incident,omitempty"`
	SLO      slo.ID `json:"slo,omitempty"`
	Service  string `json:"service,omitempty"`

	Text   string            `json:"text,omitempty"`   // the reason or the note, in the person's words
	Since  time.Time         `json:"since,omitzero"`   // of declare: when it began; zero is when it was declared
	Until  time.Time         `json:"until,omitzero"`   // when it ends by itself; zero is never, or not applicable
	Other  string            `json:"other,omitempty"`  // of merge: the incident that goes on; of undo: the key of the act taken back; of approve and reject: that of the ask
	Level  Severity          `json:"level,omitempty"`  // of escalate and declare
	Change *Change           `json:"change,omitempty"` // of change and experiment
	Facts  map[string]string `json:"facts,omitempty"`  // of config: what changed; small values by name

	// Of ask, approve and reject: the kind of act that is asked for, and until when an ask may be
	// approved. Their Other is the key of the ask. ApprovedBy is, of what was approved, who did, as
	// people know them; the approval itself has the identity that was proven.
	Asks       ActKind   `json:"asks,omitempty"`
	Expires    time.Time `json:"expires,omitzero"`
	ApprovedBy string    `json:"approvedBy,omitempty"`

	// Damaged says that the record of it is damaged, and that this is what else is known of it.
	// Nothing is decided by it.
	Damaged bool `json:"damaged,omitempty"`
}

// ActKind is what kind of act it is.
type ActKind string

// The kinds of act.
const (
	Acknowledge ActKind = "acknowledge" // somebody has taken the incident
	Silence     ActKind = "silence"     // no more messages about it until Until; a zero Until is until the budget recovers
	Escalate    ActKind = "escalate"    // make it louder or quieter: Level
	Remark      ActKind = "remark"      // a note for the timeline
	Mitigated   ActKind = "mitigated"   // users no longer feel it, says a person
	Declare     ActKind = "declare"     // an incident that no rule saw
	Close       ActKind = "close"       // a declared incident is over
	Merge       ActKind = "merge"       // two incidents are one: Other goes on
	Split       ActKind = "split"       // they are not, after all: the incident has a thread of its own again
	Override    ActKind = "override"    // the gate is passed although it says no, for a reason
	Exempt      ActKind = "exempt"      // the error-budget policy does not bind the service until Until
	Changed     ActKind = "change"      // a deploy, a change of configuration or data, a maintenance
	Experiment  ActKind = "experiment"  // a chaos run, which spends budget on purpose
	Undo        ActKind = "undo"        // takes another act back: Other
	Worked      ActKind = "work"        // hours of work, for the toil share: Facts "kind" is toil or project, "minutes" how long
	Configured  ActKind = "config"      // the configuration was read anew
	Classify    ActKind = "classify"    // how the entity classes the incident, for regulators: Text is "major" or "not major"
	Asked       ActKind = "ask"         // asks for an act that takes a second person: Asks, and all that it would say
	Approve     ActKind = "approve"     // lets what was asked for take effect: Other
	Reject      ActKind = "reject"      // lets it not: Other
)

// Change is something that was done to a service, or an experiment on it.
type Change struct {
	Kind    string    `json:"kind"`              // deploy, config, data, flag, maintenance, experiment, rollback
	Title   string    `json:"title"`             //
	Version string    `json:"version,omitempty"` //
	Link    string    `json:"link,omitempty"`    //
	Start   time.Time `json:"start"`             //
	End     time.Time `json:"end,omitzero"`      // zero is at once, or not yet over
	Failed  bool      `json:"failed,omitempty"`  // it was rolled back or needed a fix, says its author
	// Commit is when the oldest of what it brought was written; zero if the feed does not say.
	Commit time.Time `json:"commit,omitzero"`
	// Spend is the share of the budget that an experiment may take, in basis points.
	Spend int64 `json:"spend,omitempty"`
}

// Name returns the change in a few words: its kind, its title and its version, none of them twice.
func (c *Change) Name() string {
	what := cmp.Or(c.Title, c.Version)
	if c.Version != "" && !strings.Contains(what, c.Version) {
		what += " " + c.Version
	}
	return strings.TrimSpace(c.Kind + " " + what)
}

// Concerns reports whether an act is about a budget: about itself, its SLO, its service, or
// everything. Acts on single incidents are about the incident's budget only.
func (a Act) Concerns(id slo.ID) bool {
	switch {
	case a.SLO != "":
		return a.SLO == id || a.SLO == id.Base()
	case a.Service != "":
		return a.Service == id.Service()
	}
	return a.Incident == ""
}

// InForce returns the acts that were done by a time and not taken back by then, in their order.
func InForce(acts []Act, at time.Time) []Act {
	undone := map[string]bool{}
	for _, a := range acts {
		if a.Kind == Undo && !a.At.After(at) {
			undone[a.Other] = true
		}
	}
	var all []Act
	for _, a := range acts {
		if a.Kind != Undo && !a.At.After(at) && !undone[a.Key] {
			all = append(all, a)
		}
	}
	return all
}

// Silent returns the silence among the acts that is in force at a time, and false if there is none.
// Of several it is the newest.
func Silent(acts []Act, at time.Time) (Act, bool) {
	all := InForce(acts, at)
	for n := len(all) - 1; n >= 0; n-- {
		if a := all[n]; a.Kind == Silence && (a.Until.IsZero() || at.Before(a.Until)) {
			return a, true
		}
	}
	return Act{}, false
}

// Ahead returns the silences among the acts that are dated after a time, and that nobody has taken
// back: they were told while the clock was ahead.
func Ahead(acts []Act, of time.Time) (all []Act) {
	for _, a := range acts {
		undone := func(b Act) bool { return b.Kind == Undo && b.Other == a.Key }
		if a.Kind == Silence && a.At.After(of) && !slices.ContainsFunc(acts, undone) {
			all = append(all, a)
		}
	}
	return all
}

// The classes that an entity gives an incident for regulators: the Text of a Classify act.
const (
	Major    = "major"
	NotMajor = "not major"
)

// Work is what a Worked act tells: so much time, in minutes, spent on operations (toil) or on
// engineering (project).
type Work struct {
	Project bool
	Minutes int64
}

// Work reads the act's facts; what is none has no minutes.
func (a Act) Work() Work {
	kind := a.Facts["kind"]
	minutes, err := strconv.ParseInt(a.Facts["minutes"], 10, 64)
	if err != nil || kind != "toil" && kind != "project" || minutes > 7*24*60 {
		return Work{}
	}
	return Work{Project: kind == "project", Minutes: max(minutes, 0)}
}

// Known reports whether there was any work.
func (w Work) Known() bool { return w.Minutes > 0 }
