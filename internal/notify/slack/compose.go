package slack

import (
	"slices"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/outbox"
)

// Compose is what slowburn says about an event: the entries that are owed because of it. It is a
// pure function of the facts and of the time at which they are told.
//
// An incident has one root message, which always shows its newest state, and a thread, which
// is its history. Edits notify nobody, so what people must notice is a reply as well, and
// what may not wait is broadcast to the channel. Only a page mentions people, and only when it begins.
func Compose(f Facts, now time.Time) []outbox.Entry {
	if f.Event.Rule == alerting.RulePolicy {
		return f.gateTurned(now)
	}
	if f.Event.Rule == alerting.RuleExperiment {
		return f.abort(now)
	}
	if f.Event.Kind == alerting.Noticed {
		return f.spent(now)
	}
	if f.missed(now) {
		return f.missedLive(now)
	}
	if f.Incident.Unheard() {
		return nil // silenced before it began; what follows the silence becomes the root message
	}
	switch f.Event.Kind {
	case alerting.Opened:
		if f.Incident.Group != "" {
			return f.joined(now)
		}
		return []outbox.Entry{f.entry("post", f.lane(), outbox.Post, f.root(now), now)}
	case alerting.Escalated, alerting.Updated:
		return f.changed(now)
	case alerting.Resolved:
		return []outbox.Entry{
			f.entry("edit", outbox.LaneResolve, outbox.Edit, f.root(now), now),
			f.entry("reply", outbox.LaneResolve, outbox.Reply, f.resolution(), now),
		}
	}
	return nil
}

// changed is what is owed when an incident goes on: the new state, and a reply if people must notice.
func (f Facts) changed(now time.Time) []outbox.Entry {
	edit := func(lane outbox.Lane) outbox.Entry { return f.entry("edit", lane, outbox.Edit, f.root(now), now) }
	reply := func(b Body) []outbox.Entry {
		return []outbox.Entry{edit(f.lane()), f.entry("reply", f.lane(), outbox.Reply, b, now)}
	}
	switch {
	case f.Event.Reason == alerting.ByPerson:
		return []outbox.Entry{edit(f.lane())} // the thread has it from the person
	case f.firstHeard() && f.Incident.Group != "":
		return f.joined(now)
	case f.firstHeard():
		return []outbox.Entry{edit(f.lane())} // there is no root message yet, so this becomes it
	case f.Event.Kind == alerting.Escalated:
		return reply(f.escalation())
	case f.Event.Reason == alerting.Unacknowledged:
		return reply(f.reminder("⏰ Nobody has it", "Nobody has acknowledged this page yet.", f.backup()))
	case f.Event.Reason == alerting.SilenceOver:
		return reply(f.reminder("🔔 Silence over", "The silence is over, and it still burns.", f.woken()))
	}
	return []outbox.Entry{edit(outbox.LaneTicket)}
}

// joined is what is owed when an incident goes into the thread of another: the root message shows it, and a reply tells of
// it. People are called only if nobody was before, or if they may believe that it was over.
func (f Facts) joined(now time.Time) []outbox.Entry {
	b := f.escalation()
	icon, word := f.state(now)
	b.Text = f.sentence(icon+" "+word, f.predicate(now))
	page := f.loud() == alerting.Page
	b.Broadcast = page && !f.Silenced
	if again := f.Event.Follows != ""; !page || f.paged() && !again {
		b.Mention = nil
	}
	b.Blocks = []Block{section(icon + " *" + word + "* · " + escape(f.name(100)) + "\n" + f.lead(now))}
	if len(b.Mention) > 0 {
		b.Blocks = append(b.Blocks, section("For "+strings.Join(b.Mention, " ")))
	}
	return []outbox.Entry{
		f.entry("edit", f.lane(), outbox.Edit, f.root(now), now),
		f.entry("reply", f.lane(), outbox.Reply, b, now),
	}
}

// paged reports whether another incident of the thread is a page.
func (f Facts) paged() bool {
	return f.Face != nil && f.Face.loud() == alerting.Page ||
		slices.ContainsFunc(f.Others, func(i alerting.Incident) bool { return i.Loud() == alerting.Page })
}

// firstHeard reports whether everything before the event fell into a silence.
func (f Facts) firstHeard() bool {
	i := f.Incident
	for len(i.Log) > 0 && i.Log[len(i.Log)-1].At >= f.Event.At {
		i.Log = i.Log[:len(i.Log)-1]
	}
	return i.Unheard()
}

// lane is how urgent the beginning of the incident is.
func (f Facts) lane() outbox.Lane {
	if f.Event.Severity == alerting.Page {
		return outbox.LanePage
	}
	return outbox.LaneTicket
}

// missedLive tells once, calmly, about an incident that was over before it could be seen.
func (f Facts) missedLive(now time.Time) []outbox.Entry {
	if f.Event.Kind != alerting.Resolved {
		return nil
	}
	op := outbox.Post
	if f.Incident.Group != "" {
		op = outbox.Reply
	}
	f.Face, f.Others = nil, nil
	post := f.entry("missed", outbox.LaneTicket, op, f.root(now), now)
	if op == outbox.Reply || len(f.Incident.Log) == 0 {
		return []outbox.Entry{post}
	}
	// It has the key of the page that it would have been: if that was sent after all, it is found and brought up to date.
	post.Key = f.Incident.Log[0].Key() + "/post"
	return []outbox.Entry{post, f.entry("edit", outbox.LaneTicket, outbox.Edit, f.root(now), now)}
}

// spent tells that a share of the budget is gone: in the thread of the incident that does it, or by itself.
func (f Facts) spent(now time.Time) []outbox.Entry {
	b := f.spentBody(now)
	if f.Silenced && !f.Incident.Open || f.Incident.Unheard() {
		return nil
	}
	if f.Incident.Open && f.Incident.ID == f.Event.Incident {
		return []outbox.Entry{f.entry("reply", outbox.LaneTicket, outbox.Reply, b, now)}
	}
	return []outbox.Entry{f.entry("post", outbox.LaneTicket, outbox.Post, b, now)}
}
