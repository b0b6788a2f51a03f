package prom

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/slo"
)

// A backfill reads the history of SLOs that were seen for the first time: newest day first, so that
// alerts and budgets become useful early, and inside a day forwards, so that counters can be
// followed. It is a thing apart from live reading, which begins at once.
//
// Every day starts with an hour of lead, in which positions are taken. What was away for that whole
// hour and then returns in the day looks new; a hole that spans the boundary of two days is not
// bridged. Those are the two ways in which history is less exact than what is read live.

// Plan says which history is wanted. From ≤ Fine ≤ To; all are rounded to whole hours outwards, but
// for To.
type Plan struct {
	From budget.Minute // the oldest minute
	Fine budget.Minute // from here on minutes are kept; before it sums of hours
	To   budget.Minute // the first minute that is not wanted: where live reading began
}

// Progress is how much of a plan is done, in minutes of history.
type Progress struct{ Done, Of budget.Minute }

// Backfill is a history being read. It may run beside live reads; its own methods are for one
// goroutine.
type Backfill struct {
	r       *Reader
	name    string
	specs   []*slo.Spec
	plan    Plan
	pos     budget.Minute // everything from here on is done
	bundles []*bundle
	exprs   []*slo.Spec
	day     *day // begun and not finished
}

// day is the stretch that is being read forwards.
type day struct {
	from, to, at budget.Minute
	states       []*state
	scrapes      []time.Duration           // of the evaluated SLOs: how far apart they are
	dense        []bool                    // read as hourly increases, for raw samples would be too many
	hours        map[slo.ID]*budget.Ledger // minutes of a day of which only hours are kept
}

const (
	backfillPrefix = "backfill/"
	backfillDay    = 24 * 60
	backfillLead   = 60
	backfillPiece  = 60
	// denseSamples is above how many samples a minute hours are taken from Prometheus' own
	// increase.
	denseSamples = 2_000
)

// Backfill begins to read the history of some SLOs. Nothing is asked before [Backfill.Next].
func (r *Reader) Backfill(specs []*slo.Spec, p Plan) *Backfill {
	p.From -= p.From % 60
	p.Fine = max(p.Fine-p.Fine%60, p.From)
	b := &Backfill{r: r, specs: specs, plan: p, pos: p.To}
	ids := make([]string, len(specs))
	for i, s := range specs {
		ids[i] = string(s.ID())
	}
	b.name = fmt.Sprintf("%s%d-%016x", backfillPrefix, p.To, hashString(strings.Join(ids, ",")))
	return b
}

// Backfills takes up the unfinished backfills among the marks of a store. SLOs that are no longer
// in specs are left out.
func (r *Reader) Backfills(marks map[string][]byte, specs []*slo.Spec) []*Backfill {
	byID := map[slo.ID]*slo.Spec{}
	for _, s := range specs {
		byID[s.ID()] = s
	}
	var out []*Backfill
	for _, name := range slices.Sorted(maps.Keys(marks)) {
		if !strings.HasPrefix(name, backfillPrefix) {
			continue
		}
		d, err := open(marks[name])
		if err != nil {
			continue // begun anew by whoever finds the ledger short
		}
		b := &Backfill{r: r, name: name}
		b.plan = Plan{budget.Minute(d.int()), budget.Minute(d.int()), budget.Minute(d.int())}
		b.pos = budget.Minute(d.int())
		for range d.count() {
			if s := byID[slo.ID(d.string())]; s != nil {
				b.specs = append(b.specs, s)
			}
		}
		if d.err == nil && len(b.specs) > 0 && !b.Done() {
			out = append(out, b)
		}
	}
	return out
}

// Done reports whether nothing is left to read.
func (b *Backfill) Done() bool { return b.pos <= b.plan.From }

// Specs returns the SLOs whose history it is.
func (b *Backfill) Specs() []*slo.Spec { return b.specs }

// Progress says how far it has come.
func (b *Backfill) Progress() Progress {
	p := Progress{Done: b.plan.To - b.pos, Of: b.plan.To - b.plan.From}
	if b.day != nil {
		p.Done += max(b.day.at-b.day.from, 0)
	}
	return p
}

// Next reads the next piece, at most an hour of history per query. The batch's marks are kept with
// its slots, as in a live read; there is nothing to commit. After a failure nothing has moved, and
// Next may be called again later.
func (b *Backfill) Next(ctx context.Context) *Batch {
	before := b.r.client.Usage()
	out := &Batch{Readings: map[slo.ID]Reading{}, Marks: map[string][]byte{}}
	if !b.Done() {
		b.advance(ctx, out)
	}
	after := b.r.client.Usage()
	out.Stats.Queries, out.Stats.Samples, out.Stats.Bytes = after.Queries-before.Queries, after.Samples-before.Samples, after.Bytes-before.Bytes
	return out
}

