package prom

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/counting"
	"github.com/slowburn-sre/slowburn/internal/sentences"
	"github.com/slowburn-sre/slowburn/slo"
)

// A backfill reads the history of SLOs that were seen for the first time, the newest first, so that
// alerts and budgets become useful early. It is a thing apart from live reading, which begins at
// once.
//
// The minutes that alerts look at are read raw, a day at a time and inside it forwards, so that
// counters can be followed. Before them only hours are kept; hours.go tells how they are had
// without all of the samples, five days at a time.
//
// Every day starts with an hour of lead, every piece of hours with six, in which positions are
// taken. A sample that shows minutes of the day before tells of them. What was away for all of the
// lead and then returns looks new: that is how history is less exact than what is read live.

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
	day     *day                         // begun and not finished
	faults  map[slo.ID]*counting.Trouble // of finished days and hours
	guessed map[slo.ID]string            // why hours of an SLO are estimates
}

// day is the stretch that is being read forwards, to the minute.
type day struct {
	from, to, at budget.Minute
	states       []*state
	paces        []exprPace // of the evaluated SLOs
}

const (
	backfillPrefix = "backfill/"
	backfillDay    = 24 * 60
	backfillLead   = 60
	backfillPiece  = 60
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

// Next reads the next piece: an hour of minutes, or up to five days of hours. The batch's marks are
// kept with its slots, as in a live read; there is nothing to commit. After a failure nothing has
// moved, and Next may be called again later.
func (b *Backfill) Next(ctx context.Context) *Batch {
	before := b.r.client.Usage()
	out := &Batch{Readings: map[slo.ID]Reading{}, Marks: map[string][]byte{}}
	switch {
	case b.Done():
	case b.day == nil && b.pos <= b.plan.Fine:
		b.advanceHours(ctx, out)
	default:
		b.advance(ctx, out)
	}
	after := b.r.client.Usage()
	out.Stats.Queries, out.Stats.Samples, out.Stats.Bytes = after.Queries-before.Queries, after.Samples-before.Samples, after.Bytes-before.Bytes
	return out
}

// advance reads the next hour of minutes.
func (b *Backfill) advance(ctx context.Context, out *Batch) {
	if b.day == nil && !b.begin(ctx, out) {
		return
	}
	d := b.day
	end := min(d.at+backfillPiece, d.to)
	next := make([]*state, len(d.states))
	got := make([]*collected, len(d.states))
	evaluated := make([]map[slo.ID]*evaluated, len(b.exprs))
	paces := slices.Clone(d.paces)
	errs := make([]*Error, len(b.bundles)+len(b.exprs))
	b.r.each(len(errs), func(i int) {
		if i >= len(b.bundles) {
			evaluated[i-len(b.bundles)], errs[i] = b.r.eval.evaluateSlots(ctx, b.exprs[i-len(b.bundles)], &paces[i-len(b.bundles)], d.at, end-1)
			return
		}
		next[i], got[i] = d.states[i].clone(), &collected{b: b.bundles[i]}
		errs[i] = b.r.raw.cover(ctx, b.bundles[i], next[i], d.at-1, end-1, got[i])
		if errs[i] == nil && end == d.to {
			b.bundles[i].conclude(next[i], end-1, got[i])
		}
	})
	if b.failed(errs, out) {
		if slices.ContainsFunc(b.bundles, func(bu *bundle) bool { return b.r.large.sums(bu.specs[0].ID(), bu.hashes[0]) }) {
			b.day = nil // begun anew, with what is added up
		}
		return
	}
	d.states, d.paces = next, paces
	for i, c := range got {
		c.into(out, d.states[i])
	}
	for i, ev := range evaluated {
		maps.Copy(out.Readings, readingsOf(b.exprs[i], ev, paces[i].faults, d.at, end-1, d.at-1))
	}
	for id, r := range out.Readings {
		r.Slots = fold(r.Slots, b.plan.Fine)
		for i := range r.Slots {
			r.Slots[i].Slot.Backfilled = true
		}
		out.Readings[id] = r
	}
	d.at = end
	if d.at == d.to {
		b.blame(d)
		b.pos, b.day = d.from, nil
	}
	out.Marks[b.name] = b.mark()
}

// fold adds to the minute fine what samples after its beginning show of the minutes before, of
// which only hours are kept. Those hours end with the last sample in them, so nothing is counted
// twice.
func fold(slots []budget.SlotAt, fine budget.Minute) []budget.SlotAt {
	before := 0
	for before < len(slots) && slots[before].At < fine {
		before++
	}
	if before == 0 || before == len(slots) || slots[before].At != fine {
		return slots[before:]
	}
	first := &slots[before].Slot
	for _, s := range slots[:before] {
		first.Bad, first.Total = budget.Add(first.Bad, s.Slot.Bad), budget.Add(first.Total, s.Slot.Total)
	}
	return slots[before:]
}

// blame adds the faults of a day that is read.
func (b *Backfill) blame(d *day) {
	for i, s := range d.states {
		b.addFaults(b.bundles[i].faults(s.Troubles()))
	}
	for _, p := range d.paces {
		b.addFaults(p.troubles())
	}
}

// addFaults adds what was wrong with data.
func (b *Backfill) addFaults(found map[slo.ID]*counting.Trouble) {
	for id, t := range found {
		if b.faults == nil {
			b.faults = map[slo.ID]*counting.Trouble{}
		}
		if b.faults[id] == nil {
			b.faults[id] = &counting.Trouble{}
		}
		b.faults[id].Add(t)
	}
}

// faults returns the troubles of a bundle's accounts by their names.
func (b *bundle) faults(troubles map[int32]*counting.Trouble) map[slo.ID]*counting.Trouble {
	out := map[slo.ID]*counting.Trouble{}
	for a, t := range troubles {
		out[b.reg.ids[a]] = t
	}
	return out
}

// Faults returns what was wrong with the data of each budget, counted over all of the hours and
// whole days that were read.
func (b *Backfill) Faults() map[slo.ID][]string {
	out := map[slo.ID][]string{}
	for id, t := range b.faults {
		if texts := sentences.Faults(t); len(texts) > 0 {
			out[id] = texts
		}
	}
	for id, why := range b.guessed {
		out[id] = append(out[id], sentences.Guessed(why))
	}
	return out
}

// Problems returns the faults and which SLOs are too large.
func (b *Backfill) Problems() map[slo.ID][]string {
	out := b.Faults()
	for _, bu := range b.bundles {
		bu.notes(func(id slo.ID, text string) { out[id] = append(out[id], text) })
	}
	for _, texts := range out {
		slices.Sort(texts)
	}
	return out
}

// advanceHours reads the next piece of hours.
func (b *Backfill) advanceHours(ctx context.Context, out *Batch) {
	b.sort(ctx, out)
	from, to := max(b.plan.From, b.pos-coarsePiece*60), b.pos
	got := make([]past, len(b.bundles)+len(b.exprs))
	errs := make([]*Error, len(got))
	b.r.each(len(got), func(i int) {
		switch {
		case i >= len(b.bundles):
			got[i], errs[i] = b.evaluatedHours(ctx, b.exprs[i-len(b.bundles)], from, to)
		case b.bundles[i].countable():
			got[i], errs[i] = b.countedHours(ctx, b.bundles[i], from, to)
		default:
			got[i], errs[i] = b.gaugedHours(ctx, b.bundles[i], from, to)
		}
	})
	if b.failed(errs, out) {
		return
	}
	for _, p := range got {
		for id, list := range p.hours {
			out.Readings[id] = Reading{Hours: list}
		}
		b.addFaults(p.faults)
		for id, why := range p.why {
			if b.guessed == nil {
				b.guessed = map[slo.ID]string{}
			}
			b.guessed[id] = why
		}
	}
	b.pos = from
	out.Marks[b.name] = b.mark()
}

// past is hours of some budgets, and what was wrong with their data.
type past struct {
	hours  map[slo.ID][]budget.HourAt
	faults map[slo.ID]*counting.Trouble
	why    map[slo.ID]string // hours are estimates, because of it
}

// countedHours reads hours of counters; as estimates where the server does not let them be counted.
// If an hour of all of them is too large for an answer, they are read apart.
func (b *Backfill) countedHours(ctx context.Context, bu *bundle, from, to budget.Minute) (past, *Error) {
	all, err := b.r.raw.readHours(ctx, bu, from, to, b.plan.To)
	switch {
	case err == nil:
		return all, nil
	case err.Kind == TooLarge && len(bu.specs) > 1:
		all = past{hours: map[slo.ID][]budget.HourAt{}, faults: map[slo.ID]*counting.Trouble{}, why: map[slo.ID]string{}}
		for _, half := range bu.halves() {
			some, err := b.countedHours(ctx, half, from, to)
			if err != nil {
				return past{}, err
			}
			maps.Copy(all.hours, some.hours)
			maps.Copy(all.faults, some.faults)
			maps.Copy(all.why, some.why)
		}
		return all, nil
	case err.Kind == Refused || err.Kind == BadAnswer || err.Kind == TooLarge:
		hours, failed := b.r.raw.estimateHours(ctx, bu, from, to)
		why := map[slo.ID]string{}
		for _, id := range bu.ids() {
			why[id] = err.Error()
		}
		return past{hours: hours, why: why}, failed
	}
	return past{}, err
}

// gaugedHours reads hours of uptime gauges, every sample of them, for a gauge tells nothing of the
// time between.
func (b *Backfill) gaugedHours(ctx context.Context, bu *bundle, from, to budget.Minute) (past, *Error) {
	s := bu.adopt(nil, from-1)
	got := &collected{b: bu}
	if err := b.r.raw.cover(ctx, bu, s, from-backfillLead-1, to-1, got); err != nil {
		return past{}, err
	}
	bu.conclude(s, to-1, got)
	history := &Batch{Readings: map[slo.ID]Reading{}}
	got.into(history, s)
	for id, r := range history.Readings {
		r.Slots = slices.DeleteFunc(r.Slots, func(s budget.SlotAt) bool { return s.At < from }) // of the piece before
		history.Readings[id] = r
	}
	return past{hours: hoursOfSlots(history.Readings, nil), faults: bu.faults(s.Troubles())}, nil
}

// evaluatedHours reads hours of an expression, minute by minute, a day at a time or less.
func (b *Backfill) evaluatedHours(ctx context.Context, s *slo.Spec, from, to budget.Minute) (past, *Error) {
	var hours map[slo.ID][]budget.HourAt
	p := exprPace{}
	if err := b.r.eval.lead(ctx, s, from, to, &p); err != nil {
		return past{}, err
	}
	piece := budget.Minute(backfillDay)
	for from < to {
		end := min(from+piece, to)
		ahead := p
		ev, err := b.r.eval.evaluateSlots(ctx, s, &ahead, from, end-1)
		if err != nil && (err.Kind == TooLarge || err.Kind == Timeout) && piece > 60 {
			piece = max(piece/2/60*60, 60)
			continue
		}
		if err != nil {
			return past{}, err
		}
		p = ahead
		hours = hoursOfSlots(readingsOf(s, ev, nil, from, end-1, from-1), hours)
		from = end
	}
	return past{hours: hours, faults: p.troubles()}, nil
}

// hoursOfSlots sums the slots of readings by the hour and adds them to what there is.
func hoursOfSlots(readings map[slo.ID]Reading, hours map[slo.ID][]budget.HourAt) map[slo.ID][]budget.HourAt {
	if hours == nil {
		hours = map[slo.ID][]budget.HourAt{}
	}
	for id, r := range readings {
		var l budget.Ledger
		for _, s := range r.Slots {
			l.Put(s.At, s.Slot)
		}
		for m := l.First(); m < l.End(); m += 60 {
			hours[id] = append(hours[id], budget.HourAt{Hour: m.Hour(), Sum: l.Sum(m, m+60)})
		}
	}
	return hours
}

func (b *Backfill) failed(errs []*Error, out *Batch) bool {
	for i, err := range errs {
		switch {
		case err == nil:
		case i < len(b.bundles):
			out.Failures = append(out.Failures, Failure{Bundle: b.bundles[i].selector, SLOs: b.bundles[i].ids(), Err: err})
		default:
			id := b.exprs[i-len(b.bundles)].ID()
			out.Failures = append(out.Failures, Failure{Bundle: string(id), SLOs: []slo.ID{id}, Err: err})
		}
	}
	slices.SortFunc(out.Failures, func(a, b Failure) int { return cmp.Compare(a.Bundle, b.Bundle) })
	return len(out.Failures) > 0
}

// begin takes positions an hour before the next day.
func (b *Backfill) begin(ctx context.Context, out *Batch) bool {
	b.sort(ctx, out)
	d := &day{to: b.pos}
	d.from = max(b.plan.From, b.plan.Fine, (b.pos-1)-(b.pos-1)%backfillDay)
	d.at = d.from
	d.states = make([]*state, len(b.bundles))
	d.paces = make([]exprPace, len(b.exprs))
	errs := make([]*Error, len(b.bundles)+len(b.exprs))
	b.r.each(len(errs), func(i int) {
		if n := i - len(b.bundles); n >= 0 {
			errs[i] = b.r.eval.lead(ctx, b.exprs[n], d.from, d.to, &d.paces[n])
			return
		}
		s := b.bundles[i].adopt(nil, d.from-1)
		scan := &collected{b: b.bundles[i]}
		errs[i] = b.r.raw.cover(ctx, b.bundles[i], s, d.from-backfillLead-1, d.from-1, scan)
		s.ForgetTroubles() // those of the hour before are not ours
		d.states[i] = s
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
		classic := b.r.bounds[s.ID()].classic()
		if b.r.undecided(s) { // now; a bucket may have been there once
			then, err := b.r.client.lookUpBound(ctx, s, b.plan.From, b.plan.To-1)
			classic = err == nil && then.classic()
		}
		switch terms := termsOf(s, classic); {
		case terms != nil && b.r.sums(s, hashTerms(rawSpec{s, terms}), b.plan.To):
			b.exprs = append(b.exprs, summed(s, terms))
		case terms != nil:
			raw = append(raw, rawSpec{s, terms})
		case !b.r.undecided(s) && s.SLI.Kind != slo.Composed:
			b.exprs = append(b.exprs, s)
		}
	}
	b.bundles = bundles(raw, b.r.large.has)
}

// countable reports whether the bundle is of counters: not of uptime gauges.
func (b *bundle) countable() bool {
	return !slices.ContainsFunc(b.terms, func(t term) bool { return t.role == counting.Up })
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
	return e.seal(markVersion)
}
