package web

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/internal/report/plain"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/slo"
)

func toJourney(b engine.Budget) *Journey {
	if b.Journey == nil {
		return nil
	}
	j := &Journey{Combine: string(b.Spec.SLI.Journey.Combine), Over: slo.ShortDuration(b.Journey.Over)}
	if b.Spec.SLI.Journey.Combine != slo.Weighted && b.Windows[0].Sum.Seen() > 0 {
		j.Bad = &Between{events(b.Journey.Bounds.Least), events(b.Journey.Bounds.Most)}
	}
	for n, s := range b.Journey.Steps {
		j.Steps = append(j.Steps, Step{
			SLO: string(s.SLO), Weight: float64(s.Weight) / 1000, SLI: percentOf(s.Sum), Recent: percentOf(s.Recent),
			Worst: n == b.Journey.Worst, Data: s.Data, Open: append([]string{}, s.Open...),
		})
	}
	return j
}

// upstreamOf is what burned upstream of an incident while it did.
func (s *server) upstreamOf(ctx context.Context, i alerting.Incident) ([]alerting.Upstream, error) {
	b, ok := s.Source.Budget(i.SLO)
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

// detail is an incident with its timeline, what burned upstream of it and what was found out about it.
func (s *server) detail(ctx context.Context, i alerting.Incident) (IncidentDetail, error) {
	d := toDetail(i, s.spec(i.SLO), s.Now())
	found, err := s.upstreamOf(ctx, i)
	d.Upstream = []Upstream{}
	for _, u := range found {
		one := Upstream{SLO: string(u.SLO), Incident: u.Incident, Severity: string(u.Severity), Onset: u.Onset.UTC(), Open: u.Open}
		if !u.Open {
			one.Ended = timeOrNull(u.Ended)
		}
		d.Upstream = append(d.Upstream, one)
	}
	kept, err2 := s.Archive.Evidence(ctx, i.ID)
	d.Evidence = []json.RawMessage{}
	for _, k := range kept {
		d.Evidence = append(d.Evidence, k.Data)
	}
	return d, errors.Join(err, err2)
}

// journeyView is how a journey and its steps are shown.
type journeyView struct {
	Words string // how it is derived, and between what the truth lies
	Over  string
	Steps []stepRow
}

// stepRow is one step of a journey.
type stepRow struct {
	SLO         slo.ID
	Weight      string // of a weighted mean
	SLI, Recent string
	State, Key  string // in a word, and the class that colours it
	Worst       bool
	Open        []string
}

func journeyViewOf(b engine.Budget) *journeyView {
	if b.Journey == nil {
		return nil
	}
	v := &journeyView{Words: indicatorWords(b.Spec.SLI), Over: plain.Duration(b.Journey.Over)}
	if total := b.Windows[0].Sum.Total; b.Spec.SLI.Journey.Combine != slo.Weighted && total > 0 {
		low, high := budget.Sum{Bad: b.Journey.Bounds.Most, Total: total}, budget.Sum{Bad: b.Journey.Bounds.Least, Total: total}
		v.Words += " The truth lies between " + goodShare(low) + ", if failures of the steps never met the same user, and " + goodShare(high) + ", if they always did."
	}
	for n, s := range b.Journey.Steps {
		r := stepRow{SLO: s.SLO, SLI: goodShare(s.Sum), Recent: goodShare(s.Recent), Worst: n == b.Journey.Worst, Open: s.Open}
		if b.Spec.SLI.Journey.Combine == slo.Weighted {
			r.Weight = strconv.FormatFloat(float64(s.Weight)/1000, 'f', -1, 64)
		}
		r.State, r.Key = stepState(s)
		v.Steps = append(v.Steps, r)
	}
	return v
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
