package prom

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/counting"
	"github.com/slowburn-sre/slowburn/internal/sentences"
	"github.com/slowburn-sre/slowburn/slo"
)

// Reading is what was learned about one budget.
type Reading struct {
	Slots    []budget.SlotAt // new or healed, oldest first
	Late     []Amendment     // of minutes that were written before, oldest first
	Hours    []budget.HourAt // from a backfill, oldest first
	Problems []string        // faults in the data, in plain words, sorted
}

// Amendment is events that were found of a minute after it had been decided: samples came later
// than they were waited for. They are added to what the ledger holds, in thousandths; where
// something was counted in the wrong minute they are negative. A minute of which nothing was known,
// or not when its events happened, is known with its amendment.
type Amendment struct {
	At         budget.Minute
	Since      budget.Minute // of scrapes further apart than a minute; see [budget.Ledger.AmendShown]
	Bad, Total int64
}

// Failure says that some SLOs could not be read. Their time is not consumed: the next tick reads
// it.
type Failure struct {
	Bundle string
	SLOs   []slo.ID
	Err    *Error

	task string // that failed in this read; "" if it did before
}

// Stats is what a read cost.
type Stats struct {
	Queries int64
	Samples int64 // see [Usage]
	Bytes   int64
	Series  int // series that are being followed
	// Waiting counts what could be read on at once: bundles that are slow, that came late, or for
	// which there was no time.
	Waiting int
	// Late counts budgets whose minutes wait for samples that come late, and Behind is how far the
	// farthest of them is decided behind the time of the read.
	Late   int
	Behind time.Duration
	// TooLate counts budgets of which samples come later than they are waited for.
	TooLate int
	// Capped counts [Batch.Capped].
	Capped int
}

// Plus adds what another read has cost; the rest stays as it stands.
func (s Stats) Plus(o Stats) Stats {
	s.Queries, s.Samples, s.Bytes = s.Queries+o.Queries, s.Samples+o.Samples, s.Bytes+o.Bytes
	return s
}

// Batch is the outcome of one read. It takes effect with [Reader.Commit].
type Batch struct {
	Readings map[slo.ID]Reading
	// Waits are the budgets whose minutes wait for samples that come late, or that gave them up.
	Waits map[slo.ID]sentences.Wait
	// Marks are the reading positions that changed, to be kept in the same transaction as the
	// slots. An empty one replaces a position that is no longer needed.
	Marks    map[string][]byte
	Failures []Failure
	// Problems are faults of the reading itself, such as a mark that could not be read.
	Problems []string
	// Capped are SLOs that were found, since the reader began, to have more combinations of label
	// values than are followed, and the words for it.
	Capped map[slo.ID]string
	Stats  Stats
	// Next is when the next read is worth it: another minute can be complete then. It is zero if
	// nobody knows.
	Next time.Time

	failed bool // something was tried, and failed
	states map[string]*state
	exprs  map[slo.ID]exprState
}

// Quiet reports whether there is nothing in it to be decided or kept: it was too early.
func (b *Batch) Quiet() bool {
	if b.failed || len(b.Marks) > 0 || len(b.Problems) > 0 {
		return false
	}
	for _, r := range b.Readings {
		if len(r.Slots) > 0 || len(r.Late) > 0 || len(r.Hours) > 0 {
			return false
		}
	}
	return true
}

// Options of a [Reader].
type Options struct {
	// Interval is the scrape interval assumed for expressions until their samples show theirs. 0
	// means 30 s.
	Interval time.Duration
	// Patience is how long a read waits for one bundle; 0 means DefaultPatience.
	Patience time.Duration
	// MaxLateness is how long a sample that is overdue is waited for at most. 0 means 15 minutes.
	MaxLateness time.Duration
}

// DefaultMaxLateness is how long a sample that is overdue is waited for at most.
const DefaultMaxLateness = counting.DefaultMaxLate * time.Millisecond

