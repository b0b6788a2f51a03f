package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	promapi "github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/compare"
	"github.com/slowburn-sre/slowburn/internal/config"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/httpclient"
	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/slo"
)

type compareCmd struct {
	Paths      []string `arg:"" optional:"" help:"SLO files, folders or globs. Without any: those of the configuration."`
	With       string   `help:"Whose recorded series to compare with: ${enum}; auto uses what exists." enum:"auto, sloth, pyrra" default:"auto"`
	Prometheus string   `name:"prometheus.url" placeholder:"URL" help:"The server that has both; overrides the configuration."`
	URL        string   `help:"A running daemon whose figures are ours; without it they are counted from Prometheus." env:"SLOWBURN_URL"`
	reach
	printer
}

// Run compares every budget that the other tool has recorded.
func (c *compareCmd) Run(e *env) error {
	cfg, set, client, err := prepare(e, c.Paths, c.Prometheus)
	if err != nil {
		return err
	}
	server, err := newAPI(cfg.Prometheus)
	if err != nil {
		return cannotFindOut(err)
	}
	shown, err := c.daemon(e)
	if err != nil {
		return err
	}
	at := sourceTime(e.ctx, client, e.now).Add(-time.Minute).UTC().Truncate(compare.Step)
	var all []api.Comparison
	for _, spec := range set.Specs {
		if spec.SLI.Kind == slo.Composed {
			continue // it is derived from SLOs that are compared themselves, and other tools have no such thing
		}
		found, err := c.one(e, spec, prom.New(client, prom.Options{}), server, at, shown)
		if err != nil {
			return cannotFindOut(err)
		}
		all = append(all, found...)
	}
	if err := c.print(e, all, func() error { return c.tell(e, all, at) }); err != nil {
		return err
	}
	if !slices.ContainsFunc(all, func(x api.Comparison) bool { return x.Error == "" }) {
		return cannotFindOut(errors.New("there is nothing to compare: the other tool has recorded none of these SLOs"))
	}
	return nil
}

// newAPI returns the API client of Prometheus. It follows no redirects: credentials must not
// travel.
func newAPI(p config.Prometheus) (compare.Prometheus, error) {
	transport, err := httpclient.Transport(p.HTTP, "prometheus")
	if err != nil {
		return nil, err
	}
	client, err := promapi.NewClient(promapi.Config{Address: p.URL, Client: &http.Client{
		Transport: transport, Timeout: p.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}})
	if err != nil {
		return nil, err
	}
	return promv1.NewAPI(client), nil
}

// daemon asks a running daemon what it shows, by budget; nothing if none was named.
func (c *compareCmd) daemon(e *env) (map[slo.ID]*float64, error) {
	if c.URL == "" {
		return nil, nil
	}
	var all []api.SLO
	if err := (client{c.URL, c.reach}).get(e, "slos", nil, &all); err != nil {
		return nil, err
	}
	shown := map[slo.ID]*float64{}
	for _, s := range all {
		shown[slo.ID(s.ID)] = s.Budget.Remaining
	}
	return shown, nil
}

// one compares the budgets of one SLO: each is counted over the longer of both windows and
// replayed.
func (c *compareCmd) one(e *env, spec *slo.Spec, reader *prom.Reader, server compare.Prometheus, at time.Time, shown map[slo.ID]*float64) ([]api.Comparison, error) {
	tool, theirs, err := c.find(e.ctx, server, spec, at)
	if errors.Is(err, compare.ErrNothing) {
		whose := map[string]string{"auto": "Sloth or Pyrra", "sloth": "Sloth", "pyrra": "Pyrra"}[c.With]
		return []api.Comparison{{ID: string(spec.ID()), Window: spec.Window().String(), Error: "no series of " + whose + " are recorded for it"}}, nil
	}
	if err != nil {
		return nil, err
	}
	to := budget.MinuteOf(at)
	from := to - budget.Minutes(max(theirs.Window, spec.Window().Length()))
	ledgers, _, err := readHistory(e, reader, &slo.Set{Specs: []*slo.Spec{spec}}, from, to)
	if err != nil {
		return nil, err
	}
	var out []api.Comparison
	for _, id := range slices.Sorted(maps.Keys(ledgers)) {
		ours := compare.Ours{Spec: spec, Ledger: ledgers[id], At: to, Remaining: shown[id]}
		ours.Incidents = replayOne(alerting.Input{ID: id, Spec: spec, Ledger: ledgers[id]}, from, to).Incidents
		if id.Group() != "" {
			if theirs, err = compare.Read(e.ctx, server, tool, spec, id, at); err != nil && !errors.Is(err, compare.ErrNothing) {
				return nil, err
			}
		}
		found := comparisonOf(compare.Budgets(ours, theirs), compare.Alerts(ours, theirs))
		found.ID, found.Tool, found.Window = string(id), string(tool), spec.Window().String()
		out = append(out, found)
	}
	return out, nil
}

