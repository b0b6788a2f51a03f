package prom

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/slo"
)

// SLOs that are not made of bare selectors are evaluated by Prometheus, once per minute, at the end
// of each slot. This is the less exact way: rates extrapolate, and first samples are lost.
//
// Where an expression has `$window` under a rate, the range is a minute and one scrape interval,
// because a rate over (t−w, t] sees only what lies between the first and the last sample in it; the
// result is scaled back to a minute. A rate is per second and is multiplied by 60.

// exprState is the reading position of such an SLO.
type exprState struct {
	since  budget.Minute // first slot that is written
	next   budget.Minute // first slot not answered with data yet; older ones are final
	read   budget.Minute // newest slot asked for
	primed bool
}

func (s exprState) save() []byte {
	e := &encoder{}
	e.int(int64(s.since))
	e.int(int64(s.next))
	e.int(int64(s.read))
	return e.seal()
}

// loadExprs takes over the positions of evaluated SLOs.
func (r *Reader) loadExprs(to budget.Minute) {
	r.exprs = map[slo.ID]exprState{}
	for _, s := range r.evaluate {
		st := exprState{since: to + 1, next: to + 1, read: to, primed: true}
		name := exprPrefix + string(s.ID())
		if mark := r.marks[name]; len(mark) > 0 {
			if d, err := open(mark); err != nil {
				r.problems = append(r.problems, fmt.Sprintf("the mark %s is unusable: %v; the SLO is read as if seen for the first time", name, err))
			} else {
				st = exprState{budget.Minute(d.int()), budget.Minute(d.int()), budget.Minute(d.int()), true}
			}
		}
		r.exprs[s.ID()] = st
	}
}

// formula is one query and what its values mean.
type formula struct {
	role  role
	query string
	scale float64
}

// Roles that only formulas have.
const (
	roleMinute   role = iota + 16 // a value by which the minute is judged
	roleFraction                  // share of events that were good
)

// formulas returns the queries of an SLO.
func (r *Reader) formulas(s *slo.Spec) []formula {
	counted := func(ro role, q *slo.Query) formula {
		text, scale := r.render(q, s.By)
		return formula{ro, text, scale}
	}
	switch i, counters := &s.SLI, s.SLI.Counters(); {
	case counters != nil && counters.Good:
		return []formula{counted(roleTotal, counters.Total), counted(roleGood, counters.Part)}
	case counters != nil:
		return []formula{counted(roleTotal, counters.Total), counted(roleBad, counters.Part)}
	case i.Histogram != nil:
		window := minuteAnd(r.opts.Interval)
		h := fmt.Sprintf("sum%s(increase(%s[%s]))", byClause(s.By), i.Histogram.Text, slo.ShortDuration(window))
		limit := strconv.FormatFloat(i.Below, 'g', -1, 64)
		return []formula{
			{roleTotal, "histogram_count(" + h + ")", perMinute(window)},
			{roleFraction, "histogram_fraction(-Inf, " + limit + ", " + h + ")", 1},
		}
	}
	return []formula{{roleMinute, s.SLI.Minutes().Render(r.opts.Interval), 1}}
}

func minuteAnd(d time.Duration) time.Duration { return time.Minute + d }

func perMinute(window time.Duration) float64 { return float64(time.Minute) / float64(window) }

func byClause(by []string) string {
	if len(by) == 0 {
		return ""
	}
	return " by (" + strings.Join(by, ", ") + ") "
}

// render writes a counting query with its window, and by what its values become events per minute.
func (r *Reader) render(q *slo.Query, by []string) (string, float64) {
	wide := minuteAnd(r.opts.Interval)
	if q.Bare() {
		return fmt.Sprintf("sum%s(increase(%s[%s]))", byClause(by), q.Text, slo.ShortDuration(wide)), perMinute(wide)
	}
	if !strings.Contains(q.Text, slo.WindowVariable) {
		return q.Text, 1
	}
	switch q.Gain() {
	case slo.PerSecond:
		return q.Render(wide), 60
	case slo.PerWindow:
		return q.Render(wide), perMinute(wide)
	}
	return q.Render(time.Minute), 1
}

