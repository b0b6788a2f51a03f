package promfake_test

import (
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
)

type sample struct {
	t int64
	v float64
}

// within is the naive twin of a query: the samples in [mint, maxt].
func within(all []sample, mint, maxt int64) (out []sample) {
	for _, s := range all {
		if s.t >= mint && s.t <= maxt {
			out = append(out, s)
		}
	}
	return out
}

// scan reads a series with the iterator of the store: Next only, or a mixture of Next and Seek that
// skip says.
func scan(t require, db *promfake.DB, mint, maxt int64, seek []int64) (out []sample) {
	q, err := db.Querier(mint, maxt)
	if err != nil {
		t.Fatalf("%v", err)
	}
	set := q.Select(context.Background(), false, &storage.SelectHints{Start: mint, End: maxt}, labels.MustNewMatcher(labels.MatchEqual, "__name__", "m"))
	if !set.Next() {
		return nil
	}
	it := set.At().Iterator(nil)
	for _, to := range seek {
		if it.Seek(to) == chunkenc.ValNone {
			return out
		}
		ts, v := it.At()
		out = append(out, sample{ts, v})
	}
	for it.Next() != chunkenc.ValNone {
		ts, v := it.At()
		out = append(out, sample{ts, v})
	}
	if it.Err() != nil {
		t.Fatalf("%v", it.Err())
	}
	return out
}

type require interface{ Fatalf(string, ...any) }

func TestIteratorAgainstNaiveTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		db := promfake.New(promfake.Options{})
		var all []sample
		ts := int64(0)
		for range rapid.IntRange(0, 400).Draw(t, "samples") {
			ts += rapid.Int64Range(1, 5).Draw(t, "gap")
			s := sample{ts, rapid.Float64Range(-10, 10).Draw(t, "value")}
			all = append(all, s)
			if err := db.Append(lset("m"), s.t, s.v); err != nil {
				t.Fatalf("%v", err)
			}
		}
		mint := rapid.Int64Range(-5, ts+5).Draw(t, "mint")
		maxt := rapid.Int64Range(mint, ts+5).Draw(t, "maxt")
		want := within(all, mint, maxt)
		if got := scan(t, db, mint, maxt, nil); !slices.Equal(got, want) {
			t.Fatalf("Next: got %v, want %v", got, want)
		}
		// Seek never goes back and stays where it is if it can.
		to := rapid.Int64Range(mint-5, maxt+5).Draw(t, "seek")
		again := to + rapid.Int64Range(0, 700).Draw(t, "seek again")
		wantSeek := within(all, max(mint, to), maxt)
		if len(wantSeek) > 0 {
			rest := within(all, max(mint, again), maxt)
			wantSeek = append(wantSeek[:1:1], rest...)
		}
		if got := scan(t, db, mint, maxt, []int64{to, again}); !slices.Equal(got, wantSeek) {
			t.Fatalf("Seek %d, %d: got %v, want %v", to, again, got, wantSeek)
		}
	})
}

func TestLateSamplesTakeTheirPlace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		order := rapid.Permutation(slices.Collect(func(yield func(int64) bool) {
			for i := range int64(300) {
				if !yield(i) {
					return
				}
			}
		})).Draw(t, "order")
		db := promfake.New(promfake.Options{})
		s := db.Series(lset("m"))
		var want []sample
		for _, ts := range order[:rapid.IntRange(1, 300).Draw(t, "how many")] {
			if err := s.InsertLate(ts, float64(ts)); err != nil {
				t.Fatalf("%v", err)
			}
			want = append(want, sample{ts, float64(ts)})
		}
		if err := s.InsertLate(order[0], -1); err != nil { // there already: kept
			t.Fatalf("%v", err)
		}
		slices.SortFunc(want, func(a, b sample) int { return int(a.t - b.t) })
		if got := scan(t, db, 0, 300, nil); !slices.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}

