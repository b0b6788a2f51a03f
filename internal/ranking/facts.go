// Package ranking says where a burn is and what may have set it off: label values by how much worse
// they got, changes near the onset, requests that show it, and the golden signals then and before.
// [Evidence] is all of it about one incident, [Rank] compares what was counted; packages
// internal/evidence and internal/signals ask for it.
//
// The package is pure. Its values are stored with incidents as JSON.
package ranking

import "time"

// Suspect is something that was done to a service near the onset, or that happened to it.
type Suspect struct {
	At    time.Time `json:"at"`
	What  string    `json:"what"`          // "v2.3.4 → v2.4.1"; a sentence part
	Seen  string    `json:"seen"`          // how it is known: Recorded, "seen in build_info"
	Who   string    `json:"who,omitempty"` // who recorded it
	Link  string    `json:"link,omitempty"`
	Query string    `json:"query,omitempty"`
	// Kind is that of a change that was recorded (deploy, rollback, config, …), or how it shows in
	// metrics: [Rollout], [Respecified], [Restart]. Version is what runs since, where that is
	// known, and From what ran before.
	Kind    string `json:"kind,omitempty"`
	Version string `json:"version,omitempty"`
	From    string `json:"from,omitempty"`
}

// The kinds of what shows in metrics.
const (
	Rollout     = "rollout"     // a version appeared
	Respecified = "respecified" // a workload's specification was changed
	Restart     = "restart"     // processes started anew
)

// Recorded is how a change is known that somebody declared: as an act, of which the store knows
// more.
const Recorded = "recorded"

// Trace is one event that shows the burn.
type Trace struct {
	ID      string    `json:"id"`
	URL     string    `json:"url,omitempty"` // "" without a template
	At      time.Time `json:"at"`
	Seconds float64   `json:"seconds,omitempty"` // how long it took, of a latency; 0 if that is not known
	Where   string    `json:"where,omitempty"`   // labels of its series: route="/pay"
}
