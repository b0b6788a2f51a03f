package prom

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/slowburn-sre/slowburn/internal/counting"
	"github.com/slowburn-sre/slowburn/internal/selectors"
)

// began asks when the processes began, and the counters, of an hour that was read raw and that ends
// at a time, where live reading would; not if nobody has shown it in all of the piece.
func (c *coarse) began(ctx context.Context, raw map[int32][]counting.Run, end int64) (began, *Error) {
	if c.silent {
		return began{}, nil
	}
	var runs []counting.Run
	for _, target := range slices.Sorted(maps.Keys(raw)) {
		runs = append(runs, raw[target]...)
	}
	return c.f.began(ctx, c.b, &c.beginnings, c.hours.Unsure(runs), runs, end)
}

// startsOf asks for the newest start of the processes of some instances in each hour of a table or,
// where they show none, for when the oldest of their counters was created that is there at its end.
// It reports whether none of them shows either.
func (c *coarse) startsOf(ctx context.Context, instances []string, t *counting.Table) (silent bool, _ *Error) {
	silent = len(instances) > 0
	for part := range slices.Chunk(instances, maxAlternatives) {
		targets := selectors.Any("instance", part...)
		queries := []string{"max by (job, instance) (max_over_time(" + selectors.Write(startMetric, targets) + "[1h]))"}
		if created := c.b.createdMetrics(); len(created) > 0 {
			counters := selectors.Write("", selectors.Any(nameLabel, created...), targets)
			queries = append(queries, fmt.Sprintf("min by (job, instance) (last_over_time(%s[%ds]))", counters, t.Reach/secondMs))
		}
		for _, query := range queries {
			sink := &hourSink{b: c.b, t: t, found: map[counting.TargetHour]int64{}}
			_, err := c.f.client.queryRange(ctx, query, time.UnixMilli(t.StartOf(2)), time.UnixMilli(t.StartOf(t.End)), time.Hour, sink)
			if err != nil && err.Kind != TooLarge && err.Kind != Refused {
				return false, err
			}
			silent = silent && err == nil && len(sink.found) == 0
			if err != nil {
				continue
			}
			for th, at := range sink.found {
				t.Starts[th] = cmp.Or(t.Starts[th], at)
			}
		}
	}
	return silent, nil
}

// hourSink collects starts by target and hour.
type hourSink struct {
	b      *bundle
	t      *counting.Table
	found  map[counting.TargetHour]int64
	target int32
}

// series implements sink.
func (h *hourSink) series(metric []byte) bool {
	ls, err := parseLabels(string(metric))
	if err != nil {
		return false
	}
	hash, scraped := targetHash(ls)
	target, known := h.b.reg.targets[hash]
	h.target = target
	return scraped && known
}

// sample implements sink. Its time is the end of an hour.
func (h *hourSink) sample(ms int64, v float64) {
	if v > 0 && v < math.MaxInt32*100 {
		h.found[counting.TargetHour{Target: h.target, Col: h.t.EndingAt(ms)}] = int64(v * 1000)
	}
}
