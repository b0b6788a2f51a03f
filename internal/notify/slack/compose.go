package slack

import (
	"cmp"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/notify"
	"github.com/slowburn-sre/slowburn/internal/outbox"
)

// Composer composes what Slack is told.
var _ notify.Chat = Composer{}

// Event composes what is owed because of an event.
//
// An incident has one root message, which always shows its newest state, and a thread, which is its
// history. Edits notify nobody, so what people must notice is a reply as well, and what may not
// wait is broadcast to the channel. Only a page mentions people, and only when it begins.
//
// The channel in which an incident began has its thread; one that hears of it only when it becomes
// a page has a thread of its own from then on.
func (h Composer) Event(facts notify.Facts) []outbox.Entry {
	f := message{Notification: facts.Notification, composer: h, to: facts.Target}
	if f.to.First && f.Event.Kind == alerting.Escalated {
		f.Event.Kind = alerting.Opened // here it begins as a page
	}
	entries := inThread(f.event(), f.to)
	if f.to.Instead != "" {
		entries = instead(entries, f.to.Instead)
	}
	for n := range entries {
		entries[n].Key = cmp.Or(f.to.Key, entries[n].Key)
	}
	return entries
}

// inThread puts messages into the thread of a further channel.
func inThread(entries []outbox.Entry, to notify.Target) []outbox.Entry {
	for i := range entries {
		if to.Again {
			entries[i].Key += "@" + to.Channel
			entries[i].Thread += "@" + to.Channel
		}
	}
	return entries
}

// event returns what is owed because of the event, in one channel.
func (f message) event() []outbox.Entry {
	if f.Event.Rule == alerting.RulePolicy {
		return f.gateTurned()
	}
	if f.Event.Rule == alerting.RuleExperiment {
		return f.abort()
	}
	if f.Event.Kind == alerting.Noticed {
		return f.spent()
	}
	if f.Missed() {
		return f.missedLive()
	}
	if f.Incident.Unheard() {
		return nil // silenced before it began; what follows the silence becomes the root message
	}
	switch f.Event.Kind {
	case alerting.Opened:
		if f.Incident.Group != "" {
			return f.joined()
		}
		return []outbox.Entry{f.entry("post", lane(f.Event), outbox.Post, f.root())}
	case alerting.Escalated, alerting.Updated:
		return f.changed()
	case alerting.Resolved:
		return append(f.edit(outbox.LaneResolve), f.entry("reply", outbox.LaneResolve, outbox.Reply, f.resolution()))
	case alerting.Recounted:
		return f.edit(outbox.LaneResolve)
	}
	return nil
}

// changed returns what is owed when an incident goes on: the new state, and a reply if people must
// notice.
func (f message) changed() []outbox.Entry {
	reply := func(b Body) []outbox.Entry {
		return append(f.edit(lane(f.Event)), f.entry("reply", lane(f.Event), outbox.Reply, b))
	}
	switch {
	case f.Event.Reason == alerting.ByPerson:
		return f.edit(lane(f.Event)) // the thread has it from the person
	case firstHeard(f.Incident, f.Event) && f.Incident.Group != "":
		return f.joined()
	case firstHeard(f.Incident, f.Event):
		return f.edit(lane(f.Event)) // there is no root message yet, so this becomes it
	case f.Event.Kind == alerting.Escalated:
		return reply(f.escalation())
	case f.Event.Reason == alerting.Unacknowledged:
		return reply(f.reminder("⏰ Nobody has it", f.backup()))
	case f.Event.Reason == alerting.SilenceOver:
		return reply(f.reminder("🔔 Silence over", f.woken()))
	}
	return f.edit(outbox.LaneTicket)
}

// edit returns the edit that brings the root message up to date; none if a later one, which is owed
// as well, does so.
func (f message) edit(lane outbox.Lane) []outbox.Entry {
	to := inThread([]outbox.Entry{f.addressed("edit", lane, outbox.Edit)}, f.to)[0]
	if f.to.Shown.Has(to.Receiver, to.Channel, to.Thread) {
		return nil
	}
	return []outbox.Entry{f.entry("edit", lane, outbox.Edit, f.root())}
}

// joined returns what is owed when an incident goes into the thread of another: the root message
// shows it, and a reply tells of it. People are called only if nobody was before, or if they may
// believe that it was over.
func (f message) joined() []outbox.Entry {
	b := f.escalation()
	b.Text = f.line(f.state())
	page := f.Incident.Loud() == alerting.Page
	b.Broadcast = page && !f.Silenced
	if again := f.Event.Follows != ""; !page || f.Paged && !again {
		b.Mention = nil
	}
	b.Blocks = []Block{section(icons[f.State()] + " *" + f.State() + "* · " + escape(f.name(100)) + "\n" + f.dressLines(f.Lead()))}
	b.Blocks = append(b.Blocks, sectionIf(forWhom(b.Mention))...)
	return append(f.edit(lane(f.Event)), f.entry("reply", lane(f.Event), outbox.Reply, b))
}

// firstHeard reports whether everything before the event fell into a silence.
func firstHeard(i alerting.Incident, event alerting.Event) bool {
	for len(i.Log) > 0 && i.Log[len(i.Log)-1].At >= event.At {
		i.Log = i.Log[:len(i.Log)-1]
	}
	return i.Unheard()
}

// lane returns how urgent the beginning of the incident is.
func lane(e alerting.Event) outbox.Lane {
	if e.Severity == alerting.Page {
		return outbox.LanePage
	}
	return outbox.LaneTicket
}

// missedLive tells once, calmly, about an incident that was over before it could be seen.
func (f message) missedLive() []outbox.Entry {
	if f.Event.Kind != alerting.Resolved {
		return nil
	}
	op := outbox.Post
	if f.Incident.Group != "" {
		op = outbox.Reply
	}
	f.Root, f.Others, f.More = nil, nil, 0
	post := f.entry("missed", outbox.LaneTicket, op, f.root())
	if op == outbox.Reply || len(f.Incident.Log) == 0 {
		return []outbox.Entry{post}
	}
	// It has the key of the page that it would have been: if that was sent after all, it is found,
	// and brought up to date as what was told live.
	post.Key = f.Incident.Log[0].Key() + "/post"
	f.Over = false
	told := f.entry("edit", outbox.LaneTicket, outbox.Edit, f.root())
	told.IfFound = true
	return []outbox.Entry{post, told}
}

// spent tells that a share of the budget is gone: in the thread of the incident that does it, or by
// itself.
func (f message) spent() []outbox.Entry {
	b := f.spentBody()
	if f.Silenced && !f.Incident.Open || f.Incident.Unheard() {
		return nil
	}
	if f.Incident.Open && f.Incident.ID == f.Event.Incident {
		return []outbox.Entry{f.entry("reply", outbox.LaneTicket, outbox.Reply, b)}
	}
	return []outbox.Entry{f.entry("post", outbox.LaneTicket, outbox.Post, b)}
}
