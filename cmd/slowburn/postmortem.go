package main

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/evidence"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/report/plain"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/internal/web"
	"github.com/slowburn-sre/slowburn/postmortem"
)

type postmortemCmd struct {
	Show postmortemShowCmd `cmd:"" default:"withargs" help:"Print the postmortem of an incident: its file, or a draft."`
	List postmortemListCmd `cmd:"" help:"List the postmortems that are kept as files."`
}

type postmortemShowCmd struct {
	URL      string `help:"The daemon's address." env:"SLOWBURN_URL" default:"http://127.0.0.1:7569"`
	Incident string `arg:"" help:"The incident's ID, as in 'slowburn incidents'."`
	Out      string `short:"O" help:"Write to this file; it must not exist." placeholder:"FILE"`
}

// Run prints the postmortem as Markdown.
func (c *postmortemShowCmd) Run(e *env) error {
	var found web.Postmortem
	d := remote{URL: c.URL}
	if err := d.get(e, "incidents/"+url.PathEscape(c.Incident)+"/postmortem", nil, &found); err != nil {
		return err
	}
	if c.Out == "" {
		_, err := fmt.Fprint(e.out, found.Markdown)
		return err
	}
	f, err := os.OpenFile(c.Out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return cannotFindOut(err)
	}
	if _, err := f.WriteString(found.Markdown); err != nil {
		_ = f.Close()
		return cannotFindOut(err)
	}
	return f.Close()
}

type postmortemListCmd struct {
	remote
}

// Run lists the postmortems with how far they are.
func (c *postmortemListCmd) Run(e *env) error {
	var all []web.Review
	if err := c.get(e, "postmortems", nil, &all); err != nil {
		return err
	}
	if done, err := c.print(e, all); done {
		return err
	}
	t := newTable(e.out, "INCIDENT", "RESOLVED", "STATUS", "OWNER", "CLASS", "ITEMS DONE", "OVERDUE", "FILE")
	for _, r := range all {
		resolved, done := plain.Unknown, 0
		if r.Resolved != nil {
			resolved = r.Resolved.UTC().Format(time.DateOnly)
		}
		for _, a := range r.Actions {
			if a.Done {
				done++
			}
		}
		t.row(r.Incident, resolved, r.Status, cmp.Or(r.Owner, plain.Unknown), cmp.Or(r.Class, plain.Unknown),
			fmt.Sprintf("%d of %d", done, len(r.Actions)), strconv.Itoa(r.Overdue), r.File)
	}
	return t.flush()
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

// review is the postmortem of an incident as people have it, or a draft.
func (a *app) review(ctx context.Context, i alerting.Incident) (string, error) {
	if text, ok := a.keeper.File(i.ID); ok {
		return text, nil
	}
	return a.postmortem(ctx, i)
}

// postmortem drafts the review of an incident from what is in the ledger and the store.
func (a *app) postmortem(ctx context.Context, i alerting.Incident) (string, error) {
	facts, err := a.draftFacts(ctx, i)
	if err != nil {
		return "", err
	}
	var text string
	found := a.engine.WithSteps(i.SLO, func(in alerting.Input, steps []alerting.Input) {
		facts.Spec, facts.Ledger, facts.Steps = in.Spec, in.Ledger, steps
		text, err = postmortem.Draft(facts).Render(cmp.Or(a.cfg.Reviews.Template, postmortem.DefaultTemplate))
	})
	if !found {
		return "", fmt.Errorf("the SLO %s of incident %s is not in the files any more, so there is nothing to draft from", i.SLO, i.ID)
	}
	return text, err
}

// draftFacts is everything that a draft is made of besides the ledgers.
func (a *app) draftFacts(ctx context.Context, i alerting.Incident) (postmortem.Facts, error) {
	f := postmortem.Facts{
		Incident: i, Limit: a.engine.PostmortemAt(), Zone: a.keeper.Zone, Reviews: a.keeper.Reviews(), Depends: a.engine.Set().Upstream(i.SLO),
		Page: a.externalURL + "/incidents/" + (&url.URL{Path: i.ID}).EscapedPath(),
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
		f.Where, f.Changes = whereOf(found), seen(found)
		if why := found.Failure(); why != "" {
			f.Problems = append(f.Problems, why)
		}
	}
	f.Signals = a.goldenSignals(within, i, found)
	f.Links, err = a.messages(ctx, i)
	return f, err
}

// messages are the addresses of the messages that told an incident's events, as far as Slack has said them, by the
// event's key.
func (a *app) messages(ctx context.Context, i alerting.Incident) (map[string]string, error) {
	sent, err := a.db.Outbox(ctx, store.OutboxFilter{State: outbox.Sent, Leg: slackLeg, Thread: i.Thread()})
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