func TestOrderOfAppends(t *testing.T) {
	db := promfake.New(promfake.Options{})
	l := lset("m")
	for _, tc := range []struct {
		name string
		ms   int64
		v    float64
		want error
	}{
		{"the first sample", 10, 1, nil},
		{"a newer one", 20, 2, nil},
		{"the same again", 20, 2, nil},
		{"another value at the same time", 20, 3, promfake.ErrOutOfOrder},
		{"an older one", 15, 2, promfake.ErrOutOfOrder},
		{"infinity is a value", 30, math.Inf(1), nil},
	} {
		if err := db.Append(l, tc.ms, tc.v); !errors.Is(err, tc.want) {
			t.Errorf("%s: got %v, want %v", tc.name, err, tc.want)
		}
	}
}

func TestTrimForgets(t *testing.T) {
	db := promfake.New(promfake.Options{})
	ramp(t, db, lset("old_total"), 120)
	ramp(t, db, lset("c_total"), 1000)
	_, c := open(t, db)
	db.Trim(at(15 * 500))
	if sz := db.Size(); sz.Series != 1 || sz.Samples != 1000-480 {
		t.Errorf("four whole chunks and one series should be gone, left are %+v", sz)
	}
	if got := ask(t, c, "c_total", at(15000)); got != "c_total => 15000 @[1793625000]" {
		t.Errorf("the newest sample is %q", got)
	}
	if err := db.Append(lset("old_total"), sec(60), 1); err != nil {
		t.Errorf("a forgotten series starts anew: %v", err)
	}
	if got := ask(t, c, "old_total", at(60)); got != "old_total => 1 @[1793610060]" {
		t.Errorf("after a new start: %q", got)
	}
}

func TestAppendsAndQueriesAtTheSameTime(t *testing.T) {
	const rounds, perRound = 20, 150
	db := promfake.New(promfake.Options{})
	_, c := open(t, db)
	for round := range rounds {
		var wg sync.WaitGroup
		for _, pod := range []string{"a", "b"} {
			wg.Go(func() {
				for i := round * perRound; i < (round+1)*perRound; i++ {
					if err := db.Append(lset("c_total", "pod", pod), sec(i), float64(i)); err != nil {
						t.Error(err)
					}
					if err := db.AppendHistogram(lset("h", "pod", pod), sec(i), nativeAt(i)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		// A counter that only rises has no resets, whenever it is read.
		if got := ask(t, c, "sum(resets(c_total[1h])) + sum(resets(h[1h])) > 0", at(3000)); got != "" {
			t.Errorf("a query saw a torn series: %s", got)
		}
		wg.Wait()
	}
	if got := ask(t, c, "sum(count_over_time(c_total[1h]))", at(3000)); got != "{} => 6000 @[1793613000]" {
		t.Errorf("in the end: %s", got)
	}
}

// BenchmarkRawMinute reads the newest minute of 30,000 series raw, which is what one tick of the
// ledger over a large installation asks for.
func BenchmarkRawMinute(b *testing.B) {
	db := promfake.New(promfake.Options{})
	for i := range 30_000 {
		s := db.Series(lset("m_total", "pod", string(rune('a'+i%26)), "n", time.Duration(i).String()))
		for j := range 90 {
			if err := s.Append(sec(30*j), float64(i+j)); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(db.Size().ChunkBytes)/float64(db.Size().Samples), "B/sample")
	h := db.Handler()
	srv, err := promfake.Start(h)
	if err != nil {
		b.Fatal(err)
	}
	defer srv.Close()
	for b.Loop() {
		fetch(b, srv.URL+"/api/v1/query?query=m_total[1m]&time=1793612670")
	}
}

// fetch reads an answer and throws it away.
func fetch(b *testing.B, url string) {
	resp, err := http.Get(url)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	if n, err := io.Copy(io.Discard, resp.Body); err != nil || n < 1000 {
		b.Fatal(n, err)
	}
}
