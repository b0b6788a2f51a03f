package prom

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/common/model"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/selectors"
	"github.com/slowburn-sre/slowburn/slo"
)

// bound is what is known about the histogram of a latency SLO.
type bound struct {
	les     []string // how the bound of the bucket at the SLO's limit is written now; see [spellings]
	native  bool     // a native histogram, evaluated by Prometheus
	limit   string   // for which limit and selector this was found
	checked budget.Minute
}

// classic reports whether the histogram has a bucket at the limit.
func (b bound) classic() bool { return len(b.les) > 0 }

// recheck is after how many minutes the bounds are looked up again: a program may get others.
const recheck = 60

// retryBounds is after how many minutes a histogram that was not found is looked for again.
const retryBounds = 1

func boundKey(s *slo.Spec) string {
	return s.SLI.Histogram.Text + " " + strconv.FormatFloat(s.SLI.Below, 'g', -1, 64)
}

// lookUpBounds finds the buckets of latency SLOs where they are not known, and reports whether any
// changed.
func (r *Reader) lookUpBounds(ctx context.Context, specs []*slo.Spec, to budget.Minute, out *Batch) (changed bool) {
	var due []*slo.Spec
	for _, s := range specs {
		if !s.SLI.Histogram.Bare() {
			continue
		}
		if b, ok := r.bounds[s.ID()]; !ok || b.limit != boundKey(s) || to-b.checked >= b.wait(s.ID()) || r.gone[s.ID()] {
			due = append(due, s)
		}
	}
	if len(due) == 0 {
		return false
	}
	var mu sync.Mutex
	r.each(len(due), func(i int) {
		s := due[i]
		look := r.client.lookUpBound
		if r.gone[s.ID()] {
			look = r.lookUpNow
		}
		b, err := look(ctx, s, to-60, to)
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			if err.Kind == Unusable || r.bounds[s.ID()].limit != boundKey(s) {
				out.Failures = append(out.Failures, Failure{Bundle: s.SLI.Histogram.Text, SLOs: []slo.ID{s.ID()}, Err: err})
			}
			return
		}
		old := r.bounds[s.ID()]
		if !b.classic() && !b.native && old.limit == b.limit {
			b.les, b.native = old.les, old.native // out of sight for a while is no reason to forget
		}
		changed = changed || old.classic() != b.classic() || old.native != b.native || old.limit != b.limit
		r.bounds[s.ID()] = b
	})
	if mark := r.saveBounds(); !bytes.Equal(mark, r.marks[boundsMark]) {
		out.Marks[boundsMark] = mark
	}
	return changed
}

// wait spreads the checks of many SLOs over the hour.
func (b bound) wait(id slo.ID) budget.Minute {
	if !b.classic() && !b.native {
		return retryBounds
	}
	return recheck + budget.Minute(hashString(string(id))%recheck)
}

// lookUpBound asks which buckets the histogram had in [from, to].
func (c *Client) lookUpBound(ctx context.Context, s *slo.Spec, from, to budget.Minute) (bound, *Error) {
	h := s.SLI.Histogram
	b := bound{limit: boundKey(s), checked: to}
	texts, err := c.labelValues(ctx, model.BucketLabel, bucketsOf(s), from.Time(), to.End())
	if err != nil {
		return b, err
	}
	if err := b.choose(s, texts); err != nil || b.classic() {
		return b, err
	}
	b.native, err = c.hasData(ctx, selectors.Metric(h.Metric, h.Matchers...), to)
	return b, err
}

// lookUpNow asks which buckets a histogram has now whose bucket at the limit may just have gone.
// The values of labels tell of those that ended hours ago, too.
func (r *Reader) lookUpNow(ctx context.Context, s *slo.Spec, _, to budget.Minute) (bound, *Error) {
	b := r.bounds[s.ID()] // what was found stays: it may come back
	les := &boundSink{}
	if _, err := r.client.query(ctx, "count by (le) ("+bucketsOf(s)+")", to.End(), les); err != nil {
		return b, err
	}
	now := bound{}
	return b, now.choose(s, les.texts)
}

// boundSink collects the bounds of buckets.
type boundSink struct{ texts []string }

// series implements sink.
func (l *boundSink) series(metric []byte) bool {
	_ = eachLabel(metric, func(_, v string) { l.texts = append(l.texts, v) })
	return false
}

// sample implements sink.
func (l *boundSink) sample(int64, float64) {}

