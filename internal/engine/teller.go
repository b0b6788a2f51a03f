package engine

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/incidents"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/slo"
)

// teller makes of stories what people are told: it folds them into the book of incidents and
// composes the messages. It changes nothing, and needs no lock but the one of who decides: what it
// gives is taken over by who has written it down.
type teller struct {
	*Options
	world   *budgets
	unsaved unsaved   // as far as it is known when the teller is made
	began   time.Time // of the first tick; see memory
}

// teller makes one, with the lock held: what a reload exchanges stays as it is for the teller.
func (m *memory) teller() teller {
	options := *m.Options
	return teller{&options, m.budgets, slices.Clone(m.backlog.ticks), m.began}
}

// told is what came of stories.
type told struct {
	book   incidents.Book
	all    []story
	turns  []store.Turn // of the stories, with the incidents that changed and the messages that are owed
	faults []fault      // of what could not be told
}

// enter adds what was told to a tick.
func (t told) enter(tick *store.Tick, sum *Summary) {
	for n, turn := range t.turns {
		sum.SLOs++
		sum.Slots += len(turn.Slots)
		sum.Events += len(t.all[n].Events)
		sum.Owed += len(turn.Entries)
	}
	tick.Turns = append(tick.Turns, t.turns...)
}

// log writes a line for each event, which takes long with thousands of them: whoever can waits with
// it until others can do something again.
func (t told) log(log *slog.Logger) {
	for _, s := range t.all {
		for _, event := range s.Events {
			log.Info("event", "slo", event.SLO, "incident", event.Incident, "kind", event.Kind,
				"severity", event.Severity, "reason", event.Reason, "at", event.Time())
		}
	}
}

// tell tells stories, with a book.
func (t teller) tell(ctx context.Context, book incidents.Book, all []story, now time.Time) told {
	out := told{book: book, all: slices.Clone(all)}
	outcomes := t.tellAll(&out, t.pastOf(ctx, book, all), now)
	out.turns = t.turns(&out, outcomes)
	return out
}

// tellAnew tells stories, which were told with the book of before, with the book of now: those that
// this may change. The others stand as they were told.
func (t teller) tellAnew(ctx context.Context, was told, all []story, before, book incidents.Book, now time.Time) told {
	anew, ok := incidents.Retell(places{t.world, t.Composer}, before, was.book, book)
	if !ok {
		return t.tell(ctx, book, all, now)
	}
	folded, which := told{book: anew.Book}, []int(nil)
	for n, s := range all {
		if anew.Fold[s.turn.SLO.Service()] {
			folded.all, which = append(folded.all, s), append(which, n)
		}
	}
	outcomes := t.tellAll(&folded, t.pastOf(ctx, anew.Book, folded.all), now)
	n := 0
	for i, outcome := range outcomes {
		if anew.Tell[folded.all[i].turn.SLO.Service()] {
			folded.all[n], outcomes[n], which[n] = folded.all[i], outcome, which[i]
			n++
		}
	}
	folded.all = folded.all[:n]
	turns := t.turns(&folded, outcomes[:n])
	out := told{folded.book, slices.Clone(was.all), slices.Clone(was.turns), nil}
	for i, turn := range turns {
		out.all[which[i]], out.turns[which[i]] = folded.all[i], turn
	}
	of := func(services map[string]bool, is bool, faults []fault) {
		for _, f := range faults {
			if services[f.id.Service()] == is {
				out.faults = append(out.faults, f)
			}
		}
	}
	of(anew.Tell, false, was.faults)
	of(anew.Tell, true, folded.faults)
	return out
}

// turns composes the messages of what came of stories, and returns what is to be written down.
func (t teller) turns(of *told, outcomes []incidents.Outcome) []store.Turn {
	owed, faults := t.compose(outcomes...)
	of.faults = append(of.faults, faults...)
	all := make([]store.Turn, 0, len(of.all))
	for n := range of.all {
		turn := of.all[n].turn
		turn.Incidents, turn.Entries = outcomes[n].Incidents, owed[n]
		all = append(all, turn.Encoded())
	}
	return all
}

// tellAll tells all turns together, since those of one tick may be one story. If one of them cannot
// be told, each is told alone, and the budget of that one stands as before.
func (t teller) tellAll(out *told, past incidents.Past, now time.Time) (outcomes []incidents.Outcome) {
	turns := make([]incidents.Turn, 0, len(out.all))
	for _, s := range out.all {
		turns = append(turns, s.Turn)
	}
	book := out.book
	if p, _ := try(func() { out.book, outcomes = book.Tell(places{t.world, t.Composer}, turns, past, now) }); p == nil {
		return outcomes
	}
	out.book, outcomes = book, make([]incidents.Outcome, len(turns))
	for n := range turns {
		p, stack := try(func() {
			next, of := out.book.Tell(places{t.world, t.Composer}, turns[n:n+1], past, now)
			out.book, outcomes[n] = next, of[0]
		})
		if s := &out.all[n]; p != nil {
			s.turn.State, s.Events = s.before, nil
			out.faults = append(out.faults, fault{turns[n].Budget.ID, p, stack, &s.before})
		}
	}
	return outcomes
}

// pastOf looks up the incidents that stories name and that are not open.
func (t teller) pastOf(ctx context.Context, book incidents.Book, all []story) incidents.Past {
	var ids []string
	for _, s := range all {
		for _, event := range s.Events {
			switch {
			case event.Kind == alerting.Opened && event.Follows != "":
				ids = append(ids, event.Follows)
			case event.Kind == alerting.Recounted:
				ids = append(ids, event.Incident)
			}
		}
	}
	known, err := t.past(ctx, book, ids)
	if err != nil {
		t.Log.Warn("cannot look up incidents that are over: one that follows another begins a thread where that one did, and what was found late of one is not in its record", "err", err)
	}
	return known
}

// past reads the incidents that are not open, as far as there are any of these IDs: from the store
// and from what that has not taken yet.
func (t teller) past(ctx context.Context, book incidents.Book, ids []string) (past incidents.Past, err error) {
	past = incidents.Past{}
	defer func() { t.unsaved.overwrite(past, ids) }()
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

// compose makes the messages of what came of events or of an act, of each outcome its own. It
// begins with the last, so that of the edits of one message, which may be thousands, only the one
// is composed that is going to be sent. It lets go the notifications that it has composed.
func (t teller) compose(outcomes ...incidents.Outcome) (all [][]outbox.Entry, faults []fault) {
	all, shown := make([][]outbox.Entry, len(outcomes)), outbox.Shown{}
	guard := func(id slo.ID, f func()) {
		if p, stack := try(f); p != nil {
			faults = append(faults, fault{id: id, panic: p, stack: stack})
		}
	}
	for n, out := range slices.Backward(outcomes) {
		var parts [][]outbox.Entry // the last first
		if out.Permit != nil {
			parts = append(parts, t.Composer.Permit(*out.Permit))
		}
		for _, d := range slices.Backward(out.Done) {
			guard("", func() { parts = append(parts, t.Composer.Act(d)) })
		}
		for _, told := range slices.Backward(out.Notifications) {
			guard(told.Event.SLO, func() { parts = append(parts, t.event(told, shown)) })
		}
		slices.Reverse(parts)
		all[n], outcomes[n].Notifications = slices.Concat(parts...), nil // those of thousands are large
	}
	return all, faults
}

// event makes the messages of one event. Those of the time of a process before this one are marked,
// if they are pages or tell of an end: it may have sent them past a full disk and died before it
// could write that down.
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