// maxSteps keeps a range query below Prometheus' limit of 11,000 points.
const maxSteps = 10_000

// readExpr evaluates one SLO and returns how to put the result into the batch.
func (r *Reader) readExpr(ctx context.Context, s *slo.Spec, to budget.Minute, out *Batch) func() {
	id := s.ID()
	st := r.exprs[id]
	from := max(st.next, st.read-reachBack, st.since)
	if to < from || to <= st.read && st.primed && st.next > st.read {
		next := st
		next.read = max(st.read, to)
		return func() {
			if _, ok := r.marks[exprPrefix+string(id)]; !ok {
				out.exprs[id], out.Marks[exprPrefix+string(id)] = next, next.save()
			}
		}
	}
	if r.undecided(s) {
		return func() { r.takeAbsent(s, st, to, out) }
	}
	end := min(to, from+maxSteps-1)
	got, err := r.evaluateSlots(ctx, s, from, end)
	return func() {
		if err != nil {
			out.Failures = append(out.Failures, Failure{Bundle: string(id), SLOs: []slo.ID{id}, Err: err})
			return
		}
		r.takeSlots(s, st, got, from, end, out)
	}
}

// undecided reports whether the SLO is on a histogram of which nothing has been seen yet, or that
// has no fitting bucket.
func (r *Reader) undecided(s *slo.Spec) bool {
	return s.SLI.Histogram.Bare() && !r.bounds[s.ID()].native
}

// takeAbsent says of an SLO without any series that its slots are absent; a failure to look
// consumes no time.
func (r *Reader) takeAbsent(s *slo.Spec, st exprState, to budget.Minute, out *Batch) {
	if r.bounds[s.ID()].limit != boundKey(s) {
		return
	}
	r.takeSlots(s, st, nil, max(st.read+1, st.since), to, out)
}

// takeSlots puts the evaluated slots into the batch. Slots without data are absent; they are asked
// for again for an hour.
func (r *Reader) takeSlots(s *slo.Spec, st exprState, got map[slo.ID]*evaluated, from, to budget.Minute, out *Batch) {
	next, newest := st, st.next-1
	for id, reading := range readingsOf(s, got, from, to, st.read) {
		for _, slot := range reading.Slots {
			if slot.Slot.State != budget.Absent {
				newest = max(newest, slot.At)
			}
		}
		if len(reading.Slots) > 0 {
			out.Readings[id] = reading
		}
	}
	next.next, next.read = newest+1, max(st.read, to)
	out.exprs[s.ID()], out.Marks[exprPrefix+string(s.ID())] = next, next.save()
}

// readingsOf makes readings of evaluated slots. Those without data are absent; up to said that has
// been said before.
func readingsOf(s *slo.Spec, got map[slo.ID]*evaluated, from, to, said budget.Minute) map[slo.ID]Reading {
	if len(s.By) == 0 && got[s.ID()] == nil {
		got = map[slo.ID]*evaluated{s.ID(): {}}
	}
	readings := map[slo.ID]Reading{}
	for id, ev := range got {
		reading := Reading{Problems: ev.trouble.texts()}
		for at := from; at <= to; at++ {
			slot, ok := ev.slots[at]
			if !ok {
				slot.State = budget.Absent
			}
			if ok || at > said {
				reading.Slots = append(reading.Slots, budget.SlotAt{At: at, Slot: slot})
			}
		}
		readings[id] = reading
	}
	return readings
}

// evaluated is the outcome for one budget.
type evaluated struct {
	values map[budget.Minute]*minuteValues
	slots  map[budget.Minute]budget.Slot
	trouble
}

type minuteValues struct {
	tally
	hasTotal, hasOther bool
	fraction           float64
	seen               bool
	bad                float64 // share of the minute
}

