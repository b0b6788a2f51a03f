package prom

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/counting"
	"github.com/slowburn-sre/slowburn/internal/selectors"
	"github.com/slowburn-sre/slowburn/slo"
)

// An expression of good events that has no answer beside a total that has one looks like an outage.
// As with counters (see package counting) it is one if there never were good events, if they stood
// still before they were gone, or if what the total is made of began anew since; else it is a
// question. Each budget of an SLO with `by:` labels is judged by itself.
//
// In the minute in which they go or come back, their increase is that of a part of it, beside a
// total of all of it. Such a minute is a question, too.

// lastGood is what is remembered of the good events of an expression.
type lastGood struct {
	at    budget.Minute // newest minute in which they were answered; 0 is never
	still bool          // there were none then, although there were events
	anew  bool          // the total began anew since
}

// lastGoods are those of an SLO, by the group of the budget; "" without `by:` labels.
type lastGoods map[string]lastGood

func (all lastGoods) save(e *encoder) {
	save := func(g lastGood) {
		e.int(int64(g.at))
		e.bool(g.still)
		e.bool(g.anew)
	}
	save(all[""])
	groups := slices.DeleteFunc(slices.Sorted(maps.Keys(all)), func(group string) bool { return group == "" })
	e.uint(uint64(len(groups)))
	for _, group := range groups {
		e.string(group)
		save(all[group])
	}
}

func (d *reader) lastGoods() lastGoods {
	load := func() lastGood { return lastGood{at: budget.Minute(d.int()), still: d.bool(), anew: d.bool()} }
	all := lastGoods{}
	if g := load(); g.at > 0 {
		all[""] = g
	}
	for range d.count() {
		group := d.string()
		all[group] = load()
	}
	return all
}

// lead learns what is to be remembered of an SLO when [from, to) is read: of good events, an hour
// of it before.
func (e evaluator) lead(ctx context.Context, s *slo.Spec, from, to budget.Minute, p *exprPace) *Error {
	if err := e.learn(ctx, s, to-1, p); err != nil || !asksForGood(s) {
		return err
	}
	_, err := e.evaluateSlots(ctx, s, p, from-backfillLead, from-1)
	p.faults = nil // those of the hour before are not ours
	return err
}

// rewind takes back what is remembered of good events when minutes from first on are evaluated
// again, of which those up to read had been before: an hour before them tells it anew.
func (e evaluator) rewind(ctx context.Context, s *slo.Spec, p *exprPace, first, read budget.Minute) *Error {
	if first > read || !asksForGood(s) {
		return nil
	}
	before := exprPace{scrape: p.scrape, judged: p.judged}
	if _, err := e.evaluateSlots(ctx, s, &before, first-backfillLead, first-1); err != nil {
		return err
	}
	good := maps.Clone(before.good)
	for group, g := range p.good {
		if g.at < first && good[group].at <= g.at { // of longer ago
			good[group] = g
		}
	}
	p.good = good
	return nil
}

// asksForGood reports whether the good events of an SLO may be in question.
func asksForGood(s *slo.Spec) bool {
	c := s.SLI.Counters()
	return c != nil && c.Good
}

// keepGood is for how many minutes it is remembered of a budget that is gone when it had good
// events.
const keepGood = 25 * 60

