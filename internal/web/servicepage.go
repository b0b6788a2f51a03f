package web

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/ranking"
	"github.com/slowburn-sre/slowburn/internal/sentences"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/slo"
)

// serviceView is the page of one service: how it is, whether it may be changed, and what it stands
// on.
type serviceView struct {
	Name     string
	Service  slo.Service // zero but for its name if only its SLOs are known
	Gate     alerting.Verdict
	Banners  []banner
	MoreOpen string
	Budgets  overview
	Signals  []chart
	Parts    []part
}

// recentChanges is how far back the page of a service lists changes.
const recentChanges = 7 * slo.Day

func (s *site) servicePage(r *http.Request) (string, page, error) {
	name := r.PathValue("service")
	here := page{Title: name, Here: "slos"}
	seen := s.Source.Snapshot()
	o := budgetList{s}.budgetsOf(r.Context(), seen.InService(name))
	known := seen.Set.Service(name)
	if o.Found == 0 && known == nil {
		return "", here, notFound("There is no service %q.", clip(name))
	}
	o.Label = "SLOs of " + name
	v := serviceView{Name: name, Budgets: o}
	if known != nil {
		v.Service = *known
	}
	v.Gate = alerting.Worst(seen.Verdicts(name, "", s.Now()))
	open, err := s.Archive.Incidents(r.Context(), store.IncidentFilter{Service: name, Open: true})
	if err != nil { // memory knows those that are open, too
		open = seen.Open.InService(name)
	}
	for _, i := range open {
		v.Banners = append(v.Banners, openIncidents{s.server}.bannerOf(seen, i))
	}
	v.Signals = budgetCharts{s}.ofService(seen.InService(name))
	v.Parts = []part{
		s.signalPart(context.WithoutCancel(r.Context()), v.Service),
	}
	if len(v.Service.DependsOn) > 0 {
		v.Parts = append(v.Parts, part{Heading: "Depends on", Table: s.dependencyTable(v.Service.DependsOn)})
	}
	changes := seen.Changes(name, s.Now().Add(-recentChanges), time.Time{}, s.Now())
	v.Parts = append(v.Parts, part{
		Heading: "Changes of the last seven days", Table: s.changeTable(changes), Empty: sentences.NoChanges,
		Words: sentences.AfterChange,
	})
	return "service", page{Title: name, Here: "slos", Body: v}, nil
}

// dependencyTable returns what a service depends on, and what of that burns.
func (s *site) dependencyTable(all []slo.Dependency) table {
	t := table{Label: "Dependencies", Head: []column{
		{"State", asState},
		{"Depends on", asName},
		{"Which SLO", asText},
		{"What if it fails", asText},
		{"What burns", asWhole},
	}}
	open := s.Source.Snapshot().Open
	for _, d := range all {
		state, which, fails := badge("good", "calm"), text("any of them"), "its failures are ours"
		if d.Soft {
			fails = "we get along without it"
		}
		if d.SLO != "" {
			which = s.sloLink(slo.ID(d.Service + "/" + d.SLO))
		}
		var burns markup
		for _, i := range open.InService(d.Service) {
			if d.SLO == "" || i.SLO.Name() == d.SLO {
				if burns != "" {
					burns += "<br>"
				}
				burns += s.incidentLink(i.ID, string(i.SLO)+": "+sentences.Standing(i).String())
				state = badge(stateKey(i), "burns")
			}
		}
		t.add(state, s.serviceLink(d.Service), which, text(fails), burns)
	}
	return t
}

// signalPart returns the golden signals of a service.
func (s *site) signalPart(ctx context.Context, service slo.Service) part {
	p := part{Heading: "Golden signals", ID: "signals", Empty: text(sentences.Sentence(sentences.NoSignals) + ".")}
	if service.Signals == nil {
		return p
	}
	shot, ok := s.signals.take(ctx, s.Signals, service.Name)
	if !ok {
		return p
	}
	p.Words = fmt.Sprintf("Over %s up to %s, beside the same time %s earlier.", figures.Duration(shot.Window), figures.UTC(shot.At), figures.Duration(shot.Back))
	p.Table = table{Label: "Golden signals", Head: []column{
		{"Signal", asName},
		{"Now", asText},
		{"Before", asText},
		{"Limit", asText},
		{"Full", asText},
		{"Query", asWhole},
	}}
	for _, g := range []ranking.Signal{shot.Latency, shot.Traffic, shot.Errors} {
		p.Table.add(text(g.Name)+small(g.What), readingOf(g.Now, g.Unit), readingOf(g.Baseline, g.Unit), "", "", queryCell(g.Query))
	}
	for _, g := range shot.Saturation {
		limit, full := text("not known"), text(g.Forecast.Reason)
		if g.Limit > 0 {
			limit = text(ranking.Figure(ranking.Reading{Value: g.Limit, Known: true}, g.Unit))
		}
		if used, ok := g.Share(); ok {
			limit += small(figures.Ratio(used) + " of it in use")
		}
		if g.Forecast.Known() {
			full = text(figures.UTC(g.Forecast.Earliest) + " to " + figures.UTC(g.Forecast.Latest) + ", " + sentences.OnTrend)
		}
		p.Table.add(text("saturation")+small(g.Name), readingOf(g.Now, g.Unit), readingOf(g.Baseline, g.Unit), limit, full, queryCell(g.Query))
	}
	return p
}

// readingOf returns a value, or why there is none.
func readingOf(r ranking.Reading, unit string) markup {
	if !r.Known {
		return figureOf(unknown(r.Reason))
	}
	return figureOf(figure{ranking.Figure(r, unit), ""})
}

// queryCell shows a query to those who want to see it.
func queryCell(query string) markup {
	if query == "" {
		return ""
	}
	return `<details><summary>query</summary><pre tabindex="0"><code>` + text(query) + `</code></pre></details>`
}

// signalCache keeps snapshots for some seconds: a page that many look at during an incident asks
// Prometheus once.
type signalCache struct {
	mu   sync.Mutex
	shot map[string]*signalShot
}

// signalShot is the newest snapshot of one service.
type signalShot struct {
	mu sync.Mutex
	at time.Time
	ranking.Snapshot
	known bool
}

// The bounds of a snapshot for a page. What has not come by then is unknown.
const (
	signalsFor   = 15 * time.Second
	signalsLimit = 3 * time.Second
)

// take returns a snapshot that is some seconds old at most; false for a service that nobody knows.
func (c *signalCache) take(ctx context.Context, read func(context.Context, string) (ranking.Snapshot, bool), service string) (ranking.Snapshot, bool) {
	if read == nil {
		return ranking.Snapshot{}, false
	}
	c.mu.Lock()
	if c.shot == nil {
		c.shot = map[string]*signalShot{}
	}
	one := c.shot[service]
	if one == nil {
		one = &signalShot{}
		c.shot[service] = one
	}
	c.mu.Unlock()
	one.mu.Lock()
	defer one.mu.Unlock()
	if now := time.Now(); now.Sub(one.at) > signalsFor {
		ctx, cancel := context.WithTimeout(ctx, signalsLimit)
		defer cancel()
		one.Snapshot, one.known = read(ctx, service)
		one.at = now
	}
	return one.Snapshot, one.known
}
