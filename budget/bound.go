package budget

import (
	"math"
	"math/bits"
)

// Whatever a source answers, the arithmetic of budgets neither overflows nor turns negative. A
// minute is bounded, so that a window of minutes can be added up; a sum of more than that stays at
// the largest number there is.

// MaxCount is the most a minute can hold, in thousandths of events: 140 billion events, 2.3 billion
// a second. The sum of a month and a half of such minutes is still exact. A minute that shows more,
// as where a counter ran below zero and wrapped round, is [Failed].
const MaxCount = math.MaxInt64 >> 16

// Thousandths rounds a number of events to thousandths of one. It is false for a number that no
// minute can hold, and for one that is none.
func Thousandths(events float64) (int64, bool) {
	n := math.Round(events * Unit)
	if math.IsNaN(n) || math.Abs(n) > MaxCount {
		return 0, false
	}
	return int64(n), true
}

// Add returns a + b, or the nearest number to it that there is.
func Add(a, b int64) int64 {
	sum := a + b
	switch {
	case a > 0 && b > 0 && sum < 0:
		return math.MaxInt64
	case a < 0 && b < 0 && sum >= 0:
		return math.MinInt64
	}
	return sum
}

// less returns a − b of two sums, of which the second is a part of the first. It is never below
// zero, also where the first was too large to be added up.
func less(a, b int64) int64 { return max(a-b, 0) }

// Scale returns n × num ÷ den, rounded down, exactly, or the largest number if it is beyond that.
// Negative numbers count as 0; so does the result where den is 0.
func Scale(n, num, den int64) int64 { return scaleUp(n, num, den, 0) }

// scaleUp scales like Scale, with up added to the product before it is divided.
func scaleUp(n, num, den int64, up uint64) int64 {
	if n <= 0 || num < 0 || den <= 0 {
		return 0
	}
	hi, lo := bits.Mul64(uint64(n), uint64(num))
	lo, carry := bits.Add64(lo, up, 0)
	if hi += carry; hi >= uint64(den) {
		return math.MaxInt64
	}
	q, _ := bits.Div64(hi, lo, uint64(den))
	return int64(min(q, math.MaxInt64))
}

// held returns the slot if a minute can hold it, and otherwise a failed one.
func (s Slot) held() Slot {
	if s.Bad < 0 || s.Bad > s.Total || s.Total > MaxCount || s.State > Failed {
		return Slot{State: Failed, Backfilled: s.Backfilled}
	}
	return s
}

// held returns the sum of an hour if its minutes can hold it, and otherwise one of which nothing is
// known.
func (s Sum) held() Sum {
	if s.Bad < 0 || s.Bad > s.Total || s.Total > 60*MaxCount {
		return Sum{Unknown: s.Known + s.Partial + s.Unknown}
	}
	return s
}
