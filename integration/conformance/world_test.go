package conformance_test

import (
	"math"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/storage"

	"github.com/slowburn-sre/slowburn/integration/conformance/realprom"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
)

var (
	// start is a fixed moment, so that a failure can be repeated; it is not aligned to the block
	// length of the database.
	start = time.Date(2026, 11, 3, 5, 17, 0, 0, time.UTC)
	// end is six hours later: the older part is compacted into blocks on disk, the newer part stays
	// in the head.
	end = start.Add(6 * time.Hour)
)

const step = 15 * time.Second

// sample is one observation of a series: a float unless one of the histograms is set, and perhaps
// an exemplar.
type sample struct {
	lset labels.Labels
	ms   int64
	v    float64
	h    *histogram.Histogram
	fh   *histogram.FloatHistogram
	ex   *exemplar.Exemplar
}

// world returns all samples in order of time.
//
// It holds what makes reading counters hard: resets, an instance that is replaced, a series that
// ends with a staleness mark and one that merely stops, a hole in the scrapes, births with a value,
// numbers that are not finite, names that need quoting, classic and native histograms.
func world() []sample {
	var all []sample
	for n, at := 0, start; !at.After(end); n, at = n+1, at.Add(step) {
		ms := at.UnixMilli()
		all = append(all, requests(n, ms)...)
		all = append(all, gauges(n, ms)...)
		all = append(all, classicHistogram(n, ms)...)
		all = append(all, nativeHistograms(n, ms)...)
	}
	return all
}

// requests are counters of three instances with different fates.
func requests(n int, ms int64) []sample {
	var out []sample
	add := func(v float64, kv ...string) {
		kv = append([]string{"__name__", "http_requests_total", "job", "shop"}, kv...)
		out = append(out, sample{lset: labels.FromStrings(kv...), ms: ms, v: v})
	}
	x := float64(n)
	add(7*x, "instance", "a", "code", "200") // steady
	if n < 400 || n > 460 {                  // 15 minutes without a scrape
		add(math.Mod(0.3*x, 50), "instance", "a", "code", "500") // restarts again and again
	}
	switch { // replaced: ends with a mark, the successor is born with a value
	case n < 700:
		add(5*x, "instance", "b", "code", "200")
	case n == 700:
		add(math.Float64frombits(value.StaleNaN), "instance", "b", "code", "200")
	case n > 703:
		add(1000+5*x, "instance", "c", "code", "200")
	}
	if n < 1000 { // stops without a mark
		add(2*x, "instance", "d", "code", "200")
	}
	if n == 900 { // seen exactly once
		add(3, "instance", "d", "code", "503")
	}
	return out
}

// gauges hold awkward numbers and awkward names.
func gauges(n int, ms int64) []sample {
	x := float64(n)
	odd := 0.1 * x
	switch n % 40 {
	case 10:
		odd = math.NaN()
	case 20:
		odd = math.Inf(1)
	case 30:
		odd = math.Inf(-1)
	case 35:
		odd = 5e-324
	}
	up := 1.0
	if n%100 > 95 {
		up = 0
	}
	return []sample{
		{lset: labels.FromStrings("__name__", "odd_numbers", "job", "shop"), ms: ms, v: odd},
		{lset: labels.FromStrings("__name__", "up", "job", "shop", "instance", "a"), ms: ms, v: up},
		{lset: labels.FromStrings("__name__", "temperature", "job", "kühlraum", "path", `C:\"quoted"`), ms: ms, v: math.Sin(x/30) - 0.5},
		{lset: labels.FromStrings("__name__", "queue.depth", "service.name", "orders"), ms: ms, v: math.Round(20 + 10*math.Cos(x/50))},
	}
}

