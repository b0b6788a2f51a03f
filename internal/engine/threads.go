package engine

import (
	"context"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/outbox"
)

// Acts that reach further than their own incident: who acknowledges one of a thread has them all, and people put
// threads together and take them apart.

// spread lets an acknowledgement, and the undoing of one, hold for everything that is open in the thread. Each incident gets an act of
// its own, under a key that follows from the first; the thread is told once.
func (d *deed) spread() {
	if d.act.Kind != alerting.Acknowledge && d.act.Kind != alerting.Undo {
		return
	}
	first := d.incident
	for _, o := range d.book.InThread(first.Thread()) {
		echo := d.act
		echo.Key, echo.Incident, echo.SLO = d.act.Key+"@"+o.ID, o.ID, o.SLO
		if has, taken := o.Acknowledged(); o.ID == first.ID || d.act.Kind == alerting.Acknowledge && taken && has.By == echo.By {
			continue
		}
		if d.act.Kind == alerting.Undo {
			if echo.Other += "@" + o.ID; !o.Knows(echo.Other) {
				continue
			}
		}
		echo.At = d.inTime(echo, o)
		o = o.Take(echo)
		d.others, d.tick.Acts = append(d.others, o), append(d.tick.Acts, echo)
		d.tick.Incidents = append(d.tick.Incidents, o)
		d.tick.Owed = append(d.tick.Owed, d.compose(d.book, Done{Act: echo, Echo: true}, o)...)
	}
}

// move takes an incident into another thread: that of the one into which it is merged, or its own again. What was told in its
// thread goes along with a merge. Each stays an incident of its own, with its own cost.
func (d *deed) move(ctx context.Context, i alerting.Incident) error {
	from, to := i.Thread(), ""
	if d.act.Kind == alerting.Merge {
		other, ok, err := d.findIncident(ctx, d.book, d.act.Other)
		switch {
		case err != nil:
			return err
		case !ok:
			return unknownAct("There is no incident %q.", d.act.Other)
		case other.Thread() == i.ID:
			return conflict("%s is told in the thread of this one; merge it the other way round.", other.ID)
		}
		to = other.Thread()
	}
	d.incident = i.Take(d.act)
	d.incident.Group = to
	d.tick.Incidents = []alerting.Incident{d.incident}
	for _, o := range d.book.InThread(i.ID) {
		if o.ID != i.ID && to != "" {
			o.Group = to
			d.others = append(d.others, o)
		}
	}
	d.tick.Incidents = append(d.tick.Incidents, d.others...)
	if from != d.incident.Thread() {
		d.tick.Owed = d.composeMove(from)
	}
	return nil
}

// composeMove tells both threads, as they are after the move.
func (d *deed) composeMove(from string) []outbox.Entry {
	changed := d.others
	if d.incident.Open {
		changed = append(changed, d.incident)
	}
	after := d.book.With(changed...)
	done := Done{Act: d.act, From: from}
	if left := after.InThread(from); len(left) > 0 {
		if in, st, ok := d.place(after, left[0].SLO); ok {
			told := d.told(after, in, st, left[0].Last, left[0], false, d.now)
			done.Left = &told
		}
	}
	return d.compose(after, done, d.incident)
}
