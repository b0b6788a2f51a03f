package daemon

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/config"
	"github.com/slowburn-sre/slowburn/internal/evidence"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/ranking"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/postmortem"
)

// Pages returns the incidents that were pages, oldest first.
func (a *Daemon) Pages(ctx context.Context) ([]alerting.Incident, error) {
	all, err := a.db.Incidents(ctx, store.IncidentFilter{})
	all = slices.DeleteFunc(all, func(i alerting.Incident) bool { return i.Severity != alerting.Page })
	slices.Reverse(all)
	return all, err
}

// review returns the postmortem of an incident as people have it, or a draft.
func (a *Daemon) review(ctx context.Context, i alerting.Incident) (string, error) {
	if text, ok := a.Keeper.File(i.ID); ok {
		return text, nil
	}
	return a.Postmortem(ctx, i)
}

// Postmortem drafts the review of an incident from what is in the ledger and the store.
func (a *Daemon) Postmortem(ctx context.Context, i alerting.Incident) (string, error) {
	facts, err := a.draftFacts(ctx, i)
	if err != nil {
		return "", err
	}
	var text string
	found := a.Engine.Snapshot().WithSteps(i.SLO, func(in alerting.Input, steps []alerting.Input) {
		facts.Spec, facts.Ledger, facts.Steps = in.Spec, in.Ledger, steps
		text, err = postmortem.Draft(facts).Render(cmp.Or(a.cfg.Reviews.Template, postmortem.DefaultTemplate))
	})
	if !found {
		return "", fmt.Errorf("the SLO %s of incident %s is not in the files any more, so there is nothing to draft from", i.SLO, i.ID)
	}
	return text, err
}

// draftFacts returns everything that a draft is made of besides the ledgers.
func (a *Daemon) draftFacts(ctx context.Context, i alerting.Incident) (postmortem.Facts, error) {
	f := postmortem.Facts{
		Incident: i, Limit: a.Engine.Snapshot().PostmortemAt(), Zone: a.Keeper.Zone, Reviews: a.Keeper.Reviews(), Depends: a.Engine.Snapshot().Set.Upstream(i.SLO),
		Page: a.ExternalURL + "/incidents/" + (&url.URL{Path: i.ID}).EscapedPath(),
	}
	earlier, err := a.db.Incidents(ctx, store.IncidentFilter{SLO: i.SLO, To: i.Detected, Limit: 20})
	if err != nil {
		return f, err
	}
	f.Earlier = append([]alerting.Incident{}, earlier...)
	if len(f.Depends) > 0 {
		meanwhile, err := a.db.Incidents(ctx, store.IncidentFilter{From: i.Onset, To: i.Last.Time(), Limit: maxJudged})
		if err != nil {
			return f, err
		}
		f.Upstream = alerting.Upstreams(f.Depends, meanwhile, i.Onset, i.Last.Time())
	}
	acts, err := a.db.Acts(ctx, store.ActFilter{From: i.Onset.Add(-evidence.ActsBack), Limit: maxJudged})
	if err != nil {
		return f, err
	}
	f.Acts = slices.DeleteFunc(append([]alerting.Act{}, acts...), func(act alerting.Act) bool { return act.Incident != "" })
	slices.Reverse(f.Acts) // oldest first
	within, cancel := context.WithTimeout(ctx, evidenceTimeout)
	defer cancel()
	found, err := a.foundOut(within, i)
	if err != nil {
		f.Problems = append(f.Problems, err.Error())
	}
	if found != nil {
		f.FoundAt, f.Changes = found.At, append([]ranking.Change{}, found.Changes...)
		if found.Burns.Verdict != ranking.NotKnown {
			f.Where, f.Traces = &found.Burns, found.Traces
		}
		if why := found.Failure(); why != "" {
			f.Problems = append(f.Problems, why)
		}
	}
	f.Signals = a.goldenSignals(within, i, found)
	f.Links, err = a.messages(ctx, i)
	return f, err
}

// messages returns the addresses of the messages that told an incident's events, as far as Slack
// has said them, by the event's key.
func (a *Daemon) messages(ctx context.Context, i alerting.Incident) (map[string]string, error) {
	sent, err := a.db.Outbox(ctx, store.OutboxFilter{State: outbox.Sent, Receiver: config.SlackReceiver, Thread: i.Thread()})
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
