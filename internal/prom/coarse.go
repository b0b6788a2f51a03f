package prom

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/counting"
	"github.com/slowburn-sre/slowburn/internal/selectors"
	"github.com/slowburn-sre/slowburn/slo"
)

// This file asks for history by the hour; hours.go counts it. A piece of some days costs a range
// query of the values at the hours' ends, one of resets, which Prometheus answers from every sample
// once, and small raw queries for the hours of targets in which something happened. What cannot be
// had like that is an estimate, and marked as one.

const (
	coarsePiece = 5 * 24 // hours that are asked for at once
	coarseLead  = 6      // hours before them, for positions
	resetHours  = 12     // hours of which resets are asked for at once
	// pointsPerQuery bounds an answer of last values to about two thirds of the default cap in
	// bytes.
	pointsPerQuery = 600_000
	// resetReach is how far resets are looked for behind an hour's edge, at least.
	resetReach = 5 * time.Minute
)

// eachMetric returns a selector for each of the bundle's metrics, for functions that drop their
// names.
func (b *bundle) eachMetric() []string {
	names := metricNames(b.terms)
	if len(names) == 1 {
		return []string{b.selector}
	}
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = selectors.And(b.selector, selectors.Equal(nameLabel, name))
	}
	return out
}

// rawSpecs returns the SLOs of the bundle with their terms.
func (b *bundle) rawSpecs() []rawSpec {
	specs := make([]rawSpec, len(b.specs))
	for i, s := range b.specs {
		specs[i].spec = s
	}
	for _, t := range b.terms {
		specs[t.spec].terms = append(specs[t.spec].terms, t)
	}
	return specs
}

// narrow returns a selector for the SLOs of some targets only: a server that is asked for a few of
// many need not look for all of them.
func (c *coarse) narrow(targets map[int32]bool) string {
	wanted, met := map[int32]bool{}, map[int32]bool{}
	for _, s := range c.b.reg.Series {
		if targets[s.Target] {
			met[s.Target] = true
			for _, r := range s.Routes {
				wanted[c.b.reg.Accounts[r.Account].Promise] = true
			}
		}
	}
	if len(met) < len(targets) || len(wanted) > len(c.b.specs)/2 {
		return c.b.selector
	}
	var specs []rawSpec
	for i, s := range c.b.rawSpecs() {
		if wanted[int32(i)] {
			specs = append(specs, s)
		}
	}
	return merge(specs)
}

// halves returns two bundles, each with one half of the SLOs.
func (b *bundle) halves() []*bundle {
	specs := b.rawSpecs()
	n := len(specs) / 2
	return []*bundle{newBundle(b.key+"/0", specs[:n]), newBundle(b.key+"/1", specs[n:])}
}

// coarse reads hours of one bundle.
type coarse struct {
	f     *follower
	b     *bundle
	hours *counting.Hours
	pace  map[string]int64
	out   map[int32][]budget.HourAt

	beginnings beginnings
	silent     bool // no target of the piece shows when it began

	single bool    // less than an hour cannot be asked for
	shards []shard // what it is asked for in; none is the whole
}

// ask asks for something of the whole bundle. Where that is too large for an answer, and one SLO
// and one hour are all that it holds, it asks in parts, by the values of a label, and for a part
// that fails anew.
func (c *coarse) ask(ctx context.Context, from, to time.Time, f func(selector string) *Error) *Error {
	divided := false
	for i := 0; ; {
		selector := c.b.selector
		if len(c.shards) > 0 {
			selector = c.shards[i].of(selector)
		}
		err := f(selector)
		switch {
		case err == nil:
			if i++; i >= len(c.shards) {
				return nil
			}
			continue
		case err.Kind != TooLarge || !c.single || len(c.b.specs) > 1:
			return err
		case len(c.shards) > 0:
			if halves, ok := c.shards[i].halves(); ok {
				c.shards = slices.Replace(c.shards, i, i+1, halves...)
				continue
			}
			if divided {
				return err
			}
		}
		var failed *Error // there are more values of the label now, or it was not divided yet
		if c.shards, failed = c.f.divide(ctx, c.b, from, to); failed != nil || len(c.shards) == 0 {
			return cmp.Or(failed, err)
		}
		i, divided = 0, true
	}
}

