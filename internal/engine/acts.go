package engine

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/incidents"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/slo"
)

// Do takes what a person did: it is written down, together with the messages that tell of it,
// before anything comes of it. An act whose key is known changes nothing. See [incidents.Book.Act].
// Answers to whoever asked for it are written in the same transaction, unless it is refused.
func (e *Engine) Do(ctx context.Context, a alerting.Act, now time.Time, answers ...store.Verdict) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.standby {
		return store.ErrStandby
	}
	ctx, now = context.WithoutCancel(ctx), e.Corrected(now)
	past, err := pastOf(ctx, e.Store, e.book, incidents.Mentions(a))
	if err != nil {
		return err
	}
	book, out, err := e.book.Act(e.budgets, a, past, now)
	if err != nil || len(out.Acts)+len(answers) == 0 {
		return err
	}
	tick := store.Tick{Acts: out.Acts, Incidents: out.Incidents, Owed: slices.Concat(e.compose(out)...), Verdicts: answers}
	if err := e.backlog.write(ctx, tick); err != nil {
		return fmt.Errorf("write down the %s of %s: %w", a.Kind, a.By, err)
	}
	if len(out.Acts) == 0 {
		return nil
	}
	e.book = book
	if a.Kind == alerting.Close {
		e.settling.add(a.Incident)
	}
	var changed []slo.ID
	for _, i := range out.Incidents {
		changed = append(changed, i.SLO)
	}
	e.publishOnly(changed...)
	e.Log.Info("act", "kind", a.Kind, "by", a.By, "via", a.Via, "incident", a.Incident, "slo", a.SLO, "service", a.Service)
	if len(tick.Owed) > 0 {
		e.kick()
	}
	return nil
}

// pastOf reads the incidents that are not open from the store, as far as there are any of these
// IDs.
func pastOf(ctx context.Context, from Store, book incidents.Book, ids []string) (incidents.Past, error) {
	past := incidents.Past{}
	for _, id := range ids {
		if _, open := book.Find(id); open {
			continue
		}
		i, ok, err := from.Incident(ctx, id)
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
func (e *Engine) compose(outcomes ...incidents.Outcome) [][]outbox.Entry {
	all, shown := make([][]outbox.Entry, len(outcomes)), outbox.Shown{}
	for n, out := range slices.Backward(outcomes) {
		var parts [][]outbox.Entry // the last first
		if out.Permit != nil {
			parts = append(parts, e.Composer.Permit(*out.Permit))
		}
		for _, d := range slices.Backward(out.Done) {
			e.budgets.guard("", func() { parts = append(parts, e.Composer.Act(d)) })
		}
		for _, t := range slices.Backward(out.Notifications) {
			e.budgets.guard(t.Event.SLO, func() { parts = append(parts, e.composeEvent(t, shown)) })
		}
		slices.Reverse(parts)
		all[n] = slices.Concat(parts...)
	}
	return all
}

// composeEvent makes the messages of one event. Those of the time of a process before this one are
// marked, if they are pages or tell of an end: it may have sent them past a full disk and died before
// it could write that down.
func (e *Engine) composeEvent(t incidents.Notification, shown outbox.Shown) []outbox.Entry {
	entries := e.Composer.Event(t, shown)
	shown.Add(entries)
	for n := range entries {
		was := &entries[n]
		if was.Op != outbox.Edit && t.Event.Time().Before(e.began) && (was.Lane == outbox.LanePage || t.Event.Kind == alerting.Resolved || t.Over) {
			was.Tried, was.Created = true, t.Event.Time()
			if t.Over {
				was.Created = t.Incident.Detected
			}
		}
	}
	return entries
}
