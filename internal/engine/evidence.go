package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/evidence"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/slo"
)

// Evidence is gathered after a decision, never before it: the page is on its way while Prometheus is asked what burns
// and what changed. What is found is written down together with the messages that tell it, so it is told once, however
// often the process dies on the way: an open incident without evidence is asked about again.

// question is an incident that somebody should look into.
type question struct {
	incident alerting.Incident
	spec     *slo.Spec
	service  *slo.Service
	at       time.Time // the end of the newest minute that was evaluated
}

// kind is the event that asks: a ticket that becomes a page is looked into again.
func (q question) kind() alerting.Kind {
	if !q.incident.Escalated.IsZero() {
		return alerting.Escalated
	}
	return alerting.Opened
}

// LookInto gathers evidence about open incidents until ctx ends: at the start, and whenever one has opened or become
// a page. It holds nothing up: no lock is held while it asks.
func (e *Engine) LookInto(ctx context.Context, now func() time.Time) error {
	for {
		e.Gather(ctx, now)
		select {
		case <-ctx.Done():
			return nil
		case <-e.wanted:
		}
	}
}

// Gather looks into every open incident that has no evidence yet, pages first, one after the other.
func (e *Engine) Gather(ctx context.Context, now func() time.Time) {
	if e.Evidence == nil {
		return
	}
	for {
		q, ok := e.nextQuestion()
		if !ok || ctx.Err() != nil {
			return
		}
		found := e.Evidence(ctx, evidence.Request{
			Incident: q.incident.ID, Kind: q.kind(), SLO: q.incident.SLO, Spec: q.spec, Service: q.service,
			Onset: q.incident.Onset, At: q.at,
		})
		if ctx.Err() != nil {
			return // stopped in the middle: what is missing now is no finding
		}
		e.keep(context.WithoutCancel(ctx), found, e.Corrected(now()))
	}
}

// want wakes LookInto. It never blocks.
func (e *Engine) want() {
	select {
	case e.wanted <- struct{}{}:
	default:
	}
}

// nextQuestion is the most urgent open incident that was not looked into since it opened or became a page. What is over
// is left alone: nobody can act on it, and its draft asks for itself.
func (e *Engine) nextQuestion() (question, bool) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	var all []question
	for _, i := range e.book.All() {
		a := e.budgets.byID[i.SLO]
		if a == nil || i.Last.Burn == nil {
			continue // nothing burns where data are missing
		}
		q := question{i, a.spec, e.budgets.set.Service(i.SLO.Service()), a.state.Through.Time()}
		if known := e.evidence[i.ID]; known == nil || known.Kind != q.kind() {
			all = append(all, q)
		}
	}
	if len(all) == 0 {
		return question{}, false
	}
	rank := map[alerting.Severity]int{alerting.Page: -1}
	return slices.MinFunc(all, func(a, b question) int {
		return cmp.Or(cmp.Compare(rank[a.incident.Severity], rank[b.incident.Severity]),
			a.incident.Detected.Compare(b.incident.Detected), cmp.Compare(a.incident.ID, b.incident.ID))
	}), true
}

// keep writes evidence down with the messages that tell it. An incident that ended meanwhile keeps it for its draft and
// its page, and nobody is told.
func (e *Engine) keep(ctx context.Context, found evidence.Evidence, now time.Time) {
	data, err := json.Marshal(found)
	if err != nil {
		e.Log.Error("cannot write evidence down", "incident", found.Incident, "err", err)
		data = []byte("{}")
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.evidence[found.Incident] = &found
	tick := store.Tick{Evidence: []store.Evidence{{Incident: found.Incident, Kind: found.Kind, At: now, Data: data}}}
	if i, ok := e.book.Find(found.Incident); ok && e.budgets.byID[i.SLO] != nil {
		tick.Owed = e.tellEvidence(i, now)
	} else {
		delete(e.evidence, found.Incident)
	}
	e.unsaved = append(e.unsaved, tick)
	if err := e.save(ctx); err != nil {
		e.Log.Error("cannot write to the store; the evidence waits in memory", "err", err)
		return
	}
	e.Log.Info("evidence", "incident", found.Incident, "burns", found.Burns.Verdict, "changes", len(found.Changes), "took", found.Took)
	if len(tick.Owed) > 0 {
		e.kick()
	}
}

// tellEvidence composes an incident anew, as of its newest event.
func (e *Engine) tellEvidence(i alerting.Incident, now time.Time) []outbox.Entry {
	a := e.budgets.byID[i.SLO]
	return e.Composer.Evidence(e.told(e.book, e.input(e.book, a), a.state, i.Last, i, false, now))
}

// evidenceFrom reads what a restart finds.
func evidenceFrom(kept []store.Evidence) map[string]*evidence.Evidence {
	all := map[string]*evidence.Evidence{}
	for _, k := range kept { // the newest comes last
		found := &evidence.Evidence{Incident: k.Incident, Kind: k.Kind}
		_ = json.Unmarshal(k.Data, found) // evidence in a form of the past is not shown, and not asked for again
		all[k.Incident] = found
	}
	return all
}
