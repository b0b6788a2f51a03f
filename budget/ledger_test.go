package budget

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/slowburn-sre/slowburn/slo"
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
	s := Slot{State: State(rapid.IntRange(1, 5).Draw(t, "state")), Backfilled: rapid.Bool().Draw(t, "backfilled"), Estimated: rapid.Bool().Draw(t, "estimated"), Shared: rapid.Bool().Draw(t, "shared")}
	switch s.State {
	case OK, Partial:
		s.Total = rapid.Int64Range(0, 1<<40).Draw(t, "total")
		s.Bad = rapid.Int64Range(0, s.Total).Draw(t, "bad")
	}
	return s
}

// yesterday is a ledger whose data began more than a day before minute 0, so that nothing written
// since keeps its minutes for being of its first day.
func yesterday() *Ledger {
	l := &Ledger{}
	l.PutHour(-30, Sum{Known: 60})
	return l
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

// TestAMinuteBehindThoseThatAreKept: the source was away for so long that the newest hour has
// become one of those that are kept, and goes on in that hour.
func TestAMinuteBehindThoseThatAreKept(t *testing.T) {
	l := &Ledger{}
	l.Put(600, Count(1, 10))
	l.Thin(6000)
	l.Put(630, Count(2, 20))
	want := Sum{Bad: 3, Total: 30, Known: 2, BadSlots: 2}
	if got := l.Sum(600, 631); got != want || l.End() != 631 {
		t.Errorf("the sum is %+v up to minute %d, want %+v up to 631", got, l.End(), want)
	}
}

func TestThinningChangesNoSumOfWholeHours(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l, thin := yesterday(), yesterday()
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
		l := yesterday()
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

// TestSlotsOnDisk: the bytes of slots that older versions wrote are read as they were, and a shared
// one differs from them by a bit that was never set.
func TestSlotsOnDisk(t *testing.T) {
	for _, c := range []struct {
		bytes []byte
		want  Slot
	}{
		{[]byte{0x61, 10, 3}, Slot{Bad: 3, Total: 10, State: OK}},
		{[]byte{0x31, 10}, Slot{Total: 10, State: OK, Backfilled: true}},
		{[]byte{0x03}, Slot{State: Absent}},
		{[]byte{0xe1, 10, 3}, Slot{Bad: 3, Total: 10, State: OK, Shared: true}},
		{[]byte{0x82}, Slot{State: ZeroTraffic, Shared: true}},
	} {
		got, rest, err := ReadSlot(c.bytes)
		if got != c.want || len(rest) > 0 || err != nil {
			t.Errorf("%x is read as %+v (%v), want %+v", c.bytes, got, err, c.want)
		}
		if again := AppendSlot(nil, c.want); !bytes.Equal(again, c.bytes) {
			t.Errorf("%+v is written as %x, want %x", c.want, again, c.bytes)
		}
	}
}

// TestEventsFoundLate are added to what the ledger holds of their minute, or of its hour.
func TestEventsFoundLate(t *testing.T) {
	for _, c := range []struct {
		name       string
		was        Slot
		bad, total int64
		want       Slot
	}{
		{"more of a known minute", Count(1, 10), 2, 5, Count(3, 15)},
		{"fewer", Count(3, 15), -2, -5, Count(1, 10)},
		{"fewer than there were are none", Count(3, 15), -20, -50, Count(0, 0)},
		{"never more bad events than events", Count(3, 15), 20, 0, Count(15, 15)},
		{"a minute without data is known with what is found", Slot{State: Absent}, 2, 5, Count(2, 5)},
		{"nothing found in it is known, too", Slot{State: Absent}, 0, 0, Count(0, 0)},
		{"so is a minute of a hole", Slot{Bad: 1, Total: 4, State: Partial}, 1, 2, Count(2, 6)},
		{"what the source has spoilt stays so", Slot{State: Failed}, 2, 5, Slot{State: Failed}},
		{"a minute stays what else it was", Slot{Total: 4, State: OK, Shared: true, Backfilled: true}, 1, 1, Slot{Bad: 1, Total: 5, State: OK, Shared: true, Backfilled: true}},
		{"more than a minute can hold is an error", Count(1, 1), 0, math.MaxInt64, Slot{State: Failed}},
		{"less than nothing is none", Count(1, 1), math.MinInt64, math.MinInt64, Count(0, 0)},
	} {
		l := &Ledger{}
		for m := Minute(0); m < 120; m++ {
			l.Put(m, Count(0, 7))
		}
		l.Put(30, c.was)
		got, ok := l.Amend(30, c.bad, c.total)
		want := Sum{Total: 59 * 7, Known: 59}
		want.add(c.want)
		if !ok || got != c.want || l.At(30) != c.want || l.Sum(0, 60) != want {
			t.Errorf("%s: %+v, %v, and the hour %+v; want %+v", c.name, got, ok, l.Sum(0, 60), c.want)
		}
	}
	l := yesterday()
	for m := Minute(60); m < 180; m++ {
		l.Put(m, Count(0, 7))
	}
	l.Excuse(NewExcuses([]*slo.Correction{{Cap: 9, Spans: []slo.Span{{From: Minute(61).Time(), To: Minute(62).Time()}}}}, slo.Window{Rolling: slo.Day}))
	l.Thin(130)
	if s, ok := l.Amend(70, 1, 1); !ok || s != Count(1, 8) || l.At(70) != s || l.Sum(60, 120).Bad != 1 {
		t.Errorf("an hour that a correction cuts keeps its minutes: %+v, %v", s, ok)
	}
	l.Excuse(nil)
	l.Thin(130)
	if _, ok := l.Amend(70, 1, 1); ok {
		t.Error("a minute that has been thinned out was amended")
	}
	if s, ok := l.AmendHour(1, 2, 3); !ok || s != l.Sum(60, 120) || s != (Sum{Bad: 3, Total: 60*7 + 4, Known: 60, BadSlots: 1}) {
		t.Errorf("the hour is %+v, %v", s, ok)
	}
	for _, h := range []int64{0, 2, 3} {
		if _, ok := l.AmendHour(h, 1, 1); ok {
			t.Errorf("hour %d was amended, of which nothing was written or minutes are kept", h)
		}
	}
	if _, ok := l.Amend(500, 1, 1); ok {
		t.Error("a minute was amended that was never written")
	}
}

// TestAmendShown: samples of two targets, scraped every five minutes, tell of the same minutes in
// whatever order they are written down, also of those of which nothing was known.
func TestAmendShown(t *testing.T) {
	type sample struct {
		since, at  Minute
		bad, total int64
	}
	samples := []sample{{101, 105, 7, 50}, {103, 107, 0, 9}, {106, 110, 1, 31}, {108, 112, 0, 0}, {111, 115, 4, 7}, {113, 117, 0, 1000}}
	want := map[Minute]Slot{}
	for from, s := Minute(101), 0; s < len(samples); from, s = samples[s].at+1, s+1 {
		n := int64(samples[s].at - from + 1)
		for m := from; m <= samples[s].at; m++ {
			slot := Count(Part(samples[s].bad, int64(m-from), n), Part(samples[s].total, int64(m-from), n))
			slot.Shared = m < samples[s].at
			want[m] = slot
		}
	}
	for seed := range uint64(200) {
		l, rng := &Ledger{}, rand.New(rand.NewPCG(seed, 1))
		for m := Minute(60); m <= 100; m++ {
			l.Put(m, Count(0, 7))
		}
		for m := Minute(101); m < 120; m++ {
			l.Put(m, Slot{State: Absent})
		}
		var order []int
		for next := [2]int{0, 1}; len(order) < len(samples); { // a target's own come in order
			if n := rng.IntN(2); next[n] < len(samples) {
				order, next[n] = append(order, next[n]), next[n]+2
			}
		}
		for _, i := range order {
			s := samples[i]
			for _, c := range l.AmendShown(s.since, s.at, s.bad, s.total) {
				if l.At(c.At) != c.Slot {
					t.Fatalf("%d is %+v, told was %+v", c.At, l.At(c.At), c.Slot)
				}
			}
		}
		for m, slot := range want {
			if l.At(m) != slot {
				t.Fatalf("in the order %v, minute %d is %+v; want %+v", order, m, l.At(m), slot)
			}
		}
	}
}

func TestADamagedDayIsAnErrorAndNeverAPanic(t *testing.T) {
	l := yesterday()
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
	l.PutHour(-30, Sum{Known: 60})
	l.Thin(1000)
	if l.Put(500, Count(9, 99)) {
		t.Fatal("a thinned minute was written")
	}
}

// Law: the first minute with data is the same however the ledger was written, thinned and loaded,
// and absent minutes before it are none.
func TestTheBeginningIsTheFirstMinuteWithData(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l, want := &Ledger{}, Minute(0)
		at := Minute(rapid.IntRange(0, 200).Draw(t, "first"))
		for range rapid.IntRange(0, 150).Draw(t, "absent") {
			l.Put(at, Slot{State: rapid.SampledFrom([]State{Absent, Failed}).Draw(t, "state")})
			at++
		}
		want = at
		state := rapid.SampledFrom([]Slot{Count(1, 2), Count(0, 0), {State: Partial}}).Draw(t, "data")
		for end := at + Minute(rapid.IntRange(1, 3*1440).Draw(t, "data")); at < end; at++ {
			l.Put(at, state)
		}
		if rapid.Bool().Draw(t, "late") && l.Put(want-1, Count(0, 1)) {
			want--
		}
		for range 3 {
			if got := l.Begin(); got != want {
				t.Fatalf("the data begin at %d, want %d", got, want)
			}
			l.Thin(Minute(rapid.IntRange(0, int(at)+60).Draw(t, "thin")))
			l = throughDisk(t, l)
		}
	})
	empty := &Ledger{}
	empty.Put(100, Slot{State: Absent})
	if got := empty.Begin(); got != 101 {
		t.Errorf("a ledger without data begins at %d", got)
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

func TestEachBadFindsTheBadMinutes(t *testing.T) {
	l := &Ledger{}
	slots := map[Minute]Slot{
		120: Count(1, 5), 121: Count(0, 5), 179: Count(2, 2), 180: {State: Partial, Bad: 7, Total: 9},
		300: Count(0, 4), 421: Count(3, 4), 422: Count(9, 9), 600: Count(1, 1),
	}
	for m := Minute(60); m < 660; m++ {
		if s, ok := slots[m]; ok {
			l.Put(m, s)
		} else {
			l.Put(m, Count(0, 0))
		}
	}
	l.Excuse(NewExcuses([]*slo.Correction{excusesOf(10000, 422, 423)}, oneDay))
	l.Thin(360) // the first day keeps its minutes
	for from := Minute(0); from < 700; from += 7 {
		for to := from; to < 700; to += 11 {
			var want, got []Minute
			for m := from; m < to; m++ {
				if s := l.At(m); s.Bad > 0 && s.State.Known() {
					want = append(want, m)
				}
			}
			l.EachBad(from, to, func(m Minute, s Slot) { got = append(got, m) })
			if !slices.Equal(got, want) {
				t.Fatalf("the bad minutes of [%d, %d) are %v, want %v", from, to, got, want)
			}
		}
	}
}
