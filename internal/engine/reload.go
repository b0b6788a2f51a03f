package engine

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/incidents"
	"github.com/slowburn-sre/slowburn/internal/report"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/slo"
)

// Terms are what a configuration says about decisions, and a reload exchanges.
type Terms struct {
	Set *slo.Set
	// Policy is the error-budget policy; nil is none.
	Policy *alerting.Policy
	// Reports are the reports to be sent on schedule, and ReportChannels says where to, by name; ""
	// is the default channel.
	Reports        []report.Schedule
	ReportChannels map[string]string
	// Composer makes the messages from now on; nil leaves that as it is.
	Composer Composer
}

// Reload swaps the set of SLOs, and with it the terms under which they are judged and told. State
// is kept by SLO ID: an SLO whose objective or alerts changed goes on with its ledger and its open
// incident, under the new terms from the next minute on. What is open for an SLO that is gone is
// closed, with that as the reason; its ledger is kept and picked up again if the SLO comes back. If
// that cannot be written down, nothing changes.
//
// Corrections are laid anew over every ledger, the past of it too. What was told before is not
// taken back.
//
// An SLO whose indicator changed counts different events from now on. Its history is not rewritten.
func (e *Engine) Reload(ctx context.Context, to Terms, now time.Time) error {
	e.deciding.Lock()
	defer e.deciding.Unlock()
	ctx, now = context.WithoutCancel(ctx), e.Corrected(now)
	err := e.tell(ctx, e.gone(to.Set), now, func(told told) error {
		if !e.standby { // whoever leads closes what is gone
			if err := e.closeGone(ctx, told, now); err != nil {
				return err
			}
		}
		e.exchange(to)
		return nil
	})
	if err != nil {
		return fmt.Errorf("reload: %w", err)
	}
	e.publish()
	return nil
}

// gone ends what is open for SLOs that a set does not have. It changes nothing yet.
func (e *Engine) gone(set *slo.Set) []story {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if e.standby {
		return nil
	}
	var gone []*account
	for _, a := range e.budgets.all() {
		if !belongs(a.id, set) && a.open() {
			gone = append(gone, a)
		}
	}
	return e.judge().removed(gone)
}

// exchange takes new terms into use.
func (e *Engine) exchange(to Terms) {
	e.budgets.exchange(to.Set, to.Policy)
	e.Reports, e.ReportChannels = to.Reports, to.ReportChannels
	if to.Composer != nil {
		e.Composer = to.Composer
	}
}

// closeGone writes down what has ended because its SLO is gone.
func (e *Engine) closeGone(ctx context.Context, told told, now time.Time) error {
	if err := e.backlog.save(ctx); err != nil {
		return err
	}
	tick := store.Tick{At: now, Facts: map[string]string{}}
	e.budgets.stopAll(told.faults)
	told.enter(&tick, &Summary{})
	if len(tick.Turns) > 0 {
		if err := e.Store.Commit(ctx, tick); err != nil {
			return err
		}
	}
	e.close(told.book, tick.Turns)
	return nil
}

// close takes over a book that was written down, and the states that go with it.
func (m *memory) close(book incidents.Book, turns []store.Turn) {
	m.adopt(book)
	for _, turn := range turns {
		m.budgets.known(turn.SLO).state = turn.State
	}
	if len(turns) > 0 {
		m.kick()
	}
}

// restore takes an account over from before a restart. If its SLO was taken out meanwhile, the
// first tick closes what is open; see Lead.
func (b *budgets) restore(a *account, book incidents.Book) {
	a.counted = a.ledger.Sum(a.ledger.First(), a.state.Through)
	if belongs(a.id, b.set) {
		a.spec = b.set.Lookup(a.id)
		b.excuse(a)
		b.put(a)
		return
	}
	a.spec = &slo.Spec{
		Service: a.id.Service(), Name: a.id.Name(), Description: "This SLO is no longer in the files.",
		Objective: promisedTo(book, a), Windows: []slo.Window{{Rolling: 28 * slo.Day}},
	}
	b.removed[a.id] = a
}

// promisedTo finds the objective of an SLO that is gone, in what its open incident remembers.
func promisedTo(b incidents.Book, a *account) slo.Objective {
	share := 0.01
	if a.state.Burn != nil {
		i, _ := b.Find(a.state.Burn.Incident)
		if at := i.Last.Budget; at.Total > 0 {
			share = float64(at.Allowed) / float64(at.Total)
		}
	}
	o, err := slo.ParseObjective(strconv.FormatFloat(100-100*share, 'f', 3, 64))
	if err != nil {
		o, _ = slo.ParseObjective("99")
	}
	return o
}

// orphaned lists what is open for SLOs that were taken out while nobody was there to see it.
func (b *budgets) orphaned() (gone []*account) {
	for _, id := range b.orphans {
		if a := b.removed[id]; a != nil && a.open() {
			gone = append(gone, a)
		}
	}
	return gone
}
