package engine

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/incidents"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/store"
)

// story is what one turn of one budget came to, before it is told.
type story struct {
	in     alerting.Input
	state  alerting.State
	events []alerting.Event
	turn   store.Turn
}

// tell folds the events of all stories into incidents, composes what is owed for them and adds the turns to the tick. The events
// of different budgets are told in the order in which they happened, so that which incident joins which does not
// depend on how time was cut into ticks. It returns the book as the events leave it.
func (e *Engine) tell(all []story, now time.Time, tick *store.Tick, sum *Summary) incidents.Book {
	type line struct {
		event alerting.Event
		story *story
	}
	var lines []line
	for n := range all {
		for _, event := range all[n].events {
			lines = append(lines, line{event, &all[n]})
		}
	}
	slices.SortStableFunc(lines, func(a, b line) int { return cmp.Compare(a.event.At, b.event.At) })
	draft := e.book.Edit()
	for _, l := range lines {
		e.tellOne(draft, l.story, l.event, now)
	}
	for n := range all {
		s := &all[n]
		for _, event := range s.events {
			if i, ok := draft.Find(event.Incident); ok && !slices.ContainsFunc(s.turn.Incidents, func(j alerting.Incident) bool { return i.ID == j.ID }) {
				s.turn.Incidents = append(s.turn.Incidents, i)
			}
		}
		tick.Turns = append(tick.Turns, s.turn)
		sum.count(s.turn, len(s.events))
	}
	for n := range all {
		for _, i := range all[n].turn.Incidents {
			if !i.Open {
				draft.Remove(i.ID)
			}
		}
	}
	return draft.Book
}

// adopt goes on with another book. What was found out about incidents that have ended is let go.
func (e *Engine) adopt(b incidents.Book) {
	e.book = b
	for id := range e.evidence {
		if _, open := b.Find(id); !open {
			delete(e.evidence, id)
		}
	}
}

// tellOne folds one event into its incident and composes what is owed for it.
func (e *Engine) tellOne(d *incidents.Draft, s *story, event alerting.Event, now time.Time) {
	i := e.apply(d, event, s)
	if i.ID != "" { // a notice outside of an incident has none
		d.Put(i)
	}
	e.Log.Info("event", "slo", event.SLO, "incident", event.Incident, "kind", event.Kind,
		"severity", event.Severity, "reason", event.Reason, "at", event.Time())
	over, last := overAlready(s.events), lastWord(s.events)
	switch {
	case event.At < last[event.Incident] && (event.Kind == alerting.Escalated || event.Kind == alerting.Updated):
		return // it is over by now; what ends it tells the whole story, and nobody is woken for it
	case stale(event, s.events), event.Reason == alerting.Unacknowledged && d.Acknowledged(i.Thread()):
		return
	}
	entries := e.Composer.Event(e.told(d.Book, s.in, s.state, event, i, over[event.Incident], now))
	for n := range entries {
		// A process before this one may have sent it past a full disk and died before it could write that down.
		was := &entries[n]
		if was.Op != outbox.Edit && event.Time().Before(e.began) && (was.Lane == outbox.LanePage || over[event.Incident]) {
			was.Tried, was.Created = true, event.Time()
			if over[event.Incident] {
				was.Created = i.Detected
			}
		}
	}
	s.turn.Entries = append(s.turn.Entries, entries...)
}

// apply folds an event into its incident. One that opens joins the thread of what burns already in its service, and knows
// of a silence that it falls into.
func (e *Engine) apply(d *incidents.Draft, event alerting.Event, s *story) alerting.Incident {
	i, _ := d.Find(event.Incident)
	i = i.Apply(event)
	if event.Kind != alerting.Opened {
		return i
	}
	i.Group = e.thread(d, event, s)
	if a, silent := alerting.Silent(e.wideOn(event.SLO), event.Time()); silent {
		i = i.Take(a)
	}
	return i
}

// thread is the incident in whose thread a new one is told, "" for its own: that of the burn which it comes back
// from, or of the oldest burn of the same service that is open then and told in the same channel.
func (e *Engine) thread(d *incidents.Draft, event alerting.Event, s *story) string {
	if !event.Rule.Burns() {
		return ""
	}
	if event.Follows != "" {
		if before, ok, _ := e.findIncident(context.Background(), d.Book, event.Follows); ok {
			return before.Thread()
		}
		return event.Follows
	}
	var oldest alerting.Incident
	for _, i := range d.InService(event.SLO.Service()) {
		a := e.budgets.byID[i.SLO]
		together := i.Open && i.Rule.Burns() && !i.Unheard() && a != nil &&
			a.spec.Slack.Channel == s.in.Spec.Slack.Channel
		if together && (oldest.ID == "" || cmp.Or(i.Detected.Compare(oldest.Detected), cmp.Compare(i.ID, oldest.ID)) < 0) {
			oldest = i
		}
	}
	if oldest.ID == "" {
		return ""
	}
	return oldest.Thread()
}

// among adds to what is told of an incident what else is told in its thread. The root message shows the loudest.
func (e *Engine) among(b incidents.Book, t Told) Told {
	if t.Incident.ID == "" {
		return t
	}
	all := b.InThread(t.Incident.Thread())
	if len(all) > 0 && all[0].ID != t.Incident.ID {
		if in, st, ok := e.place(b, all[0].SLO); ok {
			face := e.alone(b, in, st, all[0].Last, all[0], false, t.Now)
			face.Others = all[1:]
			t.Face = &face
		}
		return t
	}
	t.Others = all[min(1, len(all)):]
	return t
}
