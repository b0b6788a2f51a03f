package prom

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/slowburn-sre/slowburn/internal/counting"
	"github.com/slowburn-sre/slowburn/internal/selectors"
)

// startMetric is when a process began, in seconds since 1970, as every client library shows it.
const startMetric = "process_start_time_seconds"

// retryStarts is after how long targets that do not show when their process began are asked for it
// again, ms.
const retryStarts = 60 * minuteMs

// beginnings is what is known of whether a server shows when processes and counters began.
type beginnings struct {
	shown bool  // some of a bundle was shown
	none  int64 // when none was, ms; not kept
}

// began is when processes, by target, and counters, by series, began.
type began struct{ starts, created counting.Starts }

// count counts what was read. Where samples may hide that a process began anew, or show first
// values that only a start explains, the starts of those targets are asked for first, of the same
// time.
func (f *follower) count(ctx context.Context, b *bundle, s *state, c *counting.Counter, runs []counting.Run, q counting.Question) *Error {
	found, err := f.began(ctx, b, &s.beginnings, c.Unsure(runs), runs, q.Now)
	if err != nil {
		return err
	}
	q.Starts, q.Created = found.starts, found.created
	c.Take(runs, q)
	return nil
}

// began asks when the processes of some targets began, and their counters, at each scrape that the
// runs span. A server that shows it of none is not asked again for an hour. An answer that is too
// large or refused is as good as none.
func (f *follower) began(ctx context.Context, b *bundle, known *beginnings, unsure []int32, runs []counting.Run, now int64) (began, *Error) {
	lately := func(ms int64) bool { return ms > 0 && now >= ms && now-ms < retryStarts }
	if lately(known.none) {
		return began{}, nil
	}
	unsure = slices.DeleteFunc(unsure, func(t int32) bool { return !b.reg.met(t) || lately(b.reg.startless[t]) })
	if len(unsure) == 0 {
		return began{}, nil
	}
	found := &startSink{b: b, counters: b.countersOf(unsure, runs), told: map[int32]bool{}, began: began{counting.Starts{}, counting.Starts{}}}
	from, to := span(runs)
	var instances []string
	for _, t := range unsure {
		instances = append(instances, b.reg.instances[t])
	}
	slices.Sort(instances)
	metrics := selectors.Any(nameLabel, append(b.createdMetrics(), startMetric)...)
	for part := range slices.Chunk(slices.Compact(instances), maxAlternatives) {
		query := selectors.Write("", metrics, selectors.Any("instance", part...)) + "[" + milliseconds(to-from+1) + "]"
		a, err := f.client.query(ctx, query, time.UnixMilli(to), found)
		switch {
		case err != nil && (err.Kind == TooLarge || err.Kind == Refused):
			known.none = now
			return began{}, nil
		case err != nil:
			return began{}, err
		case found.err != nil || a.resultType != "matrix":
			return began{}, &Error{Kind: BadAnswer, Op: "query", URL: f.client.base.Redacted(), Hint: "a range selector must be answered with a matrix", Err: cmp.Or(found.err, errShape)}
		}
	}
	for _, lists := range []counting.Starts{found.starts, found.created} {
		for _, list := range lists {
			slices.SortFunc(list, func(a, b counting.Sample) int { return cmp.Or(cmp.Compare(a.MS, b.MS), cmp.Compare(a.V, b.V)) })
		}
	}
	known.shown = known.shown || len(found.told) > 0
	if known.none = 0; !known.shown {
		known.none = now
	}
	b.reg.noteStarts(unsure, found.told, now)
	return found.began, nil
}

// noteStarts notes which targets have shown no start.
func (r *registry) noteStarts(asked []int32, told map[int32]bool, now int64) {
	if r.startless == nil {
		r.startless = map[int32]int64{}
	}
	for _, t := range asked {
		if !told[t] {
			r.startless[t] = now
		}
	}
}

// createdMetrics returns the metrics that tell when the bundle's counters were created.
func (b *bundle) createdMetrics() []string {
	var names []string
	for _, name := range metricNames(b.terms) {
		if created, ok := createdMetric(name); ok {
			names = append(names, created)
		}
	}
	return slices.Compact(names)
}

// createdMetric names the metric that tells when a counter was created, as OpenMetrics has it: one
// series for all that a histogram counts.
func createdMetric(name string) (string, bool) {
	for _, suffix := range []string{"_total", "_bucket", "_count"} {
		if family, ok := strings.CutSuffix(name, suffix); ok {
			return family + "_created", true
		}
	}
	return "", false
}

// countersOf finds the counters of targets that were read by the series that tells when they were
// created.
func (b *bundle) countersOf(targets []int32, runs []counting.Run) map[uint64][]int32 {
	counters := map[uint64][]int32{}
	for _, r := range runs {
		if r.Series < 0 || !slices.Contains(targets, b.reg.Series[r.Series].Target) {
			continue
		}
		ls := slices.DeleteFunc(slices.Clone(b.reg.labelsOf(r.Series)), func(l label) bool { return l.name == model.BucketLabel })
		for i, l := range ls {
			if created, ok := createdMetric(l.value); ok && l.name == nameLabel {
				ls[i].value = created
				counters[hashLabels(ls)] = append(counters[hashLabels(ls)], r.Series)
			}
		}
	}
	return counters
}

// span returns the times of the first and the last sample of runs.
func span(runs []counting.Run) (from, to int64) {
	for _, r := range runs {
		for _, s := range r.Samples {
			if from == 0 || s.MS < from {
				from = s.MS
			}
			to = max(to, s.MS)
		}
	}
	return from, to
}

// startSink collects starts.
type startSink struct {
	began
	b        *bundle
	counters map[uint64][]int32 // by the series that tells when they were created
	told     map[int32]bool     // targets that show anything

	target  int32   // of the series that is being read; -1 if it tells of counters
	current []int32 // the counters that it tells of
	err     error
}

// series implements sink.
func (s *startSink) series(metric []byte) bool {
	ls, err := parseLabels(string(metric))
	if err != nil {
		s.err = cmp.Or(s.err, err)
		return false
	}
	hash, scraped := targetHash(ls)
	target, known := s.b.reg.targets[hash]
	if !scraped || !known {
		return false
	}
	s.target, s.current = target, nil
	if valueOf(ls, nameLabel) != startMetric {
		s.target, s.current = -1, s.counters[hashLabels(ls)]
		if len(s.current) == 0 {
			return false
		}
	}
	s.told[target] = true
	return true
}

// sample implements sink.
func (s *startSink) sample(ms int64, v float64) {
	x := counting.Sample{MS: ms, V: v}
	if s.target >= 0 {
		s.starts[s.target] = append(s.starts[s.target], x)
	}
	for _, i := range s.current {
		s.created[i] = append(s.created[i], x)
	}
}
