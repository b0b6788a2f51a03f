package prom

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/counting"
	"github.com/slowburn-sre/slowburn/internal/sentences"
	"github.com/slowburn-sre/slowburn/slo"
)

// SLOs that are not made of bare selectors are evaluated by Prometheus, once per minute, at the end
// of each slot. This is the less exact way: rates extrapolate, and first samples are lost.
//
// How they are asked depends on how far apart the scrapes are, see ask.go.

// exprState is the reading position of such an SLO.
type exprState struct {
	since  budget.Minute // first slot that is written
	next   budget.Minute // first slot not answered with data yet; older ones are final
	read   budget.Minute // newest slot asked for
	pace   exprPace
	terms  uint64 // of what is added up though it could be read raw, by a hash; else 0
	primed bool
}

func (s exprState) save() []byte {
	e := &encoder{}
	e.int(int64(s.since))
	e.int(int64(s.next))
	e.int(int64(s.read))
	e.int(int64(s.pace.asked))
	e.int(int64(s.pace.scrape))
	s.pace.good.save(e)
	e.hash(s.terms)
	s.pace.lateness.save(e)
	return e.seal(markVersion)
}

func loadExpr(mark []byte) (exprState, error) {
	d, err := open(mark)
	if err != nil {
		return exprState{}, err
	}
	s := exprState{since: budget.Minute(d.int()), next: budget.Minute(d.int()), read: budget.Minute(d.int()), primed: true}
	s.pace = exprPace{asked: budget.Minute(d.int()), scrape: time.Duration(d.int()), good: d.lastGoods()}
	s.terms = d.hash()
	s.pace.lateness = d.exprLate()
	return s, d.err
}

// loadExprs takes over the positions of evaluated SLOs; those that could be read raw may have begun
// already.
func (r *Reader) loadExprs(begun map[slo.ID]exprState, to budget.Minute) {
	before := r.exprs
	r.exprs = map[slo.ID]exprState{}
	for _, s := range r.evaluate {
		st, sums := begun[s.ID()]
		if !sums {
			st = exprState{since: to + 1, primed: true}
		}
		st.next, st.read = st.since, st.since-1
		name := exprPrefix + string(s.ID())
		if mark := r.marks[name]; len(mark) > 0 {
			if old, err := loadExpr(mark); err != nil {
				r.problems = append(r.problems, fmt.Sprintf("the mark %s is unusable: %v; the SLO is read as if seen for the first time", name, err))
			} else if old.terms == st.terms {
				st = old
			}
		}
		if known := before[s.ID()]; known.terms == st.terms { // marks do not keep what was wrong
			st.pace.judged, st.pace.faults = known.pace.judged, known.pace.faults
		}
		r.exprs[s.ID()] = st
	}
}

// maxSteps keeps a range query below Prometheus' limit of 11,000 points.
const maxSteps = 10_000

// windBack returns up to where was read, by the clock that holds now. A source that was ahead of
// the time for a while has had minutes read that had not happened; they are read again.
func windBack(read, to budget.Minute) budget.Minute {
	if read > to+clockSlack {
		return to - 1
	}
	return read
}

// clockSlack is how far a clock may be put back without anything being read again, in minutes.
const clockSlack = 2

