package prom

import (
	"context"
	"fmt"

	"github.com/prometheus/prometheus/promql/parser"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/slo"
)

// An expression of good events that has no answer beside a total that has one looks like an outage.
// As with counters (see package counting) it is one if there never were good events, if they stood
// still before they were gone, or if what the total is made of began anew since; else it is a
// question. For SLOs with `by:` labels nothing is asked.

// lastGood is what is remembered of the good events of an expression.
type lastGood struct {
	at    budget.Minute // newest minute in which they were answered; 0 is never
	still bool          // there were none then, although there were events
	anew  bool          // the total began anew since
}

func (g *lastGood) save(e *encoder) {
	e.int(int64(g.at))
	e.bool(g.still)
	e.bool(g.anew)
}

func (d *reader) lastGood() lastGood {
	return lastGood{at: budget.Minute(d.int()), still: d.bool(), anew: d.bool()}
}

// lead learns what is to be remembered of an SLO when [from, to) is read: of good events, an hour of
// it before.
func (r *Reader) lead(ctx context.Context, s *slo.Spec, from, to budget.Minute, p *exprPace) *Error {
	if err := r.learn(ctx, s, to-1, p); err != nil || !asksForGood(s) {
		return err
	}
	_, err := r.evaluateSlots(ctx, s, p, from-backfillLead, from-1)
	p.faults = nil // those of the hour before are not ours
	return err
}

// asksForGood reports whether the good events of an SLO may be in question.
func asksForGood(s *slo.Spec) bool {
	c := s.SLI.Counters()
	return c != nil && c.Good && len(s.By) == 0
}

// question marks the minutes of [from, to] whose good events are in question.
func (r *Reader) question(ctx context.Context, s *slo.Spec, p *exprPace, ev *evaluated, from, to budget.Minute) *Error {
	if ev == nil || !asksForGood(s) {
		return nil
	}
	good := &p.good
	for at := from; at <= to; at++ {
		m := ev.values[at]
		switch {
		case m == nil || !m.hasTotal:
		case m.hasOther:
			still := m.Good == 0 && (m.Total > 0 || good.still)
			*good = lastGood{at: at, still: still}
		case m.Total == 0 || good.at == 0 || good.still || good.anew:
		default:
			goesOn, err := r.goesOn(ctx, s.SLI.Total, p, at)
			if err != nil {
				return err
			}
			good.anew, m.question = !goesOn, goesOn
		}
	}
	return nil
}

// goesOn reports whether anything of which a total is made up is as old as its newest good events
// may be, and did not begin anew.
func (r *Reader) goesOn(ctx context.Context, total *slo.Query, p *exprPace, at budget.Minute) (bool, *Error) {
	list := selectorsOf(total)
	if len(list) == 0 {
		return true, nil
	}
	v := parser.VectorSelector{Name: list[0].Name, LabelMatchers: numeric(list[0].LabelMatchers)}
	back := slo.ShortDuration(2 * slo.RateRange(p.interval(r)))
	text := adapted(&slo.Query{Text: v.String()}, p.interval(r)).Text
	a, err := r.client.query(ctx, fmt.Sprintf("count((%s and %s offset %s) unless resets(%s[%s]) > 0)", text, v.String(), back, v.String(), back), at.End(), nil)
	return a.nSeries > 0, err
}
