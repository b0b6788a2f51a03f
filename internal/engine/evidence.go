package engine

import (
	"context"
	"encoding/json"
	"time"

	"github.com/slowburn-sre/slowburn/internal/evidence"
	"github.com/slowburn-sre/slowburn/internal/ranking"
	"github.com/slowburn-sre/slowburn/internal/store"
)

// Evidence is gathered after a decision, never before it: the page is on its way while Prometheus
// is asked what burns and what changed. What is found is written down together with the messages
// that tell it, so it is told once, however often the process dies on the way: an open incident
// without evidence is asked about again.

// LookInto gathers evidence about open incidents until ctx ends: at the start, and whenever one has
// opened or become a page. It holds nothing up: no lock is held while it asks.
func (e *Engine) LookInto(ctx context.Context, now func() time.Time) error {
	for {
		e.Gather(ctx, now)
		select {
		case <-ctx.Done():
			return nil
		case <-e.wakeGather:
		}
	}
}

// Gather looks into every open incident that has no evidence yet, pages first, one after the other.
func (e *Engine) Gather(ctx context.Context, now func() time.Time) {
	if e.Evidence == nil {
		return
	}
	for {
		ids := e.unexplained()
		if len(ids) == 0 {
			return
		}
		for _, id := range ids {
			q, ok := e.question(id)
			if !ok {
				continue
			}
			found := e.Evidence(ctx, q)
			if ctx.Err() != nil {
				return // stopped in the middle: what is missing now is no finding
			}
			e.saveEvidence(context.WithoutCancel(ctx), found, e.Corrected(now()))
			if len(e.wakeGather) > 0 {
				break // something has opened that may be more urgent
			}
		}
		select {
		case <-e.wakeGather:
		default:
		}
	}
}

// wake wakes LookInto. It never blocks.
func (e *Engine) wake() {
	select {
	case e.wakeGather <- struct{}{}:
	default:
	}
}

// unexplained lists the most urgent open incidents that were not looked into yet.
func (m *memory) unexplained() []string {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.book.Unexplained(m.budgets, atATime)
}

// question returns what to find out about an open incident; false if there is nothing any more.
func (m *memory) question(id string) (evidence.Request, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	i, kind, ok := m.book.Unexplain(m.budgets, id)
	if !ok {
		return evidence.Request{}, false
	}
	a := m.budgets.byID[i.SLO]
	return evidence.Request{
		Incident: i.ID, Kind: kind, SLO: i.SLO, Spec: a.spec, Service: m.budgets.set.Service(i.SLO.Service()),
		Onset: i.Onset, At: a.state.Through.Time(), // the end of the newest minute that was evaluated
	}, true
}

// saveEvidence commits evidence with the messages that tell it. An incident that ended meanwhile
// keeps it for its draft and its page, and nobody is told.
func (m *memory) saveEvidence(ctx context.Context, found ranking.Evidence, now time.Time) {
	data, err := json.Marshal(found)
	if err != nil {
		m.Log.Error("cannot write evidence down", "incident", found.Incident, "err", err)
		data = []byte("{}")
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	tick := store.Tick{Evidence: []store.Evidence{{Incident: found.Incident, Kind: found.Kind, At: now, Data: data}}}
	if i, ok := m.book.Find(found.Incident); ok && m.budgets.byID[i.SLO] != nil {
		m.adopt(m.book.WithEvidence(&found))
		told, _ := m.book.Describe(m.budgets, i, now)
		tick.Owed = m.Composer.Evidence(told)
	}
	m.backlog.add(tick)
	if err := m.backlog.save(ctx); err != nil {
		m.Log.Error("cannot write to the store; the evidence waits in memory", "err", err)
		return
	}
	m.Log.Info("evidence", "incident", found.Incident, "burns", found.Burns.Verdict, "changes", len(found.Changes), "took", found.Took)
	if len(tick.Owed) > 0 {
		m.kick()
	}
}

// evidenceFrom reads what a restart finds.
func evidenceFrom(kept []store.Evidence) map[string]*ranking.Evidence {
	all := map[string]*ranking.Evidence{}
	for _, k := range kept { // the newest comes last
		found := &ranking.Evidence{Incident: k.Incident, Kind: k.Kind}
		_ = json.Unmarshal(k.Data, found) // evidence in a form of the past is not shown, and not asked for again
		all[k.Incident] = found
	}
	return all
}