// readHours reads the hours of [from, to) of a bundle of counters.
func (f *follower) readHours(ctx context.Context, b *bundle, from, to, known budget.Minute) (past, *Error) {
	c := &coarse{f: f, b: b, hours: counting.NewHours(&b.reg.Index, len(b.specs)), pace: map[string]int64{}, out: map[int32][]budget.HourAt{}}
	size, err := c.probe(ctx, from, to)
	if err != nil {
		return past{}, err
	}
	lead := budget.Minute(coarseLead)
	for at := from; at < to; {
		end := min(at+size*60, to)
		c.single = size <= 1
		err := c.piece(ctx, at, end, min(lead, max(size, 1)), end+60 <= known)
		if err != nil && (err.Kind == TooLarge || err.Kind == Timeout) && size > 1 {
			size = min(size, (end-at)/60) / 2
			continue
		}
		if err != nil {
			return past{}, err
		}
		at, lead = end, 1
	}
	found := map[slo.ID][]budget.HourAt{}
	for a, hours := range c.out {
		slices.SortFunc(hours, func(a, b budget.HourAt) int { return cmp.Compare(a.Hour, b.Hour) })
		found[b.reg.ids[a]] = hours
	}
	return past{hours: found, faults: b.faults(c.hours.Troubles())}, nil
}

// probe learns how often each job is scraped, and returns how many hours of the bundle an answer
// may hold.
func (c *coarse) probe(ctx context.Context, from, to budget.Minute) (budget.Minute, *Error) {
	selector := c.b.eachMetric()[0]
	for _, at := range []budget.Minute{to, (from + to) / 2, from + 120} {
		sink := &jobSink{}
		for _, query := range []string{
			"quantile by (job) (0.5, max by (job, instance) (count_over_time(" + selector + "[2h])))",
			"count by (job) (last_over_time(" + selector + "[1h]))",
		} {
			sink.values = append(sink.values, map[string]float64{})
			if _, err := c.f.client.query(ctx, query, at.Time(), sink); err != nil {
				return 0, err
			}
		}
		series := 0.0
		for job, n := range sink.values[0] {
			if n > 0 {
				c.pace[job] = int64(2 * 60 * minuteMs / n)
			}
			series += sink.values[1][job]
		}
		if series > 0 {
			return budget.Minute(min(max(pointsPerQuery/(series*float64(len(metricNames(c.b.terms)))), 1), coarsePiece)), nil
		}
	}
	return coarsePiece, nil
}

// jobSink collects a value for each job.
type jobSink struct {
	values []map[string]float64
	job    string
}

// series implements sink.
func (j *jobSink) series(metric []byte) bool {
	j.job = ""
	return eachLabel(metric, func(n, v string) {
		if n == "job" {
			j.job = v
		}
	}) == nil
}

// sample implements sink.
func (j *jobSink) sample(_ int64, v float64) { j.values[len(j.values)-1][j.job] = v }

// piece reads and counts the hours of [from, to), after some that only give positions.
func (c *coarse) piece(ctx context.Context, from, to, lead budget.Minute, ahead bool) *Error {
	t := &counting.Table{First: from.Hour() - int64(lead), From: int(lead), Ahead: ahead, Resets: map[counting.TargetHour]bool{}, Starts: map[counting.TargetHour]int64{}, Reach: c.reach().Milliseconds()}
	t.End = t.From + int((to-from)/60)
	last := to
	if ahead {
		last += 60
	}
	sink := &lastSink{c: c, t: t, byNumber: map[int32]*counting.Row{}, ends: map[counting.TargetHour]int{}}
	start := (from - lead*60 + 60).Time()
	err := c.ask(ctx, to.Time().Add(-time.Hour), to.Time(), func(selector string) *Error {
		if reach := c.reach(); reach > resetReach { // a server looks back for less
			selector = "last_over_time(" + selector + "[" + milliseconds(reach.Milliseconds()) + "])"
		}
		some := *sink
		some.ends = map[counting.TargetHour]int{} // of an answer that breaks off, nothing is counted
		_, err := c.f.client.queryRange(ctx, selector, start, last.Time(), time.Hour, &some)
		switch {
		case err != nil:
			return err
		case some.err != nil:
			return &Error{Kind: BadAnswer, Op: "query_range", URL: c.f.client.base.Redacted(), Err: some.err}
		}
		for th, n := range some.ends {
			sink.ends[th] += n
		}
		return nil
	})
	if err != nil {
		return err
	}
	resets := &resetSink{c: c, t: t, shown: map[counting.TargetHour]int{}}
	doubted := map[string]bool{}
	for at := 1; at < t.End; at += resetHours {
		if err := c.resets(ctx, sink, resets, doubted, at, min(at+resetHours, t.End)); err != nil {
			return err
		}
	}
	if c.silent, err = c.startsOf(ctx, slices.Sorted(maps.Keys(doubted)), t); err != nil {
		return err
	}
	raw := map[int]map[int32][]counting.Run{}
	if err := c.complete(ctx, sink, resets.shown, raw); err != nil {
		return err
	}
	c.hours.Begin(t)
	for col := 1; col < t.End; col++ {
		if err := c.raw(ctx, t, col, c.hours.Irregular(col), raw); err != nil {
			return err
		}
		found, err := c.began(ctx, raw[col], t.StartOf(col+1))
		if err != nil {
			return err
		}
		c.hours.Count(col, raw[col], found.starts, found.created)
		delete(raw, col)
	}
	for a, hours := range c.hours.Sums() {
		c.out[a] = append(c.out[a], hours...)
	}
	return nil
}

