package slack

import (
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/outbox"
)

// ComposeAct is what slowburn says when somebody does something about an incident: the root message shows it, and the
// thread tells it, so that everybody sees who has it. Facts.Incident is after the act, and Facts.Event its
// newest event. Only making it a page calls people.
func ComposeAct(f Facts, a alerting.Act, now time.Time) []outbox.Entry {
	if f.Incident.Unheard() {
		return nil
	}
	lane, deed := outbox.LaneTicket, f.deed(a)
	reply := Body{Text: f.actSentence(deed, a), Blocks: []Block{section(deed.icon + " " + deed.text)}}
	if a.Kind == alerting.Escalate {
		f.Incident.Last.Severity = a.Level // the event that says so comes with the minute that it belongs to
		if a.Level == alerting.Page {
			lane, reply.Broadcast, reply.Mention = outbox.LanePage, true, f.mentions()
		}
		if len(reply.Mention) > 0 {
			reply.Blocks = append(reply.Blocks, section("For "+strings.Join(reply.Mention, " ")))
		}
	}
	entries := []outbox.Entry{
		f.entry("edit", lane, outbox.Edit, f.root(now), now),
		f.entry("reply", lane, outbox.Reply, reply, now),
	}
	for n, suffix := range []string{"/edit", "/reply"} {
		entries[n].Key = "act/" + a.Key + suffix
	}
	return entries
}

// deed is an act in words.
type deed struct {
	icon string
	head string // "Acknowledged by", before the name, in a notification
	text string // the whole, as mrkdwn
}

func (f Facts) actSentence(d deed, a alerting.Act) string {
	state := d.icon + " " + d.head + " " + person(a) + " · "
	return clip(state+f.shortName(max(maxSentence-len([]rune(state)), 24)), maxSentence)
}

// deed tells an act.
func (f Facts) deed(a alerting.Act) deed {
	who := "*" + person(a) + "* "
	d := deed{icon: "📝", head: "Note by", text: who + "says:"}
	switch a.Kind {
	case alerting.Acknowledge:
		d = deed{"👀", "Acknowledged by", who + "has acknowledged this " + f.tier() + ", " + at(a.At) + "."}
	case alerting.Silence:
		d = deed{"🔕", "Silenced by", who + "has silenced this " + until(a) + ". It is still counted, and this thread goes on."}
	case alerting.Mitigated:
		d = deed{"🩹", "Mitigated by", who + "says that users no longer feel it, since " + at(a.At) + "."}
	case alerting.Undo:
		d = deed{"↩️", "Taken back by", who + "has taken back what was done: " + f.undone(a)}
	case alerting.Escalate:
		d = deed{"🎫", "Made a ticket by", who + "has made this a ticket."}
		if a.Level == alerting.Page {
			d = deed{"🔥", "Made a page by", who + "has made this a *page*."}
			if s, ok := alerting.Silent(f.Incident.Acts, a.At); ok && s.Incident != "" {
				d.text += " That ends the silence."
			}
		}
	}
	if a.Text != "" {
		d.text += "\n> " + escape(plain(a.Text, foreignLimit))
	}
	return d
}

// undone says which kind of act was taken back.
func (f Facts) undone(a alerting.Act) string {
	for _, b := range f.Incident.Acts {
		if b.Key != a.Other {
			continue
		}
		switch b.Kind {
		case alerting.Acknowledge:
			return "nobody has it."
		case alerting.Silence:
			return "it is not silent any more."
		case alerting.Escalate:
			return "it is as loud as its rule says."
		}
	}
	return "it does not count."
}

// person is who did it, as plain text.
func person(a alerting.Act) string { return escape(plain(a.By, 80)) }

// until is how long a silence lasts.
func until(a alerting.Act) string {
	if a.Until.IsZero() {
		return "until the budget recovers"
	}
	return "until " + at(a.Until)
}