// question marks the minutes of [from, to] whose good events are in question.
func (e evaluator) question(ctx context.Context, s *slo.Spec, p *exprPace, found map[slo.ID]*evaluated, from, to budget.Minute) *Error {
	if !asksForGood(s) {
		return nil
	}
	good := maps.Clone(p.good) // of one that may be thrown away
	if good == nil {
		good = lastGoods{}
	}
	asked := map[bool]func(budget.Minute, slo.ID) bool{}
	old := func(at budget.Minute, id slo.ID, lost bool) (_ bool, err *Error) {
		if asked[lost] == nil {
			if asked[lost], err = e.goesOn(ctx, s, p, at, to, found, lost); err != nil {
				return false, err
			}
		}
		return asked[lost](at, id), nil
	}
	for at := from; at <= to; at++ {
		for id, ev := range found {
			m, g := ev.values[at], good[id.Group()]
			if m == nil || !m.hasTotal {
				continue
			}
			known := g.at > 0 && !g.still && !g.anew
			burns := m.Total-m.Good > m.Total*s.Objective.AllowedRatio()
			var err *Error
			switch {
			case m.hasOther:
				if m.Good > 0 && burns {
					m.question, err = old(at, id, !known || g.at == at-1)
				}
				g = lastGood{at: at, still: m.Good == 0 && (m.Total > 0 || g.still)}
			case m.Total == 0 || !known:
				continue
			default:
				m.question, err = old(at, id, false)
				g.anew = !m.question
			}
			if err != nil {
				return err
			}
			good[id.Group()] = g
		}
	}
	maps.DeleteFunc(good, func(group string, g lastGood) bool {
		return group != "" && found[s.ID()+slo.ID(group)] == nil && g.at < to-keepGood
	})
	p.good = good
	return nil
}

// goesOn tells, minute by minute, of which budgets anything that their total is made of is as old
// as its newest good events may be, and did not begin anew. Where the labels of the budgets are not
// those of the counters, all of them are taken together. With lost only targets count of which good
// events that grew within the minute are gone at its end.
func (e evaluator) goesOn(ctx context.Context, s *slo.Spec, p *exprPace, from, to budget.Minute, found map[slo.ID]*evaluated, lost bool) (func(budget.Minute, slo.ID) bool, *Error) {
	list := selectorsOf(s.SLI.Total)
	if len(list) == 0 {
		return func(budget.Minute, slo.ID) bool { return true }, nil
	}
	every := selectors.Match(numeric(list[0].LabelMatchers)...)
	back := slo.ShortDuration(2 * slo.RateRange(p.interval(e)))
	text := adapted(&slo.Query{Text: every}, p.interval(e)).Text
	old := &idSink{spec: s, found: map[budget.Minute]map[slo.ID]bool{}}
	all := fmt.Sprintf("(%s and %s offset %s) unless resets(%s[%s]) > 0", text, every, back, every, back)
	if part := selectorsOf(s.SLI.Good); lost && len(part) > 0 {
		good := selectors.Match(numeric(part[0].LabelMatchers)...)
		scrape := slo.ShortDuration((p.interval(e) + p.interval(e)/10).Round(time.Second)) // where no marker says that a series has ended
		all = fmt.Sprintf("last_over_time(%s[%s]) and (%s) and on (job, instance) (increase(%s[%s]) > 0 unless (%s and last_over_time(%s[%s])))",
			every, scrape, all, good, slo.ShortDuration(slo.RateRange(p.interval(e))), good, good, scrape)
	}
	_, err := e.client.queryRange(ctx, fmt.Sprintf("count%s(%s)", byClause(s.By), all), from.End(), to.End(), time.Minute, old)
	return func(at budget.Minute, id slo.ID) bool {
		for other := range old.found[at] {
			if found[other] != nil {
				return old.found[at][id]
			}
		}
		return len(old.found[at]) > 0
	}, err
}

// idSink collects the budgets that series belong to, by minutes.
type idSink struct {
	spec    *slo.Spec
	current slo.ID
	found   map[budget.Minute]map[slo.ID]bool
}

// series implements sink.
func (x *idSink) series(metric []byte) bool {
	ls, err := parseLabels(string(metric))
	if err != nil {
		return false
	}
	x.current = groupID(x.spec, ls)
	return true
}

// sample implements sink. Its time is the end of a minute.
func (x *idSink) sample(ms int64, _ float64) {
	at := counting.SlotOf(ms)
	if x.found[at] == nil {
		x.found[at] = map[slo.ID]bool{}
	}
	if len(x.found[at]) <= maxGroups {
		x.found[at][x.current] = true
	}
}