// Reader reads the slots of SLOs. It remembers where it is in memory and in marks; nothing it has
// read counts before Commit. Its methods may be called from several goroutines, one at a time does
// the work.
type Reader struct {
	client *Client
	raw    follower  // of what is read raw
	eval   evaluator // of what is not
	opts   Options

	mu       sync.Mutex
	marks    map[string][]byte // of the store, as long as nothing has been planned from them
	specs    []*slo.Spec       // what the plan below is for
	plan     []*bundle
	states   map[string]*state // committed
	evaluate []*slo.Spec       // SLOs without raw terms
	exprs    map[slo.ID]exprState
	bounds   map[slo.ID]bound
	gone     map[slo.ID]bool // latency SLOs whose bucket is missing where the count goes on
	problems []string        // for the next batch
	lanes    *lanes
	failing  map[string]failing // by task
	large    *large
}

// New makes a reader that knows nothing yet.
func New(c *Client, o Options) *Reader {
	o.Interval = cmp.Or(o.Interval, usualScrape)
	o.MaxLateness = cmp.Or(o.MaxLateness, DefaultMaxLateness)
	l := &large{}
	return &Reader{
		client: c, raw: follower{client: c, large: l}, eval: evaluator{client: c, usual: o.Interval}, large: l, opts: o, marks: map[string][]byte{}, states: map[string]*state{},
		exprs: map[slo.ID]exprState{}, bounds: map[slo.ID]bound{}, gone: map[slo.ID]bool{},
		lanes: newLanes(o.Patience), failing: map[string]failing{},
	}
}

// Close gives up what is still being read, and waits for its end.
func (r *Reader) Close() { r.lanes.close() }

// Restore takes over the positions that a store has kept. A mark that cannot be read is as good as
// none: its SLOs begin anew, and the next batch says so.
func (r *Reader) Restore(marks map[string][]byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.marks, r.specs, r.plan = maps.Clone(marks), nil, nil
	if r.marks == nil {
		r.marks = map[string][]byte{}
	}
	r.states, r.exprs, r.bounds = map[string]*state{}, map[slo.ID]exprState{}, map[slo.ID]bound{}
	r.gone, r.failing = map[slo.ID]bool{}, map[string]failing{}
	r.lanes.close() // what is still being read was planned from other positions
	r.lanes = newLanes(r.opts.Patience)
	for name, b := range marks {
		if name == boundsMark && len(b) > 0 {
			if err := r.loadBounds(b); err != nil {
				r.problems = append(r.problems, fmt.Sprintf("the mark %s is unusable: %v; bucket bounds are looked up again", name, err))
			}
		}
	}
}

// Restart forgets the reading positions, and returns their marks, empty, to be deleted with what
// makes it necessary: the next Read takes new positions, as at the first sight of every SLO.
func (r *Reader) Restart() map[string][]byte {
	r.mu.Lock()
	marks := map[string][]byte{}
	for name := range r.marks {
		if strings.HasPrefix(name, bundlePrefix) || strings.HasPrefix(name, exprPrefix) {
			marks[name] = nil
		}
	}
	r.mu.Unlock()
	r.Restore(nil)
	return marks
}

const (
	bundlePrefix = "raw/"
	exprPrefix   = "expr/"
	boundsMark   = "bounds"

	// reachBack is how far behind the last evaluation of an expression late data are looked for,
	// minutes.
	reachBack = 60
)