func (b *Backfill) advance(ctx context.Context, out *Batch) {
	if b.day == nil && !b.begin(ctx, out) {
		return
	}
	d := b.day
	end := min(d.at+backfillPiece, d.to)
	next := make([]*state, len(d.states))
	got := make([]*collected, len(d.states))
	evaluated := make([]map[slo.ID]*evaluated, len(b.exprs))
	errs := make([]*Error, len(b.bundles)+len(b.exprs))
	b.r.each(len(errs), func(i int) {
		switch {
		case i >= len(b.bundles):
			evaluated[i-len(b.bundles)], errs[i] = b.r.evaluateSlots(ctx, b.exprs[i-len(b.bundles)], d.scrapes[i-len(b.bundles)], d.at, end-1)
		case d.dense[i]:
			next[i] = d.states[i]
		default:
			next[i], got[i] = d.states[i].clone(), &collected{b: b.bundles[i]}
			errs[i] = b.r.cover(ctx, b.bundles[i], next[i], d.at-1, end-1, got[i])
			if errs[i] == nil && end == d.to {
				newStepper(next[i], b.bundles[i].reg.info, got[i], nil).conclude(end - 1)
			}
		}
	})
	if b.failed(errs, out) || !b.takeDense(ctx, end, out) {
		return
	}
	d.states = next
	for _, c := range got {
		if c != nil {
			c.into(out.Readings)
		}
	}
	for i, ev := range evaluated {
		maps.Copy(out.Readings, readingsOf(b.exprs[i], ev, d.at, end-1, d.at-1))
	}
	d.at = end
	b.fold(out)
	if d.at == d.to {
		b.pos, b.day = d.from, nil
	}
	out.Marks[b.name] = b.mark()
}

func (b *Backfill) failed(errs []*Error, out *Batch) bool {
	for i, err := range errs {
		switch {
		case err == nil:
		case i < len(b.bundles):
			out.Failures = append(out.Failures, Failure{b.bundles[i].selector, b.bundles[i].ids(), err})
		default:
			id := b.exprs[i-len(b.bundles)].ID()
			out.Failures = append(out.Failures, Failure{string(id), []slo.ID{id}, err})
		}
	}
	slices.SortFunc(out.Failures, func(a, b Failure) int { return cmp.Compare(a.Bundle, b.Bundle) })
	return len(out.Failures) > 0
}

// begin takes positions an hour before the next day.
func (b *Backfill) begin(ctx context.Context, out *Batch) bool {
	b.sort(ctx, out)
	d := &day{to: b.pos, hours: map[slo.ID]*budget.Ledger{}}
	d.from = max(b.plan.From, (b.pos-1)-(b.pos-1)%backfillDay)
	if d.from < b.plan.Fine && b.pos > b.plan.Fine {
		d.from = b.plan.Fine // a day is either minutes or hours
	}
	d.at = d.from
	d.states, d.dense = make([]*state, len(b.bundles)), make([]bool, len(b.bundles))
	d.scrapes = make([]time.Duration, len(b.exprs))
	errs := make([]*Error, len(b.bundles)+len(b.exprs))
	b.r.each(len(errs), func(i int) {
		if n := i - len(b.bundles); n >= 0 {
			d.scrapes[n], errs[i] = b.r.client.ScrapesOf(ctx, b.exprs[n], d.to.Time())
			return
		}
		s := b.bundles[i].adopt(nil, d.from-1)
		s.pos = d.from - backfillLead - 1
		scan := &collected{b: b.bundles[i]}
		errs[i] = b.r.cover(ctx, b.bundles[i], s, d.from-backfillLead-1, d.from-1, scan)
		d.states[i] = s
		d.dense[i] = d.to <= b.plan.Fine && b.bundles[i].countable() && b.bundles[i].perMinute(s) > denseSamples
	})
	if b.failed(errs, out) {
		return false
	}
	b.day = d
	return true
}

// sort plans the bundles once the bounds of latency SLOs are known. Only here is the reader's own
// state touched, so live reads do not wait for history.
func (b *Backfill) sort(ctx context.Context, out *Batch) {
	b.r.mu.Lock()
	defer b.r.mu.Unlock()
	b.r.lookUpBounds(ctx, b.specs, b.plan.To-1, out)
	out.Failures = nil // an SLO without a bucket has no history either, and the live read says so
	var raw []rawSpec
	b.exprs = nil
	for _, s := range b.specs {
		switch terms := termsOf(s, b.r.bounds[s.ID()].classic()); {
		case terms != nil:
			raw = append(raw, rawSpec{s, terms})
		case !b.r.undecided(s) && s.SLI.Kind != slo.Composed:
			b.exprs = append(b.exprs, s)
		}
	}
	b.bundles = bundles(raw)
}

