package budget

import (
	"math"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/slo"
)

func TestNoNumberBreaksTheArithmetic(t *testing.T) {
	const most = math.MaxInt64
	for _, c := range []struct {
		name      string
		got, want int64
	}{
		{"a sum that overflows stays at the top", Add(most, most), most},
		{"a sum that overflows downwards stays at the bottom", Add(math.MinInt64, -1), math.MinInt64},
		{"two parts of opposite signs", Add(most, math.MinInt64), -1},
		{"a product of 126 bits is divided exactly", Scale(most, most-1, most), most - 1},
		{"a quotient beyond 64 bits stays at the top", Scale(most, most, 1), most},
		{"a quotient beyond 63 bits stays at the top", Scale(most, 3, 2), most},
		{"nothing is divided by nothing", Scale(5, 5, 0), 0},
		{"a negative count is none", Share(-5, 1000), 0},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, c.got, c.want)
		}
	}
	for _, v := range []float64{1e300, math.Inf(1), -1e300, math.NaN(), 1 << 63} {
		if n, ok := Thousandths(v); ok {
			t.Errorf("%g events are held as %d thousandths", v, n)
		}
	}
}

// TestAMinuteThatCannotBeHeldIsAnError: such a minute says nothing, on whatever way it comes, and
// those around it say what they did.
func TestAMinuteThatCannotBeHeldIsAnError(t *testing.T) {
	for _, s := range []Slot{
		Count(MaxCount+1, MaxCount+1),
		Count(math.MaxInt64, 5),
		{Bad: 1, Total: math.MaxInt64, State: OK},
		{Bad: -1, Total: 5, State: OK},
		{Bad: 9, Total: 5, State: Partial},
	} {
		l := &Ledger{}
		l.Put(60, Count(1000, 5000))
		l.Put(61, s)
		l.Put(62, Count(1000, 5000))
		want := Sum{Bad: 2000, Total: 10000, Known: 2, Unknown: 1, BadSlots: 2}
		if got := l.Sum(0, 120); got != want {
			t.Errorf("%+v: the hour is %+v, want %+v", s, got, want)
		}
		if got := l.At(61).State; got != Failed {
			t.Errorf("%+v: the minute is %s", s, got)
		}
	}
}

// TestStoredNumbersOfOlderVersionsAreRead: what an older version wrote of such a minute is read as
// an error, too; it does not keep the daemon from starting.
func TestStoredNumbersOfOlderVersionsAreRead(t *testing.T) {
	old := appendSlot([]byte{}, Slot{Bad: 0, Total: math.MinInt64, State: OK})
	s, rest, err := ReadSlot(old)
	if err != nil || len(rest) > 0 || s != (Slot{State: Failed}) {
		t.Errorf("a minute is %+v, %d bytes are left (%v)", s, len(rest), err)
	}
	b := []byte{dayVersion}
	b = appendHourSum(b, hourSum{bad: 3, total: -7, known: 58, unknown: 2, badSlots: 4})
	for range 23 {
		b = append(b, hourEmpty)
	}
	l := &Ledger{}
	if err := l.LoadDay(0, b); err != nil {
		t.Fatal(err)
	}
	if got, want := l.Sum(0, 60), (Sum{Unknown: 60}); got != want {
		t.Errorf("an hour is %+v, want %+v", got, want)
	}
}

// FuzzBudget lets a ledger take any numbers in any order, and asks it for all that it can tell.
func FuzzBudget(f *testing.F) {
	f.Add(int64(math.MaxInt64), int64(math.MaxInt64), int64(1), int64(3), uint16(1), uint8(1))
	f.Add(int64(MaxCount), int64(MaxCount), int64(MaxCount), int64(MaxCount), uint16(59), uint8(3))
	f.Add(int64(-1), int64(math.MinInt64), int64(0), int64(5), uint16(4000), uint8(5))
	objective, err := slo.ParseObjective("99.9")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, bad, total, bad2, total2 int64, step uint16, state uint8) {
		l, at := &Ledger{}, Minute(29_000_000)
		for n := range 70 {
			l.Put(at, Slot{Bad: bad, Total: total, State: State(state % 8), Backfilled: n%2 == 0})
			l.Put(at+1, Count(bad2, total2))
			at += Minute(step) + 1
		}
		l.PutHour(l.First().Hour()-1, Sum{Bad: bad, Total: total, Known: int(state) % 61})
		l.Thin(at - 1000)
		back := reload(t, l)
		for _, w := range []slo.Window{{Rolling: 28 * slo.Day}, {Calendar: slo.Year}} {
			s := StatusAt(back, objective, w, at)
			if s.Sum.Bad < 0 || s.Sum.Total < s.Sum.Bad || s.Allowed < 0 || s.Spent < 0 || math.IsNaN(s.Spent) || s.Coverage < 0 {
				t.Fatalf("the status is %+v", s)
			}
			if got := StatusAt(l, objective, w, at); got.Sum != s.Sum {
				t.Fatalf("before it was written %+v, after %+v", got.Sum, s.Sum)
			}
			o := Forecast(back, objective, StatusAt(back, objective, w, at), []Burnt{{From: at - Minute(step), To: at}}, time.Hour, 6*time.Hour)
			if o.In < 0 || o.Early < 0 || o.Late < 0 {
				t.Fatalf("the forecast is %+v", o)
			}
			_, _ = Burn(s.Sum, objective)
			_, _ = Worst(back, at-5000, at, time.Hour)
		}
	})
}

// reload returns the ledger as it comes back from the disk.
func reload(t *testing.T, l *Ledger) *Ledger {
	back := &Ledger{}
	for day := l.First().Day(); day <= l.End().Day(); day++ {
		if b := l.EncodeDay(day); b != nil {
			if err := back.LoadDay(day, b); err != nil {
				t.Fatal(err)
			}
		}
	}
	return back
}