// comparisonOf writes the differences of one budget in the shape of the API.
func comparisonOf(b compare.Budget, alerts []compare.AlertDifference) api.Comparison {
	out := api.Comparison{Budget: api.BudgetDifference{Ours: b.Ours, Theirs: b.Theirs, Difference: b.Difference}}
	for _, r := range b.Reasons {
		out.Budget.Reasons = append(out.Budget.Reasons, api.DifferenceReason{Cause: string(r.Cause), Part: r.Part, Text: r.Text})
	}
	for _, a := range alerts {
		out.Alerts = append(out.Alerts, api.AlertDifference{
			Severity: string(a.Severity), Theirs: (*api.FiringPeriod)(a.Theirs), Ours: (*api.FiringPeriod)(a.Ours),
			Later: a.Later, Cause: string(a.Cause), Text: a.Text,
		})
	}
	return out
}

// find asks the tools in turn.
func (c *compareCmd) find(ctx context.Context, server compare.Prometheus, spec *slo.Spec, at time.Time) (compare.Tool, compare.Theirs, error) {
	tools := []compare.Tool{compare.Tool(c.With)}
	if c.With == "auto" {
		tools = []compare.Tool{compare.Sloth, compare.Pyrra}
	}
	var err error
	for _, tool := range tools {
		var theirs compare.Theirs
		if theirs, err = compare.Read(ctx, server, tool, spec, spec.ID(), at); !errors.Is(err, compare.ErrNothing) {
			return tool, theirs, err
		}
	}
	return "", compare.Theirs{}, err
}

// tell prints the figures, then why they differ, then the alerts that only one of both gave.
func (c *compareCmd) tell(e *env, all []api.Comparison, at time.Time) error {
	fmt.Fprintf(e.out, "Budgets left at %s.\n\n", figures.UTC(at))
	t := newTable(e.out, "SLO", "WINDOW", "OURS", "THEIRS", "DIFFERENCE", "MAINLY BECAUSE OF", "ALERTS: BOTH", "ONLY OURS", "ONLY THEIRS")
	for _, x := range all {
		if x.Error != "" {
			t.row(x.ID, windowOf(x.Window), x.Error)
			continue
		}
		because := ""
		if len(x.Budget.Reasons) > 0 {
			because = x.Budget.Reasons[0].Cause
		}
		both, ours, theirs := countAlerts(x.Alerts)
		t.row(x.ID, windowOf(x.Window), shareLeft(x.Budget.Ours), shareLeft(x.Budget.Theirs)+" ("+x.Tool+")", points(x.Budget.Difference),
			because, fmt.Sprint(both), fmt.Sprint(ours), fmt.Sprint(theirs))
	}
	if err := t.flush(); err != nil {
		return err
	}
	for _, x := range all {
		tellReasons(e, x)
	}
	return nil
}

func countAlerts(all []api.AlertDifference) (both, ours, theirs int) {
	for _, a := range all {
		switch {
		case a.Ours == nil:
			theirs++
		case a.Theirs == nil:
			ours++
		default:
			both++
		}
	}
	return both, ours, theirs
}

// points writes a difference of shares in percentage points, with its sign.
func points(v *float64) string {
	if v == nil {
		return figures.Unknown
	}
	return figures.Points(*v) + " pp"
}

func tellReasons(e *env, x api.Comparison) {
	if len(x.Budget.Reasons) == 0 && len(x.Alerts) == 0 {
		return
	}
	fmt.Fprintf(e.out, "\n%s\n", x.ID)
	for _, r := range x.Budget.Reasons {
		fmt.Fprintf(e.out, "  %s  %s: %s\n", points(&r.Part), r.Cause, r.Text)
	}
	for _, a := range x.Alerts {
		switch {
		case a.Ours == nil:
			fmt.Fprintf(e.out, "  %s  %s, only theirs, for %s. %s: %s\n", figures.UTC(a.Theirs.From), a.Severity, figures.Duration(a.Theirs.To.Sub(a.Theirs.From)), a.Cause, a.Text)
		case a.Theirs == nil:
			fmt.Fprintf(e.out, "  %s  %s, only ours, for %s. %s: %s\n", figures.UTC(a.Ours.From), a.Severity, figures.Duration(a.Ours.To.Sub(a.Ours.From)), a.Cause, a.Text)
		case a.Later != 0:
			fmt.Fprintf(e.out, "  %s  %s of both, ours %s\n", figures.UTC(a.Theirs.From), a.Severity, laterText(a.Later))
		}
	}
}

// laterText says by how many seconds ours came after theirs.
func laterText(seconds int64) string {
	d := time.Duration(seconds) * time.Second
	if d < 0 {
		return figures.Duration(-d) + " earlier"
	}
	return figures.Duration(d) + " later"
}
