package promfake

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/metadata"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
)

// ErrOutOfOrder is returned for a sample that is older than, or differs from, the newest sample of
// its series. As in Prometheus, a series only grows. [Series.InsertLate] is the way around it.
var ErrOutOfOrder = errors.New("promfake: sample is not newer than the last one of its series")

// Options configures a [DB]. The zero value is a Prometheus with default settings on the system
// clock.
type Options struct {
	// Now is the server's clock: the default evaluation time of a query and the instant after which
	// samples are hidden. Nil means the system clock with nothing hidden. It must be safe for
	// concurrent use.
	Now func() time.Time

	// Lookback is how long a sample stays current in an instant query. Zero means 5 minutes, as in
	// Prometheus.
	Lookback time.Duration

	// Timeout bounds every query. Zero means 2 minutes, as in Prometheus.
	Timeout time.Duration

	// MaxSamples bounds the samples one query may hold in memory; a query above it fails with an
	// execution error. Zero means 50 million.
	MaxSamples int
}

// DB is the store together with the engine that queries it. It is safe for concurrent use: samples
// may be appended while queries run.
type DB struct {
	// Faults is the plan of failures that [DB.Handler] injects. Empty at first.
	Faults Faults

	opts   Options
	engine *promql.Engine
	parser parser.Parser
	start  time.Time
	stats  counters

	mu       sync.RWMutex // guards the index below, not the samples
	series   map[string]*Series
	all      []*Series
	postings map[labels.Label][]*Series
	metadata map[string]metadata.Metadata
}

// New returns an empty DB.
func New(opts Options) *DB {
	if opts.Lookback == 0 {
		opts.Lookback = 5 * time.Minute
	}
	if opts.Timeout == 0 {
		opts.Timeout = 2 * time.Minute
	}
	if opts.MaxSamples == 0 {
		opts.MaxSamples = 50_000_000
	}
	p := parser.NewParser(parser.Options{})
	db := &DB{
		opts:     opts,
		parser:   p,
		series:   map[string]*Series{},
		postings: map[labels.Label][]*Series{},
		metadata: map[string]metadata.Metadata{},
		engine: promql.NewEngine(promql.EngineOpts{
			MaxSamples:               opts.MaxSamples,
			Timeout:                  opts.Timeout,
			LookbackDelta:            opts.Lookback,
			NoStepSubqueryIntervalFn: func(int64) int64 { return time.Minute.Milliseconds() },
			EnableAtModifier:         true,
			EnableNegativeOffset:     true,
			Parser:                   p,
		}),
	}
	db.start = db.now()
	return db
}

// now returns the server's clock.
func (db *DB) now() time.Time {
	if db.opts.Now != nil {
		return db.opts.Now()
	}
	return time.Now()
}

// horizon returns the newest timestamp (in milliseconds) that readers may see.
func (db *DB) horizon() int64 {
	if db.opts.Now != nil {
		return db.opts.Now().UnixMilli()
	}
	return maxTime
}

