package budget

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/slowburn-sre/slowburn/slo"
)

func drawHour(t *rapid.T) hourSum {
	s := hourSum{
		known: rapid.Uint8Range(0, 60).Draw(t, "known"), unknown: rapid.Uint8Range(0, 60).Draw(t, "unknown"),
		partial: rapid.Uint8Range(0, 60).Draw(t, "partial"), badSlots: rapid.Uint8Range(0, 60).Draw(t, "bad slots"),
		estimated: rapid.Uint8Range(0, 60).Draw(t, "estimated"),
	}
	unit := rapid.SampledFrom([]int64{1, Unit}).Draw(t, "unit")
	s.total = rapid.Int64Range(0, rapid.SampledFrom([]int64{0, 3, 1000, 1 << 20, 60 * MaxCount / Unit}).Draw(t, "most")).Draw(t, "total") * unit
	s.bad = rapid.Int64Range(0, s.total).Draw(t, "bad")
	return s
}

// TestHoursSumLikeAMap: whatever is written in whatever order, early and late, and forgotten, the
// sums are those of adding up hour by hour.
func TestHoursSumLikeAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h, naive, first := &hours{}, map[int64]hourSum{}, int64(0)
		base := rapid.Int64Range(-100, 100).Draw(t, "base")
		for range rapid.IntRange(1, 120).Draw(t, "writes") {
			hour := base + rapid.Int64Range(0, 150).Draw(t, "hour")
			if len(naive) == 0 {
				first = hour
			}
			s := drawHour(t)
			h.set(hour, s)
			naive[hour], first = s, min(first, hour)
			if rapid.IntRange(0, 20).Draw(t, "forget") > 0 {
				continue
			}
			before := base + rapid.Int64Range(-10, 160).Draw(t, "before")
			h.forget(before)
			for hour := range naive {
				if hour < before {
					delete(naive, hour)
				}
			}
			if first = max(first, min(before, h.end)); h.empty() {
				clear(naive)
			}
		}
		if !h.empty() && h.first != first {
			t.Fatalf("they begin at %d, want %d", h.first, first)
		}
		begins, known := int64(0), false
		for hour := base - 30; hour < base+200; hour++ {
			if got := h.at(hour); got != naive[hour] {
				t.Fatalf("hour %d is %+v, want %+v", hour, got, naive[hour])
			}
			if s := naive[hour]; !known && (s.known > 0 || s.partial > 0) {
				begins, known = hour, true
			}
		}
		if got, ok := h.firstData(); got != begins || ok != known {
			t.Fatalf("the data begin at %d (%v), want %d (%v)", got, ok, begins, known)
		}
		if h.empty() {
			return
		}
		from := rapid.Int64Range(h.first, h.end).Draw(t, "from")
		to := rapid.Int64Range(from, h.end).Draw(t, "to")
		var want Sum
		for hour := from; hour < to; hour++ {
			s := naive[hour]
			want = want.Plus(s.sum())
		}
		if diff := cmp.Diff(want, h.sum(from, to)); diff != "" {
			t.Fatalf("[%d, %d): %s", from, to, diff)
		}
	})
}

// TestADayOfTheMostIsExact: the largest hours there are do not overflow the sum of their day, and
// more days than an int64 holds stay at its end.
func TestADayOfTheMostIsExact(t *testing.T) {
	h, most := &hours{}, hourSum{bad: 60 * MaxCount, total: 60 * MaxCount, known: 60, badSlots: 60}
	for hour := range int64(24 * 60) {
		h.set(hour, most)
	}
	if got, want := h.sum(0, 24), int64(24*60*MaxCount); got.Total != want || got.Bad != want {
		t.Errorf("a day is %+v, want %d", got, want)
	}
	var want Sum
	for range 24 * 60 {
		want = want.Plus(most.sum())
	}
	if got := h.sum(0, 24*60); got != want {
		t.Errorf("60 days are %+v, want %+v", got, want)
	}
}

func TestAColumnIsWhatWasPacked(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		unit := rapid.SampledFrom([]int64{1, Unit}).Draw(t, "unit")
		most := rapid.SampledFrom([]int64{0, 1, 255, 256, 1 << 30, 1 << 53 / Unit}).Draw(t, "most")
		least := rapid.Int64Range(0, most).Draw(t, "least")
		counts := rapid.SliceOfN(rapid.Int64Range(least, most), 1, 60).Draw(t, "counts")
		for i := range counts {
			counts[i] *= unit
		}
		c, rest := cutColumn(string(append(appendColumn(nil, counts), "rest"...)), len(counts))
		if rest != "rest" {
			t.Fatalf("%q is left", rest)
		}
		from := rapid.IntRange(0, len(counts)).Draw(t, "from")
		to := rapid.IntRange(from, len(counts)).Draw(t, "to")
		want := int64(0)
		for i, n := range counts {
			if got := c.at(i); got != n {
				t.Fatalf("count %d is %d, want %d", i, got, n)
			}
			if from <= i && i < to {
				want += n
			}
		}
		if got := c.sum(from, to); got != want {
			t.Fatalf("the sum of [%d, %d) is %d, want %d", from, to, got, want)
		}
	})
}