// perMinute returns about how many samples a minute of the bundle holds.
func (b *bundle) perMinute(s *state) int64 {
	interval := int64(unknownPace)
	for _, t := range s.targets {
		if t.pace.interval > 0 {
			interval = shorter(interval, int64(t.pace.interval))
		}
	}
	return int64(len(s.cursors)) * max(1, minuteMs/interval)
}

// countable reports whether hours of the bundle can be had as increases: not of uptime gauges.
func (b *bundle) countable() bool {
	return !slices.ContainsFunc(b.terms, func(t term) bool { return t.role == roleUp })
}

// fold marks slots as backfilled and, where only hours are kept, adds them up; finished hours go
// into the batch.
func (b *Backfill) fold(out *Batch) {
	d := b.day
	for id, r := range out.Readings {
		for i := range r.Slots {
			r.Slots[i].Slot.Backfilled = true
		}
		if d.to <= b.plan.Fine {
			for _, s := range r.Slots {
				d.add(id, s)
			}
			r.Slots = nil
		}
		out.Readings[id] = r
	}
	if d.at < d.to {
		return
	}
	for id, l := range d.hours {
		r := out.Readings[id]
		for h := l.First(); h < l.End(); h += 60 {
			r.Hours = append(r.Hours, budget.HourAt{Hour: h.Hour(), Sum: l.Sum(h, h+60)})
		}
		out.Readings[id] = r
	}
}

// add books a slot; a slot that is healed later in the day replaces itself.
func (d *day) add(id slo.ID, s budget.SlotAt) {
	if d.hours[id] == nil {
		d.hours[id] = &budget.Ledger{}
	}
	d.hours[id].Put(s.At, s.Slot)
}

// takeDense asks for the hours of bundles whose raw samples would be too many.
func (b *Backfill) takeDense(ctx context.Context, end budget.Minute, out *Batch) bool {
	d := b.day
	if end != d.to {
		return true // once, when the day ends
	}
	var errs []*Error
	for i, bu := range b.bundles {
		errs = append(errs, nil)
		if !d.dense[i] {
			continue
		}
		for _, s := range bu.specs {
			sink := &hourSink{exprSink: exprSink{spec: s, found: map[slo.ID]*evaluated{}}}
			for _, t := range bu.terms {
				if bu.specs[t.spec] != s || errs[i] != nil {
					continue
				}
				sink.formula = formula{role: t.role, scale: 1}
				q := fmt.Sprintf("sum%s(increase(%s[1h]))", byClause(s.By), selectorText(t.metric, t.matchers))
				_, errs[i] = b.r.client.queryRange(ctx, q, d.from.Time().Add(time.Hour), d.to.Time(), time.Hour, sink)
			}
			b.hoursOf(s, sink, out)
		}
	}
	return !b.failed(errs, out)
}

type hourSink struct{ exprSink }

func (b *Backfill) hoursOf(s *slo.Spec, sink *hourSink, out *Batch) {
	for id, ev := range sink.found {
		r := out.Readings[id]
		for at, m := range ev.values {
			if !m.hasTotal {
				continue
			}
			bad, total, v := m.events(countsGood(s))
			sum := budget.Sum{Bad: bad, Total: total, Known: 60, BadSlots: int(min(60, (bad+budget.Unit-1)/budget.Unit))}
			if v == beyond {
				sum = budget.Sum{Unknown: 60}
			}
			r.Hours = append(r.Hours, budget.HourAt{Hour: at.Hour(), Sum: sum})
		}
		slices.SortFunc(r.Hours, func(a, b budget.HourAt) int { return cmp.Compare(a.Hour, b.Hour) })
		out.Readings[id] = r
	}
}

// mark returns what a restart needs: the plan, the position and the names. It is empty when all is
// done.
func (b *Backfill) mark() []byte {
	if b.Done() {
		return nil
	}
	e := &encoder{}
	e.int(int64(b.plan.From))
	e.int(int64(b.plan.Fine))
	e.int(int64(b.plan.To))
	e.int(int64(b.pos))
	e.uint(uint64(len(b.specs)))
	for _, s := range b.specs {
		e.string(string(s.ID()))
	}
	return e.seal()
}
