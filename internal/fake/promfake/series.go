package promfake

import (
	"math"
	"sync"

	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
)

const (
	minTime = math.MinInt64
	maxTime = math.MaxInt64

	// samplesPerChunk bounds a chunk. Reading the newest sample decodes its chunk from the front,
	// so a chunk must not be long; Prometheus uses 120 too.
	samplesPerChunk = 120
)

// Series is one time series: labels and a growing list of compressed chunks. Only the last chunk is
// written to. It is safe for concurrent use.
type Series struct {
	lset labels.Labels

	mu        sync.Mutex
	chunks    []chunk
	app       chunkenc.Appender // writes to the last chunk
	last      float64           // newest float value, to recognise an exact repeat
	exemplars []exemplar.Exemplar
}

// chunk is a run of samples of one type with its time range (milliseconds, both ends inclusive).
type chunk struct {
	chunkenc.Chunk
	minT, maxT int64
}

// Labels returns the labels of the series.
func (s *Series) Labels() labels.Labels { return s.lset }

// Append adds a float sample at ms (milliseconds since 1970). A repeat of the newest sample is
// accepted and changes nothing; otherwise ms must be newer than everything in the series.
func (s *Series) Append(ms int64, v float64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ms <= s.lastT() {
		if ms == s.lastT() && s.encoding() == chunkenc.EncXOR && math.Float64bits(v) == math.Float64bits(s.last) {
			return nil
		}
		return errSeries(s, ms, ErrOutOfOrder)
	}
	s.appendFloat(ms, v)
	return nil
}

func (s *Series) appendFloat(ms int64, v float64) {
	c := s.writable(chunkenc.EncXOR, ms)
	s.app.Append(0, ms, v)
	c.maxT, s.last = ms, v
}

// AppendHistogram adds a native histogram at ms. The histogram may be changed afterwards; the
// series keeps a compressed copy.
func (s *Series) AppendHistogram(ms int64, h *histogram.Histogram) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ms <= s.lastT() {
		return errSeries(s, ms, ErrOutOfOrder)
	}
	return s.appendNative(chunkenc.EncHistogram, ms, func(prev chunkenc.Appender) (chunkenc.Chunk, bool, chunkenc.Appender, error) {
		return s.app.AppendHistogram(prev, 0, ms, h.Copy(), false)
	})
}

// AppendFloatHistogram adds a native histogram with float counts at ms.
func (s *Series) AppendFloatHistogram(ms int64, h *histogram.FloatHistogram) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ms <= s.lastT() {
		return errSeries(s, ms, ErrOutOfOrder)
	}
	return s.appendNative(chunkenc.EncFloatHistogram, ms, func(prev chunkenc.Appender) (chunkenc.Chunk, bool, chunkenc.Appender, error) {
		return s.app.AppendFloatHistogram(prev, 0, ms, h.Copy(), false)
	})
}

// appendNative appends through add, which may answer with another chunk: a fresh one (counter
// reset, other layout) or the same one recoded with more buckets.
func (s *Series) appendNative(enc chunkenc.Encoding, ms int64, add func(prev chunkenc.Appender) (chunkenc.Chunk, bool, chunkenc.Appender, error)) error {
	prev := s.app
	c := s.writable(enc, ms)
	if s.app == prev {
		prev = nil // still the same chunk: it knows its own past
	}
	other, recoded, app, err := add(prev)
	if err != nil {
		return errSeries(s, ms, err)
	}
	s.app = app
	switch {
	case other == nil:
	case recoded:
		c.Chunk = other
	default:
		s.chunks = append(s.chunks, chunk{Chunk: other, minT: ms})
		c = &s.chunks[len(s.chunks)-1]
	}
	c.maxT = ms
	return nil
}

// MarkStale ends the series at ms: the sample says "there is no value here".
func (s *Series) MarkStale(ms int64) error {
	stale := math.Float64frombits(value.StaleNaN)
	s.mu.Lock()
	enc := s.encoding()
	s.mu.Unlock()
	switch enc {
	case chunkenc.EncHistogram:
		return s.AppendHistogram(ms, &histogram.Histogram{Sum: stale})
	case chunkenc.EncFloatHistogram:
		return s.AppendFloatHistogram(ms, &histogram.FloatHistogram{Sum: stale})
	default:
		return s.Append(ms, stale)
	}
}

