package daemon

import (
	"context"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/register"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/slo"
)

// register reads the incidents that were open in [from, to) from the store, with those before them
// that may make them recurring, and returns their entries in order.
func (r *Archive) register(ctx context.Context, from, to time.Time) ([]register.Entry, error) {
	incidents, err := r.db.Incidents(ctx, store.IncidentFilter{From: from, To: to, Limit: maxJudged})
	if err != nil {
		return nil, err
	}
	before, err := r.db.Incidents(ctx, store.IncidentFilter{From: from.AddDate(0, -register.Recurring, 0), To: to, Limit: maxJudged})
	if err != nil {
		return nil, err
	}
	var all []register.Entry
	for _, i := range incidents {
		s := register.Subject{Incident: i, Acts: i.Acts, Others: before}
		r.seen().WithLedger(i.SLO, func(spec *slo.Spec, ledger *budget.Ledger) {
			s.Spec, s.Ledger = spec, ledger
			all = append(all, register.New([]register.Subject{s})...)
		})
		if s.Spec == nil {
			all = append(all, register.New([]register.Subject{s})...)
		}
	}
	return register.Sorted(all), nil
}
