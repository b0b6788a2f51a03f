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

// oweReports composes the reports that are due. The message that is owed, the report itself and the
// fact that it was made are one transaction: it comes once per period, over any restart.
//
// A report waits until the ledgers have reached the end of its period, but not for ever.
func (e *Engine) oweReports(ctx context.Context, now time.Time, services map[string][]report.Service, tick *store.Tick, sum *Summary) {
	for _, run := range report.Due(e.Reports, reported(e.Reports, e.facts, now, tick.Facts), now) {
		if now.Sub(run.Scheduled) < reportPatience && !e.budgets.reached(run.Period, e.Snapshot().schedule(run.Report).Zone) {
			continue
		}
		r, err := e.buildReport(ctx, run, services[run.Key()])
		if err != nil {
			e.Log.Error("cannot build a report; it is tried again with the next tick", "report", run.Key(), "err", err)
			sum.Failures = append(sum.Failures, err.Error())
			continue
		}
		tick.Reports = append(tick.Reports, storedForm(r, now))
		entries := e.Composer.Report(r, e.ReportChannels[run.Report], now)
		sum.Owed += len(entries)
		tick.Owed = append(tick.Owed, entries...)
		tick.Facts[factReport(run.Report)] = run.Period.String()
	}
}

// signalsFor reads the golden signals for the reports that are due, before the engine is held up by
// anything.
func (e *Engine) signalsFor(ctx context.Context, now time.Time) map[string][]report.Service {
	e.mu.RLock()
	due := report.Due(e.Reports, reported(e.Reports, e.facts, now, map[string]string{}), now)
	var ends []time.Time
	for _, run := range due {
		_, to := run.Period.Bounds(e.Snapshot().schedule(run.Report).Zone)
		ends = append(ends, to)
	}
	e.mu.RUnlock()
	all := map[string][]report.Service{}
	for n, run := range due {
		all[run.Key()] = servicesAt(ctx, e.Services, ends[n])
	}
	return all
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

// schedule finds the configured report of a name; one that is not configured is in UTC.
func (s *Snapshot) schedule(name string) report.Schedule {
	for _, r := range s.reports {
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

// buildReport builds a report for a tick, which has written into the ledgers and published nothing
// of that yet.
func (e *Engine) buildReport(ctx context.Context, run report.Run, services []report.Service) (report.Report, error) {
	s := e.withoutBudgets()
	for _, a := range e.budgets.byID {
		s.Budgets = append(s.Budgets, Budget{ID: a.id, Spec: a.spec, account: a})
	}
	in, err := e.reportInput(ctx, s, s.schedule(run.Report), run.Period, services)
	if err != nil {
		return report.Report{}, err
	}
	in.Late, in.Missed = run.Late, run.Missed
	return report.Build(in), nil
}

// MakeReport builds the report of any period that has begun, also one that was never sent: by name
// in the zone of the configured report, else in UTC. It is false for a period in the future.
func (e *Engine) MakeReport(ctx context.Context, name string, p report.Period, now time.Time) (store.Report, bool, error) {
	seen := e.Snapshot()
	s := seen.schedule(name)
	from, to := p.Bounds(s.Zone)
	if from.After(now) {
		return store.Report{}, false, nil
	}
	at := to
	if at.After(now) {
		at = now
	}
	in, err := e.reportInput(ctx, seen, s, p, servicesAt(ctx, e.Services, at))
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

// actsBefore is how long before a period an incident of it may have been acknowledged.
const actsBefore = 14 * slo.Day

func (e *Engine) reportInput(ctx context.Context, seen *Snapshot, s report.Schedule, p report.Period, services []report.Service) (report.Input, error) {
	from, to := p.Bounds(s.Zone)
	incidents, err := e.Store.Incidents(ctx, store.IncidentFilter{From: from, To: to, Limit: 100_000})
	if err != nil {
		return report.Input{}, fmt.Errorf("report %s of %s: %w", s.Name, p, err)
	}
	bySLO := map[slo.ID][]alerting.Incident{}
	for _, i := range incidents {
		bySLO[i.SLO] = append(bySLO[i.SLO], i)
	}
	acts, err := e.Store.Acts(ctx, store.ActFilter{From: from.Add(-actsBefore), To: to, Limit: 100_000})
	if err != nil {
		return report.Input{}, fmt.Errorf("report %s of %s: %w", s.Name, p, err)
	}
	in := report.Input{Name: s.Name, Period: p, Zone: s.Zone, Team: s.Team, Acts: acts}
	in.Policy, in.Services = seen.Policy, services
	if e.Reviews != nil {
		in.Reviews = e.Reviews()
	}
	if e.Drills != nil && s.Team == "" {
		in.Drills = e.Drills(to)
	}
	dead, err := e.Store.Outbox(ctx, store.OutboxFilter{State: outbox.Dead, Limit: 100_000})
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
	if e.ExternalURL != "" {
		in.Previous = report.Link{Text: p.Prev().String(), URL: e.ExternalURL + "/reports/" + s.Name + "/" + p.Prev().String()}
	}
	return in, nil
}
