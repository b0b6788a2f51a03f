package web

import (
	"context"
	"net/url"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/slo"
)

// apiSpend answers where the budget of the first window went. It reads the archive for the
// incidents of that time.
func (s *jsonAPI) apiSpend(ctx context.Context, b engine.Budget, q url.Values) (any, error) {
	by := q.Get("by")
	if by != "" && by != "day" && by != "hour" {
		return nil, badRequest("by is %q; it must be day or hour.", clip(by))
	}
	st := b.Windows[0]
	found, err := s.incidentsOf(ctx, store.IncidentFilter{SLO: b.ID, From: st.From, To: st.At, Limit: maxIncidents})
	if err != nil {
		return nil, err
	}
	var out api.Spend
	if !s.Source.Snapshot().WithLedger(b.ID, func(_ *slo.Spec, l *budget.Ledger) { out = api.SpendOf(st, l, found, by == "hour") }) {
		return nil, notFound("There is no SLO %q.", string(b.ID))
	}
	whole := toSLO(b)
	out.ID, out.Objective, out.Journey = whole.ID, whole.Objective, whole.Journey
	out.Data.State, out.Data.Problems = whole.Data.State, whole.Data.Problems
	return out, nil
}
