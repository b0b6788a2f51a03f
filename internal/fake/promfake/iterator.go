package promfake

import (
	"math"
	"sort"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
)

// view is a series as one query sees it: within [mint, maxt].
type view struct {
	*Series
	mint, maxt int64
}

// Iterator returns an iterator over a snapshot of the series. Samples that are appended later do
// not appear in it.
func (v view) Iterator(reuse chunkenc.Iterator) chunkenc.Iterator {
	it, ok := reuse.(*iterator)
	if !ok {
		it = &iterator{}
	}
	*it = iterator{mint: v.mint, maxt: v.maxt, buf: it.buf}
	v.mu.Lock()
	defer v.mu.Unlock()
	it.chunks = overlapping(v.chunks, v.mint, v.maxt)
	// An iterator over the chunk being written must be made under the lock; once made, it may be
	// read beside further appends.
	if n := len(it.chunks); n > 0 && it.chunks[n-1].maxT == v.lastT() {
		it.tail = it.chunks[n-1].Iterator(nil)
	}
	return it
}

// overlapping returns the chunks that touch [mint, maxt], in a slice of its own length so that
// later appends to the series stay invisible.
func overlapping(all []chunk, mint, maxt int64) []chunk {
	from := sort.Search(len(all), func(i int) bool { return all[i].maxT >= mint })
	to := sort.Search(len(all), func(i int) bool { return all[i].minT > maxt })
	if from >= to {
		return nil
	}
	part := all[from:to:to]
	if to == len(all) { // the last chunk's fields still change: copy them
		part = append([]chunk(nil), part...)
	}
	return part
}

// millis is milliseconds since 1970. (Under its plain name the parameter of Seek would look to vet
// like that of an io.Seeker.)
type millis = int64

// iterator walks the chunks of a view in order.
type iterator struct {
	mint, maxt int64
	chunks     []chunk
	next       int                // index of the chunk after cur
	tail       chunkenc.Iterator  // iterator of the last chunk when it may still grow
	cur        chunkenc.Iterator  // iterator of the current chunk, reused between chunks
	buf        chunkenc.Iterator  // reusable iterator of a sealed chunk
	typ        chunkenc.ValueType // type at the current position
}

// Next implements chunkenc.Iterator.
func (it *iterator) Next() chunkenc.ValueType {
	for {
		if it.cur != nil {
			if it.typ = it.cur.Next(); it.typ != chunkenc.ValNone {
				t := it.cur.AtT()
				if t < it.mint {
					continue
				}
				if t > it.maxt {
					it.end()
				}
				return it.typ
			}
			if it.cur.Err() != nil {
				return chunkenc.ValNone
			}
		}
		if !it.open(it.next) {
			it.typ = chunkenc.ValNone
			return it.typ
		}
	}
}

// Seek implements chunkenc.Iterator. Whole chunks before t are skipped.
func (it *iterator) Seek(t millis) chunkenc.ValueType {
	if it.typ != chunkenc.ValNone && it.cur.AtT() >= t {
		return it.typ
	}
	if n := it.next; n == 0 || it.chunks[n-1].maxT < t {
		for n < len(it.chunks) && it.chunks[n].maxT < t {
			n++
		}
		if !it.open(n) {
			it.end()
			return chunkenc.ValNone
		}
	}
	for it.Next() != chunkenc.ValNone {
		if it.cur.AtT() >= t {
			return it.typ
		}
	}
	return chunkenc.ValNone
}

// open makes chunk n the current one and reports whether there is such a chunk.
func (it *iterator) open(n int) bool {
	if n >= len(it.chunks) {
		return false
	}
	if n == len(it.chunks)-1 && it.tail != nil {
		it.cur = it.tail
	} else {
		it.buf = it.chunks[n].Iterator(it.buf)
		it.cur = it.buf
	}
	it.next = n + 1
	return true
}

// end exhausts the iterator.
func (it *iterator) end() {
	it.typ, it.next, it.chunks, it.cur = chunkenc.ValNone, 0, nil, nil
}

// At implements chunkenc.Iterator.
func (it *iterator) At() (int64, float64) { return it.cur.At() }

// AtHistogram implements chunkenc.Iterator.
func (it *iterator) AtHistogram(h *histogram.Histogram) (int64, *histogram.Histogram) {
	return it.cur.AtHistogram(h)
}

// AtFloatHistogram implements chunkenc.Iterator.
func (it *iterator) AtFloatHistogram(h *histogram.FloatHistogram) (int64, *histogram.FloatHistogram) {
	return it.cur.AtFloatHistogram(h)
}

// AtT implements chunkenc.Iterator.
func (it *iterator) AtT() int64 {
	if it.cur == nil {
		return math.MinInt64
	}
	return it.cur.AtT()
}

// AtST implements chunkenc.Iterator. Start timestamps are not stored.
func (*iterator) AtST() int64 { return 0 }

// Err implements chunkenc.Iterator.
func (it *iterator) Err() error {
	if it.cur == nil {
		return nil
	}
	return it.cur.Err()
}