// Read reads what is new of all SLOs at a time. Minutes are in the batch when they are complete. At
// the first sight of an SLO it takes a position; slots follow from the minute of now, earlier ones
// are for a [Backfill].
func (r *Reader) Read(ctx context.Context, specs []*slo.Spec, now time.Time) *Batch {
	to := budget.MinuteOf(now.Add(-settle)) - 1
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.client.Usage()
	out := &Batch{
		Readings: map[slo.ID]Reading{}, Marks: map[string][]byte{},
		states: map[string]*state{}, exprs: map[slo.ID]exprState{},
	}
	if r.lookUpBounds(ctx, specs, to, out) || r.large.planned() || !slices.Equal(specs, r.specs) {
		r.replan(specs, to, budget.MinuteOf(now.Add(-arrival*time.Millisecond)), out)
	}
	out.Problems = append(out.Problems, r.problems...)
	r.problems = nil
	tasks := r.due(now, to, out)
	r.lanes.run(ctx, tasks, r.client.opts.Concurrency, out)
	r.schedule(tasks, now, out)
	slices.SortFunc(out.Failures, func(a, b Failure) int { return cmp.Compare(a.Bundle, b.Bundle) })
	after := r.client.Usage()
	out.Stats.Queries, out.Stats.Samples, out.Stats.Bytes = after.Queries-before.Queries, after.Samples-before.Samples, after.Bytes-before.Bytes
	return out
}

// failing is a task that failed when it was tried last.
type failing struct {
	Failure
	at time.Time
}

// retryAfter is after how long what has failed is tried again.
const retryAfter = 30 * time.Second

// due lists what is worth asking for at a time: that of which another minute can be complete. What
// has failed lately goes on failing until it is tried again.
func (r *Reader) due(now time.Time, to budget.Minute, out *Batch) (tasks []task) {
	add := func(name string, due bool, make func() task) {
		if f, ok := r.failing[name]; ok {
			if since := now.Sub(f.at); since >= 0 && since < retryAfter {
				f.task = ""
				out.Failures = append(out.Failures, f.Failure)
				return
			}
			due = true
		}
		if due {
			tasks = append(tasks, make())
		}
	}
	for _, b := range r.plan {
		add(bundlePrefix+b.key, r.states[b.key].due(now.UnixMilli()), func() task { return r.bundleTask(b, now) })
	}
	for _, s := range r.evaluate {
		st := r.exprs[s.ID()]
		own := budget.MinuteOf(now.Add(-st.pace.lateness.settle(now, r.maxLate(s)))) - 1
		add(exprPrefix+string(s.ID()), own > st.read || st.pace.lateness.hurries(now) || windBack(st.read, to) != st.read || !r.kept(s), func() task { return r.exprTask(s, own, now) })
	}
	return tasks
}

// schedule notes what has failed, says when the next read is worth it, and what is waited for.
func (r *Reader) schedule(tasks []task, now time.Time, out *Batch) {
	for _, t := range tasks {
		delete(r.failing, t.name)
	}
	for key := range out.states { // of the slow lane, too
		delete(r.failing, bundlePrefix+key)
	}
	for id := range out.exprs {
		delete(r.failing, exprPrefix+string(id))
	}
	for _, f := range out.Failures {
		if f.task != "" {
			out.failed = true
			r.failing[f.task] = failing{f, now}
		}
	}
	next := func(at time.Time) {
		if out.Next.IsZero() || at.Before(out.Next) {
			out.Next = at
		}
	}
	for _, b := range r.plan {
		s := r.states[b.key]
		if moved := out.states[b.key]; moved != nil {
			s = moved
		}
		if f, ok := r.failing[bundlePrefix+b.key]; ok {
			next(f.at.Add(retryAfter))
		} else {
			next(time.UnixMilli(s.next))
		}
		out.Stats.Series += len(s.Cursors)
		for a, w := range s.behind {
			out.wait(b.reg.ids[a], w, now)
		}
	}
	for _, s := range r.evaluate {
		st, moved := out.exprs[s.ID()]
		if !moved {
			st = r.exprs[s.ID()]
		}
		late, most := &st.pace.lateness, r.maxLate(s)
		if f, ok := r.failing[exprPrefix+string(s.ID())]; ok {
			next(f.at.Add(retryAfter))
		} else {
			next((st.read + 1).End().Add(late.settle(now, most)))
			if at, ok := late.next(now); ok {
				next(at)
			}
		}
		if w, ok := late.wait(st.read, now, most); ok {
			out.wait(s.ID(), w, now)
		}
	}
}

