package web

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/internal/sentences"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/slo"
	"github.com/slowburn-sre/slowburn/slo/file"
)

func (s *jsonAPI) apiChanges(r *http.Request) (any, error) {
	p := params{q: r.URL.Query()}
	from, to, limit := p.time("from", time.Time{}), p.time("to", time.Time{}), p.int("limit", 1000, maxIncidents)
	if p.err != nil {
		return nil, p.err
	}
	all := []api.Change{}
	for _, c := range s.narrow(p.q).changes(from, to) {
		if len(all) < limit && is(p.q.Get("kind"), c.Change.Kind) {
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
	from, only := p.time("from", to.Add(-defaultDelivery)), s.narrow(p.q)
	if p.err != nil {
		return nil, p.err
	}
	d, err := only.deliver(r.Context(), only.changes(from, to.Add(alerting.ChangeWindow)), from, to)
	return api.DeliveryOf(d).WithOldNames(), err
}

// changes returns the changes of a time that a list shows, the newest first.
func (n narrowing) changes(from, to time.Time) []engine.MeasuredChange {
	found := n.Source.Snapshot().Changes(n.service, from, to, n.Now())
	return slices.DeleteFunc(found, func(c engine.MeasuredChange) bool { return !n.showsAct(c.Act) })
}

// deliver computes the figures about delivering the changes that a list shows, with the incidents
// of the same services, teams and labels.
func (n narrowing) deliver(ctx context.Context, changes []engine.MeasuredChange, from, to time.Time) (alerting.Delivery, error) {
	incidents, err := n.Archive.Incidents(ctx, store.IncidentFilter{Service: n.service, From: from, To: to, Limit: maxIncidents})
	incidents = slices.DeleteFunc(incidents, func(i alerting.Incident) bool { return !n.shows("", i.SLO) })
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
		return alerting.Act{}, badRequest("The link must be a " + file.WebAddress + ".")
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
