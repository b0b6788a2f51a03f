package web

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/internal/sentences"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/slo"
)

func (s *jsonAPI) apiChanges(r *http.Request) (any, error) {
	p := params{q: r.URL.Query()}
	from, to, limit := p.time("from", time.Time{}), p.time("to", time.Time{}), p.int("limit", 1000, maxIncidents)
	if p.err != nil {
		return nil, p.err
	}
	all := []api.Change{}
	for _, c := range s.Source.Snapshot().Changes(p.q.Get("service"), from, to, s.Now()) {
		if kind := p.q.Get("kind"); len(all) < limit && (kind == "" || kind == c.Change.Kind) {
			all = append(all, toChange(c))
		}
	}
	return all, nil
}

// apiExperiment returns one experiment, for whoever runs it to ask again and again whether it must
// end.
func (s *jsonAPI) apiExperiment(r *http.Request) (any, error) {
	for _, c := range s.Source.Snapshot().Changes("", time.Time{}, time.Time{}, s.Now()) {
		if c.Key == r.PathValue("key") && c.Trial != nil {
			return toChange(c), nil
		}
	}
	return nil, notFound("There is no experiment %q.", clip(r.PathValue("key")))
}

// defaultDelivery is the time that delivery is told of if none is asked for: the four weeks that
// error budgets are usual for.
const defaultDelivery = 28 * slo.Day

func (s *jsonAPI) apiDelivery(r *http.Request) (any, error) {
	p := params{q: r.URL.Query()}
	to := p.time("to", s.Now())
	from, service := p.time("from", to.Add(-defaultDelivery)), p.q.Get("service")
	if p.err != nil {
		return nil, p.err
	}
	changes := s.Source.Snapshot().Changes(service, from, to.Add(alerting.ChangeWindow), s.Now())
	d, err := s.deliver(r.Context(), service, changes, from, to)
	return api.DeliveryOf(d).WithOldNames(), err
}

// deliver computes the figures about delivering changes.
func (s *server) deliver(ctx context.Context, service string, changes []engine.MeasuredChange, from, to time.Time) (alerting.Delivery, error) {
	incidents, err := s.Archive.Incidents(ctx, store.IncidentFilter{Service: service, From: from, To: to, Limit: maxIncidents})
	var acts []alerting.Act
	for _, c := range changes {
		acts = append(acts, c.Act)
	}
	return alerting.Deliver(acts, incidents, from, to), err
}

// apiChanged takes a change, or an experiment that is asked for.
func (s *jsonAPI) apiChanged(r *http.Request, c caller) (any, error) {
	var n api.NewChange
	if err := decode(r, &n, "change"); err != nil {
		return nil, err
	}
	a, err := actOf(n, s.Now())
	if err != nil {
		return nil, err
	}
	done, err := s.do(r.Context(), c, a)
	return toChange(engine.MeasuredChange{Act: done}), err
}

// actOf turns a change into a fact. What is left out is filled in: it happens now, and its key
// follows from what it is, so that a pipeline may repeat itself.
func actOf(n api.NewChange, now time.Time) (alerting.Act, error) {
	c := alerting.Change{
		Kind: cmp.Or(n.Kind, "deploy"), Title: n.Title, Version: n.Version, Link: n.Link, Failed: n.Failed,
		End: valueOf(n.End), Commit: valueOf(n.Commit),
	}
	began := now.UTC().Truncate(time.Second) // whoever writes it down says so, unless it is said here
	if n.Start != nil {
		c.Start, began = n.Start.UTC(), n.Start.UTC()
	}
	if n.Link != "" && api.WebAddress(n.Link) == "" {
		return alerting.Act{}, badRequest("The link must be a full web address: http or https.")
	}
	service, name, _ := strings.Cut(n.Service, "/")
	a := alerting.Act{Key: n.Key, Kind: alerting.Changed, By: n.By, Via: n.Via, Service: service, Text: n.Text, Change: &c}
	if name != "" {
		a.Service, a.SLO = "", slo.ID(n.Service)
	}
	if c.Kind == string(alerting.Experiment) {
		a.Kind = alerting.Experiment
		spend, err := slo.ParsePercent(n.Spend)
		if err != nil {
			message, _, _ := strings.Cut(err.Error(), "; ")
			return a, badRequest("spend: %s.", message)
		}
		c.Spend = spend
	}
	if a.Key == "" {
		a.Key = fmt.Sprintf("change/%s/%s/%s/%d", n.Service, c.Kind, cmp.Or(c.Version, c.Title), began.Unix())
	}
	return a, nil
}

func valueOf(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

func toChange(c engine.MeasuredChange) api.Change {
	out := api.Change{
		Key: c.Key, Service: c.About(), SLO: string(c.SLO), Kind: c.Change.Kind, Title: c.Change.Title, Version: c.Change.Version,
		Link: api.WebAddress(c.Change.Link), Start: c.Change.Start.UTC(), End: api.TimeOrNull(c.Change.End), Failed: c.Change.Failed, By: c.By, Text: c.Text,
		Costs: []api.ChangeCost{},
	}
	for _, cost := range c.Costs {
		out.Costs = append(out.Costs, api.CostOf(cost))
	}
	if t := c.Trial; t != nil {
		out.Experiment = &api.Experiment{Phase: string(t.Phase), Abort: t.Phase == alerting.Abort, Reason: sentences.Stops(*t), Spend: float64(c.Change.Spend) / 10000}
	}
	return out
}
