package api

import "time"

// Paging is whether people can be paged: the ways by which pages and tickets go out.
type Paging struct {
	OK   bool  `json:"ok"`   // no way of pages is down, as far as is known
	Ways []Way `json:"ways"` // by receiver and channel
	// Routes are the pairs of a service's severity and a way; Proven of them go by a way that took
	// a drill in the last seven days.
	Routes int `json:"routes"`
	Proven int `json:"proven"`
}

// The states of a way.
const (
	WayUp      = "up"      // it took the newest message, or says that it would
	WayDown    = "down"    // it refuses messages, or has failed for minutes
	WayUnknown = "unknown" // nothing was sent to it since the start
)

// Way is one way by which pages or tickets go out: a channel of a receiver.
type Way struct {
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

// Name returns a way as people read it.
func (w Way) Name() string {
	if w.Channel == "" {
		return w.Receiver
	}
	return w.Receiver + " " + w.Channel
}

// Drill is what came of one drill by one way.
type Drill struct {
	At             time.Time  `json:"at"`
	Running        bool       `json:"running"` // it is not over yet
	Proven         bool       `json:"proven"`  // the receiver took it where it was meant to go; of a loud one, a person acknowledged it, too
	Reason         string     `json:"reason,omitempty"`
	Took           float64    `json:"tookSeconds"` // from the decision to the receiver's answer
	Loud           bool       `json:"loud"`
	AcknowledgedBy string     `json:"acknowledgedBy,omitempty"`
	Answer         *float64   `json:"answerSeconds"` // from the receiver's answer to the acknowledgement; null without one
	LastProven     *time.Time `json:"lastProven"`    // when a drill was last proven by this way
}

// NewDrill asks for a drill.
type NewDrill struct {
	Loud bool   `json:"loud"`
	Key  string `json:"key,omitempty"` // makes it safe to repeat
}