// AppendExemplar attaches an exemplar. Timestamps must not fall.
func (s *Series) AppendExemplar(e exemplar.Exemplar) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.exemplars); n > 0 && s.exemplars[n-1].Ts > e.Ts {
		return errSeries(s, e.Ts, ErrOutOfOrder)
	}
	s.exemplars = append(s.exemplars, e)
	return nil
}

// InsertLate adds a float sample anywhere in the past of a series of floats, as a server with an
// out-of-order window does. A sample that is already there is kept. It rewrites the series from
// that point and is meant for tests.
func (s *Series) InsertLate(ms int64, v float64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ms > s.lastT() {
		s.appendFloat(ms, v)
		return nil
	}
	keep := len(s.chunks)
	for keep > 0 && s.chunks[keep-1].maxT >= ms {
		keep--
		if s.chunks[keep].Encoding() != chunkenc.EncXOR {
			return errSeries(s, ms, ErrOutOfOrder)
		}
	}
	tail := s.chunks[keep:]
	s.chunks, s.app = append([]chunk(nil), s.chunks[:keep]...), nil
	pending := true
	for _, c := range tail {
		it := c.Iterator(nil)
		for it.Next() != chunkenc.ValNone {
			t, old := it.At()
			if pending && t >= ms {
				if t > ms {
					s.appendFloat(ms, v)
				}
				pending = false
			}
			s.appendFloat(t, old)
		}
	}
	if pending {
		s.appendFloat(ms, v)
	}
	return nil
}

// writable returns the chunk that takes the next sample of this encoding, sealing the last chunk
// when it is full or of another kind.
func (s *Series) writable(enc chunkenc.Encoding, ms int64) *chunk {
	if n := len(s.chunks); n > 0 && s.app != nil {
		c := &s.chunks[n-1]
		if c.Encoding() == enc && c.NumSamples() < samplesPerChunk {
			return c
		}
		c.Compact()
	}
	fresh, err := chunkenc.NewEmptyChunk(enc)
	if err != nil {
		panic(err) // enc is one of three constants
	}
	app, err := fresh.Appender()
	if err != nil {
		panic(err) // an empty chunk always has an appender
	}
	s.app = app
	s.chunks = append(s.chunks, chunk{Chunk: fresh, minT: ms, maxT: ms})
	return &s.chunks[len(s.chunks)-1]
}

// lastT returns the timestamp of the newest sample, or the beginning of time.
func (s *Series) lastT() int64 {
	if n := len(s.chunks); n > 0 {
		return s.chunks[n-1].maxT
	}
	return minTime
}

// encoding returns the kind of the newest sample.
func (s *Series) encoding() chunkenc.Encoding {
	if n := len(s.chunks); n > 0 {
		return s.chunks[n-1].Encoding()
	}
	return chunkenc.EncNone
}

// overlaps reports whether a chunk of the series touches [mint, maxt].
func (s *Series) overlaps(mint, maxt int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.chunks) == 0 {
		return false
	}
	return s.chunks[0].minT <= maxt && s.lastT() >= mint
}

// trim drops chunks that end before ms and reports whether nothing is left.
func (s *Series) trim(ms int64) (empty bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for n < len(s.chunks) && s.chunks[n].maxT < ms {
		n++
	}
	if n > 0 {
		s.chunks = append([]chunk(nil), s.chunks[n:]...)
	}
	e := 0
	for e < len(s.exemplars) && s.exemplars[e].Ts < ms {
		e++
	}
	s.exemplars = append([]exemplar.Exemplar(nil), s.exemplars[e:]...)
	return len(s.chunks) == 0
}

// addSize adds the series' contents to sz.
func (s *Series) addSize(sz *Size) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.chunks {
		sz.Samples += c.NumSamples()
		sz.ChunkBytes += int64(len(c.Bytes()))
	}
}
