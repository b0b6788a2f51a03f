package web

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/slo"
)

func toJourney(b engine.Budget) *api.Journey {
	if b.Journey == nil {
		return nil
	}
	j := &api.Journey{Combine: string(b.Spec.SLI.Journey.Combine), Over: slo.ShortDuration(b.Journey.Over)}
	if b.Spec.SLI.Journey.Combine != slo.Weighted && b.Windows[0].Sum.Seen() > 0 {
		j.Bad = &api.Between{Least: api.Events(b.Journey.Bounds.Least), Most: api.Events(b.Journey.Bounds.Most)}
	}
	for n, s := range b.Journey.Steps {
		j.Steps = append(j.Steps, api.Step{
			SLO: string(s.SLO), Objective: api.PromiseOf(s.SLO, s.Spec).Objective, Weight: float64(s.Weight) / 1000,
			Bad: api.IfKnown(api.Events(s.Sum.Bad), s.Sum.Seen() > 0), Total: api.IfKnown(api.Events(s.Sum.Total), s.Sum.Seen() > 0), SLI: api.Percent(s.Sum),
			RecentBad: api.IfKnown(api.Events(s.Recent.Bad), s.Recent.Seen() > 0), RecentTotal: api.IfKnown(api.Events(s.Recent.Total), s.Recent.Seen() > 0), Recent: api.Percent(s.Recent),
			Worst: n == b.Journey.Worst, Data: s.Data, Open: append([]string{}, s.Open...),
		})
	}
	return j
}

// upstreamOf returns what burned upstream of an incident while it did.
func (s *server) upstreamOf(ctx context.Context, i alerting.Incident) ([]alerting.Upstream, error) {
	b, ok := s.Source.Snapshot().Budget(i.SLO)
	if !ok || len(b.Upstream) == 0 {
		return nil, nil
	}
	end := i.Ended
	if i.Open {
		end = s.Now()
	}
	found, err := s.Archive.Incidents(ctx, store.IncidentFilter{From: i.Onset, To: end, Limit: maxIncidents})
	return alerting.Upstreams(b.Upstream, found, i.Onset, end), err
}

// detail returns an incident with its timeline, what burned upstream of it and what was found out
// about it.
func (s *jsonAPI) detail(ctx context.Context, i alerting.Incident) (api.IncidentDetail, error) {
	d := api.DetailOf(i, s.Source.Snapshot().Set.Lookup(i.SLO), s.Now())
	d.Incident = s.incidentOf(i)
	found, err := s.upstreamOf(ctx, i)
	d.Upstream = []api.Upstream{}
	for _, u := range found {
		one := api.Upstream{SLO: string(u.SLO), Incident: u.Incident, Severity: string(u.Severity), Onset: u.Onset.UTC(), Open: u.Open}
		if !u.Open {
			one.Ended = api.TimeOrNull(u.Ended)
		}
		d.Upstream = append(d.Upstream, one)
	}
	var err3 error
	kept, err2 := s.Archive.Evidence(ctx, i.ID)
	d.Evidence = []json.RawMessage{}
	for _, k := range kept {
		d.Evidence = append(d.Evidence, api.WithWebAddresses(k.Data))
	}
	d.Links.Slack, err3 = s.slackLink(ctx, i)
	return d, errors.Join(err, err2, err3)
}

// slackLink returns where the incident's message in Slack is, or the one in whose thread it is
// told; "" if that is not known.
func (s *server) slackLink(ctx context.Context, i alerting.Incident) (string, error) {
	told, err := s.Archive.Outbox(ctx, store.OutboxFilter{State: outbox.Sent, Receiver: "slack", Thread: i.Thread()})
	for _, o := range told { // newest first; the message may have been posted afresh
		if o.Op != outbox.Reply && o.Receipt.Link != "" {
			return o.Receipt.Link, err
		}
	}
	return "", err
}

// journeyPart returns how the steps of a journey stand; nil of an SLO that is none.
func (s *site) journeyPart(b engine.Budget) *part {
	if b.Journey == nil {
		return nil
	}
	weighted := b.Spec.SLI.Journey.Combine == slo.Weighted
	p := part{Heading: "Steps", ID: "steps", Words: indicatorWords(b.Spec.SLI), Table: table{Label: "Steps", Head: []column{
		{"State", asState},
		{"Step", asName},
		{"SLI in " + figures.Window(b.Windows[0].Window), asNumber},
		{"SLI, last " + figures.Duration(b.Journey.Over), asNumber},
	}}}
	if total := b.Windows[0].Sum.Total; !weighted && total > 0 {
		low, high := budget.Sum{Bad: b.Journey.Bounds.Most, Total: total}, budget.Sum{Bad: b.Journey.Bounds.Least, Total: total}
		p.Words += " The truth lies between " + sliOf(low, b.Spec.Objective) + ", if failures of the steps never met the same user, and " + sliOf(high, b.Spec.Objective) + ", if they always did."
	}
	if weighted {
		p.Table.Head = append(p.Table.Head, column{"Weight", asNumber})
	}
	for n, step := range b.Journey.Steps {
		word, key := stepState(step)
		name := s.sloLink(step.SLO)
		if n == b.Journey.Worst {
			name += small("worst now")
		}
		cells := []markup{badge(key, word), name, text(sliOf(step.Sum, step.Spec.Objective)), text(sliOf(step.Recent, step.Spec.Objective))}
		if weighted {
			cells = append(cells, text(figures.Decimal(float64(step.Weight)/1000)))
		}
		p.Table.add(cells...)
	}
	return &p
}

// stepState says in a word how a step stands.
func stepState(s engine.StepState) (word, key string) {
	switch {
	case len(s.Open) > 0:
		return "burning", "ticket"
	case slices.Contains([]string{budget.OK.String(), budget.ZeroTraffic.String()}, s.Data):
		return "good", "good"
	}
	return s.Data, "no-data"
}
