package budget

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// worstNaively tries every window by itself.
func worstNaively(l *Ledger, from, to, step, n Minute) (best Stretch, found bool) {
	for m := from; m+n <= to; m += step {
		s := l.Sum(m, m+n)
		if s.Bad > 0 && (!found || float64(s.Bad)/float64(s.Total) > float64(best.Sum.Bad)/float64(best.Sum.Total)) {
			if best, found = (Stretch{From: m, To: m + n, Sum: s}), true; n == fiveMinutes {
				best.Sum = Sum{Bad: s.Bad, Total: s.Total}
			}
		}
	}
	return best, found
}

func TestTheWorstWindowIsTheOneThatTryingThemAllFinds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var l Ledger
		hours := Minute(rapid.IntRange(1, 6).Draw(t, "hours"))
		for m := range hours * 60 {
			if rapid.IntRange(0, 9).Draw(t, "kind") > 0 {
				total := int64(rapid.IntRange(0, 5).Draw(t, "total"))
				l.Put(600+m, Count(min(total, int64(rapid.IntRange(0, 2).Draw(t, "bad"))), total))
			}
		}
		if l.Empty() {
			return
		}
		length := rapid.SampledFrom([]time.Duration{5 * time.Minute, time.Hour, 2 * time.Hour}).Draw(t, "length")
		step := Minute(5)
		if length >= time.Hour {
			step = 60
		}
		end := min(l.End(), 600+hours*60)
		if step == 60 {
			end = (end + 59) / 60 * 60 // the last hour counts as far as it is written
		}
		want, wantOK := worstNaively(&l, l.First(), end, step, Minutes(length))
		got, ok := Worst(&l, 0, 600+hours*60, length)
		if ok != wantOK || ok && (got.From != want.From || got.To != want.To || got.Sum != want.Sum) {
			t.Fatalf("got %+v %v, want %+v %v", got, ok, want, wantOK)
		}
	})
}

// The figure exists for this: two services of the same ratio over the month, one with an outage and
// one with blips.
func TestAnOutageAndManyBlipsDifferInTheirWorstHour(t *testing.T) {
	var outage, blips Ledger
	for m := range Minute(28 * 1440) {
		out, blip := int64(0), int64(0)
		if m >= 20_000 && m < 20_043 {
			out = 1000
		}
		if m%900 == 0 && m/900 < 43 {
			blip = 1000
		}
		outage.Put(m, Count(out, 1000))
		blips.Put(m, Count(blip, 1000))
	}
	for _, c := range []struct {
		length      time.Duration
		out, blip   int64
		description string
	}{
		{5 * time.Minute, 5000, 1000, "five minutes can"},
		{time.Hour, 40_000, 1000, "an hour can"}, // the whole hour from 333:00 holds forty of the minutes
		{28 * 24 * time.Hour, 43_000, 43_000, "the month cannot"},
	} {
		a, _ := Worst(&outage, 0, 28*1440, c.length)
		b, _ := Worst(&blips, 0, 28*1440, c.length)
		if a.Sum.Bad != c.out || b.Sum.Bad != c.blip {
			t.Errorf("%s: %d and %d", c.description, a.Sum.Bad, b.Sum.Bad)
		}
	}
}

// Law: no worst window depends on whether minutes have been thinned out and been on disk, whatever
// whole hours are asked for, with corrections, too.
func TestWorstWindowsOutliveMinutes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := yesterday()
		for m := range 60 * Minute(rapid.IntRange(1, 12).Draw(t, "hours")) {
			total := int64(rapid.IntRange(0, 5).Draw(t, "total"))
			l.Put(m, Count(max(int64(rapid.IntRange(-9, 3).Draw(t, "bad")), 0), total))
		}
		l.Excuse(NewExcuses(drawCorrections(t), oneDay))
		length := rapid.SampledFrom([]time.Duration{5 * time.Minute, time.Hour, 3 * time.Hour}).Draw(t, "length")
		from := Minute(rapid.IntRange(0, 12).Draw(t, "from")) * 60
		to := from + Minute(rapid.IntRange(1, 12).Draw(t, "to"))*60
		want, wantOK := Worst(l, from, to, length)
		for range 3 {
			l.Thin(Minute(rapid.IntRange(0, 13*60).Draw(t, "thin")), Minute(rapid.IntRange(0, 12*60).Draw(t, "cut")))
			if got, ok := Worst(l, from, to, length); got != want || ok != wantOK {
				t.Fatalf("got %+v %v, want %+v %v", got, ok, want, wantOK)
			}
			l = throughDisk(t, l)
		}
	})
}

// The worst five minutes are never better than the worst hour: where an hour is known by its sum
// alone there are none.
func TestNoFiveMinutesOfASumAlone(t *testing.T) {
	l := yesterday()
	for m := Minute(60); m < 180; m++ {
		l.Put(m, Count(int64(m%50/49), 10))
	}
	if w, ok := Worst(l, 60, 180, 5*time.Minute); !ok || w.From != 95 || w.Searched != 120 {
		t.Errorf("of what was read by the minute: %+v, %v", w, ok)
	}
	l.PutHour(0, Sum{Bad: 100, Total: 600, Known: 60, BadSlots: 10})
	if w, ok := Worst(l, 0, 180, 5*time.Minute); ok {
		t.Errorf("five minutes of an hour that was read as a sum: %+v", w)
	}
	if w, ok := Worst(l, 0, 180, time.Hour); !ok || w.From != 0 || w.Sum.Bad != 100 {
		t.Errorf("the worst hour: %+v, %v", w, ok)
	}
}