// resets asks in which of the hours [from, to) counters fell, and how many series were there, of
// the targets of which the last values do not tell it. Their instances it adds to those doubted.
func (c *coarse) resets(ctx context.Context, ends *lastSink, found *resetSink, doubted map[string]bool, from, to int) *Error {
	t := ends.t
	doubtful := t.MayHide(&c.b.reg.Index, from, to)
	listed := &lister{b: c.b}
	since, until := time.UnixMilli(t.StartOf(from)), time.UnixMilli(t.StartOf(to))
	err := c.ask(ctx, since, until, func(selector string) *Error {
		return c.f.client.series(ctx, selector, since, until, listed)
	})
	if err != nil || listed.err != nil {
		return cmp.Or(err, &Error{Kind: BadAnswer, Op: "series", URL: c.f.client.base.Redacted(), Err: listed.err})
	}
	for series := range listed.found {
		if row := ends.byNumber[series]; row == nil || slices.ContainsFunc(row.Last[from:to], math.IsNaN) {
			doubtful[c.b.reg.Series[series].Target] = true
		}
	}
	instances := map[string]bool{}
	for target := range doubtful {
		instances[c.b.reg.instances[target]] = true
	}
	maps.Copy(doubted, instances)
	for part := range slices.Chunk(slices.Sorted(maps.Keys(instances)), maxAlternatives) {
		for _, selector := range c.b.eachMetric() {
			if err := c.resetsOf(ctx, selector, part, found, from, to); err != nil {
				return err
			}
		}
	}
	return nil
}

// resetsOf asks for the resets of some instances in the hours [from, to), in parts if they are too
// many for an answer.
func (c *coarse) resetsOf(ctx context.Context, selector string, instances []string, found *resetSink, from, to int) *Error {
	t, some := found.t, *found
	some.shown = map[counting.TargetHour]int{} // of an answer that breaks off, nothing is counted
	q := fmt.Sprintf("sum by (job, instance) (resets(%s[%ds]) + %g)", selectors.And(selector, selectors.Any("instance", instances...)), int((time.Hour+c.reach())/time.Second), aSeries)
	_, err := c.f.client.queryRange(ctx, q, time.UnixMilli(t.StartOf(from+1)), time.UnixMilli(t.StartOf(to)), time.Hour, &some)
	switch n := len(instances); {
	case err == nil:
		for th, n := range some.shown {
			found.shown[th] += n
		}
		return nil
	case err.Kind != TooLarge || n == 1:
		return err
	default:
		if err := c.resetsOf(ctx, selector, instances[:n/2], found, from, to); err != nil {
			return err
		}
		return c.resetsOf(ctx, selector, instances[n/2:], found, from, to)
	}
}

// reach returns how far behind an hour's edge a reset is looked for, and the last value of an hour
// before its end: two scrapes, and an hour at most.
func (c *coarse) reach() time.Duration {
	reach := resetReach
	for _, ms := range c.pace {
		reach = max(reach, time.Duration(ms)*time.Millisecond*5/2)
	}
	return min(reach, time.Hour-time.Millisecond)
}

