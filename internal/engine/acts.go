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
//
// What holds for a thread of thousands takes long to tell and to encode. That is done without the
// lock, and anew if others have touched the same meanwhile.
func (m *memory) Do(ctx context.Context, a alerting.Act, now time.Time, answers ...store.Verdict) error {
	ctx, now = context.WithoutCancel(ctx), m.clock.corrected(now)
	for range patience {
		if done, err := m.doBeside(ctx, a, now, answers); done {
			return err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.standby {
		return store.ErrStandby
	}
	d := m.deed(a, now)
	switch err := d.take(ctx); {
	case err != nil:
		return err
	case d.stored != nil:
		return m.again(ctx, a, *d.stored, now, answers)
	}
	d.tell(func(gather func()) { gather() })
	return m.write(ctx, d, d.after, answers)
}

// doBeside takes an act on a thread of many incidents, for all but writing it down without the
// lock. It is false if that is not worth it, or if others have touched the thread meanwhile.
func (m *memory) doBeside(ctx context.Context, a alerting.Act, now time.Time, answers []store.Verdict) (done bool, err error) {
	var d *deed
	m.look(func() {
		if !m.standby && incidents.Spread(m.book, a) > atATime {
			d = m.deed(a, now)
			err = d.take(ctx)
		}
	})
	if d == nil || err != nil {
		return d != nil, err
	}
	if d.stored == nil {
		d.tell(m.look)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.standby {
		return true, store.ErrStandby
	}
	if d.stored != nil {
		return true, m.again(ctx, a, *d.stored, now, answers)
	}
	book, ok := d.out.Standing(m.budgets, d.before, m.book)
	if !ok {
		return false, nil
	}
	return true, m.write(ctx, d, book, answers)
}

// look does something under the lock that others may look beside.
func (m *memory) look(f func()) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	f()
}

// deed is an act on its way into the book.
type deed struct {
	teller
	act           alerting.Act
	now           time.Time
	before, after incidents.Book
	stored        *alerting.Act // what its key is taken by already; nil if it is not
	out           incidents.Outcome
	tick          store.Tick
	faults        []fault
}

// deed makes one, with the lock held.
func (m *memory) deed(a alerting.Act, now time.Time) *deed {
	return &deed{teller: m.teller(), act: a, now: now, before: m.book}
}

// take finds out what comes of it, with the lock held.
func (d *deed) take(ctx context.Context) error {
	stored, known, err := d.Store.Act(ctx, d.act.Key)
	if err != nil {
		return err
	}
	if known {
		d.stored = &stored
		return nil
	}
	past, err := d.past(ctx, d.before, incidents.Mentions(d.act, d.before.Acts()))
	if err != nil {
		return err
	}
	d.after, d.out, err = d.before.Act(d.world, d.act, past, d.now)
	return err
}

// tell composes and encodes what is told of it. What is to be gathered for that is gathered in
// pieces, each by a function that holds the lock.
func (d *deed) tell(holding func(gather func())) {
	d.tick = store.Tick{Acts: d.out.Acts, Incidents: d.out.Incidents}
	d.compose(d.out)
	if roots := map[string]*incidents.Notification{}; len(d.out.Acts) > 1 && d.Composer.TellsEach(d.act) {
		for some := range slices.Chunk(d.out.Acts[1:], atATime) {
			var told []incidents.Done
			holding(func() { told = incidents.Echoes(d.world, d.before, d.after, some, roots, d.now) })
			d.compose(incidents.Outcome{Done: told})
		}
	}
	d.tick = d.tick.Encoded()
}

func (d *deed) compose(out incidents.Outcome) {
	owed, faults := d.teller.compose(out)
	d.tick.Owed = append(d.tick.Owed, slices.Concat(owed...)...)
	d.faults = append(d.faults, faults...)
}

// write writes down a deed and takes over the book that it leaves, with the lock held.
func (m *memory) write(ctx context.Context, d *deed, book incidents.Book, answers []store.Verdict) error {
	a, tick := d.act, d.tick
	if len(tick.Acts)+len(answers) == 0 {
		return nil
	}
	m.budgets.stopAll(d.faults)
	tick.Verdicts = answers
	if err := m.backlog.write(ctx, tick); err != nil {
		if taken := new(store.TakenError); errors.As(err, &taken) {
			return m.again(ctx, a, taken.Act, d.now, answers)
		}
		return fmt.Errorf("write down the %s of %s: %w", a.Kind, a.By, err)
	}
	if len(tick.Acts) == 0 {
		return nil
	}
	m.adopt(book)
	if a.Kind == alerting.Close {
		m.settling.add(a.Incident)
	}
	var changed []slo.ID
	for _, i := range tick.Incidents {
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