// kept reports whether the position of an evaluated SLO was ever kept.
func (r *Reader) kept(s *slo.Spec) bool {
	_, ok := r.marks[exprPrefix+string(s.ID())]
	return ok
}

// wait notes that a budget is behind.
func (b *Batch) wait(id slo.ID, w sentences.Wait, now time.Time) {
	if b.Waits == nil {
		b.Waits = map[slo.ID]sentences.Wait{}
	}
	switch b.Waits[id] = w; {
	case w.Most > 0:
		b.Stats.TooLate++
		return
	case w.Vain:
		return
	}
	b.Stats.Late++
	b.Stats.Behind = max(b.Stats.Behind, now.Sub(w.Through))
}

// each runs n jobs side by side, as many as the client lets through.
func (r *Reader) each(n int, job func(int)) { side(n, r.client.opts.Concurrency, job) }

// Commit makes the batch's positions the reader's own. Call it after the store has kept the batch;
// without it, the next Read reads the same again.
func (r *Reader) Commit(b *Batch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.Copy(r.states, b.states)
	for _, p := range r.plan {
		if r.lanes.running[bundlePrefix+p.key] == nil && p.reg.bloated() {
			r.specs = nil // plan anew, out of the marks, which hold only what is alive
		}
	}
	maps.Copy(r.exprs, b.exprs)
	for name, mark := range b.Marks {
		if len(mark) == 0 {
			delete(r.marks, name)
		} else {
			r.marks[name] = mark
		}
	}
}

// replan sorts the SLOs into bundles. Positions are carried over through the marks, as in a
// restart.
func (r *Reader) replan(specs []*slo.Spec, to, since budget.Minute, out *Batch) {
	r.lanes.forget()
	r.failing = map[string]failing{}
	var raw []rawSpec
	begun := map[slo.ID]exprState{} // of those that Prometheus adds up
	r.evaluate = nil
	for _, s := range specs {
		terms := termsOf(s, r.bounds[s.ID()].classic())
		switch {
		case terms != nil && r.sums(s, hashTerms(rawSpec{s, terms}), to):
			begun[s.ID()] = exprState{terms: hashTerms(rawSpec{s, terms}), since: r.undecidedSince(s.ID(), to), primed: true}
			r.evaluate = append(r.evaluate, summed(s, terms))
			if r.exprs[s.ID()].terms == 0 {
				r.problems = append(r.problems, string(s.ID())+": "+sentences.Summed(partSeries))
			}
		case terms != nil:
			raw = append(raw, rawSpec{s, terms})
		case s.SLI.Kind != slo.Composed: // a journey asks nothing: it is derived from what its steps are answered
			r.evaluate = append(r.evaluate, s)
		}
	}
	faults := r.faults()
	r.specs, r.plan = slices.Clone(specs), bundles(raw, r.large.has)
	saved := r.loadMarks()
	r.states = map[string]*state{}
	for _, b := range r.plan {
		r.states[b.key] = b.adopt(b.donors(saved), since-1)
		b.carry(r.states[b.key], faults)
	}
	r.loadExprs(begun, to)
	r.dropMarks(out)
}

// promiseOf is a budget of an SLO as it was written, by the hash of its terms.
type promiseOf struct {
	id   slo.ID
	hash uint64
}

// faults returns what was wrong so far with each budget of the plan. Marks do not keep it.
func (r *Reader) faults() map[promiseOf]*counting.Trouble {
	all := map[promiseOf]*counting.Trouble{}
	for _, b := range r.plan {
		for a, t := range r.states[b.key].Troubles() {
			all[promiseOf{b.reg.ids[a], b.hashes[b.reg.Accounts[a].Promise]}] = t
		}
	}
	return all
}

// carry takes over what was wrong so far with the budgets of SLOs that have not changed.
func (b *bundle) carry(s *state, faults map[promiseOf]*counting.Trouble) {
	for a, id := range b.reg.ids {
		if t := faults[promiseOf{id, b.hashes[b.reg.Accounts[a].Promise]}]; t != nil {
			s.AddTrouble(int32(a), t)
		}
	}
}

