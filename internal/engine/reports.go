package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/crontime"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/report"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/slo"
)

// factReport names the fact that keeps the newest period of a report that is owed.
func factReport(name string) string { return "report/" + name + "/last" }

// reporter builds reports of what is seen and of what the store has kept.
type reporter struct{ *Options }

// due returns the reports that are due by the facts that are known; what a schedule that is seen
// for the first time owes nothing of is written into fresh.
func (r reporter) due(known, fresh map[string]string, now time.Time) []report.Run {
	return report.Due(r.Reports, reported(r.Reports, known, now, fresh), now)
}

// signals reads the golden signals for the reports that are due, before the engine is held up by
// anything.
func (r reporter) signals(ctx context.Context, due []report.Run) map[string][]report.Service {
	all := map[string][]report.Service{}
	for _, run := range due {
		_, to := run.Period.Bounds(scheduleOf(r.Reports, run.Report).Zone)
		all[run.Key()] = servicesAt(ctx, r.Services, to)
	}
	return all
}

// owe composes the reports that are due. The message that is owed, the report itself and the fact
// that it was made are one transaction: it comes once per period, over any restart.
//
// A report waits until the ledgers have reached the end of its period, but not for ever.
func (r reporter) owe(ctx context.Context, due []report.Run, b *budgets, services map[string][]report.Service, now time.Time, tick *store.Tick, sum *Summary) {
	for _, run := range due {
		s := scheduleOf(r.Reports, run.Report)
		if now.Sub(run.Scheduled) < reportPatience && !b.reached(run.Period, s.Zone) {
			continue
		}
		in, err := r.input(ctx, b.unpublished(), s, run.Period, services[run.Key()])
		if err != nil {
			r.Log.Error("cannot build a report; it is tried again with the next tick", "report", run.Key(), "err", err)
			sum.Failures = append(sum.Failures, err.Error())
			continue
		}
		in.Late, in.Missed = run.Late, run.Missed
		built := report.Build(in)
		tick.Reports = append(tick.Reports, storedForm(built, now))
		entries := r.Composer.Report(built, r.ReportChannels[run.Report], now)
		sum.Owed += len(entries)
		tick.Owed = append(tick.Owed, entries...)
		tick.Facts[factReport(run.Report)] = run.Period.String()
	}
}

// unpublished returns what a report of a tick looks at, which has written into the ledgers and
// published nothing of that yet.
func (b *budgets) unpublished() *Snapshot {
	s := &Snapshot{Set: b.set, Policy: b.policy}
	for _, a := range b.byID {
		s.Budgets = append(s.Budgets, Budget{Figures: &Figures{ID: a.id, Spec: a.spec, account: a}})
	}
	return s
}

// servicesPatience bounds the reading of all golden signals for one report; what has not come by
// then is unknown.
const servicesPatience = 20 * time.Second

// servicesAt reads the golden signals of every service with a bounded patience.
func servicesAt(ctx context.Context, read func(context.Context, time.Time) []report.Service, at time.Time) []report.Service {
	if read == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, servicesPatience)
	defer cancel()
	return read(ctx, at)
}

// reportPatience is how long a report waits for data of its period that cannot be read yet.
const reportPatience = 6 * time.Hour

// reached reports whether every ledger holds the whole of a period.
func (b *budgets) reached(p report.Period, zone *time.Location) bool {
	_, end := p.Bounds(zone)
	for _, a := range b.byID {
		if a.state.Through.Time().Before(end) {
			return false
		}
	}
	return true
}

// scheduleOf finds the configured report of a name; one that is not configured is in UTC.
func scheduleOf(reports []report.Schedule, name string) report.Schedule {
	for _, r := range reports {
		if r.Name == name {
			return r
		}
	}
	return report.Schedule{Name: name, Schedule: crontime.Schedule{Zone: time.UTC}}
}

// reported finds the newest period of each report. A schedule that is seen for the first time owes
// nothing of the past, which it writes into fresh.
func reported(schedules []report.Schedule, facts map[string]string, now time.Time, fresh map[string]string) map[string]report.Period {
	last := map[string]report.Period{}
	for _, s := range schedules {
		p, err := report.ParsePeriod(facts[factReport(s.Name)])
		if err == nil {
			last[s.Name] = p
			continue
		}
		if newest, at, ok := s.Newest(now); ok && now.Sub(at) > time.Hour {
			fresh[factReport(s.Name)] = newest.String()
		}
	}
	return last
}