// Series returns the series with these labels and creates it, empty, when it does not exist.
// Holding on to the result makes appending many samples fast. An empty series is invisible to
// queries.
func (db *DB) Series(lset labels.Labels) *Series {
	var buf [512]byte
	key := lset.Bytes(buf[:0])
	db.mu.RLock()
	s := db.series[string(key)]
	db.mu.RUnlock()
	if s != nil {
		return s
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	if s := db.series[string(key)]; s != nil { // created in between
		return s
	}
	s = &Series{lset: lset}
	db.series[string(key)] = s
	db.index(s)
	return s
}

// index makes s findable. The caller holds db.mu.
func (db *DB) index(s *Series) {
	db.all = append(db.all, s)
	s.lset.Range(func(l labels.Label) { db.postings[l] = append(db.postings[l], s) })
}

// Append adds one sample at ms (milliseconds since 1970). The timestamps of a series must rise; see
// [ErrOutOfOrder].
func (db *DB) Append(lset labels.Labels, ms int64, v float64) error {
	return db.Series(lset).Append(ms, v)
}

// AppendHistogram adds one native histogram sample at ms.
func (db *DB) AppendHistogram(lset labels.Labels, ms int64, h *histogram.Histogram) error {
	return db.Series(lset).AppendHistogram(ms, h)
}

// AppendFloatHistogram adds one native histogram sample with float counts at ms.
func (db *DB) AppendFloatHistogram(lset labels.Labels, ms int64, h *histogram.FloatHistogram) error {
	return db.Series(lset).AppendFloatHistogram(ms, h)
}

// AppendExemplar attaches an exemplar to the series with these labels. Its timestamp (Ts,
// milliseconds) must not be older than the previous one's.
func (db *DB) AppendExemplar(lset labels.Labels, e exemplar.Exemplar) error {
	return db.Series(lset).AppendExemplar(e)
}

// MarkStale ends the series at ms, as Prometheus does when a target or a series disappears: from ms
// on, an instant query no longer sees it.
func (db *DB) MarkStale(lset labels.Labels, ms int64) error {
	return db.Series(lset).MarkStale(ms)
}

// SetMetadata describes a metric family for the /metadata endpoint.
func (db *DB) SetMetadata(metric string, m metadata.Metadata) {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.metadata[metric] = m
}

// Trim drops samples older than before, a whole chunk (up to 120 samples) at a time, and forgets
// series that have none left. It is the retention.
func (db *DB) Trim(before time.Time) {
	ms := before.UnixMilli()
	db.mu.Lock()
	defer db.mu.Unlock()
	all := db.all
	db.all, db.postings = nil, map[labels.Label][]*Series{}
	for _, s := range all {
		if s.trim(ms) {
			delete(db.series, string(s.lset.Bytes(nil)))
			continue
		}
		db.index(s)
	}
}

// Size tells how much the DB holds.
func (db *DB) Size() Size {
	db.mu.RLock()
	defer db.mu.RUnlock()
	sz := Size{Series: len(db.all)}
	for _, s := range db.all {
		s.addSize(&sz)
	}
	return sz
}

// Size counts the contents of a [DB].
type Size struct {
	Series     int   // series, with those that have ended
	Samples    int   // float and histogram samples, stale markers included
	ChunkBytes int64 // bytes of compressed samples, without the index
}

// Stats counts what the HTTP API of a [DB] was asked since it was made.
type Stats struct {
	Requests    int64 // HTTP requests of any kind, failed ones included
	Queries     int64 // PromQL queries that were executed (instant and range)
	Samples     int64 // samples loaded, a sample in two steps counts twice (totalQueryableSamples)
	SamplesRead int64 // samples read, each once per selector of a query
	Bytes       int64 // bytes of answer bodies as sent, after compression
}

// Stats returns the counters so far. Subtract two to measure a span.
func (db *DB) Stats() Stats {
	return Stats{
		Requests:    db.stats.requests.Load(),
		Queries:     db.stats.queries.Load(),
		Samples:     db.stats.samples.Load(),
		SamplesRead: db.stats.samplesRead.Load(),
		Bytes:       db.stats.bytes.Load(),
	}
}

// Sub returns the difference s − t, field by field.
func (s Stats) Sub(t Stats) Stats {
	return Stats{
		Requests:    s.Requests - t.Requests,
		Queries:     s.Queries - t.Queries,
		Samples:     s.Samples - t.Samples,
		SamplesRead: s.SamplesRead - t.SamplesRead,
		Bytes:       s.Bytes - t.Bytes,
	}
}

type counters struct {
	requests, queries, samples, samplesRead, bytes atomic.Int64
}

// errSeries names the series in an append error.
func errSeries(s *Series, ms int64, err error) error {
	return fmt.Errorf("%w: %s at %d", err, s.lset, ms)
}