// loadMarks decodes the marks of raw bundles.
func (r *Reader) loadMarks() map[string]*saved {
	out := map[string]*saved{}
	for _, name := range slices.Sorted(maps.Keys(r.marks)) {
		key, ok := strings.CutPrefix(name, bundlePrefix)
		if !ok {
			continue
		}
		m, err := loadMark(r.marks[name])
		if err != nil {
			r.problems = append(r.problems, fmt.Sprintf("the mark %s is unusable: %v; its SLOs are read as if seen for the first time", name, err))
			continue
		}
		out[key] = m
	}
	return out
}

// donors returns the marks a bundle's state is made of: all that know one of its SLOs or read its
// metrics.
func (b *bundle) donors(all map[string]*saved) []*saved {
	if own, ok := all[b.key]; ok && b.sameSpecs(own) {
		return []*saved{own}
	}
	var out []*saved
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if slices.ContainsFunc(all[key].promises, func(p savedPromise) bool { return b.specOf(p.id) >= 0 }) {
			out = append(out, all[key])
		}
	}
	return out
}

func (b *bundle) sameSpecs(m *saved) bool {
	if len(m.promises) != len(b.specs) {
		return false
	}
	for i, p := range m.promises {
		if p.id != b.specs[i].ID() {
			return false
		}
	}
	return true
}

// dropMarks empties the marks that the new plan has no use for.
func (r *Reader) dropMarks(out *Batch) {
	needed := map[string]bool{boundsMark: true}
	for _, b := range r.plan {
		needed[bundlePrefix+b.key] = true
	}
	for _, s := range r.evaluate {
		needed[exprPrefix+string(s.ID())] = true
	}
	for name := range r.marks {
		if (strings.HasPrefix(name, bundlePrefix) || strings.HasPrefix(name, exprPrefix)) && !needed[name] {
			out.Marks[name] = nil
		}
	}
}

// bundleTask returns the task to read one bundle at a time.
func (r *Reader) bundleTask(b *bundle, now time.Time) task {
	committed := r.states[b.key]
	work := func(ctx context.Context, until time.Time) outcomeOf {
		s := committed.clone()
		for i, spec := range b.specs {
			s.Promises[i].MaxLate = r.maxLate(spec).Milliseconds()
		}
		got := &collected{b: b}
		more, err := r.raw.follow(ctx, b, s, now, until, got)
		moved := s.Read != committed.Read || s.Asked != committed.Asked || s.Primed != committed.Primed || s.next != committed.next
		var mark []byte
		if moved && (got.decided() || !committed.Primed || s.Read >= s.kept+minuteMs || s.Read < s.kept) {
			mark, s.kept = b.save(s), s.Read
		}
		return outcomeOf{err: err, more: err == nil && more, take: func(out *Batch) {
			if moved {
				out.states[b.key] = s
			}
			if mark != nil {
				out.Marks[bundlePrefix+b.key] = mark
			}
			got.into(out, s)
			maps.Copy(r.gone, got.failed())
			out.tellCapped(b)
		}}
	}
	return task{bundlePrefix + b.key, b.selector, b.ids(), work}
}

// maxLate returns how long the samples of an SLO are waited for at most.
func (r *Reader) maxLate(s *slo.Spec) time.Duration { return cmp.Or(s.MaxLateness, r.opts.MaxLateness) }

func (b *bundle) ids() []slo.ID {
	ids := make([]slo.ID, len(b.specs))
	for i, s := range b.specs {
		ids[i] = s.ID()
	}
	return ids
}

// collected is the outcome of reading one bundle.
type collected struct {
	b     *bundle
	slots [][]budget.SlotAt
	late  map[int32][]Amendment
}

// decided reports whether there is anything to be written down.
func (c *collected) decided() bool { return len(c.slots) > 0 || len(c.late) > 0 }

