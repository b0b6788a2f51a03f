package daemon

import (
	"cmp"
	"context"
	"net/url"
	"path/filepath"
	"slices"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/config"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/notify/slack"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/reviews"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/postmortem"
	"github.com/slowburn-sre/slowburn/slo"
)

// newKeeper makes the keeper of postmortems.
func (a *Daemon) newKeeper() *reviews.Keeper {
	return &reviews.Keeper{
		Folder:    func() string { return a.cfg.Load().Reviews.Path },
		Zone:      a.zone,
		Incidents: a.Archive.resolvedSince, Judge: a.Archive.judge, Draft: a.Archive.Draft, Tell: a.tellReview, Log: a.Log,
	}
}

// zone returns the time zone of the first report, which is that of working days; nil without one.
func (a *Daemon) zone() *time.Location {
	if all := a.cfg.Load().Reports; len(all) > 0 {
		return all[0].Zone
	}
	return nil
}

// resolvedSince lists the incidents that were resolved since a time.
func (r *Archive) resolvedSince(ctx context.Context, since time.Time) ([]alerting.Incident, error) {
	all, err := r.db.Incidents(ctx, store.IncidentFilter{From: since, Limit: maxJudged})
	return slices.DeleteFunc(all, func(i alerting.Incident) bool { return i.Open }), err
}

// maxJudged bounds how many incidents are held against the policy in a round.
const maxJudged = 10_000

// judge applies the error-budget policy to an incident, by what the ledger knows now.
func (r *Archive) judge(i alerting.Incident) (v postmortem.Verdict, ok bool) {
	limit := r.seen().PostmortemAt()
	ok = r.seen().WithLedger(i.SLO, func(spec *slo.Spec, ledger *budget.Ledger) {
		v = postmortem.Judge(i, spec.Objective, ledger, limit)
	})
	return v, ok
}

// tellReview owes a word about a review.
func (a *Daemon) tellReview(ctx context.Context, w reviews.Word) error {
	if spec := a.Engine.Snapshot().Set.Lookup(w.Incident.SLO); spec != nil {
		if err := a.db.Commit(ctx, store.Tick{Owed: a.ways.Load().Review(w, spec, a.Now())}); err != nil {
			return err
		}
		a.Pump.Kick()
	}
	return nil
}

// Review makes the message about a postmortem that is required, or late.
func (c composer) Review(w reviews.Word, spec *slo.Spec, now time.Time) []outbox.Entry {
	if !c.routing.has(config.SlackReceiver) {
		return nil
	}
	r := slack.Review{
		Composer: c.slack, Key: w.Key, Incident: w.Incident.ID, SLO: w.Incident.SLO, File: inFolder(w.File), Late: w.Late,
		By: figures.Day(w.By), Draft: c.slack.URL + "/incidents/" + (&url.URL{Path: w.Incident.ID}).EscapedPath() + "/postmortem",
	}
	r.Channel = cmp.Or(spec.Slack.Channel, r.Channel)
	if v := w.Required; v != nil {
		r.Required = v.Reason.Text()
		if v.Budget.Allowed > 0 {
			r.Required += ", " + v.CostText() + " of what four weeks allow"
		}
	}
	for _, a := range w.Overdue {
		r.Overdue = append(r.Overdue, a.Priority+" "+a.What+" ("+a.Owner+", due "+figures.Day(a.Due)+")")
	}
	return slack.ComposeReview(r, now)
}

// inFolder returns a file as people know it: in the folder of postmortems, wherever that is on this
// machine.
func inFolder(file string) string {
	if file == "" {
		return ""
	}
	return filepath.Join(filepath.Base(filepath.Dir(file)), filepath.Base(file))
}