// TestSumsOfWeeksAreThoseOfTheirMinutes: over weeks, in which minutes come early and late, are
// thinned out and forgotten, every window sums up to what its minutes do; also where it is asked
// for twice. Where only the sum of an hour is known, windows begin and end with it.
func TestSumsOfWeeksAreThoseOfTheirMinutes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l, naive := &Ledger{}, &twin{slots: map[Minute]Slot{}}
		now := Minute(rapid.IntRange(-3000, 3000).Draw(t, "begin"))
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			now += Minute(rapid.IntRange(0, 800).Draw(t, "later"))
			at := now - Minute(rapid.SampledFrom([]int{0, 0, 0, 1, 70, 1500}).Draw(t, "late"))
			if s := drawSlot(t); l.Put(at, s) {
				naive.put(at, s)
			}
			switch past := now - Minute(rapid.IntRange(0, 5000).Draw(t, "past")); rapid.IntRange(0, 12).Draw(t, "tidy") {
			case 0:
				l.Thin(past)
			case 1:
				l.Forget(past)
				for m := range naive.slots {
					if m.Hour() < past.Hour() {
						delete(naive.slots, m)
					}
				}
			}
		}
		memo := &Memo{}
		read := memo.Over(l)
		for n := range 40 {
			if s := drawSlot(t); n == 20 && l.Put(l.End(), s) {
				naive.put(l.End()-1, s)
				read = memo.Over(l)
			}
			from := now - Minute(rapid.IntRange(-100, 30*1440).Draw(t, "from"))
			to := rapid.SampledFrom([]Minute{l.End(), now, from + 5, from + 3000}).Draw(t, "to")
			if !l.Minutes(from) {
				from = floorHour(from)
			}
			if !l.Minutes(to) {
				to = floorHour(to)
			}
			want := naive.sum(from, to)
			for _, got := range []Sum{l.Sum(from, to), read.Sum(from, to), read.Sum(from, to)} {
				if diff := cmp.Diff(want, got); diff != "" {
					t.Fatalf("[%d, %d): %s", from, to, diff)
				}
			}
		}
	})
}

// TestMeansOfHoursAreThoseOfTheirSums: what is read a day at a time is what each hour comes to by
// itself, thinned out, corrected and while it is being written.
func TestMeansOfHoursAreThoseOfTheirSums(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := drawLedger(t)
		if from := Minute(rapid.IntRange(0, 3*1440).Draw(t, "corrected from")); rapid.Bool().Draw(t, "corrected") {
			fix := &slo.Correction{Kind: slo.Maintenance, Cap: 10000, Spans: []slo.Span{{From: from.Time(), To: (from + 100).Time()}}}
			l.Excuse(NewExcuses([]*slo.Correction{fix}, slo.Window{Rolling: 28 * slo.Day}))
		}
		l.Thin(Minute(rapid.IntRange(0, 3*1440).Draw(t, "thin")))
		means := meansOf(l)
		for hour := int64(-2); hour < 75; hour++ {
			sum := l.Sum(Minute(hour*60), Minute((hour+1)*60))
			if got, known := means.of(hour); known != (sum.Seen() > 0) || known && got != mean(sum) {
				t.Fatalf("hour %d has %v, %v; its sum is %+v", hour, got, known, sum)
			}
		}
	})
}

// TestWholeDaysAreAddedUpByTheDay: of a window of whole days no hour is read, so its sum is right
// also where the hours cannot be.
func TestWholeDaysAreAddedUpByTheDay(t *testing.T) {
	l := &Ledger{}
	for m := Minute(0); m < 30*24*60; m++ {
		l.Put(m, Count(int64(m%7)*Unit, 100*Unit))
	}
	from, to := Minute(24*60), Minute(29*24*60)
	want := l.Sum(from, to)
	for n := range l.hours.days {
		l.hours.days[n].packed = ""
	}
	if diff := cmp.Diff(want, l.Sum(from, to)); diff != "" || want.Known != 28*24*60 {
		t.Error(want.Known, diff)
	}
}
