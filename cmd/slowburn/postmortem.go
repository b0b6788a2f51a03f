package main

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"os"
	"slices"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/postmortem"
	"github.com/slowburn-sre/slowburn/slo"
)

type postmortemCmd struct {
	URL      string `help:"The daemon's address." env:"SLOWBURN_URL" default:"http://127.0.0.1:7569"`
	Incident string `arg:"" help:"The incident's ID, as in 'slowburn incidents'."`
	Out      string `short:"O" help:"Write to this file; it must not exist." placeholder:"FILE"`
}

// Run prints the draft as Markdown.
func (c *postmortemCmd) Run(e *env) error {
	var draft struct {
		Markdown string `json:"markdown"`
	}
	d := daemon{URL: c.URL}
	if err := d.get(e, "incidents/"+url.PathEscape(c.Incident)+"/postmortem", nil, &draft); err != nil {
		return err
	}
	if c.Out == "" {
		_, err := fmt.Fprint(e.out, draft.Markdown)
		return err
	}
	f, err := os.OpenFile(c.Out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return cannotFindOut(err)
	}
	if _, err := f.WriteString(draft.Markdown); err != nil {
		_ = f.Close()
		return cannotFindOut(err)
	}
	return f.Close()
}

// pages are the incidents that were pages, oldest first.
func (a *app) pages(ctx context.Context) ([]alerting.Incident, error) {
	all, err := a.db.Incidents(ctx, store.IncidentFilter{})
	var pages []alerting.Incident
	for n := len(all) - 1; n >= 0; n-- {
		if all[n].Severity == alerting.Page {
			pages = append(pages, all[n])
		}
	}
	return pages, err
}

// postmortem drafts the review of an incident from what is in the ledger and the store.
func (a *app) postmortem(ctx context.Context, i alerting.Incident) (string, error) {
	earlier, err := a.db.Incidents(ctx, store.IncidentFilter{SLO: i.SLO, To: i.Detected, Limit: 20})
	if err != nil {
		return "", err
	}
	earlier = slices.DeleteFunc(append([]alerting.Incident{}, earlier...), func(e alerting.Incident) bool { return e.ID == i.ID })
	evidence := a.goldenSignals(ctx, i)
	burns, changes := a.foundOut(ctx, i)
	text, limit := "", a.engine.PostmortemAt()
	found := a.engine.WithLedger(i.SLO, func(spec *slo.Spec, ledger *budget.Ledger) {
		draft := postmortem.Draft(postmortem.Facts{
			Incident: i, Spec: spec, Ledger: ledger, Earlier: earlier, Signals: evidence, Limit: limit,
			Contributors: burns, Changes: changes,
			Page: a.externalURL + "/incidents/" + (&url.URL{Path: i.ID}).EscapedPath(),
		})
		text, err = draft.Render(cmp.Or(a.cfg.Reviews.Template, postmortem.DefaultTemplate))
	})
	if !found {
		return "", fmt.Errorf("the SLO %s of incident %s is not in the files any more, so there is nothing to draft from", i.SLO, i.ID)
	}
	return text, err
}
