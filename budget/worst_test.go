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
		if s.Total > 0 && (!found || float64(s.Bad)/float64(s.Total) > float64(best.Sum.Bad)/float64(best.Sum.Total)) {
			best, found = Stretch{From: m, To: m + n, Sum: s}, true
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
		length := rapid.SampledFrom([]time.Duration{time.Minute, 5 * time.Minute, time.Hour, 2 * time.Hour}).Draw(t, "length")
		step := Minute(1)
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
		{time.Minute, 1000, 1000, "a minute cannot tell them apart"},
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

func TestShortWindowsAreLookedForWhereMinutesAreKept(t *testing.T) {
	var l Ledger
	for m := range Minute(300) {
		l.Put(m, Count(0, 10))
	}
	l.Put(30, Count(10, 10))
	l.Put(250, Count(5, 10))
	l.Thin(120)
	short, _ := Worst(&l, 0, 300, time.Minute)
	long, _ := Worst(&l, 0, 300, time.Hour)
	if short.From != 250 || short.Searched != 180 {
		t.Errorf("the worst minute: %+v", short)
	}
	if long.From != 0 || long.Sum.Bad != 10 || long.Searched != 300 {
		t.Errorf("the worst hour: %+v", long)
	}
}