// exprTask returns the task to evaluate one SLO up to a minute, and those before it that were
// incomplete.
func (r *Reader) exprTask(s *slo.Spec, to budget.Minute, now time.Time) task {
	id := s.ID()
	st := r.exprs[id]
	if read := windBack(st.read, budget.MinuteOf(now.Add(-settle))-1); read != st.read {
		st.read, st.next = read, min(st.next, read+1)
	}
	from := max(st.next, st.read-reachBack, st.since)
	work := func(ctx context.Context, _ time.Time) outcomeOf {
		next, from, upto := st, from, to
		if err := r.eval.learn(ctx, s, max(to, st.read), &next.pace); err != nil {
			return outcomeOf{err: err}
		}
		late, most := &next.pace.lateness, r.maxLate(s)
		if next.pace.scrape != st.pace.scrape { // other queries have other answers
			late.answers = nil
		}
		again := late.due(now)
		if again { // what is not due yet tells how late samples come, too
			from, upto = max(min(from, late.again(now, most)), st.since), budget.MinuteOf(now.Add(-settle))-1
		}
		end := min(upto, from+maxSteps-1)
		if end < from {
			return outcomeOf{take: func(out *Batch) { out.exprs[id] = next }}
		}
		sink, err := r.eval.ask(ctx, s, &next.pace, from, end, max(to, st.read))
		if again {
			late.asked(now, err)
		}
		if err != nil {
			return outcomeOf{err: err, take: func(out *Batch) { out.exprs[id] = next }}
		}
		q := question{from: from, to: end, cut: from > st.since && from != st.next, again: again, now: now, most: most}
		first, last := min(late.learn(sink.answers, q), st.read+1), min(end, max(to, st.read))
		if first > last {
			return outcomeOf{take: func(out *Batch) { out.exprs[id] = next }}
		}
		if err := r.eval.rewind(ctx, s, &next.pace, first, st.read); err != nil {
			return outcomeOf{err: err}
		}
		sink.only(first, last)
		got, err := r.eval.judge(ctx, s, &next.pace, sink, first, last)
		if err != nil {
			return outcomeOf{err: err}
		}
		return outcomeOf{more: last < to, take: func(out *Batch) {
			r.takeSlots(s, next, got, first, last, out)
			if w, ok := late.wait(next.read, now, most); ok {
				out.tellLate(got, w)
			}
		}}
	}
	at := func(take func(out *Batch)) func(context.Context, time.Time) outcomeOf {
		return func(context.Context, time.Time) outcomeOf { return outcomeOf{take: take} }
	}
	switch {
	case (to < from || to <= st.read && st.primed && st.next > st.read) && !st.pace.lateness.hurries(now):
		next := st
		next.read = max(st.read, to)
		work = at(func(out *Batch) {
			if _, ok := r.marks[exprPrefix+string(id)]; !ok {
				out.exprs[id], out.Marks[exprPrefix+string(id)] = next, next.save()
			}
		})
	case r.undecided(s):
		work = at(func(out *Batch) { r.takeAbsent(s, st, to, out) })
	}
	return task{exprPrefix + string(id), string(id), []slo.ID{id}, work}
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
	if st.pace.capped && !r.exprs[s.ID()].pace.capped {
		out.capped(s)
	}
	readings := readingsOf(s, got, st.pace.faults, from, to, st.read)
	all := readings[s.ID()]
	if st.pace.capped {
		all.Problems = append(all.Problems, sentences.Capped(s, maxGroups))
	}
	if st.terms != 0 {
		all.Problems = append(all.Problems, sentences.Summed(partSeries))
	}
	if len(all.Problems) > 0 {
		readings[s.ID()] = all
	}
	for id, reading := range readings {
		for _, slot := range reading.Slots {
			if slot.Slot.State != budget.Absent {
				newest = max(newest, slot.At)
			}
		}
		if len(reading.Slots) > 0 || len(reading.Problems) > 0 {
			out.Readings[id] = reading
		}
	}
	next.next, next.read = newest+1, max(st.read, to)
	out.exprs[s.ID()], out.Marks[exprPrefix+string(s.ID())] = next, next.save()
}

// tellLate adds what an SLO waits for to the problems of its budgets.
func (b *Batch) tellLate(found map[slo.ID]*evaluated, w sentences.Wait) {
	for id := range found {
		if r, ok := b.Readings[id]; ok {
			r.Problems = append(r.Problems, w.Problem())
			slices.Sort(r.Problems)
			b.Readings[id] = r
		}
	}
}

