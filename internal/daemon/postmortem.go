package daemon

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/config"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/internal/evidence"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/ranking"
	"github.com/slowburn-sre/slowburn/internal/reviews"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/postmortem"
)

// Archive reads what the past has left in the ledger and the store, and draws postmortems and the
// register from it.
type Archive struct {
	db      *store.DB
	seen    func() *engine.Snapshot
	witness *witness
	keeper  *reviews.Keeper
	cfg     *atomic.Pointer[config.Config] // in force
	url     string                         // of the pages
}

// Pages returns the incidents that were pages, oldest first.
func (r *Archive) Pages(ctx context.Context) ([]alerting.Incident, error) {
	all, err := r.db.Incidents(ctx, store.IncidentFilter{})
	all = slices.DeleteFunc(all, func(i alerting.Incident) bool { return i.Severity != alerting.Page })
	slices.Reverse(all)
	return all, err
}

// review returns the postmortem of an incident as people have it, or a draft.
func (r *Archive) review(ctx context.Context, i alerting.Incident) (string, error) {
	if text, ok := r.keeper.File(i.ID); ok {
		return text, nil
	}
	return r.Draft(ctx, i)
}

// Draft writes the review of an incident from what is in the ledger and the store.
func (r *Archive) Draft(ctx context.Context, i alerting.Incident) (string, error) {
	facts, err := r.facts(ctx, i)
	if err != nil {
		return "", err
	}
	var text string
	found := r.seen().WithSteps(i.SLO, func(in alerting.Input, steps []alerting.Input) {
		facts.Spec, facts.Ledger, facts.Steps = in.Spec, in.Ledger, steps
		text, err = postmortem.Draft(facts).Render(cmp.Or(r.cfg.Load().Reviews.Template, postmortem.DefaultTemplate))
	})
	if !found {
		return "", fmt.Errorf("the SLO %s of incident %s is not in the files any more, so there is nothing to draft from", i.SLO, i.ID)
	}
	return text, err
}

// facts returns everything that a draft is made of besides the ledgers.
func (r *Archive) facts(ctx context.Context, i alerting.Incident) (postmortem.Facts, error) {
	f := postmortem.Facts{
		Incident: i, Limit: r.seen().PostmortemAt(), Zone: r.keeper.Zone(), Reviews: r.keeper.Reviews(), Depends: r.seen().Set.Upstream(i.SLO),
		Page: r.url + "/incidents/" + (&url.URL{Path: i.ID}).EscapedPath(),
	}
	earlier, err := r.db.Incidents(ctx, store.IncidentFilter{SLO: i.SLO, To: i.Detected, Limit: 20})
	if err != nil {
		return f, err
	}
	f.Earlier = append([]alerting.Incident{}, earlier...)
	if len(f.Depends) > 0 {
		meanwhile, err := r.db.Incidents(ctx, store.IncidentFilter{From: i.Onset, To: i.Last.Time(), Limit: maxJudged})
		if err != nil {
			return f, err
		}
		f.Upstream = alerting.Upstreams(f.Depends, meanwhile, i.Onset, i.Last.Time())
	}
	acts, err := r.db.Acts(ctx, store.ActFilter{From: i.Onset.Add(-evidence.ActsBack), Limit: maxJudged})
	if err != nil {
		return f, err
	}
	f.Acts = slices.DeleteFunc(append([]alerting.Act{}, acts...), func(act alerting.Act) bool { return act.Incident != "" })
	slices.Reverse(f.Acts) // oldest first
	within, cancel := context.WithTimeout(ctx, evidenceTimeout)
	defer cancel()
	found, err := r.witness.foundOut(within, i)
	if err != nil {
		f.Problems = append(f.Problems, err.Error())
	}
	if found != nil {
		f.FoundAt, f.Changes = found.At, append([]ranking.Suspect{}, found.Changes...)
		if found.Burns.Verdict != ranking.NotKnown {
			f.Where, f.Traces = &found.Burns, found.Traces
		}
		if why := found.Failure(); why != "" {
			f.Problems = append(f.Problems, why)
		}
	}
	f.Signals = r.witness.goldenSignals(within, i, found)
	f.Links, err = r.messages(ctx, i)
	return f, err
}

// messages returns the addresses of the messages that told an incident's events, as far as Slack
// has said them, by the event's key.
func (r *Archive) messages(ctx context.Context, i alerting.Incident) (map[string]string, error) {
	sent, err := r.db.Outbox(ctx, store.OutboxFilter{State: outbox.Sent, Receiver: config.SlackReceiver, Thread: i.Thread()})
	links := map[string]string{}
	for _, o := range sent {
		for _, e := range i.Log {
			if key := e.Key(); o.Receipt.Link != "" && (o.Key == key || strings.HasPrefix(o.Key, key+"/")) {
				links[key] = o.Receipt.Link
			}
		}
	}
	return links, err
}