// classicHistogram counts durations into buckets, one of them with exemplars.
func classicHistogram(n int, ms int64) []sample {
	series := func(name string, v float64, kv ...string) sample {
		kv = append([]string{"__name__", "request_duration_seconds" + name, "job", "shop"}, kv...)
		return sample{lset: labels.FromStrings(kv...), ms: ms, v: v}
	}
	x := float64(n)
	fast := series("_bucket", math.Floor(8*x), "le", "0.1")
	if n%200 == 50 {
		fast.ex = &exemplar.Exemplar{
			Labels: labels.FromStrings("trace_id", string(rune('a'+n/200))),
			Value:  0.07, Ts: ms - 3000, HasTs: true,
		}
	}
	return []sample{
		fast,
		series("_bucket", math.Floor(9*x), "le", "0.3"),
		series("_bucket", math.Floor(9.9*x), "le", "1"),
		series("_bucket", 10*x, "le", "+Inf"),
		series("_count", 10*x),
		series("_sum", 1.234*x),
	}
}

// nativeHistograms are one counter of integers, one of floats that resets, and one with custom
// bounds.
func nativeHistograms(n int, ms int64) []sample {
	k := int64(n)
	name := func(s string) labels.Labels { return labels.FromStrings("__name__", s, "job", "shop") }
	ints := &histogram.Histogram{
		Schema: 2, ZeroThreshold: 0.001, ZeroCount: uint64(n),
		Count: uint64(7 * n), Sum: 0.9 * float64(n),
		PositiveSpans:   []histogram.Span{{Offset: -3, Length: 2}, {Offset: 2, Length: 1}},
		PositiveBuckets: []int64{k, k, k}, // k, 2k, 3k
	}
	m := float64(n % 500) // restarts twice
	floats := &histogram.FloatHistogram{
		Schema: 0, ZeroThreshold: 0.001, ZeroCount: 0.5 * m,
		Count: 4 * m, Sum: -1.5 * m,
		PositiveSpans: []histogram.Span{{Offset: 0, Length: 1}}, PositiveBuckets: []float64{1.5 * m},
		NegativeSpans: []histogram.Span{{Offset: 1, Length: 1}}, NegativeBuckets: []float64{2 * m},
	}
	custom := &histogram.Histogram{
		Schema: histogram.CustomBucketsSchema, Count: uint64(4 * n), Sum: 0.4 * float64(n),
		CustomValues:    []float64{0.1, 0.3, 1},
		PositiveSpans:   []histogram.Span{{Offset: 0, Length: 3}},
		PositiveBuckets: []int64{k, 0, k}, // k, k, 2k
	}
	return []sample{
		{lset: name("latency_native"), ms: ms, h: ints},
		{lset: name("latency_native_float"), ms: ms, fh: floats},
		{lset: name("latency_native_custom"), ms: ms, h: custom},
	}
}

// loadReal appends the samples to the genuine server, hour by hour because its head takes only
// samples of the last hour, and compacts what is old.
func loadReal(t *testing.T, s *realprom.Server, all []sample) {
	t.Helper()
	for len(all) > 0 {
		limit := all[0].ms + (30 * time.Minute).Milliseconds()
		n := 0
		for n < len(all) && all[n].ms < limit {
			n++
		}
		s.Append(t, func(app storage.Appender) error { return appendAll(app, all[:n]) })
		all = all[n:]
	}
	s.Compact(t)
}

func appendAll(app storage.Appender, all []sample) error {
	for _, x := range all {
		ref, err := storage.SeriesRef(0), error(nil)
		if x.h != nil || x.fh != nil {
			_, err = app.AppendHistogram(0, x.lset, x.ms, x.h, x.fh)
		} else {
			ref, err = app.Append(0, x.lset, x.ms, x.v)
		}
		if err == nil && x.ex != nil {
			_, err = app.AppendExemplar(ref, x.lset, *x.ex)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// loadFake appends the samples to the embedded one.
func loadFake(t *testing.T, db *promfake.DB, all []sample) {
	t.Helper()
	for _, x := range all {
		var err error
		switch {
		case x.h != nil:
			err = db.AppendHistogram(x.lset, x.ms, x.h)
		case x.fh != nil:
			err = db.AppendFloatHistogram(x.lset, x.ms, x.fh)
		default:
			err = db.Append(x.lset, x.ms, x.v)
		}
		if err == nil && x.ex != nil {
			err = db.AppendExemplar(x.lset, *x.ex)
		}
		if err != nil {
			t.Fatalf("append %s: %v", x.lset, err)
		}
	}
}
