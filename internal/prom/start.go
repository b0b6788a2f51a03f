package prom

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/slowburn-sre/slowburn/internal/counting"
)

// startMetric is when a process began, in seconds since 1970, as every client library shows it.
const startMetric = "process_start_time_seconds"

// retryStarts is after how long targets that do not show when their process began are asked for it
// again, ms.
const retryStarts = 60 * minuteMs

// count counts what was read. Where samples may hide that a process began anew, or show first values
// that only its start explains, the starts of those targets are asked for first, of the same time.
func (r *Reader) count(ctx context.Context, b *bundle, s *state, c *counting.Counter, runs []counting.Run, q counting.Question) *Error {
	var err *Error
	if q.Starts, err = r.starts(ctx, b, s, c.Unsure(runs), runs, q.Now); err != nil {
		return err
	}
	c.Take(runs, q)
	return nil
}

// starts asks when the processes of some targets began, at each scrape that the runs span. A server
// that shows it of none is not asked again for an hour. An answer that is too large or refused is
// as good as none.
func (r *Reader) starts(ctx context.Context, b *bundle, s *state, unsure []int32, runs []counting.Run, now int64) (counting.Starts, *Error) {
	lately := func(ms int64) bool { return ms > 0 && now >= ms && now-ms < retryStarts }
	if lately(s.startless) {
		return nil, nil
	}
	unsure = slices.DeleteFunc(unsure, func(t int32) bool { return !b.reg.met(t) || lately(b.reg.startless[t]) })
	if len(unsure) == 0 {
		return nil, nil
	}
	found := &startSink{b: b, starts: counting.Starts{}}
	from, to := span(runs)
	var names []string
	for _, t := range unsure {
		names = append(names, b.reg.instances[t])
	}
	slices.Sort(names)
	for part := range slices.Chunk(slices.Compact(names), maxAlternatives) {
		query := and(selectorText(startMetric, nil), named(part)) + "[" + milliseconds(to-from+1) + "]"
		a, err := r.client.query(ctx, query, time.UnixMilli(to), found)
		switch {
		case err != nil && (err.Kind == TooLarge || err.Kind == Refused):
			s.startless = now
			return nil, nil
		case err != nil:
			return nil, err
		case found.err != nil || a.resultType != "matrix":
			return nil, &Error{Kind: BadAnswer, Op: "query", URL: r.client.base.Redacted(), Hint: "a range selector must be answered with a matrix", Err: cmp.Or(found.err, errShape)}
		}
	}
	for _, list := range found.starts {
		slices.SortFunc(list, func(a, b counting.Sample) int { return cmp.Or(cmp.Compare(a.MS, b.MS), cmp.Compare(a.V, b.V)) })
	}
	s.started = s.started || len(found.starts) > 0
	if s.startless = 0; !s.started {
		s.startless = now
	}
	b.reg.noteStarts(unsure, found.starts, now)
	return found.starts, nil
}

// noteStarts notes which targets have shown no start.
func (r *registry) noteStarts(asked []int32, found counting.Starts, now int64) {
	if r.startless == nil {
		r.startless = map[int32]int64{}
	}
	for _, t := range asked {
		if len(found[t]) == 0 {
			r.startless[t] = now
		}
	}
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

// startSink collects starts by target.
type startSink struct {
	b      *bundle
	starts counting.Starts
	target int32
	err    error
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
	s.target = target
	return scraped && known
}

// sample implements sink.
func (s *startSink) sample(ms int64, v float64) {
	s.starts[s.target] = append(s.starts[s.target], counting.Sample{MS: ms, V: v})
}
