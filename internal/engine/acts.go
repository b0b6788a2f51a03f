package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/incidents"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/slo"
)

// Do takes what a person did: it is written down, together with the messages that tell of it,
// before anything comes of it. An act whose key is known changes nothing; if what it says is not
// what is stored, it is refused. See [incidents.Book.Act] and [incidents.Repeated]. Answers to
// whoever asked for it are written in the same transaction, unless it is refused.
func (m *memory) Do(ctx context.Context, a alerting.Act, now time.Time, answers ...store.Verdict) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.standby {
		return store.ErrStandby
	}
	ctx, now = context.WithoutCancel(ctx), m.clock.corrected(now)
	switch stored, known, err := m.Store.Act(ctx, a.Key); {
	case err != nil:
		return err
	case known:
		return m.again(ctx, a, stored, now, answers)
	}
	teller := m.teller()
	past, err := teller.past(ctx, m.book, incidents.Mentions(a))
	if err != nil {
		return err
	}
	book, out, err := m.book.Act(m.budgets, a, past, now)
	if err != nil || len(out.Acts)+len(answers) == 0 {
		return err
	}
	owed, faults := teller.compose(out)
	m.budgets.stopAll(faults)
	tick := store.Tick{Acts: out.Acts, Incidents: out.Incidents, Owed: slices.Concat(owed...), Verdicts: answers}
	if err := m.backlog.write(ctx, tick); err != nil {
		if taken := new(store.TakenError); errors.As(err, &taken) {
			return m.again(ctx, a, taken.Act, now, answers)
		}
		return fmt.Errorf("write down the %s of %s: %w", a.Kind, a.By, err)
	}
	if len(out.Acts) == 0 {
		return nil
	}
	m.adopt(book)
	if a.Kind == alerting.Close {
		m.settling.add(a.Incident)
	}
	var changed []slo.ID
	for _, i := range out.Incidents {
		changed = append(changed, i.SLO)
	}
	m.publishBook(changed...)
	m.Log.Info("act", "kind", a.Kind, "by", a.By, "via", a.Via, "incident", a.Incident, "slo", a.SLO, "service", a.Service)
	if len(tick.Owed) > 0 {
		m.kick()
	}
	return nil
}

// again takes an act whose key is taken: the same act is done already, another one is refused.
func (m *memory) again(ctx context.Context, a, stored alerting.Act, now time.Time, answers []store.Verdict) error {
	if err := incidents.Repeated(a, stored, now); err != nil || len(answers) == 0 {
		return err
	}
	return m.backlog.write(ctx, store.Tick{Verdicts: answers})
}
