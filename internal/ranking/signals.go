package ranking

import (
	"encoding/json"
	"time"
)

// Reading is a number, or why there is none. Unknown is never zero.
type Reading struct {
	Value  float64 // meaningless unless Known
	Known  bool
	Reason string // why it is unknown
}

// MarshalJSON writes {"value":0.3}, or {"value":null,"reason":"no data"}.
func (r Reading) MarshalJSON() ([]byte, error) {
	out := struct {
		Value  *float64 `json:"value"`
		Reason string   `json:"reason,omitempty"`
	}{Reason: r.Reason}
	if r.Known {
		out.Value = &r.Value
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (r *Reading) UnmarshalJSON(data []byte) error {
	var in struct {
		Value  *float64 `json:"value"`
		Reason string   `json:"reason"`
	}
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	*r = Reading{Reason: in.Reason, Known: in.Value != nil}
	if r.Known {
		r.Value = *in.Value
	}
	return nil
}

// Signal is one of the golden signals of a service, now and as it usually is.
type Signal struct {
	Name     string  `json:"name"`           // latency, traffic, errors, or what gets full
	What     string  `json:"what,omitempty"` // p99, for a latency
	Unit     string  `json:"unit,omitempty"` // seconds, events/s, ratio, or "" for a measure of its own
	Query    string  `json:"query,omitempty"`
	Now      Reading `json:"now"`
	Baseline Reading `json:"baseline"` // the same window earlier, see Snapshot.Back
}

// Saturation is one measure of how full a service is.
type Saturation struct {
	Signal
	Limit    float64  `json:"limit,omitempty"` // the value at which it is full; 0 if unknown
	Forecast Forecast `json:"forecast"`
}

// Share returns how much of the limit is in use, if that is known.
func (s Saturation) Share() (float64, bool) {
	if !s.Now.Known || s.Limit <= 0 {
		return 0, false
	}
	return s.Now.Value / s.Limit, true
}

// Snapshot is the four golden signals of a service at one time.
type Snapshot struct {
	Service    string        `json:"service"`
	From       string        `json:"from,omitempty"` // the catalogue entry
	Match      string        `json:"match,omitempty"`
	At         time.Time     `json:"at"`
	Window     time.Duration `json:"-"` // over which rates are taken
	Back       time.Duration `json:"-"` // how much earlier the baselines are
	Latency    Signal        `json:"latency"`
	Traffic    Signal        `json:"traffic"`
	Errors     Signal        `json:"errors"`
	Saturation []Saturation  `json:"saturation"`
	Traps      []string      `json:"traps,omitempty"` // what to know before believing the numbers
}

// Forecast says when something will be full, or why nobody can say.
type Forecast struct {
	// Earliest and Latest bound when the limit is reached, if it goes on like this. Both are zero
	// if there is no forecast.
	Earliest time.Time `json:"earliest,omitzero"`
	Latest   time.Time `json:"latest,omitzero"`
	Reason   string    `json:"reason,omitempty"` // why there is no forecast
}

// Known reports whether there is a forecast.
func (f Forecast) Known() bool { return !f.Earliest.IsZero() }
