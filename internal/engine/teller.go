package engine

import (
	"context"
	"slices"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/incidents"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/store"
)

// teller makes of stories what people are told: it folds them into the book of incidents and composes
// the messages. It changes neither; who has written the messages down takes the book over.
type teller struct {
	*Options
	world   *budgets
	backlog *backlog
	began   time.Time // of the first tick; see Engine
}

func (e *Engine) teller() teller { return teller{&e.Options, e.budgets, &e.backlog, e.began} }

// tell adds the turns to the tick, with what became of their incidents and the messages that are
// owed for them. It returns the book as the events leave it.
func (t teller) tell(ctx context.Context, book incidents.Book, all []story, now time.Time, tick *store.Tick, sum *Summary) incidents.Book {
	turns := make([]incidents.Turn, 0, len(all))
	var past []string
	for _, s := range all {
		turns = append(turns, s.Turn)
		for _, event := range s.Events {
			t.Log.Info("event", "slo", event.SLO, "incident", event.Incident, "kind", event.Kind,
				"severity", event.Severity, "reason", event.Reason, "at", event.Time())
			switch {
			case event.Kind == alerting.Opened && event.Follows != "":
				past = append(past, event.Follows)
			case event.Kind == alerting.Recounted:
				past = append(past, event.Incident)
			}
		}
	}
	known, err := t.past(ctx, book, past)
	t.backlog.overwrite(known, past)
	if err != nil {
		t.Log.Warn("cannot look up incidents that are over: one that follows another begins a thread where that one did, and what was found late of one is not in its record", "err", err)
	}
	book, outcomes := t.tellAll(book, all, turns, known, now)
	owed := t.compose(outcomes...)
	tick.Turns = slices.Grow(tick.Turns, len(all))
	for n, out := range outcomes {
		turn := all[n].turn
		turn.Incidents, turn.Entries = out.Incidents, owed[n]
		tick.Turns = append(tick.Turns, turn)
		sum.SLOs++
		sum.Slots += len(turn.Slots)
		sum.Events += len(all[n].Events)
		sum.Owed += len(turn.Entries)
	}
	return book
}

// tellAll tells all turns together, since those of one tick may be one story. If one of them cannot
// be told, each is told alone, and the budget of that one stands as before.
func (t teller) tellAll(from incidents.Book, all []story, turns []incidents.Turn, past incidents.Past, now time.Time) (book incidents.Book, outcomes []incidents.Outcome) {
	if p, _ := try(func() { book, outcomes = from.Tell(t.world, turns, past, now) }); p == nil {
		return book, outcomes
	}
	book, outcomes = from, make([]incidents.Outcome, len(turns))
	for n := range turns {
		id := turns[n].Budget.ID
		told := t.world.guard(id, func() {
			next, out := book.Tell(t.world, turns[n:n+1], past, now)
			book, outcomes[n] = next, out[0]
		})
		if a := t.world.byID[id]; !told && a != nil {
			a.state, all[n].turn.State, all[n].Events = all[n].before, all[n].before, nil
			a.told = nil
		}
	}
	return book, outcomes
}

// past reads the incidents that are not open from the store, as far as there are any of these IDs.
func (t teller) past(ctx context.Context, book incidents.Book, ids []string) (incidents.Past, error) {
	past := incidents.Past{}
	for _, id := range ids {
		if _, open := book.Find(id); open {
			continue
		}
		i, ok, err := t.Store.Incident(ctx, id)
		if err != nil {
			return past, err
		}
		if ok {
			past[id] = i
		}
	}
	return past, nil
}

// compose makes the messages of what came of events or of an act, of each outcome its own. It begins
// with the last, so that of the edits of one message, which may be thousands, only the one is
// composed that is going to be sent.
func (t teller) compose(outcomes ...incidents.Outcome) [][]outbox.Entry {
	all, shown := make([][]outbox.Entry, len(outcomes)), outbox.Shown{}
	for n, out := range slices.Backward(outcomes) {
		var parts [][]outbox.Entry // the last first
		if out.Permit != nil {
			parts = append(parts, t.Composer.Permit(*out.Permit))
		}
		for _, d := range slices.Backward(out.Done) {
			t.world.guard("", func() { parts = append(parts, t.Composer.Act(d)) })
		}
		for _, told := range slices.Backward(out.Notifications) {
			t.world.guard(told.Event.SLO, func() { parts = append(parts, t.event(told, shown)) })
		}
		slices.Reverse(parts)
		all[n] = slices.Concat(parts...)
	}
	return all
}

// event makes the messages of one event. Those of the time of a process before this one are
// marked, if they are pages or tell of an end: it may have sent them past a full disk and died before
// it could write that down.
func (t teller) event(told incidents.Notification, shown outbox.Shown) []outbox.Entry {
	entries := t.Composer.Event(told, shown)
	shown.Add(entries)
	for n := range entries {
		was := &entries[n]
		if was.Op != outbox.Edit && told.Event.Time().Before(t.began) && (was.Lane == outbox.LanePage || told.Event.Kind == alerting.Resolved || told.Over) {
			was.Tried, was.Created = true, told.Event.Time()
			if told.Over {
				was.Created = told.Incident.Detected
			}
		}
	}
	return entries
}