// MakeReport builds the report of any period that has begun, also one that was never sent: by name
// in the zone of the configured report, else in UTC. It is false for a period in the future.
func (e *Engine) MakeReport(ctx context.Context, name string, p report.Period, now time.Time) (store.Report, bool, error) {
	seen := e.Snapshot()
	s := scheduleOf(seen.reports, name)
	from, to := p.Bounds(s.Zone)
	if from.After(now) {
		return store.Report{}, false, nil
	}
	at := to
	if at.After(now) {
		at = now
	}
	in, err := reporter{&e.Options}.input(ctx, seen, s, p, servicesAt(ctx, e.Services, at))
	if err != nil {
		return store.Report{}, false, err
	}
	if to.After(now) {
		for _, b := range seen.Budgets {
			if b.AsOf.After(in.Until) {
				in.Until = b.AsOf
			}
		}
	}
	return storedForm(report.Build(in), now), true, nil
}

// storedForm returns a report in the form in which it is stored.
func storedForm(r report.Report, now time.Time) store.Report {
	return store.Report{
		Name: r.Name, Period: r.Period.String(), From: r.From, To: r.To, At: now, Markdown: r.Markdown(), Data: api.ReportJSON(r),
	}
}

// mostAsked is of how many incidents a report reads the evidence: what repeats shows in as many.
const mostAsked = 500

// contributors returns the label values that most of the bad events of incidents were in which were
// open since a time, by incident.
func (r reporter) contributors(ctx context.Context, all []alerting.Incident, since time.Time) (map[string]string, error) {
	found := map[string]string{}
	asked := 0
	for _, i := range all {
		if !i.Rule.Burns() || !i.Resolved.IsZero() && i.Resolved.Before(since) || asked == mostAsked {
			continue
		}
		asked++
		kept, err := r.Store.Evidence(ctx, i.ID)
		if err != nil {
			return nil, err
		}
		for _, e := range evidenceFrom(kept) {
			if name := e.Burns.Most(); name != "" {
				found[i.ID] = name
			}
		}
	}
	return found, nil
}

// actsBefore is how long before a period an incident of it may have been acknowledged.
const actsBefore = 14 * slo.Day

// input gathers what a report is built from.
func (r reporter) input(ctx context.Context, seen *Snapshot, s report.Schedule, p report.Period, services []report.Service) (report.Input, error) {
	from, to := p.Bounds(s.Zone)
	oldest := p
	for range report.Periods - 1 {
		oldest = oldest.Prev()
	}
	since, _ := oldest.Bounds(s.Zone)
	incidents, err := r.Store.Incidents(ctx, store.IncidentFilter{From: since, To: to, Limit: 100_000})
	if err != nil {
		return report.Input{}, fmt.Errorf("report %s of %s: %w", s.Name, p, err)
	}
	bySLO := map[slo.ID][]alerting.Incident{}
	for _, i := range incidents {
		bySLO[i.SLO] = append(bySLO[i.SLO], i)
	}
	acts, err := r.Store.Acts(ctx, store.ActFilter{From: since.Add(-actsBefore), To: to, Limit: 100_000})
	if err != nil {
		return report.Input{}, fmt.Errorf("report %s of %s: %w", s.Name, p, err)
	}
	in := report.Input{Name: s.Name, Period: p, Zone: s.Zone, Team: s.Team, Acts: acts}
	in.Policy, in.Services = seen.Policy, services
	if in.Contributors, err = r.contributors(ctx, incidents, from); err != nil {
		return report.Input{}, fmt.Errorf("report %s of %s: %w", s.Name, p, err)
	}
	if r.Reviews != nil {
		in.Reviews = r.Reviews()
	}
	if r.Drills != nil && s.Team == "" {
		in.Drills = r.Drills(to)
	}
	if r.Audit != nil && s.Team == "" {
		in.Audit = r.Audit()
	}
	dead, err := r.Store.Outbox(ctx, store.OutboxFilter{State: outbox.Dead, Limit: 100_000})
	if err != nil {
		return report.Input{}, fmt.Errorf("report %s of %s: %w", s.Name, p, err)
	}
	for _, o := range dead {
		if !o.Created.Before(from) && o.Created.Before(to) {
			in.Undelivered++
		}
	}
	for _, b := range seen.Budgets {
		hold := func(f func()) { seen.readOne(b, func(*budget.Ledger) { f() }) }
		in.Subjects = append(in.Subjects, report.Subject{ID: b.ID, Spec: b.Spec, Ledger: b.account.ledger, Hold: hold, Incidents: bySLO[b.ID]})
	}
	for id, declared := range bySLO {
		if spec := wholeService(seen.Set, id); spec != nil {
			in.Subjects = append(in.Subjects, report.Subject{ID: id, Spec: spec, Incidents: declared})
		}
	}
	if r.ExternalURL != "" {
		in.Previous = report.Link{Text: p.Prev().String(), URL: r.ExternalURL + "/reports/" + s.Name + "/" + p.Prev().String()}
	}
	return in, nil
}
