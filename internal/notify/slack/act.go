package slack

import (
	"slices"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/incidents"
	"github.com/slowburn-sre/slowburn/internal/notify"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/sentences"
)

// Act composes what is owed when somebody does something about an incident: the root message shows
// it, and the thread tells it, so that everybody sees who has it. Only making it a page calls
// people.
func (h Composer) Act(d incidents.Done, to notify.Target) []outbox.Entry {
	if d.Echo {
		return nil
	}
	f := message{Notification: d.Notification, composer: h, to: to}
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
		reply.Blocks = append(reply.Blocks, sectionIf(forWhom(reply.Mention))...)
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

// moved tells a merge or a split in both threads: the one that the incident comes into, and the one
// that it leaves.
func (f message) moved(done incidents.Done) []outbox.Entry {
	a, d := done.Act, f.deed(done.Act)
	body := func(here bool) Body {
		return Body{Text: f.actSentence(d, a), Blocks: []Block{section(d.icon + " " + d.text + " " + dress(f.Moved(here)))}}
	}
	entries := []outbox.Entry{
		f.entry("", outbox.LaneTicket, outbox.Edit, f.root()),
		f.entry("", outbox.LaneTicket, outbox.Reply, body(true)),
		f.entry("", outbox.LaneTicket, outbox.Reply, body(false)),
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

// leftBehind returns what the root message of the thread shows that an incident has left: what is
// still told there, or of the incident's own that it goes on elsewhere. What is over stays as it
// was told, which is nil.
func (f message) leftBehind(d deed, done incidents.Done) *Body {
	switch {
	case done.Left != nil:
		left := message{Notification: *done.Left, composer: f.composer, to: f.to}
		b := left.root()
		return &b
	case done.From != f.Incident.ID || !f.Incident.Open:
		return nil
	}
	b := Body{Text: f.actSentence(d, done.Act), Name: d.icon + " Merged · " + f.name(80)}
	b.Blocks = []Block{
		header(d.icon + " Merged · " + f.name(100)), section(d.text + " " + dress(sentences.Past())),
		contextBlock(mrkdwn(f.composer.signature())),
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

func (f message) deed(a alerting.Act) deed {
	d := deed{icon: "📝", head: "Note by"}
	switch a.Kind {
	case alerting.Acknowledge:
		d = deed{icon: "👀", head: "Acknowledged by"}
	case alerting.Silence:
		d = deed{icon: "🔕", head: "Silenced by"}
	case alerting.Mitigated:
		d = deed{icon: "🩹", head: "Mitigated by"}
	case alerting.Undo:
		d = deed{icon: "↩️", head: "Taken back by"}
	case alerting.Classify:
		d = deed{icon: "🗂️", head: "Classed by"}
	case alerting.Asked:
		d = deed{icon: "⏳", head: "Asked for by"}
	case alerting.Reject:
		d = deed{icon: "🚫", head: "Rejected by"}
	case alerting.Merge:
		d = deed{icon: "🔀", head: "Merged by"}
	case alerting.Split:
		d = deed{icon: "🔀", head: "Taken apart by"}
	case alerting.Escalate:
		d = deed{icon: "🎫", head: "Made a ticket by"}
		if a.Level == alerting.Page {
			d = deed{icon: "🔥", head: "Made a page by"}
		}
	}
	others := len(f.Others) + f.More
	if f.Root != nil {
		others = len(f.Root.Others) + f.Root.More
	}
	d.text = f.dressLines(f.Act(a, others))
	if a.Kind == alerting.Asked {
		d.text += " " + f.composer.howToApprove(a)
	}
	return d
}

// person returns who did it, as plain text.
func person(a alerting.Act) string { return escape(plain(a.By, 80)) }

// until returns how long a silence lasts.
func until(a alerting.Act) string { return dress(sentences.Until(a.Until)) }