// complete reads the hours of targets raw in which some series have samples, but no value at the
// end: they ended, or were missing just then. After it the table has the last value of each hour.
func (c *coarse) complete(ctx context.Context, ends *lastSink, shown map[counting.TargetHour]int, raw map[int]map[int32][]counting.Run) *Error {
	missing := map[int]map[int32]bool{}
	for th, n := range shown {
		if n > ends.ends[th] && th.Col > 0 && th.Col < ends.t.End {
			if missing[th.Col] == nil {
				missing[th.Col] = map[int32]bool{}
			}
			missing[th.Col][th.Target] = true
		}
	}
	for _, col := range slices.Sorted(maps.Keys(missing)) {
		if err := c.raw(ctx, ends.t, col, missing[col], raw); err != nil {
			return err
		}
		for _, runs := range raw[col] {
			for _, r := range runs {
				for _, x := range r.Samples {
					if x.MS <= ends.t.StartOf(col) || math.IsNaN(x.V) {
						continue
					}
					row := ends.of(r.Series)
					if math.IsNaN(row.Last[col]) {
						row.Gone[col] = true
					}
					row.Last[col] = x.V
				}
			}
		}
	}
	return nil
}

// lastSink collects the last values of the hours.
type lastSink struct {
	c        *coarse
	t        *counting.Table
	byNumber map[int32]*counting.Row
	ends     map[counting.TargetHour]int // how many series of a target have a value in an hour
	target   int32
	current  *counting.Row // nil if it leads nowhere
	err      error
}

var errNameless = errors.New("the server drops the names of metrics")

// series implements sink.
func (l *lastSink) series(metric []byte) bool {
	if !bytes.Contains(metric, []byte(`"`+nameLabel+`"`)) {
		l.err = errNameless
		return false
	}
	n, err := l.c.b.series(metric)
	if err != nil {
		l.err = err
		return false
	}
	if l.current = nil; n >= 0 {
		l.current = l.of(n)
		l.target = l.c.b.reg.Series[n].Target
		return true
	}
	ls, err := parseLabels(string(metric))
	l.target = l.c.target(ls)
	return err == nil
}

// of returns the row of a series, which it adds to the table if it is new.
func (l *lastSink) of(series int32) *counting.Row {
	if row := l.byNumber[series]; row != nil {
		return row
	}
	row := &counting.Row{Series: series, Interval: cmp.Or(l.c.pace[valueOf(l.c.b.reg.labelsOf(series), "job")], minuteMs), Gone: map[int]bool{}}
	row.Last = slices.Repeat([]float64{math.NaN()}, l.t.End+1)
	l.byNumber[series] = row
	l.t.Rows = append(l.t.Rows, row)
	return row
}

// target numbers a target.
func (c *coarse) target(ls []label) int32 {
	hash, _ := targetHash(ls)
	i := number(c.b.reg.targets, &c.b.reg.targetHash, hash)
	c.b.reg.instances[i] = valueOf(ls, "instance")
	return i
}

// sample implements sink. Its time is the end of an hour.
func (l *lastSink) sample(ms int64, v float64) {
	col := l.t.EndingAt(ms)
	l.ends[counting.TargetHour{Target: l.target, Col: col}]++
	if l.current != nil && col >= 0 && col < len(l.current.Last) && v >= 0 && !math.IsInf(v, 0) {
		if last := &l.current.Last[col]; math.IsNaN(*last) || v > *last { // a label that is written anew has two ends in one hour
			*last = v
		}
	}
}

// aSeries is what a series adds to the resets of its target, so that one query tells both.
const aSeries = 1e-6

// resetSink notes in which hours a counter of a target has fallen, and how many series it had.
type resetSink struct {
	c      *coarse
	t      *counting.Table
	shown  map[counting.TargetHour]int
	target int32
}

// series implements sink.
func (r *resetSink) series(metric []byte) bool {
	ls, err := parseLabels(string(metric))
	if err != nil {
		return false
	}
	r.target = r.c.target(ls)
	return true
}