// Slot implements counting.Outcome.
func (c *collected) Slot(a int32, at budget.Minute, s budget.Slot) {
	for len(c.slots) <= int(a) {
		c.slots = append(c.slots, nil)
	}
	c.slots[a] = append(c.slots[a], budget.SlotAt{At: at, Slot: s})
}

// Late implements counting.Outcome.
func (c *collected) Late(a int32, since, at budget.Minute, bad, total int64) {
	if c.late == nil {
		c.late = map[int32][]Amendment{}
	}
	list := c.late[a]
	for i := len(list) - 1; i >= 0 && i >= len(list)-8; i-- { // those of one minute come together
		if list[i].At == at {
			list[i].Bad, list[i].Total = list[i].Bad+bad, list[i].Total+total
			if since > 0 && (list[i].Since == 0 || since < list[i].Since) {
				list[i].Since = since
			}
			return
		}
	}
	c.late[a] = append(list, Amendment{At: at, Since: since, Bad: bad, Total: total})
}

// into adds what was collected to the batch.
func (c *collected) into(out *Batch, s *state) {
	for a, slots := range c.slots {
		if len(slots) > 0 {
			slices.SortStableFunc(slots, func(a, b budget.SlotAt) int { return cmp.Compare(a.At, b.At) })
			out.Readings[c.b.reg.ids[a]] = Reading{Slots: slots}
		}
	}
	for a, late := range c.late {
		r := out.Readings[c.b.reg.ids[a]]
		slices.SortStableFunc(late, func(a, b Amendment) int { return cmp.Compare(a.At, b.At) })
		r.Late = late
		out.Readings[c.b.reg.ids[a]] = r
	}
	for a, w := range s.behind {
		c.note(out.Readings, c.b.reg.ids[a], w.Problem())
	}
	for a, t := range s.Troubles() {
		c.note(out.Readings, c.b.reg.ids[a], sentences.Faults(t)...)
	}
	c.b.notes(func(id slo.ID, text string) { c.note(out.Readings, id, text) })
}

// failed tells of each latency SLO that has new minutes whether any of them could not be used.
func (c *collected) failed() map[slo.ID]bool {
	failed := map[slo.ID]bool{}
	for a, slots := range c.slots {
		if s := c.b.specs[c.b.reg.Accounts[a].Promise]; s.SLI.Histogram != nil && len(slots) > 0 {
			failed[s.ID()] = failed[s.ID()] || slices.ContainsFunc(slots, func(s budget.SlotAt) bool { return s.Slot.State == budget.Failed })
		}
	}
	return failed
}

// notes tells which SLOs of a bundle are too large.
func (b *bundle) notes(tell func(slo.ID, string)) {
	for i, s := range b.specs {
		if b.reg.capped[i] {
			tell(s.ID(), sentences.Capped(s, maxGroups))
		}
		if n := b.reg.members[i]; n > maxSeries {
			tell(s.ID(), sentences.Large(n, maxSeries))
		}
	}
}

// tellCapped says of SLOs that have reached the cap since the last time that they have.
func (b *Batch) tellCapped(of *bundle) {
	for i := range of.reg.capped {
		if !of.reg.told[i] {
			of.reg.told[i] = true
			b.capped(of.specs[i])
		}
	}
}

// capped says once of an SLO that it has reached the cap.
func (b *Batch) capped(s *slo.Spec) {
	if b.Capped == nil {
		b.Capped = map[slo.ID]string{}
	}
	b.Capped[s.ID()] = sentences.Capped(s, maxGroups)
	b.Stats.Capped++
	b.Problems = append(b.Problems, string(s.ID())+": "+sentences.Capped(s, maxGroups))
}

func (c *collected) note(out map[slo.ID]Reading, id slo.ID, texts ...string) {
	if r := out[id]; len(texts) > 0 {
		r.Problems = append(r.Problems, texts...)
		slices.Sort(r.Problems)
		out[id] = r
	}
}
