package compare

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/slo"
)

// Prometheus answers queries; the API client of Prometheus is one.
type Prometheus interface {
	Query(ctx context.Context, query string, at time.Time, opts ...promv1.Option) (model.Value, promv1.Warnings, promv1.Infos, error)
	QueryRange(ctx context.Context, query string, r promv1.Range, opts ...promv1.Option) (model.Value, promv1.Warnings, promv1.Infos, error)
}

// ErrNothing says that a tool has recorded nothing about a budget.
var ErrNothing = errors.New("nothing is recorded")

// maxSteps is how many points a range query asks for; Prometheus allows 11,000.
const maxSteps = 10_000

// alertStep is how exactly the begin and end of their alerts are found.
const alertStep = time.Minute

// Read asks Prometheus what a tool has recorded about a budget by the time at. It is [ErrNothing]
// if nothing is there. Answers with warnings are errors: something may be missing in them.
func Read(ctx context.Context, p Prometheus, tool Tool, spec *slo.Spec, id slo.ID, at time.Time) (Theirs, error) {
	r := reader{ctx, p, at}
	q, t := ask(tool, spec, id), Theirs{Tool: tool}
	var window *float64
	for _, x := range []struct {
		query string
		to    **float64
	}{{q.remaining, &t.Remaining}, {q.objective, &t.Objective}, {q.window, &window}, {q.bad, &t.Bad}, {q.total, &t.Total}} {
		v, err := r.value(x.query)
		if err != nil {
			return t, err
		}
		*x.to = v
	}
	if t.Remaining == nil && t.Objective == nil {
		return t, fmt.Errorf("%s, %s: %w", tool, id, ErrNothing)
	}
	if window != nil {
		t.Window = time.Duration(*window * float64(time.Second))
	}
	length := cmp.Or(t.Window, spec.Window().Length())
	var err error
	if t.Ratios, err = r.ratios(q.ratios, length); err != nil {
		return t, err
	}
	if t.Since, err = r.since(q.objective, length); err != nil {
		return t, err
	}
	t.Alerts, err = r.alerts(q.alerts, length)
	return t, err
}

// reader asks about the time before at.
type reader struct {
	ctx context.Context
	api Prometheus
	at  time.Time
}

// value returns the answer to an instant query; nil without one.
func (r reader) value(query string) (*float64, error) {
	if query == "" {
		return nil, nil
	}
	got, warnings, _, err := r.api.Query(r.ctx, query, r.at)
	if err := failure(query, warnings, err); err != nil {
		return nil, err
	}
	vector, ok := got.(model.Vector)
	if !ok || len(vector) == 0 {
		return nil, nil
	}
	v := float64(vector[0].Value)
	return &v, nil
}

func failure(query string, warnings promv1.Warnings, err error) error {
	switch {
	case err != nil:
		return fmt.Errorf("asking Prometheus for %s: %w", query, err)
	case len(warnings) > 0:
		return fmt.Errorf("asking Prometheus for %s: %s", query, strings.Join(warnings, "; "))
	}
	return nil
}

// over asks for every step of the time before at, in pieces, oldest first.
func (r reader) over(query string, length, step time.Duration, take func(*model.SampleStream)) error {
	if query == "" {
		return nil
	}
	for from := r.at.Add(-length).Truncate(step).Add(step); !from.After(r.at); from = from.Add(maxSteps * step) {
		to := from.Add((maxSteps - 1) * step)
		if to.After(r.at) {
			to = r.at
		}
		got, warnings, _, err := r.api.QueryRange(r.ctx, query, promv1.Range{Start: from, End: to, Step: step})
		if err := failure(query, warnings, err); err != nil {
			return err
		}
		matrix, _ := got.(model.Matrix)
		for _, s := range matrix {
			take(s)
		}
	}
	return nil
}

func (r reader) ratios(query string, length time.Duration) (out []Point, err error) {
	err = r.over(query, length, Step, func(s *model.SampleStream) {
		for _, p := range s.Values {
			out = append(out, Point{p.Timestamp.Time().UTC(), float64(p.Value)})
		}
	})
	return out, err
}

// since returns the first time at which a series that always has a value has one.
func (r reader) since(query string, length time.Duration) (first time.Time, err error) {
	err = r.over(query, length, Step, func(s *model.SampleStream) {
		if at := s.Values; first.IsZero() && len(at) > 0 {
			first = at[0].Timestamp.Time().UTC()
		}
	})
	return first, err
}

// alerts finds the stretches in which alerts fired.
func (r reader) alerts(query string, length time.Duration) (out []Alert, err error) {
	newest := map[string]int{} // place in out
	err = r.over(query, length, alertStep, func(s *model.SampleStream) {
		key := s.Metric.String()
		for _, p := range s.Values {
			at := p.Timestamp.Time().UTC()
			if i, ok := newest[key]; ok && at.Sub(out[i].To) <= 0 {
				out[i].To = at.Add(alertStep)
				continue
			}
			newest[key] = len(out)
			out = append(out, Alert{severity(s.Metric), Span{From: at, To: at.Add(alertStep)}})
		}
	})
	slices.SortStableFunc(out, func(a, b Alert) int { return a.From.Compare(b.From) })
	return out, err
}

// severity translates: Sloth says page and ticket, Pyrra critical and warning.
func severity(m model.Metric) alerting.Severity {
	switch strings.ToLower(string(cmp.Or(m["sloth_severity"], m["severity"]))) {
	case "page", "critical":
		return alerting.Page
	}
	return alerting.Ticket
}