// sample implements sink. Its time is the end of an hour.
func (r *resetSink) sample(ms int64, v float64) {
	th := counting.TargetHour{Target: r.target, Col: r.t.EndingAt(ms)}
	resets := math.Floor(v)
	r.shown[th] += int(math.Round((v - resets) / aSeries))
	if resets > 0 {
		r.t.Resets[th] = true
	}
}

// raw reads an hour of the targets that are wanted and were not read yet.
func (c *coarse) raw(ctx context.Context, t *counting.Table, col int, want map[int32]bool, got map[int]map[int32][]counting.Run) *Error {
	if got[col] == nil {
		got[col] = map[int32][]counting.Run{}
	}
	named := map[string]bool{}
	for target := range want {
		if _, there := got[col][target]; there {
			delete(want, target)
			continue
		}
		got[col][target] = nil
		named[c.b.reg.instances[target]] = true
	}
	if len(named) == 0 {
		return nil
	}
	selector := c.narrow(want)
	for part := range slices.Chunk(slices.Sorted(maps.Keys(named)), maxAlternatives) {
		runs, err := c.rawRuns(ctx, selector, part, t.StartOf(col), t.StartOf(col+1))
		if err != nil {
			return err
		}
		for _, r := range runs {
			if target := c.b.reg.Series[r.Series].Target; want[target] {
				got[col][target] = append(got[col][target], r)
			}
		}
	}
	return nil
}

// rawRuns reads the samples of some instances in (from, to], in parts if they are too many for an
// answer.
func (c *coarse) rawRuns(ctx context.Context, selector string, instances []string, from, to int64) ([]counting.Run, *Error) {
	runs, err := c.f.raw(ctx, c.b, selectors.And(selector, selectors.Any("instance", instances...)), from, to)
	switch {
	case err == nil:
		return runs, nil
	case err.Kind != TooLarge:
		return nil, err
	case len(instances) == 1 && to-from <= minuteMs:
		if len(c.b.specs) > 1 {
			return nil, err
		}
		runs = nil
		c.single = true
		err = c.ask(ctx, time.UnixMilli(from), time.UnixMilli(to), func(selector string) *Error {
			some, err := c.f.raw(ctx, c.b, selectors.And(selector, selectors.Any("instance", instances...)), from, to)
			runs = append(runs, some...)
			return err
		})
		return runs, err
	}
	first, second := instances, instances
	middle := to
	if n := len(instances); n > 1 {
		first, second = instances[:n/2], instances[n/2:]
	} else {
		middle = from + (to-from)/2
	}
	one, err := c.rawRuns(ctx, selector, first, from, middle)
	if err != nil {
		return nil, err
	}
	if middle == to {
		middle = from
	}
	two, err := c.rawRuns(ctx, selector, second, middle, to)
	return append(one, two...), err
}

// estimateHours takes the hours of [from, to) from Prometheus' own increase. They are marked.
func (f *follower) estimateHours(ctx context.Context, b *bundle, from, to budget.Minute) (map[slo.ID][]budget.HourAt, *Error) {
	out := map[slo.ID][]budget.HourAt{}
	for i, s := range b.specs {
		sink := &exprSink{spec: s, found: map[slo.ID]*evaluated{}}
		for _, t := range b.terms {
			if t.spec != i {
				continue
			}
			sink.formula = formula{role: t.role, scale: 1}
			q := fmt.Sprintf("sum%s(increase(%s[1h]))", byClause(s.By), selectors.Metric(t.metric, t.matchers...))
			if _, err := f.client.queryRange(ctx, q, (from + 60).Time(), to.Time(), time.Hour, sink); err != nil {
				return nil, err
			}
		}
		for id, ev := range sink.found {
			for at, m := range ev.values {
				if !m.hasTotal {
					continue
				}
				bad, total, v := m.Events(countsGood(s))
				sum := budget.Sum{Bad: bad, Total: total, Known: 60, BadSlots: int(min(60, (bad+budget.Unit-1)/budget.Unit)), Estimated: 60}
				if v == counting.TooMany {
					sum = budget.Sum{Unknown: 60}
				}
				out[id] = append(out[id], budget.HourAt{Hour: at.Hour(), Sum: sum})
			}
			slices.SortFunc(out[id], func(a, b budget.HourAt) int { return cmp.Compare(a.Hour, b.Hour) })
		}
	}
	return out, nil
}
