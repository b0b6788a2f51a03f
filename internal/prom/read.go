package prom

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/slo"
)

// Reading is what was learned about one budget.
type Reading struct {
	Slots    []budget.SlotAt // new or healed, oldest first
	Late     []Amendment     // of minutes that were written before, oldest first
	Hours    []budget.HourAt // from a backfill, oldest first
	Problems []string        // faults in the data, in plain words, sorted
}

// Amendment is events that were found of a minute after it had been decided: samples came later than
// they were waited for. They are added to what the ledger holds, in thousandths; where something was
// counted in the wrong minute they are negative. A minute of which nothing was known, or not when
// its events happened, is known with its amendment.
type Amendment struct {
	At         budget.Minute
	Bad, Total int64
}

// Failure says that some SLOs could not be read. Their time is not consumed: the next tick reads
// it.
type Failure struct {
	Bundle string
	SLOs   []slo.ID
	Err    *Error
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
	// Capped counts SLOs that were found to have more combinations of label values than are
	// followed.
	Capped int
}

// Batch is the outcome of one read. It takes effect with [Reader.Commit].
type Batch struct {
	Readings map[slo.ID]Reading
	// Marks are the reading positions that changed, to be kept in the same transaction as the
	// slots. An empty one replaces a position that is no longer needed.
	Marks    map[string][]byte
	Failures []Failure
	// Problems are faults of the reading itself, such as a mark that could not be read.
	Problems []string
	Stats    Stats

	states map[string]*state
	exprs  map[slo.ID]exprState
}

// Options of a [Reader].
type Options struct {
	// Interval is the scrape interval assumed for expressions until their samples show theirs. 0
	// means 30 s.
	Interval time.Duration
	// Patience is how long a read waits for one bundle; 0 means DefaultPatience.
	Patience time.Duration
}

// Reader reads the slots of SLOs. It remembers where it is in memory and in marks; nothing it has
// read counts before Commit. Its methods may be called from several goroutines, one at a time does
// the work.
type Reader struct {
	client *Client
	opts   Options

	mu       sync.Mutex
	marks    map[string][]byte // of the store, as long as nothing has been planned from them
	specs    []*slo.Spec       // what the plan below is for
	plan     []*bundle
	states   map[string]*state // committed
	evaluate []*slo.Spec       // SLOs without raw terms
	exprs    map[slo.ID]exprState
	bounds   map[slo.ID]bound
	problems []string // for the next batch
	lanes    *lanes
	large    large
}