// readingsOf makes readings of evaluated slots and of all faults so far. Slots without data are
// absent; up to said that has been said before.
func readingsOf(s *slo.Spec, got map[slo.ID]*evaluated, faults map[slo.ID]counting.Trouble, from, to, said budget.Minute) map[slo.ID]Reading {
	if len(s.By) == 0 && got[s.ID()] == nil {
		got = map[slo.ID]*evaluated{s.ID(): {}}
	}
	readings := map[slo.ID]Reading{}
	for id, ev := range got {
		so := faults[id]
		reading := Reading{Problems: sentences.Faults(&so)}
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
	judged budget.Minute // up to here faults are counted already
	last   budget.Minute // and up to here they are to be
	counting.Trouble
}

// fault notes what is wrong with a minute, once: minutes without data are asked for again.
func (ev *evaluated) fault(at budget.Minute, f counting.Fault) {
	if at > ev.judged && at <= ev.last {
		ev.N[f]++
	}
}

type minuteValues struct {
	counting.Tally
	hasTotal, hasOther bool
	question           bool // whether its events were good is not known
	fraction           float64
	seen               bool
	bad                float64 // share of the minute
}

// evaluator has a server evaluate expressions, minute by minute. It remembers nothing: it is handed
// what is known of an SLO, and moves it.
type evaluator struct {
	client *Client
	usual  time.Duration // the scrape interval that is assumed until samples show theirs
}

// evaluateSlots asks for every formula over [from, to] and makes slots of the answers. It
// moves on what is remembered of the SLO.
func (e evaluator) evaluateSlots(ctx context.Context, s *slo.Spec, p *exprPace, from, to budget.Minute) (map[slo.ID]*evaluated, *Error) {
	sink, err := e.ask(ctx, s, p, from, to, to)
	if err != nil {
		return nil, err
	}
	return e.judge(ctx, s, p, sink, from, to)
}

// ask asks for every formula over [from, to]. What is wrong with minutes after last is not counted.
func (e evaluator) ask(ctx context.Context, s *slo.Spec, p *exprPace, from, to, last budget.Minute) (*exprSink, *Error) {
	sink := &exprSink{spec: s, minutes: s.SLI.Minutes(), judged: p.judged, last: last, found: map[slo.ID]*evaluated{}, answers: map[budget.Minute]*said{}}
	for i, f := range formulas(s, p.interval(e)) {
		sink.formula, sink.rest = f, i > 0
		if _, err := e.client.queryRange(ctx, f.query, from.End(), to.End(), time.Minute, sink); err != nil {
			return nil, err
		}
	}
	if sink.err != nil {
		return nil, &Error{Kind: BadAnswer, Op: "query_range", URL: e.client.base.Redacted(), Err: sink.err}
	}
	return sink, nil
}

// judge makes slots of the answers to [from, to].
func (e evaluator) judge(ctx context.Context, s *slo.Spec, p *exprPace, sink *exprSink, from, to budget.Minute) (map[slo.ID]*evaluated, *Error) {
	if err := e.question(ctx, s, p, sink.found, from, to); err != nil {
		return nil, err
	}
	for _, id := range slices.Sorted(maps.Keys(sink.found)) {
		sink.found[id].settle(s)
	}
	if s.SLI.Missing != slo.Exclude && s.SLI.Missing != "" {
		sink.fillMissing(from, to)
	}
	p.blame(sink.found, to)
	p.capped = p.capped || sink.capped
	return sink.found, nil
}

// exprSink adds up the answers of an SLO's formulas.
type exprSink struct {
	spec    *slo.Spec
	minutes *slo.Minutes // nil where events are counted
	formula formula
	rest    bool          // it is not the first
	judged  budget.Minute // up to here faults are counted already
	last    budget.Minute // and up to here they are to be
	found   map[slo.ID]*evaluated
	answers map[budget.Minute]*said // nil if nobody compares them
	current *evaluated
	capped  bool // there are more budgets than are followed
	err     error
}

// series implements sink.
func (x *exprSink) series(metric []byte) bool {
	ls, err := parseLabels(string(metric))
	if err != nil {
		x.err = err
		return false
	}
	id := groupID(x.spec, ls)
	x.current = x.found[id]
	if x.current == nil {
		if len(x.found) >= maxGroups || len(id) > maxGroupID {
			x.capped = true
			return false
		}
		x.current = &evaluated{values: map[budget.Minute]*minuteValues{}, slots: map[budget.Minute]budget.Slot{}, judged: x.judged, last: x.last}
		x.found[id] = x.current
	}
	return true
}

// only forgets what was answered outside of [from, to].
func (x *exprSink) only(from, to budget.Minute) {
	for id, ev := range x.found {
		maps.DeleteFunc(ev.values, func(at budget.Minute, _ *minuteValues) bool { return at < from || at > to })
		if len(ev.values) == 0 {
			delete(x.found, id)
		}
	}
}

// sample implements sink. Its time is the end of a slot.
func (x *exprSink) sample(ms int64, v float64) {
	at := counting.SlotOf(ms)
	if x.answers != nil {
		if x.answers[at] == nil {
			x.answers[at] = &said{}
		}
		x.answers[at].add(x.rest, v)
	}
	m := x.current.values[at]
	if m == nil {
		m = &minuteValues{}
		x.current.values[at] = m
	}
	finite := !math.IsNaN(v) && !math.IsInf(v, 0)
	role := x.formula.role
	switch {
	case role == counting.Total || role == counting.Bad || role == counting.Good:
		m.hasTotal = m.hasTotal || role == counting.Total
		m.hasOther = m.hasOther || role != counting.Total
		if !finite || v < 0 {
			x.current.fault(at, counting.Dropped) // 0/0 without traffic is no event
			return
		}
		m.Add(role, v*x.formula.scale)
	case !finite:
		if role != roleFraction {
			x.current.fault(at, counting.Dropped)
		}
	case role == roleFraction:
		m.fraction, m.hasOther = v, true
	case role == roleMinute:
		bad, clamped := x.minutes.Bad(v)
		if clamped {
			x.current.fault(at, counting.Clamped)
		}
		m.seen, m.bad = true, max(m.bad, bad)
	}
}

// settle makes slots of values: a missing bad series next to a present total is no bad event.
func (ev *evaluated) settle(s *slo.Spec) {
	for at, m := range ev.values {
		switch {
		case m.question:
			ev.fault(at, counting.Unpaired)
			ev.slots[at] = budget.Slot{State: budget.Failed}
		case m.hasTotal:
			t := m.Tally
			if s.SLI.Histogram != nil {
				t.Good = t.Total * min(max(m.fraction, 0), 1)
			}
			bad, total, v := t.Events(countsGood(s))
			switch v {
			case counting.AsCounted:
			case counting.CutOff:
				ev.fault(at, counting.Clamped)
			case counting.TooMany:
				ev.fault(at, counting.Beyond)
			}
			slot := budget.Count(bad, total)
			slot.Estimated = estimates(s)
			ev.slots[at] = slot
		case m.seen:
			bad, _ := budget.Thousandths(m.bad)
			ev.slots[at] = budget.Count(bad, budget.Unit)
		}
	}
}

// estimates reports whether Prometheus extrapolates the counts of an SLO that it evaluates:
// whatever takes an increase or a rate does.
func estimates(s *slo.Spec) bool {
	c := s.SLI.Counters()
	extrapolated := func(q *slo.Query) bool { return q.Bare() || q.Gain() != slo.NoGain }
	return s.SLI.Histogram != nil || c != nil && (extrapolated(c.Total) || extrapolated(c.Part))
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
