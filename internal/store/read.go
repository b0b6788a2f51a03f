package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/slo"
)

// IncidentFilter narrows [DB.Incidents]; zero fields do not.
type IncidentFilter struct {
	Service string
	SLO     slo.ID // includes the single budgets of an SLO with `by:`
	Open    bool   // only those that are open
	// Only incidents that were open at some time in [From, To).
	From, To time.Time
	Limit    int // zero means a thousand
}

// Incidents lists incidents, newest first.
func (db records) Incidents(ctx context.Context, f IncidentFilter) ([]alerting.Incident, error) {
	open := 0
	if f.Open {
		open = 1
	}
	return db.readIncidents(ctx, "incidents", sqlIncidents, f.Service, string(f.SLO), open, nanos(f.From), nanos(f.To), limit(f.Limit))
}

// Incident returns the incident with the ID, and false if there is none.
func (db records) Incident(ctx context.Context, id string) (alerting.Incident, bool, error) {
	all, err := db.readIncidents(ctx, "incident", sqlIncident, key(id))
	if len(all) == 0 || err != nil {
		return alerting.Incident{}, false, err
	}
	return all[0], true, nil
}

func (db records) readIncidents(ctx context.Context, op, query string, args ...any) ([]alerting.Incident, error) {
	var all []alerting.Incident
	err := db.each(ctx, op, func(rows *sql.Rows) error {
		i, err := scanIncident(rows)
		all = append(all, i)
		return err
	}, query, args...)
	return all, err
}

// scanIncident reads an incident. One whose record is damaged hides none of the others: it is what
// the columns say of it, and marked.
func scanIncident(rows *sql.Rows) (alerting.Incident, error) {
	var data, id, of string
	var sum, detected, resolved int64
	var open int
	var i alerting.Incident
	if err := rows.Scan(&data, &sum, &id, &of, &open, &detected, &resolved); err != nil {
		return i, err
	}
	if err := unpackJSON(data, sum, &i); err != nil {
		return damaged(id, slo.ID(of), open == 1, timeOf(detected), timeOf(resolved)), nil
	}
	return i, nil
}

// damaged returns what is left of an incident whose record cannot be read. Its ID says what it
// began as: service/slo/rule/time.
func damaged(id string, of slo.ID, open bool, detected, resolved time.Time) alerting.Incident {
	rule, _, _ := strings.Cut(strings.TrimPrefix(id, string(of)+"/"), "/")
	i := alerting.Incident{
		ID: id, SLO: of, Rule: alerting.Rule(rule), Severity: alerting.Ticket, Open: open, Damaged: true,
		Onset: detected, Detected: detected, Ended: resolved, Resolved: resolved,
	}
	if open {
		i.Ended = detected // that far it is known to have burned
	}
	if i.Rule == alerting.RulePage {
		i.Severity = alerting.Page
	}
	return i
}

// ActFilter narrows [DB.Acts]; zero fields do not.
type ActFilter struct {
	Kind     alerting.ActKind
	Incident string
	Service  string
	From, To time.Time // only acts of [From, To)
	Limit    int       // zero means a thousand
	Damaged  bool      // also acts whose record cannot be read, as far as the columns tell of them
}

// Acts lists what people did, newest first: in the reverse of the order in which it was told.
func (db records) Acts(ctx context.Context, f ActFilter) ([]alerting.Act, error) {
	return read(ctx, db.connections, "acts", func(ctx context.Context, q querier) ([]alerting.Act, error) {
		return readActs(ctx, q, f.Damaged, sqlActs, string(f.Kind), key(f.Incident), f.Service, nanos(f.From), nanos(f.To), limit(f.Limit))
	})
}

// Act returns the act of a key, and false if there is none.
func (db records) Act(ctx context.Context, k string) (alerting.Act, bool, error) {
	all, err := read(ctx, db.connections, "act", func(ctx context.Context, q querier) ([]alerting.Act, error) {
		return readActs(ctx, q, true, sqlAct, key(k))
	})
	if len(all) == 0 || err != nil {
		return alerting.Act{}, false, err
	}
	return all[0], true, nil
}

// readActs reads acts. One whose record is damaged hides none of the others: it is left out, or is
// what the columns say of it, and marked.
func readActs(ctx context.Context, q querier, damaged bool, query string, args ...any) ([]alerting.Act, error) {
	var all []alerting.Act
	err := each(ctx, q, func(rows *sql.Rows) error {
		var data, of string
		var sum, at int64
		var a, columns alerting.Act
		if err := rows.Scan(&data, &sum, &columns.Key, &at, &columns.Kind, &columns.Incident, &of, &columns.Service); err != nil {
			return err
		}
		switch err := unpackJSON(data, sum, &a); {
		case err == nil:
			all = append(all, a)
		case damaged:
			columns.At, columns.SLO, columns.Damaged = timeOf(at), slo.ID(of), true
			all = append(all, columns)
		}
		return nil
	}, query, args...)
	return all, err
}

// Evidence returns what was found out about an incident, oldest first. What cannot be read is left
// out.
func (db records) Evidence(ctx context.Context, incident string) ([]Evidence, error) {
	return read(ctx, db.connections, "evidence", func(ctx context.Context, q querier) ([]Evidence, error) {
		return readEvidence(ctx, q, true, sqlEvidence, key(incident))
	})
}

func readEvidence(ctx context.Context, q querier, readable bool, query string, args ...any) ([]Evidence, error) {
	var all []Evidence
	err := each(ctx, q, func(rows *sql.Rows) error {
		var e Evidence
		var at, sum int64
		var data string
		if err := rows.Scan(&e.Incident, &e.Kind, &at, &data, &sum); err != nil {
			return err
		}
		if int64(checksum([]byte(data))) != sum {
			if readable {
				return nil
			}
			return fmt.Errorf("evidence of %s: %w", e.Incident, ErrCorrupt)
		}
		e.At, e.Data = timeOf(at), []byte(data)
		all = append(all, e)
		return nil
	}, query, args...)
	return all, err
}

// Reports lists the kept reports of a name, of all if it is "", newest first, without their
// contents.
func (db records) Reports(ctx context.Context, name string, n int) ([]Report, error) {
	return db.readReports(ctx, "reports", sqlReports, name, limit(n))
}

// Report returns a kept report, and false if there is none of this name and period.
func (db records) Report(ctx context.Context, name, period string) (Report, bool, error) {
	all, err := db.readReports(ctx, "report", sqlReport, name, period)
	if len(all) == 0 || err != nil {
		return Report{}, false, err
	}
	return all[0], true, nil
}

func (db records) readReports(ctx context.Context, op, query string, args ...any) ([]Report, error) {
	var all []Report
	err := db.each(ctx, op, func(rows *sql.Rows) error {
		var r Report
		var from, to, at int64
		var data string
		if err := rows.Scan(&r.Name, &r.Period, &from, &to, &at, &r.Markdown, &data); err != nil {
			return err
		}
		r.From, r.To, r.At = timeOf(from), timeOf(to), timeOf(at)
		if data != "" {
			r.Data = []byte(data)
		}
		all = append(all, r)
		return nil
	}, query, args...)
	return all, err
}