// New makes a reader that knows nothing yet.
func New(c *Client, o Options) *Reader {
	o.Interval = cmp.Or(o.Interval, usualScrape)
	return &Reader{
		client: c, opts: o, marks: map[string][]byte{}, states: map[string]*state{},
		exprs: map[slo.ID]exprState{}, bounds: map[slo.ID]bound{},
		lanes: newLanes(o.Patience),
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
	for name, b := range marks {
		if name == boundsMark && len(b) > 0 {
			if err := r.loadBounds(b); err != nil {
				r.problems = append(r.problems, fmt.Sprintf("the mark %s is unusable: %v; bucket bounds are looked up again", name, err))
			}
		}
	}
}

const (
	bundlePrefix = "raw/"
	exprPrefix   = "expr/"
	boundsMark   = "bounds"

	// reachBack is how far behind the last read late data are still looked for, minutes.
	reachBack = 60
	// lead is how much is read at first sight to learn positions and intervals.
	lead = 5 * time.Minute
)

// Read reads everything new of all SLOs up to and including the slot of minute to, which should lie
// a scrape interval back so that its samples have arrived. At the first sight of an SLO it takes a
// position; slots follow from the minute after to, earlier ones are for a [Backfill].
func (r *Reader) Read(ctx context.Context, specs []*slo.Spec, to budget.Minute) *Batch {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.client.Usage()
	out := &Batch{
		Readings: map[slo.ID]Reading{}, Marks: map[string][]byte{},
		states: map[string]*state{}, exprs: map[slo.ID]exprState{},
	}
	if r.lookUpBounds(ctx, specs, to, out) || r.large.planned() || !slices.Equal(specs, r.specs) {
		r.replan(specs, to, out)
	}
	out.Problems = append(out.Problems, r.problems...)
	r.problems = nil
	var tasks []task
	for _, b := range r.plan {
		tasks = append(tasks, r.bundleTask(b, to))
	}
	for _, s := range r.evaluate {
		tasks = append(tasks, r.exprTask(s, to))
	}
	r.lanes.run(ctx, tasks, r.client.opts.Concurrency, out)
	slices.SortFunc(out.Failures, func(a, b Failure) int { return cmp.Compare(a.Bundle, b.Bundle) })
	after := r.client.Usage()
	out.Stats.Queries, out.Stats.Samples, out.Stats.Bytes = after.Queries-before.Queries, after.Samples-before.Samples, after.Bytes-before.Bytes
	return out
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
func (r *Reader) replan(specs []*slo.Spec, to budget.Minute, out *Batch) {
	r.lanes.forget()
	var raw []rawSpec
	r.evaluate = nil
	for _, s := range specs {
		terms := termsOf(s, r.bounds[s.ID()].classic())
		switch {
		case terms != nil:
			raw = append(raw, rawSpec{s, terms})
		case s.SLI.Kind != slo.Composed: // a journey asks nothing: it is derived from what its steps are answered
			r.evaluate = append(r.evaluate, s)
		}
	}
	r.specs, r.plan = slices.Clone(specs), bundles(raw, r.large.has)
	saved := r.loadMarks()
	r.states = map[string]*state{}
	for _, b := range r.plan {
		r.states[b.key] = b.adopt(b.donors(saved), to)
	}
	r.loadExprs(to)
	r.dropMarks(out)
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

// bundleTask is to read one bundle up to a minute.
func (r *Reader) bundleTask(b *bundle, to budget.Minute) task {
	committed := r.states[b.key]
	work := func(ctx context.Context, until time.Time) outcomeOf {
		s := committed.clone()
		got := &collected{b: b}
		err := r.follow(ctx, b, s, to, until, got)
		moved := s.read > committed.read || s.primed != committed.primed
		var mark []byte
		if moved {
			mark = b.save(s)
		}
		return outcomeOf{err: err, more: err == nil && s.read < to, take: func(out *Batch) {
			out.Stats.Series += len(s.cursors)
			if moved {
				out.states[b.key] = s
				out.Marks[bundlePrefix+b.key] = mark
			}
			got.into(out.Readings)
			out.tellCapped(b)
		}}
	}
	return task{bundlePrefix + b.key, b.selector, b.ids(), work}
}

func (b *bundle) ids() []slo.ID {
	ids := make([]slo.ID, len(b.specs))
	for i, s := range b.specs {
		ids[i] = s.ID()
	}
	return ids
}

// follow moves the state up to minute to, in pieces. If a piece fails, what came before it stands.
func (r *Reader) follow(ctx context.Context, b *bundle, s *state, to budget.Minute, until time.Time, got *collected) *Error {
	if s.primed && s.read >= to {
		return nil
	}
	from := max(s.pos, s.read-reachBack)
	if !s.primed { // from before the first slot that is owed, even if the first attempts have failed
		from = min(s.owed()-1, to) - budget.Minutes(lead)
	}
	return r.cover(ctx, b, s, from, to, until, got)
}

// owed returns the first slot that any SLO of the bundle waits for.
func (s *state) owed() budget.Minute {
	first := s.promises[0].since
	for _, p := range s.promises {
		first = min(first, p.since)
	}
	return first
}

// cover reads and counts the minutes after from, up to to, in pieces that an answer can hold. It
// begins none after until, if there is one.
func (r *Reader) cover(ctx context.Context, b *bundle, s *state, from, to budget.Minute, until time.Time, got *collected) *Error {
	s.pos = max(s.pos, from)
	for first := true; from < to; first = false {
		if !first && !until.IsZero() && time.Now().After(until) {
			return nil
		}
		end := min(from+min(b.meal.most(), b.affordable(s)), to)
		err := r.piece(ctx, b, s, from, end, got)
		if b.meal.digest(err, end-from) {
			continue
		}
		if err != nil {
			return err
		}
		from = end
	}
	return nil
}

// samplesPerQuery bounds an answer to about two thirds of the default cap in bytes.
const samplesPerQuery = 600_000

// affordable returns how many minutes of the bundle one answer may hold.
func (b *bundle) affordable(s *state) budget.Minute {
	return budget.Minute(min(max(samplesPerQuery/max(b.perMinute(s), 1), 1), reachBack))
}

// piece reads and counts the minutes after from, up to end.
func (r *Reader) piece(ctx context.Context, b *bundle, s *state, from, end budget.Minute, got *collected) *Error {
	runs, err := r.raw(ctx, b, from.End(), end.End())
	if err != nil {
		return err
	}
	s.grow(len(b.reg.seriesHash), len(b.reg.targetHash), len(b.reg.ids))
	t := newStepper(s, b.reg.info, got, runs)
	t.walk(end)
	t.finish(end)
	return nil
}

// raw asks for the raw samples in (from, to].
func (r *Reader) raw(ctx context.Context, b *bundle, from, to time.Time) ([]run, *Error) {
	var runs []run
	err := r.inParts(ctx, b, from, to, func(selector string) *Error {
		query := fmt.Sprintf("%s[%ds]", selector, int64(to.Sub(from)/time.Second))
		c := &gather{b: b}
		a, err := r.client.query(ctx, query, to, c)
		if err != nil {
			return err
		}
		if c.err != nil || a.resultType != "matrix" {
			return &Error{Kind: BadAnswer, Op: "query", URL: r.client.base.Redacted(), Hint: "a range selector must be answered with a matrix", Err: cmp.Or(c.err, errShape)}
		}
		runs = append(runs, c.done()...)
		return nil
	})
	return runs, err
}

var errShape = errors.New("the answer has the wrong shape")

// gather is the sink that collects runs.
type gather struct {
	b       *bundle
	entries []*entry
	starts  []int
	samples []sample
	err     error
}

// series implements sink.
func (g *gather) series(metric []byte) bool {
	e, err := g.b.entry(metric)
	if err != nil {
		g.err = err
		return false
	}
	if e == nowhere {
		return false
	}
	g.entries = append(g.entries, e)
	g.starts = append(g.starts, len(g.samples))
	return true
}

// sample implements sink.
func (g *gather) sample(ms int64, v float64) { g.samples = append(g.samples, sample{ms, v}) }

func (g *gather) done() []run {
	runs := make([]run, len(g.entries))
	for i, e := range g.entries {
		end := len(g.samples)
		if i+1 < len(g.starts) {
			end = g.starts[i+1]
		}
		runs[i] = run{e, g.samples[g.starts[i]:end]}
	}
	return joined(runs)
}

// joined puts runs of one series, of which a label is written in several ways, together.
func joined(runs []run) []run {
	first := make(map[int32]int, len(runs))
	out := runs[:0]
	for _, r := range runs {
		at, twice := first[r.series]
		if !twice || r.series < 0 {
			first[r.series] = len(out)
			out = append(out, r)
			continue
		}
		both := slices.Concat(out[at].samples, r.samples)
		slices.SortStableFunc(both, func(a, b sample) int { return cmp.Compare(a.ms, b.ms) })
		out[at].samples = slices.CompactFunc(both, func(a, b sample) bool { return a.ms == b.ms })
	}
	return out
}

// collected is the outcome of the steps of one bundle.
type collected struct {
	b        *bundle
	slots    [][]budget.SlotAt
	troubles map[int32]*trouble
}

// trouble counts what was wrong with the data of one account.
type trouble struct{ clamped, beyond, dropped, reborn, unpaired int }

func (c *collected) slot(a int32, at budget.Minute, s budget.Slot) {
	for len(c.slots) <= int(a) {
		c.slots = append(c.slots, nil)
	}
	c.slots[a] = append(c.slots[a], budget.SlotAt{At: at, Slot: s})
}

func (c *collected) trouble(a int32) *trouble {
	if c.troubles == nil {
		c.troubles = map[int32]*trouble{}
	}
	if c.troubles[a] == nil {
		c.troubles[a] = &trouble{}
	}
	return c.troubles[a]
}

func (c *collected) clamped(a int32) { c.trouble(a).clamped++ }
func (c *collected) beyond(a int32)  { c.trouble(a).beyond++ }
func (c *collected) dropped(a int32) { c.trouble(a).dropped++ }
func (c *collected) reborn(a int32)  { c.trouble(a).reborn++ }

func (t *trouble) texts() []string {
	var out []string
	if t.clamped > 0 {
		out = append(out, fmt.Sprintf("%d minutes had more bad or good events than events at all; they were cut off", t.clamped))
	}
	if t.beyond > 0 {
		out = append(out, fmt.Sprintf("%d times there were more events than a minute can hold, %s; nothing is known of those minutes (did a counter wrap round below zero?)", t.beyond, figures.Events(budget.MaxCount)))
	}
	if t.dropped > 0 {
		out = append(out, fmt.Sprintf("%d samples were negative or not finite and did not count", t.dropped))
	}
	if t.reborn > 0 {
		out = append(out, fmt.Sprintf("%d series went away and came back above their old value; they count as new, from zero (does the exporter let idle series expire?)", t.reborn))
	}
	if t.unpaired > 0 {
		out = append(out, fmt.Sprintf("%d minutes had events and no series of good ones, which were there before; whether they were good is not known (was the series renamed or dropped?)", t.unpaired))
	}
	return out
}

// into adds what was collected to the readings.
func (c *collected) into(out map[slo.ID]Reading) {
	for a, slots := range c.slots {
		if len(slots) == 0 {
			continue
		}
		slices.SortStableFunc(slots, func(a, b budget.SlotAt) int { return cmp.Compare(a.At, b.At) })
		out[c.b.reg.ids[a]] = Reading{Slots: slots}
	}
	for a, t := range c.troubles {
		c.note(out, c.b.reg.ids[a], t.texts()...)
	}
	for i, s := range c.b.specs {
		if c.b.reg.capped[i] {
			c.note(out, s.ID(), cappedText(s))
		}
		if n := c.b.reg.members[i]; n > maxSeries {
			c.note(out, s.ID(), fmt.Sprintf("the SLO follows %d series; above %d consider aggregating first", n, maxSeries))
		}
	}
}

func cappedText(s *slo.Spec) string {
	return fmt.Sprintf("more than %d combinations of %s; the rest is not followed", maxGroups, strings.Join(s.By, ", "))
}

// tellCapped says of SLOs that have reached the cap since the last time that they have.
func (b *Batch) tellCapped(of *bundle) {
	for i := range of.reg.capped {
		if !of.reg.told[i] {
			of.reg.told[i] = true
			b.Stats.Capped++
			b.Problems = append(b.Problems, string(of.specs[i].ID())+": "+cappedText(of.specs[i]))
		}
	}
}

func (c *collected) note(out map[slo.ID]Reading, id slo.ID, texts ...string) {
	if r := out[id]; len(texts) > 0 {
		r.Problems = append(r.Problems, texts...)
		slices.Sort(r.Problems)
		out[id] = r
	}
}
