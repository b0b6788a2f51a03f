package prom

import (
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/selectors"
	"github.com/slowburn-sre/slowburn/slo"
)

// What is too large for an answer and has no label that divides it, or is not read as fast as it
// grows, is added up by Prometheus: such an SLO is evaluated like an expression, by
// `sum(increase(…))`. That is less exact, for rates extrapolate and first samples are lost, so its
// minutes are estimates, and its problems say why.

// sumFor is for how many minutes an SLO is added up at least, before a new plan tries to read its
// series again.
const sumFor = 24 * 60

// sums reports whether the series of an SLO, known by the hash of its terms, are added up by
// Prometheus: they were found to be too many, now or before a restart.
func (r *Reader) sums(s *slo.Spec, hash uint64, to budget.Minute) bool {
	st, err := loadExpr(r.marks[exprPrefix+string(s.ID())])
	switch {
	case s.SLI.Up != nil: // a gauge has no sum
		return false
	case err == nil && st.terms == hash && to-st.since >= sumFor:
		r.large.forget(s.ID())
		return false
	case err == nil && st.terms == hash:
		r.large.sum(s.ID(), hash)
	}
	return r.large.sums(s.ID(), hash)
}

// summed returns the SLO as Prometheus is to add it up: a histogram by its counters.
func summed(s *slo.Spec, terms []term) *slo.Spec {
	if s.SLI.Histogram == nil {
		return s
	}
	out := *s
	out.SLI = slo.Indicator{Kind: slo.Events, Total: terms[0].query(), Good: terms[1].query()}
	return &out
}

// query returns the term as a query.
func (t term) query() *slo.Query {
	q := &slo.Query{Metric: t.metric, Matchers: t.matchers}
	if !model.LegacyValidation.IsValidMetricName(t.metric) {
		q.Matchers = append([]*labels.Matcher{labels.MustNewMatcher(labels.MatchEqual, nameLabel, t.metric)}, q.Matchers...)
	}
	q.Text = selectors.Metric(t.metric, t.matchers...)
	return q
}

// undecidedSince returns the first minute of an SLO that its bundle, by the plan so far, has not
// decided for all of its budgets; to+1 if it is in none.
func (r *Reader) undecidedSince(id slo.ID, to budget.Minute) budget.Minute {
	for _, b := range r.plan {
		i, s := b.specOf(id), r.states[b.key]
		if i < 0 || s == nil {
			continue
		}
		from := to + 1
		for a := range s.Accounts {
			if int(b.reg.Accounts[a].Promise) == i {
				from = min(from, s.Accounts[a].Done+1)
			}
		}
		if from == to+1 { // nothing was seen of it
			from = s.Promises[i].Since
		}
		return min(max(from, s.Promises[i].Since, to-reachBack), to+1)
	}
	return to + 1
}