// bucketsOf returns a selector of the buckets of the SLO's histogram.
func bucketsOf(s *slo.Spec) string {
	return selectors.Metric(s.SLI.Histogram.Metric+"_bucket", s.SLI.Histogram.Matchers...)
}

// choose takes those of the bounds that are the limit. It fails if there are bounds, and none is.
func (b *bound) choose(s *slo.Spec, texts []string) *Error {
	lower, upper := math.Inf(-1), math.Inf(1)
	for _, text := range texts {
		le, err := strconv.ParseFloat(text, 64)
		switch {
		case err != nil:
		case sameBound(le, s.SLI.Below):
			b.les = append(b.les, text)
		case le < s.SLI.Below:
			lower = max(lower, le)
		default:
			upper = min(upper, le)
		}
	}
	slices.Sort(b.les)
	if len(texts) > 0 && !b.classic() {
		return noBucket(s, lower, upper)
	}
	return nil
}

func noBucket(s *slo.Spec, lower, upper float64) *Error {
	var near []string
	for _, v := range []float64{lower, upper} {
		if !math.IsInf(v, 0) {
			near = append(near, strconv.FormatFloat(v, 'g', -1, 64))
		}
	}
	return &Error{
		Kind: Unusable, Op: "label values",
		Hint: "use one of the bounds near it: " + strings.Join(near, ", "),
		Err:  fmt.Errorf("%s has no bucket at %s (le %v)", bucketsOf(s), cmp.Or(s.SLI.LimitText, "the limit"), s.SLI.Below),
	}
}

// saveBounds encodes the bounds as a mark.
func (r *Reader) saveBounds() []byte {
	e := &encoder{}
	e.uint(uint64(len(r.bounds)))
	for _, id := range slices.Sorted(maps.Keys(r.bounds)) {
		b := r.bounds[id]
		e.string(string(id))
		e.string(b.limit)
		e.int(int64(b.checked))
		e.bool(b.native)
		e.uint(uint64(len(b.les)))
		for _, le := range b.les {
			e.string(le)
		}
	}
	return e.seal(markVersion)
}

func (r *Reader) loadBounds(mark []byte) error {
	d, err := open(mark)
	if err != nil {
		return err
	}
	found := map[slo.ID]bound{}
	for range d.count() {
		id := slo.ID(d.string())
		b := bound{limit: d.string(), checked: budget.Minute(d.int()), native: d.bool()}
		for range d.count() {
			b.les = append(b.les, d.string())
		}
		found[id] = b
	}
	if d.err == nil {
		r.bounds = found
	}
	return d.err
}

// labelValues lists the values of a label among the series that a selector matches.
func (c *Client) labelValues(ctx context.Context, name, selector string, from, to time.Time) ([]string, *Error) {
	var a answer
	err := c.call(ctx, http.MethodGet, "/api/v1/label/"+url.PathEscape(name)+"/values",
		url.Values{"match[]": {selector}, "start": {unix(from)}, "end": {unix(to)}},
		func(body io.Reader) error {
			if err := decode(body, nil, &a); err != nil {
				return err
			}
			return a.problem()
		})
	return a.list, err
}

// Histogram says how a latency SLO can be computed from what the server has: from the counters of a
// classic histogram with a bucket at its limit, which are selectors, or from a native one, if both
// are "". Its error is of the kind Unusable if it cannot; it says which bounds are near, or wraps
// [ErrNoHistogram].
func (c *Client) Histogram(ctx context.Context, s *slo.Spec, at time.Time) (total, good string, err *Error) {
	b, err := c.lookUpBound(ctx, s, budget.MinuteOf(at)-60, budget.MinuteOf(at))
	h := s.SLI.Histogram
	switch {
	case err != nil || b.native:
		return "", "", err
	case !b.classic():
		return "", "", &Error{Kind: Unusable, Op: "label values", Err: fmt.Errorf("%w %s", ErrNoHistogram, h.Text)}
	}
	ms := selectors.Of(h.Matchers...)
	bound := selectors.Of(atBound(model.BucketLabel, s.SLI.Below))[0]
	return selectors.Write(h.Metric+"_count", ms...), selectors.Write(h.Metric+"_bucket", append(ms, bound)...), nil
}

// ErrNoHistogram says that no series of a histogram was found.
var ErrNoHistogram = errors.New("there is no histogram")
