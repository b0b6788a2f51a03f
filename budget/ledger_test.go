package budget

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// twin is the ledger as one would write it down: a map of minutes.
type twin struct {
	slots map[Minute]Slot
	end   Minute
}

func (t *twin) put(m Minute, s Slot) { t.slots[m] = s; t.end = max(t.end, m+1) }

func (t *twin) sum(from, to Minute) Sum {
	var sum Sum
	for m, s := range t.slots {
		if m >= from && m < to {
			sum.add(s)
		}
	}
	return sum
}

func drawSlot(t *rapid.T) Slot {
	s := Slot{State: State(rapid.IntRange(1, 5).Draw(t, "state")), Backfilled: rapid.Bool().Draw(t, "backfilled"), Estimated: rapid.Bool().Draw(t, "estimated")}
	switch s.State {
	case OK, Partial:
		s.Total = rapid.Int64Range(0, 1<<40).Draw(t, "total")
		s.Bad = rapid.Int64Range(0, s.Total).Draw(t, "bad")
	}
	return s
}

func TestTheLedgerSumsLikeAMapOfMinutes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l, naive := &Ledger{}, &twin{slots: map[Minute]Slot{}}
		base := Minute(rapid.Int64Range(-3000, 3000).Draw(t, "base"))
		for range rapid.IntRange(1, 60).Draw(t, "puts") {
			m := base + Minute(rapid.IntRange(0, 600).Draw(t, "minute"))
			s := drawSlot(t)
			if !l.Put(m, s) {
				t.Fatalf("minute %d was refused though nothing was thinned", m)
			}
			naive.put(m, s)
		}
		from := base + Minute(rapid.IntRange(-50, 650).Draw(t, "from"))
		to := base + Minute(rapid.IntRange(-50, 650).Draw(t, "to"))
		if diff := cmp.Diff(naive.sum(from, to), l.Sum(from, to)); diff != "" {
			t.Fatalf("sum of [%d, %d): %s", from, to, diff)
		}
		if got := l.At(from); got != naive.slots[from] {
			t.Fatalf("minute %d is %v, want %v", from, got, naive.slots[from])
		}
	})
}

func TestThinningChangesNoSumOfWholeHours(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l, thin := &Ledger{}, &Ledger{}
		base := Minute(rapid.IntRange(0, 300).Draw(t, "base"))
		for i := range rapid.IntRange(1, 500).Draw(t, "minutes") {
			s := drawSlot(t)
			l.Put(base+Minute(i), s)
			thin.Put(base+Minute(i), s)
		}
		thin.Thin(base + Minute(rapid.IntRange(0, 600).Draw(t, "thin")))
		from := Minute(rapid.IntRange(0, 14).Draw(t, "hour") * 60)
		if diff := cmp.Diff(l.Sum(from, l.End()), thin.Sum(from, l.End())); diff != "" {
			t.Fatalf("sum from %d: %s", from, diff)
		}
	})
}

func TestADayOnDiskComesBackAsItWas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := &Ledger{}
		base := Minute(rapid.IntRange(0, 3000).Draw(t, "base"))
		for range rapid.IntRange(1, 80).Draw(t, "puts") {
			l.Put(base+Minute(rapid.IntRange(0, 4000).Draw(t, "minute")), drawSlot(t))
		}
		l.Thin(base + Minute(rapid.IntRange(0, 3000).Draw(t, "thin")))
		back := &Ledger{}
		for day := l.First().Day(); day <= l.End().Day(); day++ {
			if b := l.EncodeDay(day); b != nil {
				if err := back.LoadDay(day, b); err != nil {
					t.Fatal(err)
				}
			}
		}
		from := Minute(rapid.IntRange(0, 120).Draw(t, "from") * 60)
		if diff := cmp.Diff(l.Sum(from, l.End()+60), back.Sum(from, l.End()+60)); diff != "" {
			t.Fatal(diff)
		}
	})
}