// evaluateSlots asks for every formula over [from, to] and makes slots of the answers.
func (r *Reader) evaluateSlots(ctx context.Context, s *slo.Spec, from, to budget.Minute) (map[slo.ID]*evaluated, *Error) {
	sink := &exprSink{spec: s, minutes: s.SLI.Minutes(), found: map[slo.ID]*evaluated{}}
	for _, f := range r.formulas(s) {
		sink.formula = f
		if _, err := r.client.queryRange(ctx, f.query, from.End(), to.End(), time.Minute, sink); err != nil {
			return nil, err
		}
	}
	if sink.err != nil {
		return nil, &Error{Kind: BadAnswer, Op: "query_range", URL: r.client.base.Redacted(), Err: sink.err}
	}
	for _, id := range slices.Sorted(maps.Keys(sink.found)) {
		sink.found[id].settle(s)
	}
	if s.SLI.Missing != slo.Exclude && s.SLI.Missing != "" {
		sink.fillMissing(from, to)
	}
	return sink.found, nil
}

// exprSink adds up the answers of an SLO's formulas.
type exprSink struct {
	spec    *slo.Spec
	minutes *slo.Minutes // nil where events are counted
	formula formula
	found   map[slo.ID]*evaluated
	current *evaluated
	err     error
}

// series implements sink.
func (x *exprSink) series(metric []byte) bool {
	var ls []label
	if err := eachLabel(metric, func(n, v string) { ls = append(ls, label{n, v}) }); err != nil {
		x.err = err
		return false
	}
	id := groupID(x.spec, ls)
	x.current = x.found[id]
	if x.current == nil {
		if len(x.found) >= maxGroups {
			return false
		}
		x.current = &evaluated{values: map[budget.Minute]*minuteValues{}, slots: map[budget.Minute]budget.Slot{}}
		x.found[id] = x.current
	}
	return true
}

// sample implements sink. Its time is the end of a slot.
func (x *exprSink) sample(ms int64, v float64) {
	at := slotOf(ms)
	m := x.current.values[at]
	if m == nil {
		m = &minuteValues{}
		x.current.values[at] = m
	}
	finite := !math.IsNaN(v) && !math.IsInf(v, 0)
	role := x.formula.role
	switch {
	case role == roleTotal || role == roleBad || role == roleGood:
		m.hasTotal = m.hasTotal || role == roleTotal
		m.hasOther = m.hasOther || role != roleTotal
		if !finite || v < 0 {
			x.current.dropped++ // 0/0 without traffic is no event
			return
		}
		m.add(role, v*x.formula.scale)
	case !finite:
		if role != roleFraction {
			x.current.dropped++
		}
	case role == roleFraction:
		m.fraction, m.hasOther = v, true
	case role == roleMinute:
		bad, clamped := x.minutes.Bad(v)
		if clamped {
			x.current.clamped++
		}
		m.seen, m.bad = true, max(m.bad, bad)
	}
}

// settle makes slots of values: a missing bad series next to a present total is no bad event.
func (ev *evaluated) settle(s *slo.Spec) {
	for at, m := range ev.values {
		switch {
		case m.hasTotal:
			t := m.tally
			if s.SLI.Histogram != nil {
				t.good = t.total * min(max(m.fraction, 0), 1)
			}
			bad, total, v := t.events(countsGood(s))
			switch v {
			case cutOff:
				ev.clamped++
			case beyond:
				ev.beyond++
			}
			ev.slots[at] = budget.Count(bad, total)
		case m.seen:
			bad, _ := budget.Thousandths(m.bad)
			ev.slots[at] = budget.Count(bad, budget.Unit)
		}
	}
}

// countsGood reports whether the good events of an SLO are counted, and the bad ones are the rest.
func countsGood(s *slo.Spec) bool { return s.SLI.Histogram != nil || s.SLI.Good != nil }

// fillMissing applies the policy of a slices SLO to minutes that were answered without data.
func (x *exprSink) fillMissing(from, to budget.Minute) {
	if len(x.spec.By) == 0 && x.found[x.spec.ID()] == nil {
		x.found[x.spec.ID()] = &evaluated{slots: map[budget.Minute]budget.Slot{}}
	}
	fill := budget.Count(0, budget.Unit)
	if x.spec.SLI.Missing == slo.MissingBad {
		fill = budget.Count(budget.Unit, budget.Unit)
	}
	for _, ev := range x.found {
		for at := from; at <= to; at++ {
			if _, ok := ev.slots[at]; !ok {
				ev.slots[at] = fill
			}
		}
	}
}
