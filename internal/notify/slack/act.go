package slack

import (
	"slices"
	"strings"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/incidents"
	"github.com/slowburn-sre/slowburn/internal/notify"
	"github.com/slowburn-sre/slowburn/internal/outbox"
)

// Act composes what is owed when somebody does something about an incident: the root message shows it, and the thread
// tells it, so that everybody sees who has it. Only making it a page calls people.
func (h House) Act(d incidents.Done, to notify.Target) []outbox.Entry {
	if d.Echo {
		return nil
	}
	f := message{Told: d.Told, house: h, to: to}
	return inThread(f.acted(d), to)
}

func (f message) acted(d incidents.Done) []outbox.Entry {
	a := d.Act
	switch {
	case f.Incident.Unheard():
		return nil
	case a.Kind == alerting.Merge || a.Kind == alerting.Split:
		return f.moved(d)
	}
	lane, deed := outbox.LaneTicket, f.deed(a)
	reply := Body{Text: f.actSentence(deed, a), Blocks: []Block{section(deed.icon + " " + deed.text)}}
	if a.Kind == alerting.Escalate {
		f.Event.Severity = a.Level
		f.Incident.Last.Severity = a.Level // the event that says so comes with the minute that it belongs to
		if a.Level == alerting.Page {
			lane, reply.Broadcast, reply.Mention = outbox.LanePage, true, f.mentions()
		}
		if len(reply.Mention) > 0 {
			reply.Blocks = append(reply.Blocks, section("For "+strings.Join(reply.Mention, " ")))
		}
	}
	entries := []outbox.Entry{
		f.entry("edit", lane, outbox.Edit, f.root()),
		f.entry("reply", lane, outbox.Reply, reply),
	}
	for n, suffix := range []string{"/edit", "/reply"} {
		entries[n].Key = "act/" + a.Key + suffix
	}
	return entries
}

// moved tells a merge or a split in both threads: the one that the incident comes into, and the one that it leaves.
func (f message) moved(done incidents.Done) []outbox.Entry {
	a, d := done.Act, f.deed(done.Act)
	body := func(text string) Body {
		return Body{Text: f.actSentence(d, a), Blocks: []Block{section(d.icon + " " + text)}}
	}
	here := "*" + escape(f.name(100)) + "* is told in this thread from now on."
	there := "*" + escape(f.name(100)) + "* is told in another thread from now on."
	entries := []outbox.Entry{
		f.entry("", outbox.LaneTicket, outbox.Edit, f.root()),
		f.entry("", outbox.LaneTicket, outbox.Reply, body(d.text+" "+here)),
		f.entry("", outbox.LaneTicket, outbox.Reply, body(d.text+" "+there)),
	}
	if left := f.leftBehind(d, done); left != nil {
		entries = append(entries, f.entry("", outbox.LaneTicket, outbox.Edit, *left))
	}
	for n, suffix := range []string{"/edit", "/reply", "/from/reply", "/from/edit"}[:len(entries)] {
		entries[n].Key = "act/" + a.Key + suffix
		if n >= 2 {
			entries[n].Thread, entries[n].IfTold = done.From, true
		}
	}
	return entries
}

// leftBehind is what the root message of the thread shows that an incident has left: what is still told there, or of the
// incident's own that it goes on elsewhere. What is over stays as it was told, which is nil.
func (f message) leftBehind(d deed, done incidents.Done) *Body {
	switch {
	case done.Left != nil:
		left := message{Told: *done.Left, house: f.house, to: f.to}
		b := left.root()
		return &b
	case done.From != f.Incident.ID || !f.Incident.Open:
		return nil
	}
	b := Body{Text: f.actSentence(d, done.Act), Name: d.icon + " Merged · " + f.name(80)}
	b.Blocks = []Block{
		header(d.icon + " Merged · " + f.name(100)), section(d.text + " It goes on in that thread; this one is its history."),
		contextBlock(mrkdwn(f.house.signature())),
	}
	if l := f.links(); l != "" {
		b.Blocks = slices.Insert(b.Blocks, 2, section(l))
	}
	return &b
}

// deed is an act in words.
type deed struct {
	icon string
	head string // "Acknowledged by", before the name, in a notification
	text string // the whole, as mrkdwn
}

func (f message) actSentence(d deed, a alerting.Act) string {
	state := d.icon + " " + d.head + " " + person(a) + " · "
	return clip(state+f.shortName(max(maxSentence-len([]rune(state)), 24)), maxSentence)
}

// deed tells an act.
func (f message) deed(a alerting.Act) deed {
	who := "*" + person(a) + "* "
	d := deed{icon: "📝", head: "Note by", text: who + "says:"}
	switch a.Kind {
	case alerting.Acknowledge:
		d = deed{"👀", "Acknowledged by", who + "has acknowledged this " + f.Tier() + together(f.Told) + ", " + at(a.At) + "."}
	case alerting.Silence:
		d = deed{"🔕", "Silenced by", who + "has silenced this " + until(a) + ". It is still counted, and this thread goes on."}
	case alerting.Mitigated:
		d = deed{"🩹", "Mitigated by", who + "says that users no longer feel it, since " + at(a.At) + "."}
	case alerting.Undo:
		d = deed{"↩️", "Taken back by", who + "has taken back what was done: " + undone(f.Incident.Acts, a)}
	case alerting.Merge:
		d = deed{"🔀", "Merged by", who + "has merged this into " + code(plain(a.Other, 200)) + "."}
	case alerting.Split:
		d = deed{"🔀", "Taken apart by", who + "has taken this out of the thread of another incident."}
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

// together says that the thread tells more than this incident.
func together(t incidents.Told) string {
	n := len(t.Others)
	if t.Face != nil {
		n = len(t.Face.Others)
	}
	if n == 0 {
		return ""
	}
	return " and the " + figures.Plural(n, "other incident") + " of this thread"
}

// undone says which kind of act was taken back.
func undone(acts []alerting.Act, a alerting.Act) string {
	for _, b := range acts {
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