// TestADayOfBeforeReadsAsItWas: days that were written before hours knew of estimates.
func TestADayOfBeforeReadsAsItWas(t *testing.T) {
	hour := []byte{hourThinned, 8, 80, 59, 1, 0, 2}
	day := append([]byte{dayVersion}, hour...)
	for range 23 {
		day = append(day, hourEmpty)
	}
	l := &Ledger{}
	if err := l.LoadDay(0, day); err != nil {
		t.Fatal(err)
	}
	if got, want := l.Sum(0, 60), (Sum{Bad: 8, Total: 80, Known: 59, Partial: 1, BadSlots: 2}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if !bytes.Equal(l.EncodeDay(0), day) {
		t.Error("an hour without estimates takes another form")
	}
}

func TestADamagedDayIsAnErrorAndNeverAPanic(t *testing.T) {
	l := &Ledger{}
	for m := Minute(0); m < 1440; m++ {
		l.Put(m, Count(int64(m%7), int64(m)*1000))
	}
	l.Thin(700)
	good := l.EncodeDay(0)
	for cut := range good {
		if err := (&Ledger{}).LoadDay(0, good[:cut]); err == nil {
			t.Fatalf("a day cut off after %d of %d bytes was accepted", cut, len(good))
		}
	}
	for i := range good {
		bad := append([]byte(nil), good...)
		bad[i] ^= 0x80
		_ = (&Ledger{}).LoadDay(0, bad) // may be accepted if the flip makes another valid count
	}
	if err := (&Ledger{}).LoadDay(0, []byte{9}); err == nil {
		t.Fatal("a newer version was accepted")
	}
}

func FuzzLoadDay(f *testing.F) {
	l := &Ledger{}
	for m := Minute(0); m < 200; m++ {
		l.Put(m, Count(int64(m%3), int64(m)*1000))
	}
	f.Add(l.EncodeDay(0))
	f.Fuzz(func(t *testing.T, b []byte) {
		back := &Ledger{}
		if back.LoadDay(0, b) == nil {
			if s := back.Sum(0, 1440); s.Bad < 0 || s.Bad > s.Total {
				t.Fatalf("accepted a day with %+v", s)
			}
		}
	})
}

func TestABackfillTowardsThePast(t *testing.T) {
	l := &Ledger{}
	l.Put(1000, Count(1, 10))
	if !l.Put(500, Count(2, 20)) {
		t.Fatal("minutes before the first are refused although nothing was thinned")
	}
	if !l.PutHour(3, Sum{Bad: 5, Total: 50, Known: 60}) {
		t.Fatal("an hour before the first minute is refused")
	}
	if l.PutHour(8, Sum{}) {
		t.Fatal("an hour whose minutes are kept was overwritten")
	}
	want := Sum{Bad: 8, Total: 80, Known: 62, BadSlots: 2}
	if diff := cmp.Diff(want, l.Sum(0, 2000)); diff != "" {
		t.Fatal(diff)
	}
	l.Thin(1000)
	if l.Put(500, Count(9, 99)) {
		t.Fatal("a thinned minute was written")
	}
}

func TestCountsNeverLeaveTheirBounds(t *testing.T) {
	for _, c := range []struct {
		name       string
		bad, total int64
		want       Slot
	}{
		{"more bad events than events are cut off", 5, 3, Slot{Bad: 3, Total: 3, State: OK}},
		{"negative counts are none", -5, -1, Slot{State: ZeroTraffic}},
		{"no events are zero traffic, not unknown", 0, 0, Slot{State: ZeroTraffic}},
	} {
		if got := Count(c.bad, c.total); got != c.want {
			t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
		}
	}
}

func BenchmarkLedgerMinuteOfMonth(b *testing.B) {
	l := &Ledger{}
	for m := Minute(0); m < 28*1440; m++ {
		l.Put(m, Count(int64(m%3), 600_000))
	}
	l.Thin(24 * 1440)
	b.ResetTimer()
	for b.Loop() {
		l.Sum(0, l.End())
		l.Sum(l.End()-60, l.End())
		l.Sum(l.End()-4320, l.End())
	}
}
