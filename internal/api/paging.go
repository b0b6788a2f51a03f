package api

import "time"

// Paging is whether people can be paged: the destinations of pages and tickets.
type Paging struct {
	OK           bool          `json:"ok"`           // no destination of pages is down, as far as is known
	Destinations []Destination `json:"destinations"` // by receiver and channel
	// Routes are the pairs of a service's severity and a destination; Proven of them go to one that
	// took a drill in the last seven days.
	Routes int `json:"routes"`
	Proven int `json:"proven"`
}

// The states of a destination.
const (
	DestinationUp      = "up"      // it took the newest message, or says that it would
	DestinationDown    = "down"    // it refuses messages, or has failed for minutes
	DestinationUnknown = "unknown" // nothing was sent to it since the start
)

// Destination is where pages or tickets go: a receiver, and a channel of it.
type Destination struct {
	Receiver   string     `json:"receiver"`
	Channel    string     `json:"channel,omitempty"`
	Severities []string   `json:"severities"` // page, ticket
	Services   []string   `json:"services"`   // whose pages or tickets go there
	State      string     `json:"state"`
	Since      *time.Time `json:"since"`            // since when it is in this state; null if that is not known
	Reason     string     `json:"reason,omitempty"` // of one that is down
	LastTaken  *time.Time `json:"lastTaken"`        // when it took the newest message since the start
	Drill      *Drill     `json:"drill"`            // the newest drill; null before the first
}

// Name returns a destination as people read it.
func (d Destination) Name() string {
	if d.Channel == "" {
		return d.Receiver
	}
	return d.Receiver + " " + d.Channel
}

// Drill is what came of one drill at one destination.
type Drill struct {
	At             time.Time  `json:"at"`
	Running        bool       `json:"running"` // it is not over yet
	Proven         bool       `json:"proven"`  // the receiver took it where it was meant to go; of a loud one, a person acknowledged it, too
	Reason         string     `json:"reason,omitempty"`
	Took           float64    `json:"tookSeconds"` // from the decision to the receiver's answer
	Loud           bool       `json:"loud"`
	AcknowledgedBy string     `json:"acknowledgedBy,omitempty"`
	Answer         *float64   `json:"answerSeconds"` // from the receiver's answer to the acknowledgement; null without one
	LastProven     *time.Time `json:"lastProven"`    // when a drill was last proven there
}

// NewDrill asks for a drill.
type NewDrill struct {
	Loud bool   `json:"loud"`
	Key  string `json:"key,omitempty"` // makes it safe to repeat
}
