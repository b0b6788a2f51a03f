package notify

import (
	"strconv"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/sentences"
)

// Notice is news about slowburn's own destinations: one of them takes no pages, or takes them
// again.
type Notice struct {
	sentences.Deaf
	Origin
	Target
}

// Thread returns what the messages about one stretch of it have in common. It is an ID for
// receivers, too.
func (n Notice) Thread() string {
	return "notice/paging/" + n.Destination + "/" + strconv.FormatInt(n.Since.Unix(), 10)
}

// Entry returns one message of the notice, which is owed once.
func (n Notice) Entry(op outbox.Op, body any) outbox.Entry {
	e := outbox.Entry{
		Key: n.Thread() + "/down/" + n.Receiver, Receiver: n.Receiver, Channel: n.Channel, Lane: outbox.LanePage,
		Thread: n.Thread(), Op: op, Body: JSON(body), Created: n.At,
	}
	if n.Over {
		e.Key, e.Lane, e.IfTold = n.Thread()+"/up/"+n.Receiver, outbox.LaneResolve, true
	}
	return e
}

// Told is what is kept of a destination that is down: that it was told, and to whom.
type Told struct {
	Since   time.Time `json:"since"`
	Reason  string    `json:"reason"`
	Through []Place   `json:"through"`
}

// Place is a receiver, and in a chat a channel of it.
type Place struct {
	Receiver string `json:"receiver"`
	Channel  string `json:"channel,omitempty"`
}

// Drill is a page by which nothing is told but that pages arrive.
type Drill struct {
	sentences.Drill
	Origin
	Target
	ID string // "drill/2026-11-23T09:00:00Z/slack #payments-oncall"
	At time.Time
	// Mention are those whom a loud one calls in a chat, as the configuration names them.
	Mention []string
}

// Entry returns the message of a drill. The one that ends it has a key of its own.
func (d Drill) Entry(op outbox.Op, body any) outbox.Entry {
	e := outbox.Entry{
		Key: d.ID + "/begin", Receiver: d.Receiver, Channel: d.Channel, Lane: outbox.LanePage,
		Thread: d.ID, Op: op, Body: JSON(body), Created: d.At,
	}
	if d.Over {
		e.Key, e.Lane, e.IfTold = d.ID+"/end", outbox.LaneResolve, true
	}
	return e
}

// Lines joins texts, one a line.
func Lines(all []sentences.Text) string {
	var lines []string
	for _, t := range all {
		lines = append(lines, t.String())
	}
	return strings.Join(lines, "\n")
}
